//! `Endpoint`: the `url` of the settings, checked and taken apart.

use fieldgate_kit::Problem;
use url::Url;

/// A checked `url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub transport: Transport,
    pub host: String,
    pub port: u16,
    /// The whole URL, which WebSocket needs.
    pub url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
}

// === impl Endpoint ===

impl Endpoint {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |what: String, remedy: &str| Problem::new(["url"], what, remedy);
        let example = "write for instance \"mqtts://broker.plant:8883\"";
        let url = Url::parse(text)
            .map_err(|error| wrong(format!("`{text}` is no URL: {error}"), example))?;
        let (transport, default_port) = Transport::of(url.scheme()).ok_or_else(|| {
            wrong(
                format!("`{}` is no way to reach a broker", url.scheme()),
                "begin with mqtt://, mqtts://, ws:// or wss://",
            )
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "the URL holds credentials, where everyone sees them".to_owned(),
                "take them out, and set user = { name = \"…\", password = { file = \"…\" } }",
            ));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong(format!("`{text}` names no host"), example))?;
        let websocket = matches!(transport, Transport::WebSocket | Transport::SecureWebSocket);
        if !websocket && (!matches!(url.path(), "" | "/") || url.query().is_some()) {
            return Err(wrong(
                "an MQTT URL ends with the port".to_owned(),
                "take out what follows; topics have a setting of their own",
            ));
        }
        if url.fragment().is_some() {
            return Err(wrong(
                "the URL has a fragment (#…), which no broker sees".to_owned(),
                "take it out",
            ));
        }
        if host.starts_with('[') && transport.is_encrypted() {
            return Err(wrong(
                "an IPv6 address cannot be verified against a certificate here".to_owned(),
                "use the broker's host name",
            ));
        }
        Ok(Self {
            transport,
            host: host.to_owned(),
            port: url.port().unwrap_or(default_port),
            url: text.to_owned(),
        })
    }

    /// `host:port`, as errors name it.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

// === impl Transport ===

impl Transport {
    fn of(scheme: &str) -> Option<(Self, u16)> {
        Some(match scheme {
            "mqtt" => (Self::Tcp, 1883),
            "mqtts" => (Self::Tls, 8883),
            "ws" => (Self::WebSocket, 80),
            "wss" => (Self::SecureWebSocket, 443),
            _ => return None,
        })
    }

    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Tcp => "TCP, not encrypted",
            Self::Tls => "TLS",
            Self::WebSocket => "WebSocket, not encrypted",
            Self::SecureWebSocket => "WebSocket and TLS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        for (text, transport, host, port) in [
            ("mqtt://broker", Transport::Tcp, "broker", 1883),
            ("mqtt://[::1]:1884/", Transport::Tcp, "[::1]", 1884),
            ("mqtts://broker.plant", Transport::Tls, "broker.plant", 8883),
            (
                "ws://10.0.0.1:9001/mqtt",
                Transport::WebSocket,
                "10.0.0.1",
                9001,
            ),
            (
                "wss://broker/mqtt?x=1",
                Transport::SecureWebSocket,
                "broker",
                443,
            ),
        ] {
            let url = text.to_owned();
            let host = host.to_owned();
            assert_eq!(
                Endpoint::parse(text),
                Ok(Endpoint {
                    transport,
                    host,
                    port,
                    url
                })
            );
        }
    }
}
