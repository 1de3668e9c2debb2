//! `Client`: the server's event types, and events as monitored items (OPC UA Part 4, 7.22.3).

use std::collections::HashSet;

use fieldgate_model::Value;
use opcua::{
    client::{UARequest, services::CreateMonitoredItems},
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResultMask, ContentFilter,
        ContentFilterElement, EventFieldList, EventFilter as VendorFilter, ExtensionObject,
        FilterOperator, MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters,
        NodeId as VendorNodeId, NumericRange, ObjectTypeId, Operand, QualifiedName, ReadValueId,
        ReferenceTypeId, SimpleAttributeOperand, TimestampsToReturn, Variant,
    },
};

use super::{
    calls::{Client, same_length},
    convert, within,
};
use crate::{
    connection::{BrowseName, EventRequest, EventType, Happened, ItemRevised},
    events::filter::{EVENT_ID, EventFilter, Field, TIME},
    node_id::NodeId,
    room::{self, Room},
    status::Status,
    value::{self, Types},
};

/// The most event types of a server.
const MAX_TYPES: usize = 10_000;
/// Types that are browsed in one call.
const TYPES_A_CALL: usize = 50;

/// What a server says around a refresh of conditions (Part 9, 5.11.2 to 5.11.4).
const REFRESH: [ObjectTypeId; 3] = [
    ObjectTypeId::RefreshStartEventType,
    ObjectTypeId::RefreshEndEventType,
    ObjectTypeId::RefreshRequiredEventType,
];

impl Client {
    /// BaseEventType and all below it.
    pub(super) async fn all_event_types(&self) -> Result<Vec<EventType>, Status> {
        let base = NodeId::numeric(0, ObjectTypeId::BaseEventType as u32);
        let mut types = vec![EventType {
            node: base.clone(),
            parent: None,
            name: BrowseName {
                namespace: 0,
                name: "BaseEventType".to_owned(),
            },
        }];
        let mut known = HashSet::from([base.clone()]);
        let mut level = vec![base];
        let mut room = Room::of(room::OF_A_QUESTION);
        let is_enough =
            |types: &[EventType], room: &Room| types.len() >= MAX_TYPES || room.is_over();
        while !level.is_empty() && !is_enough(&types, &room) {
            let mut next = Vec::new();
            for chunk in level.chunks(TYPES_A_CALL) {
                if is_enough(&types, &room) {
                    break;
                }
                let wanted: Vec<BrowseDescription> = chunk.iter().map(subtypes).collect();
                let results = within(self.session.browse(&wanted, 0, None)).await?;
                for (parent, result) in chunk.iter().zip(same_length(results, chunk.len())?) {
                    for reference in result.references.unwrap_or_default() {
                        let node = convert::node_id(reference.node_id.node_id);
                        if is_enough(&types, &room) {
                            break;
                        }
                        if !known.insert(node.clone()) {
                            continue;
                        }
                        let name = BrowseName {
                            namespace: reference.browse_name.namespace_index,
                            name: reference.browse_name.name.into(),
                        };
                        room.take(3 * room::of_node(&node) + room::of_name(&name));
                        next.push(node.clone());
                        types.push(EventType {
                            node,
                            parent: Some(parent.clone()),
                            name,
                        });
                    }
                }
            }
            level = next;
        }
        Ok(types)
    }

    pub(super) async fn create_event_item(
        &self,
        subscription: u32,
        item: EventRequest,
    ) -> Result<Result<ItemRevised, Status>, Status> {
        let request = CreateMonitoredItems::new(subscription, &self.session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .items_to_create(vec![create_request(&item)]);
        let made = within(request.send(self.session.channel())).await?;
        let made = same_length(made.results, 1)?.into_iter().next();
        let result = made.ok_or(Status::named("BadUnknownResponse"))?.result;
        if result.status_code.is_bad() {
            return Ok(Err(value::status(result.status_code)));
        }
        Ok(Ok(ItemRevised {
            id: result.monitored_item_id,
            sampling_ms: result.revised_sampling_interval,
            queue_size: result.revised_queue_size,
        }))
    }
}

/// One event in our words. Its id is text, and its time is a time.
pub(super) fn happened(event: EventFieldList, types: &Types) -> Option<Happened> {
    let handle = event.client_handle.checked_sub(1)?;
    let fields = event.event_fields.unwrap_or_default();
    let at = match fields.get(TIME) {
        Some(Variant::DateTime(at)) => value::timestamp(**at, None),
        _ => None,
    };
    let one = |(place, field): (usize, Variant)| match field {
        Variant::ByteString(id) if place == EVENT_ID => Value::Text(id.as_base64()),
        // Null nodes and names say nothing.
        Variant::NodeId(node) if node.is_null() => Value::Null,
        Variant::String(text) if text.is_null() => Value::Null,
        // A field that is too large is left out, and the event goes on without it.
        field => value::value(field, types).unwrap_or(Value::Null),
    };
    Some(Happened {
        handle,
        at,
        fields: fields.into_iter().enumerate().map(one).collect(),
    })
}

fn subtypes(node: &NodeId) -> BrowseDescription {
    BrowseDescription {
        node_id: convert::vendor_node_id(node),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HasSubtype.into(),
        include_subtypes: true,
        node_class_mask: 0,
        result_mask: BrowseResultMask::All as u32,
    }
}

fn create_request(item: &EventRequest) -> MonitoredItemCreateRequest {
    MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId {
            node_id: convert::vendor_node_id(&item.node),
            attribute_id: AttributeId::EventNotifier as u32,
            ..ReadValueId::default()
        },
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: MonitoringParameters {
            client_handle: convert::vendor_handle(item.handle),
            sampling_interval: 0.0,
            filter: ExtensionObject::from_message(vendor_filter(&item.filter)),
            queue_size: item.queue_size,
            discard_oldest: true,
        },
    }
}

