//! `Settings` of an OPC UA source, and what is wrong with them.

mod commands;
mod events;
mod history;
mod security;
mod select;
mod wishes;

use std::time::Duration;

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

pub(crate) use self::events::fields as event_fields;
pub(crate) use self::wishes::{KeyFrames, Sampling, Wishes};
pub use self::{
    commands::CommandRule,
    events::{AlarmDeed, EventRule, EventWhere},
    history::{Fill, HistoryRule},
    security::{Mode, Policy, Security, ServerTrust, User, UserCertificate},
    select::{NodeRule, PathRule, Select, TypeRule},
    wishes::{Asking, Deadband, Discard, Trigger},
};

/// What an OPC UA source reads, and how it gets there.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The server's address, for instance `opc.tcp://192.168.0.10:4840`.
    pub endpoint: String,
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
        problems.extend(security::check(self));
        problems.extend(self.wishes().check(&[]));
        problems.extend(self.check_key_frames());
        problems.extend(events::check(self));
        problems.extend(self.history.check());
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
mod tests {
    use fieldgate_kit::{SourceKind, settings::read};
    use serde_json::{Value as Json, json};

    use super::*;

    /// The paths of all problems, of reading and of checking.
    fn check(table: Json, expected: &[&str]) {
        let problems = match read::<Settings>(table.clone()) {
            Ok(settings) => settings.check(),
            Err(error) => error.0,
        };
        let mut paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
        paths.sort();
        assert_eq!(paths, expected, "{table}: {problems:?}");
    }

    fn with(extra: Json) -> Json {
        let mut table = json!({ "endpoint": "opc.tcp://h:4840", "select": ["Objects/**"] });
        let (Json::Object(table_map), Json::Object(extra)) = (&mut table, extra) else {
            panic!("two tables");
        };
        table_map.extend(extra);
        table
    }

    #[test]
    fn good_settings_have_no_problems() {
        check(with(json!({})), &[]);
        check(
            with(json!({
                "security": { "policy": "Basic256Sha256", "mode": "SignAndEncrypt" },
                "user": { "name": "operator", "password": { "file": "press.password" } },
                "server_certificate": "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
                "select": [
                    "Objects/Line/**",
                    { "node": "nsu=urn:plant;s=Temp", "point": "temperature", "sampling_ms": 100, "deadband": 0.1 },
                    { "path": "Objects/Line/*/Speed", "deadband_percent": 2.5, "trigger": "status_value_timestamp", "discard": "newest" },
                ],
                "heartbeat_ms": 10_000,
                "mode": "read",
            })),
            &[],
        );
        check(with(json!({ "security": { "policy": "None" } })), &[]);
    }

