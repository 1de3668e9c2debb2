//! `Wire`: the little that the pump needs of an MQTT client, so that a simulated one can stand in for it.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use fieldgate_kit::SinkError;

/// A command has no more bytes than this.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// A response topic, or correlation data, of more bytes is not kept.
pub(crate) const MAX_REPLY_BYTES: usize = 1024;

/// A connection that was signed in to a broker.
pub(crate) trait Wire: Send + 'static {
    /// Queues a message with QoS 1. Never waits: the pump keeps fewer under way than there is room for.
    fn publish(&mut self, publication: Publication) -> Result<(), SinkError>;

    /// Queues the acknowledgement of a command that came under this packet id. Never waits: the pump keeps fewer waiting than
    /// there is room for.
    fn acknowledge(&mut self, packet_id: u16) -> Result<(), SinkError>;

    /// Queues the orderly end of the connection.
    fn disconnect(&mut self);

    /// What happened next. Must be polled for anything to be sent at all. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Happening, SinkError>> + Send;
}

/// A message on its way to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub topic: String,
    pub retain: bool,
    pub payload: Bytes,
    /// Only MQTT 5 carries it.
    pub content_type: &'static str,
    /// What the answer to a command is known by; only MQTT 5 carries it.
    pub correlation: Option<Bytes>,
    /// User properties; only MQTT 5 carries them.
    pub attributes: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The oldest message that was queued and not yet sent is now sent, under this packet id.
    Sent(u16),
    /// The broker answered for a packet id.
    Answered(u16, Answer),
    /// A message came on the command topic.
    Asked(Box<Asked>),
    /// An acknowledgement of a command was sent.
    AckSent,
    /// The orderly end was sent.
    Disconnected,
    /// Pings and the like.
    Other,
}

/// A message on the command topic, with no more of it than is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// 0 with QoS 0, which nobody acknowledges.
    pub packet_id: u16,
    pub retained: bool,
    /// Left out where it is larger than a command may be.
    pub payload: Bytes,
    /// The size of what came.
    pub payload_bytes: usize,
    /// Where the answer goes; only MQTT 5 carries it, as it does all that follows.
    pub response_topic: Option<String>,
    /// Left out where it is larger than what is kept.
    pub correlation: Option<Bytes>,
    /// The size of what came.
    pub correlation_bytes: usize,
    /// How long it is worth something.
    pub lasts: Option<Duration>,
    /// Who asks, as it says.
    pub asker: Option<String>,
}

// === impl Asked ===

impl Asked {
    /// What came, cut to what is looked at. A part of a packet keeps the whole packet in memory, so what stays is a copy.
    pub fn with_payload(packet_id: u16, retained: bool, payload: &[u8]) -> Self {
        let fits = payload.len() <= MAX_PAYLOAD_BYTES;
        Self {
            packet_id,
            retained,
            payload: Bytes::copy_from_slice(if fits { payload } else { &[] }),
            payload_bytes: payload.len(),
            ..Self::default()
        }
    }

    /// Where the answer goes, and what the asker knows it by.
    pub fn replies_to(self, topic: Option<String>, correlation: Option<&[u8]>) -> Self {
        // One byte more is as much too long as a thousand.
        let cut = |topic: String| match topic.len() {
            ..=MAX_REPLY_BYTES => topic,
            _ => topic.chars().take(MAX_REPLY_BYTES + 1).collect(),
        };
        let kept = correlation.filter(|data| data.len() <= MAX_REPLY_BYTES);
        Self {
            response_topic: topic.map(cut),
            correlation: kept.map(Bytes::copy_from_slice),
            correlation_bytes: correlation.map_or(0, <[u8]>::len),
            ..self
        }
    }
}

/// What became of the subscription to the command topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subscription {
    On,
    /// In words.
    Refused(String),
}

/// What a broker can say to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    /// Accepted, while nobody subscribes to its topic.
    Unheard,
    /// Refused for its own sake.
    Refused(String),
    /// The payload is not accepted: one of the readings in it may be the cause.
    RefusedPayload(String),
    /// Not taken, since too much was sent; the link is well.
    Postponed(String),
    /// Refused for a reason that has nothing to do with this message: end the link.
    NotNow(SinkError),
}

/// What the broker offers, said when we signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How many messages may be unacknowledged.
    pub receive_maximum: u16,
    /// The largest packet that it takes, in bytes.
    pub packet_bytes: usize,
}
