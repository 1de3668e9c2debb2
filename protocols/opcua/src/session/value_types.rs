//! `Client`: what variables hold, by their data types (OPC UA Part 3, 5.6.2).

use std::collections::{HashMap, HashSet};

use opcua::types::{AttributeId, NodeId as VendorNodeId, Variant};

use super::{calls::Client, convert};
use crate::{connection::ValueType, node_id::NodeId, status::Status};

/// Characters of a type's name.
const MAX_NAME: usize = 200;

impl Client {
    /// Two attributes are read of each variable; the data types themselves are learned once.
    pub(super) async fn read_value_types(
        &self,
        nodes: &[NodeId],
    ) -> Result<Vec<ValueType>, Status> {
        let wanted: Vec<_> = nodes
            .iter()
            .map(convert::vendor_node_id)
            .flat_map(|node| {
                [
                    (node.clone(), AttributeId::DataType),
                    (node, AttributeId::ValueRank),
                ]
            })
            .collect();
        let values = self.read(&wanted).await?;
        let types: Vec<Option<(VendorNodeId, i32)>> = values
            .chunks(2)
            .map(|pair| match (&pair[0].value, &pair[1].value) {
                (Some(Variant::NodeId(node)), Some(Variant::Int32(rank))) => {
                    Some(((**node).clone(), *rank))
                }
                (Some(Variant::NodeId(node)), _) => Some(((**node).clone(), -1)),
                _ => None,
            })
            .collect();
        let unique: HashSet<&VendorNodeId> = types.iter().flatten().map(|(node, _)| node).collect();
        let unique: Vec<VendorNodeId> = unique.into_iter().cloned().collect();
        self.lexicon.learn(&self.session, &unique).await;
        let names = self.type_names(unique).await?;
        let known = self.lexicon.types();
        let value_type = |(node, rank): &(VendorNodeId, i32)| ValueType {
            name: names
                .get(node)
                .map(|name| format!("{name}{}", brackets(*rank))),
            enumeration: known.enumeration(node).cloned(),
        };
        let of_each = types.iter().map(|found| found.as_ref().map(value_type));
        Ok(of_each.map(Option::unwrap_or_default).collect())
    }

    /// The type names behind data type nodes, asked once for each.
    pub(super) async fn type_names(
        &self,
        types: Vec<VendorNodeId>,
    ) -> Result<HashMap<VendorNodeId, String>, Status> {
        let wanted: Vec<_> = types
            .into_iter()
            .map(|node| (node, AttributeId::BrowseName))
            .collect();
        let names = self.read(&wanted).await?;
        Ok(wanted
            .into_iter()
            .zip(names)
            .filter_map(|((node, _), name)| match name.value {
                Some(Variant::QualifiedName(name)) => {
                    // It stands at each variable of the type.
                    let name = name.name.as_ref().chars().take(MAX_NAME);
                    Some((node, name.collect()))
                }
                _ => None,
            })
            .collect())
    }
}

/// `[]` for each dimension (Part 3, 5.6.2: -1 is a scalar, 0 and more are arrays).
pub(super) fn brackets(rank: i32) -> String {
    match usize::try_from(rank) {
        Ok(dimensions) => "[]".repeat(dimensions.clamp(1, 8)),
        Err(_) => String::new(),
    }
}
