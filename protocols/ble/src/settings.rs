//! `Settings` of a Bluetooth LE source, and what is wrong with them.

use std::{collections::BTreeSet, path::PathBuf};

use fieldgate_kit::{Problem, SecretRef};
use fieldgate_model::ActionKind;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::{Address, uuid16};

/// What a Bluetooth LE source listens to, and whom it talks to.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which adapters are used, the preferred first, for instance `hci0`. The first that works listens, the others stand by.
    /// Left out: all there are.
    #[serde(default)]
    pub adapters: Vec<String>,
    /// How it listens: `active` asks devices for their names and for what some send only when asked, `passive` only listens and
    /// saves their batteries, `auto` is active for ten minutes after each start and then passive where the system can.
    #[serde(default)]
    pub scan: Scan,
    /// Whose readings go on: those of `devices` (`added`), or also of every other device that has a lasting address
    /// and a profile (`decoded`). Devices with random addresses that change never go on without a key.
    #[serde(default)]
    pub take: Take,
    /// What is listened to: the `system`'s Bluetooth, a `{ replay = "FILE" }` that was captured before, or `simulated`
    /// devices that do not exist, to try things out.
    #[serde(default)]
    pub radio: RadioChoice,
    /// The devices that belong here, with what is known of them.
    #[serde(default)]
    pub devices: Vec<DeviceRule>,
    /// Whom nobody wants to see: addresses, or `vendor:` and a part of a maker's name, for instance `vendor:Apple`.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// From which signal strength on a device is near, in dBm.
    #[serde(default = "default_near_dbm")]
    #[schemars(range(min = -127, max = 20))]
    pub near_dbm: i16,
    /// Below which signal strength it has gone, in dBm; lower than `near_dbm`, so that nobody comes and goes all the time.
    #[serde(default = "default_far_dbm")]
    #[schemars(range(min = -127, max = 20))]
    pub far_dbm: i16,
    /// The signal strength of each device (`rssi`) and whether it is near (`present`) are points, too.
    #[serde(default)]
    pub presence: bool,
    /// A value that does not change is told again after so many seconds; one that changes at once.
    #[serde(default = "default_repeat_s")]
    #[schemars(range(min = 1, max = 86_400))]
    pub repeat_s: u64,
    /// How many connections are open at once on an adapter; most controllers bear five to ten.
    #[serde(default = "default_connections")]
    #[schemars(range(min = 1, max = 32))]
    pub connections: u32,
}

/// How a radio listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scan {
    Auto,
    #[default]
    Active,
    Passive,
}

/// What is listened to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RadioChoice {
    #[default]
    System,
    Simulated,
    /// A file of captured packets, as the console writes them; they come in the time between them as they came then.
    Replay(PathBuf),
}

/// Whose readings go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    #[default]
    Added,
    Decoded,
}

/// One device.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRule {
    /// Its Bluetooth address, for instance `A4:C1:38:0B:F5:11`; for one with changing addresses the identity address that belongs to
    /// `identity_key`.
    pub address: String,
    /// What it is called here; part of its points' ids. Left out: its address without colons.
    #[serde(default)]
    pub name: Option<String>,
    /// Which profile decodes it. Left out: the first that fits.
    #[serde(default)]
    pub profile: Option<String>,
    /// The key of its encrypted advertisements, as its maker's app shows it (32 hexadecimal digits; older Xiaomi devices 24).
    #[serde(default)]
    pub bind_key: Option<SecretRef>,
    /// Only packets that `bind_key` opens count, so that nobody who fakes its address is believed.
    #[serde(default)]
    pub sealed_only: bool,
    /// The identity resolving key of a device whose address changes (32 hexadecimal digits).
    #[serde(default)]
    pub identity_key: Option<SecretRef>,
    /// How often it usually sends, in seconds. Left out: what its profile says, or what is learnt.
    #[serde(default)]
    pub interval_s: Option<f64>,
    /// What is read from it over a connection. Left out: it is only listened to.
    #[serde(default)]
    pub characteristics: Vec<CharacteristicRule>,
    /// It is paired before anything is read. `no`: never; `if_needed`: when it asks for it.
    #[serde(default)]
    pub pair: Pair,
    /// A connection is closed after its values were read, and made anew for the next ones, which saves the device's battery and
    /// lets others have a turn. Left out: it stays, as long as there are connections enough.
    #[serde(default)]
    pub release: bool,
}

/// One characteristic of a device.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharacteristicRule {
    /// The UUID of its service, for instance `180f` or `f0001234-0451-4000-b000-000000000000`.
    pub service: String,
    /// The UUID of the characteristic, for instance `2a19`.
    pub characteristic: String,
    /// What the point is called. Left out: what its format says, otherwise the UUID.
    #[serde(default)]
    pub point: Option<String>,
    /// How its value comes: the device tells it (`notify`), or it is asked every `every_s` (`read`). Left out: `notify` where it can.
    #[serde(default)]
    pub how: Option<How>,
    /// How often it is asked, in seconds.
    #[serde(default = "default_every_s")]
    #[schemars(range(min = 1, max = 86_400))]
    pub every_s: u64,
    /// How its bytes are read, as profiles write it: `{ type = "i16le", scale = 0.01, unit = "Cel" }`, or several of these with `id` and
    /// `at`. Left out: the format of the Bluetooth SIG where it has one, otherwise bytes.
    #[serde(default)]
    pub fields: Vec<serde_json::Value>,
    /// What commands may do with it: `read`, `write`. Left out: nothing.
    #[serde(default)]
    pub allow: Vec<ActionKind>,
    /// It is written without waiting for the device's answer.
    #[serde(default)]
    pub without_response: bool,
}

