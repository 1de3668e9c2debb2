//! What a protocol says about finding its devices: what answered at an address, each way to it as settings that are ready
//! to be saved, and how its devices make themselves known in a local network.

mod range;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde_json::Value as Json;

pub use self::range::{MOST_ADDRESSES, Nature, Range};

/// Something that answered, or that one who answered knows of.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovered {
    /// As it calls itself.
    pub title: String,
    /// What stays the same when its address changes.
    pub identity: String,
    /// What it is, as its maker says; empty when it does not tell.
    pub product: String,
    /// Where it says that it is, in the protocol's own words.
    pub addresses: Vec<String>,
    /// The ways to it, the best first.
    pub ways: Vec<Way>,
    /// Why there is no way to it, and what to do; none when it answered.
    pub silent: Option<String>,
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

/// How a kind's devices are found where nobody knows their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearby {
    pub question: Question,
    /// The TCP ports that they usually listen at.
    pub ports: &'static [u16],
}

/// What everybody in the local network is asked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Who offers this service, by multicast DNS (RFC 6763, 7), for instance `_opcua-tcp._tcp`.
    Service(&'static str),
    /// The kind's own, [`Source::seek`](crate::Source::seek).
    Own {
        /// What it sends, as the end of "this sends …".
        words: &'static str,
        /// How long answers are waited for.
        lasts: Duration,
    },
}

/// What a device announces of itself in the local network (RFC 6763). All of it is claimed, nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The name of the instance, without its service.
    pub instance: String,
    /// The name of its machine.
    pub host: String,
    /// Where its machine is, the best to try first.
    pub addresses: Vec<IpAddr>,
    pub port: u16,
    /// The keys of its TXT record, in lower case.
    pub text: BTreeMap<String, String>,
}
