//! Node ids, neighbours and notifications between the vendor's types and ours.

use opcua::types::{
    ByteString, DataChangeNotification, EventNotificationList, ExtensionObject, Guid,
    Identifier as VendorIdentifier, NodeClass, NodeId as VendorNodeId, NotificationMessage,
    ObjectId, ReferenceDescription, ReferenceTypeId, StatusChangeNotification, UAString,
    type_loader::ByteStringBody,
};

use super::events;
use crate::{
    connection::{BrowseName, Change, Class, Neighbour, Notification},
    node_id::{Identifier, NodeId},
    value::{self, Types},
};

pub(super) fn node_id(node: VendorNodeId) -> NodeId {
    NodeId {
        namespace: node.namespace,
        identifier: match node.identifier {
            VendorIdentifier::Numeric(number) => Identifier::Numeric(number),
            VendorIdentifier::String(text) => Identifier::Text(text.into()),
            VendorIdentifier::Guid(guid) => Identifier::Guid(guid.to_string()),
            VendorIdentifier::ByteString(bytes) => Identifier::Opaque(bytes.as_base64()),
        },
    }
}

/// A GUID or Base64 text that is none became impossible when the settings were checked, and becomes null here.
pub(super) fn vendor_node_id(node: &NodeId) -> VendorNodeId {
    let identifier = match &node.identifier {
        Identifier::Numeric(number) => VendorIdentifier::Numeric(*number),
        Identifier::Text(text) => VendorIdentifier::String(UAString::from(text.as_str())),
        Identifier::Guid(text) => {
            VendorIdentifier::Guid(text.parse().unwrap_or_else(|_| Guid::null()))
        }
        Identifier::Opaque(text) => {
            VendorIdentifier::ByteString(ByteString::from_base64(text).unwrap_or_default())
        }
    };
    VendorNodeId {
        namespace: node.namespace,
        identifier,
    }
}

/// The library takes 0 for "none yet" and puts a number of its own in its place; so ours start with 1 there.
pub(super) fn vendor_handle(handle: u32) -> u32 {
    handle + 1
}

/// `None` for nodes of other servers and for other node classes.
pub(super) fn neighbour(reference: ReferenceDescription) -> Option<Neighbour> {
    if reference.node_id.server_index != 0 {
        return None;
    }
    let property = reference.reference_type_id == ReferenceTypeId::HasProperty;
    let class = match reference.node_class {
        NodeClass::Object => Class::Object,
        NodeClass::Variable if property => Class::Property,
        NodeClass::Variable => Class::Variable,
        _ => return None,
    };
    Some(Neighbour {
        node: node_id(reference.node_id.node_id),
        name: BrowseName {
            namespace: reference.browse_name.namespace_index,
            name: reference.browse_name.name.into(),
        },
        class,
    })
}

/// The ids of structures in a message that nothing is known of yet.
pub(super) fn news(message: &NotificationMessage, types: &Types) -> Vec<VendorNodeId> {
    let mut found = Vec::new();
    let parts = message.notification_data.iter().flatten();
    for data in parts.filter_map(|part| part.inner_as::<DataChangeNotification>()) {
        let values = data.monitored_items.iter().flatten();
        for variant in values.filter_map(|item| item.value.value.as_ref()) {
            value::news(variant, types, &mut found);
        }
    }
    let parts = message.notification_data.iter().flatten();
    for list in parts.filter_map(|part| part.inner_as::<EventNotificationList>()) {
        let fields = list.events.iter().flatten();
        for variant in fields.flat_map(|event| event.event_fields.iter().flatten()) {
            value::news(variant, types, &mut found);
        }
    }
    found
}

pub(super) fn notification(message: NotificationMessage, types: &Types) -> Notification {
    let data = message.notification_data.unwrap_or_default();
    let mut notification = Notification {
        sequence: message.sequence_number,
        keep_alive: data.is_empty(),
        ..Notification::default()
    };
    for part in data {
        add(&mut notification, part, types);
    }
    notification
}

fn add(notification: &mut Notification, part: ExtensionObject, types: &Types) {
    if part.inner_is::<DataChangeNotification>() {
        let items = part
            .into_inner_as::<DataChangeNotification>()
            .and_then(|data| data.monitored_items)
            .unwrap_or_default();
        notification.changes.reserve(items.len());
        let changes = items.into_iter().filter_map(|item| {
            Some(Change {
                handle: item.client_handle.checked_sub(1)?,
                observed: Some(value::observed(item.value, types)),
            })
        });
        notification.changes.extend(changes);
    } else if let Some(change) = part.inner_as::<StatusChangeNotification>() {
        notification.ended = Some(value::status(change.status));
    } else if let Some(raw) = part.inner_as::<ByteStringBody>()
        && *raw.encoding_id() == ObjectId::DataChangeNotification_Encoding_DefaultBinary
    {
        // One of its values is too much for us, or it is cut off.
        let salvaged = value::salvage(raw.raw_body().as_ref(), types);
        notification.lost += salvaged.lost;
        let changes = salvaged
            .values
            .into_iter()
            .filter_map(|(handle, observed)| {
                Some(Change {
                    handle: handle.checked_sub(1)?,
                    observed: Some(observed),
                })
            });
        notification.changes.extend(changes);
    } else if part.inner_is::<EventNotificationList>() {
        let list = part.into_inner_as::<EventNotificationList>();
        let events = list.and_then(|list| list.events).unwrap_or_default();
        let happened = events
            .into_iter()
            .filter_map(|event| events::happened(event, types));
        notification.events.extend(happened);
    } else if let Some(raw) = part.inner_as::<ByteStringBody>()
        && *raw.encoding_id() == ObjectId::EventNotificationList_Encoding_DefaultBinary
    {
        // How many they are is not known; one of them is too much for us.
        notification.lost += 1;
    } else {
        tracing::debug!(part = part.type_name(), "unknown notification data");
    }
}
