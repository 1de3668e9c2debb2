//! What the fields of an event say of a condition (OPC UA Part 9, 5.5 to 5.8). Pure.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
};

use fieldgate_model::{ActionKind, Alarm, Event, PointId, Timestamp, Value};

use super::{
    conditions::Told,
    filter::{ACTIVE_TIME, CONDITION_ID, EVENT_ID, Field, MESSAGE, SEVERITY, SOURCE_NAME, TIME},
};
use crate::node_id::NodeAddress;

/// The fields of one event, by their names.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub names: &'a [Field],
    pub values: &'a [Value],
}

/// What else is known of the event.
pub(super) struct About<'a> {
    pub rule: usize,
    pub point: PointId,
    /// Its type's name.
    pub kind: &'a str,
    pub at: Timestamp,
    pub allow: &'a [ActionKind],
    pub namespaces: &'a [String],
}

/// The condition's state; `None` when the event is of no condition.
pub(super) fn told(fields: Fields<'_>, about: About<'_>) -> Option<Told> {
    let name = fields.text("ConditionName")?;
    let (active, acked) = (fields.flag("ActiveState"), fields.flag("AckedState"));
    let since = fields.text(ACTIVE_TIME).and_then(Timestamp::parse);
    let condition = fields.text(CONDITION_ID).unwrap_or(name);
    let alarm = Alarm {
        point: about.point,
        condition: address(condition, about.namespaces),
        branch: fields
            .text("BranchId")
            .map(|branch| address(branch, about.namespaces)),
        event: fields.at_text(EVENT_ID).to_owned(),
        name: name.to_owned(),
        source: fields.at_text(SOURCE_NAME).to_owned(),
        kind: about.kind.to_owned(),
        severity: severity(fields.values),
        message: fields.at_text(MESSAGE).to_owned(),
        active,
        acked,
        confirmed: fields.flag("ConfirmedState"),
        suppressed: fields.flag("SuppressedState"),
        shelving: fields.owned("ShelvingState"),
        quality: fields.owned("Quality"),
        comment: fields.owned("Comment"),
        user: fields.owned("ClientUserId"),
        since: since.unwrap_or(about.at),
        at: about.at,
        allow: about.allow.to_vec(),
    };
    // A server that does not say so retains what somebody still has to look at.
    let retain = fields.flag("Retain");
    let retain = retain.unwrap_or(active == Some(true) || acked == Some(false));
    Some(Told {
        rule: about.rule,
        alarm,
        retain,
        print: fields.print(),
    })
}

/// The end of a condition that the server no longer tells.
pub(super) fn closing(alarm: &Alarm, seen: Timestamp) -> Event {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut fields = vec![
        ("EventType".to_owned(), text(&alarm.kind)),
        ("SourceName".to_owned(), text(&alarm.source)),
        ("ConditionName".to_owned(), text(&alarm.name)),
        ("ConditionId".to_owned(), text(&alarm.condition)),
    ];
    if let Some(branch) = &alarm.branch {
        fields.push(("BranchId".to_owned(), text(branch)));
    }
    fields.push(("Retain".to_owned(), Value::Bool(false)));
    if alarm.active.is_some() {
        fields.push(("ActiveState".to_owned(), Value::Bool(false)));
    }
    fields.push(("ClosedBy".to_owned(), text("gateway")));
    Event {
        point: alarm.point.clone(),
        id: format!("{}-closed", alarm.event),
        severity: alarm.severity,
        message: format!("no longer told by the server: {}", alarm.message),
        fields,
        at: seen,
        seen,
    }
}

/// 1 where the event does not say.
pub(super) fn severity(values: &[Value]) -> u16 {
    match values.get(SEVERITY) {
        Some(Value::UInt(severity)) => u16::try_from(*severity).unwrap_or(1000),
        _ => 1,
    }
}

/// A node with its namespace spelled, so that it is the same one after the server numbered its namespaces anew.
fn address(node: &str, namespaces: &[String]) -> String {
    let known = NodeAddress::from_str(node).ok();
    let node_id = known.and_then(|address| address.resolve(namespaces));
    node_id.map_or_else(|| node.to_owned(), |node| node.address(namespaces))
}

// === impl Fields ===

impl<'a> Fields<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        let at = self.names.iter().position(|field| field.name == name)?;
        self.values.get(at)
    }

    /// A text that says something.
    fn text(self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn owned(self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn flag(self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    fn at_text(self, at: usize) -> &'a str {
        match self.values.get(at) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// Of everything but what a server may make anew when it tells a state once more.
    fn print(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (at, value) in self.values.iter().enumerate() {
            if at != EVENT_ID && at != TIME {
                (at, format!("{value:?}")).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}
