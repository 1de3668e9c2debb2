//! `Connection`: all that the source asks of a server, in our own types, so that the vendor stays in `session.rs` and a
//! scripted twin can stand in its place.

use std::sync::Arc;

use fieldgate_model::{Answer, Arguments, Parameter, Quality, Timestamp, Value};
use futures::future::BoxFuture;

use crate::{
    enumeration::Enumeration,
    events::filter::EventFilter,
    explore::asked::{Attributes, Read, References},
    facts::Facts,
    node_id::NodeId,
    redundancy::Standing,
    settings::{AlarmDeed, Deadband, Discard, Trigger},
    status::Status,
};

/// A browse name: its namespace's number in this session, and the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrowseName {
    pub namespace: u16,
    pub name: String,
}

/// What a browsed reference leads to. Other node classes are not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    Object,
    Variable,
    /// A variable that hangs on its node by HasProperty.
    Property,
}

/// One end of a hierarchical reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    pub node: NodeId,
    pub name: BrowseName,
    pub class: Class,
}

/// The direct subtypes of a type.
pub type Subtypes = Vec<(NodeId, BrowseName)>;

/// Along or against hierarchical references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Children,
    Parents,
}

/// What the server takes: operations in one call, and what it has room for (OPC UA Part 5, 6.3.2 and 6.3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub per_read: usize,
    pub per_browse: usize,
    pub per_monitor: usize,
    /// Nodes whose history is read.
    pub per_history: usize,
    /// Monitored items of one subscription; `None` when it does not say, here and below.
    pub items_per_subscription: Option<usize>,
    /// Subscriptions of one session.
    pub subscriptions: Option<usize>,
    /// Sessions of all clients.
    pub sessions: Option<usize>,
}

/// What a variable holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueType {
    /// `Double` or `UInt16[]`; `None` where unknown.
    pub name: Option<String>,
    /// What its numbers mean, where they mean something.
    pub enumeration: Option<Arc<Enumeration>>,
}

/// What a subscription was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubscriptionRequest {
    pub publishing_ms: f64,
    pub keep_alive_count: u32,
    pub lifetime_count: u32,
    pub max_notifications: u32,
}

/// What the server made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subscription {
    pub id: u32,
    pub publishing_ms: f64,
    pub keep_alive_count: u32,
}

/// One value attribute to be monitored.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRequest {
    pub node: NodeId,
    /// Comes back with each of its values.
    pub handle: u32,
    pub sampling_ms: f64,
    pub queue_size: u32,
    pub discard: Discard,
    pub trigger: Trigger,
    pub deadband: Option<Deadband>,
}

/// What the server made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemRevised {
    /// The server's number for the item.
    pub id: u32,
    pub sampling_ms: f64,
    pub queue_size: u32,
}

/// One value, turned into our words.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    pub value: Value,
    pub quality: Quality,
    /// The source's time, else the server's.
    pub at: Option<Timestamp>,
    /// Values before this one were lost in the item's queue on the server.
    pub overflow: bool,
}

/// One value of one monitored item; `None` when it could not be turned into our words.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub handle: u32,
    pub observed: Option<Observed>,
}

/// A type of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    pub node: NodeId,
    /// The type that it is a subtype of.
    pub parent: Option<NodeId>,
    pub name: BrowseName,
}

/// One notifier to be monitored.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRequest {
    pub node: NodeId,
    /// Comes back with each of its events.
    pub handle: u32,
    pub queue_size: u32,
    pub filter: EventFilter,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    pub handle: u32,
    pub at: Option<Timestamp>,
    /// In the filter's order; fields at the end can be missing.
    pub fields: Vec<Value>,
}

/// A NotificationMessage (OPC UA Part 4, 7.26).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notification {
    pub sequence: u32,
    /// No data: the sequence number is the next message's.
    pub keep_alive: bool,
    pub changes: Vec<Change>,
    /// Values that came after one that is too large to be read, and were lost with it.
    pub lost: u32,
    pub events: Vec<Happened>,
    /// The subscription's new state, when the message tells one; it is over then.
    pub ended: Option<Status>,
}

/// The answer to one Publish request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Published {
    pub subscription: u32,
    /// The messages that the server still keeps for Republish.
    pub available: Vec<u32>,
    pub notification: Notification,
}

