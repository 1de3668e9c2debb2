//! The settings of a server that connects to us, and what is wrong with them.

use std::net::SocketAddr;

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Policy, Settings};

/// Where a server connects to us, and which one is let in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reverse {
    /// Where to listen, for instance `0.0.0.0:48400`. Several sources can share one.
    pub listen: String,
    /// The server's application URI. Left out: the server that says `endpoint` is let in.
    #[serde(default)]
    pub server_uri: Option<String>,
    /// What proves who it is: its `certificate`; or its `name` alone, which anybody who reaches the port can say as well, where
    /// the security policy is `None`.
    #[serde(default)]
    pub proof: Proof,
}

/// What proves who a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Its certificate.
    #[default]
    Certificate,
    /// What it says its name is: no proof at all.
    Name,
}

impl Reverse {
    /// Where to listen; `None` when that is no address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let address: SocketAddr = self.listen.parse().ok()?;
        (address.port() != 0).then_some(address)
    }
}

pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let Some(reverse) = &settings.reverse else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if reverse.address().is_none() {
        problems.push(Problem::new(
            ["reverse", "listen"],
            format!("`{}` is no address to listen at", reverse.listen),
            "write an address and a port, like 0.0.0.0:48400",
        ));
    }
    if reverse.server_uri.as_deref() == Some("") {
        problems.push(Problem::new(
            ["reverse", "server_uri"],
            "it is empty",
            "write the server's application URI, or leave it out",
        ));
    }
    let policy = settings.security.as_ref().map(|security| security.policy);
    if policy == Some(Policy::None) && reverse.proof == Proof::Certificate {
        problems.push(Problem::new(
            ["reverse", "proof"],
            "with the security policy None no certificate proves who connects: everybody who reaches the port and says the name passes for the server",
            "choose another security policy; or, where the network keeps everybody else away, write proof = \"name\" in `reverse`",
        ));
    }
    if !settings.alternates.is_empty() {
        problems.push(Problem::new(
            ["alternates"],
            "a server that connects by itself cannot have any",
            "leave out `alternates` or `reverse`",
        ));
    }
    problems
}
