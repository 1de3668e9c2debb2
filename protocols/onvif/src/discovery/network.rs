//! The sockets of WS-Discovery: a probe that is asked for, and listening to those who come and go.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    task::{Context, Poll},
    time::Duration,
};

use if_addrs::{IfAddr, Interface};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::ReadBuf,
    net::UdpSocket,
    time::{Instant, sleep, timeout_at},
};
use uuid::Uuid;

use super::{
    message::{Announcement, MAX_DATAGRAM, TYPES, probe, read},
    rows::{Findings, Found},
};
use crate::reach::Reach;

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// All who listen, on each network of this machine.
    Everyone,
    /// One address, where multicast does not reach.
    One(IpAddr),
}

/// A question, and how long answers are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    pub place: Where,
    pub wait: Duration,
    pub reach: Reach,
    /// 3702, but in tests.
    pub port: u16,
}

/// Why nobody was asked.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("this machine has no network to search; connect one, or name the camera's address")]
    NoNetwork,
    #[error("{ip} is not asked: {why}")]
    Forbidden { ip: IpAddr, why: &'static str },
    #[error("the network cannot be searched: {0}")]
    Network(#[from] io::Error),
    #[error("others' announcements cannot be listened to, port 3702 cannot be had: {0}")]
    Port(#[source] io::Error),
}

/// The networks that this machine is on.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    all: Vec<Interface>,
}

/// Hears who comes and goes, without ever sending anything but the membership of the group.
pub struct Listener {
    socket: UdpSocket,
    networks: Networks,
    budget: Budget,
    /// Datagrams that were not looked at, since there were too many.
    pub skipped: u64,
}

/// What was overheard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overheard {
    /// It is there, or says anew what it is.
    Here(Found),
    /// It says goodbye; its endpoint reference.
    Gone(String),
}

/// WS-Discovery's group (clause 1.4 of the 2005 edition).
pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// WS-Discovery's port.
pub const PORT: u16 = 3702;
/// Answers are not waited for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// UDP may lose one, so each question is put twice (SOAP-over-UDP 1.1 appendix I), after so long again.
const AGAIN_AFTER: Duration = Duration::from_millis(150);
/// After an error of the network; it may be one that comes back at once.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// Interfaces that are asked on.
const MAX_INTERFACES: usize = 16;
/// Datagrams of one search that are looked at.
const MAX_ANSWERS: u64 = 4_096;
/// Announcements that are read in a second; an Ethernet full of them is not.
const LISTEN_PER_SECOND: u32 = 50;

/// Asks, and collects the answers; each new row is told while it goes on. Two questions, each sent twice, on each interface; answers
/// are taken where they name one of the questions or none.
///
/// # Errors
/// When nobody can be asked.
pub async fn search(
    search: Search,
    mut tell: impl FnMut(&Found) + Send,
) -> Result<Findings, SearchError> {
    let networks = Networks::now()?;
    let (sockets, to) = sockets(&search, &networks)?;
    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    let questions: Vec<String> = ids
        .iter()
        .zip(TYPES)
        .map(|(id, types)| probe(*id, types))
        .collect();
    let began = Instant::now();
    let end = began + search.wait.min(LONGEST_WAIT);
    let mut findings = Findings::default();
    let mut heard = 0;
    ask(&sockets, &questions, to).await?;
    for deadline in [(began + AGAIN_AFTER).min(end), end] {
        let mut buffer = vec![0; MAX_DATAGRAM];
        while heard < MAX_ANSWERS
            && let Ok(received) = timeout_at(deadline, receive(&sockets, &mut buffer)).await
        {
            heard += 1;
            // What an ICMP message reports about an earlier datagram is nobody's answer; the others still come.
            let Ok((length, from)) = received else {
                continue;
            };
            let asked = match search.place {
                Where::Everyone => true,
                Where::One(ip) => from.ip().to_canonical() == ip.to_canonical(),
            };
            match buffer.get(..length) {
                Some(datagram) if asked => take(
                    datagram,
                    from.ip(),
                    &ids,
                    &networks,
                    &mut findings,
                    &mut tell,
                ),
                _ => findings.not_understood += 1,
            }
        }
        if deadline < end {
            ask(&sockets, &questions, to).await?;
        }
    }
    Ok(findings)
}

fn take(
    datagram: &[u8],
    from: IpAddr,
    ids: &[Uuid],
    networks: &Networks,
    findings: &mut Findings,
    tell: &mut impl FnMut(&Found),
) {
    let Some(letter) = read(datagram) else {
        findings.not_understood += 1;
        return;
    };
    let to_us = letter.relates_to.is_none_or(|id| {
        let id = id.to_ascii_lowercase();
        ids.iter().any(|ours| id.contains(&ours.to_string()))
    });
    if !to_us {
        findings.not_understood += 1;
        return;
    }
    for announcement in letter.announcements {
        if let Announcement::Here(said) = announcement
            && let Some(found) = Found::new(&said, from, networks)
            && let Some(row) = findings.take(found)
        {
            tell(row);
        }
    }
}

