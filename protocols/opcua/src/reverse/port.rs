//! `Port`: where servers connect to us. Several sources can share one: each has a desk, where the servers that it expects are
//! seated; strangers are sent away and counted.
//!
//! Nothing is spawned. Whoever waits or runs takes the baton and does the accepting for everybody, until it leaves.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    hello::{self, Expected, HEADER_BYTES, ReverseHello},
    seats::{Peer, Seats},
};

/// How long one that connects may take to say who it is.
const HELLO_LIMIT: Duration = Duration::from_secs(3);
/// Those that have not said it yet; more wait in the system's own queue.
const MAX_GREETING: usize = 32;
/// Those of one peer: several servers can be behind one address.
const MAX_GREETING_OF_PEER: usize = 8;
const BACKLOG: u32 = 16;
const TOO_MANY: &str = "too many of its connections have not said who they are";
/// After the system had no socket for us.
const NO_SOCKET_PAUSE: Duration = Duration::from_millis(200);

/// All ports of the gateway, each once.
#[derive(Debug, Default)]
pub(crate) struct Ports(Mutex<HashMap<SocketAddr, Weak<Port>>>);

#[derive(Debug)]
pub(super) struct Port {
    /// With whoever tends it.
    gate: Mutex<Option<Gate>>,
    baton: Notify,
    desks: Mutex<Vec<Desk>>,
    strangers: Mutex<Strangers>,
}

/// What is to be tended.
#[derive(Debug)]
struct Gate {
    listener: TcpListener,
    greeting: FuturesUnordered<BoxFuture<'static, Greeted>>,
    /// How many of them come from where; none of those that have none.
    of_peers: HashMap<Peer, usize>,
}

/// One that said who it is, or not.
struct Greeted {
    stream: TcpStream,
    peer: SocketAddr,
    hello: Result<ReverseHello, &'static str>,
}

#[derive(Debug)]
struct Desk {
    number: u64,
    expected: Expected,
    seated: Seats<Seated>,
    came: Arc<Notify>,
}

/// A server that waits, and the endpoint under which it wants to be greeted.
#[derive(Debug)]
struct Seated {
    stream: TcpStream,
    endpoint: String,
}

/// Who was sent away.
#[derive(Debug, Default)]
struct Strangers {
    count: u64,
    last: String,
    desks: u64,
}

/// A source's desk at a port; gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Entrance {
    port: Arc<Port>,
    number: u64,
    came: Arc<Notify>,
    guest: Guest,
    pub(super) expected: Expected,
    pub(super) listen: SocketAddr,
}

/// What a desk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    /// A source.
    Stays,
    /// A test of settings: it may take a connection that waits for a source, since the server makes another one.
    TriesOut,
}

struct Tending<'a> {
    port: &'a Port,
    gate: Option<Gate>,
}

// === impl Ports ===

impl Ports {
    /// A desk at the port, which is opened when nobody has it yet.
    ///
    /// # Errors
    /// In words, when the port cannot be had.
    pub(crate) fn enter(
        &self,
        listen: SocketAddr,
        expected: Expected,
        guest: Guest,
    ) -> Result<Entrance, String> {
        let mut ports = locked(&self.0);
        ports.retain(|_, port| port.strong_count() > 0);
        let port = match ports.get(&listen).and_then(Weak::upgrade) {
            Some(port) => port,
            None => {
                let other = ports.keys().find(|open| open.port() == listen.port());
                let port = Port::open(listen).map_err(|error| no_port(listen, other, &error))?;
                let port = Arc::new(port);
                ports.insert(listen, Arc::downgrade(&port));
                port
            }
        };
        Ok(port.desk(listen, expected, guest))
    }
}

// === impl Port ===

impl Port {
    fn open(listen: SocketAddr) -> std::io::Result<Self> {
        Ok(Self {
            gate: Mutex::new(Some(Gate {
                listener: listener(listen)?,
                greeting: FuturesUnordered::new(),
                of_peers: HashMap::new(),
            })),
            baton: Notify::new(),
            desks: Mutex::default(),
            strangers: Mutex::default(),
        })
    }

