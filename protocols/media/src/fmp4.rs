//! `Fmp4`: fragmented MP4 of ISO/IEC 14496-12, written as frames come, for the live view and for clips.
//!
//! A file is its beginning ([`Fmp4::new`]) and after it any number of fragments, each a `moof` and an `mdat`. It is whole after
//! each of them, and nothing of it is changed later.

mod boxes;
mod init;
mod timeline;

use std::{slice, sync::Arc};

use bytes::{BufMut as _, Bytes, BytesMut};
use thiserror::Error;

use self::{
    boxes::{boxed, full_box},
    timeline::{Following, Laid, Moment, Timeline},
};
use crate::{Codec, Frame, Track, TrackKind};

/// Tracks of one file; a camera has two or three.
const MOST_TRACKS: usize = 8;
/// A description that is longer is no description.
const MOST_SAMPLE_ENTRY: usize = 64 * 1024;
/// Of one `mdat`. More frames at once become several fragments.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Of one `moof`.
const MOST_FRAMES: usize = 2048;
/// Sample flags of clause 8.8.3.1: depends on no other.
const SYNC: u32 = 0x0200_0000;
/// Depends on others, is no sync sample.
const NOT_SYNC: u32 = 0x0101_0000;

/// Why no file is written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fmp4Error {
    #[error(
        "no track of the stream can be written as MP4 ({0}): set the camera to H.264, H.265 or MJPEG"
    )]
    NoTrack(String),
}

/// Writes one file. A change of parameters needs a new one.
#[derive(Debug, Clone)]
pub struct Fmp4 {
    tracks: Vec<Writing>,
    start: Option<Moment>,
    sequence: u32,
    skipped: u64,
}

#[derive(Debug, Clone)]
struct Writing {
    track: Arc<Track>,
    timeline: Timeline,
}

/// What comes after the frames that are written.
#[derive(Clone, Copy)]
enum After<'a> {
    Frames(&'a [Frame]),
    /// Frames that nobody knows yet.
    Soon,
    Nothing,
}

/// A frame with its numbers.
struct Sample<'a> {
    frame: &'a Frame,
    laid: Laid,
}

/// The name of a stream for `MediaSource.isTypeSupported` and `addSourceBuffer`; `None` when no browser plays it.
#[must_use]
pub fn mime(tracks: &[Arc<Track>]) -> Option<String> {
    let playable: Vec<&Arc<Track>> = written(tracks)
        .into_iter()
        .filter(|track| {
            matches!(track.codec, Codec::H264 | Codec::H265 | Codec::Aac)
                && !track.rfc6381.is_empty()
        })
        .collect();
    let names: Vec<&str> = playable
        .iter()
        .map(|track| track.rfc6381.as_str())
        .collect();
    playable
        .iter()
        .any(|track| track.codec.kind() == TrackKind::Picture)
        .then(|| format!("video/mp4; codecs=\"{}\"", names.join(",")))
}

/// Those that an MP4 holds.
fn written(tracks: &[Arc<Track>]) -> Vec<&Arc<Track>> {
    tracks
        .iter()
        .filter(|track| {
            init::sample_entry(track).is_some_and(|entry| entry.len() <= MOST_SAMPLE_ENTRY)
        })
        .take(MOST_TRACKS)
        .collect()
}

// === impl Fmp4 ===

impl Fmp4 {
    /// The writer, and the file's beginning. Tracks that no MP4 holds are left out.
    ///
    /// # Errors
    ///
    /// When none is left.
    pub fn new(tracks: &[Arc<Track>]) -> Result<(Self, Bytes), Fmp4Error> {
        let written: Vec<Arc<Track>> = written(tracks).into_iter().cloned().collect();
        if written.is_empty() {
            let titles: Vec<&str> = tracks.iter().map(|track| track.codec.title()).collect();
            return Err(Fmp4Error::NoTrack(titles.join(", ")));
        }
        let beginning = init::beginning(&written);
        let this = Self {
            tracks: written.into_iter().map(Writing::new).collect(),
            start: None,
            sequence: 0,
            skipped: 0,
        };
        Ok((this, beginning))
    }

