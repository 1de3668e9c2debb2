//! `Wire`: the little that the pump needs of an MQTT client, so that a simulated one can stand in for it.

use std::future::Future;

use bytes::Bytes;
use fieldgate_kit::SinkError;

/// A connection that was signed in to a broker.
pub(crate) trait Wire: Send + 'static {
    /// Queues a message with QoS 1. Never waits: the pump keeps fewer under way than there is room for.
    fn publish(&mut self, publication: Publication) -> Result<(), SinkError>;

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
    /// User properties; only MQTT 5 carries them.
    pub attributes: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The oldest message that was queued and not yet sent is now sent, under this packet id.
    Sent(u16),
    /// The broker answered for a packet id.
    Answered(u16, Answer),
    /// The orderly end was sent.
    Disconnected,
    /// Pings and the like.
    Other,
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
