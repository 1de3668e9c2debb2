//! Events: whose they are, how the server is asked for them, and what reading each of them becomes.
//!
//! They come in a subscription of their own (OPC UA Part 4, 7.22.3), so that they do not wait behind values, and are
//! acknowledged like values, once they are durable.

pub(crate) mod filter;

use std::{collections::HashSet, str::FromStr};

use fieldgate_model::{DeviceId, Event, Point, PointId, Reading, Timestamp, Value};

use self::filter::{EVENT_ID, EVENT_TYPE, Filter, MESSAGE, SEVERITY, SOURCE_NAME, TIME, Types};
use crate::{
    browse::{self, BrowsePath},
    connection::{Class, Connection, Direction, EventRequest, Happened, Limits, Subscription},
    glob::Glob,
    node_id::{NodeAddress, NodeId},
    settings::{EventRule, Settings},
    status::Status,
    subscribe,
};

const SERVER: NodeId = NodeId::numeric(0, 2253);
const OBJECTS: NodeId = NodeId::numeric(0, 85);
/// The server's word that its queue of events was too short (OPC UA Part 4, 7.22.3).
const OVERFLOW_TYPE: NodeId = NodeId::numeric(0, 3035);
/// Events that the server keeps for one notifier; a plant that goes down says much at once.
const QUEUE_SIZE: u32 = 10_000;
/// Nodes that are looked at for a notifier's path.
const MAX_VISITED: usize = 10_000;
/// Points of events of one notifier; what comes after is at the point of its type.
const MAX_POINTS: usize = 5_000;

/// The events that are watched.
pub(crate) struct Events {
    notifiers: Vec<Notifier>,
    types: Types,
    namespaces: Vec<String>,
    /// Each point of events that was announced, by its device and name.
    known: HashSet<(usize, String)>,
    words: String,
}

/// One whose events are watched.
struct Notifier {
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
}

/// Subscribes to the events that the settings ask for. A notifier that cannot be watched is named in the words.
///
/// # Errors
/// When the server breaks off, or has no room for another subscription.
pub(crate) async fn watch(
    connection: &dyn Connection,
    settings: &Settings,
    source: &str,
    limits: &Limits,
) -> Result<(Events, Subscription), Status> {
    let namespaces = connection.namespaces().await?;
    let types = Types::new(connection.event_types().await?);
    let mut troubles = Vec::new();
    let mut notifiers = Vec::new();
    for rule in &settings.events {
        let filter = match Filter::new(rule, &types, &namespaces) {
            Ok(filter) => filter,
            Err(why) => {
                troubles.push(why);
                continue;
            }
        };
        let Some((node, device_name)) = find(connection, rule, &namespaces, limits).await? else {
            let whose = rule.node.as_deref().unwrap_or_default();
            troubles.push(format!("no events of {whose}: the server has no such node"));
            continue;
        };
        match DeviceId::new(source, &device_name) {
            Ok(device) => notifiers.push(Notifier {
                node,
                device,
                device_name,
                filter,
            }),
            Err(why) => troubles.push(format!("no events of {device_name}: {why}")),
        }
    }
    let subscription = connection
        .subscribe(subscribe::request(settings.publishing_ms))
        .await?;
    for (at, notifier) in notifiers.iter().enumerate() {
        if let Some(trouble) = monitor(connection, subscription.id, at, notifier).await? {
            troubles.push(trouble);
        }
    }
    let names: Vec<&str> = notifiers.iter().map(|of| &*of.device_name).collect();
    let mut words = format!("events of {}", names.join(", "));
    for trouble in troubles {
        words.push_str(&format!("; {trouble}"));
    }
    let events = Events {
        notifiers,
        types,
        namespaces,
        known: HashSet::new(),
        words,
    };
    Ok((events, subscription))
}

/// Where the server does not take the filter it is left out: the gateway sorts out what comes in any case.
async fn monitor(
    connection: &dyn Connection,
    subscription: u32,
    at: usize,
    notifier: &Notifier,
) -> Result<Option<String>, Status> {
    let mut request = EventRequest {
        node: notifier.node.clone(),
        handle: u32::try_from(at).unwrap_or(u32::MAX),
        queue_size: QUEUE_SIZE,
        filter: notifier.filter.asked.clone(),
    };
    let first = connection
        .monitor_events(subscription, request.clone())
        .await?;
    let Err(why) = first else {
        return Ok(None);
    };
    request.filter.types.clear();
    request.filter.min_severity = None;
    request.filter.source_name = None;
    let again = match is_about_the_filter(&why) {
        true => connection.monitor_events(subscription, request).await?,
        false => Err(why),
    };
    Ok(again
        .err()
        .map(|why| format!("no events of {}: {why}", notifier.device_name)))
}

fn is_about_the_filter(why: &Status) -> bool {
    let name = why.name();
    name.contains("Filter") || name == "BadTypeDefinitionInvalid"
}

