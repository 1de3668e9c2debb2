//! `Filter`: which fields of which events are wanted of a notifier, in our words. Pure.

use std::collections::HashMap;

use fieldgate_model::Value;

use crate::{
    connection::{BrowseName, EventType},
    node_id::{NodeAddress, NodeId},
    settings::{EventRule, event_fields},
};

const BASE_EVENT_TYPE: NodeId = NodeId::numeric(0, 2041);
/// More types than this are sorted out by the gateway alone: a filter has to stay one that a server takes.
const MAX_TYPES: usize = 16;

// Where the fields are that every event has.
pub(crate) const EVENT_ID: usize = 0;
pub(crate) const EVENT_TYPE: usize = 1;
pub(crate) const TIME: usize = 2;
pub(crate) const SOURCE_NAME: usize = 4;
pub(crate) const SEVERITY: usize = 5;
pub(crate) const MESSAGE: usize = 6;
const BASE: [&str; 7] = [
    "EventId",
    "EventType",
    "Time",
    "SourceNode",
    "SourceName",
    "Severity",
    "Message",
];
/// A condition's state (OPC UA Part 9, 5.5 to 5.8); events that are none do not have them.
const CONDITION: [&str; 13] = [
    "ConditionName",
    "BranchId",
    "Retain",
    "EnabledState/Id",
    "ActiveState/Id",
    "AckedState/Id",
    "ConfirmedState/Id",
    "SuppressedState/Id",
    "ShelvingState/CurrentState",
    ACTIVE_TIME,
    "Quality",
    "Comment",
    "ClientUserId",
];
/// Since when it is active, or no longer.
pub(crate) const ACTIVE_TIME: &str = "ActiveState/TransitionTime";
/// The node of the condition itself, which is no field but asked for like one.
pub(crate) const CONDITION_ID: &str = "ConditionId";

/// One field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the reading.
    pub name: String,
    /// From the event down to the field; empty for the condition's own node.
    pub path: Vec<BrowseName>,
}

/// What a server is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    pub fields: Vec<Field>,
    /// One of these exactly, or any when there is none.
    pub types: Vec<NodeId>,
    pub min_severity: Option<u16>,
    pub source_name: Option<String>,
}

/// The server's event types.
#[derive(Debug, Default)]
pub(crate) struct Types(HashMap<NodeId, EventType>);

/// What is wanted of a notifier, and what the gateway itself sorts out after the server.
#[derive(Debug)]
pub(crate) struct Filter {
    pub asked: EventFilter,
    /// All that are meant, subtypes too; `None` when all are.
    types: Option<Vec<NodeId>>,
    min_severity: u16,
    source_name: Option<Vec<String>>,
}

// === impl Types ===

impl Types {
    pub(crate) fn new(types: Vec<EventType>) -> Self {
        Self(types.into_iter().map(|of| (of.node.clone(), of)).collect())
    }

    pub(crate) fn name(&self, node: &NodeId) -> Option<&str> {
        Some(&self.0.get(node)?.name.name)
    }

    /// The node of a type as settings write it.
    fn find(&self, written: &str, namespaces: &[String]) -> Option<NodeId> {
        let by_name = |of: &&EventType| of.name.name == written;
        match self.0.values().find(by_name) {
            Some(of) => Some(of.node.clone()),
            None => written.parse::<NodeAddress>().ok()?.resolve(namespaces),
        }
    }

    fn is_below(&self, node: &NodeId, above: &[NodeId]) -> bool {
        let mut at = Some(node);
        // A server whose types go round in a circle is not followed for ever.
        for _ in 0..=self.0.len() {
            match at {
                Some(node) if above.contains(node) => return true,
                Some(node) => at = self.0.get(node).and_then(|of| of.parent.as_ref()),
                None => return false,
            }
        }
        false
    }

