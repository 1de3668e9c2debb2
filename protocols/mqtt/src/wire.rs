//! `Wire`: the little that the pump needs of an MQTT client, so that a simulated one can stand in for it.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use fieldgate_kit::SinkError;

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

/// A message on the command topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// 0 with QoS 0, which nobody acknowledges.
    pub packet_id: u16,
    pub retained: bool,
    pub payload: Bytes,
    /// Where the answer goes; only MQTT 5 carries it, as it does all that follows.
    pub response_topic: Option<String>,
    pub correlation: Option<Bytes>,
    /// How long it is worth something.
    pub lasts: Option<Duration>,
    /// User properties.
    pub attributes: Vec<(String, String)>,
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