fn vendor_filter(filter: &EventFilter) -> VendorFilter {
    VendorFilter {
        select_clauses: Some(filter.fields.iter().map(select_clause).collect()),
        where_clause: where_clause(filter),
    }
}

/// BaseEventType stands for "whatever the event is"; only the condition's own node is asked of ConditionType (Part 9, 5.5.2).
fn select_clause(field: &Field) -> SimpleAttributeOperand {
    let (of, attribute) = match field.path.is_empty() {
        true => (ObjectTypeId::ConditionType, AttributeId::NodeId),
        false => (ObjectTypeId::BaseEventType, AttributeId::Value),
    };
    let name = |name: &BrowseName| QualifiedName::new(name.namespace, name.name.as_str());
    SimpleAttributeOperand {
        type_definition_id: of.into(),
        browse_path: Some(field.path.iter().map(name).collect()),
        attribute_id: attribute as u32,
        index_range: NumericRange::None,
    }
}

/// All of it, in a tree whose root comes first (OPC UA Part 4, 7.7).
fn where_clause(filter: &EventFilter) -> ContentFilter {
    let field = |name: &str| {
        let operand = SimpleAttributeOperand::new(
            ObjectTypeId::BaseEventType,
            name,
            AttributeId::Value,
            NumericRange::None,
        );
        Operand::SimpleAttributeOperand(operand)
    };
    let mut all = Vec::new();
    if !filter.types.is_empty() {
        let of = |node: &NodeId| {
            let node = Operand::literal(convert::vendor_node_id(node));
            Tree::Leaf(FilterOperator::OfType, vec![node])
        };
        all.extend(joined(
            FilterOperator::Or,
            filter.types.iter().map(of).collect(),
        ));
    }
    if let Some(least) = filter.min_severity {
        let operands = vec![field("Severity"), Operand::literal(least)];
        all.push(Tree::Leaf(FilterOperator::GreaterThanOrEqual, operands));
    }
    if let Some(name) = &filter.source_name {
        let operands = vec![field("SourceName"), Operand::literal(name.as_str())];
        all.push(Tree::Leaf(FilterOperator::Equals, operands));
    }
    let mut elements = Vec::new();
    if let Some(wanted) = joined(FilterOperator::And, all) {
        // Not every server lets the events around a refresh through whatever is asked for.
        let refresh = REFRESH.map(|of| {
            let of = Operand::literal(VendorNodeId::from(of));
            Tree::Leaf(FilterOperator::OfType, vec![of])
        });
        let either = refresh.into_iter().chain([wanted]).collect();
        if let Some(tree) = joined(FilterOperator::Or, either) {
            flatten(tree, &mut elements);
        }
    }
    ContentFilter {
        elements: (!elements.is_empty()).then_some(elements),
    }
}

enum Tree {
    Leaf(FilterOperator, Vec<Operand>),
    Both(FilterOperator, Box<Tree>, Box<Tree>),
}

fn joined(by: FilterOperator, trees: Vec<Tree>) -> Option<Tree> {
    let mut trees = trees.into_iter().rev();
    let last = trees.next()?;
    Some(trees.fold(last, |right, left| {
        Tree::Both(by, Box::new(left), Box::new(right))
    }))
}

/// The element's own place; those below it follow.
fn flatten(tree: Tree, elements: &mut Vec<ContentFilterElement>) -> u32 {
    let place = elements.len();
    match tree {
        Tree::Leaf(operator, operands) => elements.push((operator, operands).into()),
        Tree::Both(operator, left, right) => {
            elements.push((operator, Vec::new()).into());
            let left = flatten(*left, elements);
            let right = flatten(*right, elements);
            elements[place] = (
                operator,
                vec![Operand::element(left), Operand::element(right)],
            )
                .into();
        }
    }
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each element as its operator and how many operands it has.
    fn check(filter: EventFilter, expected: &[(FilterOperator, usize)]) {
        let elements = where_clause(&filter).elements.unwrap_or_default();
        let made: Vec<_> = elements
            .iter()
            .map(|element| {
                let operands = element.filter_operands.as_ref().map_or(0, Vec::len);
                (element.filter_operator, operands)
            })
            .collect();
        assert_eq!(made, expected, "{filter:?}");
    }

    /// The events around a refresh, before what is wanted.
    fn with_refresh(wanted: &[(FilterOperator, usize)]) -> Vec<(FilterOperator, usize)> {
        let of = [(FilterOperator::Or, 2), (FilterOperator::OfType, 1)];
        [&of.repeat(3), wanted].concat()
    }

    #[test]
    fn the_root_of_a_filter_comes_first() {
        let types: Vec<NodeId> = [2041, 2130].map(|id| NodeId::numeric(0, id)).into();
        check(EventFilter::default(), &[]);
        check(
            EventFilter {
                min_severity: Some(500),
                ..EventFilter::default()
            },
            &with_refresh(&[(FilterOperator::GreaterThanOrEqual, 2)]),
        );
        check(
            EventFilter {
                types,
                min_severity: Some(500),
                source_name: Some("Press".to_owned()),
                ..EventFilter::default()
            },
            &with_refresh(&[
                (FilterOperator::And, 2),
                (FilterOperator::Or, 2),
                (FilterOperator::OfType, 1),
                (FilterOperator::OfType, 1),
                (FilterOperator::And, 2),
                (FilterOperator::GreaterThanOrEqual, 2),
                (FilterOperator::Equals, 2),
            ]),
        );
    }
}
