//! The delivery core: from the durable queue to one destination, as a pure state machine.
//!
//! No clock, file, socket or task is in here: [`Core::step`] takes what happened and the time, and says what is to be
//! done. The shell around it (`attempt.rs`) does exactly that, and nothing of its own. So the tests run years of faults
//! in seconds (`core/tests.rs`).
//!
//! ```text
//! Durable, Page ─▶ track: ahead ─cut▶ segment ─▶ Send ─▶ Answered ─┬▶ acked ────────────────┐
//!                   (read-ahead)         ▲                         ├▶ refused: again, later  ├▶ done: the cursor moves over
//!                                        └─── again, in order ─────┴▶ refused for good: Bury ┘  a contiguous prefix (Move)
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `words` | inputs and outputs |
//! | `next` | what is read and sent next |
//! | `lane`, `replaying` | where the cursor of a lane, or of a replay, may go |
//! | `track` | one way's records: read ahead, cut into segments, sent again |
//! | `segment` | what became of each record of a run |
//! | `early` | what was delivered ahead of the cursor |
//! | `pace` | window, batch size, rate |
//! | `answer` | what an answer means |
//!
//! What it promises, given a sink that takes a batch in its order: every record is answered for exactly once in the
//! tallies; the cursor passes nothing that is open; readings leave in the order of their lane, and only what the far
//! side itself refused or postponed comes later than its neighbours; nothing is sent twice but batches of which something
//! was still open when the link was lost.

mod answer;
mod early;
mod lane;
mod next;
mod pace;
mod replaying;
mod segment;
#[cfg(test)]
mod tests;
mod track;
mod words;

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::BatchLimits;
use fieldgate_model::Timestamp;
use fieldgate_store::{Page, Seq};

use lane::Lane;
use pace::{Bucket, Pace};
use replaying::Replaying;
use segment::Segment;
use track::{Part, Track};
pub use words::{Input, Look, Note, Now, Output, Read, Refused, Replay, Rules, Ticket, Way};

use crate::lanes::LaneKind;

/// The way to one destination. It outlives links.
#[derive(Debug)]
pub struct Core {
    limits: BatchLimits,
    critical: Lane,
    normal: Lane,
    replay: Option<Replaying>,
    /// The number of the next replay's first segment: late answers to an earlier one find nothing.
    replay_first: u64,
    pace: Pace,
    up: bool,
    flights: BTreeMap<Ticket, Flight>,
    burials: BTreeMap<u64, Part>,
    burial_ways: BTreeMap<u64, Way>,
    /// How often records were refused for their own sake. Only those that were.
    attempts: HashMap<(LaneKind, Seq), u32>,
    next_number: u64,
    wake: Option<Duration>,
}

/// A batch under way.
#[derive(Debug)]
struct Flight {
    way: Way,
    part: Part,
    sent: Duration,
    sampled: Vec<Timestamp>,
}

// === impl Core ===

impl Core {
    /// A destination whose cursors stand there.
    #[must_use]
    pub fn new(limits: BatchLimits, critical: Seq, normal: Seq) -> Self {
        Self {
            limits,
            critical: Lane::new(LaneKind::Critical, critical),
            normal: Lane::new(LaneKind::Normal, normal),
            replay: None,
            replay_first: 0,
            pace: Pace::new(&limits),
            up: false,
            flights: BTreeMap::new(),
            burials: BTreeMap::new(),
            burial_ways: BTreeMap::new(),
            attempts: HashMap::new(),
            next_number: 0,
            wake: None,
        }
    }

