//! Reading for consumers that lag: pages from the generations, and what happens when one turns out to be damaged.

use crate::{
    counts::Gone,
    error::{EngineError, StoreError},
    manifest::PerBit,
    runs::MaskRuns,
    tail::fill,
    thread::{Owner, locked},
    types::{Page, PeekLimits, RouteMask, Seq},
};

/// Blocks unpacked for one page, so that a sparse mask does not hold up the appends.
const BLOCKS_PER_PAGE: usize = 16;

/// Refuses to deal with damage.
fn leave(owner: &mut Owner, _: usize, error: EngineError, _: Seq) -> Result<(), StoreError> {
    Err(StoreError::Disk {
        path: owner.shelf.dir.clone(),
        reason: error.to_string(),
    })
}

impl Owner {
    /// A page for a consumer.
    pub fn read_page(
        &mut self,
        after: Seq,
        mask: RouteMask,
        limits: PeekLimits,
    ) -> Result<Page, StoreError> {
        let mut page = self.scan_page(after, mask, limits, |owner, index, error, read| {
            locked(&owner.shared.tail).note_read(mask, read);
            owner.repair(index, error)
        })?;
        locked(&self.shared.tail).note_read(mask, page.scanned_through);
        for record in &mut page.records {
            self.shelf.fetch(record).map_err(|error| StoreError::Disk {
                path: self.shelf.dir.clone(),
                reason: error.to_string(),
            })?;
        }
        Ok(page)
    }

    /// A page whose large bodies are not read: it has their lengths. `damaged` deals with a generation that cannot be read,
    /// and is told how far the page is.
    fn scan_page(
        &mut self,
        after: Seq,
        mask: RouteMask,
        limits: PeekLimits,
        damaged: impl Fn(&mut Owner, usize, EngineError, Seq) -> Result<(), StoreError>,
    ) -> Result<Page, StoreError> {
        let mut page = Page {
            records: Vec::new(),
            scanned_through: after,
        };
        let mut bytes = 0;
        for _ in 0..BLOCKS_PER_PAGE {
            let Some(index) = self.shelf.find_after(page.scanned_through) else {
                page.scanned_through = page.scanned_through.max(*self.shared.durable.borrow());
                return Ok(page);
            };
            let want = page
                .scanned_through
                .next()
                .max(Seq(self.shelf.generations[index].info.first));
            match self.shelf.block(index, want) {
                Ok(Some(records)) => {
                    if !fill(&mut page, &mut bytes, &records, mask, limits) {
                        return Ok(page);
                    }
                }
                Ok(None) => page.scanned_through = Seq(self.shelf.generations[index].info.last),
                Err(error) => damaged(self, index, error, page.scanned_through)?,
            }
        }
        Ok(page)
    }

    /// For each bit, the records after `after` and up to `through`. Damage is left for whoever reads them: what is counted
    /// here is part of dealing with something.
    pub fn count_between(&mut self, after: Seq, through: Seq) -> PerBit {
        let (mut runs, mut rest) = (MaskRuns::default(), PerBit::default());
        let mut at = after;
        while at < through {
            let limits = PeekLimits {
                records: 4096,
                bytes: usize::MAX,
            };
            let page = match self.tail_page(at, limits) {
                Some(page) => page,
                None => match self.scan_page(at, RouteMask::ALL, limits, leave) {
                    Ok(page) => page,
                    Err(error) => {
                        tracing::warn!(%error, "records could not be counted again one by one");
                        let Some(end) = self.count_damaged(at, through, &mut rest) else {
                            break;
                        };
                        at = end;
                        continue;
                    }
                },
            };
            runs.push(&page.records);
            if page.scanned_through <= at {
                break;
            }
            at = page.scanned_through;
        }
        rest.add_all(&runs.count_between(after.0, through.0));
        rest
    }

