//! Subscribing to the events that the settings ask for: whose they are, and with which filter.

use std::{collections::HashSet, str::FromStr};

use fieldgate_model::DeviceId;

use super::{
    Events, Notifier,
    conditions::Conditions,
    filter::{Filter, Types},
};
use crate::{
    browse::{self, BrowsePath},
    connection::{Class, Connection, Direction, EventRequest, Limits, Subscription},
    glob::Glob,
    node_id::{NodeAddress, NodeId},
    room::{self, Room},
    settings::{EventRule, Settings},
    status::Status,
    subscribe,
};

pub(super) const SERVER: NodeId = NodeId::numeric(0, 2253);
const OBJECTS: NodeId = NodeId::numeric(0, 85);
/// Events that the server keeps for one notifier; a plant that goes down says much at once.
const QUEUE_SIZE: u32 = 10_000;
/// Nodes that are looked at for a notifier's path.
const MAX_VISITED: usize = 10_000;

/// Subscribes to the events that the settings ask for. A notifier that cannot be watched is named in the words.
///
/// # Errors
/// When the server breaks off, or has no room for another subscription.
pub(crate) async fn watch(
    connection: &dyn Connection,
    settings: &Settings,
    source: &str,
    limits: &Limits,
    conditions: Conditions,
) -> Result<(Events, Subscription), Status> {
    let namespaces = connection.namespaces().await?;
    let types = Types::new(connection.event_types().await?);
    let mut troubles = Vec::new();
    let mut notifiers = Vec::new();
    for (at, rule) in settings.events.iter().enumerate() {
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
                rule: at,
                allow: rule.allow.iter().map(|deed| (*deed).into()).collect(),
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
        conditions,
        words,
    };
    Ok((events, subscription))
}

impl Events {
    /// In another subscription of the same session.
    pub(crate) async fn watch_again(
        &self,
        connection: &dyn Connection,
        subscription: u32,
    ) -> Result<(), Status> {
        for (at, notifier) in self.notifiers.iter().enumerate() {
            if let Some(trouble) = monitor(connection, subscription, at, notifier).await? {
                tracing::warn!(trouble, "events are not watched any more");
            }
        }
        Ok(())
    }
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
    let mut room = Room::of(room::OF_A_LOOK);
    while !level.is_empty() && visited < MAX_VISITED && !room.is_over() {
        let mut next = Vec::new();
        for chunk in level.chunks(limits.per_browse.max(1)) {
            if room.is_over() {
                break;
            }
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
                    if !room.is_over() {
                        room.take(room::of_node(&child.node) + room::of_path(&path));
                        next.push((child.node, path, at));
                    }
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
