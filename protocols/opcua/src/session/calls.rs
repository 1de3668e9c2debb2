//! `Client`: each call of [`Connection`] as one of the vendor's requests.

use std::sync::Arc;

use fieldgate_model::{Answer, Arguments, Value};
use futures::future::BoxFuture;
use opcua::{
    client::Session,
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResultMask, ByteString, DataValue,
        NodeClassMask, NodeId as VendorNodeId, ReadValueId, ReferenceDescription, ReferenceTypeId,
        TimestampsToReturn, VariableId, Variant,
    },
};

use super::{convert, lexicon::Lexicon, within, within_status};
use crate::{
    browse,
    connection::{
        Acknowledgement, Called, ConditionRemark, Connection, Direction, EventRequest, EventType,
        HistoryPage, HistoryRequest, ItemRequest, ItemRevised, Limits, MethodNode, Neighbour,
        Notification, Published, Signature, Subscription, SubscriptionRequest, Subtypes, ValueType,
    },
    explore::asked::{Attributes, Read, References},
    facts::Facts,
    node_id::NodeId,
    redundancy::Standing,
    room::{self, Room},
    status::Status,
    value,
};

/// The most children that are taken from one node.
const MAX_NEIGHBOURS: usize = 100_000;
/// The most answers in which a server may tell them; one that always has more would hold us for ever.
const MAX_CONTINUATIONS: usize = 2_000;

pub(super) struct Client {
    pub(super) session: Arc<Session>,
    pub(super) lexicon: Arc<Lexicon>,
}

impl Client {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            lexicon: Arc::default(),
        }
    }

    pub(super) async fn read(
        &self,
        nodes: &[(VendorNodeId, AttributeId)],
    ) -> Result<Vec<DataValue>, Status> {
        let wanted: Vec<ReadValueId> = nodes
            .iter()
            .map(|(node, attribute)| ReadValueId {
                node_id: node.clone(),
                attribute_id: *attribute as u32,
                ..ReadValueId::default()
            })
            .collect();
        let values = within(self.session.read(&wanted, TimestampsToReturn::Neither, 0.0)).await?;
        same_length(values, nodes.len())
    }

    async fn browse_all(
        &self,
        nodes: &[NodeId],
        direction: Direction,
    ) -> Result<Vec<Result<Vec<Neighbour>, Status>>, Status> {
        let wanted: Vec<BrowseDescription> = nodes
            .iter()
            .map(|node| browse_description(node, direction))
            .collect();
        let first = within(self.session.browse(&wanted, 0, None)).await?;
        let mut found: Vec<Result<Vec<Neighbour>, Status>> = Vec::with_capacity(first.len());
        let mut unfinished: Vec<(usize, ByteString)> = Vec::new();
        let mut room = Room::of(room::OF_A_QUESTION);
        for (at, result) in same_length(first, nodes.len())?.into_iter().enumerate() {
            if result.status_code.is_bad() {
                found.push(Err(value::status(result.status_code)));
                continue;
            }
            found.push(Ok(neighbours(result.references, &mut room)));
            if !result.continuation_point.is_null_or_empty() {
                unfinished.push((at, result.continuation_point));
            }
        }
        for _ in 0..MAX_CONTINUATIONS {
            if unfinished.is_empty() {
                return Ok(found);
            }
            if room.is_over() {
                break;
            }
            unfinished = self.browse_on(unfinished, &mut found, &mut room).await?;
        }
        let (places, points): (Vec<usize>, Vec<ByteString>) = unfinished.into_iter().unzip();
        for at in places {
            found[at] = Err(browse::ENDLESS);
        }
        if !points.is_empty() {
            let _released = within(self.session.browse_next(true, &points)).await;
        }
        Ok(found)
    }

    /// One BrowseNext for all unfinished nodes; what it returns is still unfinished.
    async fn browse_on(
        &self,
        unfinished: Vec<(usize, ByteString)>,
        found: &mut [Result<Vec<Neighbour>, Status>],
        room: &mut Room,
    ) -> Result<Vec<(usize, ByteString)>, Status> {
        let (places, points): (Vec<usize>, Vec<ByteString>) = unfinished.into_iter().unzip();
        let results = within(self.session.browse_next(false, &points)).await?;
        let mut still = Vec::new();
        for (at, result) in places.into_iter().zip(same_length(results, points.len())?) {
            let progress = result.references.as_ref().is_some_and(|of| !of.is_empty());
            let Ok(known) = &mut found[at] else {
                continue;
            };
            known.extend(neighbours(result.references, room));
            if result.status_code.is_bad() {
                found[at] = Err(value::status(result.status_code));
            } else if known.len() > MAX_NEIGHBOURS {
                found[at] = Err(browse::ENDLESS);
            } else if progress && !result.continuation_point.is_null_or_empty() {
                still.push((at, result.continuation_point));
            }
        }
        Ok(still)
    }
}

