//! Ranges of the retained records: found by time for a preview, and sent once more by a replay.

use std::sync::Arc;

use crate::{
    error::{EngineError, StoreError},
    manifest::PerBit,
    record::Record,
    replay::{Found, Replay, ReplayRequest},
    thread::{Owner, locked},
    types::{RouteMask, Seq},
};

impl Owner {
    /// The records accepted between two moments, by what the wall clock said then; `None` when none is retained.
    pub fn find(
        &mut self,
        from_ms: i64,
        to_ms: i64,
        mask: RouteMask,
    ) -> Result<Option<Found>, StoreError> {
        let touched = self.generations_between(from_ms, to_ms);
        let (Some(oldest), Some(newest)) = (touched.first(), touched.last()) else {
            return Ok(None);
        };
        let first = self.first_where(*oldest, |record| at_ms(record) >= from_ms)?;
        let behind = self.first_where(*newest, |record| at_ms(record) > to_ms)?;
        let last = Seq(behind.0 - 1);
        Ok((first <= last).then(|| self.found(first, last, mask)))
    }

    fn generations_between(&self, from_ms: i64, to_ms: i64) -> Vec<usize> {
        let generations = self.shelf.generations.iter().enumerate();
        let touched = generations.filter(|(_, generation)| {
            let info = &generation.info;
            let (a, b) = info.accepted_between_ms();
            !info.is_empty() && a.max(b) >= from_ms && a.min(b) <= to_ms
        });
        touched.map(|(index, _)| index).collect()
    }

    /// The first record of a generation for which `holds` is true, which then stays true; else the one after its last.
    /// Reads a block for each halving.
    fn first_where(
        &mut self,
        index: usize,
        holds: impl Fn(&Record) -> bool,
    ) -> Result<Seq, StoreError> {
        let info = &self.shelf.generations[index].info;
        let (mut from, mut until) = (info.first, info.last + 1);
        while from < until {
            let middle = Seq(from + (until - from) / 2);
            let Some(records) = self.block_at(index, middle)? else {
                until = middle.0;
                continue;
            };
            let at = records.partition_point(|record| !holds(record));
            match records.get(at) {
                None => {
                    from = records
                        .last()
                        .map_or(until, |last| last.seq.0 + 1)
                        .max(middle.0 + 1)
                }
                Some(record) if at > 0 => return Ok(record.seq),
                Some(record) => until = record.seq.0.min(middle.0),
            }
        }
        Ok(Seq(from))
    }

    fn block_at(&mut self, index: usize, seq: Seq) -> Result<Option<Arc<Vec<Record>>>, StoreError> {
        self.shelf
            .block(index, seq)
            .map_err(|error| StoreError::Disk {
                path: self.shelf.generations[index].info.dir(&self.shelf.dir),
                reason: error.to_string(),
            })
    }

    /// What is known without reading: exact for whole generations, in proportion for parts of one.
    fn found(&self, first: Seq, last: Seq, mask: RouteMask) -> Found {
        let mut found = Found {
            first,
            last,
            deliveries: 0,
            bytes: 0,
        };
        for generation in &self.shelf.generations {
            let info = &generation.info;
            let (from, until) = (info.first.max(first.0), info.last.min(last.0));
            if info.is_empty() || from > until {
                continue;
            }
            let (part, whole) = (until - from + 1, info.last - info.first + 1);
            let deliveries: u64 = mask.iter().map(|bit| info.per_bit.get(bit.0)).sum();
            let share =
                |count: u64| (u128::from(count) * u128::from(part) / u128::from(whole)) as u64;
            found.deliveries += share(deliveries);
            found.bytes +=
                share(info.payload_bytes * deliveries.min(info.records) / info.records.max(1));
        }
        found
    }

    /// Starts a replay over what is retained of its range; durable when this returns.
    pub fn start_replay(&mut self, mut request: ReplayRequest) -> Result<Replay, StoreError> {
        if locked(&self.shared.book).replays.get(&request.id).is_some() {
            return Err(StoreError::ReplayTaken { id: request.id });
        }
        let mut kept = self.shelf.generations.iter();
        let oldest = kept.find(|generation| !generation.info.is_empty());
        let oldest = oldest.map_or(self.next.0, |generation| generation.info.first);
        request.first = request.first.max(Seq(oldest));
        request.last = request.last.min(Seq(self.next.0 - 1));
        let counts = self.count_retained(Seq(request.first.0 - 1), request.last)?;
        let deliveries: u64 = request.routes.iter().map(|bit| counts.get(bit.0)).sum();
        if deliveries == 0 {
            return Err(StoreError::NothingToReplay);
        }
        let id = request.id.clone();
        locked(&self.shared.book).replays.start(request, deliveries);
        let persisted = self.persist();
        let mut book = locked(&self.shared.book);
        if let Err(error) = persisted {
            book.replays.forget(&id);
            return Err(error);
        }
        let started = book.replays.shown().pop();
        started.ok_or(StoreError::NothingToReplay)
    }

    /// For each bit, the records after `after` and up to `until`: from the index, and read where a generation is cut.
    fn count_retained(&mut self, after: Seq, until: Seq) -> Result<PerBit, StoreError> {
        let mut counts = PerBit::default();
        let mut index = 0;
        while index < self.shelf.generations.len() {
            let info = &self.shelf.generations[index].info;
            let (first, last) = (info.first, info.last);
            if info.is_empty() || last <= after.0 || first > until.0 {
                index += 1;
                continue;
            }
            if first > after.0 && last <= until.0 {
                counts.add_all(&info.per_bit);
                index += 1;
                continue;
            }
            match self.shelf.scan(index, Seq(last)) {
                Ok(scan) => {
                    counts.add_all(&scan.runs.count_between(after.0, until.0));
                    index += 1;
                }
                // What is readable of it stays where it is, and is counted on the next turn.
                Err(error @ EngineError::Damaged { .. }) => self.repair(index, error)?,
                Err(error) => {
                    return Err(StoreError::Disk {
                        path: self.shelf.dir.clone(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        Ok(counts)
    }
}

fn at_ms(record: &Record) -> i64 {
    record.at.wall_ms
}
