//! `Settings` of an OPC UA source, and what is wrong with them.

use std::{fmt, str::FromStr, time::Duration};

use fieldgate_kit::{Problem, SecretRef};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use url::Url;

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
    /// Who signs in. Left out: anonymous.
    #[serde(default)]
    pub user: Option<User>,
    /// Which server is trusted: `trust_first` keeps the certificate of the first connection and refuses every
    /// other one from then on; or the thumbprint (40 hexadecimal digits) of the only certificate to be trusted.
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

/// How messages are protected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// The set of algorithms. `None` sends everything readable for all on the way.
    pub policy: Policy,
    /// Left out: signed and encrypted where the server offers it.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// A security policy (OPC UA Part 7, 6.6.161 and following), weakest first. Deprecated ones are not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Policy {
    None,
    Basic256Sha256,
    #[serde(rename = "Aes128_Sha256_RsaOaep")]
    Aes128Sha256RsaOaep,
    #[serde(rename = "Aes256_Sha256_RsaPss")]
    Aes256Sha256RsaPss,
}

/// A message security mode, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Mode {
    None,
    Sign,
    SignAndEncrypt,
}

/// Who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user's name on the server.
    pub name: String,
    /// Where the password is kept.
    pub password: SecretRef,
}

/// Which server certificate is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServerTrust {
    /// The first one that is seen, and only that one from then on.
    #[default]
    First,
    /// The one with this SHA-1 thumbprint, 40 lower-case hexadecimal digits (OPC UA Part 6, 6.2.2).
    Thumbprint(String),
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

// === impl Settings ===

impl Settings {
    pub(crate) fn publishing(&self) -> Duration {
        Duration::from_millis(self.publishing_ms)
    }

    /// Ten times what fits between two publishings, so that a late publishing loses nothing.
    pub(crate) fn queue_size_for(&self, sampling_ms: u64) -> u32 {
        let fitting = self.publishing_ms.div_ceil(sampling_ms.max(1));
        u32::try_from(fitting.saturating_mul(10).clamp(10, 10_000)).unwrap_or(10)
    }

    /// Everything that is wrong and can be told without asking the server.
    pub(crate) fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(check_endpoint(&self.endpoint));
        problems.extend(self.check_security());
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

    fn check_security(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(Security { policy, mode }) = &self.security {
            match (policy, mode) {
                (Policy::None, Some(Mode::Sign | Mode::SignAndEncrypt)) => {
                    problems.push(Problem::new(
                        ["security", "mode"],
                        "nothing can be signed or encrypted with the policy None",
                        "choose another policy, or leave the mode out",
                    ));
                }
                (policy, Some(Mode::None)) if *policy != Policy::None => {
                    problems.push(Problem::new(
                        ["security", "mode"],
                        "the mode None goes with the policy None only",
                        "choose Sign or SignAndEncrypt, or leave the mode out",
                    ));
                }
                _ => {}
            }
            if *policy == Policy::None && self.user.is_some() {
                problems.push(Problem::new(
                    ["user"],
                    "a password would travel without encryption, because the policy is None",
                    "choose another security policy, or leave the user out",
                ));
            }
        }
        if let Some(user) = &self.user
            && user.name.is_empty()
        {
            problems.push(Problem::new(
                ["user", "name"],
                "the user's name is empty",
                "write the name, or leave the user out to sign in as anonymous",
            ));
        }
        problems
    }

    fn check_numbers(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(10..=3_600_000).contains(&self.publishing_ms) {
            problems.push(Problem::new(
                ["publishing_ms"],
                format!("{} is no publishing interval", self.publishing_ms),
                "write milliseconds from 10 to 3600000",
            ));
        }
        problems.extend(check_sampling(&["sampling_ms"], self.sampling_ms));
        problems.extend(check_queue(&["queue_size"], self.queue_size));
        problems
    }
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

// === impl Policy ===

impl Policy {
    pub(crate) const ALL: [Self; 4] = [
        Self::None,
        Self::Basic256Sha256,
        Self::Aes128Sha256RsaOaep,
        Self::Aes256Sha256RsaPss,
    ];

    /// The last part of the policy's URI.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Basic256Sha256 => "Basic256Sha256",
            Self::Aes128Sha256RsaOaep => "Aes128_Sha256_RsaOaep",
            Self::Aes256Sha256RsaPss => "Aes256_Sha256_RsaPss",
        }
    }
}

// === impl Mode ===

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Sign => "Sign",
            Self::SignAndEncrypt => "SignAndEncrypt",
        }
    }
}

// === impl ServerTrust ===

impl<'de> Deserialize<'de> for ServerTrust {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "trust_first" {
            return Ok(Self::First);
        }
        let digits: String = text
            .chars()
            .filter(|character| !matches!(character, ':' | ' '))
            .collect::<String>()
            .to_ascii_lowercase();
        if digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Thumbprint(digits));
        }
        Err(de::Error::custom(format!(
            "`{text}` is neither \"trust_first\" nor a thumbprint of 40 hexadecimal digits"
        )))
    }
}

impl JsonSchema for ServerTrust {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ServerTrust".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "default": "trust_first",
            "pattern": "^(trust_first|([0-9A-Fa-f]{2}[: ]?){20})$",
        })
    }
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
            with(json!({ "security": { "policy": "Basic128Rsa15" } })),
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
        let settings: Settings = read(with(json!({ "publishing_ms": 500 }))).unwrap();
        for (sampling_ms, expected) in [(500, 10), (100, 50), (1000, 10), (0, 5000)] {
            assert_eq!(settings.queue_size_for(sampling_ms), expected);
        }
    }
}
