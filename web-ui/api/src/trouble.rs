//! `Trouble`: what every failed request answers, as RFC 9457 `application/problem+json`.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trouble {
    /// The product's own code, language-neutral and stable: `FG-CONFIG`, `FG-NOT-FOUND`, `FG-CONFLICT`, `FG-LOCKED`,
    /// `FG-FORBIDDEN`, `FG-REQUEST`, `FG-UNAVAILABLE`, `FG-INTERNAL`.
    pub code: String,
    /// What is wrong, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, where, and what to do.
    pub detail: String,
    /// Each thing that is wrong with a configuration; empty for other troubles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ConfigProblem>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigProblem {
    /// `source press`, `destination plant-broker`, `route everything`, `gateway`, `queue`; empty for a whole file.
    pub item: String,
    /// The keys and list indices within the item's settings, as in `["security", "mode"]`.
    pub path: Vec<String>,
    pub what: String,
    pub remedy: String,
    /// `/etc/fieldgate/fieldgate.toml:12`, or `console`, `environment`, `command line`.
    pub origin: String,
}
