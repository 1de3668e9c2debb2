//! `Proxy`: a network on loopback between client and server: it cuts connections, swallows what it carries, delays it and narrows it.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::net::sockopt;

/// A proxy for one server. It accepts until it is closed or the process ends; nothing of it outlives a test's process.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    to: u16,
    shared: Arc<Shared>,
    /// Ends when it is closed.
    accepting: Option<JoinHandle<()>>,
}

/// How the network is. The default lets everything through at once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// From the client to the server.
    pub out: Way,
    /// From the server to the client.
    pub back: Way,
}

/// One direction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Way {
    /// Takes everything and delivers nothing, without ending the connection: half-open, as a dead router makes it.
    pub swallows: bool,
    pub delay: Duration,
    pub bytes_per_s: Option<u32>,
    /// The share of packets that arrive only when TCP has sent them again.
    pub loss: f64,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    weather: Weather,
    streams: Vec<TcpStream>,
    accepted: usize,
    closed: bool,
}

/// Which direction of the weather a thread looks at.
type Side = fn(&Weather) -> Way;

/// As large as a packet on the wire.
const PACKET_BYTES: usize = 1460;
/// What is under way in the network itself; more waits at its sender.
const PACKETS_UNDER_WAY: usize = 4096;
/// A narrow way has no large buffers in front of it: what the kernel takes from a sender before anybody reads it.
const NARROW_BUFFER: usize = 8 << 10;
/// After how long TCP sends again (RFC 6298 §2: at least a second, Linux: 200 ms).
const RESEND: Duration = Duration::from_millis(250);

// === impl Proxy ===

impl Proxy {
    /// A proxy before `127.0.0.1:to`.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(to: u16) -> Self {
        Self::with(to, Weather::default())
    }

    /// A proxy in this weather.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn with(to: u16, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        if weather.is_narrow() {
            // What is accepted inherits it.
            sockopt::set_socket_recv_buffer_size(&listener, NARROW_BUFFER)
                .expect("a size that Linux takes");
        }
        let shared = Arc::new(Shared::default());
        shared.lock().weather = weather;
        let accepting = Some(accept(listener, to, &shared));
        Self {
            port,
            to,
            shared,
            accepting,
        }
    }

    /// Cuts every connection there is, and lets no new one through, until [`Self::open`].
    ///
    /// # Panics
    /// When it is closed already.
    pub fn close(&mut self) {
        self.shared.lock().closed = true;
        // The last one that is accepted: it wakes the thread, which then looks.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let accepting = self.accepting.take().expect("it is open");
        accepting.join().expect("it does not panic");
        let _ = self.cut();
    }

    /// Lets connections through again.
    ///
    /// # Panics
    /// When its port was taken meanwhile.
    pub fn open(&mut self) {
        self.shared.lock().closed = false;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("its port is free");
        self.accepting = Some(accept(listener, self.to, &self.shared));
    }

    /// The network is like this from now on, for the connections that there are too.
    pub fn turn(&self, weather: Weather) {
        self.shared.lock().weather = weather;
    }

    /// How many connections were let through so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Cuts every connection there is; new ones are let through. How many were cut.
    #[must_use]
    pub fn cut(&self) -> usize {
        let streams = std::mem::take(&mut self.shared.lock().streams);
        for stream in &streams {
            // One that ended by itself is as good as cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
        streams.len() / 2
    }
}

// === impl Weather ===

impl Weather {
    /// Nothing arrives, either way, and no connection ends.
    #[must_use]
    pub fn half_open() -> Self {
        let way = Way {
            swallows: true,
            ..Way::default()
        };
        Self {
            out: way,
            back: way,
        }
    }

    /// The server hears the client, and not the reverse.
    #[must_use]
    pub fn no_answers() -> Self {
        Self {
            back: Way {
                swallows: true,
                ..Way::default()
            },
            ..Self::default()
        }
    }

    /// A round trip of so long, and so many bytes a second each way.
    #[must_use]
    pub fn slow(round_trip: Duration, bytes_per_s: Option<u32>) -> Self {
        let way = Way {
            delay: round_trip / 2,
            bytes_per_s,
            ..Way::default()
        };
        Self {
            out: way,
            back: way,
        }
    }

    /// This share of all packets is lost at first.
    #[must_use]
    pub fn lossy(loss: f64) -> Self {
        let way = Way {
            loss,
            ..Way::default()
        };
        Self {
            out: way,
            back: way,
        }
    }

    fn is_narrow(&self) -> bool {
        self.out.bytes_per_s.or(self.back.bytes_per_s).is_some()
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while holding it")
    }
}

fn accept(listener: TcpListener, to: u16, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            if shared.lock().closed {
                return;
            }
            // Without a server the client finds its connection closed.
            if let Ok(pair) = join(&client, to, &shared) {
                let mut state = shared.lock();
                state.accepted += 1;
                state.streams.extend(pair);
            }
        }
    })
}

fn join(client: &TcpStream, to: u16, shared: &Arc<Shared>) -> io::Result<[TcpStream; 2]> {
    let server = TcpStream::connect(("127.0.0.1", to))?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
    }
    carry(client.try_clone()?, server.try_clone()?, shared, |w| w.out);
    carry(server.try_clone()?, client.try_clone()?, shared, |w| w.back);
    Ok([client.try_clone()?, server])
}

/// One thread takes packets in, another one hands them over when they are due.
fn carry(from: TcpStream, to: TcpStream, shared: &Arc<Shared>, side: Side) {
    let (sender, packets) = sync_channel(PACKETS_UNDER_WAY);
    let look = Arc::clone(shared);
    thread::spawn(move || take_in(from, &sender, &look, side));
    thread::spawn(move || hand_over(to, &packets));
}

fn take_in(
    mut from: TcpStream,
    packets: &SyncSender<(Instant, Vec<u8>)>,
    shared: &Shared,
    side: Side,
) {
    let mut buffer = [0; PACKET_BYTES];
    let mut dice = 0.0;
    // When the way is free for the next packet.
    let mut free = Instant::now();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let way = side(&shared.lock().weather);
        if way.swallows {
            continue;
        }
        free = free.max(Instant::now());
        if let Some(rate) = way.bytes_per_s {
            free += Duration::from_secs_f64(count as f64 / f64::from(rate));
            thread::sleep(free.saturating_duration_since(Instant::now()));
        }
        dice = f64::fract(dice + way.loss);
        let lost = way.loss > 0.0 && dice < way.loss;
        let due = free + way.delay + if lost { RESEND } else { Duration::ZERO };
        if packets.send((due, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

/// In order, whatever was late: so is TCP.
fn hand_over(mut to: TcpStream, packets: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in packets {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // Either end closing is how a connection ends.
    let _ = to.shutdown(Shutdown::Write);
}
