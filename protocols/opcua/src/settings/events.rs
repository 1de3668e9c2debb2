//! Which events are wanted of a server, as a person writes it.

use std::str::FromStr;

use fieldgate_kit::Problem;
use fieldgate_model::ActionKind;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asking, Settings};
use crate::{glob::Glob, node_id::NodeAddress};

/// Events of one notifier.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// Whose events: a browse path such as `Objects/Line`, or a node id. Left out: the Server object's, which are all.
    #[serde(default)]
    pub node: Option<String>,
    /// Event types by browse name or node id, their subtypes included. Left out: all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Further fields by browse path, such as `nsu=urn:plant;Batch` or `LimitState/CurrentState`. EventId, EventType, Time,
    /// SourceNode, SourceName, Severity, Message and a condition's own are there in any case.
    #[serde(default)]
    pub select: Vec<String>,
    /// Only events that are like this.
    #[serde(default, rename = "where")]
    pub only: EventWhere,
    /// What commands may do to these alarms: `acknowledge`, `confirm`, `comment`. Left out: nothing.
    #[serde(default)]
    pub allow: Vec<AlarmDeed>,
}

/// What may be done to an alarm (OPC UA Part 9, 5.5.6, 5.7.3, 5.7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmDeed {
    /// Say that it was seen.
    Acknowledge,
    /// Say that what was wrong was put right.
    Confirm,
    /// Add a remark.
    Comment,
}

/// What an event must be to be taken.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventWhere {
    /// The least severity, 1 to 1000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub min_severity: Option<u16>,
    /// The source's name; `*` stands for any part of it.
    #[serde(default)]
    pub source_name: Option<String>,
}

impl From<AlarmDeed> for ActionKind {
    fn from(deed: AlarmDeed) -> Self {
        match deed {
            AlarmDeed::Acknowledge => Self::Acknowledge,
            AlarmDeed::Confirm => Self::Confirm,
            AlarmDeed::Comment => Self::Comment,
        }
    }
}

/// Everything that is wrong with the rules of events.
pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if settings.mode == Asking::Read && !settings.events.is_empty() {
        problems.push(Problem::new(
            ["events"],
            "events come by a subscription only",
            "leave `mode` out, or write mode = \"subscribe\"",
        ));
    }
    for (at, rule) in settings.events.iter().enumerate() {
        check_rule(&at.to_string(), rule, &mut problems);
    }
    problems
}

fn check_rule(at: &str, rule: &EventRule, problems: &mut Vec<Problem>) {
    if let Some(node) = &rule.node
        && NodeAddress::from_str(node).is_err()
        && Glob::from_str(node).is_err()
    {
        problems.push(Problem::new(
            ["events", at, "node"],
            format!("`{node}` is neither a browse path nor a node id"),
            "write for instance Objects/Line or nsu=urn:plant;s=Line",
        ));
    }
    if rule.types.iter().any(String::is_empty) {
        problems.push(Problem::new(
            ["events", at, "types"],
            "an event type without a name",
            "write for instance types = [\"AlarmConditionType\"]",
        ));
    }
    if let Some(path) = rule.select.iter().find(|path| fields(path).is_none()) {
        problems.push(Problem::new(
            ["events", at, "select"],
            format!("`{path}` is no path of a field"),
            "write browse names separated by `/`, for instance nsu=urn:plant;Batch",
        ));
    }
    if let Some(severity) = rule.only.min_severity
        && !(1..=1000).contains(&severity)
    {
        problems.push(Problem::new(
            ["events", at, "where", "min_severity"],
            format!("{severity} is no severity"),
            "write a number from 1 to 1000",
        ));
    }
}

/// The names of a field's path, each with its namespace's URI where it is spelled; `None` when it is no path.
pub(crate) fn fields(path: &str) -> Option<Vec<(Option<String>, String)>> {
    let mut names = Vec::new();
    let mut rest = path;
    loop {
        let namespace = match rest.strip_prefix("nsu=") {
            Some(pinned) => {
                let (uri, name) = pinned.split_once(';')?;
                rest = name;
                Some(crate::node_id::unescape_uri(uri))
            }
            None => None,
        };
        let (name, more) = match rest.split_once('/') {
            Some((name, more)) => (name, Some(more)),
            None => (rest, None),
        };
        if name.is_empty() || name.contains('*') {
            return None;
        }
        names.push((namespace, fieldgate_model::unescape_segment(name)));
        match more {
            Some(more) => rest = more,
            None => return Some(names),
        }
    }
}
