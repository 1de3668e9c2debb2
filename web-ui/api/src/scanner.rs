//! What a source that listens to a radio hears, over the wire: who is near, what they say, keys, connections, captures, lessons.
//!
//! Everything that a device says of itself is a claim; it comes here with nothing hidden in it, and is only ever shown as text.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{config::Saved, state::Status};

/// A source that listens to a radio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScannerView {
    pub source: String,
    /// It can be asked right now.
    pub listening: bool,
    pub status: Status,
}

/// Whom to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScanQuery {
    /// Words that name, vendor, address or profile have to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The weakest signal, in dBm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rssi: Option<i16>,
    /// `yes`: only those that something decodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<String>,
    /// How many at most; 300 when left out, at most 2,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is heard right now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScanView {
    pub source: String,
    /// The radio is in use; otherwise `status` tells why not, and the rest is empty.
    pub listening: bool,
    pub status: Status,
    /// A sentence: who listens, how, and what is wrong if something is.
    pub words: String,
    pub adapters: Vec<AdapterView>,
    /// Advertisers that mean the same device tomorrow, the last heard first, as far as they were asked for.
    pub heard: Vec<HeardView>,
    /// How many of them there are, those that were not asked for included.
    pub heard_total: u64,
    /// How many were asked for, those beyond the limit included.
    pub matching: u64,
    /// Those that somebody does not want to see.
    pub ignored: Vec<HeardView>,
    /// What the source ignores: addresses, and `vendor:` with a part of a maker's name.
    pub ignore: Vec<String>,
    /// Devices with random addresses that change, of the last minute.
    pub passing: u64,
    pub packets: u64,
    pub packets_per_s: f64,
    /// Packets that were not looked at, by reason.
    pub not_looked_at: Vec<PacketsIgnored>,
    pub prompts: Vec<PairingQuestion>,
    pub captures: Vec<CaptureView>,
    pub now: Option<Timestamp>,
}

/// Packets that were not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PacketsIgnored {
    pub why: String,
    pub packets: u64,
}

/// One adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdapterView {
    /// As the system calls it, `hci0`.
    pub id: String,
    pub address: Option<String>,
    pub state: AdapterWord,
    /// What that means, and what to do.
    pub words: String,
    /// `active` asks devices for their names, `passive` only listens.
    pub mode: Option<String>,
    pub packets_per_s: f64,
    pub connections: u32,
    pub most_connections: u32,
    /// What was done lately to bring it back, the last one last.
    pub steps: Vec<AdapterStep>,
}

/// Something that was done to an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdapterStep {
    pub at: Timestamp,
    pub words: String,
}

/// How an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AdapterWord {
    /// There is none.
    Missing,
    /// The Bluetooth daemon does not run.
    NoDaemon,
    /// The gateway may not use it.
    NoPermission,
    /// A switch or rfkill holds it.
    Blocked,
    /// It is powered off.
    Off,
    Starting,
    Listening,
    /// It says that it scans, and nothing is heard.
    Deaf,
    /// Something is being done about it.
    Recovering,
    /// Another one listens; this one would take over.
    Standby,
}

/// One advertiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeardView {
    /// Its address, or the identity that a key resolves its addresses to.
    pub address: String,
    /// `public`, `random, static`, `random, resolvable`.
    pub address_kind: String,
    pub name: Option<String>,
    pub vendor: Option<String>,
    /// dBm, smoothed.
    pub rssi: Option<f64>,
    /// dBm of the last packets, the last one last.
    pub rssi_history: Vec<i16>,
    /// How far away it seems, in metres; a guess.
    pub distance_m: Option<f64>,
    pub present: bool,
    /// How often it is heard, in milliseconds, as it was learnt.
    pub interval_ms: Option<u64>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub freshness: FreshnessWord,
    pub adapter: String,
    pub packets: u64,
    pub connectable: Option<bool>,
    pub profile: Option<ProfileView>,
    pub fields: Vec<FieldView>,
    pub seal: SealWord,
    /// The device of the configuration that it is, as `source/device`.
    pub added: Option<String>,
    pub ignored: bool,
    pub connected: bool,
    pub bonded: bool,
}

/// The profile that decodes an advertiser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileView {
    pub id: String,
    pub title: String,
}

/// Whether a device comes when it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FreshnessWord {
    /// Too little is known yet.
    Learning,
    OnTime,
    Late,
    Silent,
    /// It sends only when something happens.
    Sleeping,
}

/// Whether a device's data can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SealWord {
    Open,
    /// It is encrypted, and there is no key.
    NeedsKey,
    /// It is encrypted, and the key does not fit.
    WrongKey,
    /// It is encrypted, and the key fits.
    Opened,
}

/// One decoded value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldView {
    pub id: String,
    /// As a person reads it, at most 200 characters.
    pub text: String,
    /// As it goes upstream.
    pub value: Json,
    /// UCUM code.
    pub unit: Option<String>,
    /// Something happened, such as a button that was pressed.
    pub event: bool,
}

/// One advertiser, by its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeardAt {
    pub address: String,
}

/// One advertiser with everything that is kept of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeardPage {
    pub heard: HeardView,
    /// Its entry in the settings: as it stands there, or as it would.
    pub settings: Json,
    /// The last packets, the last one first.
    pub packets: Vec<PacketView>,
    pub trial: Option<KeyTrialView>,
    /// Values that came while looking around, the last one first.
    pub notified: Vec<GattValueView>,
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PacketView {
    pub at: Timestamp,
    pub rssi: Option<i16>,
    pub parts: Vec<PacketPartView>,
    /// What it was decoded to, or why not.
    pub words: String,
}

