//! `Room`: how much memory may be spent on what a server tells of its nodes. It chooses how many there are and how long their
//! names and ids, each up to a megabyte, so that a limit of their number alone is none. Pure.

use fieldgate_model::Value;

use crate::{
    browse::BrowsePath,
    connection::{BrowseName, Neighbour},
    explore::asked::Reference,
    node_id::{Identifier, NodeId},
};

/// For the answers to one question, with all that is still left of them.
pub(crate) const OF_A_QUESTION: usize = 64 << 20;
/// For what is kept while one looks at a whole address space: 200,000 nodes with paths as servers have them need less.
pub(crate) const OF_A_LOOK: usize = 256 << 20;

/// For what a server says of its data types.
pub(crate) const OF_TYPES: usize = 32 << 20;

/// What is left.
#[derive(Debug, Clone)]
pub(crate) struct Room(Option<usize>);

// === impl Room ===

impl Room {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Some(bytes))
    }

    pub(crate) fn take(&mut self, bytes: usize) {
        self.0 = self.0.and_then(|left| left.checked_sub(bytes));
    }

    /// More was taken than there was.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_none()
    }
}

pub(crate) fn of_node(node: &NodeId) -> usize {
    let text = match &node.identifier {
        Identifier::Numeric(_) => 0,
        Identifier::Text(text) | Identifier::Guid(text) | Identifier::Opaque(text) => text.len(),
    };
    size_of::<NodeId>() + text
}

pub(crate) fn of_name(name: &BrowseName) -> usize {
    size_of::<BrowseName>() + name.name.len()
}

pub(crate) fn of_neighbour(neighbour: &Neighbour) -> usize {
    of_node(&neighbour.node) + of_name(&neighbour.name)
}

pub(crate) fn of_reference(reference: &Reference) -> usize {
    let kind = reference.type_definition.as_ref().map_or(0, of_node);
    of_node(&reference.node) + of_name(&reference.name) + reference.display.len() + kind
}

pub(crate) fn of_path(path: &BrowsePath) -> usize {
    path.0.iter().map(|(name, _)| of_name(name)).sum()
}

/// Nested no deeper than values are read.
pub(crate) fn of_value(value: &Value) -> usize {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_) => 0,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => values.iter().map(of_value).sum(),
        Value::Struct(fields) => {
            let field = |(name, value): &(String, Value)| {
                size_of::<String>() + name.len() + of_value(value)
            };
            fields.iter().map(field).sum()
        }
        Value::Blob { media_type, data } => media_type.len() + data.len(),
    };
    size_of::<Value>() + inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over() {
        let mut room = Room::of(10);
        room.take(4);
        room.take(6);
        assert!(!room.is_over());
        room.take(1);
        room.take(0);
        assert!(room.is_over());
    }

    #[test]
    fn long_names_need_more_than_short_ones() {
        let neighbour = |text: &str| Neighbour {
            node: NodeId {
                namespace: 2,
                identifier: Identifier::Text(text.to_owned()),
            },
            name: BrowseName {
                namespace: 2,
                name: text.to_owned(),
            },
            class: crate::connection::Class::Object,
        };
        let (short, long) = (
            of_neighbour(&neighbour("a")),
            of_neighbour(&neighbour("aaa")),
        );
        assert_eq!(long - short, 4);
    }
}
