//! The ledger (pure): every count moves here, under the book's lock, together with its cursor.

use crate::{
    book::{Book, Position, Reader, Unsettled},
    counts::{Counts, Gone},
    manifest::PerBit,
    record::Record,
    replay::ReplayStatus,
    types::{RouteBit, RouteMask, Seq, Tally},
};

/// The cursors are saved after this many acknowledgements, or a second.
pub(crate) const ACKS_BEFORE_PERSIST: u32 = 1000;

/// What the caller of [`Book::ack`] does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterAck {
    Nothing,
    /// The thread has something to do now or soon.
    Wake,
}

// === impl Book: accepted and acknowledged ===

impl Book {
    /// Counts records that are durable from now on.
    pub fn appended(&mut self, records: &[Record]) {
        for run in records.chunk_by(|a, b| a.routes == b.routes) {
            self.accept(run[0].routes, run.len() as u64);
        }
        if let Some(last) = records.last() {
            self.durable = last.seq;
        }
    }

    fn accept(&mut self, mask: RouteMask, count: u64) {
        for RouteBit(bit) in mask.iter() {
            let Some(route) = self.routes.get_mut(&bit) else {
                continue;
            };
            route.state.counts.accepted += count;
            match route.state.orphan {
                true => route.state.counts.evicted_by.removed += count,
                false => route.pending += count as i64,
            }
        }
    }

    /// Moves a cursor and counts what left. An unknown reader was dropped meanwhile; its counts are settled.
    pub fn ack(&mut self, reader: Reader, through: Seq, tally: Tally) -> AfterAck {
        let end = match &reader {
            Reader::Consumer(_) => self.durable,
            Reader::Replay(id) => self
                .replays
                .get(id)
                .map_or(Seq(0), |row| Seq(row.state.last)),
        };
        let through = through.min(end);
        let Some(position) = self.position_mut(&reader) else {
            return AfterAck::Nothing;
        };
        let (from, contested) = (position.through, position.contested.is_some());
        position.through = from.max(through);
        if through <= from && !contested {
            return AfterAck::Nothing; // said before: its records have been counted
        }
        if contested {
            self.unsettled.push_back(Unsettled {
                reader,
                from,
                through,
                tally,
            });
        } else {
            self.exit(&reader, &tally);
        }
        self.acks_since_persist += 1;
        let first = !std::mem::replace(&mut self.dirty, true);
        if first || self.wake_on_ack || self.acks_since_persist == ACKS_BEFORE_PERSIST {
            AfterAck::Wake
        } else {
            AfterAck::Nothing
        }
    }

    /// The position of a reader that is registered and was not stopped.
    fn position_mut(&mut self, reader: &Reader) -> Option<&mut Position> {
        match reader {
            Reader::Consumer(name) => self.consumers.get_mut(name),
            Reader::Replay(id) => {
                let row = self.replays.get_mut(id)?;
                (row.state.status != ReplayStatus::Stopped).then_some(&mut row.position)
            }
        }
    }

    /// The account in which a reader's deliveries of `bit` are counted.
    fn counts_mut(&mut self, reader: &Reader, bit: RouteBit) -> Option<&mut Counts> {
        match reader {
            Reader::Consumer(_) => Some(&mut self.routes.get_mut(&bit.0)?.state.counts),
            Reader::Replay(id) => {
                let row = self.replays.get_mut(id)?;
                let of_it = RouteMask(row.state.routes).contains(bit);
                of_it.then_some(&mut row.state.counts)
            }
        }
    }

    fn exit(&mut self, reader: &Reader, tally: &Tally) {
        match reader {
            Reader::Consumer(_) => {
                for (RouteBit(bit), exit, count) in tally.iter() {
                    if let Some(route) = self.routes.get_mut(&bit) {
                        route.pending -= count as i64;
                        *route.state.counts.exit(exit) += count;
                    }
                }
            }
            Reader::Replay(id) => {
                if let Some(row) = self.replays.get_mut(id) {
                    for (bit, exit, count) in tally.iter() {
                        if RouteMask(row.state.routes).contains(bit) {
                            row.pending -= count as i64;
                            *row.state.counts.exit(exit) += count;
                        }
                    }
                    row.end_if_through();
                }
            }
        }
    }
}

