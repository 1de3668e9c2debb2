//! `Client`: the subtypes of types, as the vendor's requests (OPC UA Part 3, 7.10).

use opcua::types::{
    BrowseDescription, BrowseDirection, BrowseResult, BrowseResultMask, ByteString, NodeClassMask,
    ReferenceTypeId,
};

use super::{
    calls::{Client, same_length},
    convert, within,
};
use crate::{
    connection::{BrowseName, Subtypes},
    node_id::NodeId,
    room::{self, Room},
    status::Status,
    value,
};

/// The most direct subtypes of one type.
const MAX_SUBTYPES: usize = 50_000;
/// The most answers in which a server may tell them.
const MAX_PAGES: usize = 2_000;

impl Client {
    pub(super) async fn subtypes_of(
        &self,
        nodes: &[NodeId],
    ) -> Result<Vec<Result<Subtypes, Status>>, Status> {
        let wanted: Vec<BrowseDescription> = nodes.iter().map(description).collect();
        let results = within(self.session.browse(&wanted, 0, None)).await?;
        let mut found: Vec<Result<Subtypes, Status>> = vec![Ok(Vec::new()); nodes.len()];
        let mut answers: Vec<(usize, BrowseResult)> = same_length(results, nodes.len())?
            .into_iter()
            .enumerate()
            .collect();
        let mut room = Room::of(room::OF_A_QUESTION);
        for _ in 0..MAX_PAGES {
            let unfinished: Vec<(usize, ByteString)> = answers
                .into_iter()
                .filter_map(|(at, answer)| Some((at, take(&mut found[at], answer, &mut room)?)))
                .collect();
            if unfinished.is_empty() || room.is_over() {
                return Ok(found);
            }
            let (places, points): (Vec<usize>, Vec<ByteString>) = unfinished.into_iter().unzip();
            let more = within(self.session.browse_next(false, &points)).await?;
            answers = places
                .into_iter()
                .zip(same_length(more, points.len())?)
                .collect();
        }
        Ok(found)
    }
}

/// Takes a page; what is left when there is more, and there was progress.
fn take(
    found: &mut Result<Subtypes, Status>,
    answer: BrowseResult,
    room: &mut Room,
) -> Option<ByteString> {
    if answer.status_code.is_bad() {
        *found = Err(value::status(answer.status_code));
        return None;
    }
    let page = answer.references.unwrap_or_default();
    let list = found.as_mut().ok()?;
    let more = !answer.continuation_point.is_null_or_empty()
        && !page.is_empty()
        && list.len() < MAX_SUBTYPES;
    let local = page
        .into_iter()
        .filter(|reference| reference.node_id.server_index == 0);
    list.extend(local.map(|reference| {
        let name = BrowseName {
            namespace: reference.browse_name.namespace_index,
            name: reference.browse_name.name.into(),
        };
        let node = convert::node_id(reference.node_id.node_id);
        room.take(room::of_node(&node) + room::of_name(&name));
        (node, name)
    }));
    more.then_some(answer.continuation_point)
}

fn description(node: &NodeId) -> BrowseDescription {
    BrowseDescription {
        node_id: convert::vendor_node_id(node),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HasSubtype.into(),
        include_subtypes: true,
        node_class_mask: (NodeClassMask::OBJECT_TYPE | NodeClassMask::VARIABLE_TYPE).bits(),
        result_mask: BrowseResultMask::All as u32,
    }
}
