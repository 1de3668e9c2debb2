//! `Inbox`: chunks become answers to the requests that wait for them, within our limits (OPC UA Part 6, 6.7.2).
//!
//! The library closes the connection over one answer that it cannot read. Here only the request fails, so that one
//! value cannot cost a session: it would come again with the next one, for ever.

use std::{collections::HashMap, sync::Arc, time::Instant};

use opcua::{
    client::transport::{OutgoingMessage, SecureChannelState},
    core::{
        Message as _, RequestMessage, ResponseMessage,
        comms::{
            message_chunk::{MessageChunk, MessageIsFinalType},
            secure_channel::SecureChannel,
            sequence_number::SequenceNumberHandle,
            tcp_codec::Message,
        },
    },
    crypto::SecurityPolicy,
    types::{
        BinaryDecodable, ByteString, ContextOwned, DateTime, Error, ExtensionObject,
        MessageSecurityMode, NamespaceMap, NodeId, NotificationMessage, ObjectId,
        OpenSecureChannelResponse, PublishResponse, ResponseHeader, StatusCode,
        TypeLoaderCollection, type_loader::ByteStringBody,
    },
};
use tokio::sync::oneshot;

use super::{MAX_CHUNKS, MAX_MESSAGE_BYTES};
use crate::value::{BoundedLoader, Guarded};

/// Requests that wait for an answer.
pub(super) struct Inbox {
    channel: Arc<SecureChannelState>,
    sequence: SequenceNumberHandle,
    waiting: HashMap<u32, Waiting>,
    context: ContextOwned,
}

type Answer = oneshot::Sender<Result<ResponseMessage, Error>>;

struct Waiting {
    answer: Answer,
    deadline: Instant,
    /// The bodies of the chunks so far.
    body: Vec<u8>,
    chunks: usize,
}

// === impl Inbox ===

impl Inbox {
    pub(super) fn new(channel: Arc<SecureChannelState>) -> Self {
        let (legacy, options) = {
            let secure = channel.secure_channel().read();
            let policy = secure.security_policy();
            (policy.legacy_sequence_numbers(), secure.decoding_options())
        };
        let mut loaders = TypeLoaderCollection::new_empty();
        loaders.add_type_loader(BoundedLoader);
        let namespaces = NamespaceMap::new();
        Self {
            channel,
            sequence: SequenceNumberHandle::new(legacy),
            waiting: HashMap::new(),
            context: ContextOwned::new(namespaces, loaders, options),
        }
    }

    /// A request goes out under this id; what is left of it to be sent.
    pub(super) fn expect(&mut self, id: u32, outgoing: OutgoingMessage) -> RequestMessage {
        if let Some(answer) = outgoing.callback {
            self.waiting.insert(
                id,
                Waiting {
                    answer,
                    deadline: outgoing.deadline,
                    body: Vec::new(),
                    chunks: 0,
                },
            );
        }
        outgoing.request
    }

    /// The request could not be sent.
    pub(super) fn fail(&mut self, id: u32, why: Error) {
        if let Some(waiting) = self.waiting.remove(&id) {
            // Whoever asked may have gone.
            let _told = waiting.answer.send(Err(why));
        }
    }

