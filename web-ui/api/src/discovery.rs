//! Discovery over the wire: what answered at an address, and the ways to it; searches where nobody knows the address.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Where to look for sources of a kind. Only the machine at this address is asked, and only once a person wants it.
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
    /// Where it says that it is.
    pub addresses: Vec<String>,
    /// The sources that lead to it already, by their ids.
    pub sources: Vec<String>,
    /// The ways to it, the best first.
    pub ways: Vec<FoundWay>,
    /// Why there is no way to it, and what to do; none when it answered.
    pub silent: Option<String>,
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

/// What is searched for, and where. Without a range, one question goes to everybody in the local network, by multicast DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SearchDraft {
    /// `opcua`, …; one whose `searches` is set.
    pub kind: String,
    /// Addresses that are asked one by one: `192.168.0.0/24`, `192.168.0.10-192.168.0.50`, `192.168.0.10-50` or a single one;
    /// at most 4096.
    #[serde(default)]
    pub range: Option<String>,
    /// TCP ports at each address, at most 8. Empty: the kind's usual ones.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// The range is the plant's own, although its addresses are public ones.
    #[serde(default)]
    pub public: bool,
}

/// What a search sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchScope {
    /// How many addresses are asked one by one; 0 for a question to everybody.
    pub addresses: u64,
    pub ports: Vec<u16>,
    /// How many TCP connections are tried, beyond those to who answers.
    pub connections: u64,
    /// How long it takes when nobody answers.
    pub seconds: u64,
    /// Some addresses are no private ones: it is refused unless `public` is set.
    pub public: bool,
    /// All of this, in sentences.
    pub words: String,
}

/// A search, while it runs and after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchView {
    pub id: String,
    pub kind: String,
    /// `Scan of 192.168.0.1 to 192.168.0.254`
    pub title: String,
    /// `running`, `done` or `stopped`.
    pub state: String,
    /// How many places were asked, of how many.
    pub done: u64,
    pub all: u64,
    /// What it sends, in sentences.
    pub words: String,
    pub found: Vec<Found>,
    /// Who was there and did not answer as one of the kind, and why.
    pub silent: Vec<String>,
}
