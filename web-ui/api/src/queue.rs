//! What can be done to the queue: emptied for a destination, and delivered readings sent once more.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Empties the queue of a destination: what it has not delivered counts as evicted, purged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Purge {
    pub destination: String,
    /// The destination's id once more, typed by a person: there is no undo.
    pub confirm: String,
}

/// What a purge did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Purged {
    pub readings: u64,
    pub words: String,
}

/// A line of a check under way: how far it is in a lane, and at the lane's end what it found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckLine {
    /// `normal`, `critical` or `dead`.
    pub lane: String,
    /// Records read so far.
    pub read: u64,
    /// Records that the lane had at the beginning.
    pub of: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<LaneCheck>,
}

/// What a check found in a lane.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LaneCheck {
    pub lane: String,
    pub generations: u64,
    pub records: u64,
    /// Payloads in files of their own; each was read and its SHA-256 compared.
    pub spooled: u64,
    /// Records that cannot be read.
    pub lost: u64,
    /// Empty when all is well.
    pub findings: Vec<CheckFinding>,
    /// Findings beyond those.
    pub more_findings: u64,
    /// Accepted less pending and all exits, over all routes: 0, or there is a defect.
    pub unaccounted: i64,
    pub seconds: f64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckFinding {
    pub place: String,
    pub what: String,
    /// Records that it costs.
    pub lost: u64,
    pub advice: String,
}

/// Readings that are to be sent once more. Those that the queue still has are sent under the ids that they always had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReplayDraft {
    /// Who gets them.
    pub destination: String,
    /// Whose readings they are: those of the routes to this destination; the one that gets them when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// `normal` or `critical`; normal when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Accepted at or after this moment.
    pub from: Timestamp,
    /// And not later than this one.
    pub to: Timestamp,
    /// At most so many readings a second; 0 is as fast as what is new leaves room for.
    pub rate: u32,
}

/// What a replay would send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplayPreview {
    /// About.
    pub readings: u64,
    pub bytes: u64,
    /// At the rate that was asked for; none without one.
    pub seconds: Option<f64>,
    pub words: String,
}

/// A replay and how far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplayView {
    pub id: String,
    pub lane: String,
    pub destination: String,
    /// `running`, `finished` or `stopped`.
    pub state: String,
    pub rate: u32,
    pub first_seq: u64,
    pub last_seq: u64,
    /// Everything up to here is done with.
    pub through_seq: u64,
    pub accepted: u64,
    pub acked: u64,
    pub pending: u64,
    pub expired: u64,
    pub evicted: u64,
    pub dead_lettered: u64,
    pub lost_detected: u64,
    /// accepted less all the others: zero, always.
    pub unaccounted: i64,
}
