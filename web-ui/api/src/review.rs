//! What a source found that is new at its far side, over the wire, and what a person decides about it.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

/// What waits for a person, and what was declined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewView {
    /// How the far side is followed, in a sentence; empty for a source that follows nothing.
    pub words: String,
    /// What is new waits for a person; otherwise it is taken at once.
    pub asks: bool,
    /// The source is connected, so that decisions are taken.
    pub open: bool,
    /// Another one for each other list of those that wait.
    pub version: String,
    /// How many wait, and how many were declined; the lists have the first 500 of each.
    pub waiting_total: u64,
    pub declined_total: u64,
    pub waiting: Vec<ReviewItem>,
    pub declined: Vec<ReviewItem>,
}

/// A point that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewItem {
    /// The id that it has, or would have: `source/device/point`.
    pub point: String,
    /// Where it is at the far side, in its protocol's words.
    pub address: String,
    /// In the protocol's words; none where it is unknown.
    pub data_type: Option<String>,
    /// When it was found, or declined.
    pub since: Timestamp,
}

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReviewAction {
    /// Read them from now on.
    Accept,
    /// Leave them out, until they are accepted.
    Decline,
    /// Look at the far side now.
    Look,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReviewDraft {
    pub action: ReviewAction,
    /// The ids of the points; left out: all that wait.
    #[serde(default)]
    pub points: Option<Vec<String>>,
    /// The version of the list that was looked at, needed where `points` is left out: what came since is not decided unseen.
    #[serde(default)]
    pub version: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewDone {
    pub words: String,
}
