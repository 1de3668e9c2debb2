//! Passes frames on to others on the LAN as an RTSP server: for reading only, with a password always, and one connection to the camera.
//!
//! Viewers get packets in their RTSP connection (RFC 2326 clause 10.12). Everything is bounded: who is slow is sent away instead of
//! being waited for, and the camera's stream never notices.

mod guard;
mod nal;
mod packets;
pub(crate) mod request;
mod sdp;
mod viewer;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use fieldgate_media::{Frame, Track};
use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::address::Credentials;
use viewer::Viewer;

/// The most viewers at a time.
pub const MOST_VIEWERS: usize = 16;

/// Where viewers' streams come from. Paths have no slashes around them.
pub trait Shelf: Send + Sync {
    /// The tracks of a stream, with their parameters. May wait for its camera, for some seconds.
    fn tracks<'a>(
        &'a self,
        path: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<Track>>, Absent>>;

    /// Its frames from now on. It is dropped when the viewer leaves.
    fn frames<'a>(
        &'a self,
        path: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Fed>, Absent>>;
}

/// What a stream is fed with.
#[derive(Debug, Clone)]
pub enum Fed {
    Frame(Frame),
    /// So many frames could not be kept for this viewer: it is too slow, and sent away.
    Missed(u64),
}

/// Why there is no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Nothing of this name, or nothing that this user may see.
    NoSuchStream,
    /// Its camera does not send.
    NotNow,
}

/// How a viewer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Departure {
    /// By itself.
    Left,
    /// The stream ended.
    Over,
    /// It did not take what was sent, or frames were lost on the way to it.
    Slow,
    /// It asked nothing for too long.
    Silent,
    /// It did not know the password.
    Password,
    /// It sent what is no RTSP.
    Malformed,
    /// There were too many.
    Full,
}

/// What became of viewers, for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Now.
    pub viewers: AtomicU64,
    departures: [AtomicU64; Departure::ALL.len()],
    pub frames: AtomicU64,
    pub bytes: AtomicU64,
}

/// The server.
pub struct Restream {
    listener: TcpListener,
    shelf: Arc<dyn Shelf>,
    users: Vec<Credentials>,
    counters: Arc<Counters>,
}

/// After an accept that failed: the system is short of something, and more haste makes it shorter.
const PAUSE: Duration = Duration::from_millis(200);

// === impl Restream ===

impl Restream {
    /// Listens. Without users nobody is let in.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn bind(
        address: SocketAddr,
        shelf: Arc<dyn Shelf>,
        users: Vec<Credentials>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            shelf,
            users,
            counters: Arc::new(Counters::default()),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Serves until `stop`; then every viewer is hung up on.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut viewers = FuturesUnordered::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                accepted = self.listener.accept() => match accepted {
                    Ok(_) if viewers.len() >= MOST_VIEWERS => self.counters.left(Departure::Full),
                    Ok((stream, _)) => {
                        self.counters.viewers.fetch_add(1, Relaxed);
                        viewers.push(self.serve(stream));
                    }
                    Err(_) => sleep(PAUSE).await,
                },
                Some(departure) = viewers.next(), if !viewers.is_empty() => {
                    self.counters.viewers.fetch_sub(1, Relaxed);
                    self.counters.left(departure);
                }
            }
        }
    }

    async fn serve(&self, stream: TcpStream) -> Departure {
        match Viewer::new(stream, &*self.shelf, &self.users, &self.counters) {
            Some(viewer) => viewer.run().await,
            None => Departure::Left,
        }
    }
}

// === impl Departure ===

impl Departure {
    pub const ALL: [Self; 7] = [
        Self::Left,
        Self::Over,
        Self::Slow,
        Self::Silent,
        Self::Password,
        Self::Malformed,
        Self::Full,
    ];

    /// As it is called in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Over => "over",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Password => "password",
            Self::Malformed => "malformed",
            Self::Full => "full",
        }
    }
}

// === impl Counters ===

impl Counters {
    /// How many viewers left this way.
    #[must_use]
    pub fn departures(&self, departure: Departure) -> u64 {
        self.departures[departure as usize].load(Relaxed)
    }

    fn left(&self, departure: Departure) {
        self.departures[departure as usize].fetch_add(1, Relaxed);
    }
}
