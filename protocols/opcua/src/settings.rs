//! `Settings` of an OPC UA source, and what is wrong with them.

mod security;

use std::{fmt, str::FromStr};

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use url::Url;

pub use self::security::{Mode, Policy, Security, ServerTrust, User, UserCertificate};
use crate::{glob::Glob, node_id::NodeAddress};

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
}

/// One rule of what is read.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Select {
    /// A browse path: `*` stands for one name, `**` for any depth.
    Path(String),
    /// A single node.
    Node(NodeRule),
}

/// A single node, with settings of its own.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeRule {
    /// The node id, with its namespace's URI so that it survives the server's restart: `nsu=urn:plant;s=Temp`.
    pub node: String,
    /// The point's name. Left out: the identifier.
    #[serde(default)]
    pub point: Option<String>,
    /// The device's name. Left out: the browse path of the object that the node belongs to.
    #[serde(default)]
    pub device: Option<String>,
    /// As for the source, for this node alone. Nodes of another interval than the others' are in a subscription of their own.
    #[serde(default)]
    #[schemars(range(min = 10, max = 3_600_000))]
    pub publishing_ms: Option<u64>,
    /// As for the source, for this node alone.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3_600_000))]
    pub sampling_ms: Option<u64>,
    /// As for the source, for this node alone.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub queue_size: Option<u32>,
    /// The server leaves out changes that are not larger than this. Numbers only.
    #[serde(default)]
    pub deadband: Option<f64>,
}

fn default_publishing_ms() -> u64 {
    500
}

/// Ten times what fits between two publishings, so that a late publishing loses nothing.
pub(crate) fn queue_size_for(sampling_ms: u64, publishing_ms: u64) -> u32 {
    let fitting = publishing_ms.div_ceil(sampling_ms.max(1));
    u32::try_from(fitting.saturating_mul(10).clamp(10, 10_000)).unwrap_or(10)
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
        problems.extend(self.check_numbers());
        if self.select.is_empty() {
            problems.push(Problem::new(
                ["select"],
                "nothing is selected",
                "write for instance select = [\"Objects/**\"]",
            ));
        }
        for (at, select) in self.select.iter().enumerate() {
            problems.extend(check_select(&at.to_string(), select));
        }
        problems
    }

    fn check_numbers(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(check_publishing(
            &["publishing_ms"],
            Some(self.publishing_ms),
        ));
        problems.extend(check_sampling(&["sampling_ms"], self.sampling_ms));
        problems.extend(check_queue(&["queue_size"], self.queue_size));
        problems
    }
}

fn check_publishing(path: &[&str], publishing_ms: Option<u64>) -> Option<Problem> {
    let publishing_ms = publishing_ms.filter(|ms| !(10..=3_600_000).contains(ms))?;
    Some(Problem::new(
        path.iter().copied(),
        format!("{publishing_ms} is no publishing interval"),
        "write milliseconds from 10 to 3600000",
    ))
}

fn check_sampling(path: &[&str], sampling_ms: Option<u64>) -> Option<Problem> {
    let sampling_ms = sampling_ms.filter(|sampling_ms| *sampling_ms > 3_600_000)?;
    Some(Problem::new(
        path.iter().copied(),
        format!("{sampling_ms} is no sampling interval"),
        "write milliseconds from 0 (as fast as the server can) to 3600000",
    ))
}

fn check_queue(path: &[&str], queue_size: Option<u32>) -> Option<Problem> {
    let queue_size = queue_size.filter(|size| !(1..=100_000).contains(size))?;
    Some(Problem::new(
        path.iter().copied(),
        format!("{queue_size} is no queue size"),
        "write a number from 1 to 100000",
    ))
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

fn check_select(at: &str, select: &Select) -> Vec<Problem> {
    let rule = match select {
        Select::Path(path) => {
            return Glob::from_str(path)
                .err()
                .map(|error| {
                    Problem::new(
                        ["select", at],
                        error.to_string(),
                        "write names separated by `/`, with `*` for one name and `**` for any depth, for instance Objects/Line/**",
                    )
                })
                .into_iter()
                .collect();
        }
        Select::Node(rule) => rule,
    };
    let mut problems = Vec::new();
    if let Err(error) = NodeAddress::from_str(&rule.node) {
        problems.push(Problem::new(
            ["select", at, "node"],
            error.to_string(),
            "write it like nsu=urn:plant;s=Temp",
        ));
    }
    for (key, name) in [("point", &rule.point), ("device", &rule.device)] {
        if name
            .as_ref()
            .is_some_and(|name| name.is_empty() || name.len() > 256)
        {
            problems.push(Problem::new(
                ["select", at, key],
                format!("the {key}'s name is empty or longer than 256 bytes"),
                "write a short name, or leave it out",
            ));
        }
    }
    problems.extend(check_publishing(
        &["select", at, "publishing_ms"],
        rule.publishing_ms,
    ));
    problems.extend(check_sampling(
        &["select", at, "sampling_ms"],
        rule.sampling_ms,
    ));
    problems.extend(check_queue(&["select", at, "queue_size"], rule.queue_size));
    if rule
        .deadband
        .is_some_and(|deadband| !deadband.is_finite() || deadband < 0.0)
    {
        problems.push(Problem::new(
            ["select", at, "deadband"],
            "a deadband is a number that is not negative",
            "write for instance 0.1, or leave it out",
        ));
    }
    problems
}

// === impl Select ===

/// By hand, because an untagged enum would not say which key is wrong.
impl<'de> Deserialize<'de> for Select {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrNode;

        impl<'de> Visitor<'de> for PathOrNode {
            type Value = Select;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a browse path, or a table with `node`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Select, E> {
                Ok(Select::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Select, A::Error> {
                NodeRule::deserialize(MapAccessDeserializer::new(map)).map(Select::Node)
            }
        }

        deserializer.deserialize_any(PathOrNode)
    }
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
                ],
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

    #[test]
    fn the_queue_holds_ten_times_what_is_sampled() {
        for (sampling_ms, expected) in [(500, 10), (100, 50), (1000, 10), (0, 5000)] {
            assert_eq!(queue_size_for(sampling_ms, 500), expected);
        }
    }
}
