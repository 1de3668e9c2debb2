//! Dead letters over the wire: readings that a destination refused for their own sake, and what can be done about them.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Which letters are listed; without a filter, all. It stands in the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeadQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// A destination's own words, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only letters older than this one; a page's `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many, 200 at most; 50 when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of letters, the newest first, and how many there are of each kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetters {
    pub shelf: DeadShelf,
    /// Letters by destination and reason, the largest group first. The filter does not change them.
    pub groups: Vec<DeadGroup>,
    /// How many match the filter.
    pub matching: u64,
    pub letters: Vec<DeadLetter>,
    /// Ask with `before` set to this for what comes after this page; none at the end.
    pub next: Option<u64>,
}

/// All that is kept, and where what is no longer kept went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadShelf {
    pub letters: u64,
    pub disk_bytes: u64,
    pub max_bytes: u64,
    /// Put back into the queue, since the queue was made.
    pub retried: u64,
    pub purged: u64,
    /// Made room for newer ones because the quota was used up.
    pub displaced: u64,
}

/// Letters that one destination refused in the same words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadGroup {
    pub destination: String,
    pub reason: String,
    pub letters: u64,
    pub first_refused_at: Timestamp,
    pub last_refused_at: Timestamp,
}

/// A reading that its destination refused for its own sake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetter {
    /// Its number on the shelf.
    pub id: u64,
    /// As at every attempt; a retry keeps it.
    pub message_id: String,
    pub destination: String,
    pub lane: String,
    /// The routes that it goes by.
    pub routes: Vec<String>,
    pub point: String,
    pub text: String,
    pub at: Timestamp,
    /// The destination's own words.
    pub why: String,
    pub first_refused_at: Timestamp,
    pub refused_at: Timestamp,
    /// How often it was refused: a retry that is refused again is the second time.
    pub attempts: u32,
}

/// One letter with all that is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetterPage {
    pub letter: DeadLetter,
    /// The reading as the gateway knows it; null when its bytes cannot be read.
    pub reading: Json,
    /// The record as it lay in its lane, in hexadecimal digits; at most 4 KiB of it.
    pub frame: String,
    pub frame_bytes: u64,
}

/// Which letters something is done to: those named, or those that match; `all` has to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeadChoice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// At most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u64>,
    #[serde(default)]
    pub all: bool,
    /// Only letters of these numbers: an answer's `next`, to go on where it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<DeadRange>,
}

/// Letters by their numbers on the shelf, both ends included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeadRange {
    pub first: u64,
    pub last: u64,
}

/// Letters to be thrown away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeadPurge {
    pub which: DeadChoice,
    /// The word `purge`, typed by a person: there is no undo.
    pub confirm: String,
}

/// What was done to letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadDone {
    pub done: u64,
    /// Letters that were chosen and are not done yet; ask again with `within` set to `next`.
    pub left: u64,
    /// Where they are; none when nothing is left. What is refused once more meanwhile is not among them.
    pub next: Option<DeadRange>,
    /// Letters that cannot be retried, because no route leads to their destination any more, or their bytes cannot be read.
    pub stuck: u64,
    pub words: String,
}
