//! What is going on: overview, sources, devices, points, routes, destinations, queues, the ledger.

use std::collections::BTreeMap;

use fieldgate_model::{Outcome, QualityLevel, Range, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::Item;

/// How something is, for a colour and an icon beside the sentence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// On its way, or not asked to do anything.
    #[default]
    Idle,
    /// We cope; look when you have time.
    Warning,
    /// Something does not work; a person is needed.
    Bad,
}

/// A sentence about something: subject, state, since when, what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    pub level: Level,
    /// One word or two: `running`, `connecting`, `waiting to retry`, `refused`, `paused`, `stopped`.
    pub state: String,
    /// The sentence.
    pub words: String,
    pub since: Option<Timestamp>,
    /// When the next attempt starts, if one is waited for.
    pub retry_at: Option<Timestamp>,
    /// Attempts since it last was healthy.
    pub attempts: u64,
}

/// Is data flowing?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Overview {
    pub gateway: String,
    pub version: String,
    pub started: Timestamp,
    pub now: Timestamp,
    /// The configuration revision in force.
    pub revision: u64,
    pub verdict: Status,
    /// Certificates that wait for a person to decide on them.
    #[serde(default)]
    pub trust_waiting: u64,
    pub sources: Vec<FlowNode>,
    pub routes: Vec<FlowNode>,
    pub queue: FlowNode,
    pub destinations: Vec<FlowNode>,
    pub ledger: Ledger,
    /// Percent of one processor core over the last seconds, and resident memory in bytes.
    pub cpu_percent: f64,
    pub rss_bytes: u64,
}

/// One box of the strip sources → routes → queue → destinations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowNode {
    pub id: String,
    pub title: String,
    pub status: Status,
    /// Readings a second over the last seconds.
    pub rate_in: f64,
    pub rate_out: f64,
    /// What it is connected to further down: a route names its destination, a source the routes that take from it.
    pub to: Vec<String>,
}

/// The balance: accepted = acked + pending + expired + evicted + dead_lettered + lost_detected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ledger {
    pub rows: Vec<LedgerRow>,
    pub total: LedgerSum,
    /// Readings that did not become accepted, by reason (`no_route`, `deadband`, …), since the start.
    pub dropped_before: BTreeMap<String, u64>,
}

/// One route in one lane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerRow {
    /// `normal` or `critical`.
    pub lane: String,
    pub route: String,
    pub destination: String,
    pub sum: LedgerSum,
}

/// Counts of readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerSum {
    pub accepted: u64,
    pub acked: u64,
    pub pending: u64,
    pub expired: u64,
    pub evicted: u64,
    /// The same by reason.
    pub evicted_by: EvictedBy,
    pub dead_lettered: u64,
    pub lost_detected: u64,
    /// accepted less all the others: zero, always.
    pub unaccounted: i64,
}

/// Why readings left by the queue's own decision, without having been acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvictedBy {
    /// The lane was full, and the oldest made room.
    pub full: u64,
    /// The lane filled up, and these are told by fewer.
    pub thinned: u64,
    /// A person emptied the queue of their destination.
    pub purged: u64,
    /// Their destination was removed.
    pub removed: u64,
}

impl EvictedBy {
    /// Each reason's count by both.
    #[must_use]
    pub fn with(self, other: Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            full: both(self.full, other.full),
            thinned: both(self.thinned, other.thinned),
            purged: both(self.purged, other.purged),
            removed: both(self.removed, other.removed),
        }
    }
}

/// A source and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceView {
    pub item: Item,
    pub status: Status,
    pub devices: u64,
    pub points: u64,
    /// Points from which no value comes.
    pub points_with_problems: u64,
    pub rate: f64,
    pub readings_total: u64,
}

/// A destination and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DestinationView {
    pub item: Item,
    pub status: Status,
    pub acked_total: u64,
    pub rate: f64,
    pub pending: u64,
    pub in_flight: u64,
    pub last_ack: Option<Timestamp>,
    /// From sending a batch to its acknowledgement, the median of the last ones.
    pub ack_ms: Option<f64>,
    /// Milliseconds from the source's timestamp to the acknowledgement: half of the last readings took at most this, and 99 of 100.
    pub delay_ms_p50: Option<f64>,
    pub delay_ms_p99: Option<f64>,
    pub dead_letters: u64,
    /// Refused readings by the far side's own words.
    pub rejected: BTreeMap<String, u64>,
    /// How often the far side asked for less, by its own words.
    pub throttled: BTreeMap<String, u64>,
    /// Readings that were sent again after a refusal.
    pub tried_again: u64,
    /// Readings that the far side took while nobody was there to receive them.
    pub unheard: u64,
    /// What others may tell devices through it; none when its settings take no commands.
    pub commands: Option<DestinationCommands>,
}

/// The commands that come by a destination, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DestinationCommands {
    /// Where they are taken, in the far side's words, for instance a topic.
    pub address: String,
    /// All that came, repetitions included.
    pub received: u64,
    /// How they ended, by outcome.
    pub ended: BTreeMap<String, u64>,
    /// Those that were not carried out, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Repetitions, which were answered and not carried out again.
    pub repeated: u64,
    /// Answers that the far side did not take.
    pub answers_lost: u64,
}

/// A route and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RouteView {
    pub item: Item,
    pub status: Status,
    /// How many points its patterns match today.
    pub matches: u64,
    pub rate_in: f64,
    pub rate_out: f64,
    pub in_total: u64,
    pub out_total: u64,
    /// What its steps held back, by reason, since the start.
    pub dropped: BTreeMap<String, u64>,
}

