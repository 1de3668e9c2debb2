//! The most recent records, kept in memory for consumers that keep up (pure).

use std::{collections::VecDeque, sync::Arc};

use crate::{
    record::{Record, Stamp},
    types::{Page, PeekLimits, RouteBit, RouteMask, Seq},
};

/// What a record costs besides its body.
const OVERHEAD_BYTES: usize = 64;

/// A ring of commits. It holds *everything* durable from `covers_from` on, or it is not asked.
#[derive(Debug)]
pub(crate) struct Tail {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    limit_bytes: usize,
    covers_from: Seq,
    /// For each route bit, how far anybody has read, here or on the disk.
    read_through: [Seq; 64],
}

#[derive(Clone, Debug)]
struct Chunk {
    records: Arc<Vec<Record>>,
    last: Seq,
    bytes: usize,
    routes: RouteMask,
}

// === impl Tail ===

impl Tail {
    /// An empty ring in a lane whose next record is `next`.
    pub fn new(limit_bytes: usize, next: Seq) -> Tail {
        Tail {
            chunks: VecDeque::new(),
            bytes: 0,
            limit_bytes,
            covers_from: next,
            read_through: [Seq(0); 64],
        }
    }

    /// Notes that somebody has the records for `mask` up to `through`.
    pub fn note_read(&mut self, mask: RouteMask, through: Seq) {
        for RouteBit(bit) in mask.iter() {
            let known = &mut self.read_through[usize::from(bit)];
            *known = through.max(*known);
        }
    }

    /// How far the records of a route bit were read since the lane was opened.
    pub fn read_through(&self, bit: u8) -> Seq {
        self.read_through
            .get(usize::from(bit))
            .copied()
            .unwrap_or_default()
    }

    /// Adds a commit, and lets go of what every consumer has `passed` and of what exceeds the limit.
    pub fn push(&mut self, records: Arc<Vec<Record>>, passed: Seq) {
        let Some(last) = records.last().map(|record| record.seq) else {
            return;
        };
        let bytes = records
            .iter()
            .map(|record| record.body.len() + OVERHEAD_BYTES)
            .sum();
        let routes = RouteMask(records.iter().fold(0, |all, record| all | record.routes.0));
        self.bytes += bytes;
        self.chunks.push_back(Chunk {
            records,
            last,
            bytes,
            routes,
        });
        self.trim(passed);
    }

    /// Lets go of what every consumer has `passed`.
    pub fn trim(&mut self, passed: Seq) {
        while let Some(chunk) = self
            .chunks
            .front()
            .filter(|chunk| chunk.last <= passed || self.bytes > self.limit_bytes)
        {
            self.bytes -= chunk.bytes;
            self.covers_from = chunk.last.next();
            self.chunks.pop_front();
        }
    }

    /// The page after `after`, if all of it is in memory. Cheap: it copies handles, not bodies.
    pub fn page(&self, after: Seq, mask: RouteMask, limits: PeekLimits) -> Option<Page> {
        if after.next() < self.covers_from {
            return None;
        }
        let mut page = Page {
            records: Vec::new(),
            scanned_through: after,
        };
        let mut bytes = 0;
        let start = self.chunks.partition_point(|chunk| chunk.last <= after);
        for chunk in self.chunks.iter().skip(start) {
            if chunk.routes.intersects(mask)
                && !fill(&mut page, &mut bytes, &chunk.records, mask, limits)
            {
                return Some(page);
            }
            page.scanned_through = chunk.last;
        }
        Some(page)
    }

    /// When the first record after `after` for `mask` was accepted. `None` if it is not in memory.
    pub fn oldest_after(&self, after: Seq, mask: RouteMask) -> Option<Stamp> {
        let page = self.page(
            after,
            mask,
            PeekLimits {
                records: 1,
                bytes: 0,
            },
        )?;
        page.records.first().map(|record| record.at)
    }
}

/// Adds to `page` what follows `page.scanned_through` in `records`; false when the page is full.
pub(crate) fn fill(
    page: &mut Page,
    bytes: &mut usize,
    records: &[Record],
    mask: RouteMask,
    limits: PeekLimits,
) -> bool {
    let start = records.partition_point(|record| record.seq <= page.scanned_through);
    for record in &records[start..] {
        if record.routes.intersects(mask) {
            let next = *bytes + record.body.len();
            if !page.records.is_empty()
                && (page.records.len() >= limits.records || next > limits.bytes)
            {
                return false;
            }
            *bytes = next;
            page.records.push(record.clone());
        }
        page.scanned_through = record.seq;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, routes: u64, len: usize) -> Record {
        Record {
            seq: Seq(seq),
            routes: RouteMask(routes),
            at: Stamp::from_wall(seq as i64),
            body: vec![0; len].into(),
        }
    }

    fn seqs(page: &Page) -> Vec<u64> {
        page.records.iter().map(|record| record.seq.0).collect()
    }

    #[test]
    fn pages_are_whole_or_refused() {
        let limits = PeekLimits {
            records: 3,
            bytes: 1000,
        };
        let mut tail = Tail::new(1000, Seq(5));
        tail.push(Arc::new(vec![record(5, 1, 10), record(6, 2, 10)]), Seq(0));
        tail.push(
            Arc::new(vec![record(7, 1, 10), record(8, 1, 10), record(9, 1, 10)]),
            Seq(0),
        );
        assert_eq!(
            tail.page(Seq(3), RouteMask::ALL, limits),
            None,
            "4 may exist and is not in memory"
        );
        let page = tail.page(Seq(4), RouteMask(1), limits).unwrap();
        assert_eq!((seqs(&page), page.scanned_through), (vec![5, 7, 8], Seq(8)));
        let page = tail.page(Seq(4), RouteMask(2), limits).unwrap();
        assert_eq!((seqs(&page), page.scanned_through), (vec![6], Seq(9)));
        assert_eq!(
            tail.oldest_after(Seq(5), RouteMask(1)),
            Some(Stamp::from_wall(7))
        );
        let page = tail
            .page(
                Seq(4),
                RouteMask(1),
                PeekLimits {
                    records: 9,
                    bytes: 15,
                },
            )
            .unwrap();
        assert_eq!((seqs(&page), page.scanned_through), (vec![5], Seq(6)));
    }

    #[test]
    fn what_is_passed_or_too_much_goes() {
        let mut tail = Tail::new(300, Seq(1));
        tail.push(Arc::new(vec![record(1, 1, 100)]), Seq(0));
        tail.push(Arc::new(vec![record(2, 1, 100)]), Seq(0));
        assert_eq!(tail.covers_from, Seq(2), "328 bytes are over 300");
        tail.trim(Seq(2));
        assert_eq!((tail.bytes, tail.covers_from), (0, Seq(3)));
    }
}
