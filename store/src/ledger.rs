//! The ledger (pure): every count moves here, under the book's lock, together with its cursor.

use crate::{
    book::{Book, Unsettled},
    manifest::PerBit,
    record::Record,
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
            route.state.accepted += count;
            match route.state.orphan {
                true => route.state.evicted += count,
                false => route.pending += count as i64,
            }
        }
    }

    /// Moves a cursor and counts what left. An unknown consumer was dropped meanwhile; its counts are settled.
    pub fn ack(&mut self, name: &str, through: Seq, tally: Tally) -> AfterAck {
        let through = through.min(self.durable);
        let Some(consumer) = self.consumers.get_mut(name) else {
            return AfterAck::Nothing;
        };
        let moved = through > consumer.through;
        consumer.through = consumer.through.max(through);
        if !moved && consumer.contested.is_none() {
            return AfterAck::Nothing; // said before: its records have been counted
        }
        if consumer.contested.is_some() {
            self.unsettled.push_back(Unsettled {
                consumer: name.to_owned(),
                through,
                tally,
            });
        } else {
            self.exit(&tally);
        }
        self.acks_since_persist += 1;
        let first = !std::mem::replace(&mut self.dirty, true);
        if first || self.wake_on_ack || self.acks_since_persist == ACKS_BEFORE_PERSIST {
            AfterAck::Wake
        } else {
            AfterAck::Nothing
        }
    }

    fn exit(&mut self, tally: &Tally) {
        for (RouteBit(bit), exit, count) in tally.iter() {
            if let Some(route) = self.routes.get_mut(&bit) {
                route.pending -= count as i64;
                *route.counter(exit) += count;
            }
        }
    }

    /// The acknowledgement to settle next, and the end of what was evicted under its consumer.
    pub fn next_unsettled(&self) -> Option<(Unsettled, Seq)> {
        let unsettled = self.unsettled.front()?;
        let contested = self
            .consumers
            .get(&unsettled.consumer)
            .and_then(|consumer| consumer.contested.as_ref());
        Some((
            unsettled.clone(),
            contested.map_or(unsettled.through, |(until, _)| *until),
        ))
    }

    /// Counts the oldest unsettled acknowledgement, `beyond` being the records of its range that were *not* evicted under
    /// it. What was delivered after all moves from evicted to its true exit.
    pub fn settle(&mut self, beyond: &PerBit) {
        let Some(unsettled) = self.unsettled.pop_front() else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(&unsettled.consumer) else {
            return;
        };
        let mut beyond = beyond.clone();
        let mut rest = Tally::new();
        for (RouteBit(bit), exit, count) in unsettled.tally.iter() {
            let fresh = beyond.take_up_to(bit, count);
            let contested = consumer.contested.as_mut();
            let regained = contested.map_or(0, |(_, counts)| counts.take_up_to(bit, count - fresh));
            if let Some(route) = self.routes.get_mut(&bit) {
                route.state.evicted -= regained;
                *route.counter(exit) += regained;
            }
            rest.add(RouteBit(bit), exit, count - regained);
        }
        if consumer
            .contested
            .as_ref()
            .is_some_and(|(until, _)| unsettled.through >= *until)
        {
            consumer.contested = None;
        }
        self.exit(&rest);
    }

    pub fn has_unsettled(&self) -> bool {
        !self.unsettled.is_empty()
    }

    /// The cursors that stand before `last`, from the one farthest back.
    pub fn cursors_before(&self, last: u64) -> Vec<u64> {
        self.consumers
            .values()
            .map(|consumer| consumer.through.0)
            .filter(|through| *through < last)
            .collect()
    }

    /// Moves every cursor to `last` at least, counting as evicted what `counts` says lay between.
    pub fn evict(&mut self, last: Seq, counts: impl Fn(Seq) -> PerBit) {
        for (name, consumer) in self
            .consumers
            .iter_mut()
            .filter(|(_, consumer)| consumer.through < last)
        {
            let counts = counts(consumer.through);
            let mut contested = consumer
                .contested
                .take()
                .map_or_else(PerBit::default, |(_, before)| before);
            for route in self
                .routes
                .values_mut()
                .filter(|route| route.state.consumer == *name)
            {
                let count = counts.get(route.state.bit);
                route.state.evicted += count;
                route.pending -= count as i64;
                contested.add(RouteBit(route.state.bit).into(), count);
            }
            consumer.through = last;
            consumer.contested = Some((last, contested));
        }
        self.dirty = true;
    }

    /// Counts records as lost for the consumers that had not come past them; `counts` says how many, by cursor.
    pub fn lose(&mut self, last: Seq, counts: impl Fn(Seq) -> PerBit) -> u64 {
        let mut lost = 0;
        for (name, consumer) in self
            .consumers
            .iter()
            .filter(|(_, consumer)| consumer.through < last)
        {
            let counts = counts(consumer.through);
            for route in self
                .routes
                .values_mut()
                .filter(|route| route.state.consumer == *name)
            {
                let count = counts.get(route.state.bit);
                route.state.lost_detected += count;
                route.pending -= count as i64;
                lost += count;
            }
        }
        self.dirty = true;
        lost
    }

    /// Sets what an open found: records accepted after the stored moment, and for each consumer what lies after its
    /// cursor. With `damage`, what is missing counts as lost; returns how many.
    pub fn recounted(
        &mut self,
        durable: Seq,
        accepted_since: &PerBit,
        pending_after: impl Fn(Seq) -> PerBit,
        damage: bool,
    ) -> u64 {
        self.durable = durable;
        let mut lost = 0;
        for route in self.routes.values_mut() {
            let since = accepted_since.get(route.state.bit);
            route.state.accepted += since;
            match self
                .consumers
                .get(&route.state.consumer)
                .filter(|_| !route.state.orphan)
            {
                Some(consumer) => {
                    route.pending = pending_after(consumer.through).get(route.state.bit) as i64
                }
                None => route.state.evicted += since,
            }
            let missing = route.balance().unaccounted().max(0) as u64;
            if damage {
                route.state.lost_detected += missing;
                lost += missing;
            }
        }
        lost
    }
}
