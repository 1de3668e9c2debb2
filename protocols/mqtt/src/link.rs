//! The only file that knows rumqttc: signing in, and its events in our words.
//!
//! Each connection has a client and an event loop of its own, starts clean, and is thrown away when it fails. rumqttc's own
//! resumption is never used: it forgets messages when the broker lost the session, and can stall after a packet id
//! collision (bytebeamio/rumqtt #1014, #1056). What is unacknowledged is sent again from the durable queue.
//!
//! rumqttc does not tell the packet id of a message when it takes it. But it sends in the order in which it took, and says
//! so: the n-th `Outgoing::Publish(pkid)` is the n-th message. A collision delays that word and never reorders it. The
//! pairing itself is `pump.rs`'s.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{Secret, SinkError};
use futures::{
    StreamExt,
    stream::{BoxStream, try_unfold},
};
use rumqttc::{self as v4, Outgoing, TlsConfiguration, v5};
use rustls::ClientConfig;

use crate::{
    endpoint::{Endpoint, Transport},
    settings::Version,
    status::Status,
    wire::{Answer, Happening, Publication, Terms, Wire},
    words,
};

/// How many messages may be under way at once; less where the broker says so. As many as a fast local broker needs, and
/// enough for 2,500 messages a second over a round trip of 100 ms. A broker that is silent is sent no more than this.
pub(crate) const MESSAGE_WINDOW: usize = 256;

/// Longer than the window by far, so that a packet id is free again long before its turn comes.
const PACKET_IDS: u16 = 4096;

/// The window, the birth message, the good-bye and a disconnect: the channel to rumqttc is never full.
const CHANNEL: usize = MESSAGE_WINDOW + 8;

/// Name resolution, TCP, TLS and sign-in together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest packet of MQTT: a remaining length of 268,435,455 bytes, without its fixed header.
const MAX_PACKET_BYTES: usize = 268_435_455;

