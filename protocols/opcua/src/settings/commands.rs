//! `CommandRule`: what may be done to a server, for each point or path. Without a rule nothing may.

use std::str::FromStr;

use fieldgate_kit::Problem;
use fieldgate_model::ActionKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{glob::Glob, node_id::NodeAddress};

/// What may be done to the points and methods of a path, or to a single node.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRule {
    /// A browse path: `*` stands for one name, `**` for any depth, for instance `Objects/Line/*/SetPoint`. Points have to be
    /// selected, too; methods need not.
    #[serde(default)]
    pub path: Option<String>,
    /// A single node instead of a path: `nsu=urn:plant;s=SetPoint`.
    #[serde(default)]
    pub node: Option<String>,
    /// What is allowed: `read`, `write`, `call`.
    pub allow: Vec<NodeDeed>,
    /// No smaller number is written.
    #[serde(default)]
    pub min: Option<f64>,
    /// No larger number is written.
    #[serde(default)]
    pub max: Option<f64>,
}

/// What may be done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeDeed {
    /// Read the value now, from the device.
    Read,
    /// Write a value.
    Write,
    /// Call a method with arguments.
    Call,
}

// === impl NodeDeed ===

impl From<NodeDeed> for ActionKind {
    fn from(deed: NodeDeed) -> Self {
        match deed {
            NodeDeed::Read => Self::Read,
            NodeDeed::Write => Self::Write,
            NodeDeed::Call => Self::Call,
        }
    }
}

// === impl CommandRule ===

impl CommandRule {
    /// All that is wrong with the rule at this place of the list.
    pub(crate) fn check(&self, at: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &[&str], what: String, remedy: &str| {
            let path = [&["commands", at], key].concat();
            problems.push(Problem::new(path, what, remedy));
        };
        match (&self.path, &self.node) {
            (Some(path), None) => {
                if let Err(error) = Glob::from_str(path) {
                    wrong(
                        &["path"],
                        error.to_string(),
                        "write names separated by `/`, for instance Objects/Line/*/SetPoint",
                    );
                }
            }
            (None, Some(node)) => {
                if let Err(error) = NodeAddress::from_str(node) {
                    wrong(
                        &["node"],
                        error.to_string(),
                        "write it like nsu=urn:plant;s=SetPoint",
                    );
                }
            }
            _ => wrong(
                &[],
                "a rule is for a path or for a node".to_owned(),
                "write one of `path` and `node`",
            ),
        }
        if self.allow.is_empty() {
            wrong(
                &["allow"],
                "nothing is allowed".to_owned(),
                "write for instance allow = [\"write\"], or take the rule out",
            );
        }
        let finite = [self.min, self.max]
            .iter()
            .flatten()
            .all(|end| end.is_finite());
        let ordered = match (self.min, self.max) {
            (Some(min), Some(max)) => min <= max,
            _ => true,
        };
        if !finite || !ordered {
            wrong(
                &["min"],
                "`min` and `max` are numbers, the smaller one first".to_owned(),
                "write for instance min = 0, max = 100",
            );
        }
        problems
    }
}
