//! `Segment`: a run of records on its way, and what became of each.

use std::{ops::Range, sync::Arc};

use fieldgate_kit::{Origin, Sequenced};
use fieldgate_store::{Exit, Record, RouteMask, Seq, Tally};

use super::words::{Now, Rules};
use crate::{
    clock::Clock,
    forward::timely::timely,
    lanes::LaneKind,
    pipeline::frame::{self, Frame},
};

/// Records after `from` and up to `through`. Done when none of them is open any more.
#[derive(Debug)]
pub struct Segment {
    pub from: Seq,
    pub through: Seq,
    /// Those of this destination. Their routes are only those that still wait.
    records: Vec<Record>,
    rules: Arc<Rules>,
    exits: Exits,
    open: usize,
}

/// Some records of a segment, by their index. Each open record is in exactly one place: waiting, under way, or being buried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picks {
    Run(Range<usize>),
    Some(Vec<usize>),
}

/// How many records left in which way, by their routes. Runs of the same are most of it, so the last is looked at first.
#[derive(Debug, Clone, Default)]
pub struct Exits(Vec<(RouteMask, Exit, u64)>);

/// What of a pick can be sent, and what cannot.
#[derive(Debug, Default)]
pub struct Prepared {
    pub readings: Vec<Sequenced>,
    /// The records of `readings`, in their order.
    pub picks: Vec<usize>,
    pub expired: u64,
    /// Index, and why it cannot be read.
    pub unreadable: Vec<(usize, String)>,
}

// === impl Segment ===

impl Segment {
    #[must_use]
    pub fn new(from: Seq, through: Seq, records: Vec<Record>, rules: Arc<Rules>) -> Self {
        let open = records.len();
        Self {
            from,
            through,
            records,
            rules,
            exits: Exits::default(),
            open,
        }
    }

    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    #[must_use]
    pub fn everything(&self) -> Picks {
        Picks::Run(0..self.records.len())
    }

    #[must_use]
    pub fn record(&self, index: usize) -> &Record {
        &self.records[index]
    }

    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How it left, once it is done.
    #[must_use]
    pub fn into_exits(self) -> Exits {
        self.exits
    }

    /// Readies records for the far side; those that expired meanwhile are done with.
    pub fn prepare(&mut self, lane: LaneKind, picks: &Picks, now: Now<'_>) -> Prepared {
        let mut prepared = Prepared::default();
        prepared.readings.reserve_exact(picks.len());
        prepared.picks.reserve_exact(picks.len());
        for index in picks.iter() {
            let fresh = self.rules.fresh(&self.records[index], now.clock);
            if self.expire(index, fresh) {
                prepared.expired += 1;
                continue;
            }
            let record = &self.records[index];
            match open(record, lane, now.clock) {
                Ok(sequenced) => {
                    prepared.readings.push(sequenced);
                    prepared.picks.push(index);
                }
                Err(why) => prepared.unreadable.push((index, why)),
            }
        }
        prepared
    }

    /// Counts the routes for which the record is too old; true when no other is left.
    fn expire(&mut self, index: usize, fresh: RouteMask) -> bool {
        let record = &mut self.records[index];
        let mine = RouteMask(record.routes.0 & self.rules.mask.0);
        let expired = RouteMask(mine.0 & !fresh.0);
        record.routes = fresh;
        if expired.is_empty() {
            return false;
        }
        self.exits.add(expired, Exit::Expired, 1);
        if fresh.is_empty() {
            self.open -= 1;
        }
        fresh.is_empty()
    }

    /// These records are done with.
    pub fn settle(&mut self, picks: &Picks, exit: Exit) {
        self.open -= picks.len();
        for index in picks.iter() {
            self.exits.add(self.records[index].routes, exit, 1);
        }
    }

    /// Lets go of the bodies of a segment that only waits for its neighbours.
    pub fn slim(&mut self) {
        if self.is_done() {
            self.records = Vec::new();
        }
    }
}

fn open(record: &Record, lane: LaneKind, clock: &Clock) -> Result<Sequenced, String> {
    let body = record.body.bytes().map_err(|missing| missing.to_string())?;
    let opened = frame::open(body).map_err(|error| error.to_string())?;
    let Frame {
        origin,
        mut reading,
    } = opened;
    Ok(Sequenced {
        seq: record.seq.0,
        origin: origin.unwrap_or(own(record, lane)),
        time_quality: timely(&mut reading, clock.resolve(record.at)),
        reading,
    })
}

/// Where a record's message id comes from.
#[must_use]
pub fn origin(record: &Record, lane: LaneKind) -> Origin {
    let body = record.body.bytes().ok();
    body.and_then(|body| frame::open(body).ok()?.origin)
        .unwrap_or(own(record, lane))
}

fn own(record: &Record, lane: LaneKind) -> Origin {
    Origin {
        lane: lane.letter(),
        seq: record.seq.0,
    }
}

// === impl Picks ===

impl Picks {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Run(run) => run.len(),
            Self::Some(some) => some.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indices, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (run, some) = match self {
            Self::Run(run) => (run.clone(), &[][..]),
            Self::Some(some) => (0..0, &some[..]),
        };
        run.chain(some.iter().copied())
    }

    #[must_use]
    pub fn first(&self) -> usize {
        self.iter().next().unwrap_or(0)
    }

    /// Two halves, the first the smaller one.
    #[must_use]
    pub fn halves(&self) -> [Self; 2] {
        let all: Vec<usize> = self.iter().collect();
        let (first, second) = all.split_at(all.len() / 2);
        [Self::of(first.to_vec()), Self::of(second.to_vec())]
    }

    /// A run where they follow one another.
    #[must_use]
    pub fn of(indices: Vec<usize>) -> Self {
        match (indices.first(), indices.last()) {
            (Some(&first), Some(&last)) if last - first + 1 == indices.len() => {
                Self::Run(first..last + 1)
            }
            _ => Self::Some(indices),
        }
    }
}

// === impl Exits ===

impl Exits {
    pub fn add(&mut self, routes: RouteMask, exit: Exit, count: u64) {
        let same = |entry: &&mut (RouteMask, Exit, u64)| entry.0 == routes && entry.1 == exit;
        match self.0.iter_mut().rev().find(same) {
            Some((_, _, sum)) => *sum += count,
            None => self.0.push((routes, exit, count)),
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (routes, exit, count) in other.0 {
            self.add(routes, exit, count);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.iter().map(|(_, _, count)| count).sum()
    }

    /// By route, as the queue counts.
    #[must_use]
    pub fn tally(self) -> Tally {
        let mut tally = Tally::default();
        for (routes, exit, count) in self.0 {
            for bit in routes.iter() {
                tally.add(bit, exit, count);
            }
        }
        tally
    }
}
