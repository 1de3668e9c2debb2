//! `Select`: the rules of what is read: browse paths, single nodes and types, each with wishes of its own where it has some.

use std::{fmt, str::FromStr};

use fieldgate_kit::Problem;
use schemars::{JsonSchema, Schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    profile::{self, ProfileRule},
    wishes::{Discard, Trigger, Wishes},
};
use crate::{glob::Glob, node_id::NodeAddress, types::TypeName};

/// One rule of what is read.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Select {
    /// A browse path: `*` stands for one name, `**` for any depth.
    Path(String),
    /// A single node.
    Node(NodeRule),
    /// A browse path, with settings of its own for what it finds.
    Paths(PathRule),
    /// Every instance of a type.
    Types(TypeRule),
    /// What a profile takes of a companion model.
    Profile(ProfileRule),
}

/// A single node, with settings of its own.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transform = closed)]
pub struct NodeRule {
    /// The node id, with its namespace's URI so that it survives the server's restart: `nsu=urn:plant;s=Temp`.
    pub node: String,
    /// The point's name. Left out: the identifier.
    pub point: Option<String>,
    /// The device's name. Left out: the browse path of the object that the node belongs to.
    pub device: Option<String>,
    #[schemars(flatten)]
    pub wishes: Wishes,
}

/// A browse path, with settings of its own for what it finds. Of several paths that find a node, the last one counts.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transform = closed)]
pub struct PathRule {
    /// `Objects/Line/**`: `*` stands for one name, `**` for any depth.
    pub path: String,
    #[schemars(flatten)]
    pub wishes: Wishes,
}

/// Every instance of a type below `Objects` is a device, named by its browse path, and its variables are the points; with
/// settings of its own for them. Of several types that an instance is of, the last one counts.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transform = closed)]
pub struct TypeRule {
    /// An ObjectType or VariableType, with its subtypes: its browse name, `MotorType` or `nsu=urn:plant;MotorType`, or its
    /// node id, `nsu=urn:plant;i=1001`.
    #[schemars(rename = "type")]
    pub type_name: String,
    #[schemars(flatten)]
    pub wishes: Wishes,
}

/// No other keys than these: what is flattened into a struct keeps schemars from saying so in the word that forms know.
pub(super) fn closed(schema: &mut Schema) {
    schema.insert("additionalProperties".to_owned(), false.into());
}

/// What a table can hold, of all kinds; which it is, `node`, `path`, `type` or `profile` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    node: Option<String>,
    path: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    profile: Option<String>,
    point: Option<String>,
    device: Option<String>,
    publishing_ms: Option<u64>,
    sampling_ms: Option<u64>,
    queue_size: Option<u32>,
    trigger: Option<Trigger>,
    discard: Option<Discard>,
    deadband: Option<f64>,
    deadband_percent: Option<f64>,
    heartbeat_ms: Option<u64>,
}

/// Everything that is wrong with a rule.
pub(super) fn check(at: &str, select: &Select) -> Vec<Problem> {
    match select {
        Select::Path(path) => check_path(&["select", at], path).into_iter().collect(),
        Select::Paths(rule) => {
            let mut problems = rule.wishes.check(&["select", at]);
            problems.extend(check_path(&["select", at, "path"], &rule.path));
            problems
        }
        Select::Types(rule) => {
            let mut problems = rule.wishes.check(&["select", at]);
            problems.extend(check_type(at, &rule.type_name));
            problems
        }
        Select::Profile(rule) => {
            let mut problems = rule.wishes.check(&["select", at]);
            problems.extend(profile::check(at, rule));
            problems
        }
        Select::Node(rule) => {
            let mut problems = rule.wishes.check(&["select", at]);
            problems.extend(check_node(at, rule));
            problems
        }
    }
}

fn check_path(at: &[&str], path: &str) -> Option<Problem> {
    let error = Glob::from_str(path).err()?;
    Some(Problem::new(
        at.iter().copied(),
        error.to_string(),
        "write names separated by `/`, with `*` for one name and `**` for any depth, for instance Objects/Line/**",
    ))
}

fn check_type(at: &str, name: &str) -> Option<Problem> {
    let why = TypeName::from_str(name).err()?;
    Some(Problem::new(
        ["select", at, "type"],
        format!("`{name}` is no type: {why}"),
        "write it like MotorType, nsu=urn:plant;MotorType or nsu=urn:plant;i=1001",
    ))
}

fn check_node(at: &str, rule: &NodeRule) -> Vec<Problem> {
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
    problems
}

// === impl Table ===

impl Table {
    fn wishes(&self) -> Wishes {
        Wishes {
            publishing_ms: self.publishing_ms,
            sampling_ms: self.sampling_ms,
            queue_size: self.queue_size,
            trigger: self.trigger,
            discard: self.discard,
            deadband: self.deadband,
            deadband_percent: self.deadband_percent,
            heartbeat_ms: self.heartbeat_ms,
        }
    }
}

// === impl Select ===

impl TryFrom<Table> for Select {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, &'static str> {
        let (names, wishes) = (
            table.point.is_some() || table.device.is_some(),
            table.wishes(),
        );
        match (table.node, table.path, table.type_name, table.profile) {
            (None, None, None, None) => Err("missing field `node`, `path`, `type` or `profile`"),
            (None, Some(_), None, None)
            | (None, None, Some(_), None)
            | (None, None, None, Some(_))
                if names =>
            {
                Err("`point` and `device` name a single node, and so go with `node`")
            }
            (Some(node), None, None, None) => Ok(Self::Node(NodeRule {
                node,
                point: table.point,
                device: table.device,
                wishes,
            })),
            (None, Some(path), None, None) => Ok(Self::Paths(PathRule { path, wishes })),
            (None, None, Some(type_name), None) => Ok(Self::Types(TypeRule { type_name, wishes })),
            (None, None, None, Some(profile)) => Ok(Self::Profile(ProfileRule { profile, wishes })),
            _ => Err("a rule has one of `node`, `path`, `type` and `profile`"),
        }
    }
}

/// By hand, because an untagged enum would not say which key is wrong.
impl<'de> Deserialize<'de> for Select {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;

        impl<'de> Visitor<'de> for PathOrTable {
            type Value = Select;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a browse path, or a table with `node`, `path`, `type` or `profile`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Select, E> {
                Ok(Select::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Select, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Select::try_from(table).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(PathOrTable)
    }
}
