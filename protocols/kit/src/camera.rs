//! `Camera`: what a running camera source can be asked by people: how its stream is, a live view, a picture of now.
//!
//! Like [`Scanner`](crate::Scanner) it is offered by a running source for as long as its attempt lasts. Everything that moves or
//! changes the camera goes the way of commands, so that it is allowed, counted and written down.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_model::Timestamp;
use futures::stream::BoxStream;
use tokio::sync::watch;

use crate::explore::{Explored, Fact};

/// A camera that is connected, or that its source tries to reach.
pub trait Camera: Send + Sync {
    /// How it is right now.
    fn report(&self) -> CameraReport;

    /// The stream as a browser plays it, from the next key frame on, until the camera is lost or the result is dropped. Who takes
    /// it too slowly misses parts, and goes on at a key frame.
    fn live(&self) -> BoxStream<'static, LivePart>;

    /// A picture as JPEG, no older than `at_most`; a new one is made only when there is none.
    fn picture(&self, at_most: Duration) -> Explored<'_, Picture>;
}

/// A piece of a live view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LivePart {
    /// What follows is of this kind (RFC 6381), and begins with these bytes: `ftyp` and `moov`.
    Begin { mime: String, bytes: Bytes },
    /// `moof` and `mdat`, and when the newest picture in it was seen.
    Fragment { seen: Timestamp, bytes: Bytes },
    /// A whole JPEG, of a stream that consists of them.
    Picture { seen: Timestamp, bytes: Bytes },
    /// There will be no live view, and why.
    None(String),
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// JPEG (ISO/IEC 10918-1).
    pub bytes: Bytes,
    pub width: u32,
    pub height: u32,
    pub seen: Timestamp,
}

/// How a camera is. Everything that it says of itself is a claim, and is passed on as text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraReport {
    /// Pictures arrive.
    pub connected: bool,
    /// A sentence: what arrives; or what does not, why, and what to do.
    pub words: String,
    /// Where the stream comes from, without user and password.
    pub address: String,
    /// When the newest picture was seen, also after it was lost.
    pub last_frame: Option<Timestamp>,
    pub tracks: Vec<TrackReport>,
    /// Maker, model, firmware and the like, as it says.
    pub facts: Vec<Fact>,
    /// How far its clock is ahead of ours, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// The streams that it offers, the one that is used among them.
    pub streams: Vec<StreamOffer>,
    /// How it can be moved; none where it cannot.
    pub movement: Option<Movement>,
    /// What it reported, the newest first.
    pub happenings: Vec<Happening>,
    /// Clips that are being taken or were, the newest first.
    pub clips: Vec<ClipReport>,
    /// What is kept of it on this gateway's disk.
    pub kept: Option<Kept>,
    /// Who watches it right now.
    pub viewers: u32,
    /// Where others find its stream on this gateway; none when it is not passed on.
    pub passed_on: Option<String>,
}

/// What arrives of one track.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrackReport {
    /// As people write it, `H.264`.
    pub codec: String,
    /// 0 for sound.
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    pub bits_per_s: f64,
    /// Packets that did not arrive, since the stream began.
    pub lost: u64,
    /// RFC 3550 clause 6.4.1; none where it is not known.
    pub jitter_ms: Option<f64>,
    pub key_every_s: Option<f64>,
}

/// A stream that a camera offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamOffer {
    /// The camera's name of the media profile, ONVIF Media clause 5.2.
    pub token: String,
    pub name: String,
    /// Codec, size, rate, as one says them.
    pub words: String,
    pub used: bool,
}

/// How a camera can be moved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Movement {
    pub presets: Vec<Preset>,
    pub home: bool,
    /// Where it is: pan, tilt and zoom, from -1 to 1 and 0 to 1.
    pub at: Option<[f64; 3]>,
    pub moving: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preset {
    pub token: String,
    pub name: String,
}

/// Something that a camera reported, or that was seen in its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    pub at: Timestamp,
    pub words: String,
    /// It goes on, or is over; none for what has no length.
    pub active: Option<bool>,
}

/// A clip.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipReport {
    pub id: String,
    pub at: Timestamp,
    /// Why it was taken.
    pub why: String,
    pub seconds: f64,
    pub bytes: u64,
    /// It is complete, and in the queue.
    pub queued: bool,
}

/// What is kept on the gateway's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    pub bytes: u64,
    pub most_bytes: u64,
    pub since: Option<Timestamp>,
    /// Where.
    pub folder: String,
}

/// Where a camera is offered. Cloning shares it.
#[derive(Clone)]
pub struct Showing(watch::Sender<Shown>);

/// A camera, or what was known of it when it was lost.
#[derive(Clone)]
enum Shown {
    Offered(Arc<dyn Camera>),
    Before(Option<Arc<CameraReport>>),
}

/// A camera while it is offered; dropping this withdraws it.
pub struct CameraOffer(Showing);

// === impl Showing ===

impl Default for Showing {
    fn default() -> Self {
        Self(watch::Sender::new(Shown::Before(None)))
    }
}

impl Showing {
    /// Offers a camera until what it returns is dropped.
    #[must_use]
    pub fn offer(&self, camera: Arc<dyn Camera>) -> CameraOffer {
        self.0.send_replace(Shown::Offered(camera));
        CameraOffer(self.clone())
    }

    /// The one that is offered right now.
    #[must_use]
    pub fn offered(&self) -> Option<Arc<dyn Camera>> {
        match &*self.0.borrow() {
            Shown::Offered(camera) => Some(Arc::clone(camera)),
            Shown::Before(_) => None,
        }
    }

    /// How the camera is; or how it was when it was lost, no longer connected.
    #[must_use]
    pub fn report(&self) -> Option<CameraReport> {
        let shown = self.0.borrow().clone();
        match shown {
            Shown::Offered(camera) => Some(camera.report()),
            Shown::Before(report) => report.as_deref().cloned(),
        }
    }

    /// Waits until another camera is offered, or this one no more.
    pub async fn changed(&self) {
        let mut changes = self.0.subscribe();
        // The sender is ours: it is there for as long as this waits.
        let _ = changes.changed().await;
    }
}

impl std::fmt::Debug for Showing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Showing")
            .field(&self.offered().is_some())
            .finish()
    }
}

impl Drop for CameraOffer {
    fn drop(&mut self) {
        // The source withdraws its camera before the next attempt offers another: what is there is ours.
        let report = self.0.report().map(|report| {
            Arc::new(CameraReport {
                connected: false,
                viewers: 0,
                movement: None,
                passed_on: None,
                ..report
            })
        });
        self.0.0.send_replace(Shown::Before(report));
    }
}
