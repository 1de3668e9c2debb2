//! How a lane is sized and what it does when it is full.

use std::time::Duration;

/// The longest body of one record. Those over 64 KiB are kept in files of their own.
pub const MAX_BODY_BYTES: usize = 64 << 20;

const SMALLEST_LANE: u64 = 4 << 20;

/// What a full lane does with the next append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Removes the oldest generation and counts, for each route, what its consumer had not finished.
    DropOldest,
    /// From 80 % on, records that others tell go, as [`crate::Tools::thinner`] chooses, old generations first; each is
    /// counted as thinned. When nothing is left to thin, as [`OnFull::DropOldest`].
    Thin,
    /// Holds the append until there is room: its ticket stays pending and the bounded channel pushes back. A consumer that
    /// lags holds others back for [`LaneOptions::patience`] only; from then on its own oldest records go, counted.
    RefuseNewest,
}

/// Which engine keeps the generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// sled 0.34.7, the product's.
    Sled,
    /// One plain file a generation: the tests' oracle and the benches' floor.
    PlainLog,
}

/// How much of what every consumer has passed is kept, for a replay. It goes first when the lane needs room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Bytes on the disk; 0 keeps nothing.
    pub bytes: u64,
    pub age: Duration,
}

/// How a lane is sized; out-of-range figures are brought into range, see each field.
#[derive(Clone, Debug)]
pub struct LaneOptions {
    /// Disk space for everything retained, really allocated bytes; at least 4 MiB.
    pub max_bytes: u64,
    pub on_full: OnFull,
    /// Disk space at which a generation is sealed and the next one started; at most an eighth of `max_bytes`.
    pub generation_bytes: u64,
    /// The longest that a relaxed append waits for company, when little arrives. Under load it is at most 50 ms.
    pub window_max: Duration,
    /// The longest that a waiting append waits for company: for a page to be full, or for those whom the last commit released.
    pub window_waiting: Duration,
    /// Recent records kept in memory for consumers that keep up.
    pub tail_bytes: usize,
    /// Records accepted by `append` and not yet durable; beyond it `append` waits.
    pub in_flight_bytes: usize,
    /// Free space on the partition that is left for others: below it appends fail.
    pub reserve_bytes: u64,
    /// Records older than this expire, a generation at a time, as far as [`crate::Ages`] tells; `None`: they never do.
    pub max_age: Option<Duration>,
    /// Delivered generations that stay; by default none does.
    pub keep_delivered: Keep,
    /// Memory for relaxed appends while the disk refuses them, half a KiB for each besides its records; beyond it the oldest
    /// of them are refused.
    pub ring_bytes: usize,
    /// `RefuseNewest` only: how long one that has everything waits until another, which lags, has made room. A lane with one
    /// consumer, or whose consumers all lag, waits for ever.
    pub patience: Duration,
    /// How long [`crate::Lane::close`] may take.
    pub close_timeout: Duration,
    pub engine: EngineKind,
}

impl LaneOptions {
    /// A lane of `max_bytes` with the default windows and buffers.
    pub fn new(max_bytes: u64, on_full: OnFull) -> LaneOptions {
        LaneOptions {
            max_bytes,
            on_full,
            generation_bytes: 32 << 20,
            window_max: Duration::from_millis(500),
            window_waiting: Duration::from_millis(5),
            tail_bytes: 8 << 20,
            in_flight_bytes: 4 << 20,
            reserve_bytes: 64 << 20,
            max_age: None,
            keep_delivered: Keep::default(),
            ring_bytes: 16 << 20,
            patience: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            engine: EngineKind::Sled,
        }
    }

    pub(crate) fn in_range(mut self) -> LaneOptions {
        self.max_bytes = self.max_bytes.max(SMALLEST_LANE);
        self.generation_bytes = self.generation_bytes.clamp(256 << 10, self.max_bytes / 8);
        self.in_flight_bytes = self.in_flight_bytes.clamp(64 << 10, 64 << 20);
        self.window_waiting = self.window_waiting.min(self.window_max);
        self
    }

    /// The longest body this lane takes.
    pub fn body_limit(&self) -> usize {
        MAX_BODY_BYTES.min((self.max_bytes / 4) as usize)
    }
}

impl Default for LaneOptions {
    fn default() -> LaneOptions {
        LaneOptions::new(2 << 30, OnFull::DropOldest)
    }
}