/// A message whose readings are durable, so that the server may forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    pub subscription: u32,
    pub sequence: u32,
}

/// What is said about a condition's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionRemark {
    pub deed: AlarmDeed,
    /// The event that told the state, in Base64.
    pub event: String,
    pub comment: String,
}

/// A method below a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodNode {
    pub node: NodeId,
    pub name: BrowseName,
}

/// What a method takes and yields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    pub inputs: Vec<Parameter>,
    pub outputs: Vec<Parameter>,
}

/// A part of the raw history of some nodes (OPC UA Part 11, 6.4.3).
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRequest {
    pub start: Timestamp,
    /// Before the start: the newest first. None: as far as there is.
    pub end: Option<Timestamp>,
    /// Values of each node.
    pub most: u32,
    /// With the mark where its list was left; empty for a new one. All marks are of lists with the same start and end.
    pub nodes: Vec<(NodeId, Vec<u8>)>,
}

/// A page of one node's history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryPage {
    pub values: Vec<Observed>,
    /// Where the list goes on; empty at its end.
    pub mark: Vec<u8>,
}

/// What a call yields.
pub type Called<'a, T> = BoxFuture<'a, Result<T, Status>>;

/// One signed-in session. Every call ends within its timeout.
pub trait Connection: Send + Sync {
    /// The NamespaceArray; a number is an index into it.
    fn namespaces(&self) -> Called<'_, Vec<String>>;

    /// What the server says of its limits, or careful defaults.
    fn limits(&self) -> Called<'_, Limits>;

