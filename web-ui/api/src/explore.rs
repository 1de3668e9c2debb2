//! Looking around at a source's far side over the wire: children, attributes, search, what a selection would mean.

use fieldgate_model::{ActionKind, QualityLevel, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::Draft;

/// Where to look around: at a configured source, or with settings that nobody has saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreAt {
    /// A configured source. Its own session answers while it runs; else one is opened, and closed after a minute of silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Settings that are not saved; with `source`, changed settings of that source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Draft>,
}

/// Where one is, and what the far side says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreAbout {
    /// A sentence: who is asked, signed in as whom, in whose session.
    pub words: String,
    /// The running source's own session answers.
    pub shared: bool,
    /// What the far side says of its limits.
    pub facts: Vec<ExploreFact>,
    /// Models of devices that it speaks, each with the rule that takes what is known of it.
    #[serde(default)]
    pub offers: Vec<ExploreOffer>,
}

/// A rule that suits a far side, since it speaks a model that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreOffer {
    /// What the model is called.
    pub title: String,
    /// What the rule takes, in a few words.
    pub about: String,
    /// A rule of the selection.
    pub rule: Json,
}

/// A fact with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreFact {
    pub name: String,
    pub text: String,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExploreKind {
    /// Holds others.
    Object,
    /// Has a value.
    Variable,
    /// Has a value that describes its parent.
    Property,
    /// Can be called.
    Method,
}

/// A node on the far side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreNode {
    /// Its address: `nsu=urn:plant;s=Temp`.
    pub address: String,
    /// The way to it, as a rule of `select` writes it: `Objects/Line/Temp`; empty when no rule can name it so.
    pub path: String,
    /// Its name for people.
    pub name: String,
    pub kind: ExploreKind,
    /// What it is an instance of; empty when unknown.
    pub type_name: String,
    /// There may be something below it that can be selected.
    pub branch: bool,
}

/// What is below a node?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreChildren {
    pub at: ExploreAt,
    /// The node's address; empty for where everything begins.
    #[serde(default)]
    pub node: String,
    /// The way to it, as it was told.
    #[serde(default)]
    pub path: String,
    /// The mark of the page before, for the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
}

/// A page of children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplorePage {
    pub nodes: Vec<ExploreNode>,
    /// The mark for the next page; none when this was the last one.
    pub more: Option<String>,
    /// Why there is nothing, and what could be done.
    pub words: Option<String>,
}

/// What is known of a node?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreLook {
    pub at: ExploreAt,
    /// The node's address; empty for where everything begins.
    #[serde(default)]
    pub node: String,
    /// The way by which it was found, as it was told; left out: looked up.
    #[serde(default)]
    pub path: String,
}

/// What people could do to a node, where its source's settings allow it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplorePermit {
    pub actions: Vec<ActionKind>,
    /// The rule of the setting `commands` that allows them at this node, and nowhere else.
    pub rule: Json,
    /// Why the far side would refuse some of it all the same.
    pub against: Option<String>,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreDetail {
    pub node: ExploreNode,
    pub description: String,
    /// None for what has no value.
    pub value: Option<ExploreValue>,
    pub unit: Option<String>,
    /// The range of its values, low and high.
    pub range: Option<[f64; 2]>,
    /// Everything else: data type, access, sampling interval.
    pub facts: Vec<ExploreFact>,
    /// The far side keeps what its value was, and lets it be read.
    #[serde(default)]
    pub history: bool,
    /// None for what nothing can be done to.
    #[serde(default)]
    pub permit: Option<ExplorePermit>,
}

/// A value as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreValue {
    /// As a person reads it, at most 200 characters.
    pub text: String,
    pub quality: QualityLevel,
    pub why: Option<String>,
    pub source_at: Option<Timestamp>,
    pub server_at: Option<Timestamp>,
}

/// What was a node's value?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreHistory {
    pub at: ExploreAt,
    pub node: String,
    /// How far back from now, in seconds.
    pub seconds: u32,
    /// At most so many values, the newest: 1 to 1000.
    pub most: u32,
}

/// What a node's value was, as far as the far side keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplorePast {
    /// The newest first.
    pub values: Vec<ExploreValue>,
    /// There are older ones in the time that was asked for.
    pub more: bool,
}

/// Which nodes have a text in their name or address?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreSearch {
    pub at: ExploreAt,
    /// Where to begin; empty for where everything begins.
    #[serde(default)]
    pub node: String,
    #[serde(default)]
    pub path: String,
    /// Part of a name, in any case, or a whole address.
    pub text: String,
    /// The mark of the answer before, to go on from there. Who does not go on has stopped the search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
}

/// How far a search came within two seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreFound {
    /// Found since the answer before.
    pub nodes: Vec<ExploreNode>,
    /// Nodes that were looked at so far.
    pub looked_at: u64,
    /// The mark to go on with; none when it is over.
    pub more: Option<String>,
    /// Why it ended before everything was looked at.
    pub cut: Option<String>,
}

/// What would rules mean?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreRules {
    pub at: ExploreAt,
    /// Rules as in the settings' `select`.
    pub select: Vec<Json>,
    /// Rules that are there already, to compare with.
    #[serde(default)]
    pub present: Vec<Json>,
}

/// What rules mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplorePreview {
    /// Points that the rules mean.
    pub points: u64,
    /// Of these, how many the present rules mean already.
    pub covered: u64,
    /// Points that the present rules mean.
    pub before: u64,
    /// The most values a second that the new points can give, by their sampling interval.
    pub at_most_per_s: f64,
    /// The first of the new points.
    pub first: Vec<String>,
    /// Why the rules mean less than they say.
    pub cut: Option<String>,
}

/// Which points of rules change, and how often?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExploreTest {
    pub at: ExploreAt,
    pub select: Vec<Json>,
    /// How long they are watched: 1 to 12.
    pub seconds: u32,
}

/// What was seen of points while they were watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreSample {
    pub seconds: f64,
    /// How it was looked at.
    pub words: String,
    /// Points that the rules mean; the first 500 of them were watched.
    pub points: u64,
    /// Those that were watched, the busiest first.
    pub watched: Vec<ExploreWatched>,
}

/// One point that was watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExploreWatched {
    pub point: String,
    /// How often it got another value.
    pub changes: u64,
    /// The last one; none when none came.
    pub last: Option<ExploreValue>,
    /// Why it cannot be read.
    pub trouble: Option<String>,
}
