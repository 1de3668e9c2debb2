//! Discovery over the wire: what answered at an address, and the ways to it.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Where to look for sources of a kind. Only this address is asked, and only once a person wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiscoverDraft {
    /// `opcua`, …; one whose `discovers` is set.
    pub kind: String,
    /// A host, with or without a port, or a URL.
    pub address: String,
}

/// Something that answered and could be a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Found {
    /// As it calls itself.
    pub title: String,
    /// What stays the same when its address changes, for instance an OPC UA application URI.
    pub identity: String,
    /// What it is, as its maker says; empty when it does not tell.
    pub product: String,
    /// A short name that it could have here; empty when its title has none.
    pub id: String,
    /// The ways to it, the best first.
    pub ways: Vec<FoundWay>,
}

/// One way to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundWay {
    pub address: String,
    /// What distinguishes it, for instance how it is protected.
    pub words: String,
    /// What a person still has to give; none when nothing is missing.
    pub needs: Option<String>,
    /// Settings of a source, ready to be saved.
    pub settings: Json,
}