    /// Takes what happened; `out` gets what is to be done, in order.
    pub fn step(&mut self, input: Input, now: Now<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Durable(kind, durable) => {
                let lane = self.lane_mut(kind);
                lane.durable = lane.durable.max(durable);
            }
            Input::Page { way, page, rules } => self.take_page(way, page, rules),
            Input::Answered(ticket, answer) => self.answered(ticket, answer, now, out),
            Input::Buried(number) => self.buried(number),
            Input::LinkUp => self.up = true,
            Input::LinkLost => self.link_lost(),
            Input::Evicted(kind, through) => self.lane_mut(kind).evicted(kind, through, out),
            Input::Replay(order) => self.take_replay(order, now),
            Input::Tick => {}
        }
        self.advance(out);
        self.proceed(now, out);
    }

    /// When to tick next, if nothing happens before.
    #[must_use]
    pub fn wake(&self) -> Option<Duration> {
        self.wake
    }

    /// Batches under way, and burials.
    #[must_use]
    pub fn batches_under_way(&self) -> usize {
        self.flights.len() + self.burials.len()
    }

    /// Readings that the far side has and did not answer for yet.
    #[must_use]
    pub fn readings_under_way(&self) -> u64 {
        let flights = self.flights.values();
        flights.map(|flight| flight.part.picks.len() as u64).sum()
    }

    /// Sends and reads nothing more over this link; answers are still taken.
    pub fn stop(&mut self) {
        self.up = false;
    }

    fn lane_mut(&mut self, kind: LaneKind) -> &mut Lane {
        match kind {
            LaneKind::Critical => &mut self.critical,
            LaneKind::Normal => &mut self.normal,
        }
    }

    fn track(&self, way: Way) -> Option<&Track> {
        match way {
            Way::Critical => Some(&self.critical.main),
            Way::Normal => Some(&self.normal.main),
            Way::Live => self.normal.live.as_ref(),
            Way::Replay => self.replay.as_ref().map(|replay| &replay.track),
        }
    }

    fn track_mut(&mut self, way: Way) -> Option<&mut Track> {
        match way {
            Way::Critical => Some(&mut self.critical.main),
            Way::Normal => Some(&mut self.normal.main),
            Way::Live => self.normal.live.as_mut(),
            Way::Replay => self.replay.as_mut().map(|replay| &mut replay.track),
        }
    }

    fn segment(&mut self, way: Way, number: u64) -> Option<&mut Segment> {
        self.track_mut(way)?.segment(number)
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn take_page(&mut self, way: Way, page: Page, rules: Arc<Rules>) {
        let upto = self.span(way).and_then(|span| span.upto);
        if way == Way::Normal {
            self.normal.live_routes = rules.live;
        }
        if let Some(track) = self.track_mut(way).filter(|track| track.reading) {
            track.take_page(page, upto, rules);
        }
    }

    fn link_lost(&mut self) {
        self.up = false;
        self.flights.clear();
        self.burials.clear();
        self.burial_ways.clear();
        self.pace.link_lost();
        self.critical.link_lost();
        self.normal.link_lost();
        if let Some(replay) = &mut self.replay {
            replay.track.reset(replay.order.through);
        }
    }

    fn take_replay(&mut self, order: Option<Replay>, now: Now<'_>) {
        let running = self.replay.as_mut();
        let same = running.filter(|running| {
            let order = order.as_ref();
            order.is_some_and(|order| {
                running.order.id == order.id && running.order.lane == order.lane
            })
        });
        if let Some(running) = same {
            running.cap(order.map_or(0, |order| order.rate));
            return;
        }
        if let Some(mut ended) = self.replay.take() {
            ended.track.reset(Seq(0));
            self.replay_first = ended.track.next_segment();
        }
        self.replay = order.map(|order| Replaying {
            track: Track::starting(order.lane, order.through, self.replay_first),
            bucket: NonZeroU32::new(order.rate).map(Bucket::new),
            blocked_until: now.at,
            attempts: HashMap::new(),
            order,
        });
    }

    /// Moves the cursors over what is done.
    fn advance(&mut self, out: &mut Vec<Output>) {
        for kind in LaneKind::ALL {
            let lane = self.lane_mut(kind);
            let passed = lane.advance(kind, out);
            if let Some(cursor) = passed
                && !self.attempts.is_empty()
            {
                self.attempts
                    .retain(|(of, seq), _| *of != kind || *seq > cursor);
            }
        }
        if let Some(replay) = &mut self.replay {
            replay.advance(out);
        }
    }
}