    /// How many sessions the server has now, of all clients.
    fn session_count(&self) -> Called<'_, usize> {
        unsupported()
    }

    /// What the server says of itself as one of a redundant set.
    fn standing(&self) -> Called<'_, Standing> {
        unsupported()
    }

    /// Where servers of these application URIs are, of those that the server knows: the URI, and the URLs to find it under.
    fn addresses_of(&self, _uris: Vec<String>) -> Called<'_, Vec<(String, Vec<String>)>> {
        unsupported()
    }

    /// The objects and variables next to each node, in the order of `nodes`; continuation points are followed.
    fn browse(
        &self,
        nodes: Vec<NodeId>,
        direction: Direction,
    ) -> Called<'_, Vec<Result<Vec<Neighbour>, Status>>>;

    /// The names of the variables' data types, `Double` or `UInt16[]`, in the order of `nodes`; `None` where unknown.
    fn data_types(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Option<String>>>;

    /// The variables' data types with the names of their numbers, in the order of `nodes`.
    fn value_types(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<ValueType>> {
        Box::pin(async move {
            let nameless = |name| ValueType {
                name,
                enumeration: None,
            };
            let names = self.data_types(nodes).await?;
            Ok(names.into_iter().map(nameless).collect())
        })
    }

    /// What the variables say of themselves, in the order of `nodes`; at most `per_read` attributes are read in one call.
    fn facts(&self, _nodes: Vec<NodeId>, _per_read: usize) -> Called<'_, Vec<Facts>> {
        unsupported()
    }

    /// Whether the nodes exist, in their order.
    fn exist(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<(), Status>>>;

    fn subscribe(&self, request: SubscriptionRequest) -> Called<'_, Subscription>;

    /// Deletes a subscription with its items; it does not matter when the server no longer has it.
    fn unsubscribe(&self, _subscription: u32) -> Called<'_, ()> {
        unsupported()
    }

    /// Takes subscriptions of another session over, and has the server send the values that their items have now. One
    /// result a subscription, in their order: the messages of it that the server still keeps.
    fn transfer(&self, _subscriptions: Vec<u32>) -> Called<'_, Vec<Result<Vec<u32>, Status>>> {
        unsupported()
    }

    /// One result an item, in their order.
    fn monitor(
        &self,
        subscription: u32,
        items: Vec<ItemRequest>,
    ) -> Called<'_, Vec<Result<ItemRevised, Status>>>;

    /// All types of events of the server, BaseEventType first.
    fn event_types(&self) -> Called<'_, Vec<EventType>> {
        unsupported()
    }

    /// One notifier's events.
    fn monitor_events(
        &self,
        _subscription: u32,
        _item: EventRequest,
    ) -> Called<'_, Result<ItemRevised, Status>> {
        unsupported()
    }

    /// Has the server tell all open conditions of a subscription's notifiers, with its events around them.
    fn refresh_conditions(&self, _subscription: u32) -> Called<'_, ()> {
        unsupported()
    }

    /// Says something about a condition's state. What the server refuses is an answer; an error is the connection's.
    fn remark(&self, _condition: NodeId, _remark: ConditionRemark) -> Called<'_, Answer> {
        unsupported()
    }

    /// Takes items out of the subscription; it does not matter when the server no longer has them.
    fn unmonitor(&self, subscription: u32, ids: Vec<u32>) -> Called<'_, ()>;

    /// Waits for the next message of any of the session's subscriptions, and acknowledges what was kept so far.
    fn publish(&self, acknowledged: Vec<Acknowledgement>) -> Called<'static, Published>;

    /// A message once more, while the server keeps it.
    fn republish(&self, subscription: u32, sequence: u32) -> Called<'_, Notification>;

    /// Whether the nodes' history can be read, in their order.
    fn have_history(&self, _nodes: Vec<NodeId>) -> Called<'_, Vec<bool>> {
        unsupported()
    }

    /// One page of each node's history, in their order.
    fn history(&self, _request: HistoryRequest) -> Called<'_, Vec<Result<HistoryPage, Status>>> {
        unsupported()
    }

    /// Gives back the server's memory of where lists were left.
    fn forget_history(&self, _nodes: Vec<(NodeId, Vec<u8>)>) -> Called<'_, ()> {
        unsupported()
    }

    /// What hangs on each node with at most so many references at once, in the order of `nodes`; what is left can be asked for.
    fn references(
        &self,
        _nodes: Vec<NodeId>,
        _most: u32,
    ) -> Called<'_, Vec<Result<References, Status>>> {
        unsupported()
    }

    /// What was left, in the order of the marks.
    fn more_references(&self, _marks: Vec<Vec<u8>>) -> Called<'_, Vec<Result<References, Status>>> {
        unsupported()
    }

    /// Gives back the server's memory of what was left.
    fn forget_references(&self, _marks: Vec<Vec<u8>>) -> Called<'_, ()> {
        unsupported()
    }

    /// The direct subtypes of each type, in the order of `nodes`.
    fn subtypes(&self, _nodes: Vec<NodeId>) -> Called<'_, Vec<Result<Subtypes, Status>>> {
        unsupported()
    }

    /// What is known of one node; absent attributes are left out.
    fn attributes(&self, _node: NodeId) -> Called<'_, Attributes> {
        unsupported()
    }

    /// The nodes' browse names, in their order; `None` where there is none.
    fn names(&self, _nodes: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        unsupported()
    }

    /// The nodes' values as they are now, in their order.
    fn read_values(&self, _nodes: Vec<NodeId>) -> Called<'_, Vec<Read>> {
        unsupported()
    }

    /// Deletes the session and closes the connection; its subscriptions stay on the server for the next session.
    fn leave(&self) -> Called<'_, ()> {
        self.close()
    }

    /// The methods below each node, in the order of `nodes`.
    fn methods(&self, _nodes: Vec<NodeId>) -> Called<'_, Vec<Result<Vec<MethodNode>, Status>>> {
        unsupported()
    }

    /// What a method takes and yields.
    fn signature(&self, _method: NodeId) -> Called<'_, Signature> {
        unsupported()
    }

    /// Reads a value now. What the node refuses is an answer; an error is the connection's.
    fn read_now(&self, _node: NodeId) -> Called<'_, Answer> {
        unsupported()
    }

    /// Writes a value that fits the node.
    fn write(&self, _node: NodeId, _value: Value) -> Called<'_, Answer> {
        unsupported()
    }

    /// Calls a method of an object with arguments that fit it.
    fn call(&self, _object: NodeId, _method: NodeId, _arguments: Arguments) -> Called<'_, Answer> {
        unsupported()
    }

    /// Deletes the session with its subscriptions, and closes the connection.
    fn close(&self) -> Called<'_, ()>;
}

/// The answer of a twin that does not have the service.
fn unsupported<T: Send + 'static>() -> Called<'static, T> {
    Box::pin(std::future::ready(Err(Status::named(
        "BadServiceUnsupported",
    ))))
}