/// Whether a device is paired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pair {
    No,
    #[default]
    IfNeeded,
    Yes,
}

/// How a characteristic's value comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Notify,
    Read,
}

fn default_near_dbm() -> i16 {
    -75
}

fn default_far_dbm() -> i16 {
    -85
}

fn default_repeat_s() -> u64 {
    60
}

fn default_connections() -> u32 {
    5
}

fn default_every_s() -> u64 {
    60
}

/// A UUID as people write it: four hexadecimal digits of the Bluetooth SIG's, or the whole.
///
/// # Errors
/// In words, when it is none.
pub fn uuid_of(text: &str) -> Result<Uuid, String> {
    let short = text.strip_prefix("0x").unwrap_or(text);
    if short.len() == 4
        && let Ok(short) = u16::from_str_radix(short, 16)
    {
        return Ok(uuid16(short));
    }
    Uuid::parse_str(text).map_err(|_| {
        let text = text.escape_debug();
        format!("`{text}` is no UUID, neither four hexadecimal digits such as 180f nor all 32")
    })
}

// === impl Settings ===

impl Settings {
    /// What the types cannot tell.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.far_dbm >= self.near_dbm {
            problems.push(Problem::new(
                ["far_dbm"],
                format!(
                    "{} dBm is not below near_dbm, {} dBm",
                    self.far_dbm, self.near_dbm
                ),
                "set it some 10 dBm lower",
            ));
        }
        for (index, entry) in self.ignore.iter().enumerate() {
            let vendor = entry.strip_prefix("vendor:");
            if vendor.is_none_or(|part| part.trim().is_empty()) && entry.parse::<Address>().is_err()
            {
                problems.push(Problem::new(
                    ["ignore".to_owned(), index.to_string()],
                    format!(
                        "`{}` is neither an address nor `vendor:` and a part of a maker's name",
                        entry.escape_debug()
                    ),
                    "write it as A4:C1:38:0B:F5:11 or vendor:Apple",
                ));
            }
        }
        let mut seen = BTreeSet::new();
        for (index, device) in self.devices.iter().enumerate() {
            device.problems(index, &mut seen, &mut problems);
        }
        problems
    }
}

// === impl DeviceRule ===

impl DeviceRule {
    fn problems(&self, index: usize, seen: &mut BTreeSet<Address>, problems: &mut Vec<Problem>) {
        let at = |field: &str| vec!["devices".to_owned(), index.to_string(), field.to_owned()];
        match self.address.parse::<Address>() {
            Err(no) => problems.push(Problem::new(
                at("address"),
                no.to_string(),
                "copy it from the device or its app",
            )),
            Ok(address) if !seen.insert(address) => problems.push(Problem::new(
                at("address"),
                format!("{address} is there twice"),
                "put what is known of it into one entry",
            )),
            Ok(_) => {}
        }
        if self.sealed_only && self.bind_key.is_none() {
            problems.push(Problem::new(
                at("sealed_only"),
                "no packet can be opened without bind_key",
                "give the bind_key, or leave sealed_only out",
            ));
        }
        if self
            .interval_s
            .is_some_and(|seconds| !(0.01..=604_800.0).contains(&seconds))
        {
            problems.push(Problem::new(
                at("interval_s"),
                "is not between 0.01 s and a week",
                "leave it out, and it is learnt",
            ));
        }
        for (which, rule) in self.characteristics.iter().enumerate() {
            for (field, text) in [
                ("service", &rule.service),
                ("characteristic", &rule.characteristic),
            ] {
                if let Err(no) = uuid_of(text) {
                    let mut path = at("characteristics");
                    path.extend([which.to_string(), field.to_owned()]);
                    problems.push(Problem::new(
                        path,
                        no,
                        "Explore shows the UUIDs that a device has",
                    ));
                }
            }
        }
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
    fn nothing_need_be_said() {
        check("", &[]);
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        check(
            "ignore = [\"fridge\", \"vendor:\", \"vendor:Apple\"]",
            &["ignore.0", "ignore.1"],
        );
        check("near_dbm = -80\nfar_dbm = -70", &["far_dbm"]);
        check(
            "devices = [{ address = \"fridge\" }]",
            &["devices.0.address"],
        );
        check(
            "devices = [{ address = \"A4:C1:38:0B:F5:11\" }, { address = \"a4:c1:38:0b:f5:11\" }]",
            &["devices.1.address"],
        );
        check(
            "devices = [{ address = \"A4:C1:38:0B:F5:11\", sealed_only = true, interval_s = 0.0, characteristics = [{ service = \"18\", characteristic = \"2a19\" }] }]",
            &[
                "devices.0.sealed_only",
                "devices.0.interval_s",
                "devices.0.characteristics.0.service",
            ],
        );
    }
}
