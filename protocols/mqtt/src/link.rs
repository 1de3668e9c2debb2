//! The only place that knows rumqttc: signing in, and its events in our words. `link/` has what differs by version.
//!
//! Each connection has a client and an event loop of its own, starts clean, and is thrown away when it fails. rumqttc's own
//! resumption is never used: it forgets messages when the broker lost the session, and can stall after a packet id
//! collision (bytebeamio/rumqtt #1014, #1056). What is unacknowledged is sent again from the durable queue.
//!
//! rumqttc does not tell the packet id of a message when it takes it. But it sends in the order in which it took, and says
//! so: the n-th `Outgoing::Publish(pkid)` is the n-th message. A collision delays that word and never reorders it. The
//! pairing itself is `pump.rs`'s.
//!
//! Where commands are taken, the subscription is made, and the broker's word on it awaited, before anything is published. The
//! session is clean all the same: a broker that keeps commands for us would hand out old ones, and none says how old. Such a
//! message is acknowledged by the pump, when it is written down.

mod version_311;
mod version_5;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use fieldgate_kit::{Secret, SinkError};
use futures::{StreamExt, stream::BoxStream};
use rumqttc::{self as v4, Outgoing, TlsConfiguration, v5};
use rustls::ClientConfig;

use version_5::open_v5;
use version_311::open_v4;

use crate::{
    endpoint::{Endpoint, Transport},
    settings::Version,
    status::Status,
    wire::{Happening, Publication, Subscription, Terms, Wire},
    words,
};

/// How many messages may be under way at once; less where the broker says so. As many as a fast local broker needs, and
/// enough for 2,500 messages a second over a round trip of 100 ms. A broker that is silent is sent no more than this.
pub(crate) const MESSAGE_WINDOW: usize = 256;

/// Longer than the window by far, so that a packet id is free again long before its turn comes.
const PACKET_IDS: u16 = 4096;

/// How many acknowledgements of commands may wait for rumqttc at once.
pub(crate) const ACKS_WAITING: usize = 64;

/// The window, the acknowledgements, the birth message, the good-bye and a disconnect: the channel to rumqttc is never full.
const CHANNEL: usize = MESSAGE_WINDOW + ACKS_WAITING + 8;

/// How many commands a broker may send ahead of their acknowledgement, where it can be told (MQTT 5 §3.1.2.11.3).
const COMMANDS_AHEAD: u16 = 64;

/// Messages that come before the broker's word on the subscription, which it may send later (MQTT 5 §3.8.4).
const EARLY: usize = 64;

/// Name resolution, TCP, TLS and sign-in together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest packet of MQTT: a remaining length of 268,435,455 bytes, without its fixed header.
const MAX_PACKET_BYTES: usize = 268_435_455;

/// What a broker answers to us is short.
const MAX_INCOMING_BYTES: usize = 64 << 10;

/// A message on the command topic that is too large for a command can still be answered, if it is no larger than this.
const MAX_COMMAND_BYTES: usize = 1 << 20;

/// All that it takes to sign in.
pub(crate) struct Plan {
    pub endpoint: Endpoint,
    pub version: Version,
    /// Between two pings; without an answer to one when the next is due, the connection is lost.
    pub keep_alive: Duration,
    pub client_id: String,
    pub login: Option<(String, Secret)>,
    /// There when the endpoint is encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    /// Its `lost` message is the last will; a test of settings has none.
    pub will: Option<Status>,
    /// The topic where commands are taken.
    pub commands: Option<String>,
}

/// A connection, signed in.
pub(crate) struct Opened {
    pub wire: RumqttWire,
    pub terms: Terms,
    /// What became of the subscription, where commands are wanted.
    pub subscription: Option<Subscription>,
}

/// What the words about a failure need.
struct Line {
    address: String,
    keep_alive: Duration,
}

/// A connection of rumqttc, of either version.
pub(crate) struct RumqttWire {
    client: Client,
    /// Holds a poll of the event loop across our own: dropping one halfway could lose a packet.
    events: BoxStream<'static, Result<Happening, SinkError>>,
    /// Came before the subscription was confirmed.
    early: VecDeque<Happening>,
    address: String,
}

enum Client {
    V4(v4::AsyncClient),
    V5(v5::AsyncClient),
}

/// Connects and signs in.
///
/// # Errors
/// `Unreachable` when the network or the broker does not answer, `Denied` when trust or credentials are refused.
pub(crate) async fn open(plan: &Plan) -> Result<Opened, SinkError> {
    let opening = async {
        match plan.version {
            Version::V311 => open_v4(plan).await,
            Version::V5 => open_v5(plan).await,
        }
    };
    // rumqttc limits the same itself; this one holds whatever it does.
    match tokio::time::timeout(CONNECT_TIMEOUT + Duration::from_secs(1), opening).await {
        Ok(opened) => opened,
        Err(_) => Err(no_answer(plan)),
    }
}

// === impl Line ===

