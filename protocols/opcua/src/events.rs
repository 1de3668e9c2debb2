//! Events: whose they are, how the server is asked for them, and what reading each of them becomes.
//!
//! They come in a subscription of their own (OPC UA Part 4, 7.22.3), so that they do not wait behind values, and are
//! acknowledged like values, once they are durable. Of the conditions among them it is kept which are open.

pub(crate) mod conditions;
pub(crate) mod filter;
mod state;
mod watch;

use std::{collections::HashSet, str::FromStr};

use fieldgate_model::{
    ActionKind, Alarm, DeviceId, Event, Point, PointId, Reading, Timestamp, Value,
};

use self::{
    conditions::{Conditions, Taken},
    filter::{EVENT_ID, EVENT_TYPE, Filter, MESSAGE, SEVERITY, SOURCE_NAME, TIME, Types},
    state::{About, Fields},
};
use crate::{
    connection::Happened,
    facts::short,
    node_id::{NodeAddress, NodeId},
};

pub(crate) use self::watch::watch;

/// The server's word that its queue of events was too short (OPC UA Part 4, 7.22.3).
const OVERFLOW_TYPE: NodeId = NodeId::numeric(0, 3035);
/// Part 9, 5.11.2 to 5.11.4: the open conditions are told now, they were told, and they should be asked for again.
const REFRESH_START: NodeId = NodeId::numeric(0, 2787);
const REFRESH_END: NodeId = NodeId::numeric(0, 2788);
const REFRESH_REQUIRED: NodeId = NodeId::numeric(0, 2789);
/// Points of events; what comes after is at the point of its type, and where there are too many of those as well, at one for
/// all the others.
const MAX_POINTS: usize = 5_000;
const MAX_POINTS_AND_TYPES: usize = 2 * MAX_POINTS;
const OTHERS: &str = "Event";
/// Characters of a type's name; a server that has not told it can make one up for each event.
const MAX_TYPE_CHARS: usize = 200;

/// The events that are watched.
pub(crate) struct Events {
    notifiers: Vec<Notifier>,
    types: Types,
    namespaces: Vec<String>,
    /// Each point of events that was announced, by its device and name.
    known: HashSet<(usize, String)>,
    conditions: Conditions,
    words: String,
}

/// One whose events are watched.
struct Notifier {
    /// The place of its rule in the settings.
    rule: usize,
    /// What may be done to its conditions.
    allow: Vec<ActionKind>,
    node: NodeId,
    device: DeviceId,
    device_name: String,
    filter: Filter,
}

/// What events are as readings.
#[derive(Default)]
pub(crate) struct Told {
    pub readings: Vec<Reading>,
    /// Points that were never announced, with their device's name.
    pub points: Vec<(DeviceId, String, Point)>,
    /// How often the server's queue was too short.
    pub overflows: u64,
    /// What became of alarms.
    pub alarms: Vec<Change>,
    /// The server says that the open conditions are to be asked for again.
    pub refresh: bool,
}

/// What became of an alarm.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    /// It is open, in this state.
    Open(Alarm),
    Close(Alarm),
}

// === impl Events ===

impl Events {
    /// `events of Server`, and what is not as asked for.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// For a session that knows none of their points.
    pub(crate) fn announced_anew(mut self) -> Self {
        self.known.clear();
        self
    }

    /// The devices whose alarms are watched.
    pub(crate) fn devices(&self) -> Vec<DeviceId> {
        self.notifiers.iter().map(|of| of.device.clone()).collect()
    }

    /// Which conditions are open, for another session.
    pub(crate) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The server is asked to tell all open conditions.
    pub(crate) fn refresh(&mut self, now: Timestamp) {
        let rules = self.notifiers.iter().map(|of| of.rule);
        self.conditions.asked(rules, now);
    }

    /// It does not do that.
    pub(crate) fn refuse_refresh(&mut self) {
        self.conditions.abandon();
    }

    /// What was told was not accepted.
    pub(crate) fn forget(&mut self) {
        self.conditions.forget();
    }

    /// Events as readings, those that are wanted.
    pub(crate) fn tell(&mut self, happened: Vec<Happened>, seen: Timestamp) -> Told {
        let mut told = Told::default();
        for event in happened {
            let handle = event.handle as usize;
            if handle >= self.notifiers.len() {
                continue;
            }
            let of = node(&event.fields, EVENT_TYPE, &self.namespaces);
            if !of
                .as_ref()
                .is_some_and(|of| self.refreshes(handle, of, seen, &mut told))
            {
                self.tell_one(handle, event, of.as_ref(), seen, &mut told);
            }
        }
        told
    }

    /// True when the event is about a refresh, and no reading.
    fn refreshes(&mut self, handle: usize, of: &NodeId, seen: Timestamp, told: &mut Told) -> bool {
        let rule = self.notifiers[handle].rule;
        match of {
            of if *of == REFRESH_START => self.conditions.started(rule, seen),
            of if *of == REFRESH_END => {
                for alarm in self.conditions.ended(rule, seen) {
                    told.readings.push(state::closing(&alarm, seen).into());
                    told.alarms.push(Change::Close(alarm));
                }
            }
            of if *of == REFRESH_REQUIRED => told.refresh = true,
            _ => return false,
        }
        true
    }