    #[test]
    fn every_problem_is_named_with_its_path() {
        check(
            with(json!({ "endpont": "x", "publishing_ms": "fast" })),
            &["endpont", "publishing_ms"],
        );
        for endpoint in ["nonsense", "http://h:4840", "opc.tcp://", "opc.tcp://u:p@h"] {
            check(with(json!({ "endpoint": endpoint })), &["endpoint"]);
        }
        check(with(json!({ "select": [] })), &["select"]);
        check(
            with(
                json!({ "select": ["Line/**", { "node": "Temp", "deadband": -1 }, { "nod": "i=1" }] }),
            ),
            &["select.2", "select.2.nod"],
        );
        check(
            with(json!({ "select": ["Line/**", { "node": "Temp", "deadband": -1, "point": "" }] })),
            &[
                "select.0",
                "select.1.deadband",
                "select.1.node",
                "select.1.point",
            ],
        );
        check(
            with(json!({ "select": [
                { "path": "Line/**", "deadband_percent": 101, "heartbeat_ms": 1 },
                { "path": "Objects/**", "deadband": 1, "deadband_percent": 1 },
                { "node": "i=1", "publishing_ms": 1, "sampling_ms": 9_999_999, "queue_size": 0 },
            ] })),
            &[
                "select.0.deadband_percent",
                "select.0.heartbeat_ms",
                "select.0.path",
                "select.1.deadband_percent",
                "select.2.publishing_ms",
                "select.2.queue_size",
                "select.2.sampling_ms",
            ],
        );
        for table in [
            json!({ "node": "i=1", "path": "Objects/**" }),
            json!({ "path": "Objects/**", "point": "p" }),
            json!({}),
        ] {
            check(with(json!({ "select": [table] })), &["select.0"]);
        }
        check(
            with(
                json!({ "history": { "fill": "newest_first", "max_age": "7 d", "values_per_s": 10 } }),
            ),
            &[],
        );
        check(
            with(json!({ "history": { "max_age": "0 s", "values_per_s": 0 } })),
            &["history.max_age", "history.values_per_s"],
        );
        check(
            with(json!({ "history": { "fill": "always" } })),
            &["history.fill"],
        );
        check(
            with(json!({ "key_frame_ms": 1, "key_frame_messages": 0 })),
            &["key_frame_messages", "key_frame_ms"],
        );
        check(
            with(json!({ "trigger": "always", "discard": "all" })),
            &["discard", "trigger"],
        );
        check(
            with(json!({ "security": { "policy": "Basic512" } })),
            &["security", "security.policy"],
        );
        check(
            with(json!({ "security": { "policy": "None", "mode": "Sign" } })),
            &["security.mode"],
        );
        check(
            with(json!({ "server_certificate": "abc" })),
            &["server_certificate"],
        );
        check(
            with(json!({ "publishing_ms": 1, "queue_size": 0 })),
            &["publishing_ms", "queue_size"],
        );
        check(
            with(json!({ "commands": [
                { "path": "Objects/Line/*/SetPoint", "allow": ["write", "read"], "min": 0, "max": 100 },
                { "node": "nsu=urn:plant;s=Start", "allow": ["call"] },
            ] })),
            &[],
        );
        check(
            with(json!({ "commands": [
                { "path": "Line", "allow": [] },
                { "node": "Start", "allow": ["call"], "min": 2, "max": 1 },
                { "allow": ["read"] },
            ] })),
            &[
                "commands.0.allow",
                "commands.0.path",
                "commands.1.min",
                "commands.1.node",
                "commands.2",
            ],
        );
    }

    #[test]
    fn events_are_checked() {
        check(
            with(json!({ "select": [], "events": [
                {},
                { "node": "Objects/Line", "types": ["AlarmConditionType", "nsu=urn:plant;i=7"],
                  "select": ["nsu=urn:plant;Batch"], "where": { "min_severity": 500, "source_name": "Press*" } },
                { "node": "nsu=urn:plant;s=Line" },
            ] })),
            &[],
        );
        check(
            with(json!({ "mode": "read", "events": [
                { "node": "Line", "types": [""], "select": ["a//b"], "where": { "min_severity": 0 } },
            ] })),
            &[
                "events",
                "events.0.node",
                "events.0.select",
                "events.0.types",
                "events.0.where.min_severity",
            ],
        );
    }

    #[test]
    fn a_password_never_travels_in_the_open() {
        check(
            with(json!({
                "security": { "policy": "None" },
                "user": { "name": "operator", "password": { "env": "PASSWORD" } },
            })),
            &["user"],
        );
        let pair = json!({ "certificate": { "file": "a" }, "key": { "file": "b" } });
        check(
            with(json!({ "security": { "policy": "None" }, "user_certificate": pair })),
            &["user_certificate"],
        );
        check(
            with(json!({
                "user": { "name": "operator", "password": { "env": "PASSWORD" } },
                "user_certificate": pair,
            })),
            &["user_certificate"],
        );
        check(with(json!({ "user_certificate": pair })), &[]);
    }

    #[test]
    fn the_weak_policies_are_taken_when_they_are_asked_for() {
        for policy in ["Basic128Rsa15", "Basic256", "None"] {
            check(with(json!({ "security": { "policy": policy } })), &[]);
            assert!(Policy::named(policy).unwrap().weakness().is_some());
        }
        check(with(json!({ "server_certificate": "ask" })), &[]);
    }

    #[test]
    fn the_schema_names_every_key() {
        let schema = SourceKind::of::<crate::OpcUa>().schema();
        for key in [
            "endpoint",
            "security",
            "user",
            "server_certificate",
            "select",
            "publishing_ms",
        ] {
            let property = &schema["properties"][key];
            assert!(property["description"].is_string(), "{key}: {property}");
        }
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