    /// A fragment of frames whose successors are not there yet, for a live view. Empty when no frame was one of the file's.
    pub fn fragment(&mut self, frames: &[Frame]) -> Bytes {
        self.write(frames, After::Soon)
    }

    /// A fragment where it is known which frame comes next: it will be in the next fragment.
    pub fn fragment_before(&mut self, frames: &[Frame], next: &Frame) -> Bytes {
        self.write(frames, After::Frames(slice::from_ref(next)))
    }

    /// The file's last fragment: the last frame of each track lasts as long as the one before it.
    pub fn last_fragment(&mut self, frames: &[Frame]) -> Bytes {
        self.write(frames, After::Nothing)
    }

    /// Frames that were left out: of no track of the file, empty, larger than a fragment may be, or from before the file's start.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether a frame is of one of the file's tracks.
    #[must_use]
    pub fn takes(&self, frame: &Frame) -> bool {
        self.track_of(frame).is_some()
    }

    fn write(&mut self, frames: &[Frame], after: After) -> Bytes {
        let mut out = BytesMut::new();
        let mut rest = frames;
        while !rest.is_empty() {
            let (chunk, others) = rest.split_at(chunk_length(rest));
            rest = others;
            let after = if rest.is_empty() {
                after
            } else {
                After::Frames(rest)
            };
            self.write_chunk(&mut out, chunk, after);
        }
        out.freeze()
    }

    fn write_chunk(&mut self, out: &mut BytesMut, frames: &[Frame], after: After) {
        let Some(start) = self.start.or_else(|| self.start_of(frames)) else {
            self.skipped = self.skipped.saturating_add(frames.len() as u64);
            return;
        };
        let samples: Vec<Vec<Sample>> = (0..self.tracks.len())
            .map(|index| self.samples(index, frames, after, start))
            .collect();
        let count: usize = samples.iter().map(Vec::len).sum();
        self.skipped = self
            .skipped
            .saturating_add((frames.len() - count.min(frames.len())) as u64);
        if count == 0 {
            return;
        }
        self.start = Some(start);
        self.sequence = self.sequence.wrapping_add(1);
        put_fragment(out, self.sequence, &samples);
    }

    /// The file starts with its first picture, or sound where there is none.
    fn start_of(&self, frames: &[Frame]) -> Option<Moment> {
        let mine = || {
            frames
                .iter()
                .filter(|frame| fits(frame) && self.takes(frame))
        };
        let first = mine()
            .find(|frame| frame.track.codec.kind() == TrackKind::Picture)
            .or_else(|| mine().next())?;
        Some(Moment {
            pts: first.pts,
            timescale: first.track.timescale,
            seen: first.seen,
        })
    }

    fn samples<'a>(
        &mut self,
        index: usize,
        frames: &'a [Frame],
        after: After,
        start: Moment,
    ) -> Vec<Sample<'a>> {
        let mine = |frame: &&Frame| fits(frame) && self.track_of(frame) == Some(index);
        let next = match after {
            After::Frames(after) => after.iter().find(mine),
            After::Soon | After::Nothing => None,
        };
        let own: Vec<&Frame> = frames.iter().filter(mine).collect();
        let Writing { track, timeline } = &mut self.tracks[index];
        let shown: Vec<(&Frame, i64)> = own
            .into_iter()
            .filter_map(|frame| Some((frame, timeline.show(frame.pts, frame.seen, start)?)))
            .collect();
        // On a copy: it is shown for good when it is written.
        let next = next.and_then(|next| {
            let mut timeline = *timeline;
            timeline.show(next.pts, next.seen, start)
        });
        let last = match (next, after) {
            (Some(next), _) => Following::At(next),
            (None, After::Soon) if track.codec.kind() == TrackKind::Picture => Following::Soon,
            (None, _) => Following::Unknown,
        };
        if let Some((_, first)) = shown.first() {
            timeline.begin(*first);
        }
        let following: Vec<Following> = shown
            .iter()
            .skip(1)
            .map(|(_, shown)| Following::At(*shown))
            .chain([last])
            .collect();
        shown
            .into_iter()
            .zip(following)
            .map(|((frame, shown), following)| Sample {
                frame,
                laid: timeline.lay(shown, following),
            })
            .collect()
    }

    /// A camera that was connected anew has new tracks that may say the same.
    fn track_of(&self, frame: &Frame) -> Option<usize> {
        self.tracks.iter().position(|writing| {
            Arc::ptr_eq(&writing.track, &frame.track) || writing.track == frame.track
        })
    }
}