    fn with_subtypes(&self, above: Vec<NodeId>) -> Vec<NodeId> {
        let below = self.0.keys().filter(|node| self.is_below(node, &above));
        let mut all: Vec<NodeId> = below.cloned().collect();
        all.extend(above.into_iter().filter(|node| !self.0.contains_key(node)));
        all.sort();
        all
    }
}

// === impl Filter ===

impl Filter {
    /// # Errors
    /// In words, when the server has no such type.
    pub(crate) fn new(
        rule: &EventRule,
        types: &Types,
        namespaces: &[String],
    ) -> Result<Self, String> {
        let mut wanted = Vec::new();
        for written in &rule.types {
            let node = types.find(written, namespaces);
            wanted.push(node.ok_or_else(|| format!("the server has no event type `{written}`"))?);
        }
        let all = wanted.is_empty() || wanted.contains(&BASE_EVENT_TYPE);
        let wanted = (!all).then(|| types.with_subtypes(wanted));
        let source_name = rule.only.source_name.clone();
        Ok(Self {
            asked: EventFilter {
                fields: fields(rule, namespaces),
                // Not by the type above alone: some servers compare types without their subtypes.
                types: wanted
                    .clone()
                    .filter(|types| types.len() <= MAX_TYPES)
                    .unwrap_or_default(),
                min_severity: rule.only.min_severity.filter(|least| *least > 1),
                // Not by `Like`: servers that do not know it drop every event without a word.
                source_name: source_name.clone().filter(|name| !name.contains('*')),
            },
            types: wanted,
            min_severity: rule.only.min_severity.unwrap_or(0),
            source_name: source_name.map(|glob| glob.split('*').map(str::to_owned).collect()),
        })
    }

    /// Whether the event is wanted; what it does not say is no reason against it, except for its source's name.
    pub(crate) fn admits(&self, fields: &[Value], event_type: Option<&NodeId>) -> bool {
        let severe = match fields.get(SEVERITY) {
            Some(Value::UInt(severity)) => *severity >= self.min_severity.into(),
            _ => true,
        };
        let typed = match (&self.types, event_type) {
            (Some(types), Some(of)) => types.contains(of),
            _ => true,
        };
        let named = self.source_name.as_ref().is_none_or(|parts| {
            matches!(fields.get(SOURCE_NAME), Some(Value::Text(name)) if crate::glob::matches_parts(parts, name))
        });
        severe && typed && named
    }
}

fn fields(rule: &EventRule, namespaces: &[String]) -> Vec<Field> {
    let known = |path: &&str| Field {
        name: path
            .trim_end_matches("/Id")
            .trim_end_matches("/CurrentState")
            .to_owned(),
        path: path.split('/').map(|name| browse_name(0, name)).collect(),
    };
    let mut fields: Vec<Field> = BASE.iter().map(known).collect();
    let mut add = |field: Field| {
        if !fields.iter().any(|there| there.name == field.name) {
            fields.push(field);
        }
    };
    CONDITION.iter().map(known).for_each(&mut add);
    for written in &rule.select {
        add(Field {
            name: plain_name(written),
            path: path(written, namespaces),
        });
    }
    // The last one: servers that do not have it leave it out, which moves all that follow.
    add(Field {
        name: CONDITION_ID.to_owned(),
        path: Vec::new(),
    });
    fields
}

/// `nsu=urn:plant;Batch/Id` is `Batch/Id` in the reading.
fn plain_name(written: &str) -> String {
    let names = event_fields(written).unwrap_or_default().into_iter();
    names.map(|(_, name)| name).collect::<Vec<_>>().join("/")
}

fn path(written: &str, namespaces: &[String]) -> Vec<BrowseName> {
    let names = event_fields(written).unwrap_or_default().into_iter();
    let number = |uri: Option<String>| {
        let uri = uri?;
        let at = namespaces.iter().position(|known| *known == uri)?;
        u16::try_from(at).ok()
    };
    names
        .map(|(uri, name)| browse_name(number(uri).unwrap_or(0), &name))
        .collect()
}