impl Connection for Client {
    fn namespaces(&self) -> Called<'_, Vec<String>> {
        Box::pin(async {
            let node = VariableId::Server_NamespaceArray.into();
            let values = self.read(&[(node, AttributeId::Value)]).await?;
            match values.into_iter().next().and_then(|data| data.value) {
                Some(Variant::Array(array)) => Ok(array
                    .values
                    .into_iter()
                    .map(|uri| uri.to_string())
                    .collect()),
                _ => Err(Status::named("BadNoData")),
            }
        })
    }

    fn limits(&self) -> Called<'_, Limits> {
        Box::pin(self.read_limits())
    }

    fn session_count(&self) -> Called<'_, usize> {
        Box::pin(self.read_session_count())
    }

    fn standing(&self) -> Called<'_, Standing> {
        Box::pin(self.read_standing())
    }

    fn addresses_of(&self, uris: Vec<String>) -> Called<'_, Vec<(String, Vec<String>)>> {
        Box::pin(self.find_servers(uris))
    }

    fn browse(
        &self,
        nodes: Vec<NodeId>,
        direction: Direction,
    ) -> Called<'_, Vec<Result<Vec<Neighbour>, Status>>> {
        Box::pin(async move { self.browse_all(&nodes, direction).await })
    }

    fn data_types(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        Box::pin(async move {
            let types = self.read_value_types(&nodes).await?;
            Ok(types
                .into_iter()
                .map(|value_type| value_type.name)
                .collect())
        })
    }

    fn value_types(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<ValueType>> {
        Box::pin(async move { self.read_value_types(&nodes).await })
    }

    fn facts(&self, nodes: Vec<NodeId>, per_read: usize) -> Called<'_, Vec<Facts>> {
        Box::pin(async move { self.read_facts(&nodes, per_read).await })
    }

    fn exist(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<(), Status>>> {
        Box::pin(async move {
            let wanted: Vec<_> = nodes
                .iter()
                .map(|node| (convert::vendor_node_id(node), AttributeId::BrowseName))
                .collect();
            let values = self.read(&wanted).await?;
            let exists = |data: DataValue| match data.status() {
                code if code.is_bad() => Err(value::status(code)),
                _ => Ok(()),
            };
            Ok(values.into_iter().map(exists).collect())
        })
    }

    fn subscribe(&self, request: SubscriptionRequest) -> Called<'_, Subscription> {
        Box::pin(self.create_subscription(request))
    }

    fn unsubscribe(&self, subscription: u32) -> Called<'_, ()> {
        Box::pin(self.delete_subscription(subscription))
    }

    fn monitor(
        &self,
        subscription: u32,
        items: Vec<ItemRequest>,
    ) -> Called<'_, Vec<Result<ItemRevised, Status>>> {
        Box::pin(self.create_items(subscription, items))
    }

    fn event_types(&self) -> Called<'_, Vec<EventType>> {
        Box::pin(self.all_event_types())
    }

    fn monitor_events(
        &self,
        subscription: u32,
        item: EventRequest,
    ) -> Called<'_, Result<ItemRevised, Status>> {
        Box::pin(self.create_event_item(subscription, item))
    }

    fn refresh_conditions(&self, subscription: u32) -> Called<'_, ()> {
        Box::pin(async move { self.refresh(subscription).await })
    }

    fn remark(&self, condition: NodeId, remark: ConditionRemark) -> Called<'_, Answer> {
        Box::pin(async move { self.remark_on(&condition, &remark).await })
    }

    fn unmonitor(&self, subscription: u32, ids: Vec<u32>) -> Called<'_, ()> {
        Box::pin(self.delete_items(subscription, ids))
    }

    fn transfer(&self, subscriptions: Vec<u32>) -> Called<'_, Vec<Result<Vec<u32>, Status>>> {
        Box::pin(self.transfer_subscriptions(subscriptions))
    }

    fn publish(&self, acknowledged: Vec<Acknowledgement>) -> Called<'static, Published> {
        self.publish_request(acknowledged)
    }

    fn republish(&self, subscription: u32, sequence: u32) -> Called<'_, Notification> {
        Box::pin(self.message_again(subscription, sequence))
    }

    fn have_history(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<bool>> {
        Box::pin(async move { self.read_history_access(&nodes).await })
    }

    fn history(&self, request: HistoryRequest) -> Called<'_, Vec<Result<HistoryPage, Status>>> {
        Box::pin(self.read_history(request))
    }

    fn forget_history(&self, nodes: Vec<(NodeId, Vec<u8>)>) -> Called<'_, ()> {
        Box::pin(self.release_history(nodes))
    }

    fn references(
        &self,
        nodes: Vec<NodeId>,
        most: u32,
    ) -> Called<'_, Vec<Result<References, Status>>> {
        Box::pin(async move { self.references_of(&nodes, most).await })
    }

    fn more_references(&self, marks: Vec<Vec<u8>>) -> Called<'_, Vec<Result<References, Status>>> {
        Box::pin(self.references_left(marks))
    }

    fn forget_references(&self, marks: Vec<Vec<u8>>) -> Called<'_, ()> {
        Box::pin(self.references_forgotten(marks))
    }

    fn subtypes(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<Subtypes, Status>>> {
        Box::pin(async move { self.subtypes_of(&nodes).await })
    }

    fn attributes(&self, node: NodeId) -> Called<'_, Attributes> {
        Box::pin(self.attributes_of(node))
    }

    fn names(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        Box::pin(async move { self.names_of(&nodes).await })
    }

    fn read_values(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Read>> {
        Box::pin(async move { self.values_of(&nodes).await })
    }

    fn leave(&self) -> Called<'_, ()> {
        let disconnect: BoxFuture<'_, Result<(), Status>> = Box::pin(async {
            self.session
                .disconnect_without_delete_subscriptions()
                .await
                .map_err(|error| super::status(&error))
        });
        Box::pin(within_status(disconnect))
    }

    fn methods(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<Vec<MethodNode>, Status>>> {
        Box::pin(async move { self.methods_below(&nodes).await })
    }

    fn signature(&self, method: NodeId) -> Called<'_, Signature> {
        Box::pin(async move { self.signature_of(&method).await })
    }

    fn read_now(&self, node: NodeId) -> Called<'_, Answer> {
        Box::pin(async move { self.value_now(&node).await })
    }

    fn write(&self, node: NodeId, value: Value) -> Called<'_, Answer> {
        Box::pin(async move { self.write_value(&node, &value).await })
    }

    fn call(&self, object: NodeId, method: NodeId, arguments: Arguments) -> Called<'_, Answer> {
        Box::pin(async move { self.call_method(&object, &method, &arguments).await })
    }

    fn close(&self) -> Called<'_, ()> {
        let disconnect: BoxFuture<'_, Result<(), Status>> = Box::pin(async {
            self.session
                .disconnect()
                .await
                .map_err(|error| super::status(&error))
        });
        Box::pin(within_status(disconnect))
    }
}

/// What is spoken here of an answer.
fn neighbours(references: Option<Vec<ReferenceDescription>>, room: &mut Room) -> Vec<Neighbour> {
    let references = references.unwrap_or_default().into_iter();
    let found: Vec<Neighbour> = references.filter_map(convert::neighbour).collect();
    room.take(found.iter().map(room::of_neighbour).sum());
    found
}

fn browse_description(node: &NodeId, direction: Direction) -> BrowseDescription {
    BrowseDescription {
        node_id: convert::vendor_node_id(node),
        browse_direction: match direction {
            Direction::Children => BrowseDirection::Forward,
            Direction::Parents => BrowseDirection::Inverse,
        },
        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
        include_subtypes: true,
        node_class_mask: (NodeClassMask::OBJECT | NodeClassMask::VARIABLE).bits(),
        result_mask: BrowseResultMask::All as u32,
    }
}

/// A server that answers more or less than it was asked is not to be trusted with the rest.
pub(super) fn same_length<T>(results: Vec<T>, wanted: usize) -> Result<Vec<T>, Status> {
    if results.len() == wanted {
        Ok(results)
    } else {
        Err(Status::named("BadUnknownResponse"))
    }
}
