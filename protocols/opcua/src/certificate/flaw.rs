//! What is wrong with a server's certificate, each with its own words and remedy.

use std::net::IpAddr;

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Facts, moment};

/// One thing that is wrong. A person may accept a certificate with its flaws; later ones are told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flaw {
    Expired,
    NotYetValid,
    /// It names another application than the server says that it is.
    Application,
    /// It does not name the host that was dialled.
    Host,
    /// Its key is no RSA key, or one that is too short.
    Key,
    /// Signed by means of MD5 or SHA-1.
    Signature,
}

/// How the certificate was met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Host or address, as it was dialled.
    pub host: &'a str,
    /// The application that the server says that it is.
    pub application: &'a str,
    /// An old policy asks for less.
    pub weak_policy: bool,
    pub now: Timestamp,
}

/// Everything that is wrong with it.
pub(crate) fn flaws(facts: &Facts, seen: Seen<'_>) -> Vec<Flaw> {
    let shown = &facts.shown;
    let mut flaws = Vec::new();
    if seen.now > shown.not_after {
        flaws.push(Flaw::Expired);
    }
    if seen.now < shown.not_before {
        flaws.push(Flaw::NotYetValid);
    }
    if !facts.uris.iter().any(|uri| uri == seen.application) {
        flaws.push(Flaw::Application);
    }
    if !names(facts, seen.host) {
        flaws.push(Flaw::Host);
    }
    let least = if seen.weak_policy { 1024 } else { 2048 };
    if facts.key_bits.is_none_or(|bits| bits < least) {
        flaws.push(Flaw::Key);
    }
    let old = ["MD5", "SHA-1 "];
    if !seen.weak_policy && old.iter().any(|word| shown.signature.starts_with(word)) {
        flaws.push(Flaw::Signature);
    }
    flaws
}

/// Whether it names the host that was dialled. Who dials this machine itself cannot be led to another one, and tunnels end here.
fn names(facts: &Facts, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    let loopback = match address {
        Some(address) => address.is_loopback(),
        None => host.eq_ignore_ascii_case("localhost"),
    };
    loopback
        // Many tools write addresses as names.
        || facts.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
        || address.is_some_and(|address| facts.addresses.contains(&address))
}

// === impl Flaw ===

impl Flaw {
    /// What is wrong, and what helps.
    pub(crate) fn words(self, facts: &Facts, seen: Seen<'_>) -> String {
        let shown = &facts.shown;
        match self {
            Self::Expired => format!(
                "it has expired on {} (here it is {}): renew it on the server, or compare the clocks",
                moment(shown.not_after),
                moment(seen.now)
            ),
            Self::NotYetValid => format!(
                "it is not yet valid, but from {} on (here it is {}): compare the clocks of the server and of this gateway",
                moment(shown.not_before),
                moment(seen.now)
            ),
            Self::Application => format!(
                "it is for the application {}, and the server says that it is `{}`: give the server a certificate of its own",
                listed(facts.uris.iter().map(|uri| format!("`{uri}`")).collect()),
                seen.application.escape_debug()
            ),
            Self::Host => {
                let mut known = facts.hosts.clone();
                known.extend(facts.addresses.iter().map(ToString::to_string));
                format!(
                    "it is for the host {}, not for `{}`: dial it by that name in `endpoint`, or give the server a certificate with this one",
                    listed(known),
                    seen.host.escape_debug()
                )
            }
            Self::Key => format!(
                "its key ({}) is too weak or of a kind that is not spoken here: give the server one of RSA with 2048 bits or more",
                shown.key
            ),
            Self::Signature => format!(
                "it is signed with {}, which can be forged: give the server a certificate that is signed with SHA-256",
                shown.signature
            ),
        }
    }
}

fn listed(names: Vec<String>) -> String {
    match names.as_slice() {
        [] => "nobody (it names none)".to_owned(),
        names => names.join(", "),
    }
}
