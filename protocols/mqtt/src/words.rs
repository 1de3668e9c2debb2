//! What went wrong with a connection, in words that say what to do, and whether it is the network's fault or a matter of trust.

use std::{error::Error, io, time::Duration};

use fieldgate_kit::SinkError;
use rustls::{AlertDescription, CertificateError};

/// Explains an error of connecting to, or staying connected with, `address`: looks for what we know among its causes.
pub(crate) fn explain(error: &(dyn Error + 'static), address: &str) -> SinkError {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return explain_tls(tls, address);
        }
        if let Some(io) = current.downcast_ref::<io::Error>() {
            return match io.get_ref() {
                Some(inner) => explain_inner(inner, io, address),
                None => explain_io(io, address),
            };
        }
        cause = current.source();
    }
    SinkError::Unreachable(format!("the connection to {address} failed: {error}"))
}

/// The broker or something on the way closed the connection without a word.
pub(crate) fn closed(address: &str) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} closed the connection without giving a reason; was it restarted, or does it expect another kind of url on this port"
    ))
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

fn explain_inner(
    inner: &(dyn Error + Send + Sync + 'static),
    io: &io::Error,
    address: &str,
) -> SinkError {
    match inner.downcast_ref::<rustls::Error>() {
        Some(tls) => explain_tls(tls, address),
        None if inner.is::<io::Error>() => explain(inner, address),
        None => explain_io(io, address),
    }
}

fn explain_io(error: &io::Error, address: &str) -> SinkError {
    use io::ErrorKind as Kind;
    let words = match error.kind() {
        Kind::ConnectionRefused => {
            format!("nobody listens at {address}; is the broker running, and is the port right")
        }
        Kind::TimedOut => format!("{address} does not answer; is a firewall in between"),
        Kind::HostUnreachable | Kind::NetworkUnreachable => {
            format!("there is no way to {address}; check the network, and the address")
        }
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof => {
            return closed(address);
        }
        _ if error.to_string().contains("lookup address") => format!(
            "the name in {address} cannot be resolved; check its spelling, and the DNS server ({error})"
        ),
        _ => format!("the connection to {address} failed: {error}"),
    };
    SinkError::Unreachable(words)
}

fn explain_tls(error: &rustls::Error, address: &str) -> SinkError {
    match error {
        rustls::Error::InvalidCertificate(why) => SinkError::Denied(certificate(why, address)),
        rustls::Error::AlertReceived(alert) => alerted(*alert, address),
        rustls::Error::InvalidMessage(_) => SinkError::Denied(format!(
            "{address} does not speak TLS; is it the port for TLS, or should the url begin with mqtt:// or ws://"
        )),
        rustls::Error::PeerIncompatible(why) => SinkError::Denied(format!(
            "{address} offers no TLS version or cipher that is safe ({why:?}); update the broker"
        )),
        other => SinkError::Unreachable(format!("TLS with {address} failed: {other}")),
    }
}

fn certificate(why: &CertificateError, address: &str) -> String {
    match why {
        CertificateError::UnknownIssuer => format!(
            "the certificate of {address} comes from an authority that this gateway does not trust; set tls.ca to that authority's certificate"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "the certificate of {address} has expired, or this gateway's clock is wrong; renew it on the broker, or check the clock ({why})"
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
            "the certificate of {address} is not valid yet; check this gateway's clock ({why})"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "the certificate of {address} is for another name; use a name that it has in the url, or give the broker a certificate for this one ({why})"
            )
        }
        CertificateError::Revoked => format!("the certificate of {address} was revoked"),
        other => format!(
            "the certificate of {address} cannot be trusted: {other}; a certificate that signed itself must not be an authority's"
        ),
    }
}

/// The broker ended TLS with an alert (RFC 8446 §6.2): most often about our client certificate.
fn alerted(alert: AlertDescription, address: &str) -> SinkError {
    use AlertDescription as Alert;
    SinkError::Denied(match alert {
        Alert::CertificateRequired | Alert::HandshakeFailure => format!(
            "{address} asks for a client certificate ({alert:?}); set tls.client_certificate and tls.client_key"
        ),
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateUnknown
        | Alert::DecryptError => format!(
            "{address} does not trust our client certificate ({alert:?}); set tls.client_certificate to one from an authority that the broker knows"
        ),
        Alert::CertificateExpired => {
            format!("our client certificate for {address} has expired; renew it")
        }
        Alert::CertificateRevoked => {
            format!("our client certificate for {address} was revoked; get a new one")
        }
        Alert::AccessDenied => format!("{address} denies access to our client certificate"),
        other => format!("{address} ended TLS with the alert {other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Error + 'static, expected: &str) {
        let words = explain(&error, "broker:8883").to_string();
        assert!(
            words.contains(expected) && words.contains("broker:8883"),
            "{words}"
        );
    }

    #[test]
    fn causes_are_found_however_deep_they_are_wrapped() {
        check(
            io::Error::from(io::ErrorKind::ConnectionRefused),
            "nobody listens",
        );
        check(
            io::Error::from(io::ErrorKind::UnexpectedEof),
            "closed the connection",
        );
        check(
            io::Error::other(io::Error::from(io::ErrorKind::TimedOut)),
            "does not answer",
        );
        check(
            io::Error::other("failed to lookup address information: nope"),
            "cannot be resolved",
        );
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        check(io::Error::other(tls.clone()), "does not trust");
        check(io::Error::other(io::Error::other(tls)), "tls.ca");
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        check(io::Error::other(alert), "asks for a client certificate");
        check(std::fmt::Error, "failed");
    }

    #[test]
    fn trust_is_a_matter_for_people_and_the_network_is_not() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        assert!(matches!(explain(&tls, "b"), SinkError::Denied(_)));
        let io = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(explain(&io, "b"), SinkError::Unreachable(_)));
    }
}
