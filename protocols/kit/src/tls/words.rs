//! What went wrong with a connection, in words that say what to do, and whether it is the network's fault or a matter of trust.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

use crate::SinkError;

/// Whom we connect to, as errors name it.
#[derive(Debug, Clone, Copy)]
pub struct FarSide<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// What it is to people: `broker`, `server`.
    pub who: &'a str,
    /// How a url begins that asks for no encryption.
    pub plain: &'a str,
}

/// The far side or something on the way closed the connection without a word.
#[must_use]
pub fn closed(address: &str) -> SinkError {
    SinkError::Unreachable(format!(
        "{address} closed the connection without giving a reason; was it restarted, or does it expect another kind of url on this port"
    ))
}

// === impl FarSide ===

impl FarSide<'_> {
    /// Explains an error of connecting to it, or of staying connected: looks for what we know among its causes.
    #[must_use]
    pub fn explain(&self, error: &(dyn Error + 'static)) -> SinkError {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(tls) = current.downcast_ref::<rustls::Error>() {
                return self.tls(tls);
            }
            if let Some(io) = current.downcast_ref::<io::Error>() {
                return match io.get_ref() {
                    Some(inner) => self.inner(inner, io),
                    None => self.io(io),
                };
            }
            cause = current.source();
        }
        let address = self.address;
        SinkError::Unreachable(format!("the connection to {address} failed: {error}"))
    }

    fn inner(&self, inner: &(dyn Error + Send + Sync + 'static), io: &io::Error) -> SinkError {
        match inner.downcast_ref::<rustls::Error>() {
            Some(tls) => self.tls(tls),
            None if inner.is::<io::Error>() => self.explain(inner),
            None => self.io(io),
        }
    }

    fn io(&self, error: &io::Error) -> SinkError {
        use io::ErrorKind as Kind;
        let Self { address, who, .. } = self;
        let words = match error.kind() {
            Kind::ConnectionRefused => {
                format!("nobody listens at {address}; is the {who} running, and is the port right")
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

    fn tls(&self, error: &rustls::Error) -> SinkError {
        let Self {
            address,
            who,
            plain,
        } = self;
        match error {
            rustls::Error::InvalidCertificate(why) => SinkError::Denied(self.certificate(why)),
            rustls::Error::AlertReceived(alert) => self.alerted(*alert),
            rustls::Error::InvalidMessage(_) => SinkError::Denied(format!(
                "{address} does not speak TLS; is it the port for TLS, or should the url begin with {plain}"
            )),
            rustls::Error::PeerIncompatible(why) => SinkError::Denied(format!(
                "{address} offers no TLS version or cipher that is safe ({why:?}); update the {who}"
            )),
            other => SinkError::Unreachable(format!("TLS with {address} failed: {other}")),
        }
    }

    fn certificate(&self, why: &CertificateError) -> String {
        let Self { address, who, .. } = self;
        match why {
            CertificateError::UnknownIssuer => format!(
                "the certificate of {address} comes from an authority that this gateway does not trust; set tls.ca to that authority's certificate"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                "the certificate of {address} has expired, or this gateway's clock is wrong; renew it on the {who}, or check the clock ({why})"
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
                "the certificate of {address} is not valid yet; check this gateway's clock ({why})"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the certificate of {address} is for another name; use a name that it has in the url, or give the {who} a certificate for this one ({why})"
                )
            }
            CertificateError::Revoked => format!("the certificate of {address} was revoked"),
            other => format!(
                "the certificate of {address} cannot be trusted: {other}; a certificate that signed itself must not be an authority's"
            ),
        }
    }

    /// It ended TLS with an alert (RFC 8446 §6.2): most often about our client certificate.
    fn alerted(&self, alert: AlertDescription) -> SinkError {
        use AlertDescription as Alert;
        let Self { address, who, .. } = self;
        SinkError::Denied(match alert {
            Alert::CertificateRequired | Alert::HandshakeFailure => format!(
                "{address} asks for a client certificate ({alert:?}); set tls.client_certificate and tls.client_key"
            ),
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::DecryptError => format!(
                "{address} does not trust our client certificate ({alert:?}); set tls.client_certificate to one from an authority that the {who} knows"
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKER: FarSide<'_> = FarSide {
        address: "broker:8883",
        who: "broker",
        plain: "mqtt://",
    };

    fn check(error: impl Error + 'static, expected: &str) {
        let words = BROKER.explain(&error).to_string();
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
        assert!(matches!(BROKER.explain(&tls), SinkError::Denied(_)));
        let io = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(BROKER.explain(&io), SinkError::Unreachable(_)));
    }
}
