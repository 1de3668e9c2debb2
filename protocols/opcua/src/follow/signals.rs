//! `Signals`: what a server tells by itself of changes in its address space: model change events (OPC UA Part 3, 9.32) of
//! the Server object, and NodeVersion properties (Part 3, 5.2.9).
//!
//! They are items in a subscription that is there anyway, under handles that no point has, so that they cost no subscription
//! and are acknowledged with the values.

use std::collections::HashSet;

use fieldgate_model::Value;

use crate::{
    browse::MAX_VERSIONS,
    connection::{BrowseName, Connection, EventRequest, ItemRequest, Notification, Subscription},
    events::filter::{EventFilter, Field},
    node_id::{NodeAddress, NodeId},
    room,
    settings::{Discard, Trigger},
    status::Status,
};

const SERVER: NodeId = NodeId::numeric(0, 2253);
/// BaseModelChangeEventType and GeneralModelChangeEventType: some servers compare types without their subtypes.
const EVENT_TYPES: [NodeId; 2] = [NodeId::numeric(0, 2132), NodeId::numeric(0, 2133)];
/// The fields that are asked for. `Changes` are told by a GeneralModelChangeEvent only.
const FIELDS: [&str; 4] = ["EventId", "EventType", "Time", "Changes"];
const CHANGES: usize = 3;
/// The events' handle; the library adds one to it.
const EVENTS: u32 = u32::MAX - 1;
/// The first handle of a NodeVersion property; points are far below.
const VERSIONS: u32 = 1 << 31;
/// Changes that the server keeps between two publishings; one is enough to know that there are some.
const QUEUE_SIZE: u32 = 100;
const VERSION_SAMPLING_MS: f64 = 2_000.0;
/// NodeAdded and NodeDeleted (Part 5, 12.16).
const COMES_OR_GOES: u64 = 0b11;
/// Nodes of events that are remembered until the next look, and the longest of their ids (Part 3, 8.2.3, and some room).
const MAX_TOUCHED: usize = 10_000;
const MAX_ID_BYTES: usize = 8_192;

/// What is listened to.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    events: bool,
    versions: Vec<NodeId>,
    /// The subscription that it is in.
    subscription: Option<u32>,
    /// Whose version was heard once: the first one is no change.
    heard: HashSet<u32>,
    /// Nodes that came or went since the last look, as far as events say.
    touched: HashSet<NodeId>,
}

// === impl Signals ===

impl Signals {
    /// Asks the server to tell, in the first of its subscriptions that takes that, at most so many items in one call. What none
    /// takes is left out: then looks at an interval have to do.
    ///
    /// # Errors
    /// When the server breaks off.
    pub(crate) async fn listen(
        connection: &dyn Connection,
        subscriptions: &[Subscription],
        versions: &[NodeId],
        per_monitor: usize,
    ) -> Result<Self, Status> {
        let mut signals = Self::default();
        for subscription in subscriptions {
            let made = connection.monitor_events(subscription.id, event_request());
            match made.await {
                Ok(Ok(_)) => {
                    signals.events = true;
                    signals.subscription = Some(subscription.id);
                    break;
                }
                Err(why) if is_lost(&why) => return Err(why),
                Ok(Err(why)) | Err(why) => {
                    tracing::debug!(%why, "the server does not tell model changes here");
                }
            }
        }
        let first = subscriptions.first().map(|first| first.id);
        let subscription = signals.subscription.or(first);
        let requests = versions.iter().zip(VERSIONS..).map(version_request);
        let requests: Vec<ItemRequest> = requests.collect();
        let Some(id) = subscription else {
            return Ok(signals);
        };
        for chunk in requests.chunks(per_monitor.max(1)) {
            match connection.monitor(id, chunk.to_vec()).await {
                Ok(made) if made.iter().any(Result::is_ok) => {
                    signals.versions = versions.to_vec();
                    signals.subscription = Some(id);
                }
                Ok(_) => {}
                Err(why) if is_lost(&why) => return Err(why),
                Err(why) => tracing::debug!(%why, "NodeVersion cannot be monitored"),
            }
        }
        Ok(signals)
    }

    /// Whether this subscription tells them.
    pub(crate) fn is_in(&self, subscription: u32) -> bool {
        self.subscription == Some(subscription)
    }

    pub(crate) fn take_versions(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.versions)
    }

    /// `model change events`; none where the server does not even let itself be asked for some.
    pub(crate) fn words(&self) -> Option<&'static str> {
        match (self.events, self.versions.len()) {
            (true, 0) => Some("model change events"),
            (false, 0) => None,
            (true, _) => Some("model change events and node versions"),
            (false, _) => Some("node versions"),
        }
    }

    /// Takes its own out of a message; true when something changed.
    pub(crate) fn hear(&mut self, notification: &mut Notification) -> bool {
        let mut changed = false;
        notification.changes.retain(|change| {
            // Others from there on are nobody's, however many the server makes up.
            let own = change.handle.checked_sub(VERSIONS);
            let known = own.is_some_and(|place| (place as usize) < MAX_VERSIONS);
            changed |= known && !self.heard.insert(change.handle);
            own.is_none()
        });
        notification.events.retain(|event| {
            let own = event.handle == EVENTS;
            if own {
                changed = true;
                self.touch(event.fields.get(CHANGES));
            }
            !own
        });
        changed
    }

    /// The nodes that came or went since the last time.
    pub(crate) fn take_touched(&mut self) -> HashSet<NodeId> {
        std::mem::take(&mut self.touched)
    }

    fn touch(&mut self, changes: Option<&Value>) {
        let Some(Value::List(changes)) = changes else {
            return;
        };
        let room = MAX_TOUCHED.saturating_sub(self.touched.len());
        let nodes = changes.iter().filter_map(comes_or_goes);
        let nodes = nodes.filter(|node| room::of_node(node) <= MAX_ID_BYTES);
        self.touched.extend(nodes.take(room));
    }
}

