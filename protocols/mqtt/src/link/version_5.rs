//! MQTT 5 by rumqttc.

use std::{collections::VecDeque, time::Duration};

use fieldgate_kit::SinkError;
use futures::{StreamExt, stream::try_unfold};
use rumqttc::v5::{
    self,
    mqttbytes::v5::{Filter, Publish, RetainForwardRule, SubAck, SubscribeReasonCode},
};

use super::{
    CHANNEL, COMMANDS_AHEAD, CONNECT_TIMEOUT, Client, Line, MAX_PACKET_BYTES, Opened, PACKET_IDS,
    Plan, RumqttWire, happening_outgoing, host, keep_early, max_incoming, network_options,
    no_answer, transport,
};
use crate::{
    inbox::asker,
    wire::{Answer, Asked, Happening, Subscription, Terms},
    words,
};

/// Connects, signs in, and subscribes where commands are taken.
pub(super) async fn open_v5(plan: &Plan) -> Result<Opened, SinkError> {
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
    let mut early = VecDeque::new();
    let subscription = match &plan.commands {
        Some(topic) => Some(subscribe(plan, topic, &client, &mut events, &mut early).await?),
        None => None,
    };
    let events = try_unfold(
        (Box::new(events), Line::of(plan)),
        |(mut events, line)| async {
            match events.poll().await {
                Ok(event) => Ok(Some((happening_v5(event, &line.address), (events, line)))),
                Err(error) => Err(failure_v5(&error, &line)),
            }
        },
    );
    let wire = RumqttWire {
        client: Client::V5(client),
        events: events.boxed(),
        early,
        address,
    };
    Ok(Opened {
        wire,
        terms,
        subscription,
    })
}

/// Asks for the commands, and waits for what the broker says to it. What it keeps for later subscribers is not wanted, but
/// what somebody publishes for them is told apart.
async fn subscribe(
    plan: &Plan,
    topic: &str,
    client: &v5::AsyncClient,
    events: &mut v5::EventLoop,
    early: &mut VecDeque<Happening>,
) -> Result<Subscription, SinkError> {
    let address = plan.endpoint.address();
    let filter = Filter {
        path: topic.to_owned(),
        qos: v5::mqttbytes::QoS::AtLeastOnce,
        nolocal: true,
        preserve_retain: true,
        retain_forward_rule: RetainForwardRule::Never,
    };
    let asked = client.try_subscribe_many([filter]);
    asked.map_err(|error| words::no_request(&address, &error))?;
    loop {
        match events.poll().await {
            Ok(v5::Event::Incoming(v5::mqttbytes::v5::Packet::SubAck(ack))) => {
                return Ok(subscription(&ack, topic, &address));
            }
            Ok(event) => keep_early(early, happening_v5(event, &address), &address)?,
            Err(error) => return Err(failure_v5(&error, &Line::of(plan))),
        }
    }
}

/// A reason code of SUBACK (MQTT 5 §3.9.3).
fn subscription(ack: &SubAck, topic: &str, address: &str) -> Subscription {
    let said = ack.properties.as_ref();
    let said = said.and_then(|properties| properties.reason_string.as_deref());
    match ack.return_codes.first() {
        Some(SubscribeReasonCode::Success(_)) => Subscription::On,
        Some(SubscribeReasonCode::NotAuthorized) => Subscription::Refused(words::no_subscription(
            address,
            topic,
            Some(said.unwrap_or("not authorized (0x87)")),
        )),
        code => {
            let code = code.map_or_else(|| "no code".to_owned(), |code| format!("{code:?}"));
            let said = said.map_or(code.clone(), |said| format!("{code}: {said}"));
            Subscription::Refused(words::no_subscription(address, topic, Some(&said)))
        }
    }
}

/// Tells the broker that a message is kept.
pub(super) fn acknowledge(client: &v5::AsyncClient, packet_id: u16) -> Result<(), String> {
    let mut message = Publish::new("", v5::mqttbytes::QoS::AtLeastOnce, Vec::new(), None);
    message.pkid = packet_id;
    client.try_ack(&message).map_err(|error| error.to_string())
}

fn asked(message: &Publish) -> Asked {
    let asked = Asked::with_payload(message.pkid, message.retain, &message.payload);
    let Some(properties) = &message.properties else {
        return asked;
    };
    let lasts = properties.message_expiry_interval;
    Asked {
        lasts: lasts.map(|seconds| Duration::from_secs(seconds.into())),
        asker: asker(&properties.user_properties),
        ..asked.replies_to(
            properties.response_topic.clone(),
            properties.correlation_data.as_deref(),
        )
    }
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
        .set_manual_acks(true)
        .set_receive_maximum(Some(COMMANDS_AHEAD))
        .set_max_packet_size(u32::try_from(max_incoming(plan)).ok());
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

fn happening_v5(event: v5::Event, address: &str) -> Happening {
    match event {
        v5::Event::Outgoing(outgoing) => happening_outgoing(&outgoing),
        v5::Event::Incoming(v5::mqttbytes::v5::Packet::PubAck(ack)) => {
            Happening::Answered(ack.pkid, answer(&ack, address))
        }
        // Only commands are subscribed to.
        v5::Event::Incoming(v5::mqttbytes::v5::Packet::Publish(message)) => {
            Happening::Asked(Box::new(asked(&message)))
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
