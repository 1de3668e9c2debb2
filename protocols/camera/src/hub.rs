//! `Hub`: the one stream of a camera, handed to however many consume it; it remembers the group of pictures that is under way.
//!
//! Who begins to watch gets that group first, so that nobody waits for the next key frame, and no frame twice or not at all.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use fieldgate_media::{Frame, TrackKind};
use fieldgate_model::Timestamp;
use tokio::sync::broadcast;

/// Frames that wait for a slow consumer; then it misses the oldest, and goes on at a key frame.
const WAITING: usize = 512;
/// A group of pictures that is longer is not remembered: the next key frame is waited for.
const GROUP_FRAMES: usize = 1_200;
const GROUP_BYTES: usize = 24 << 20;

/// Where the frames of a stream go.
#[derive(Debug)]
pub(crate) struct Hub {
    sender: broadcast::Sender<Frame>,
    group: Mutex<Group>,
}

/// What came since the last key frame, it included.
#[derive(Debug, Default)]
struct Group {
    frames: VecDeque<Frame>,
    bytes: usize,
    last_seen: Option<Timestamp>,
}

/// A consumer at its beginning.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The group under way; empty when there is none.
    pub group: Vec<Frame>,
    /// What comes after it.
    pub frames: broadcast::Receiver<Frame>,
}

// === impl Hub ===

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(WAITING),
            group: Mutex::default(),
        }
    }

    /// Hands a frame to everybody.
    pub(crate) fn push(&self, frame: &Frame) {
        let mut group = self.group();
        group.push(frame);
        // Nobody listens: then it is remembered for who comes next, and that is all.
        let _ = self.sender.send(frame.clone());
    }

    pub(crate) fn join(&self) -> Joined {
        let group = self.group();
        Joined {
            group: group.frames.iter().cloned().collect(),
            frames: self.sender.subscribe(),
        }
    }

    /// The key frame that the pictures of now build upon.
    pub(crate) fn last_key(&self) -> Option<Frame> {
        let group = self.group();
        let key = |frame: &&Frame| frame.key && frame.track.codec.kind() == TrackKind::Picture;
        group.frames.iter().find(key).cloned()
    }

    /// When the newest picture was seen.
    pub(crate) fn last_seen(&self) -> Option<Timestamp> {
        self.group().last_seen
    }

    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Group ===

impl Group {
    fn push(&mut self, frame: &Frame) {
        let picture = frame.track.codec.kind() == TrackKind::Picture;
        if picture {
            self.last_seen = Some(frame.seen);
        }
        if picture && frame.key {
            self.clear();
        } else if self.frames.is_empty() {
            return; // nothing can be shown without a key frame
        }
        self.bytes += frame.data.len();
        self.frames.push_back(frame.clone());
        if self.frames.len() > GROUP_FRAMES || self.bytes > GROUP_BYTES {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{picture, sound};

    fn keys(frames: &[Frame]) -> Vec<(i64, bool)> {
        frames.iter().map(|frame| (frame.pts, frame.key)).collect()
    }

    #[test]
    fn who_comes_late_begins_at_the_last_key_frame_and_misses_nothing() {
        let hub = Hub::new();
        hub.push(&picture(0, false));
        assert!(hub.join().group.is_empty(), "no key frame came yet");
        for (pts, key) in [(1, true), (2, false), (3, true), (4, false)] {
            hub.push(&picture(pts, key));
        }
        hub.push(&sound(4));
        let mut joined = hub.join();
        hub.push(&picture(5, false));
        assert_eq!(keys(&joined.group), [(3, true), (4, false), (4, true)]);
        assert_eq!(joined.frames.try_recv().unwrap().pts, 5);
        assert_eq!(hub.last_key().unwrap().pts, 3);
    }

    #[test]
    fn an_endless_group_is_not_remembered() {
        let hub = Hub::new();
        hub.push(&picture(0, true));
        for pts in 0..2 * GROUP_FRAMES as i64 {
            hub.push(&picture(pts, false));
        }
        assert!(hub.join().group.is_empty());
        hub.push(&picture(9_999, true));
        assert_eq!(hub.join().group.len(), 1);
    }
}
