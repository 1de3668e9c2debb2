//! Replays (pure): a range of retained records sent once more, by a cursor and an account of their own.

use serde::{Deserialize, Serialize};

use crate::{
    book::Position,
    counts::{Counts, Gone},
    manifest::PerBit,
    types::{EvictedBy, RouteBit, RouteMask, Seq},
};

/// Finished and stopped replays that stay listed.
const ENDED_KEPT: usize = 20;

/// What is to be sent once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRequest {
    /// Chosen by the caller; unique among the replays that are listed.
    pub id: String,
    /// Who gets it. It need not have a cursor in this lane.
    pub destination: String,
    /// Records of these routes.
    pub routes: RouteMask,
    /// The range, both ends included; what is no longer retained, or not yet durable, is left out.
    pub first: Seq,
    pub last: Seq,
    /// The most records a second, 0 for no limit: kept for whoever sends them.
    pub per_s: u32,
}

/// What a search by time found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub first: Seq,
    pub last: Seq,
    /// Records times the routes that carry them; in proportion where a generation is cut, so it is about right.
    pub deliveries: u64,
    /// Their bodies' bytes, about right too.
    pub bytes: u64,
}

/// How a replay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayStatus {
    Running,
    /// Everything in its range has left by a named exit.
    Finished,
    /// Ended by a person; what was pending then is counted as removed.
    Stopped,
}

/// One replay with its account: the same identity as a route's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    pub id: String,
    pub destination: String,
    pub routes: RouteMask,
    /// What it really covers.
    pub first: Seq,
    pub last: Seq,
    /// Everything up to and including this record is done with.
    pub through: Seq,
    pub per_s: u32,
    pub status: ReplayStatus,
    /// Deliveries in the range when it was started: records times the routes of [`Replay::routes`] that carry them.
    pub accepted: u64,
    pub acked: u64,
    pub pending: i64,
    pub expired: u64,
    pub evicted: u64,
    pub evicted_by: EvictedBy,
    pub dead_lettered: u64,
    pub lost_detected: u64,
}

/// A replay as it is stored; `pending` is counted again at every open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplayState {
    pub id: String,
    pub destination: String,
    pub routes: u64,
    pub first: u64,
    pub last: u64,
    pub through: u64,
    pub per_s: u32,
    pub status: ReplayStatus,
    pub counts: Counts,
}

#[derive(Debug)]
pub(crate) struct ReplayRow {
    pub state: ReplayState,
    pub position: Position,
    pub pending: i64,
}

/// All replays of a lane, in the order of their starts.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    pub rows: Vec<ReplayRow>,
}

// === impl Replay ===

impl Replay {
    /// As [`crate::RouteBalance::unaccounted`]: 0, or there is a defect.
    pub fn unaccounted(&self) -> i64 {
        let exits =
            self.acked + self.expired + self.evicted + self.dead_lettered + self.lost_detected;
        self.accepted as i64 - exits as i64 - self.pending
    }
}

// === impl ReplayRow ===

impl ReplayRow {
    fn new(state: ReplayState) -> ReplayRow {
        let position = Position::at(Seq(state.through));
        ReplayRow {
            state,
            position,
            pending: 0,
        }
    }

    pub fn is_running(&self) -> bool {
        self.state.status == ReplayStatus::Running
    }

    /// True while it still needs something of the records from `first` to `last`.
    pub fn needs(&self, first: u64, last: u64) -> bool {
        self.is_running() && self.position.through.0 < last && self.state.last >= first
    }

    /// Deliveries of its routes among `counts`.
    pub fn share_of(&self, counts: &PerBit) -> u64 {
        let bits = RouteMask(self.state.routes).iter();
        bits.map(|RouteBit(bit)| counts.get(bit)).sum()
    }

    /// The same, bit by bit.
    pub fn part_of(&self, counts: &PerBit) -> PerBit {
        let mut part = PerBit::default();
        for bit in RouteMask(self.state.routes).iter() {
            part.add(bit.into(), counts.get(bit.0));
        }
        part
    }

    /// Counts pending deliveries as gone by the queue's own decision.
    pub fn take(&mut self, gone: Gone, count: u64) {
        *self.state.counts.gone(gone) += count;
        self.pending -= count as i64;
    }

    /// Notes that its range has been passed.
    pub fn end_if_through(&mut self) {
        if self.is_running() && self.position.through.0 >= self.state.last {
            self.state.status = ReplayStatus::Finished;
        }
    }

    fn shown(&self) -> Replay {
        let counts = &self.state.counts;
        Replay {
            id: self.state.id.clone(),
            destination: self.state.destination.clone(),
            routes: RouteMask(self.state.routes),
            first: Seq(self.state.first),
            last: Seq(self.state.last),
            through: self.position.through,
            per_s: self.state.per_s,
            status: self.state.status,
            accepted: counts.accepted,
            acked: counts.acked,
            pending: self.pending,
            expired: counts.expired,
            evicted: counts.evicted_by.total(),
            evicted_by: counts.evicted_by,
            dead_lettered: counts.dead_lettered,
            lost_detected: counts.lost_detected,
        }
    }
}

// === impl Replays ===

impl Replays {
    pub fn new(stored: Vec<ReplayState>) -> Replays {
        Replays {
            rows: stored.into_iter().map(ReplayRow::new).collect(),
        }
    }

    pub fn snapshot(&self) -> Vec<ReplayState> {
        let stored = |row: &ReplayRow| ReplayState {
            through: row.position.through.0,
            ..row.state.clone()
        };
        self.rows.iter().map(stored).collect()
    }

    pub fn shown(&self) -> Vec<Replay> {
        self.rows.iter().map(ReplayRow::shown).collect()
    }

    pub fn get(&self, id: &str) -> Option<&ReplayRow> {
        self.rows.iter().find(|row| row.state.id == id)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut ReplayRow> {
        self.rows.iter_mut().find(|row| row.state.id == id)
    }

    pub fn running(&self) -> impl Iterator<Item = &ReplayRow> {
        self.rows.iter().filter(|row| row.is_running())
    }

    /// Adds a replay over the range of `request`, in which `deliveries` are waiting.
    pub fn start(&mut self, request: ReplayRequest, deliveries: u64) {
        let mut row = ReplayRow::new(ReplayState {
            id: request.id,
            destination: request.destination,
            routes: request.routes.0,
            first: request.first.0,
            last: request.last.0,
            through: request.first.0 - 1,
            per_s: request.per_s,
            status: ReplayStatus::Running,
            counts: Counts {
                accepted: deliveries,
                ..Counts::default()
            },
        });
        row.pending = deliveries as i64;
        self.rows.push(row);
        let ended = self.rows.iter().filter(|row| !row.is_running()).count();
        for _ in ENDED_KEPT..ended {
            if let Some(oldest) = self.rows.iter().position(|row| !row.is_running()) {
                self.rows.remove(oldest);
            }
        }
    }

    pub fn forget(&mut self, id: &str) {
        self.rows.retain(|row| row.state.id != id);
    }

    /// Ends a replay: what it had pending counts as removed. Whether it was running.
    pub fn stop(&mut self, id: &str) -> bool {
        let Some(row) = self.get_mut(id).filter(|row| row.is_running()) else {
            return false;
        };
        let pending = row.pending.max(0) as u64;
        row.take(Gone::Removed, pending);
        row.position.contested = None;
        row.state.status = ReplayStatus::Stopped;
        true
    }
}