/// A socket for each interface, so that each network is asked, and by an address that is on it.
fn sockets(
    search: &Search,
    networks: &Networks,
) -> Result<(Vec<UdpSocket>, SocketAddr), SearchError> {
    let ip = match search.place {
        Where::One(ip) => ip,
        Where::Everyone => {
            let sockets: Vec<UdpSocket> = networks
                .addresses(search.reach)
                .filter_map(|address| multicast_socket(address).ok())
                .collect();
            if sockets.is_empty() {
                return Err(SearchError::NoNetwork);
            }
            return Ok((sockets, SocketAddr::from((GROUP, search.port))));
        }
    };
    let forbidden = search.reach.check(ip);
    forbidden.map_err(|why| SearchError::Forbidden { ip, why })?;
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    Ok((
        vec![UdpSocket::from_std(socket)?],
        SocketAddr::new(ip, search.port),
    ))
}

fn multicast_socket(address: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_if_v4(&address)?;
    // It is for this network, and no router's business.
    socket.set_multicast_ttl_v4(1)?;
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(address, 0)).into())?;
    UdpSocket::from_std(socket.into())
}

/// An interface that is down now is no reason to leave the others out.
async fn ask(sockets: &[UdpSocket], questions: &[String], to: SocketAddr) -> io::Result<()> {
    let mut last = None;
    let mut sent = false;
    for socket in sockets {
        for question in questions {
            match socket.send_to(question.as_bytes(), to).await {
                Ok(_) => sent = true,
                Err(error) => last = Some(error),
            }
        }
    }
    match last {
        Some(error) if !sent => Err(error),
        _ => Ok(()),
    }
}

/// The next datagram on any of the sockets.
async fn receive(sockets: &[UdpSocket], buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    poll_fn(|context| poll_any(sockets, buffer, context)).await
}

fn poll_any(
    sockets: &[UdpSocket],
    buffer: &mut [u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<(usize, SocketAddr)>> {
    for socket in sockets {
        let mut read = ReadBuf::new(buffer);
        if let Poll::Ready(received) = socket.poll_recv_from(context, &mut read) {
            return Poll::Ready(received.map(|from| (read.filled().len(), from)));
        }
    }
    Poll::Pending
}

// === impl Networks ===

impl Networks {
    /// As they are now.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn now() -> io::Result<Self> {
        Ok(Self {
            all: if_addrs::get_if_addrs()?,
        })
    }

    /// An address is on one of them.
    #[must_use]
    pub fn contain(&self, ip: IpAddr) -> bool {
        self.all
            .iter()
            .any(|interface| match (&interface.addr, ip) {
                (IfAddr::V4(own), IpAddr::V4(ip)) => {
                    u32::from(own.ip) & u32::from(own.netmask)
                        == u32::from(ip) & u32::from(own.netmask)
                }
                (IfAddr::V6(own), IpAddr::V6(ip)) => {
                    u128::from(own.ip) & u128::from(own.netmask)
                        == u128::from(ip) & u128::from(own.netmask)
                }
                _ => false,
            })
    }

    /// IPv4 addresses of ours to ask from, one for each network.
    fn addresses(&self, reach: Reach) -> impl Iterator<Item = Ipv4Addr> {
        self.all
            .iter()
            .filter(move |interface| reach == Reach::ThisMachineToo || !interface.is_loopback())
            .filter_map(|interface| match &interface.addr {
                IfAddr::V4(own) => Some(own.ip),
                IfAddr::V6(_) => None,
            })
            .take(MAX_INTERFACES)
    }
}

// === impl Listener ===

impl Listener {
    /// Joins the group on each network.
    ///
    /// # Errors
    /// When another program has the port for itself, or there is no network.
    pub fn join(reach: Reach) -> Result<Self, SearchError> {
        Self::join_at(reach, PORT)
    }

    /// # Errors
    /// As [`Self::join`].
    pub fn join_at(reach: Reach, port: u16) -> Result<Self, SearchError> {
        let networks = Networks::now()?;
        let socket = listening_socket(port).map_err(SearchError::Port)?;
        let joined = networks
            .addresses(reach)
            .filter(|address| socket.join_multicast_v4(&GROUP, address).is_ok())
            .count();
        if joined == 0 {
            return Err(SearchError::NoNetwork);
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            networks,
            budget: Budget::default(),
            skipped: 0,
        })
    }

    /// The next that comes or goes. It may be dropped at any time.
    pub async fn next(&mut self) -> Overheard {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else {
                sleep(AFTER_TROUBLE).await;
                continue;
            };
            if !self.budget.has(Instant::now()) {
                self.skipped += 1;
                continue;
            }
            let datagram = buffer.get(..length).unwrap_or_default();
            if let Some(overheard) = overheard(datagram, from.ip(), &self.networks) {
                return overheard;
            }
        }
    }
}

/// One device at most: what is multicast is of its sender.
fn overheard(datagram: &[u8], from: IpAddr, networks: &Networks) -> Option<Overheard> {
    match Announcement::read(datagram).into_iter().next()? {
        Announcement::Here(said) => Found::new(&said, from, networks).map(Overheard::Here),
        Announcement::Gone { endpoint } => Some(Overheard::Gone(endpoint)),
    }
}

fn listening_socket(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Multicast reaches all who listen; another program that listens as well keeps its own.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    Ok(socket)
}

/// So many in each second.
#[derive(Debug, Default)]
struct Budget {
    second: Option<Instant>,
    used: u32,
}

// === impl Budget ===

impl Budget {
    fn has(&mut self, now: Instant) -> bool {
        let fresh = self
            .second
            .is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1));
        if fresh {
            self.second = Some(now);
            self.used = 0;
        }
        self.used += 1;
        self.used <= LISTEN_PER_SECOND
    }
}

#[cfg(test)]
mod tests;
