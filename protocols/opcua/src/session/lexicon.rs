//! `Lexicon`: the data types of one session's server, read when the source connects and when an unknown one is sent.

use std::{
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use opcua::{
    client::Session,
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResultMask, DataTypeDefinition,
        DataValue, ExtensionObject, LocalizedText, NodeId, NotificationMessage, ReadValueId,
        ReferenceDescription, ReferenceTypeId, TimestampsToReturn, Variant,
    },
};
use tokio::sync::Mutex;

use super::{calls::same_length, convert, within};
use crate::{
    connection::{Notification, Observed},
    room::{self, Room},
    status::Status,
    value::{self, Described, Types, learn},
};

/// Data types of one call: two attributes and three references are asked of each, which a small server takes, too.
const TYPES_A_CALL: usize = 30;
/// Fields of fields of fields: no type needs so many rounds.
const MAX_ROUNDS: usize = 32;
/// More types than this are not asked for at once, whatever refers to whatever.
const MAX_DESCRIBED: usize = 5_000;
/// How long a message waits for the types in it; then it is delivered with what is known.
const MAX_WAIT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Lexicon {
    types: RwLock<Types>,
    /// Whoever converts a message has it, so that none overtakes one that waits for its types.
    turn: Mutex<()>,
}

// === impl Lexicon ===

impl Lexicon {
    pub(super) fn types(&self) -> RwLockReadGuard<'_, Types> {
        self.types.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message in our words, once the structures in it are known; messages do not overtake each other.
    pub(super) async fn notification(
        &self,
        session: &Session,
        message: NotificationMessage,
    ) -> Notification {
        let _turn = self.turn.lock().await;
        self.notification_again(session, message).await
    }

    /// The same of a message that was asked for once more: out of turn, since whoever waits for it does not poll those that have
    /// the turn or are next, and would wait for ever.
    pub(super) async fn notification_again(
        &self,
        session: &Session,
        message: NotificationMessage,
    ) -> Notification {
        let unknown = convert::news(&message, &self.types());
        self.prepare(session, unknown).await;
        convert::notification(message, &self.types())
    }

    /// Values in our words, once the structures in them are known.
    pub(super) async fn values(&self, session: &Session, values: Vec<DataValue>) -> Vec<Observed> {
        let unknown = {
            let (types, mut unknown) = (self.types(), Vec::new());
            for variant in values.iter().filter_map(|data| data.value.as_ref()) {
                value::news(variant, &types, &mut unknown);
            }
            unknown
        };
        self.prepare(session, unknown).await;
        let types = self.types();
        let observed = |data| value::observed(data, &types);
        values.into_iter().map(observed).collect()
    }

    /// Learns structures that were never sent before.
    async fn prepare(&self, session: &Session, unknown: Vec<NodeId>) {
        if unknown.is_empty() {
            return;
        }
        let learning = self.learn_encodings(session, &unknown);
        if tokio::time::timeout(MAX_WAIT, learning).await.is_err() {
            tracing::debug!("the server takes long to say what its data types are");
        }
        let mut types = self.write();
        for encoding in unknown {
            if types.is_news(&encoding) {
                types.add_stranger(encoding);
            }
        }
    }

    /// Learns data types, and those of their fields.
    pub(super) async fn learn(&self, session: &Session, data_types: &[NodeId]) {
        let mut described: HashMap<NodeId, Described> = HashMap::new();
        let mut waiting = self.unknown(data_types.iter());
        let mut room = Room::of(room::OF_TYPES);
        for _ in 0..MAX_ROUNDS {
            if waiting.is_empty() || described.len() + waiting.len() > MAX_DESCRIBED {
                break;
            }
            let mut needs = Vec::new();
            for chunk in waiting.chunks(TYPES_A_CALL) {
                if room.is_over() {
                    break;
                }
                let answers = match describe(session, chunk).await {
                    Ok(answers) => answers,
                    Err(why) => {
                        tracing::debug!(%why, "the server does not describe its data types");
                        vec![Described::default(); chunk.len()]
                    }
                };
                for (id, answer) in chunk.iter().zip(answers) {
                    room.take(answer.bytes());
                    needs.extend(answer.needs());
                    described.insert(id.clone(), answer);
                }
            }
            waiting = self.unknown(needs.iter());
            waiting.retain(|id| !described.contains_key(id));
            if room.is_over() {
                tracing::warn!(
                    "the server says more of its data types than is taken; what is left is not known"
                );
                break;
            }
        }
        learn(&mut self.write(), &described);
    }