/// The node of a ModelChangeStructureDataType that says that it came or went.
fn comes_or_goes(change: &Value) -> Option<NodeId> {
    let Value::Struct(fields) = change else {
        return None;
    };
    let field = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    let (Some(Value::Text(affected)), Some(Value::UInt(verb))) = (field("Affected"), field("Verb"))
    else {
        return None;
    };
    let affected = affected.parse::<NodeAddress>().ok()?;
    (verb & COMES_OR_GOES != 0).then(|| affected.resolve(&[]))?
}

fn is_lost(why: &Status) -> bool {
    why.is("BadConnectionClosed")
        || why.is("BadSecureChannelClosed")
        || why.is("BadSessionIdInvalid")
}

fn event_request() -> EventRequest {
    let field = |name: &&str| Field {
        name: (*name).to_owned(),
        path: vec![BrowseName {
            namespace: 0,
            name: (*name).to_owned(),
        }],
    };
    EventRequest {
        node: SERVER,
        handle: EVENTS,
        queue_size: QUEUE_SIZE,
        filter: EventFilter {
            fields: FIELDS.iter().map(field).collect(),
            types: EVENT_TYPES.to_vec(),
            ..EventFilter::default()
        },
    }
}

fn version_request((node, handle): (&NodeId, u32)) -> ItemRequest {
    ItemRequest {
        node: node.clone(),
        handle,
        sampling_ms: VERSION_SAMPLING_MS,
        queue_size: 1,
        discard: Discard::default(),
        trigger: Trigger::default(),
        deadband: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Change, Happened};

    fn message(handles: &[u32], events: Vec<Happened>) -> Notification {
        let change = |handle: &u32| Change {
            handle: *handle,
            observed: None,
        };
        Notification {
            changes: handles.iter().map(change).collect(),
            events,
            ..Notification::default()
        }
    }

    fn event(handle: u32, changes: &[(&str, u64)]) -> Happened {
        let change = |(node, verb): &(&str, u64)| {
            Value::Struct(vec![
                ("Affected".to_owned(), Value::Text((*node).to_owned())),
                ("AffectedType".to_owned(), Value::Null),
                ("Verb".to_owned(), Value::UInt(*verb)),
            ])
        };
        let mut fields = vec![Value::Null; CHANGES];
        fields.push(Value::List(changes.iter().map(change).collect()));
        Happened {
            handle,
            at: None,
            fields,
        }
    }

    #[test]
    fn what_is_no_points_is_taken_out_and_told() {
        let mut signals = Signals::default();
        let mut first = message(&[0, VERSIONS, VERSIONS + 7, 1], vec![event(0, &[])]);
        assert!(!signals.hear(&mut first), "first versions are no changes");
        assert_eq!(first.changes.len(), 2);
        assert_eq!(first.events.len(), 1);
        assert!(signals.hear(&mut message(&[VERSIONS + 7], Vec::new())));
        assert!(!signals.hear(&mut message(&[5], Vec::new())));
        let mut told = message(&[], vec![event(EVENTS, &[])]);
        assert!(signals.hear(&mut told));
        assert!(told.events.is_empty());
    }

    #[test]
    fn what_a_server_makes_up_is_not_remembered() {
        let mut signals = Signals::default();
        for first in (VERSIONS..EVENTS).step_by(1 << 20) {
            let handles: Vec<u32> = (first..first + 10).collect();
            let mut told = message(&handles, Vec::new());
            signals.hear(&mut told);
            assert!(told.changes.is_empty());
        }
        assert_eq!(signals.heard.len(), 10);
        let long = format!("ns=2;s={}", "x".repeat(100_000));
        let changes = [(long.as_str(), 1), ("ns=2;i=1", 1)];
        signals.hear(&mut message(&[], vec![event(EVENTS, &changes)]));
        assert_eq!(
            signals.take_touched(),
            HashSet::from([NodeId::numeric(2, 1)])
        );
    }

    #[test]
    fn nodes_that_came_or_went_are_remembered() {
        let mut signals = Signals::default();
        let changes = [
            ("ns=2;i=1", 1),
            ("ns=2;s=two", 2),
            ("ns=2;i=3", 4),
            ("ns=2;i=4", 16),
            ("nonsense", 1),
        ];
        signals.hear(&mut message(&[], vec![event(EVENTS, &changes)]));
        let touched = signals.take_touched();
        let expected = [
            NodeId::numeric(2, 1),
            "ns=2;s=two"
                .parse::<NodeAddress>()
                .unwrap()
                .resolve(&[])
                .unwrap(),
        ];
        assert_eq!(touched, HashSet::from(expected));
        assert!(signals.take_touched().is_empty());
    }
}