// === impl Writing ===

impl Writing {
    fn new(track: Arc<Track>) -> Self {
        let usual = match track.codec.kind() {
            TrackKind::Picture => track.timescale / 25,
            TrackKind::Sound => 1024,
        };
        Self {
            timeline: Timeline::new(track.timescale, usual),
            track,
        }
    }
}

fn fits(frame: &Frame) -> bool {
    !frame.data.is_empty() && frame.data.len() <= MOST_BYTES
}

/// How many of these frames one fragment holds, at least one.
fn chunk_length(frames: &[Frame]) -> usize {
    let mut bytes = 0;
    let many = frames
        .iter()
        .take(MOST_FRAMES)
        .take_while(|frame| {
            bytes += if fits(frame) { frame.data.len() } else { 0 };
            bytes <= MOST_BYTES
        })
        .count();
    many.max(1)
}

/// `moof` (clause 8.8.4) and `mdat`, whose data lie track after track.
fn put_fragment(out: &mut BytesMut, sequence: u32, tracks: &[Vec<Sample>]) {
    let bytes: usize = tracks
        .iter()
        .flatten()
        .map(|sample| sample.frame.data.len())
        .sum();
    let count: usize = tracks.iter().map(Vec::len).sum();
    out.reserve(bytes + 16 * count + 80 * tracks.len() + 32);
    let start = out.len();
    // Where each track's data begin can only be said when the `moof` is whole.
    let mut unsaid = Vec::with_capacity(tracks.len());
    boxed(out, b"moof", |out| {
        full_box(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        for (id, samples) in (1..).zip(tracks).filter(|(_, samples)| !samples.is_empty()) {
            boxed(out, b"traf", |out| {
                // Offsets count from the start of this `moof`.
                full_box(out, b"tfhd", 0, 0x02_0000, |out| out.put_u32(id));
                full_box(out, b"tfdt", 1, 0, |out| {
                    out.put_u64(samples.first().map_or(0, |sample| sample.laid.decoded));
                });
                put_run(out, samples, &mut unsaid);
            });
        }
    });
    let mut offset = out.len() - start + 8;
    for (place, length) in unsaid {
        let number = i32::try_from(offset).expect("a fragment is smaller than 2 GiB");
        out[place..place + 4].copy_from_slice(&number.to_be_bytes());
        offset += length;
    }
    boxed(out, b"mdat", |out| {
        for sample in tracks.iter().flatten() {
            out.put_slice(&sample.frame.data);
        }
    });
}

/// `trun` of clause 8.8.8 with duration, size, flags and a signed composition offset for each sample.
fn put_run(out: &mut BytesMut, samples: &[Sample], unsaid: &mut Vec<(usize, usize)>) {
    full_box(out, b"trun", 1, 0x0F01, |out| {
        out.put_u32(u32::try_from(samples.len()).expect("a fragment has few samples"));
        let length = samples.iter().map(|sample| sample.frame.data.len()).sum();
        unsaid.push((out.len(), length));
        out.put_i32(0);
        for Sample { frame, laid } in samples {
            let sync = frame.key || frame.track.codec.kind() == TrackKind::Sound;
            out.put_u32(laid.duration);
            out.put_u32(u32::try_from(frame.data.len()).expect("a frame is smaller than 32 MiB"));
            out.put_u32(if sync { SYNC } else { NOT_SYNC });
            out.put_i32(laid.offset);
        }
    });
}

#[cfg(test)]
#[path = "fmp4/tests.rs"]
mod tests;
