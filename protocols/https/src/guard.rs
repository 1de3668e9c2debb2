//! Which addresses may be asked: a URL that somebody set must not lead to what trusts this machine, nor to the gateway itself.
//!
//! The name is looked up once for a link, every address of the answer is judged, and those are the addresses that the link
//! connects to as long as it lasts. So a name that is answered otherwise a moment later changes nothing.

mod own_ports;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::SinkError;
use futures::future::BoxFuture;

use crate::{client::server_at, target::Server};

/// How long a name may take to be looked up.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(10);
/// No more addresses of a name are looked at.
const MOST_ADDRESSES: usize = 16;

/// Looks names up. The tests have one whose answers change.
pub(crate) trait Resolver: Send + Sync {
    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// What a guard has to know of the machine.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub resolver: Arc<dyn Resolver>,
    /// The ports at which this process listens.
    pub own_ports: fn() -> Vec<u16>,
}

/// The system's own way to look up names.
struct System;

// === impl Surroundings ===

impl Surroundings {
    pub fn of_this_machine() -> Self {
        Self {
            resolver: Arc::new(System),
            own_ports: own_ports::listening,
        }
    }

    /// The server's addresses, each of them one that may be asked.
    ///
    /// # Errors
    /// `Unreachable` when there are none, `Denied` when one of them may not be asked.
    pub async fn addresses(
        &self,
        server: &Server,
        allow_local: bool,
    ) -> Result<Vec<SocketAddr>, SinkError> {
        let addresses = match server.ip() {
            Some(ip) => vec![SocketAddr::new(ip, server.port)],
            None => self.look_up(server).await?,
        };
        let own_ports = (self.own_ports)();
        for address in &addresses {
            judge(*address, allow_local, &own_ports).map_err(|why| {
                SinkError::Denied(format!("{} is not asked: {why}", server.address()))
            })?;
        }
        Ok(addresses)
    }

    async fn look_up(&self, server: &Server) -> Result<Vec<SocketAddr>, SinkError> {
        let address = server.address();
        let host = server.host.to_string();
        let asked = self.resolver.look_up(&host, server.port);
        let mut addresses = tokio::time::timeout(LOOK_UP_LIMIT, asked)
            .await
            .map_err(|_| {
                SinkError::Unreachable(format!(
                    "the name in {address} was not looked up within {} s; is the DNS server alive",
                    LOOK_UP_LIMIT.as_secs()
                ))
            })?
            .map_err(|error| server_at(&address).explain(&error))?;
        addresses.truncate(MOST_ADDRESSES);
        if addresses.is_empty() {
            return Err(SinkError::Unreachable(format!(
                "{host} has no address; check the DNS server"
            )));
        }
        Ok(addresses)
    }
}

impl Resolver for System {
    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Whether an address may be asked; if not, why, and what to do.
fn judge(address: SocketAddr, allow_local: bool, own_ports: &[u16]) -> Result<(), String> {
    let ip = inner(address.ip());
    if own_ports.contains(&address.port()) && is_this_machine(ip) {
        return Err(format!(
            "{address} is this gateway itself; use another port"
        ));
    }
    match special(ip) {
        None => Ok(()),
        Some(what @ ("a multicast address" | "a broadcast address")) => {
            Err(format!("{address} is {what}, and no server's"))
        }
        Some(_) if allow_local => Ok(()),
        Some(what) => Err(format!(
            "{address} is {what}; set allow_local = true if that is meant"
        )),
    }
}

/// What makes an address one that is not asked without a person's word.
fn special(ip: IpAddr) -> Option<&'static str> {
    const METADATA: [IpAddr; 5] = [
        IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
        IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    if METADATA.contains(&ip) {
        return Some("where a cloud tells its machines their secrets");
    }
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() => Some("this machine"),
        // Linux takes all of them for this machine.
        IpAddr::V4(ip) if ip.octets()[0] == 0 => Some("this machine"),
        IpAddr::V4(ip) if ip.is_link_local() => Some("a link-local address"),
        IpAddr::V4(ip) if ip.is_multicast() => Some("a multicast address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("a broadcast address"),
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unspecified() => Some("this machine"),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V6(ip) if ip.is_multicast() => Some("a multicast address"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291 §2.5.5.2) and compatible (§2.5.5.1) ones, those of NAT64
/// (RFC 6052) and 6to4 (RFC 3056).
fn inner(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else {
        return ip;
    };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        _ => ip,
    }
}

/// One of this machine's own addresses: only those can be bound.
fn is_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests;