    /// Counts what can be read of the next generation after `after`, or what is known of it, up to `through`; how far that is.
    fn count_damaged(&mut self, after: Seq, through: Seq, rest: &mut PerBit) -> Option<Seq> {
        let index = self.shelf.find_after(after)?;
        let info = self.shelf.generations[index].info.clone();
        let (after, last) = (after.0.max(info.first - 1), info.last.min(through.0));
        rest.add_all(&match self.shelf.scan(index, Seq(last)) {
            Ok(scan) => scan.runs.count_between(after, last),
            Err(_) => {
                let part = last.saturating_sub(after);
                info.per_bit.share(part, info.last + 1 - info.first)
            }
        });
        Some(Seq(info.last))
    }

    fn tail_page(&self, after: Seq, limits: PeekLimits) -> Option<Page> {
        locked(&self.shared.tail).page(after, RouteMask::ALL, limits)
    }

    /// Deals with a generation that could not be read: what is readable stays, what is not is counted as lost.
    /// Errors of the disk itself change nothing: the next read tries again.
    pub fn repair(&mut self, index: usize, error: EngineError) -> Result<(), StoreError> {
        let path = self.shelf.generations[index].info.dir(&self.shelf.dir);
        let reason = error.to_string();
        if !matches!(error, EngineError::Damaged { .. }) {
            return Err(StoreError::Disk { path, reason });
        }
        let was = self.shelf.generations[index].info.clone();
        let scan = match self.shelf.scan(index, Seq(was.last)) {
            Ok(scan) => Some(scan).filter(|scan| !scan.info.is_empty()),
            Err(EngineError::Damaged { .. }) => None,
            Err(other) => {
                return Err(StoreError::Disk {
                    path,
                    reason: other.to_string(),
                });
            }
        };
        let found = scan
            .as_ref()
            .map(|scan| scan.info.per_bit.clone())
            .unwrap_or_default();
        let runs = scan
            .as_ref()
            .map(|scan| scan.runs.clone())
            .unwrap_or_default();
        let missing = was.per_bit.without(&found);
        let holes = runs.missing_between(was.first - 1, was.last);
        // Which routes each missing record had is not known; holes partly behind a cursor are shared out by number.
        let share = |after: Seq, until: Seq| {
            let after = after.0.max(was.first - 1);
            missing.share(runs.missing_between(after, until.0.min(was.last)), holes)
        };
        let lost = self.count_lost(was.first, Seq(was.last), share);
        self.keep_or_quarantine(index, scan.map(|scan| scan.info));
        tracing::error!(path = %path.display(), reason, lost, "a generation of the queue is damaged; what could not be read is counted as lost");
        locked(&self.shared.figures).damaged_generations += 1;
        let stored = self
            .persist_cursors()
            .and_then(|()| self.shelf.write_manifest(self.next));
        self.refresh_figures();
        stored.map_err(|error| StoreError::Disk {
            path,
            reason: error.to_string(),
        })
    }

    /// Counts what cannot be read; what of it somebody has already may still be acknowledged.
    fn count_lost(&mut self, first: u64, last: Seq, share: impl Fn(Seq, Seq) -> PerBit) -> u64 {
        loop {
            self.settle();
            let mut tail = locked(&self.shared.tail);
            let mut book = locked(&self.shared.book);
            if book.has_unsettled() {
                continue; // an acknowledgement came in between
            }
            tail.trim(last); // nobody is given what was counted as lost
            let read = |bit| tail.read_through(bit);
            return book.write_off(Gone::Lost, first, last, read, share);
        }
    }

    fn keep_or_quarantine(&mut self, index: usize, found: Option<crate::manifest::GenerationInfo>) {
        if self.shelf.writer().is_some() && index + 1 == self.shelf.generations.len() {
            self.shelf.seal_writer();
        }
        match found {
            Some(found) => {
                let info = &mut self.shelf.generations[index].info;
                (info.damaged, info.records) = (true, found.records);
                (info.payload_bytes, info.per_bit) = (found.payload_bytes, found.per_bit);
            }
            None => drop(self.shelf.quarantine(index)),
        }
    }
}
