//! `Settings` of a camera, and what is wrong with them.

use std::time::Duration;

use fieldgate_kit::{
    Problem, SecretRef,
    settings::{ByteSize, Span},
};
use fieldgate_model::Pattern;
use fieldgate_rtsp::Address;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where a camera is, what is taken of it, and what may be done to it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where its stream is, for instance `rtsp://192.168.0.40:554/stream1`; `rtsps://` for TLS, `http://` for MJPEG or single JPEG pictures.
    /// Left out: its ONVIF service tells.
    #[serde(default)]
    pub url: Option<String>,
    /// Where its ONVIF service is, for instance `http://192.168.0.40/onvif/device_service`. It tells the streams, moves the camera and
    /// reports events. Left out: only the stream is used.
    #[serde(default)]
    pub onvif: Option<String>,
    /// Who the device is, whatever its address: its ONVIF endpoint reference, `urn:uuid:…`. When it gets another address it is searched for,
    /// and found again. Left out: the address is all that counts.
    #[serde(default)]
    pub identity: Option<String>,
    /// Which of its media profiles is used, by token or name. Left out: the first with pictures that can be played.
    #[serde(default)]
    pub profile: Option<String>,
    /// Who signs in. Left out: nobody.
    #[serde(default)]
    pub user: Option<User>,
    /// How the stream comes: `tcp` within the RTSP connection, which every network passes; `udp` beside it.
    #[serde(default)]
    pub transport: Transport,
    /// The certificate of the authority that signed the camera's, in PEM, for `rtsps://` and `https://`. Left out: the system's authorities.
    #[serde(default)]
    pub ca: Option<SecretRef>,
    /// The password goes in clear where the camera asks for Basic authentication without TLS.
    #[serde(default)]
    pub allow_basic: bool,
    /// Addresses of this machine and link-local ones are allowed, for a camera on the same machine or without DHCP.
    #[serde(default)]
    pub allow_local: bool,
    /// The stream counts as stalled when no picture came for so long.
    #[serde(default = "default_stall")]
    pub stall: Span,
    /// How often figures of the stream are told: frames and bits a second, loss, jitter.
    #[serde(default = "default_figures")]
    pub figures: Span,
    /// Pictures that are sent as readings of the point `snapshot`. Left out: only on demand.
    #[serde(default)]
    pub snapshots: Option<Snapshots>,
    /// What is saved around an event, as readings of the point `clip`. Left out: nothing.
    #[serde(default)]
    pub clips: Option<Clips>,
    /// The stream is recorded on this gateway's disk all the time. Left out: not.
    #[serde(default)]
    pub record: Option<Record>,
    /// Motion is looked for in the pictures, for a camera that does not report it. Left out: not.
    #[serde(default)]
    pub motion: Option<Motion>,
    /// The stream is passed on to others in the network as RTSP. Left out: not.
    #[serde(default)]
    pub pass_on: Option<PassOn>,
    /// What commands may do: `snapshot` takes a picture, `clip` saves one, `move` moves it (with presets and home), `imaging` changes how
    /// it sees, `encoder` how it encodes, `reboot` starts it anew. Left out: nothing.
    #[serde(default)]
    pub commands: Vec<Allowed>,
}

/// Who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name, as the device knows it.
    pub name: String,
    /// The password; it is kept apart from the settings.
    pub password: SecretRef,
}

/// How the stream comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// Pictures that are sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshots {
    /// How often one is taken, for instance `60 s`. Left out: only on an event or a command.
    #[serde(default)]
    pub every: Option<Span>,
    /// One is taken when motion or another event begins.
    #[serde(default)]
    pub on_event: bool,
    /// The most pixels from left to right; it becomes smaller in proportion.
    #[serde(default = "default_width")]
    #[schemars(range(min = 16, max = 4096))]
    pub width: u32,
    /// JPEG quality.
    #[serde(default = "default_quality")]
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
}

