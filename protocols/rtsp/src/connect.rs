//! Reaches a camera: resolves its name once, judges every address, connects to one of just those, and wraps it in TLS.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::spawn_blocking,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    address::{Address, Forbidden, Reach, permit},
    error::{Step, StreamError, TlsFault},
    options::Options,
    tls,
};

/// A connection to a camera, in TLS or not.
pub(crate) struct Connection {
    pub(crate) io: Box<dyn Io>,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// Bytes both ways.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 4;

/// Connects.
///
/// # Errors
/// Says on which rung it ended.
pub(crate) async fn connect(
    address: &Address,
    options: &Options,
) -> Result<Connection, StreamError> {
    let addresses = resolve(address, options).await?;
    let mut failed = None;
    for candidate in addresses {
        match tcp(candidate, address, options).await {
            Ok(connection) if address.scheme().is_tls() => {
                return encrypt(connection, address, options).await;
            }
            Ok((stream, peer, local)) => {
                let io = Box::new(stream);
                return Ok(Connection { io, peer, local });
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| StreamError::NameNotFound {
        host: address.host(),
        why: "it has no address".to_owned(),
    }))
}

/// Waits for a step, but not for ever.
pub(crate) async fn within<T>(
    limit: Duration,
    step: Step,
    address: &Address,
    work: impl Future<Output = T>,
) -> Result<T, StreamError> {
    timeout(limit, work)
        .await
        .map_err(|_| StreamError::TimedOut {
            place: address.place(),
            step,
            limit,
        })
}

/// Every address of the name, if all of them may be connected to: a name that mixes good ones with others is a trick.
async fn resolve(address: &Address, options: &Options) -> Result<Vec<SocketAddr>, StreamError> {
    let host = address.host();
    let found = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, address.port())],
        Err(_) => {
            let lookup = lookup_host((host.as_str(), address.port()));
            within(options.limits.resolve, Step::Resolve, address, lookup)
                .await?
                .map_err(|error| StreamError::NameNotFound {
                    host: host.clone(),
                    why: error.to_string(),
                })?
                .take(64)
                .collect()
        }
    };
    for candidate in &found {
        permit(candidate.ip(), options.reach).map_err(|why| forbidden(address, why))?;
    }
    Ok(found.into_iter().take(MOST_ADDRESSES).collect())
}

async fn tcp(
    candidate: SocketAddr,
    address: &Address,
    options: &Options,
) -> Result<(TcpStream, SocketAddr, SocketAddr), StreamError> {
    let connecting = TcpStream::connect(candidate);
    let stream = within(options.limits.connect, Step::Connect, address, connecting)
        .await?
        .map_err(|error| unreachable(address, &error))?;
    let broken = |error: io::Error| StreamError::broken(&error);
    stream.set_nodelay(true).map_err(broken)?;
    let (peer, local) = (
        stream.peer_addr().map_err(broken)?,
        stream.local_addr().map_err(broken)?,
    );
    // An address of our own on the LAN leads to ourselves as loopback does.
    if peer.ip() == local.ip() && options.reach == Reach::Others {
        return Err(forbidden(address, Forbidden::Loopback));
    }
    Ok((stream, peer, local))
}

async fn encrypt(
    (stream, peer, local): (TcpStream, SocketAddr, SocketAddr),
    address: &Address,
    options: &Options,
) -> Result<Connection, StreamError> {
    let failed = |fault: TlsFault, fingerprint: Option<String>| StreamError::Tls {
        place: address.place(),
        fault,
        fingerprint,
    };
    let trust = options.trust.clone();
    let (config, seen) = spawn_blocking(move || tls::client_config(&trust))
        .await
        .map_err(|error| failed(TlsFault::Other(error.to_string()), None))?
        .map_err(|fault| failed(fault, None))?;
    let name = ServerName::try_from(address.host())
        .map_err(|_| failed(TlsFault::Other("its name is none for TLS".to_owned()), None))?;
    let handshake = TlsConnector::from(config).connect(name, stream);
    let stream = within(options.limits.tls, Step::Tls, address, handshake)
        .await?
        .map_err(|error| failed(tls::fault(&error), seen.get().cloned()))?;
    let io = Box::new(stream);
    Ok(Connection { io, peer, local })
}

fn forbidden(address: &Address, why: Forbidden) -> StreamError {
    StreamError::Forbidden {
        place: address.place(),
        why,
    }
}

fn unreachable(address: &Address, error: &io::Error) -> StreamError {
    let place = address.place();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => StreamError::ConnectionRefused { place },
        _ => StreamError::Unreachable {
            place,
            why: error.to_string(),
        },
    }
}
