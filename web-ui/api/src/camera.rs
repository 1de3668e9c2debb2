//! Cameras over the wire: how each one is, what it offers, what it reported. Its pictures come by the tab's WebSocket (see `live`),
//! or one at a time as JPEG. Everything that moves it is a command.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{explore::ExploreFact, state::Status};

/// Where the picture of now is: `{id}` is the source.
pub const PICTURE_PATH: &str = "/api/v1/pictures/{id}";

/// The most cameras that a tab may watch at once.
pub const MAX_WATCHED: usize = 9;

/// A camera, as one row of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraRow {
    pub source: String,
    /// Its device's id.
    pub device: String,
    /// Pictures arrive.
    pub connected: bool,
    pub status: Status,
    pub last_frame: Option<Timestamp>,
}

/// Everything that is known of a camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraView {
    pub source: String,
    pub device: String,
    /// Pictures arrive; otherwise `status` tells why not.
    pub connected: bool,
    pub status: Status,
    /// Where the stream comes from, without user and password.
    pub address: String,
    pub last_frame: Option<Timestamp>,
    pub tracks: Vec<TrackView>,
    /// What it says of itself: maker, model, firmware.
    pub facts: Vec<ExploreFact>,
    /// How far its clock is ahead of the gateway's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    pub streams: Vec<StreamView>,
    /// How it can be moved; none where it cannot.
    pub movement: Option<MovementView>,
    /// What it reported, the newest first.
    pub happenings: Vec<HappeningView>,
    /// Clips, the newest first.
    pub clips: Vec<ClipView>,
    /// What is kept of it on the gateway's disk.
    pub kept: Option<KeptView>,
    /// Who watches it right now, this tab included.
    pub viewers: u32,
    /// Where others find its stream on this gateway; none when it is not passed on.
    pub passed_on: Option<String>,
}

/// What arrives of one track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrackView {
    pub codec: String,
    /// 0 for sound.
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    pub bits_per_s: f64,
    /// Packets that did not arrive, since the stream began.
    pub lost: u64,
    pub jitter_ms: Option<f64>,
    pub key_every_s: Option<f64>,
}

/// A stream that a camera offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamView {
    /// The camera's name of the media profile.
    pub token: String,
    pub name: String,
    pub words: String,
    pub used: bool,
}

/// How a camera can be moved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MovementView {
    pub presets: Vec<PresetView>,
    pub home: bool,
    /// Pan and tilt from -1 to 1, zoom from 0 to 1.
    pub at: Option<[f64; 3]>,
    pub moving: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PresetView {
    pub token: String,
    pub name: String,
}

/// Something that a camera reported, or that was seen in its pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HappeningView {
    pub at: Timestamp,
    pub words: String,
    /// It goes on, or is over; none for what has no length.
    pub active: Option<bool>,
}

/// A clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClipView {
    pub id: String,
    pub at: Timestamp,
    /// Why it was taken.
    pub why: String,
    pub seconds: f64,
    pub bytes: u64,
    /// It is complete, and in the queue.
    pub queued: bool,
}

/// What is kept on the gateway's disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptView {
    pub bytes: u64,
    pub most_bytes: u64,
    pub since: Option<Timestamp>,
    pub folder: String,
}

/// What stands before the bytes of a binary message of the tab's WebSocket, as JSON with its length in two bytes, big-endian, before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveHead {
    /// The source.
    pub camera: String,
    pub part: LivePart,
    /// When the newest picture in the bytes was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// What follows, for Media Source Extensions; with `begin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Why there is nothing; with `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// What the bytes of a binary message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LivePart {
    /// The beginning of an MP4 (ISO/IEC 14496-12 `ftyp` and `moov`); what came before is over.
    Begin,
    /// `moof` and `mdat`.
    Fragment,
    /// A whole JPEG.
    Picture,
    /// No bytes: there is no live view.
    None,
}

/// A binary message of the tab's WebSocket. Heads are small; one that is not is cut to nothing.
#[must_use]
pub fn live_message(head: &LiveHead, bytes: &[u8]) -> Vec<u8> {
    let head = serde_json::to_vec(head).unwrap_or_default();
    let length = u16::try_from(head.len()).unwrap_or(0);
    let head = &head[..length as usize];
    [&length.to_be_bytes(), head, bytes].concat()
}

/// What a binary message says, and its bytes; none when it is no such message.
#[must_use]
pub fn live_parts(message: &[u8]) -> Option<(LiveHead, &[u8])> {
    let (length, rest) = message.split_first_chunk::<2>()?;
    let (head, bytes) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((serde_json::from_slice(head).ok()?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_nothing_else_is() {
        let head = LiveHead {
            camera: "gate".into(),
            part: LivePart::Begin,
            seen: None,
            mime: Some("video/mp4; codecs=\"avc1.640028\"".into()),
            words: None,
        };
        let message = live_message(&head, b"ftyp");
        assert_eq!(live_parts(&message), Some((head, &b"ftyp"[..])));
        for bad in [&b""[..], b"\0", b"\0\x05{}", b"\xff\xff{}"] {
            assert_eq!(live_parts(bad), None);
        }
    }
}
