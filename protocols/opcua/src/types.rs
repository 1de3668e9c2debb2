//! Rules by type: which types a rule means, subtypes included (OPC UA Part 3, 4.6), and every instance of them below `Objects`.
//!
//! Only rules by type and profiles ask for types: without one, nothing here is called.

mod instances;
mod shape;

use std::{collections::HashSet, str::FromStr};

pub(crate) use self::instances::{Instances, Member, Wanted, instances};
use crate::{
    connection::{BrowseName, Connection},
    node_id::{NodeAddress, NodeId, unescape_uri},
    room::{self, Room},
    status::Status,
};

/// BaseObjectType and BaseVariableType: everything that has instances is below one of them.
const ROOTS: [(NodeId, &str); 2] = [
    (NodeId::numeric(0, 58), "BaseObjectType"),
    (NodeId::numeric(0, 62), "BaseVariableType"),
];
/// The most types that are looked at; a server with all companion models has a tenth of it.
const MAX_TYPES: usize = 50_000;

/// A type as settings write it: its node id, or its browse name with or without its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeName {
    Node(NodeAddress),
    Named {
        namespace: Option<String>,
        name: String,
    },
}

/// A type of the server, and the place of the one that it is a subtype of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    node: NodeId,
    name: BrowseName,
    parent: Option<usize>,
}

/// The server's types, each after the one that it is a subtype of.
#[derive(Debug, Default)]
pub(crate) struct Types {
    kinds: Vec<Kind>,
    cut: bool,
}

// === impl TypeName ===

impl FromStr for TypeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Node(address));
        }
        let (namespace, name) = match text.strip_prefix("nsu=") {
            Some(pinned) => {
                let (uri, name) = pinned
                    .split_once(';')
                    .ok_or("after nsu=… a `;` and the type's name must follow")?;
                (Some(unescape_uri(uri)), name)
            }
            None => (None, text),
        };
        match name {
            "" => Err("the type's name is empty"),
            name if name.len() > 512 => Err("the type's name is longer than 512 bytes"),
            name => Ok(Self::Named {
                namespace,
                name: name.to_owned(),
            }),
        }
    }
}

impl TypeName {
    fn is(&self, kind: &Kind, namespaces: &[String]) -> bool {
        match self {
            Self::Node(address) => address.resolve(namespaces).as_ref() == Some(&kind.node),
            Self::Named { namespace, name } => {
                let uri = namespaces.get(usize::from(kind.name.namespace));
                *name == kind.name.name
                    && namespace.as_ref().is_none_or(|pinned| uri == Some(pinned))
            }
        }
    }
}

// === impl Types ===

impl Types {
    /// All types of the server, level by level.
    ///
    /// # Errors
    /// When the server stops answering; a single type that cannot be browsed is passed over.
    pub(crate) async fn of(connection: &dyn Connection, per_browse: usize) -> Result<Self, Status> {
        let root = |(node, name): (NodeId, &str)| Kind {
            node,
            name: BrowseName {
                namespace: 0,
                name: name.to_owned(),
            },
            parent: None,
        };
        let mut types = Self {
            kinds: ROOTS.map(root).into(),
            cut: false,
        };
        let mut known: HashSet<NodeId> = types.kinds.iter().map(|kind| kind.node.clone()).collect();
        let mut room = Room::of(room::OF_A_QUESTION);
        let mut asked = 0;
        while asked < types.kinds.len() {
            let end = types.kinds.len().min(asked + per_browse.max(1));
            let nodes = types.kinds[asked..end].iter();
            let nodes = nodes.map(|kind| kind.node.clone()).collect();
            for (parent, found) in (asked..end).zip(connection.subtypes(nodes).await?) {
                let found = found.unwrap_or_else(|why| {
                    tracing::debug!(node = ?types.kinds[parent].node, %why, "cannot browse");
                    Vec::new()
                });
                for (node, name) in found {
                    if known.insert(node.clone()) {
                        room.take(2 * room::of_node(&node) + room::of_name(&name));
                        types.kinds.push(Kind {
                            node,
                            name,
                            parent: Some(parent),
                        });
                    }
                }
                if types.kinds.len() > MAX_TYPES || room.is_over() {
                    types.cut = true;
                    return Ok(types);
                }
            }
            asked = end;
        }
        Ok(types)
    }

    /// The types that a name means, with their subtypes.
    pub(crate) fn meant(&self, name: &TypeName, namespaces: &[String]) -> HashSet<NodeId> {
        let mut meant = vec![false; self.kinds.len()];
        for (at, kind) in self.kinds.iter().enumerate() {
            meant[at] =
                kind.parent.is_some_and(|parent| meant[parent]) || name.is(kind, namespaces);
        }
        let chosen = self.kinds.iter().zip(meant).filter(|(_, meant)| *meant);
        chosen.map(|(kind, _)| kind.node.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        let kind = |id, namespace, name: &str, parent| Kind {
            node: NodeId::numeric(namespace, id),
            name: BrowseName {
                namespace,
                name: name.to_owned(),
            },
            parent,
        };
        Types {
            kinds: vec![
                kind(58, 0, "BaseObjectType", None),
                kind(1, 1, "MotorType", Some(0)),
                kind(2, 2, "MotorType", Some(0)),
                kind(3, 1, "ServoType", Some(1)),
                kind(4, 2, "OtherType", Some(0)),
                kind(5, 2, "SmallServoType", Some(3)),
            ],
            cut: false,
        }
    }

    #[test]
    fn a_type_is_meant_with_its_subtypes() {
        let namespaces = ["ua", "urn:a", "urn:b"].map(str::to_owned);
        for (text, expected) in [
            ("MotorType", &[(1, 1), (1, 3), (2, 2), (2, 5)][..]),
            ("nsu=urn:a;MotorType", &[(1, 1), (1, 3), (2, 5)]),
            ("nsu=urn:b;MotorType", &[(2, 2)]),
            ("nsu=urn:a;i=3", &[(1, 3), (2, 5)]),
            ("nsu=urn:gone;MotorType", &[]),
            ("nsu=urn:gone;i=3", &[]),
            ("Motor", &[]),
            ("SmallServoType", &[(2, 5)]),
        ] {
            let name: TypeName = text.parse().unwrap();
            let meant = types().meant(&name, &namespaces);
            let mut meant: Vec<NodeId> = meant.into_iter().collect();
            meant.sort();
            let expected: Vec<NodeId> = expected
                .iter()
                .map(|(namespace, id)| NodeId::numeric(*namespace, *id))
                .collect();
            assert_eq!(meant, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for text in ["", "nsu=urn:a", "nsu=urn:a;"] {
            assert!(text.parse::<TypeName>().is_err(), "{text}");
        }
    }
}