    fn desk(self: Arc<Self>, listen: SocketAddr, expected: Expected, guest: Guest) -> Entrance {
        let (came, number) = (Arc::new(Notify::new()), {
            let mut strangers = locked(&self.strangers);
            strangers.desks += 1;
            strangers.desks
        });
        locked(&self.desks).push(Desk {
            number,
            expected: expected.clone(),
            seated: Seats::default(),
            came: Arc::clone(&came),
        });
        Entrance {
            port: self,
            number,
            came,
            guest,
            expected,
            listen,
        }
    }

    /// Accepts for everybody, or waits until it is our turn to.
    async fn tend(&self) -> Infallible {
        loop {
            let gate = locked(&self.gate).take();
            match gate {
                Some(gate) => {
                    let mut tending = Tending {
                        port: self,
                        gate: Some(gate),
                    };
                    tending.accept().await;
                }
                None => self.baton.notified().await,
            }
        }
    }

    fn seat(&self, greeted: Greeted) {
        let Greeted {
            stream,
            peer,
            hello,
        } = greeted;
        let mut desks = locked(&self.desks);
        let expects = |desk: &&mut Desk| hello.as_ref().is_ok_and(|hello| desk.expected.is(hello));
        // Two sources can expect the same server.
        let desk = desks
            .iter_mut()
            .filter(expects)
            .min_by_key(|desk| desk.seated.len());
        match (desk, hello) {
            (Some(desk), Ok(hello)) => {
                let endpoint = hello.endpoint;
                let seated = Seated { stream, endpoint };
                desk.seated.put(Peer::of(peer.ip()), seated);
                let expected = desk.expected.clone();
                // A test takes it from the source's desk.
                for desk in desks.iter().filter(|desk| desk.expected == expected) {
                    desk.came.notify_one();
                }
            }
            (_, hello) => {
                // If it does not take it at once, it finds its connection closed.
                let _told = stream.try_write(&hello::rejection());
                locked(&self.strangers).sent_away(peer, &hello);
            }
        }
    }
}

fn no_port(listen: SocketAddr, other: Option<&SocketAddr>, error: &std::io::Error) -> String {
    let why = match other {
        Some(other) => format!(
            "another source listens at {other}, and those that share a port write it the same way"
        ),
        None => "is the port taken, and is the address one of this machine's?".to_owned(),
    };
    format!("cannot listen at {listen} for servers that connect ({error}); {why}")
}

fn listener(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

async fn greet(mut stream: TcpStream, peer: SocketAddr) -> Greeted {
    let hello = timeout(HELLO_LIMIT, hello_of(&mut stream)).await;
    Greeted {
        stream,
        peer,
        hello: hello.unwrap_or(Err("it does not say who it is")),
    }
}

async fn hello_of(stream: &mut TcpStream) -> Result<ReverseHello, &'static str> {
    const CLOSED: &str = "it hung up before it said who it is";
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.map_err(|_| CLOSED)?;
    let mut body = vec![0; hello::body_bytes(header)?];
    stream.read_exact(&mut body).await.map_err(|_| CLOSED)?;
    hello::read(&body)
}

// === impl Gate ===

impl Gate {
    fn has_greeted(&mut self, peer: Peer) {
        if let Some(of_peer) = self.of_peers.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                self.of_peers.remove(&peer);
            }
        }
    }
}

// === impl Tending ===

