//! `Ring`: the last seconds of a stream, kept in memory so that a clip can begin before its event.
//!
//! What is kept always begins at a keyframe, because nothing before the first one can be decoded. It is thrown away by groups, a
//! keyframe with all that follows up to the next one. The seconds are a wish: the oldest group stays as long as less than them
//! would be left without it. The bytes are a bound.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use fieldgate_model::Timestamp;

use crate::{Frame, Track, TrackKind};

/// What a frame costs beside its bytes.
const OVERHEAD: usize = size_of::<Frame>() + 32;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingLimits {
    /// Never more than these, frames' overhead included.
    pub bytes: usize,
    /// As many as are wanted before an event.
    pub span: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Ring {
    limits: RingLimits,
    groups: VecDeque<Group>,
    bytes: usize,
    /// Frames that could not be kept within the bytes, or came before a keyframe.
    passed_over: u64,
}

/// A keyframe and what follows it.
#[derive(Debug)]
struct Group {
    frames: Vec<Frame>,
    bytes: usize,
}

/// What a ring holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    pub bytes: usize,
    pub frames: usize,
    /// From the first keyframe to the last frame.
    pub span: Duration,
}

/// Frames that one file can hold: their tracks do not change, and the first picture is a keyframe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Pictures first, then sound where there is some.
    pub tracks: Vec<Arc<Track>>,
    pub frames: Vec<Frame>,
}

/// Whether frames of both can be in one file.
#[must_use]
pub fn same_track(one: &Arc<Track>, other: &Arc<Track>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

// === impl Ring ===

impl Ring {
    #[must_use]
    pub fn new(limits: RingLimits) -> Self {
        Self {
            limits,
            groups: VecDeque::new(),
            bytes: 0,
            passed_over: 0,
        }
    }

    /// Takes the next frame. Its bytes are shared and not copied.
    pub fn push(&mut self, frame: &Frame) {
        let bytes = frame.data.len().saturating_add(OVERHEAD);
        let picture = frame.track.codec.kind() == TrackKind::Picture;
        if picture && frame.key {
            self.groups.push_back(Group {
                frames: Vec::new(),
                bytes: 0,
            });
        } else if picture && !self.goes_on(frame) {
            // Its keyframe is gone, or was of other parameters.
            self.passed_over += 1;
            return;
        }
        let Some(group) = self.groups.back_mut() else {
            self.passed_over += 1;
            return;
        };
        group.frames.push(frame.clone());
        group.bytes += bytes;
        self.bytes += bytes;
        self.thin();
    }

    /// Other limits from now on.
    pub fn set_limits(&mut self, limits: RingLimits) {
        self.limits = limits;
        self.thin();
    }

    #[must_use]
    pub fn held(&self) -> Held {
        let first = self.groups.front().and_then(Group::began);
        Held {
            bytes: self.bytes,
            frames: self.groups.iter().map(|group| group.frames.len()).sum(),
            span: first.map_or(Duration::ZERO, |first| self.since_first(first)),
        }
    }

    /// Frames that were not kept: no keyframe before them, or one group alone was more than the bytes.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The last keyframe and its track, for a picture of now.
    #[must_use]
    pub fn last_key(&self) -> Option<&Frame> {
        self.groups.back()?.frames.first()
    }

    /// What was seen since that moment, from the keyframe at or before it; the first one that is there when none is that old.
    /// One stretch, or several where parameters changed in between.
    #[must_use]
    pub fn since(&self, moment: Timestamp) -> Vec<Stretch> {
        let from = self
            .groups
            .iter()
            .rposition(|group| group.began().is_some_and(|began| began <= moment))
            .unwrap_or(0);
        let mut stretches: Vec<Stretch> = Vec::new();
        for frame in self
            .groups
            .iter()
            .skip(from)
            .flat_map(|group| &group.frames)
        {
            match stretches.last_mut() {
                Some(stretch) if stretch.takes(frame) => stretch.push(frame),
                // Sound of other parameters waits for the stretch that has it, which begins at a keyframe.
                Some(_) if frame.track.codec.kind() == TrackKind::Sound => {}
                _ => stretches.push(Stretch {
                    tracks: vec![frame.track.clone()],
                    frames: vec![frame.clone()],
                }),
            }
        }
        stretches
    }

    /// Whether a picture continues the group that is last.
    fn goes_on(&self, frame: &Frame) -> bool {
        let key = self.last_key();
        key.is_some_and(|key| same_track(&key.track, &frame.track))
    }

    fn thin(&mut self) {
        while self.bytes > self.limits.bytes || self.oldest_is_old() {
            let Some(group) = self.groups.pop_front() else {
                break;
            };
            self.bytes -= group.bytes;
            if self.groups.is_empty() {
                self.passed_over += group.frames.len() as u64;
            }
        }
    }

    /// Whether the wanted seconds are there without the oldest group.
    fn oldest_is_old(&self) -> bool {
        let second = self.groups.get(1).and_then(Group::began);
        second.is_some_and(|second| self.since_first(second) >= self.limits.span)
    }

    fn since_first(&self, first: Timestamp) -> Duration {
        let last = self.groups.back().and_then(|group| group.frames.last());
        let nanos = last.map_or(0, |last| last.seen.nanos().saturating_sub(first.nanos()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

// === impl Group ===

impl Group {
    fn began(&self) -> Option<Timestamp> {
        self.frames.first().map(|frame| frame.seen)
    }
}

// === impl Stretch ===

impl Stretch {
    fn takes(&self, frame: &Frame) -> bool {
        let kind = frame.track.codec.kind();
        let same_kind = self.tracks.iter().find(|track| track.codec.kind() == kind);
        same_kind.is_none_or(|track| same_track(track, &frame.track))
    }

    fn push(&mut self, frame: &Frame) {
        if !self
            .tracks
            .iter()
            .any(|track| same_track(track, &frame.track))
        {
            self.tracks.push(frame.track.clone());
        }
        self.frames.push(frame.clone());
    }
}

#[cfg(test)]
#[path = "ring/tests.rs"]
mod tests;
