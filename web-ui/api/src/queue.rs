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
