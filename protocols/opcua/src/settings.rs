//! `Settings` of an OPC UA source, and what is wrong with them.

mod commands;
mod events;
mod follow;
mod history;
mod profile;
mod redundancy;
mod reverse;
mod security;
mod select;
mod wishes;

use std::time::Duration;

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

pub(crate) use self::events::fields as event_fields;
pub(crate) use self::wishes::{KeyFrames, Sampling};
pub use self::{
    commands::CommandRule,
    events::{AlarmDeed, EventRule, EventWhere},
    follow::NewNodes,
    history::{Fill, HistoryRule},
    profile::ProfileRule,
    redundancy::Redundancy,
    reverse::{Proof, Reverse},
    security::{Mode, Policy, Security, ServerTrust, User, UserCertificate},
    select::{NodeRule, PathRule, Select, TypeRule},
    wishes::{Asking, Deadband, Discard, Trigger, Wishes},
};

/// What an OPC UA source reads, and how it gets there.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The server's address, for instance `opc.tcp://192.168.0.10:4840`.
    pub endpoint: String,
    /// Other servers with the same values, best first, for instance `opc.tcp://192.168.0.11:4840`. The source is on the
    /// healthiest, and goes to another one when that is lost. Left out: none.
    #[serde(default)]
    pub alternates: Vec<String>,
    /// Which servers belong to a redundant set: `as_told` also takes the servers that the server itself names,
    /// `configured` only `alternates`.
    #[serde(default)]
    pub redundancy: Redundancy,
    /// The server connects to us instead of the other way round (reverse connect), for instance from behind a firewall;
    /// `endpoint` is how it calls itself. Left out: we connect to it.
    #[serde(default)]
    pub reverse: Option<Reverse>,
    /// How messages are signed and encrypted. Left out: the strongest that both sides offer, never none.
    #[serde(default)]
    pub security: Option<Security>,
    /// Who signs in, with a password. Left out: anonymous.
    #[serde(default)]
    pub user: Option<User>,
    /// Who signs in, with a certificate of the user instead of a password.
    #[serde(default)]
    pub user_certificate: Option<UserCertificate>,
    /// Which server is trusted: `trust_first` keeps the certificate of the first connection, `ask` waits for a person;
    /// both put every other one on the Trust page, where a person decides. Or the thumbprint (40 hexadecimal digits)
    /// of the only certificate to be trusted.
    #[serde(default)]
    pub server_certificate: ServerTrust,
    /// What is read: browse paths such as `Objects/Line/**`, and single nodes.
    pub select: Vec<Select>,
    /// Whose events and alarms are taken, and which. Left out: none.
    #[serde(default)]
    pub events: Vec<EventRule>,
    /// What is done about values that were missed while nobody was connected, where the server keeps history.
    #[serde(default)]
    pub history: HistoryRule,
    /// How values are asked for: `subscribe`, where the server itself looks and sends what changed, or `read`, every
    /// `sampling_ms`. A server that has no subscriptions is read in any case.
    #[serde(default)]
    pub mode: Asking,
    /// How often the server sends what changed, in milliseconds.
    #[serde(default = "default_publishing_ms")]
    #[schemars(range(min = 10, max = 3_600_000))]
    pub publishing_ms: u64,
    /// How often the server looks at each value, in milliseconds. Left out: once for each publishing.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3_600_000))]
    pub sampling_ms: Option<u64>,
    /// How many values the server keeps for each point between two publishings. Left out: ten times what fits
    /// in between, at least 10.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub queue_size: Option<u32>,
    /// What may be done to the server by commands, for each point or path. Left out: nothing.
    #[serde(default)]
    pub commands: Vec<CommandRule>,
    /// What counts as a change: another `status`, also another value (`status_value`), or also another source timestamp
    /// (`status_value_timestamp`).
    #[serde(default)]
    pub trigger: Trigger,
    /// Which value goes when the server's queue of a point is full: the `oldest` or the `newest`.
    #[serde(default)]
    pub discard: Discard,
    /// Changes that are not larger than this are left out: by the server where it can, otherwise by the gateway. Numbers only.
    #[serde(default)]
    pub deadband: Option<f64>,
    /// The same, in percent of each node's range (`EURange`).
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub deadband_percent: Option<f64>,
    /// After so many milliseconds without news a point's last value is sent again, with the time of that moment. Left
    /// out: never.
    #[serde(default)]
    #[schemars(range(min = 100, max = 86_400_000))]
    pub heartbeat_ms: Option<u64>,
    /// After so many milliseconds the last values of all points are sent again, together. Left out: never.
    #[serde(default)]
    #[schemars(range(min = 1_000, max = 86_400_000))]
    pub key_frame_ms: Option<u64>,
    /// The same after so many messages of the server. Left out: never.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub key_frame_messages: Option<u32>,
    /// What becomes of a node that is new where a path or a type of `select` looks: `take` reads it at once, `review` lets it
    /// wait until a person accepts or declines it.
    #[serde(default)]
    pub new_nodes: NewNodes,
    /// How often the server's nodes are looked at for what is new, gone or changed, in seconds. A server that tells
    /// its changes by itself is looked at soon after each, too.
    #[serde(default = "follow::default_rebrowse_s")]
    #[schemars(range(min = 10, max = 86_400))]
    pub rebrowse_s: u64,
}

