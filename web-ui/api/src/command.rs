//! Commands: what can be done to devices, what was done, and by whom.

use fieldgate_model::{ActionKind, Outcome, Parameter, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What is to be done to the point or method of the path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CommandDraft {
    /// The asker's own name for it: the same one a second time is answered, and not carried out again. Left out: made up.
    #[serde(default)]
    pub id: Option<String>,
    /// `read`, `write`, `call`; of an alarm `acknowledge`, `confirm`, `comment`.
    pub action: String,
    /// What is written.
    #[serde(default)]
    pub value: Option<Json>,
    /// What is called with: a list in the method's order, or an object by the arguments' names.
    #[serde(default)]
    pub arguments: Option<Json>,
    /// What is said about an alarm.
    #[serde(default)]
    pub comment: Option<String>,
    /// The event of the alarm that was looked at, so that no other state of it is meant. Left out: the one there is.
    #[serde(default)]
    pub event: Option<String>,
    /// When it was asked for; left out: now.
    #[serde(default)]
    pub issued: Option<Timestamp>,
    /// Seconds after which it is no longer begun, 3600 at most; left out: 30.
    #[serde(default)]
    pub ttl_s: Option<u32>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandAnswer {
    pub outcome: Outcome,
    /// What was done; or what was not, why, and what to do.
    pub words: String,
    /// The far side's own name for how it went.
    pub status: Option<String>,
    /// What was read or written, or what a method yielded by the names of its outputs.
    pub value: Option<Json>,
    /// The value before a write, where it can be read.
    pub old: Option<Json>,
}

/// A command in the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandView {
    pub id: String,
    pub at: Timestamp,
    /// Who asked: `console`, `command line`.
    pub who: String,
    /// `source/device/point`.
    pub target: String,
    pub action: String,
    /// The value or the arguments; null for none.
    pub value: Json,
    /// None while it is under way, or when the gateway was stopped meanwhile.
    pub ended: Option<Timestamp>,
    pub answer: Option<CommandAnswer>,
}

/// What is asked of the record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CommandQuery {
    /// Only those of this `source/device`.
    #[serde(default)]
    pub device: Option<String>,
    /// At most so many; left out: 50.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Which node of a source's far side is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeQuery {
    /// Its address, as looking around tells it.
    pub address: String,
}

/// What a source makes of a node of its far side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeOffers {
    /// The points that the source reads there: `source/device/point`.
    pub points: Vec<String>,
    /// What may be done to it by commands; a method that several objects share is offered at each.
    pub offers: Vec<OfferView>,
}

/// What can be asked of a point or method; what is not offered is not allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfferView {
    /// `source/device/point`.
    pub target: String,
    pub name: String,
    pub address: String,
    pub allow: Vec<ActionKind>,
    pub data_type: Option<String>,
    pub inputs: Vec<Parameter>,
    pub outputs: Vec<Parameter>,
}
