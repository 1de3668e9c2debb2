//! Configuration over the wire: what kinds there are, drafts of items, tests, revisions.

use std::collections::BTreeMap;

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Everything that can be configured, each with the schema its form is drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kinds {
    pub sources: Vec<Kind>,
    pub destinations: Vec<Kind>,
    /// Routes are all of one kind.
    pub routes: Kind,
    /// Rules are all of one kind, too.
    pub rules: Kind,
}

/// One kind of thing that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kind {
    pub kind: String,
    pub title: String,
    pub about: String,
    /// JSON Schema (2020-12) of the settings. `x-secret` marks an object that holds a secret.
    pub schema: Json,
    /// What a person types to look for one, with an example; none where nothing can be looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovers: Option<String>,
    /// The TCP ports at which a search looks for one; none where a network cannot be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searches: Option<Vec<u16>>,
    /// Whether one can look around at its far side.
    #[serde(default)]
    pub explores: bool,
    /// Whether it listens to a radio, and can be asked who is near.
    #[serde(default)]
    pub scans: bool,
    /// Whether it is a camera, and can be watched.
    #[serde(default)]
    pub shows: bool,
}

/// A source, destination, route or rule as configured, or as someone wants it to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// `opcua`, `mqtt`, …; `route` for a route, `rule` for a rule.
    pub kind: String,
    #[serde(default)]
    pub paused: bool,
    /// By the kind's schema. A secret is sent as `{ "typed": "…" }` once; it comes back as `{ "secret": "name" }`, never in clear.
    pub settings: Json,
}

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    pub layer: Layer,
    /// `/etc/fieldgate/conf.d/10-site.toml:12`, `FIELDGATE__SOURCE__press__ENDPOINT`, `--listen`, `revision 7`.
    pub place: String,
}

/// The layers of the configuration, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    BuiltIn,
    /// The demonstration devices of `--demo`.
    Demo,
    Console,
    File,
    Environment,
    CommandLine,
}

/// A configured item with the provenance of its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Item {
    pub id: String,
    pub draft: Draft,
    /// True when the console made it, so that the console can remove it.
    pub removable: bool,
    /// Values that the console cannot change, by their dotted path (`endpoint`, `security.mode`), and where they are fixed.
    pub locked: BTreeMap<String, Origin>,
    /// Where the item stands.
    pub origin: Origin,
}

/// A change was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Saved {
    pub revision: u64,
    /// A unified diff of the console's configuration, without secrets.
    pub diff: String,
}

/// A test of settings, rung by rung; nothing was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestReport {
    pub ok: bool,
    pub rungs: Vec<TestRung>,
}

/// One step on the way to the far side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestRung {
    pub name: String,
    pub ok: bool,
    /// What was found, or what is wrong and what to do.
    pub words: String,
    pub took_ms: u64,
}

/// What a route would do with what is live right now; nothing was saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RouteTest {
    /// How many points its patterns match.
    pub matches: u64,
    /// Up to ten of them, with their last reading before and after the steps.
    pub samples: Vec<RouteSample>,
}

/// One reading on its way through a route's steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RouteSample {
    pub point: String,
    pub before: String,
    /// What comes out: `point = value unit`; empty when the steps let nothing through.
    pub after: Vec<String>,
    /// Where it would go, in the destination's words.
    pub address: Option<String>,
}

/// One revision of what the console configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Revision {
    pub number: u64,
    pub at: Timestamp,
    /// Who made it; `console` until there are accounts.
    pub who: String,
    /// What was done, as a sentence: `add source press`.
    pub what: String,
    pub current: bool,
}

/// A revision's text, and how it differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevisionDetail {
    pub revision: Revision,
    pub toml: String,
    pub diff: String,
}

/// The whole configuration in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigView {
    /// The console's revision in force; 0 when the console never changed anything.
    pub revision: u64,
    /// The files that were read, in order of precedence, the weakest first.
    pub files: Vec<String>,
    /// The effective configuration as TOML; secrets are references only.
    pub effective: String,
    /// When a reload was refused: what is wrong with the files on disk. The last good configuration stays in force.
    pub problems: Vec<crate::trouble::ConfigProblem>,
}