/// A rule and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleView {
    pub item: Item,
    pub status: Status,
    /// How many points it watches today.
    pub watches: u64,
    /// Commands that it gave, since the start.
    pub fired: u64,
    /// When it fired last, and the point that made it.
    pub last_fired: Option<Timestamp>,
    pub last_point: Option<String>,
    /// What became of its last command that ended, with the words of who carried it out or refused it.
    pub last_outcome: Option<Outcome>,
    pub last_words: Option<String>,
    /// It does not fire before this; none when it does not rest.
    pub rests_until: Option<Timestamp>,
    /// How its commands ended, by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Readings that gave no command, by reason: `resting`, `under_way`, `full`, `not_a_number`, `no_field`, `bad_quality`.
    pub missed: BTreeMap<String, u64>,
}

/// A device in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceView {
    /// `source/device`.
    pub id: String,
    pub name: String,
    pub source: String,
    pub model: Option<String>,
    /// Where it is in its protocol's own words.
    pub address: String,
    pub points: u64,
    pub points_with_problems: u64,
    pub status: Status,
    pub last_seen: Option<Timestamp>,
    pub rate: f64,
    /// What its source knows of its pace and its signal; none where a source knows nothing of that.
    #[serde(default)]
    pub presence: Option<Presence>,
}

/// Whether a device comes when it should, as its source knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    pub freshness: crate::scanner::FreshnessWord,
    /// When it was last heard, whether or not that was a reading.
    pub heard: Option<Timestamp>,
    /// How often it usually sends, in milliseconds.
    pub interval_ms: Option<u64>,
    /// dBm.
    pub rssi: Option<f64>,
    /// Percent.
    pub battery: Option<f64>,
}

/// A device's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DevicePage {
    pub device: DeviceView,
    /// Where its readings go.
    pub addresses: Vec<DeviceAddress>,
    pub points: Vec<PointView>,
    /// Its source carries out commands where its settings allow some.
    pub takes_commands: bool,
    /// Alarms of it are watched.
    pub watches_alarms: bool,
}

/// Where a device's readings go, for one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceAddress {
    pub route: String,
    pub destination: String,
    /// In the destination's own words, for instance an MQTT topic.
    pub address: String,
}

/// A point with its last value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PointView {
    /// `source/device/point`.
    pub id: String,
    pub name: String,
    pub unit: Option<String>,
    /// What is usual, in the point's unit.
    pub range: Option<Range>,
    /// What it is, in the device's words.
    pub description: Option<String>,
    pub data_type: Option<String>,
    pub address: String,
    pub remark: Option<String>,
    /// Why no value comes from it.
    pub problem: Option<String>,
    pub live: Option<LiveValue>,
    /// Milliseconds since 1970 and the number, the oldest first, at most 120; empty for what is no number. Gaps are left as gaps.
    pub history: Vec<(i64, f64)>,
    /// Readings since the start.
    pub count: u64,
}

/// The last value of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveValue {
    /// `source/device/point`.
    pub point: String,
    /// As it goes upstream.
    pub value: Json,
    /// As a person reads it, at most 200 characters.
    pub text: String,
    pub unit: Option<String>,
    pub quality: QualityLevel,
    pub why: Option<String>,
    /// By the source's clock.
    pub at: Timestamp,
    /// By the gateway's clock.
    pub seen: Timestamp,
}

/// The queue: its lanes, and who still has to read what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueView {
    pub status: Status,
    pub lanes: Vec<LaneView>,
    pub backlogs: Vec<Backlog>,
    pub ledger: Ledger,
    /// Free bytes on the queue's disk.
    pub disk_free_bytes: u64,
    /// The longest time without a connection after which a destination came back.
    pub longest_outage: Option<RiddenOut>,
}

/// A time without a connection that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RiddenOut {
    pub destination: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// A time without a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutageView {
    pub from: Timestamp,
    /// None while it lasts.
    pub to: Option<Timestamp>,
    /// Why, in the words of its end.
    pub words: String,
}

/// One lane on the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LaneView {
    /// `normal`, `critical` or `dead`.
    pub lane: String,
    pub records: u64,
    pub payload_bytes: u64,
    /// Bytes really on the disk.
    pub disk_bytes: u64,
    pub max_bytes: u64,
    pub on_full: String,
    pub generations: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    pub oldest: Option<Timestamp>,
    pub commits: u64,
    /// Milliseconds of the last commit, written and synced.
    pub last_commit_ms: f64,
    /// Seconds until it is full at the rate of the last hour; none when it is not filling.
    pub full_in_s: Option<f64>,
    /// Why the disk does not take what it should, and what to do; none while all is well.
    pub trouble: Option<String>,
    /// Bytes of readings that are only in memory, because the disk refuses them for now.
    pub in_memory_bytes: u64,
}

/// What a destination still has to deliver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Backlog {
    pub destination: String,
    pub pending: u64,
    pub pending_bytes: u64,
    pub in_flight: u64,
    pub oldest: Option<Timestamp>,
    pub rate_in: f64,
    pub rate_out: f64,
    /// Seconds until it has caught up at today's rates; none when it is not catching up.
    pub drain_s: Option<f64>,
    /// Times without a connection since the start of the gateway, the newest first, at most 50.
    pub outages: Vec<OutageView>,
}

/// Alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alive {
    pub status: String,
    pub version: String,
}

/// Ready: the configuration is loaded and the queue is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ready {
    pub ready: bool,
    pub words: String,
}