impl Line {
    fn of(plan: &Plan) -> Self {
        Self {
            address: plan.endpoint.address(),
            keep_alive: plan.keep_alive,
        }
    }
}

// === impl RumqttWire ===

impl Wire for RumqttWire {
    fn publish(&mut self, publication: Publication) -> Result<(), SinkError> {
        let Publication {
            topic,
            retain,
            payload,
            content_type,
            correlation,
            attributes,
        } = publication;
        let taken = match &self.client {
            Client::V4(client) => client
                .try_publish(topic, v4::QoS::AtLeastOnce, retain, payload)
                .map_err(|error| error.to_string()),
            Client::V5(client) => {
                let properties = v5::mqttbytes::v5::PublishProperties {
                    payload_format_indicator: Some(1),
                    content_type: Some(content_type.to_owned()),
                    correlation_data: correlation,
                    user_properties: attributes
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                    ..Default::default()
                };
                client
                    .try_publish_with_properties(
                        topic,
                        v5::mqttbytes::QoS::AtLeastOnce,
                        retain,
                        payload,
                        properties,
                    )
                    .map_err(|error| error.to_string())
            }
        };
        taken.map_err(|error| {
            SinkError::Unreachable(format!(
                "the MQTT client for {} takes no message: {error}",
                self.address
            ))
        })
    }

    fn acknowledge(&mut self, packet_id: u16) -> Result<(), SinkError> {
        let taken = match &self.client {
            Client::V4(client) => version_311::acknowledge(client, packet_id),
            Client::V5(client) => version_5::acknowledge(client, packet_id),
        };
        taken.map_err(|error| {
            SinkError::Unreachable(format!(
                "the MQTT client for {} takes no acknowledgement: {error}",
                self.address
            ))
        })
    }

    fn disconnect(&mut self) {
        // When this fails the connection is gone already, which is what was asked for.
        let _ = match &self.client {
            Client::V4(client) => client.try_disconnect().map_err(|_| ()),
            Client::V5(client) => client.try_disconnect().map_err(|_| ()),
        };
    }

    async fn next(&mut self) -> Result<Happening, SinkError> {
        if let Some(early) = self.early.pop_front() {
            return Ok(early);
        }
        match self.events.next().await {
            Some(happening) => happening,
            None => Err(words::closed(&self.address)),
        }
    }
}

/// The `host` that rumqttc wants: the whole URL for WebSocket.
fn host(endpoint: &Endpoint) -> &str {
    match endpoint.transport {
        Transport::Tcp | Transport::Tls => &endpoint.host,
        Transport::WebSocket | Transport::SecureWebSocket => &endpoint.url,
    }
}

fn transport(plan: &Plan) -> v4::Transport {
    let config = || plan.tls.clone().map(TlsConfiguration::Rustls);
    match (plan.endpoint.transport, config()) {
        (Transport::Tls, Some(config)) => v4::Transport::tls_with_config(config),
        (Transport::SecureWebSocket, Some(config)) => v4::Transport::wss_with_config(config),
        (Transport::WebSocket, _) => v4::Transport::ws(),
        (Transport::Tcp, _) => v4::Transport::tcp(),
        (Transport::Tls | Transport::SecureWebSocket, None) => {
            unreachable!("a plan for an encrypted endpoint is made with its TLS configuration")
        }
    }
}

fn network_options() -> v4::NetworkOptions {
    let mut options = v4::NetworkOptions::new();
    options.set_tcp_nodelay(true);
    options.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
    options
}

fn no_answer(plan: &Plan) -> SinkError {
    let hint = match plan.version {
        Version::V5 => {
            "does it listen there, and does it speak MQTT 5? if not, set version = \"3.1.1\""
        }
        Version::V311 => "does it listen there, and is the port right",
    };
    SinkError::Unreachable(format!(
        "{} did not answer within {} s; {hint}",
        plan.endpoint.address(),
        CONNECT_TIMEOUT.as_secs()
    ))
}

fn happening_outgoing(outgoing: &Outgoing) -> Happening {
    match outgoing {
        Outgoing::Publish(pkid) => Happening::Sent(*pkid),
        Outgoing::PubAck(_) => Happening::AckSent,
        Outgoing::Disconnect => Happening::Disconnected,
        _ => Happening::Other,
    }
}

/// The largest message that may come in.
fn max_incoming(plan: &Plan) -> usize {
    match plan.commands {
        Some(_) => MAX_COMMAND_BYTES,
        None => MAX_INCOMING_BYTES,
    }
}

/// Keeps what came before the subscription was confirmed.
fn keep_early(
    early: &mut VecDeque<Happening>,
    happening: Happening,
    address: &str,
) -> Result<(), SinkError> {
    if !matches!(happening, Happening::Asked(_)) {
        return Ok(());
    }
    if early.len() >= EARLY {
        return Err(words::flooded(address));
    }
    early.push_back(happening);
    Ok(())
}
