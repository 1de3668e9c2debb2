//! `Lane`: what the core knows of one lane of the queue, and where its cursor may go.

use fieldgate_store::{RouteMask, Seq};

use super::{
    early::{EARLY_MOST, Early, Piece},
    segment::{Exits, Segment},
    track::Track,
    words::{Look, Output},
};
use crate::lanes::LaneKind;

#[derive(Debug)]
pub struct Lane {
    pub durable: Seq,
    /// What the queue was told.
    pub cursor: Seq,
    /// Everything up to here is done with; the cursor follows as soon as it stands in no piece.
    pub reached: Seq,
    /// The queue let go of everything up to here; what of it is under way is still answered for.
    pub evicted: Seq,
    pub held: Exits,
    pub main: Track,
    pub live: Option<Track>,
    pub live_routes: RouteMask,
    pub early: Early,
}

// === impl Lane ===

impl Lane {
    pub fn new(kind: LaneKind, cursor: Seq) -> Self {
        Self {
            durable: cursor,
            cursor,
            reached: cursor,
            evicted: cursor,
            held: Exits::default(),
            main: Track::new(kind, cursor),
            live: None,
            live_routes: RouteMask::EMPTY,
            early: Early::default(),
        }
    }

    /// How far the way in order may read, and what for.
    pub fn main_span(&self) -> (Option<Seq>, Seq, Look) {
        let zone = self.early.zone(self.main.read);
        let live = self.live.as_ref().map(Track::undone_from);
        let upto = match (zone.upto, live) {
            (Some(zone), Some(live)) => Some(zone.min(live)),
            (zone, live) => zone.or(live),
        };
        let end = upto.map_or(self.durable, |upto| upto.min(self.durable));
        (upto, end, Look::AllBut(zone.covered))
    }

    /// Begins to send what is new ahead of the rest, or stops when there is nothing to overtake any more.
    pub fn overtake(&mut self, behind: u64) {
        if let Some(live) = &self.live {
            let caught_up = self.main.read >= live.read;
            let enough = self.early.readings() >= EARLY_MOST;
            if live.is_idle() && (caught_up || enough) {
                self.live = None;
            }
            return;
        }
        let waiting = self.durable.0.saturating_sub(self.main.read.0) + self.main.ahead() as u64;
        let room = self.early.readings() < EARLY_MOST / 2;
        if !self.live_routes.is_empty() && waiting > behind && room {
            self.live = Some(Track::new(self.main.lane, self.durable));
        }
    }

    /// Moves the cursor over what is done; returns where it stands if it moved.
    pub fn advance(&mut self, kind: LaneKind, out: &mut Vec<Output>) -> Option<Seq> {
        while let Some(segment) = self.live.as_mut().and_then(Track::pass) {
            let covered = segment.rules().live;
            self.early.add(Piece::of(segment, covered));
        }
        while let Some(segment) = self.main.pass() {
            self.reached = segment.through;
            self.held.merge(segment.into_exits());
        }
        if self.reached <= self.cursor && self.held.is_empty() {
            return None;
        }
        if self.early.straddles(self.reached) {
            return None;
        }
        let mut exits = std::mem::take(&mut self.held);
        while let Some(piece) = self.early.pass(self.reached) {
            exits.merge(piece.exits);
        }
        self.cursor = self.cursor.max(self.reached);
        out.push(Output::Move {
            lane: kind,
            through: self.reached,
            tally: exits.tally(),
        });
        Some(self.cursor)
    }

    /// Begins again at the cursor. What was done beyond it is remembered.
    pub fn link_lost(&mut self) {
        if let Some(mut live) = self.live.take() {
            for segment in live.reset(Seq(0)) {
                let covered = segment.rules().live;
                self.early.add(Piece::of(segment, covered));
            }
        }
        // A cursor that stands within a piece was never told to the queue.
        self.held = Exits::default();
        self.cursor = self.cursor.max(self.evicted);
        self.reached = self.cursor;
        for segment in self.main.reset(self.cursor) {
            if self.early.is_clear(segment.from, segment.through) {
                let covered = segment.rules().mask;
                self.early.add(Piece::of(segment, covered));
            }
        }
    }

    /// The queue let go of everything up to `through`. What was delivered of it all the same is told, and regained.
    pub fn evicted(&mut self, kind: LaneKind, through: Seq, out: &mut Vec<Output>) {
        self.evicted = self.evicted.max(through);
        self.main.skip_to(through);
        if let Some(live) = &mut self.live {
            live.skip_to(through);
        }
        while let Some(piece) = self.early.pass(through) {
            out.push(Output::Move {
                lane: kind,
                // Below the end of what was evicted, so that more can follow.
                through: piece.through.min(Seq(through.0.saturating_sub(1))),
                tally: piece.exits.tally(),
            });
        }
        if self.main.spread() == 0 {
            self.reached = self.reached.max(through);
            self.cursor = self.cursor.max(through);
        }
    }
}

// === impl Piece ===

impl Piece {
    fn of(segment: Segment, covered: RouteMask) -> Self {
        Self {
            from: segment.from,
            through: segment.through,
            covered,
            exits: segment.into_exits(),
        }
    }
}
