//! `Discovered`: what answered at an address and could be a source, with each way to it as settings that are ready to be saved.

use serde_json::Value as Json;

/// Something that answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovered {
    /// As it calls itself.
    pub title: String,
    /// What stays the same when its address changes.
    pub identity: String,
    /// What it is, as its maker says; empty when it does not tell.
    pub product: String,
    /// The ways to it, the best first.
    pub ways: Vec<Way>,
}

/// One way to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Where it is, in the protocol's own words.
    pub address: String,
    /// What distinguishes it from the others, for instance how it is protected.
    pub words: String,
    /// What a person still has to give, for instance a user name and a password; none when nothing is missing.
    pub needs: Option<String>,
    /// Settings of a source.
    pub settings: Json,
}