    fn tell_one(
        &mut self,
        handle: usize,
        event: Happened,
        of: Option<&NodeId>,
        seen: Timestamp,
        told: &mut Told,
    ) {
        let overflow = of == Some(&OVERFLOW_TYPE);
        told.overflows += u64::from(overflow);
        if overflow {
            self.conditions.spoil(self.notifiers[handle].rule);
        }
        let kind = self.type_name(of, &event.fields);
        let admitted = overflow || self.notifiers[handle].filter.admits(&event.fields, of);
        let Some((name, point)) = self.name(handle, &event.fields, &kind) else {
            return;
        };
        let notifier = &self.notifiers[handle];
        let fields = Fields {
            names: &notifier.filter.asked.fields,
            values: &event.fields,
        };
        let about = About {
            rule: notifier.rule,
            point: point.clone(),
            kind: &kind,
            at: event.at.unwrap_or(seen),
            allow: &notifier.allow,
            namespaces: &self.namespaces,
        };
        let condition = state::told(fields, about);
        // The end of what is open is wanted, also when it is not as severe any more.
        let open = condition
            .as_ref()
            .is_some_and(|condition| self.conditions.knows(condition.rule, &condition.alarm));
        if !admitted && !open {
            return;
        }
        if let Some(condition) = condition {
            match self.conditions.take(condition, seen) {
                Taken::Opened(alarm) => told.alarms.push(Change::Open(alarm)),
                Taken::Closed(alarm) => told.alarms.push(Change::Close(alarm)),
                Taken::Unchanged(alarm) => {
                    told.alarms.push(Change::Open(alarm));
                    self.announce(handle, &name, &point, &kind, told);
                    return;
                }
                Taken::NotKept(alarm) => {
                    if self.conditions.not_kept() == 1 {
                        tracing::warn!(
                            %point,
                            "more conditions are open than are kept: what comes on top is told like any event, and cannot be acknowledged here"
                        );
                    }
                    told.alarms.push(Change::Close(alarm));
                }
            }
        }
        self.announce(handle, &name, &point, &kind, told);
        let fields = &self.notifiers[handle].filter.asked.fields;
        told.readings
            .push(reading(event, fields, &kind, point, seen).into());
    }

    /// The type's browse name, else its node id.
    fn type_name(&self, of: Option<&NodeId>, fields: &[Value]) -> String {
        let name = of.and_then(|of| self.types.name(of));
        let name = name.map_or_else(|| text(fields, EVENT_TYPE), str::to_owned);
        short(&name, MAX_TYPE_CHARS).unwrap_or_default()
    }

    /// A condition has a point of its own, `Press.Overheat`; other events are at the point of their type.
    fn name(&self, handle: usize, fields: &[Value], of: &str) -> Option<(String, PointId)> {
        let asked = &self.notifiers[handle].filter.asked.fields;
        let at = asked.iter().position(|field| field.name == "ConditionName");
        let condition = at.map(|at| text(fields, at)).unwrap_or_default();
        let source = text(fields, SOURCE_NAME);
        let own = match (condition.is_empty(), source.is_empty()) {
            (true, _) => of.to_owned(),
            (false, true) => condition,
            (false, false) => format!("{source}.{condition}"),
        };
        let has_room = |name: &str, most: usize| {
            self.known.len() < most || self.known.contains(&(handle, name.to_owned()))
        };
        let name = if has_room(&own, MAX_POINTS) {
            own
        } else if has_room(of, MAX_POINTS_AND_TYPES) {
            of.to_owned()
        } else {
            OTHERS.to_owned()
        };
        let device = &self.notifiers[handle].device;
        // A name that is too long, or none at all.
        match device.point(&name) {
            Ok(id) => Some((name, id)),
            Err(_) => Some((OTHERS.to_owned(), device.point(OTHERS).ok()?)),
        }
    }

    /// A point that was never announced is.
    fn announce(&mut self, handle: usize, name: &str, id: &PointId, of: &str, told: &mut Told) {
        if self.known.insert((handle, name.to_owned())) {
            let notifier = &self.notifiers[handle];
            told.points.push((
                notifier.device.clone(),
                notifier.device_name.clone(),
                point(id, name, of),
            ));
        }
    }
}

fn point(id: &PointId, name: &str, of: &str) -> Point {
    Point {
        id: id.clone(),
        name: name.to_owned(),
        unit: None,
        range: None,
        description: None,
        data_type: Some(of.to_owned()),
        address: id.point().to_owned(),
        remark: None,
        problem: None,
    }
}

fn reading(
    event: Happened,
    fields: &[filter::Field],
    of: &str,
    point: PointId,
    seen: Timestamp,
) -> Event {
    let severity = state::severity(&event.fields);
    let (id, message) = (text(&event.fields, EVENT_ID), text(&event.fields, MESSAGE));
    let mut others = vec![("EventType".to_owned(), Value::Text(of.to_owned()))];
    let told = [EVENT_ID, EVENT_TYPE, TIME, SEVERITY, MESSAGE];
    for (at, (field, value)) in fields.iter().zip(event.fields).enumerate() {
        if !told.contains(&at) && value != Value::Null {
            others.push((field.name.clone(), value));
        }
    }
    Event {
        point,
        id,
        severity,
        message,
        fields: others,
        at: event.at.unwrap_or(seen),
        seen,
    }
}

fn text(fields: &[Value], at: usize) -> String {
    match fields.get(at) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn node(fields: &[Value], at: usize, namespaces: &[String]) -> Option<NodeId> {
    NodeAddress::from_str(&text(fields, at))
        .ok()?
        .resolve(namespaces)
}

#[cfg(test)]
mod tests;