/// The notifier of a rule and its name; the first that its path means.
async fn find(
    connection: &dyn Connection,
    rule: &EventRule,
    namespaces: &[String],
    limits: &Limits,
) -> Result<Option<(NodeId, String)>, Status> {
    let Some(written) = &rule.node else {
        return Ok(Some((SERVER, "Server".to_owned())));
    };
    if let Ok(address) = NodeAddress::from_str(written) {
        let Some(node) = address.resolve(namespaces) else {
            return Ok(None);
        };
        let paths = browse::paths_of(connection, std::slice::from_ref(&node), limits.per_browse);
        let name = match paths.await?.get(&node) {
            Some(path) if !path.0.is_empty() => name_of(path),
            _ if node == SERVER => "Server".to_owned(),
            _ => written.clone(),
        };
        return Ok(Some((node, name)));
    }
    let Ok(glob) = Glob::from_str(written) else {
        return Ok(None);
    };
    let objects = glob.step(glob.start(), "", "Objects");
    if glob.matched(objects) {
        return Ok(Some((OBJECTS, "Objects".to_owned())));
    }
    let mut level = vec![(OBJECTS, BrowsePath::default(), objects)];
    let mut visited = 0;
    while !level.is_empty() && visited < MAX_VISITED {
        let mut next = Vec::new();
        for chunk in level.chunks(limits.per_browse.max(1)) {
            let nodes = chunk.iter().map(|(node, ..)| node.clone()).collect();
            let found = connection.browse(nodes, Direction::Children).await?;
            for ((_, path, progress), children) in chunk.iter().zip(found) {
                for child in children.unwrap_or_default() {
                    visited += 1;
                    let uri = namespaces.get(usize::from(child.name.namespace));
                    let uri = uri.map_or("", String::as_str);
                    let at = glob.step(*progress, uri, &child.name.name);
                    if at.is_dead() || child.class != Class::Object {
                        continue;
                    }
                    let mut path = path.clone();
                    path.0.push((child.name, child.class));
                    if glob.matched(at) {
                        return Ok(Some((child.node, name_of(&path))));
                    }
                    next.push((child.node, path, at));
                }
            }
        }
        level = next;
    }
    Ok(None)
}

fn name_of(path: &BrowsePath) -> String {
    let names: Vec<&str> = path.0.iter().map(|(name, _)| &*name.name).collect();
    names.join("/")
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

    /// Events as readings, those that are wanted.
    pub(crate) fn tell(&mut self, happened: Vec<Happened>, seen: Timestamp) -> Told {
        let mut told = Told::default();
        for event in happened {
            let handle = event.handle as usize;
            let Some(notifier) = self.notifiers.get(handle) else {
                continue;
            };
            let of = node(&event.fields, EVENT_TYPE, &self.namespaces);
            if of.as_ref() == Some(&OVERFLOW_TYPE) {
                told.overflows += 1;
            } else if !notifier.filter.admits(&event.fields, of.as_ref()) {
                continue;
            }
            let of = self.type_name(of.as_ref(), &event.fields);
            let Some(point) = self.point(handle, &event.fields, &of, &mut told) else {
                continue;
            };
            let fields = &self.notifiers[handle].filter.asked.fields;
            told.readings
                .push(reading(event, fields, &of, point, seen).into());
        }
        told
    }

    /// The type's browse name, else its node id.
    fn type_name(&self, of: Option<&NodeId>, fields: &[Value]) -> String {
        let name = of.and_then(|of| self.types.name(of));
        name.map_or_else(|| text(fields, EVENT_TYPE), str::to_owned)
    }

    /// A condition has a point of its own, `Press.Overheat`; other events are at the point of their type.
    fn point(
        &mut self,
        handle: usize,
        fields: &[Value],
        of: &str,
        told: &mut Told,
    ) -> Option<PointId> {
        let asked = &self.notifiers[handle].filter.asked.fields;
        let at = asked.iter().position(|field| field.name == "ConditionName");
        let condition = at.map(|at| text(fields, at)).unwrap_or_default();
        let source = text(fields, SOURCE_NAME);
        let full = self.known.len() >= MAX_POINTS;
        let name = match (condition.is_empty() || full, source.is_empty()) {
            (true, _) => of.to_owned(),
            (false, true) => condition,
            (false, false) => format!("{source}.{condition}"),
        };
        let notifier = &self.notifiers[handle];
        // A name that is too long, or none at all.
        let (name, id) = match notifier.device.point(&name) {
            Ok(id) => (name, id),
            Err(_) => ("Event".to_owned(), notifier.device.point("Event").ok()?),
        };
        if self.known.insert((handle, name.clone())) {
            told.points.push((
                notifier.device.clone(),
                notifier.device_name.clone(),
                point(&id, &name, of),
            ));
        }
        Some(id)
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
    let severity = match event.fields.get(SEVERITY) {
        Some(Value::UInt(severity)) => u16::try_from(*severity).unwrap_or(1000),
        _ => 1,
    };
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