/// What is saved around an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clips {
    /// How much before it, from the ring in memory.
    #[serde(default = "default_before")]
    pub before: Span,
    /// How much after it.
    #[serde(default = "default_after")]
    pub after: Span,
    /// Bytes that the ring takes at most; a high bit rate shortens what is before.
    #[serde(default = "default_ring")]
    pub ring: ByteSize,
    /// Bytes of a clip at most; it ends there.
    #[serde(default = "default_clip")]
    pub most: ByteSize,
    /// What was measured at that moment is saved with it: patterns of points, for instance `press/**`.
    #[serde(default)]
    pub with: Vec<String>,
    /// Events of the camera or motion in its pictures save one by themselves; everything else does it by a rule or a command.
    #[serde(default = "yes")]
    pub on_event: bool,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Bytes that are kept at most; the oldest go.
    pub keep: ByteSize,
    /// How long it is kept at most. Left out: as long as there is room.
    #[serde(default)]
    pub keep_for: Option<Span>,
    /// How long one file is; it ends at the next key frame.
    #[serde(default = "default_segment")]
    pub segment: Span,
}

/// How motion is looked for.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Motion {
    /// Where, as polygons of points from `[0, 0]` at the top left to `[1, 1]`. Left out: everywhere.
    #[serde(default)]
    pub zones: Vec<Vec<[f64; 2]>>,
    /// How much brighter or darker a place becomes, of 255.
    #[serde(default = "default_threshold")]
    #[schemars(range(min = 1, max = 255))]
    pub threshold: u8,
    /// Which part of the zones has to change, in percent.
    #[serde(default = "default_area")]
    pub area_percent: f64,
}

/// Who may have the stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassOn {
    /// The TCP port at which this gateway offers it as `rtsp://…/camera`.
    pub port: u16,
    /// Who signs in there; nobody else sees it.
    pub user: User,
}

/// What commands may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    Snapshot,
    Clip,
    Move,
    Imaging,
    Encoder,
    Reboot,
}

fn default_stall() -> Span {
    Span(Duration::from_secs(5))
}

fn default_figures() -> Span {
    Span(Duration::from_secs(10))
}

fn default_width() -> u32 {
    1280
}

fn default_quality() -> u8 {
    80
}

fn default_before() -> Span {
    Span(Duration::from_secs(10))
}

fn default_after() -> Span {
    Span(Duration::from_secs(10))
}

fn default_ring() -> ByteSize {
    ByteSize(32 << 20)
}

fn default_clip() -> ByteSize {
    ByteSize(64 << 20)
}

fn default_segment() -> Span {
    Span(Duration::from_secs(60))
}

fn default_threshold() -> u8 {
    24
}

fn default_area() -> f64 {
    2.0
}

fn yes() -> bool {
    true
}

// === impl Settings ===

impl Settings {
    /// What the types cannot tell.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.url.is_none() && self.onvif.is_none() {
            problems.push(Problem::new(
                ["url"],
                "neither a stream nor an ONVIF service is named",
                "write the stream's URL, for instance rtsp://192.168.0.40/stream1, or find the camera by its address",
            ));
        }
        if let Some(url) = &self.url {
            address_problem("url", url, &mut problems);
        }
        if let Some(onvif) = &self.onvif {
            address_problem("onvif", onvif, &mut problems);
            if !onvif.starts_with("http://") && !onvif.starts_with("https://") {
                problems.push(Problem::new(
                    ["onvif"],
                    "an ONVIF service is reached by HTTP",
                    "write it like http://192.168.0.40/onvif/device_service",
                ));
            }
        }
        if self.identity.is_some() && self.onvif.is_none() {
            problems.push(Problem::new(
                ["identity"],
                "only an ONVIF device can be found again by it",
                "name its ONVIF service too, or leave it out",
            ));
        }
        let within = |what: Span, least: u64, most: u64| {
            (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&what.0)
        };
        let mut limit = |path: &[&str], what: Span, least: u64, most: u64| {
            if !within(what, least, most) {
                problems.push(Problem::new(
                    path.iter().copied(),
                    format!("is not between {least} s and {most} s"),
                    "choose a time between them",
                ));
            }
        };
        limit(&["stall"], self.stall, 1, 120);
        limit(&["figures"], self.figures, 1, 3600);
        if let Some(every) = self.snapshots.as_ref().and_then(|shots| shots.every) {
            limit(&["snapshots", "every"], every, 1, 86_400);
        }
        if let Some(clips) = &self.clips {
            limit(&["clips", "before"], clips.before, 0, 300);
            limit(&["clips", "after"], clips.after, 1, 600);
        }
        if let Some(record) = &self.record {
            limit(&["record", "segment"], record.segment, 2, 3600);
            if record.keep.0 < 64 << 20 {
                problems.push(Problem::new(
                    ["record", "keep"],
                    "is less than 64 MiB, which is not even a minute of a good camera",
                    "give it some gigabytes",
                ));
            }
        }
        if let Some(clips) = &self.clips {
            clips.problems(&mut problems);
        }
        if let Some(motion) = &self.motion {
            motion.problems(&mut problems);
        }
        problems
    }
}