// === impl Book: acknowledgements that crossed a decision ===

impl Book {
    /// The acknowledgement to settle next, and whether what is retained of its range has to be counted for that.
    pub fn next_unsettled(&self) -> Option<(Unsettled, bool)> {
        let unsettled = self.unsettled.front()?;
        let position = match &unsettled.reader {
            Reader::Consumer(name) => self.consumers.get(name),
            Reader::Replay(id) => self.replays.get(id).map(|row| &row.position),
        };
        let contested = position.is_some_and(|position| position.contested.is_some());
        Some((
            unsettled.clone(),
            contested && unsettled.through > unsettled.from,
        ))
    }

    /// Counts the oldest unsettled acknowledgement, `retained` being the records of its range that are still there. What
    /// was delivered after all moves from the reason under which it was taken to its true exit.
    pub fn settle(&mut self, retained: &PerBit) {
        let Some(unsettled) = self.unsettled.pop_front() else {
            return;
        };
        let Some(position) = self.position_mut(&unsettled.reader) else {
            return;
        };
        let Some(mut contested) = position.contested.take() else {
            self.exit(&unsettled.reader, &unsettled.tally);
            return;
        };
        let mut retained = retained.clone();
        let mut rest = Tally::new();
        for (bit, exit, count) in unsettled.tally.iter() {
            let fresh = retained.take_up_to(bit.0, count);
            let back = contested.take_back(bit, count - fresh);
            let regained: u64 = back.iter().map(|(_, some)| some).sum();
            rest.add(bit, exit, count - regained);
            if let Some(counts) = self.counts_mut(&unsettled.reader, bit) {
                for (gone, some) in back {
                    *counts.gone(gone) -= some;
                    *counts.exit(exit) += some;
                }
            }
        }
        if unsettled.through < contested.until
            && let Some(position) = self.position_mut(&unsettled.reader)
        {
            position.contested = Some(contested);
        }
        self.exit(&unsettled.reader, &rest);
    }

    pub fn has_unsettled(&self) -> bool {
        !self.unsettled.is_empty()
    }
}

// === impl Book: decisions of the queue ===

impl Book {
    /// The places inside the records from `first` to `last` where some reader's need begins or ends: what lies on either
    /// side has to be told apart record by record.
    pub fn edges(&self, first: u64, last: u64) -> Vec<u64> {
        let consumers = self.consumers.values().map(|consumer| consumer.through.0);
        let replays = self
            .replays
            .running()
            .flat_map(|row| [row.position.through.0, row.state.last]);
        consumers
            .chain(replays)
            .filter(|at| (first..last).contains(at))
            .collect()
    }

    /// What no reader needs any more: sealed generations up to here can go without loss.
    pub fn needed_by_replay(&self, first: u64, last: u64) -> bool {
        self.replays.running().any(|row| row.needs(first, last))
    }

    /// Moves every reader past `last`, counting as gone what `counts` says lay between two places (the first excluded).
    pub fn take(&mut self, first: u64, last: Seq, gone: Gone, counts: impl Fn(Seq, Seq) -> PerBit) {
        for (name, consumer) in &mut self.consumers {
            if consumer.through >= last {
                continue;
            }
            let counts = counts(consumer.through, last);
            let mut own = PerBit::default();
            for route in self
                .routes
                .values_mut()
                .filter(|route| route.state.consumer == *name)
            {
                let count = counts.get(route.state.bit);
                route.take(gone, count);
                own.add(RouteBit(route.state.bit).into(), count);
            }
            consumer.skip(last, gone, own);
        }
        for row in &mut self.replays.rows {
            if row.needs(first, last.0) {
                let until = last.min(Seq(row.state.last));
                let own = row.part_of(&counts(row.position.through, until));
                row.take(gone, own.total());
                row.position.skip(until, gone, own);
                row.end_if_through();
            }
        }
        self.dirty = true;
    }

