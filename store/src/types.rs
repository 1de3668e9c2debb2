//! The words of a lane: sequence numbers, routes, pages, and what is counted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::{Record, Stamp};

/// The place of a record in its lane: counted from 1, never reused. `Seq(0)` stands before everything.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

/// One route's bit in a [`RouteMask`], 0..=63; allocated by [`crate::Lane::route_bit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteBit(pub u8);

/// The routes that let a record through, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RouteMask(pub u64);

/// How soon an append has to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody upstream is acknowledged when the ticket resolves: commit within a few milliseconds.
    Waiting,
    /// As [`Urgency::Waiting`], by somebody who would rather wait for a disk that refuses than be refused: it stays in memory,
    /// and once [`crate::LaneOptions::ring_bytes`] are full it keeps its room, so that `append` pushes back.
    Patient,
    /// Nobody waits: gather up to [`crate::LaneOptions::window_max`], to spare the flash.
    Relaxed,
}

/// The first and last sequence number of one durable append. An empty append has `last < first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub first: Seq,
    pub last: Seq,
}

/// How far a consumer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to and including this record is done with.
    pub through: Seq,
}

/// The most that one [`crate::Lane::peek`] returns. One record is returned even when it alone exceeds `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeekLimits {
    pub records: usize,
    pub bytes: usize,
}

/// A run of records in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<Record>,
    /// Every record up to here was looked at; those not in `records` belong to other routes. A page may be empty and
    /// still have moved on: ask again from here while it stands before [`crate::Lane::durable`].
    pub scanned_through: Seq,
}

/// How a record left the queue for one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    Acked,
    Expired,
    DeadLettered,
    /// A person took this one out; it counts as evicted.
    Purged,
}

/// Why deliveries left by the queue's own decision, without having been acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvictedBy {
    /// The lane was full, and the oldest made room.
    pub full: u64,
    /// The lane filled up, and telemetry was thinned: these readings are told by fewer.
    pub thinned: u64,
    /// A person emptied the queue of their consumer.
    pub purged: u64,
    /// Their consumer was removed.
    pub removed: u64,
}

/// What one acknowledgement lets go of: for each route, how many records left in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub Vec<(RouteBit, Exit, u64)>);

/// The accounting of one route. See [`RouteBalance::unaccounted`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteBalance {
    pub key: String,
    pub consumer: String,
    pub accepted: u64,
    pub acked: u64,
    /// Counted on its own (up on append, down on exits, recounted from the records at every open), not derived.
    pub pending: i64,
    pub expired: u64,
    /// The sum of `evicted_by`.
    pub evicted: u64,
    pub evicted_by: EvictedBy,
    pub dead_lettered: u64,
    /// Above 0 only after damage to the medium.
    pub lost_detected: u64,
    pub retiring: bool,
}

/// A lane's figures at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaneStats {
    /// Records that are retained, delivered or not.
    pub records: u64,
    /// The bodies of those records, before compression.
    pub payload_bytes: u64,
    /// Blocks really allocated on the disk.
    pub disk_bytes: u64,
    pub max_bytes: u64,
    pub generations: usize,
    /// The first retained record; `last + 1` when nothing is retained.
    pub first: Seq,
    pub last: Seq,
    /// When the first retained record was accepted.
    pub oldest_at: Option<Stamp>,
    pub commits: u64,
    /// How long the last commit took: pack, write, flush, sync.
    pub last_commit_ms: f64,
    /// Files that sled wrote outside its log; anything but 0 is a defect (they are not synced).
    pub blob_files: u64,
    /// `RefuseNewest` only: the lane is full and holds appends back.
    pub held_back: bool,
    /// Why the disk does not take what it should, in words; `None` while all is well.
    pub trouble: Option<String>,
    /// Appends in memory that the disk refuses for now, whom nobody waits for or somebody patient; at most
    /// [`crate::LaneOptions::ring_bytes`].
    pub ring_bytes: u64,
    /// Generations set aside or repaired since the lane was opened.
    pub damaged_generations: u64,
    pub consumers: Vec<ConsumerStats>,
}

/// What one consumer still has before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerStats {
    pub name: String,
    pub through: Seq,
    /// Deliveries outstanding, summed over the consumer's routes.
    pub pending_records: u64,
    /// Estimated from the average size of the records between the cursor and the end.
    pub pending_bytes: u64,
    /// Exact while the consumer reads from memory, else interpolated within the generation it reads.
    pub oldest_at: Option<Stamp>,
}

// === impl Seq ===

impl Seq {
    /// The one after this.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl RouteMask ===

impl RouteMask {
    pub const EMPTY: RouteMask = RouteMask(0);
    pub const ALL: RouteMask = RouteMask(u64::MAX);

    /// Adds `bit`; bits above 63 do not exist and are ignored.
    pub fn insert(&mut self, bit: RouteBit) {
        self.0 |= 1u64.checked_shl(u32::from(bit.0)).unwrap_or(0);
    }

    pub fn contains(self, bit: RouteBit) -> bool {
        self.0 & 1u64.checked_shl(u32::from(bit.0)).unwrap_or(0) != 0
    }

    pub fn intersects(self, other: RouteMask) -> bool {
        self.0 & other.0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits that are set, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = RouteBit> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let bit = rest.trailing_zeros() as u8;
                rest &= rest - 1;
                RouteBit(bit)
            })
        })
    }
}

impl FromIterator<RouteBit> for RouteMask {
    fn from_iter<I: IntoIterator<Item = RouteBit>>(bits: I) -> RouteMask {
        let mut mask = RouteMask::EMPTY;
        for bit in bits {
            mask.insert(bit);
        }
        mask
    }
}

impl From<RouteBit> for RouteMask {
    fn from(bit: RouteBit) -> RouteMask {
        RouteMask::from_iter([bit])
    }
}

// === impl Tally ===

impl Tally {
    pub fn new() -> Tally {
        Tally::default()
    }

    /// Counts `count` more records of `route` as gone by `exit`.
    pub fn add(&mut self, route: RouteBit, exit: Exit, count: u64) {
        match self
            .0
            .iter_mut()
            .find(|(r, e, _)| *r == route && *e == exit)
        {
            Some((_, _, n)) => *n += count,
            None => self.0.push((route, exit, count)),
        }
    }

    /// Counts one record as gone by `exit` for each of its `routes`.
    pub fn add_record(&mut self, routes: RouteMask, exit: Exit) {
        for route in routes.iter() {
            self.add(route, exit, 1);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (RouteBit, Exit, u64)> + '_ {
        self.0.iter().copied()
    }
}

// === impl EvictedBy ===

impl EvictedBy {
    pub fn total(self) -> u64 {
        self.full + self.thinned + self.purged + self.removed
    }
}

// === impl RouteBalance ===

impl RouteBalance {
    /// `accepted − (acked + pending + expired + evicted + dead-lettered + lost)`: 0, or there is a defect.
    pub fn unaccounted(&self) -> i64 {
        let exits =
            self.acked + self.expired + self.evicted + self.dead_lettered + self.lost_detected;
        self.accepted as i64 - exits as i64 - self.pending
    }
}