fn browse_name(namespace: u16, name: &str) -> BrowseName {
    BrowseName {
        namespace,
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn types() -> Types {
        let of = |id: u32, parent: Option<u32>, name: &str| EventType {
            node: NodeId::numeric(0, id),
            parent: parent.map(|id| NodeId::numeric(0, id)),
            name: browse_name(0, name),
        };
        Types::new(vec![
            of(2041, None, "BaseEventType"),
            of(2782, Some(2041), "ConditionType"),
            of(2915, Some(2782), "AlarmConditionType"),
            of(2130, Some(2041), "SystemEventType"),
        ])
    }

    fn filter(rule: serde_json::Value) -> Result<Filter, String> {
        let rule = serde_json::from_value(rule).unwrap();
        Filter::new(
            &rule,
            &types(),
            &[
                "http://opcfoundation.org/UA/".to_owned(),
                "urn:plant".to_owned(),
            ],
        )
    }

    fn event(severity: u64, source: &str) -> Vec<Value> {
        let mut fields = vec![Value::Null; 7];
        fields[SEVERITY] = Value::UInt(severity);
        fields[SOURCE_NAME] = Value::Text(source.to_owned());
        fields
    }

    #[test]
    fn nothing_is_left_out_where_nothing_is_written() {
        let filter = filter(json!({})).unwrap();
        assert_eq!(filter.asked.types, []);
        assert_eq!(
            (filter.asked.min_severity, &filter.asked.source_name),
            (None, &None)
        );
        let names: Vec<&str> = filter
            .asked
            .fields
            .iter()
            .map(|field| &*field.name)
            .collect();
        assert_eq!(names[..BASE.len()], BASE);
        assert!(names.contains(&"ActiveState") && names.last() == Some(&CONDITION_ID));
        assert!(filter.admits(&event(1, ""), Some(&NodeId::numeric(7, 7))));
    }

    #[test]
    fn subtypes_are_meant_too() {
        let filter = filter(json!({ "types": ["ConditionType"] })).unwrap();
        let condition = [2782, 2915].map(|id| NodeId::numeric(0, id));
        assert_eq!(filter.asked.types, condition);
        assert!(filter.admits(&event(1, ""), Some(&condition[1])));
        assert!(!filter.admits(&event(1, ""), Some(&NodeId::numeric(0, 2130))));
        assert!(
            filter.admits(&event(1, ""), None),
            "it does not say what it is"
        );
    }

    #[test]
    fn a_type_that_the_server_does_not_have_is_named() {
        let why = filter(json!({ "types": ["PressAlarm"] })).unwrap_err();
        assert!(why.contains("`PressAlarm`"), "{why}");
        assert!(filter(json!({ "types": ["nsu=urn:plant;i=7"] })).is_ok());
    }

    #[test]
    fn severity_and_source_are_looked_at() {
        let filter =
            filter(json!({ "where": { "min_severity": 500, "source_name": "Press*" } })).unwrap();
        assert_eq!(filter.asked.min_severity, Some(500));
        assert_eq!(filter.asked.source_name, None, "a server may not know Like");
        for (severity, source, admitted) in [
            (500, "Press 1", true),
            (499, "Press 1", false),
            (900, "Oven", false),
        ] {
            assert_eq!(
                filter.admits(&event(severity, source), None),
                admitted,
                "{severity} {source}"
            );
        }
    }

    #[test]
    fn fields_are_named_by_their_path() {
        let filter = filter(json!({ "select": ["nsu=urn:plant;Batch/Id", "Time"] })).unwrap();
        let batch: Vec<&Field> = filter
            .asked
            .fields
            .iter()
            .filter(|field| field.name == "Batch/Id")
            .collect();
        assert_eq!(
            batch[0].path,
            [browse_name(1, "Batch"), browse_name(0, "Id")]
        );
        let times = filter
            .asked
            .fields
            .iter()
            .filter(|field| field.name == "Time");
        assert_eq!(times.count(), 1);
    }
}