impl Clips {
    fn problems(&self, problems: &mut Vec<Problem>) {
        for (index, pattern) in self.with.iter().enumerate() {
            if let Err(no) = pattern.parse::<Pattern>() {
                problems.push(Problem::new(
                    ["clips".to_owned(), "with".to_owned(), index.to_string()],
                    no.to_string(),
                    "write it like press/** or */*/temperature",
                ));
            }
        }
    }
}

impl Motion {
    fn problems(&self, problems: &mut Vec<Problem>) {
        if !(0.01..=100.0).contains(&self.area_percent) {
            problems.push(Problem::new(
                ["motion", "area_percent"],
                "is not between 0.01 and 100",
                "2 is a good beginning",
            ));
        }
        for (index, zone) in self.zones.iter().enumerate() {
            let inside = zone
                .iter()
                .flatten()
                .all(|place| (0.0..=1.0).contains(place));
            if zone.len() < 3 || zone.len() > 32 || !inside {
                problems.push(Problem::new(
                    ["motion".to_owned(), "zones".to_owned(), index.to_string()],
                    "is no polygon of 3 to 32 points between [0, 0] and [1, 1]",
                    "write the left half as [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]",
                ));
            }
        }
    }
}

fn address_problem(field: &str, text: &str, problems: &mut Vec<Problem>) {
    match Address::parse(text) {
        Err(no) => problems.push(Problem::new(
            [field],
            no.to_string(),
            "write it like rtsp://192.168.0.40/stream1",
        )),
        Ok(address) if address.credentials().is_some() => problems.push(Problem::new(
            [field],
            "the URL holds a user name or a password, which everybody would see",
            "write them under `user`",
        )),
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let settings: Settings = toml::from_str(text).unwrap();
        let problems = settings.problems();
        let found: Vec<_> = problems
            .iter()
            .map(|problem| problem.path.join("."))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_stream_or_a_service_is_enough() {
        check("url = \"rtsp://192.168.0.40/stream1\"", &[]);
        check("onvif = \"http://192.168.0.40/onvif/device_service\"", &[]);
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        check("", &["url"]);
        check("url = \"rtsp://u:p@192.168.0.40/stream1\"", &["url"]);
        check("onvif = \"rtsp://192.168.0.40/\"", &["onvif"]);
        check(
            "url = \"rtsp://c/\"\nidentity = \"urn:uuid:1\"\nstall = \"0 s\"",
            &["identity", "stall"],
        );
        check(
            "url = \"rtsp://c/\"\nclips = { with = [\"press/**\", \"a//b\"] }",
            &["clips.with.1"],
        );
        check(
            "url = \"rtsp://c/\"\nrecord = { keep = \"1 MiB\" }\nmotion = { zones = [[[0, 0], [2, 0], [1, 1]]], area_percent = 0.0 }",
            &["record.keep", "motion.area_percent", "motion.zones.0"],
        );
    }
}
