//! `Saver`: the ring of what was, and the clip that is being taken. Pure: frames and wishes in, finished clips out.

use bytes::{Bytes, BytesMut};
use fieldgate_media::{
    Clip, ClipEnd, ClipLimits, ClipStep, ClipSummary, Frame, Ring, RingLimits, segment_name,
};
use fieldgate_model::{Timestamp, Value};

use crate::settings::Clips;

/// Keeps what was, and saves it when asked.
pub(crate) struct Saver {
    settings: Clips,
    ring: Ring,
    active: Option<Active>,
}

struct Active {
    wish: ClipWish,
    id: String,
    clip: Clip,
    bytes: BytesMut,
}

/// Why a clip is taken, and what is kept with it.
#[derive(Debug, Clone)]
pub(crate) struct ClipWish {
    pub why: String,
    /// When it happened.
    pub at: Timestamp,
    /// The key frame of that moment, for its picture.
    pub key: Option<Frame>,
    /// What was measured at that moment.
    pub measured: Value,
}

/// A clip that is complete.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub wish: ClipWish,
    pub id: String,
    /// Of its files, without what tells their kind.
    pub stem: String,
    pub bytes: Bytes,
    pub summary: ClipSummary,
}

/// A clip that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    pub id: String,
    /// One was being taken already: it goes on longer.
    pub extended: bool,
}

// === impl Saver ===

impl Saver {
    pub(crate) fn new(settings: Clips) -> Self {
        let limits = RingLimits {
            bytes: usize::try_from(settings.ring.0).unwrap_or(usize::MAX),
            span: settings.before.0,
        };
        Self {
            settings,
            ring: Ring::new(limits),
            active: None,
        }
    }

    /// Takes a frame; a clip that it completes.
    pub(crate) fn push(&mut self, frame: &Frame) -> Option<Finished> {
        self.ring.push(frame);
        let active = self.active.as_mut()?;
        let ended = active.push(frame);
        if ended { self.finish() } else { None }
    }

    /// Begins a clip for what happened, or lets the one that is being taken go on.
    ///
    /// # Errors
    /// In words, when there is nothing to save.
    pub(crate) fn begin(
        &mut self,
        source: &str,
        wish: impl FnOnce() -> ClipWish,
        at: Timestamp,
    ) -> Result<Begun, String> {
        let until = later(at, self.settings.after.0);
        if let Some(active) = &mut self.active {
            active.clip.extend(until);
            return Ok(Begun {
                id: active.id.clone(),
                extended: true,
            });
        }
        let since = earlier(at, self.settings.before.0);
        let stretch = self.ring.since(since).pop();
        let stretch = stretch.ok_or("no key frame came yet, so nothing can be saved")?;
        let limits = ClipLimits {
            until,
            bytes: self.settings.most.0,
        };
        let (clip, bytes) = Clip::start(&stretch.tracks, limits).map_err(|no| no.to_string())?;
        let mut active = Active {
            id: format!("{source}-{}", at.millis()),
            wish: wish(),
            clip,
            bytes: BytesMut::from(&bytes[..]),
        };
        let id = active.id.clone();
        for frame in &stretch.frames {
            if active.push(frame) {
                break;
            }
        }
        self.active = Some(active);
        Ok(Begun {
            id,
            extended: false,
        })
    }

    /// Ends the clip that is being taken, since the stream is over.
    pub(crate) fn stop(&mut self) -> Option<Finished> {
        if let Some(active) = &mut self.active {
            let last = active.clip.stop(ClipEnd::Stopped);
            active.bytes.extend_from_slice(&last);
        }
        self.finish()
    }

    /// The clip that is being taken: id, why, when, seconds, bytes.
    pub(crate) fn taking(&self) -> Option<(String, String, Timestamp, f64, u64)> {
        let active = self.active.as_ref()?;
        let summary = active.clip.summary();
        Some((
            active.id.clone(),
            active.wish.why.clone(),
            active.wish.at,
            summary.duration.as_secs_f64(),
            summary.bytes,
        ))
    }

    fn finish(&mut self) -> Option<Finished> {
        let active = self.active.take()?;
        let summary = active.clip.summary();
        Some(Finished {
            wish: active.wish,
            id: active.id,
            stem: stem(summary.first),
            bytes: active.bytes.freeze(),
            summary,
        })
    }
}

// === impl Active ===

impl Active {
    /// Whether the clip is complete with this frame.
    fn push(&mut self, frame: &Frame) -> bool {
        let (bytes, ended) = match self.clip.push(frame) {
            ClipStep::Goes(bytes) => (bytes, false),
            ClipStep::Ends(bytes) => (bytes, true),
        };
        self.bytes.extend_from_slice(&bytes);
        ended
    }
}

/// As the files of a recording are called.
fn stem(first: Timestamp) -> String {
    let name = segment_name(first);
    name.trim_end_matches(".mp4").to_owned()
}

fn later(at: Timestamp, span: std::time::Duration) -> Timestamp {
    let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(at.nanos().saturating_add(nanos))
}

fn earlier(at: Timestamp, span: std::time::Duration) -> Timestamp {
    let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(at.nanos().saturating_sub(nanos))
}
