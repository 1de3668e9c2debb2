//! The route masks of records in order, run by run, in about two bytes a run (pure): a generation has millions of records,
//! and their masks may change with each.

use std::collections::HashMap;

use crate::{manifest::PerBit, record::Record, types::RouteMask, varint};

/// Which numbers are there, and the masks of their records.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaskRuns {
    /// For each run but the last: mask × 2 + 1 when there is a gap before it, the gap, the count; each a varint.
    coded: Vec<u8>,
    /// Where what is coded begins and ends.
    first: u64,
    end: u64,
    last: Option<Run>,
    masks: Vec<RouteMask>,
    indices: HashMap<RouteMask, u64>,
}

/// Consecutive records of one mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    count: u64,
    mask: RouteMask,
}

// === impl MaskRuns ===

impl MaskRuns {
    /// Adds records that come after those that are there.
    pub fn push(&mut self, records: &[Record]) {
        let goes_on = |a: &Record, b: &Record| a.routes == b.routes && a.seq.next() == b.seq;
        for run in records.chunk_by(goes_on) {
            let (first, count, mask) = (run[0].seq.0, run.len() as u64, run[0].routes);
            match &mut self.last {
                Some(last) if last.mask == mask && last.end() == first => last.count += count,
                _ => self.begin(Run { first, count, mask }),
            }
        }
    }

    fn begin(&mut self, run: Run) {
        let Some(done) = self.last.replace(run) else {
            (self.first, self.end) = (run.first, run.first);
            return;
        };
        let next = self.masks.len() as u64;
        let index = *self.indices.entry(done.mask).or_insert(next);
        if index == next {
            self.masks.push(done.mask);
        }
        let gap = done.first.wrapping_sub(self.end);
        varint::write(&mut self.coded, index << 1 | u64::from(gap != 0));
        if gap != 0 {
            varint::write(&mut self.coded, gap);
        }
        varint::write(&mut self.coded, done.count);
        self.end = done.end();
    }

    fn iter(&self) -> impl Iterator<Item = Run> {
        let (mut position, mut end) = (0, self.first);
        let coded = std::iter::from_fn(move || {
            let head = varint::read(&self.coded, &mut position)?;
            if head & 1 != 0 {
                end = end.wrapping_add(varint::read(&self.coded, &mut position)?);
            }
            let run = Run {
                first: end,
                count: varint::read(&self.coded, &mut position)?,
                mask: *self.masks.get(usize::try_from(head >> 1).ok()?)?,
            };
            end = run.end();
            Some(run)
        });
        coded.chain(self.last)
    }

    /// For each bit, the records after `after` and up to `through`.
    pub fn count_between(&self, after: u64, through: u64) -> PerBit {
        let mut counts = PerBit::default();
        for run in self.iter() {
            let count = run.within(after.saturating_add(1), through.saturating_add(1));
            if count > 0 {
                counts.add(run.mask, count);
            }
        }
        counts
    }

    pub fn first(&self) -> Option<u64> {
        self.last.map(|_| self.first)
    }

    pub fn len_after(&self, after: u64) -> u64 {
        let from = after.saturating_add(1);
        self.iter().map(|run| run.within(from, u64::MAX)).sum()
    }

    /// How many of the numbers after `after` and up to `last` are not there.
    pub fn missing_between(&self, after: u64, last: u64) -> u64 {
        let from = after.saturating_add(1);
        let wanted = (last + 1).saturating_sub(from);
        let there = self.iter().map(|run| run.within(from, last + 1));
        wanted.saturating_sub(there.sum())
    }
}

// === impl Run ===

impl Run {
    fn end(self) -> u64 {
        self.first + self.count
    }

    /// How many of its records are numbered from `from` on and before `until`.
    fn within(self, from: u64, until: u64) -> u64 {
        self.end().min(until).saturating_sub(self.first.max(from))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        record::Stamp,
        types::{RouteBit, Seq},
    };

    fn record(seq: u64, mask: u64) -> Record {
        Record {
            seq: Seq(seq),
            routes: RouteMask(mask),
            at: Stamp::default(),
            body: Vec::new().into(),
        }
    }

    proptest! {
        #[test]
        fn it_counts_what_the_records_say(
            steps in prop::collection::vec((prop_oneof![5 => Just(1u64), 1 => 2u64..400], 0u64..4), 0..60),
            start in 1u64..1000, after in 0u64..2000, span in 0u64..2000, commit in 1usize..7,
        ) {
            let mut seq = start;
            let mut records = Vec::new();
            for (step, mask) in steps {
                seq += step;
                records.push(record(seq, mask));
            }
            let mut runs = MaskRuns::default();
            records.chunks(commit).for_each(|commit| runs.push(commit));
            let inside = |from: u64, until: u64, bit: u8| {
                let chosen = records.iter().filter(|record| record.seq.0 > from && record.seq.0 <= until);
                chosen.filter(|record| bit > 63 || record.routes.contains(RouteBit(bit))).count() as u64
            };
            let through = after + span;
            for bit in 0..2 {
                prop_assert_eq!(runs.count_between(after, through).get(bit), inside(after, through, bit));
                prop_assert_eq!(runs.count_between(after, u64::MAX).get(bit), inside(after, u64::MAX, bit));
            }
            prop_assert_eq!(runs.len_after(after), inside(after, u64::MAX, 99));
            prop_assert_eq!(runs.first(), records.first().map(|record| record.seq.0));
            prop_assert_eq!(runs.missing_between(after, through), span - inside(after, through, 99));
        }
    }
}
