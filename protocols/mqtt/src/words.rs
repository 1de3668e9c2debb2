//! What goes wrong between us and a broker, in words that say what to do. Of connecting, the kit knows the words.

use std::{error::Error, time::Duration};

use fieldgate_kit::{SinkError, tls::FarSide};

pub(crate) use fieldgate_kit::tls::closed;

/// Explains an error of connecting to, or staying connected with, `address`.
pub(crate) fn explain(error: &(dyn Error + 'static), address: &str) -> SinkError {
    let broker = FarSide {
        address,
        who: "broker",
        plain: "mqtt:// or ws://",
    };
    broker.explain(error)
}

pub(crate) fn bad_login(address: &str) -> SinkError {
    SinkError::Denied(format!(
        "{address} does not accept the user name or password; check user.name and user.password"
    ))
}

pub(crate) fn not_authorized(address: &str) -> SinkError {
    SinkError::Denied(format!(
        "{address} does not let us in: not authorized; check user.name and user.password, the client certificate, and the broker's access rules"
    ))
}

pub(crate) fn bad_client_id(address: &str) -> SinkError {
    SinkError::Denied(format!(
        "{address} does not accept our client id; set client_id to one that it does"
    ))
}

pub(crate) fn wrong_version(address: &str) -> SinkError {
    SinkError::Denied(format!(
        "{address} does not speak this version of MQTT; set version to \"3.1.1\", or to \"5\""
    ))
}

pub(crate) fn busy(address: &str, code: &str) -> SinkError {
    SinkError::Unreachable(format!("{address} refused the connection: {code}"))
}

pub(crate) fn no_ping(address: &str, waited: Duration) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} did not answer a ping for {} s; is the network up, and the broker alive",
        waited.as_secs()
    ))
}

pub(crate) fn unsolicited(address: &str, packet_id: u16) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} acknowledged packet id {packet_id}, which is not under way; the connection is made anew, and what it had not acknowledged is sent again"
    ))
}

pub(crate) fn stuck(address: &str, waited: Duration) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} took no data for {} s; is the broker overloaded",
        waited.as_secs()
    ))
}

pub(crate) fn not_mqtt(address: &str, error: &dyn Error) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} answered something that is not MQTT ({error}); is it the broker's port, and does it expect TLS or WebSocket there"
    ))
}

pub(crate) fn too_large(address: &str, bytes: usize) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} sent a message of {bytes} bytes, which no command needs; find out who publishes it on the command topic, or use MQTT 5, where the broker keeps such away"
    ))
}

pub(crate) fn flooded(address: &str) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} sends more commands ahead of their acknowledgement than can be looked at; find out who publishes so many, and limit the messages in flight on the broker"
    ))
}

pub(crate) fn no_request(address: &str, error: &dyn Error) -> SinkError {
    SinkError::Unreachable(format!(
        "the MQTT client for {address} takes no request: {error}"
    ))
}

/// The broker's word on the subscription to the command topic, where it has one.
pub(crate) fn no_subscription(address: &str, topic: &str, said: Option<&str>) -> String {
    let said = said.map_or_else(String::new, |said| format!(": {said}"));
    format!(
        "{address} refuses the subscription to {topic}{said}; allow this client to subscribe to it on the broker"
    )
}