impl Tending<'_> {
    async fn accept(&mut self) {
        let Some(gate) = &mut self.gate else {
            return;
        };
        loop {
            let room = gate.greeting.len() < MAX_GREETING;
            tokio::select! {
                accepted = gate.listener.accept(), if room => match accepted {
                    Ok((stream, peer)) => {
                        let of_peer = gate.of_peers.entry(Peer::of(peer.ip())).or_default();
                        if *of_peer >= MAX_GREETING_OF_PEER {
                            locked(&self.port.strangers).sent_away(peer, &Err(TOO_MANY));
                            continue;
                        }
                        *of_peer += 1;
                        // Answers are small, and each is waited for.
                        let _fast = stream.set_nodelay(true);
                        gate.greeting.push(Box::pin(greet(stream, peer)));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "no connection is accepted");
                        sleep(NO_SOCKET_PAUSE).await;
                    }
                },
                Some(greeted) = gate.greeting.next() => {
                    gate.has_greeted(Peer::of(greeted.peer.ip()));
                    self.port.seat(greeted);
                }
            }
        }
    }
}

/// The baton goes to whoever waits for it.
impl Drop for Tending<'_> {
    fn drop(&mut self) {
        *locked(&self.port.gate) = self.gate.take();
        self.port.baton.notify_one();
    }
}

// === impl Strangers ===

impl Strangers {
    fn sent_away(&mut self, peer: SocketAddr, hello: &Result<ReverseHello, &'static str>) {
        self.count += 1;
        // Its words are a stranger's: not more of them than fits into a line.
        let said = |text: &str| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(100)
                .collect::<String>()
        };
        self.last = match hello {
            Ok(hello) => format!(
                "{} at {}, from {peer}",
                said(&hello.server_uri),
                said(&hello.endpoint)
            ),
            Err(why) => format!("from {peer}: {why}"),
        };
    }
}

// === impl Seated ===

impl Seated {
    /// A server is silent now: whatever it said, it is not what is to come.
    fn is_live(&self) -> bool {
        let silent = self.stream.try_read(&mut [0]);
        silent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

// === impl Entrance ===

impl Entrance {
    /// The next connection of the expected server, of the peer that an attempt began with; and the endpoint under which it wants
    /// to be greeted.
    pub(super) async fn next(&self, began_with: Option<Peer>) -> (Peer, TcpStream, String) {
        let seated = async {
            loop {
                if let Some((peer, Seated { stream, endpoint })) = self.take(began_with) {
                    return (peer, stream, endpoint);
                }
                self.came.notified().await;
            }
        };
        tokio::select! {
            seated = seated => seated,
            never = self.port.tend() => match never {},
        }
    }

    /// Does the accepting while nobody waits.
    pub(crate) async fn tend(&self) -> Infallible {
        self.port.tend().await
    }

    /// One that the server has not closed meanwhile; for a test also one that waits for a source with the same server.
    fn take(&self, began_with: Option<Peer>) -> Option<(Peer, Seated)> {
        let mut desks = locked(&self.port.desks);
        let own = desks.iter_mut().find(|desk| desk.number == self.number)?;
        if let Some(seated) = own.seated.take(began_with, Seated::is_live) {
            return Some(seated);
        }
        let lent =
            |desk: &&mut Desk| self.guest == Guest::TriesOut && desk.expected == self.expected;
        let mut lenders = desks.iter_mut().filter(lent);
        lenders.find_map(|desk| desk.seated.take(began_with, Seated::is_live))
    }

    /// It is a test of what a source waits for as well.
    pub(super) fn is_shared(&self) -> bool {
        let desks = locked(&self.port.desks);
        let same = |desk: &Desk| desk.number != self.number && desk.expected == self.expected;
        self.guest == Guest::TriesOut && desks.iter().any(same)
    }

    /// `3 others were sent away, the last: …`; nothing when there were none.
    pub(crate) fn strangers(&self) -> String {
        let strangers = locked(&self.port.strangers);
        match strangers.count {
            0 => String::new(),
            1 => format!("; another one was sent away: {}", strangers.last),
            count => format!(
                "; {count} others were sent away, the last: {}",
                strangers.last
            ),
        }
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        locked(&self.port.desks).retain(|desk| desk.number != self.number);
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