/// The data of one company or service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PacketPartView {
    /// Whose it is.
    pub title: String,
    /// Without separators, lower case.
    pub hex: String,
}

/// A key to be tried on the next packets of a device; it is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyDraft {
    pub address: String,
    /// As the maker's app shows it.
    pub key: String,
}

/// How a key does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyTrialView {
    pub tried: u32,
    /// Of these, how many it opened.
    pub opened: u32,
    /// `3 of 3 packets decrypted`.
    pub words: String,
}

/// What a device has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GattView {
    pub services: Vec<GattServiceView>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GattServiceView {
    pub uuid: String,
    /// By the Bluetooth SIG's tables.
    pub name: Option<String>,
    pub characteristics: Vec<GattCharacteristicView>,
}

/// A characteristic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GattCharacteristicView {
    pub uuid: String,
    pub name: Option<String>,
    /// `read`, `write`, `write without response`, `notify`, `indicate`.
    pub properties: Vec<String>,
    /// What it looks like as a point in the settings of its device.
    pub settings: Json,
}

/// One characteristic of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CharacteristicAt {
    pub address: String,
    pub service: String,
    pub characteristic: String,
}

/// Whether a characteristic tells its value by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NotifyDraft {
    pub at: CharacteristicAt,
    pub on: bool,
}

/// A characteristic's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GattValueView {
    pub characteristic: CharacteristicAt,
    pub at: Timestamp,
    pub hex: String,
    /// What it means, where its format is known.
    pub fields: Vec<FieldView>,
    /// Why it means nothing, where its format is known and does not fit.
    pub trouble: Option<String>,
}

/// What a device wants to know while it pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PairingQuestion {
    pub id: u64,
    pub address: String,
    pub name: Option<String>,
    pub wants: PairingWants,
    /// Six digits, for `compare` and `show`.
    pub number: Option<String>,
    /// It gives up then.
    pub until: Timestamp,
}

/// What it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PairingWants {
    /// The number on its display or label.
    Passkey,
    /// Whether it shows this number.
    Compare,
    /// Whether it may pair.
    Allow,
    /// This number has to be typed at the device.
    Show,
}

/// An answer to a device that pairs: yes or no, or the number on its display.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PairingAnswer {
    /// Which question.
    pub prompt: u64,
    pub yes: bool,
    /// At most 999999; only where the question is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<u32>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScanDone {
    pub words: String,
}

/// What is to be captured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CaptureDraft {
    /// One device; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// For how long: 1 to 600.
    pub seconds: u32,
}

/// Which capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CaptureAt {
    pub id: u64,
}

/// A capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CaptureView {
    pub id: u64,
    /// Of one device; none: of all.
    pub address: Option<String>,
    pub since: Timestamp,
    pub until: Timestamp,
    pub packets: u64,
    pub running: bool,
}

/// What people read off a device's display, and the packets of these moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LessonDraft {
    pub address: String,
    pub examples: Vec<LessonExampleView>,
}

/// One moment: a part of a packet, and what the display showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LessonExampleView {
    /// One of the parts of the packet, by its title.
    pub part: String,
    pub hex: String,
    pub shown: f64,
}

/// A way to read that number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposalView {
    pub part: String,
    /// The byte at which it begins.
    pub at: u64,
    /// As profiles write it, `i16le`.
    pub data_type: String,
    pub scale: f64,
    pub offset: f64,
    /// In words, with what speaks for it and against it.
    pub words: String,
    /// What it reads in each example.
    pub reads: Vec<f64>,
    /// From 0 to 1.
    pub likelihood: f64,
}

/// What becomes a profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TaughtDraft {
    pub address: String,
    /// What such devices are called.
    pub title: String,
    pub points: Vec<TaughtPointDraft>,
}

/// One point of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TaughtPointDraft {
    pub id: String,
    /// UCUM code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    pub proposal: ProposalView,
    pub examples: Vec<LessonExampleView>,
}

/// Devices that shall belong to the source, in one change of its configuration. Those that belong to it already are changed
/// where the draft says something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddDraft {
    pub devices: Vec<AddDevice>,
    /// What devices are called that have no name in this draft: `{vendor}`, `{name}`, `{model}` and `{mac4}`, the end of the
    /// address, are filled in. Left out: how they call themselves, and the end of their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddDevice {
    pub address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the profile that decodes it; left out: the first that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The key of its encrypted advertisements. It is kept as a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Characteristics to be read, as in the settings; those of the same UUIDs are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub characteristics: Vec<Json>,
}

/// What was written, and whether what the devices say goes anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddDone {
    pub saved: Saved,
    /// The devices, as `source/device`.
    pub devices: Vec<String>,
    /// The routes that take something of all of them.
    pub routes: Vec<String>,
    /// When there is none: what a route would have to take.
    pub from: Option<String>,
    /// When there is none: where it could lead.
    pub destinations: Vec<String>,
}

/// What the source ignores from now on, and what no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IgnoreDraft {
    /// Addresses, or `vendor:` with a part of a maker's name.
    #[serde(default)]
    pub add: Vec<String>,
    #[serde(default)]
    pub remove: Vec<String>,
}

// === impl FieldView ===

impl FieldView {
    /// Its number, where it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.value.as_f64()
    }
}

// === impl FreshnessWord ===

impl FreshnessWord {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning its pace",
            Self::OnTime => "on time",
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Sleeping => "sleeping",
        }
    }
}
