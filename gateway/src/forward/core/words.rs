//! The words of the delivery core: what it is told, and what it asks for.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{Batch, Origin, Receipt, SinkError};
use fieldgate_model::Timestamp;
use fieldgate_store::{Page, Record, RouteMask, Seq, Tally};

use crate::{clock::Clock, lanes::LaneKind};

/// The ways by which readings go to one destination, the one that goes first at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// The critical lane.
    Critical,
    /// What is new in the normal lane, while the destination is behind: routes with `live_first`.
    Live,
    /// The normal lane, in order.
    Normal,
    /// What was delivered once and is asked for again.
    Replay,
}

/// One batch under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the routes to this destination say, as of one look at the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Their bits, those of routes that are being drained included.
    pub mask: RouteMask,
    /// Those with `live_first`.
    pub live: RouteMask,
    /// The longest that readings of some routes are worth sending.
    pub max_ages: Vec<(RouteMask, Duration)>,
}

/// Records to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    pub way: Way,
    pub lane: LaneKind,
    pub after: Seq,
    /// Nothing after this is wanted now.
    pub upto: Option<Seq>,
    /// Which of the destination's routes are looked for.
    pub look: Look,
    pub records: usize,
    pub bytes: usize,
}

/// Which of the destination's routes a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// All but these, which are done with already.
    AllBut(RouteMask),
    /// Those with `live_first`.
    Live,
    /// Exactly these.
    Only(RouteMask),
}

/// A replay under way: records of one lane, sent once more, with an account of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub id: Arc<str>,
    pub lane: LaneKind,
    /// Done with.
    pub through: Seq,
    pub last: Seq,
    pub mask: RouteMask,
    /// The most readings a second; 0 is as fast as all else leaves room for.
    pub rate: u32,
}

/// What happened. Each is told once, in the order in which it happened.
#[derive(Debug)]
pub enum Input {
    /// A lane has durable records up to here.
    Durable(LaneKind, Seq),
    /// What a [`Read`] brought. Empty and not moved: there is nothing now.
    Page {
        way: Way,
        page: Page,
        rules: Arc<Rules>,
    },
    /// The far side answered, or the link said why it cannot.
    Answered(Ticket, Result<Receipt, SinkError>),
    /// The letters of an [`Output::Bury`] are durable.
    Buried(u64),
    /// Connected. Sending begins at the cursors.
    LinkUp,
    /// Whatever is under way is unanswered for good.
    LinkLost,
    /// The queue moved the destination's cursor by itself: records made room, or were purged.
    Evicted(LaneKind, Seq),
    /// The replay to work on, if there is one.
    Replay(Option<Replay>),
    /// Nothing but the time.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    Read(Read),
    Send(Ticket, Batch),
    /// Everything up to `through` is done with; `tally` says how.
    Move {
        lane: LaneKind,
        through: Seq,
        tally: Tally,
    },
    /// Keep these as dead letters, and tell when they are durable.
    Bury(u64, Vec<Refused>),
    /// A replay has come so far; `tally` says how.
    Replayed {
        id: Arc<str>,
        lane: LaneKind,
        through: Seq,
        tally: Tally,
    },
    /// The link is of no use any more.
    Fail(SinkError),
    Note(Note),
}

/// A reading that was refused for good.
#[derive(Debug, Clone)]
pub struct Refused {
    pub record: Record,
    pub lane: LaneKind,
    pub origin: Origin,
    /// The destination's own words.
    pub why: String,
}

/// Something to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Acknowledged {
        readings: u64,
        took: Duration,
        /// When the source observed some of them.
        sampled: Vec<Timestamp>,
    },
    /// A reading was refused; it is tried again.
    Again {
        readings: u64,
    },
    /// A reading was refused for good.
    DeadLettered {
        why: String,
    },
    /// A replayed reading was refused for good. It is no dead letter: it has left the queue already.
    ReplayRefused {
        why: String,
    },
    Expired {
        readings: u64,
    },
    /// Taken, but nobody was there to receive it.
    Unheard {
        readings: u64,
    },
    /// Too large, or refused as a whole: the halves are sent.
    Halved,
    Throttled {
        why: String,
        until: Duration,
    },
}

/// The present, for one step.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// Since some fixed moment; never runs backwards.
    pub at: Duration,
    /// Tells how old a record is, and what its times mean.
    pub clock: &'a Clock,
}

// === impl Way ===

impl Way {
    pub const ALL: [Self; 4] = [Self::Critical, Self::Live, Self::Normal, Self::Replay];
}

// === impl Rules ===

impl Rules {
    /// Of a record's routes, those for which it is still worth sending.
    #[must_use]
    pub fn fresh(&self, record: &Record, clock: &Clock) -> RouteMask {
        let mut fresh = RouteMask(record.routes.0 & self.mask.0);
        if self.max_ages.is_empty() {
            return fresh;
        }
        let Some(age) = clock.age(record.at) else {
            return fresh; // the clock that would tell is not believed, and nothing expires
        };
        for (routes, most) in &self.max_ages {
            if age > *most {
                fresh.0 &= !routes.0;
            }
        }
        fresh
    }
}