fn default_publishing_ms() -> u64 {
    500
}

// === impl Settings ===

impl Settings {
    /// What the settings ask for that protects less than one thinks, in words.
    pub(crate) fn weakness(&self) -> Option<&'static str> {
        self.security.as_ref()?.policy.weakness()
    }

    /// Everything that is wrong and can be told without asking the server.
    pub(crate) fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(check_endpoint(&self.endpoint));
        problems.extend(redundancy::check(self));
        problems.extend(reverse::check(self));
        problems.extend(security::check(self));
        problems.extend(self.wishes().check(&[]));
        problems.extend(self.check_key_frames());
        problems.extend(events::check(self));
        problems.extend(self.history.check());
        problems.extend(follow::check(self));
        if self.select.is_empty() && self.events.is_empty() {
            problems.push(Problem::new(
                ["select"],
                "nothing is selected",
                "write for instance select = [\"Objects/**\"]",
            ));
        }
        for (at, select) in self.select.iter().enumerate() {
            problems.extend(select::check(&at.to_string(), select));
        }
        for (at, rule) in self.commands.iter().enumerate() {
            problems.extend(rule.check(&at.to_string()));
        }
        problems
    }

    fn check_key_frames(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(every) = self.key_frame_ms
            && !(1_000..=86_400_000).contains(&every)
        {
            problems.push(Problem::new(
                ["key_frame_ms"],
                format!("{every} is no interval of key frames"),
                "write milliseconds from 1000 to 86400000, or leave it out",
            ));
        }
        if self.key_frame_messages == Some(0) {
            problems.push(Problem::new(
                ["key_frame_messages"],
                "0 is no number of messages",
                "write 1 or more, or leave it out",
            ));
        }
        problems
    }

    /// When all last values are sent together.
    pub(crate) fn key_frames(&self) -> KeyFrames {
        KeyFrames {
            every: self.key_frame_ms.map(Duration::from_millis),
            messages: self.key_frame_messages,
        }
    }

    /// What the source says of all its points.
    pub(crate) fn wishes(&self) -> Wishes {
        Wishes {
            publishing_ms: Some(self.publishing_ms),
            sampling_ms: self.sampling_ms,
            queue_size: self.queue_size,
            trigger: Some(self.trigger),
            discard: Some(self.discard),
            deadband: self.deadband,
            deadband_percent: self.deadband_percent,
            heartbeat_ms: self.heartbeat_ms,
        }
    }
}

fn check_endpoint(endpoint: &str) -> Option<Problem> {
    let what = match Url::parse(endpoint) {
        Err(error) => format!("`{endpoint}` is no URL: {error}"),
        Ok(url) if url.scheme() != "opc.tcp" => {
            format!("`{}` is not a transport that is spoken here", url.scheme())
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => {
            format!("`{endpoint}` names no host")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "the URL holds a user name or a password".to_owned()
        }
        Ok(_) => return None,
    };
    Some(Problem::new(
        ["endpoint"],
        what,
        "write it like opc.tcp://192.168.0.10:4840; a user goes under `user`",
    ))
}

#[cfg(test)]
mod tests;
