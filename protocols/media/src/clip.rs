//! `Clip`: an event's pictures as one MP4, from the ring's frames before it to some seconds after it.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_model::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{Fmp4, Fmp4Error, Frame, Track, TrackKind, ring::same_track};

/// A fragment is written when it has as much.
const PIECE_BYTES: usize = 1024 * 1024;
/// Or as many frames.
const PIECE_FRAMES: usize = 64;

/// When a clip ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipLimits {
    /// With the first picture that was seen then or later.
    pub until: Timestamp,
    /// Before a frame that would make it larger.
    pub bytes: u64,
}

/// Why a clip ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipEnd {
    /// It has all that it should have.
    Complete,
    /// It became as large as it may be.
    Full,
    /// The camera sends with other parameters, and no file holds both.
    ParametersChanged,
    /// It was ended from outside before its time.
    Stopped,
}

/// What a clip turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipSummary {
    /// When its first and its last picture were seen.
    pub first: Timestamp,
    pub last: Timestamp,
    /// From the first to the last picture.
    pub duration: Duration,
    /// Pictures.
    pub frames: u64,
    pub keyframes: u64,
    pub sound_frames: u64,
    /// Frames that could not be written.
    pub skipped: u64,
    pub bytes: u64,
    /// Of the whole file.
    pub sha256: [u8; 32],
    /// Whether a player can show its first picture.
    pub starts_with_key: bool,
    pub end: ClipEnd,
}

/// A clip that is being written.
#[derive(Debug)]
pub struct Clip {
    writer: Fmp4,
    limits: ClipLimits,
    /// Frames of the next fragment; it is written when the frame after them is known, so that each lasts as long as it did.
    waiting: Vec<Frame>,
    waiting_bytes: usize,
    hash: Sha256,
    pictures: Option<Arc<Track>>,
    summary: ClipSummary,
    ended: bool,
}

/// What a pushed frame made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClipStep {
    /// The next bytes of the file; often none.
    Goes(Bytes),
    /// The last ones. The clip takes nothing more; ask for its [`Clip::summary`].
    Ends(Bytes),
}

// === impl Clip ===

impl Clip {
    /// Begins a clip of these tracks; the file's first bytes. Frames are pushed from now on, those of the ring first.
    ///
    /// # Errors
    ///
    /// When no track can be written as MP4.
    pub fn start(tracks: &[Arc<Track>], limits: ClipLimits) -> Result<(Self, Bytes), Fmp4Error> {
        let (writer, beginning) = Fmp4::new(tracks)?;
        let pictures = tracks
            .iter()
            .find(|track| track.codec.kind() == TrackKind::Picture)
            .cloned();
        let mut clip = Self {
            writer,
            limits,
            waiting: Vec::new(),
            waiting_bytes: 0,
            hash: Sha256::new(),
            pictures,
            summary: ClipSummary::nothing(),
            ended: false,
        };
        let beginning = clip.counted(beginning);
        Ok((clip, beginning))
    }

    /// A clip's end moves, for instance because its event goes on. An earlier one is not taken.
    pub fn extend(&mut self, until: Timestamp) {
        self.limits.until = self.limits.until.max(until);
    }