/// What a broker answers to us is short.
const MAX_INCOMING_BYTES: usize = 64 << 10;

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
pub(crate) async fn open(plan: &Plan) -> Result<(RumqttWire, Terms), SinkError> {
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

    fn disconnect(&mut self) {
        // When this fails the connection is gone already, which is what was asked for.
        let _ = match &self.client {
            Client::V4(client) => client.try_disconnect().map_err(|_| ()),
            Client::V5(client) => client.try_disconnect().map_err(|_| ()),
        };
    }

    async fn next(&mut self) -> Result<Happening, SinkError> {
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

// === MQTT 3.1.1 ===

async fn open_v4(plan: &Plan) -> Result<(RumqttWire, Terms), SinkError> {
    let (client, mut events) = v4::AsyncClient::new(options_v4(plan), CHANNEL);
    events.set_network_options(network_options());
    loop {
        match events.poll().await {
            Ok(v4::Event::Incoming(v4::Packet::ConnAck(_))) => break,
            Ok(_) => {}
            Err(v4::ConnectionError::NetworkTimeout) => return Err(no_answer(plan)),
            Err(error) => return Err(failure_v4(&error, &Line::of(plan))),
        }
    }
    let address = plan.endpoint.address();
    let events = try_unfold(
        (Box::new(events), Line::of(plan)),
        |(mut events, line)| async {
            match events.poll().await {
                Ok(event) => Ok(Some((happening_v4(&event), (events, line)))),
                Err(error) => Err(failure_v4(&error, &line)),
            }
        },
    );
    let wire = RumqttWire {
        client: Client::V4(client),
        events: events.boxed(),
        address,
    };
    let terms = Terms {
        receive_maximum: u16::MAX,
        packet_bytes: MAX_PACKET_BYTES,
    };
    Ok((wire, terms))
}

fn options_v4(plan: &Plan) -> v4::MqttOptions {
    let mut options =
        v4::MqttOptions::new(&plan.client_id, host(&plan.endpoint), plan.endpoint.port);
    options
        .set_transport(transport(plan))
        .set_keep_alive(plan.keep_alive)
        .set_clean_session(true)
        .set_inflight(PACKET_IDS)
        .set_max_packet_size(MAX_INCOMING_BYTES, MAX_PACKET_BYTES);
    if let Some((name, password)) = &plan.login {
        options.set_credentials(name, password.reveal());
    }
    if let Some(status) = &plan.will {
        options.set_last_will(v4::LastWill::new(
            &status.topic,
            status.lost.clone(),
            v4::QoS::AtLeastOnce,
            true,
        ));
    }
    options
}

fn happening_v4(event: &v4::Event) -> Happening {
    match event {
        v4::Event::Outgoing(outgoing) => happening_outgoing(outgoing),
        v4::Event::Incoming(v4::Packet::PubAck(ack)) => {
            Happening::Answered(ack.pkid, Answer::Accepted)
        }
        v4::Event::Incoming(_) => Happening::Other,
    }
}

fn failure_v4(error: &v4::ConnectionError, line: &Line) -> SinkError {
    let address = line.address.as_str();
    use v4::{ConnectReturnCode as Code, ConnectionError as Error, StateError as State};
    match error {
        Error::ConnectionRefused(Code::BadUserNamePassword) => words::bad_login(address),
        Error::ConnectionRefused(Code::NotAuthorized) => words::not_authorized(address),
        Error::ConnectionRefused(Code::BadClientId) => words::bad_client_id(address),
        Error::ConnectionRefused(Code::RefusedProtocolVersion) => words::wrong_version(address),
        Error::ConnectionRefused(code) => words::busy(address, &format!("{code:?}")),
        Error::MqttState(State::ConnectionAborted) => words::closed(address),
        Error::MqttState(State::Unsolicited(id)) => words::unsolicited(address, *id),
        Error::MqttState(State::AwaitPingResp) => words::no_ping(address, line.keep_alive),
        Error::FlushTimeout => words::stuck(address, CONNECT_TIMEOUT),
        Error::MqttState(State::Deserialization(v4::mqttbytes::Error::Io(error))) => {
            words::explain(error, address)
        }
        Error::NotConnAck(_) | Error::MqttState(State::Deserialization(_)) => {
            words::not_mqtt(address, error)
        }
        other => words::explain(other, address),
    }
}

// === MQTT 5 ===

async fn open_v5(plan: &Plan) -> Result<(RumqttWire, Terms), SinkError> {
    let (client, mut events) = v5::AsyncClient::new(options_v5(plan), CHANNEL);
    let offer = loop {
        match events.poll().await {
            Ok(v5::Event::Incoming(v5::mqttbytes::v5::Packet::ConnAck(ack))) => {
                break ack.properties;
            }
            Ok(_) => {}
            Err(v5::ConnectionError::Timeout(_)) => return Err(no_answer(plan)),
            Err(error) => return Err(failure_v5(&error, &Line::of(plan))),
        }
    };
    let address = plan.endpoint.address();
    let terms = terms(offer, &address)?;
    let events = try_unfold(
        (Box::new(events), Line::of(plan)),
        |(mut events, line)| async {
            match events.poll().await {
                Ok(event) => Ok(Some((happening_v5(&event, &line.address), (events, line)))),
                Err(error) => Err(failure_v5(&error, &line)),
            }
        },
    );
    let wire = RumqttWire {
        client: Client::V5(client),
        events: events.boxed(),
        address,
    };
    Ok((wire, terms))
}

fn options_v5(plan: &Plan) -> v5::MqttOptions {
    let mut options =
        v5::MqttOptions::new(&plan.client_id, host(&plan.endpoint), plan.endpoint.port);
    options
        .set_transport(transport(plan))
        .set_keep_alive(plan.keep_alive)
        .set_clean_start(true)
        .set_connection_timeout(CONNECT_TIMEOUT.as_secs())
        .set_network_options(network_options())
        .set_outgoing_inflight_upper_limit(PACKET_IDS)
        .set_max_packet_size(u32::try_from(MAX_INCOMING_BYTES).ok());
    if let Some((name, password)) = &plan.login {
        options.set_credentials(name, password.reveal());
    }
    if let Some(status) = &plan.will {
        options.set_last_will(v5::mqttbytes::v5::LastWill::new(
            &status.topic,
            status.lost.clone(),
            v5::mqttbytes::QoS::AtLeastOnce,
            true,
            None,
        ));
    }
    options
}

fn terms(
    offer: Option<v5::mqttbytes::v5::ConnAckProperties>,
    address: &str,
) -> Result<Terms, SinkError> {
    let (mut receive_maximum, mut packet_bytes) = (u16::MAX, MAX_PACKET_BYTES);
    if let Some(offer) = offer {
        if offer.max_qos == Some(0) {
            return Err(SinkError::Denied(format!(
                "{address} offers QoS 0 only, which acknowledges nothing; allow QoS 1 on the broker"
            )));
        }
        receive_maximum = offer.receive_max.unwrap_or(receive_maximum);
        packet_bytes = offer
            .max_packet_size
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(packet_bytes);
    }
    Ok(Terms {
        receive_maximum,
        packet_bytes,
    })
}

fn happening_v5(event: &v5::Event, address: &str) -> Happening {
    match event {
        v5::Event::Outgoing(outgoing) => happening_outgoing(outgoing),
        v5::Event::Incoming(v5::mqttbytes::v5::Packet::PubAck(ack)) => {
            Happening::Answered(ack.pkid, answer(ack, address))
        }
        v5::Event::Incoming(_) => Happening::Other,
    }
}

/// A reason code of PUBACK (MQTT 5 §3.4.2.1), by what it means for us.
fn answer(ack: &v5::mqttbytes::v5::PubAck, address: &str) -> Answer {
    use v5::mqttbytes::v5::PubAckReason as Reason;
    let said = ack
        .properties
        .as_ref()
        .and_then(|properties| properties.reason_string.as_deref())
        .map(|said| format!(": {said}"))
        .unwrap_or_default();
    match ack.reason {
        Reason::Success => Answer::Accepted,
        Reason::NoMatchingSubscribers => Answer::Unheard,
        Reason::NotAuthorized => Answer::Refused(format!(
            "{address}: not authorized to publish to this topic (0x87){said}"
        )),
        Reason::TopicNameInvalid => Answer::Refused(format!(
            "{address}: does not accept this topic (0x90){said}"
        )),
        Reason::PayloadFormatInvalid => Answer::RefusedPayload(format!(
            "{address}: does not accept this payload (0x99){said}"
        )),
        Reason::QuotaExceeded => Answer::Postponed(format!(
            "{address}: a quota is exceeded (0x97){said}; raise it on the broker, or set rate_limit"
        )),
        Reason::UnspecifiedError
        | Reason::ImplementationSpecificError
        | Reason::PacketIdentifierInUse => Answer::NotNow(SinkError::Unreachable(format!(
            "{address}: did not take a message ({:?}){said}",
            ack.reason
        ))),
    }
}

fn failure_v5(error: &v5::ConnectionError, line: &Line) -> SinkError {
    let address = line.address.as_str();
    use v5::{
        ConnectionError as Error, StateError as State, mqttbytes::v5::ConnectReturnCode as Code,
    };
    match error {
        Error::ConnectionRefused(Code::BadUserNamePassword | Code::BadAuthenticationMethod) => {
            words::bad_login(address)
        }
        Error::ConnectionRefused(Code::NotAuthorized | Code::Banned) => {
            words::not_authorized(address)
        }
        Error::ConnectionRefused(Code::BadClientId | Code::ClientIdentifierNotValid) => {
            words::bad_client_id(address)
        }
        Error::ConnectionRefused(
            Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion,
        ) => words::wrong_version(address),
        Error::ConnectionRefused(Code::RetainNotSupported) => SinkError::Denied(format!(
            "{address} keeps no retained messages, which the status needs; allow them on the broker"
        )),
        Error::ConnectionRefused(Code::QoSNotSupported) => SinkError::Denied(format!(
            "{address} offers QoS 0 only, which acknowledges nothing; allow QoS 1 on the broker"
        )),
        Error::ConnectionRefused(code) => words::busy(address, &format!("{code:?}")),
        Error::MqttState(State::ServerDisconnect {
            reason_code,
            reason_string,
        }) => {
            let said = reason_string
                .as_deref()
                .map(|said| format!(": {said}"))
                .unwrap_or_default();
            dismissed(address, *reason_code, &said)
        }
        Error::MqttState(State::ConnectionAborted) => words::closed(address),
        Error::MqttState(State::Unsolicited(id)) => words::unsolicited(address, *id),
        Error::MqttState(State::AwaitPingResp) => words::no_ping(address, line.keep_alive),
        Error::MqttState(State::Deserialization(v5::mqttbytes::Error::Io(error))) => {
            words::explain(error, address)
        }
        Error::NotConnAck(_) | Error::MqttState(State::Deserialization(_)) => {
            words::not_mqtt(address, error)
        }
        other => words::explain(other, address),
    }
}

/// A DISCONNECT from the broker (MQTT 5 §3.14.2.1).
fn dismissed(
    address: &str,
    code: v5::mqttbytes::v5::DisconnectReasonCode,
    said: &str,
) -> SinkError {
    use v5::mqttbytes::v5::DisconnectReasonCode as Code;
    match code {
        Code::SessionTakenOver => SinkError::Unreachable(format!(
            "another connection with our client id signed in to {address}; give each its own client_id{said}"
        )),
        Code::NotAuthorized => words::not_authorized(address),
        Code::QuotaExceeded | Code::MessageRateTooHigh => SinkError::Denied(format!(
            "{address} ended the connection: {code:?}{said}; raise the limit on the broker, or set rate_limit"
        )),
        Code::ServerShuttingDown => {
            SinkError::Unreachable(format!("{address} is shutting down{said}"))
        }
        other => SinkError::Unreachable(format!("{address} ended the connection: {other:?}{said}")),
    }
}

// === both ===

fn happening_outgoing(outgoing: &Outgoing) -> Happening {
    match outgoing {
        Outgoing::Publish(pkid) => Happening::Sent(*pkid),
        Outgoing::Disconnect => Happening::Disconnected,
        _ => Happening::Other,
    }
}