    /// Learns the data types behind the ids that structures are sent with.
    async fn learn_encodings(&self, session: &Session, encodings: &[NodeId]) {
        let mut data_types = Vec::new();
        for chunk in encodings.chunks(TYPES_A_CALL) {
            let wanted: Vec<BrowseDescription> = chunk
                .iter()
                .map(|id| references(id, ReferenceTypeId::HasEncoding, BrowseDirection::Inverse))
                .collect();
            let Ok(answers) = browse(session, &wanted).await else {
                return;
            };
            for (encoding, answer) in chunk.iter().zip(answers) {
                // Some servers send a data type's own id.
                let data_type = answer
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| encoding.clone());
                if data_type != *encoding {
                    self.write()
                        .add_encoding(encoding.clone(), data_type.clone());
                }
                data_types.push(data_type);
            }
        }
        self.learn(session, &data_types).await;
    }

    fn unknown<'a>(&self, ids: impl Iterator<Item = &'a NodeId>) -> Vec<NodeId> {
        let types = self.types();
        let unknown: HashSet<&NodeId> = ids.filter(|id| types.is_news(id)).collect();
        unknown.into_iter().cloned().collect()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Types> {
        self.types.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One description an id, in their order.
async fn describe(session: &Session, ids: &[NodeId]) -> Result<Vec<Described>, Status> {
    let attributes: Vec<ReadValueId> = ids
        .iter()
        .flat_map(|id| {
            [AttributeId::DataTypeDefinition, AttributeId::IsAbstract]
                .map(|attribute| ReadValueId::new(id.clone(), attribute))
        })
        .collect();
    let mut values = read(session, &attributes).await?.into_iter();
    let wanted: Vec<BrowseDescription> = ids
        .iter()
        .flat_map(|id| {
            [
                references(id, ReferenceTypeId::HasSubtype, BrowseDirection::Inverse),
                references(id, ReferenceTypeId::HasEncoding, BrowseDirection::Forward),
                references(id, ReferenceTypeId::HasProperty, BrowseDirection::Forward),
            ]
        })
        .collect();
    let mut related = browse(session, &wanted).await?.into_iter();
    let mut described = Vec::with_capacity(ids.len());
    let mut properties = Vec::new();
    for at in 0..ids.len() {
        let definition = values.next().and_then(|data| definition(data.value));
        let is_abstract = values.next().and_then(|data| data.value) == Some(Variant::Boolean(true));
        let supertype = related.next().unwrap_or_default().into_iter().next();
        let encodings = related.next().unwrap_or_default();
        let own = related.next().unwrap_or_default();
        if definition.is_none() {
            properties.extend(own.into_iter().map(|property| (at, property)));
        }
        described.push(Described {
            definition,
            is_abstract,
            supertype,
            encodings,
            names: None,
        });
    }
    // One of a data type's few properties has the names of its numbers (Part 3, 5.8.3).
    let wanted: Vec<ReadValueId> = properties
        .iter()
        .map(|(_, property)| ReadValueId::new(property.clone(), AttributeId::Value))
        .collect();
    if !wanted.is_empty() {
        let values = read(session, &wanted).await?;
        for ((at, _), value) in properties.iter().zip(values) {
            if let Some(names) = value.value.and_then(names) {
                described[*at].names = Some(names);
            }
        }
    }
    Ok(described)
}

fn definition(value: Option<Variant>) -> Option<DataTypeDefinition> {
    match value? {
        Variant::ExtensionObject(object) => DataTypeDefinition::from_extension_object(object).ok(),
        _ => None,
    }
}

/// EnumStrings and OptionSetValues are texts, counted from 0; EnumValues have their numbers (Part 3, 5.8.3 and 8.39).
pub(super) fn names(value: Variant) -> Option<Vec<(i64, String)>> {
    let Variant::Array(array) = value else {
        return None;
    };
    let name = |(at, element): (i64, Variant)| match element {
        Variant::LocalizedText(text) => Some((at, text.text.into())),
        Variant::ExtensionObject(object) => enum_value(object),
        _ => None,
    };
    Some((0..).zip(array.values).filter_map(name).collect())
}

fn enum_value(object: ExtensionObject) -> Option<(i64, String)> {
    let value = object.into_inner_as::<opcua::types::EnumValueType>()?;
    let text: LocalizedText = value.display_name;
    Some((value.value, text.text.into()))
}

fn references(
    id: &NodeId,
    reference: ReferenceTypeId,
    direction: BrowseDirection,
) -> BrowseDescription {
    BrowseDescription {
        node_id: id.clone(),
        browse_direction: direction,
        reference_type_id: reference.into(),
        include_subtypes: false,
        node_class_mask: 0,
        result_mask: BrowseResultMask::None as u32,
    }
}

async fn read(session: &Session, wanted: &[ReadValueId]) -> Result<Vec<DataValue>, Status> {
    let values = within(session.read(wanted, TimestampsToReturn::Neither, 0.0)).await?;
    same_length(values, wanted.len())
}

/// The nodes at the other end; those of a node that has more than fit into one answer are too many for us.
async fn browse(
    session: &Session,
    wanted: &[BrowseDescription],
) -> Result<Vec<Vec<NodeId>>, Status> {
    let results = within(session.browse(wanted, 0, None)).await?;
    let mut unfinished = Vec::new();
    let mut found = Vec::with_capacity(results.len());
    for result in same_length(results, wanted.len())? {
        if !result.continuation_point.is_null_or_empty() {
            unfinished.push(result.continuation_point);
        }
        let local = |reference: ReferenceDescription| {
            let node = reference.node_id;
            (node.server_index == 0).then_some(node.node_id)
        };
        let references = result.references.unwrap_or_default().into_iter();
        found.push(references.filter_map(local).collect());
    }
    if !unfinished.is_empty() {
        let _released = within(session.browse_next(true, &unfinished)).await;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::{FutureExt as _, poll};
    use opcua::{
        client::{ClientBuilder, IdentityToken},
        types::{DateTime, MessageSecurityMode, UserTokenPolicy},
    };

    use super::*;

    #[tokio::test]
    async fn a_message_that_was_asked_for_again_does_not_wait_for_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = (
            "opc.tcp://127.0.0.1:1",
            "None",
            MessageSecurityMode::None,
            UserTokenPolicy::anonymous(),
        );
        let builder = ClientBuilder::new()
            .application_name("a")
            .pki_dir(folder.path());
        let mut client = builder.application_uri("urn:a").client().unwrap();
        let connected = client.connect_to_endpoint_directly(endpoint, IdentityToken::Anonymous);
        let (session, _) = connected.unwrap();
        let lexicon = Lexicon::default();
        let message = |number| NotificationMessage::keep_alive(number, DateTime::now());
        // Two answers come at once. The first is taken, and now the second has the turn and nobody polls it.
        let turn = lexicon.turn.lock().await;
        let mut second = lexicon.notification(&session, message(2)).boxed();
        assert!(poll!(&mut second).is_pending());
        drop(turn);
        let mut again = lexicon.notification_again(&session, message(1)).boxed();
        let Poll::Ready(again) = poll!(&mut again) else {
            panic!("it waits for one that nobody polls");
        };
        assert_eq!(again.sequence, 1);
        assert_eq!(second.await.sequence, 2);
    }
}