    /// When the next request has waited long enough.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.deadline).min()
    }

    /// Gives up the requests whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        let over: Vec<u32> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.fail(id, Error::new(StatusCode::BadTimeout, "no answer in time"));
        }
    }

    /// Nobody gets an answer any more.
    pub(super) fn close(&mut self, status: StatusCode) {
        for (_, waiting) in self.waiting.drain() {
            let why = Error::new(status, "the connection is closed");
            let _told = waiting.answer.send(Err(why));
        }
    }

    /// One message from the socket.
    ///
    /// # Errors
    /// When the connection cannot go on.
    pub(super) fn take(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Chunk(chunk) => self.chunk(chunk),
            Message::Error(error) => Err(Error::new(error.error, error.reason.to_string())),
            _ => Err(Error::new(
                StatusCode::BadTcpMessageTypeInvalid,
                "a greeting in the middle of a conversation",
            )),
        }
    }

    fn chunk(&mut self, chunk: MessageChunk) -> Result<(), Error> {
        let (chunk, info) = {
            let secure = self.channel.secure_channel().read();
            let chunk = secure.verify_and_remove_security(chunk.data)?;
            let info = chunk.chunk_info(&secure)?;
            let (ours, theirs) = (
                secure.secure_channel_id(),
                info.message_header.secure_channel_id,
            );
            if ours != 0 && ours != theirs {
                return Err(Error::new(
                    StatusCode::BadSecureChannelIdInvalid,
                    "a chunk of another secure channel",
                ));
            }
            (chunk, info)
        };
        let number = info.sequence_header.sequence_number;
        self.sequence.validate_and_increment(number)?;
        let id = info.sequence_header.request_id;
        let Some(waiting) = self.waiting.get_mut(&id) else {
            // Nobody waits any more, or it was too large already.
            return Ok(());
        };
        let body = chunk
            .data
            .get(info.body_offset..info.body_offset + info.body_length)
            .unwrap_or_default();
        match info.message_header.is_final {
            MessageIsFinalType::FinalError => {
                let options = self.context.options().clone();
                let why = match chunk.final_error_body(&info, &options) {
                    Ok(error) => Error::new(error.status, error.reason.to_string()),
                    Err(_) => Error::new(StatusCode::BadCommunicationError, "given up"),
                };
                self.fail(id, why);
            }
            MessageIsFinalType::Intermediate | MessageIsFinalType::Final => {
                waiting.chunks += 1;
                if waiting.chunks > MAX_CHUNKS
                    || waiting.body.len() + body.len() > MAX_MESSAGE_BYTES
                {
                    let room = MAX_MESSAGE_BYTES - waiting.body.len();
                    waiting
                        .body
                        .extend_from_slice(&body[..room.min(body.len())]);
                    self.give_up(id);
                    return Ok(());
                }
                waiting.body.extend_from_slice(body);
                if info.message_header.is_final == MessageIsFinalType::Final {
                    return self.complete(id);
                }
            }
        }
        Ok(())
    }

    /// The answer is larger than agreed. Of values what came so far is taken; what is still to come is passed over.
    fn give_up(&mut self, id: u32) {
        let Some(waiting) = self.waiting.remove(&id) else {
            return;
        };
        let answer = self.read_beginning(&waiting.body).map_or_else(
            || {
                let why = "the answer is larger than the 4 MiB that were agreed";
                Err(Error::new(StatusCode::BadResponseTooLarge, why))
            },
            |answer| Ok(answer.into()),
        );
        let _told = waiting.answer.send(answer);
    }

    /// The answer is here as a whole.
    fn complete(&mut self, id: u32) -> Result<(), Error> {
        let Some(waiting) = self.waiting.remove(&id) else {
            return Ok(());
        };
        let answer = self.read(&waiting.body);
        if let Ok(ResponseMessage::OpenSecureChannel(opened)) = &answer {
            let result = opened.response_header.service_result;
            if !result.is_good() {
                return Err(Error::new(result, "the secure channel was not opened"));
            }
            // Now, and not when the caller comes to it: the next chunk may be sealed with the new keys.
            open(&mut self.channel.secure_channel().write(), opened)?;
        }
        let _told = waiting.answer.send(answer);
        Ok(())
    }

    fn read(&self, body: &[u8]) -> Result<ResponseMessage, Error> {
        let context = self.context.context();
        let mut bytes = Guarded::new(body);
        let node = NodeId::decode(&mut bytes, &context)?;
        let object = node
            .as_object_id()
            .map_err(|_| Error::decoding("an answer of an unknown type"))?;
        ResponseMessage::decode_by_object_id(&mut bytes, object, &context)
    }
}

impl Inbox {
    /// A message of values that is cut off, up to and with the part that is (OPC UA Part 4, 5.14.5.2 and 7.26).
    fn read_beginning(&self, body: &[u8]) -> Option<PublishResponse> {
        let context = self.context.context();
        let mut bytes = Guarded::new(body);
        let node = NodeId::decode(&mut bytes, &context).ok()?;
        if node != ObjectId::PublishResponse_Encoding_DefaultBinary {
            return None;
        }
        let response_header = ResponseHeader::decode(&mut bytes, &context).ok()?;
        let subscription_id = u32::decode(&mut bytes, &context).ok()?;
        let available_sequence_numbers = <Option<Vec<u32>>>::decode(&mut bytes, &context).ok()?;
        let more_notifications = bool::decode(&mut bytes, &context).ok()?;
        let sequence_number = u32::decode(&mut bytes, &context).ok()?;
        let publish_time = DateTime::decode(&mut bytes, &context).ok()?;
        let parts = i32::decode(&mut bytes, &context).ok()?;
        let mut notification_data = Vec::new();
        for _ in 0..parts {
            let before = bytes.rest();
            if let Ok(part) = ExtensionObject::decode(&mut bytes, &context) {
                notification_data.push(part);
                continue;
            }
            let mut bytes = Guarded::new(before);
            let node = NodeId::decode(&mut bytes, &context).ok()?;
            let _encoding = u8::decode(&mut bytes, &context).ok()?;
            let _length = i32::decode(&mut bytes, &context).ok()?;
            let rest = ByteString::from(bytes.rest().to_vec());
            let cut = ByteStringBody::new(rest, node);
            notification_data.push(ExtensionObject::from_message(cut));
            break;
        }
        Some(PublishResponse {
            response_header,
            subscription_id,
            available_sequence_numbers,
            more_notifications,
            notification_message: NotificationMessage {
                sequence_number,
                publish_time,
                notification_data: Some(notification_data),
            },
            results: None,
            diagnostic_infos: None,
        })
    }
}

/// What the library does with the answer to OpenSecureChannel, and keeps to itself.
fn open(secure: &mut SecureChannel, opened: &OpenSecureChannelResponse) -> Result<(), Error> {
    let token = opened.security_token.clone();
    let known = secure.secure_channel_id();
    if known != 0 && known != token.channel_id {
        return Err(Error::new(
            StatusCode::BadSecureChannelIdInvalid,
            "the secure channel was renewed under another number",
        ));
    }
    secure.set_security_token(token);
    let sealed = matches!(
        secure.security_mode(),
        MessageSecurityMode::Sign | MessageSecurityMode::SignAndEncrypt
    );
    if secure.security_policy() != SecurityPolicy::None && sealed {
        secure.validate_secure_channel_nonce_length(&opened.server_nonce)?;
        secure.set_remote_nonce_from_byte_string(&opened.server_nonce)?;
        secure.derive_keys();
    }
    Ok(())
}
