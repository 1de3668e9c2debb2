//! From a URL to a connected socket, with name resolution, refusal and silence told apart; or a socket of a server that connects
//! by itself.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use url::Url;

use crate::reverse::Waiting;

/// The port of `opc.tcp` when the URL has none.
pub(crate) const DEFAULT_PORT: u16 = 4840;
/// How long one address may take.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
}

/// How a server is reached.
pub(crate) enum Way {
    Dial {
        target: Target,
        addresses: Vec<SocketAddr>,
    },
    Wait(Waiting),
}

/// A socket to a server.
pub(crate) struct Line {
    pub stream: TcpStream,
    /// Under which it wants to be greeted, where it said so.
    pub url: Option<String>,
}

// === impl Way ===

impl Way {
    pub(crate) async fn connect(&self) -> Result<Line, String> {
        match self {
            Self::Dial { target, addresses } => {
                let stream = target.connect(addresses).await?;
                Ok(Line { stream, url: None })
            }
            Self::Wait(waiting) => waiting.connect().await,
        }
    }
}

// === impl Target ===

impl Target {
    /// Of a URL that was checked before.
    pub(crate) fn of(endpoint: &str) -> Result<Self, String> {
        let url =
            Url::parse(endpoint).map_err(|error| format!("`{endpoint}` is no URL: {error}"))?;
        let host = url
            .host_str()
            .ok_or_else(|| format!("`{endpoint}` names no host"))?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(DEFAULT_PORT),
        })
    }

    /// The addresses behind the host's name.
    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let name = &self.host;
        let found = timeout(TIMEOUT, lookup_host((name.as_str(), self.port)))
            .await
            .map_err(|_| format!("the name server did not answer for {name}; check the network's DNS"))?
            .map_err(|error| {
                format!("the name {name} is not known ({error}); check its spelling, or write the address")
            })?;
        match found.collect::<Vec<_>>() {
            found if found.is_empty() => Err(format!("the name {name} has no address")),
            found => Ok(found),
        }
    }

    /// A socket to the first address that answers.
    pub(crate) async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, String> {
        let mut why = format!("the name {} has no address", self.host);
        for address in addresses {
            match timeout(TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot switch Nagle's algorithm off");
                    }
                    return Ok(stream);
                }
                Ok(Err(error)) => why = refused(*address, &error),
                Err(_) => {
                    why = format!(
                        "{address} does not answer within {} s; is the machine on, and does a firewall let port {} through?",
                        TIMEOUT.as_secs(),
                        self.port
                    );
                }
            }
        }
        Err(why)
    }
}

fn refused(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "{address} refuses the connection; is the OPC UA server running, and is {} its port?",
            address.port()
        ),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("there is no way to {address} ({error}); check the network")
        }
        _ => format!("cannot connect to {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_read_from_the_url() {
        for (url, host, port) in [
            ("opc.tcp://plc", "plc", 4840),
            ("opc.tcp://10.0.0.1:4841/path", "10.0.0.1", 4841),
            ("opc.tcp://[::1]:4842", "::1", 4842),
        ] {
            let host = host.to_owned();
            assert_eq!(Target::of(url), Ok(Target { host, port }));
        }
    }

    #[tokio::test]
    async fn refusal_and_unknown_names_are_told_apart() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let target = Target {
            host: "127.0.0.1".into(),
            port,
        };
        let addresses = target.resolve().await.unwrap();
        let words = target.connect(&addresses).await.unwrap_err();
        assert!(words.contains("refuses the connection"), "{words}");
        let unknown = Target {
            host: "no-such-host.invalid".into(),
            port,
        };
        let words = unknown.resolve().await.unwrap_err();
        assert!(words.contains("no-such-host.invalid"), "{words}");
    }
}
