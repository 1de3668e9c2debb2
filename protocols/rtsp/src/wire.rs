//! The wire between a camera and retina: the camera's end in TCP, TLS or UDP, guarded and measured; retina's end a loopback socket.
//!
//! retina opens its own TCP connection, speaks no TLS, limits no size, answers Basic in the clear and takes no second challenge.
//! So it gets a connection to this wire, which does all of that: it connects to the address that was judged, encrypts, signs over
//! the camera's own URL, bounds every head, description and frame, and drops what nobody asked for. In return there is one copy
//! more for each packet. retina has neither the camera's URL nor a password, so no text of it can show them.

mod datagrams;
mod door;
pub(crate) mod head;
pub(crate) mod media;
mod order;
mod relay;
pub(crate) mod rtp;
pub(crate) mod sdp;
mod talk;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures::future::BoxFuture;

use crate::{
    address::Address,
    connect::Connection,
    error::StreamError,
    options::{Options, Transport},
    sign::Signer,
    stats::Meter,
};
use datagrams::Datagrams;
use door::Door;
use media::Media;
use relay::Relay;
use talk::Talk;

/// How we name ourselves to cameras.
pub(crate) const USER_AGENT: &str = "Fieldgate";

/// A wire that is ready. Nothing flows unless `relay` is polled.
pub(crate) struct Wire {
    /// For retina.
    pub(crate) url: String,
    pub(crate) relay: RelayFuture,
    pub(crate) meters: Arc<Meters>,
}

/// Ends with the cause, or without an error after retina hung up and the session was torn down.
pub(crate) type RelayFuture = BoxFuture<'static, Result<(), StreamError>>;

/// The meters of a stream's tracks, in the order of their SETUPs.
pub(crate) struct Meters {
    begun: Instant,
    meters: Mutex<Vec<Meter>>,
}

// === impl Wire ===

impl Wire {
    pub(crate) async fn new(
        connection: Connection,
        address: &Address,
        options: &Options,
    ) -> Result<Self, StreamError> {
        let door = Door::open().await?;
        let url = door.url.clone();
        let tls = address.scheme().is_tls();
        let signer = Signer::new(address.credentials().cloned(), options.basic, tls);
        let meters = Arc::new(Meters::new());
        let datagrams = (options.transport == Transport::Udp)
            .then(|| Datagrams::new(connection.local.ip(), connection.peer.ip()));
        let relay = Relay {
            talk: Talk::new(url.clone(), address.url().to_string(), signer),
            media: Media::new(options.limits.frame_bytes),
            camera: connection.io,
            datagrams,
            meters: Arc::clone(&meters),
            teardown: options.limits.teardown,
        };
        Ok(Self {
            url,
            relay: Box::pin(relay.run(door)),
            meters,
        })
    }
}

// === impl Meters ===

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            meters: Mutex::new(Vec::new()),
        }
    }

    /// Since the stream began.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.begun.elapsed()
    }

    /// Held for a few additions, never across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Meter>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