    /// Whether it is over by the clock, even if its camera says nothing more.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.ended || now >= self.limits.until
    }

    /// Takes the next frame. What comes before the first keyframe is left out.
    pub fn push(&mut self, frame: &Frame) -> ClipStep {
        if self.ended {
            return ClipStep::Ends(Bytes::new());
        }
        let picture = frame.track.codec.kind() == TrackKind::Picture;
        if picture && self.changes(frame) {
            return ClipStep::Ends(self.stop(ClipEnd::ParametersChanged));
        }
        if !self.writer.takes(frame) || !self.summary.starts_with_key && !self.begins(frame) {
            self.summary.skipped += 1;
            return ClipStep::Goes(Bytes::new());
        }
        if self.would_be(frame) > self.limits.bytes {
            return ClipStep::Ends(self.stop(ClipEnd::Full));
        }
        let leads = picture || self.pictures.is_none();
        let piece = if self.is_enough(frame, leads) {
            let frames = mem::take(&mut self.waiting);
            self.waiting_bytes = 0;
            let piece = self.writer.fragment_before(&frames, frame);
            self.counted(piece)
        } else {
            Bytes::new()
        };
        self.count(frame);
        self.waiting.push(frame.clone());
        self.waiting_bytes += frame.data.len();
        if leads && frame.seen >= self.limits.until {
            let last = self.stop(ClipEnd::Complete);
            return ClipStep::Ends(joined(piece, last));
        }
        ClipStep::Goes(piece)
    }

    /// Ends it now: the file's last bytes. Nothing where it has ended already.
    pub fn stop(&mut self, end: ClipEnd) -> Bytes {
        if self.ended {
            return Bytes::new();
        }
        self.ended = true;
        self.summary.end = end;
        let frames = mem::take(&mut self.waiting);
        let last = self.writer.last_fragment(&frames);
        self.counted(last)
    }

    /// What it is until now; final after its end.
    #[must_use]
    pub fn summary(&self) -> ClipSummary {
        let mut summary = self.summary.clone();
        let nanos = summary.last.nanos().saturating_sub(summary.first.nanos());
        summary.duration = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        summary.sha256 = self.hash.clone().finalize().into();
        summary.skipped += self.writer.skipped();
        summary
    }

    /// Pictures that no longer fit the file.
    fn changes(&self, frame: &Frame) -> bool {
        self.pictures
            .as_ref()
            .is_some_and(|pictures| !same_track(pictures, &frame.track))
    }

    /// Whether a file can begin with it.
    fn begins(&self, frame: &Frame) -> bool {
        frame.key && (self.pictures.is_none() || frame.track.codec.kind() == TrackKind::Picture)
    }

    /// Fragments end before a picture, so that the last one in them lasts as long as it did; without pictures, some time.
    fn is_enough(&self, next: &Frame, leads: bool) -> bool {
        let many = if leads {
            PIECE_FRAMES
        } else {
            8 * PIECE_FRAMES
        };
        !self.waiting.is_empty()
            && (leads && next.key && next.track.codec.kind() == TrackKind::Picture
                || leads && self.waiting_bytes >= PIECE_BYTES
                || self.waiting.len() >= many)
    }

    /// The file's size with this frame, a little more than it will be.
    fn would_be(&self, frame: &Frame) -> u64 {
        let frames = self.waiting.len() as u64 + 1;
        let data = (self.waiting_bytes + frame.data.len()) as u64;
        self.summary.bytes + data + 16 * frames + 256
    }

    fn count(&mut self, frame: &Frame) {
        let summary = &mut self.summary;
        if frame.track.codec.kind() == TrackKind::Sound && self.pictures.is_some() {
            summary.sound_frames += 1;
            return;
        }
        if summary.frames == 0 {
            (summary.first, summary.last) = (frame.seen, frame.seen);
            summary.starts_with_key = frame.key;
        }
        summary.last = summary.last.max(frame.seen);
        summary.frames += 1;
        summary.keyframes += u64::from(frame.key);
    }

    fn counted(&mut self, bytes: Bytes) -> Bytes {
        self.hash.update(&bytes);
        self.summary.bytes += bytes.len() as u64;
        bytes
    }
}

// === impl ClipSummary ===

impl ClipSummary {
    fn nothing() -> Self {
        Self {
            first: Timestamp::default(),
            last: Timestamp::default(),
            duration: Duration::ZERO,
            frames: 0,
            keyframes: 0,
            sound_frames: 0,
            skipped: 0,
            bytes: 0,
            sha256: [0; 32],
            starts_with_key: false,
            end: ClipEnd::Stopped,
        }
    }
}

fn joined(one: Bytes, other: Bytes) -> Bytes {
    if one.is_empty() {
        return other;
    }
    let mut both = Vec::with_capacity(one.len() + other.len());
    both.extend_from_slice(&one);
    both.extend_from_slice(&other);
    both.into()
}

#[cfg(test)]
#[path = "clip/tests.rs"]
mod tests;
