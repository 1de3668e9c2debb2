//! MQTT 3.1.1 by rumqttc.

use std::collections::VecDeque;

use fieldgate_kit::SinkError;
use futures::{StreamExt, stream::try_unfold};
use rumqttc as v4;

use super::{
    CHANNEL, CONNECT_TIMEOUT, Client, Line, MAX_PACKET_BYTES, Opened, PACKET_IDS, Plan, RumqttWire,
    happening_outgoing, host, keep_early, max_incoming, network_options, no_answer, transport,
};
use crate::{
    wire::{Answer, Asked, Happening, Subscription, Terms},
    words,
};

/// Connects, signs in, and subscribes where commands are taken.
pub(super) async fn open_v4(plan: &Plan) -> Result<Opened, SinkError> {
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
    let mut early = VecDeque::new();
    let subscription = match &plan.commands {
        Some(topic) => Some(subscribe(plan, topic, &client, &mut events, &mut early).await?),
        None => None,
    };
    let events = try_unfold(
        (Box::new(events), Line::of(plan)),
        |(mut events, line)| async {
            match events.poll().await {
                Ok(event) => Ok(Some((happening_v4(event), (events, line)))),
                Err(error) => Err(failure_v4(&error, &line)),
            }
        },
    );
    let wire = RumqttWire {
        client: Client::V4(client),
        events: events.boxed(),
        early,
        address,
    };
    let terms = Terms {
        receive_maximum: u16::MAX,
        packet_bytes: MAX_PACKET_BYTES,
    };
    Ok(Opened {
        wire,
        terms,
        subscription,
    })
}

/// Asks for the commands, and waits for what the broker says to it.
async fn subscribe(
    plan: &Plan,
    topic: &str,
    client: &v4::AsyncClient,
    events: &mut v4::EventLoop,
    early: &mut VecDeque<Happening>,
) -> Result<Subscription, SinkError> {
    let address = plan.endpoint.address();
    let asked = client.try_subscribe(topic, v4::QoS::AtLeastOnce);
    asked.map_err(|error| words::no_request(&address, &error))?;
    loop {
        match events.poll().await {
            Ok(v4::Event::Incoming(v4::Packet::SubAck(ack))) => {
                return Ok(match ack.return_codes.first() {
                    Some(v4::SubscribeReasonCode::Success(_)) => Subscription::On,
                    _ => Subscription::Refused(words::no_subscription(&address, topic, None)),
                });
            }
            Ok(event) => keep_early(early, happening_v4(event), &address)?,
            Err(error) => return Err(failure_v4(&error, &Line::of(plan))),
        }
    }
}

/// Tells the broker that a message is kept.
pub(super) fn acknowledge(client: &v4::AsyncClient, packet_id: u16) -> Result<(), String> {
    let mut message = v4::Publish::new("", v4::QoS::AtLeastOnce, Vec::new());
    message.pkid = packet_id;
    client.try_ack(&message).map_err(|error| error.to_string())
}

fn options_v4(plan: &Plan) -> v4::MqttOptions {
    let mut options =
        v4::MqttOptions::new(&plan.client_id, host(&plan.endpoint), plan.endpoint.port);
    options
        .set_transport(transport(plan))
        .set_keep_alive(plan.keep_alive)
        .set_clean_session(true)
        .set_inflight(PACKET_IDS)
        .set_manual_acks(true)
        .set_max_packet_size(max_incoming(plan), MAX_PACKET_BYTES);
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

fn happening_v4(event: v4::Event) -> Happening {
    match event {
        v4::Event::Outgoing(outgoing) => happening_outgoing(&outgoing),
        v4::Event::Incoming(v4::Packet::PubAck(ack)) => {
            Happening::Answered(ack.pkid, Answer::Accepted)
        }
        // Only commands are subscribed to.
        v4::Event::Incoming(v4::Packet::Publish(message)) => Happening::Asked(Box::new(
            Asked::with_payload(message.pkid, message.retain, &message.payload),
        )),
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
        Error::MqttState(State::Deserialization(
            v4::mqttbytes::Error::PayloadSizeLimitExceeded(bytes),
        )) => words::too_large(address, *bytes),
        Error::NotConnAck(_) | Error::MqttState(State::Deserialization(_)) => {
            words::not_mqtt(address, error)
        }
        other => words::explain(other, address),
    }
}