    /// Counts as `gone` what `counts` says lay between two places (the first excluded); nobody moves. Up to where `read` says
    /// that a bit's records were read, they may still be acknowledged. Returns how many deliveries of consumers went.
    pub fn write_off(
        &mut self,
        gone: Gone,
        first: u64,
        last: Seq,
        read: impl Fn(u8) -> Seq,
        counts: impl Fn(Seq, Seq) -> PerBit,
    ) -> u64 {
        let mut written_off = 0;
        for (name, consumer) in &mut self.consumers {
            if consumer.through >= last {
                continue;
            }
            let all = counts(consumer.through, last);
            let mut own = RouteMask::EMPTY;
            for route in self
                .routes
                .values_mut()
                .filter(|route| route.state.consumer == *name)
            {
                let count = all.get(route.state.bit);
                route.take(gone, count);
                own.insert(RouteBit(route.state.bit));
                written_off += count;
            }
            consumer.contest(last, gone, own, &read, &counts);
        }
        for row in &mut self.replays.rows {
            if row.needs(first, last.0) {
                let until = last.min(Seq(row.state.last));
                let share = row.share_of(&counts(row.position.through, until));
                row.take(gone, share);
                let own = RouteMask(row.state.routes);
                row.position.contest(until, gone, own, &read, &counts);
            }
        }
        self.dirty = true;
        written_off
    }

    /// Empties the queue of a consumer; how many deliveries that were. Only while nothing is unsettled.
    pub fn purge(&mut self, name: &str) -> Option<u64> {
        let durable = self.durable;
        let consumer = self.consumers.get_mut(name)?;
        let mut own = PerBit::default();
        for route in self
            .routes
            .values_mut()
            .filter(|route| route.state.consumer == name)
        {
            let pending = route.pending.max(0) as u64;
            route.take(Gone::Purged, pending);
            own.add(RouteBit(route.state.bit).into(), pending);
        }
        let purged = own.total();
        consumer.skip(durable, Gone::Purged, own);
        self.dirty = true;
        Some(purged)
    }

    /// Sets what an open found: records accepted after the stored moment, and for each reader what lies between two places.
    /// What is missing had been `thinned` when the power went, before it was counted; with `damage`, the rest counts as
    /// lost. Returns how many those were.
    pub fn recounted(
        &mut self,
        durable: Seq,
        accepted_since: &PerBit,
        between: impl Fn(Seq, Seq) -> PerBit,
        thinned: &PerBit,
        damage: bool,
    ) -> u64 {
        self.durable = durable;
        let mut lost = 0;
        for route in self.routes.values_mut() {
            let since = accepted_since.get(route.state.bit);
            route.state.counts.accepted += since;
            match self
                .consumers
                .get(&route.state.consumer)
                .filter(|_| !route.state.orphan)
            {
                Some(consumer) => {
                    route.pending = between(consumer.through, durable).get(route.state.bit) as i64
                }
                None => route.state.counts.evicted_by.removed += since,
            }
            let missing = (route.state.counts.outstanding() - route.pending).max(0) as u64;
            let told = missing.min(thinned.get(route.state.bit));
            route.state.counts.evicted_by.thinned += told;
            if damage {
                route.state.counts.lost_detected += missing - told;
                lost += missing - told;
            }
        }
        for row in self.replays.rows.iter_mut().filter(|row| row.is_running()) {
            let (from, until) = (row.position.through, Seq(row.state.last));
            row.pending = row.share_of(&between(from, until)) as i64;
            let missing = (row.state.counts.outstanding() - row.pending).max(0) as u64;
            let told = missing.min(row.share_of(thinned));
            row.state.counts.evicted_by.thinned += told;
            if damage {
                row.state.counts.lost_detected += missing - told;
            }
        }
        lost
    }
}
