//! What is kept: generations that every consumer passed go, and a full lane evicts or holds back.

use std::{io, path::Path, time::Instant};

use crate::{
    error::EngineError,
    manifest::{MaskRuns, PerBit},
    options::OnFull,
    thread::{Owner, locked},
    types::Seq,
};

/// Disk space that a commit may take beyond its payload: sled writes about 1.9 times what it is given.
const WRITE_FACTOR: u64 = 2;
/// The least that one commit allocates: a segment of sled's.
const COMMIT_FLOOR_BYTES: u64 = 512 << 10;
/// Generations removed in one go, so that a large backlog that was drained does not hold up the appends.
const REMOVED_AT_ONCE: usize = 8;

impl Owner {
    /// Makes room for a commit of `bytes`; false when the lane is full and refuses.
    pub fn make_room(&mut self, bytes: u64) -> Result<bool, EngineError> {
        self.check_reserve()?;
        let needed = (bytes * WRITE_FACTOR).max(COMMIT_FLOOR_BYTES);
        while self.shelf.disk_bytes() + needed > self.options.max_bytes {
            if self.remove_passed() {
                continue;
            }
            let held = self
                .shelf
                .generations
                .iter()
                .any(|generation| !generation.info.is_empty());
            match self.options.on_full {
                _ if !held => return Ok(true), // a lone commit that is larger than the lane's rest
                OnFull::RefuseNewest if !self.all_passed() => return Ok(false),
                OnFull::RefuseNewest => self.start_generation()?,
                OnFull::DropOldest if self.shelf.generations.len() == 1 => {
                    self.start_generation()?
                }
                OnFull::DropOldest => self.evict_oldest()?,
            }
        }
        Ok(true)
    }

    /// Leaves the partition's last space to others: logs, the cursors, a shutdown.
    fn check_reserve(&self) -> Result<(), EngineError> {
        let free = free_bytes(&self.shelf.dir);
        if free >= self.options.reserve_bytes {
            return Ok(());
        }
        let reason = format!(
            "{free} bytes are free and {} are kept in reserve",
            self.options.reserve_bytes
        );
        let source = io::Error::new(io::ErrorKind::StorageFull, reason);
        Err(EngineError::Disk {
            action: "write",
            path: self.shelf.dir.clone(),
            source,
        })
    }

    fn all_passed(&self) -> bool {
        let passed = locked(&self.shared.book).passed();
        self.shelf
            .generations
            .iter()
            .all(|generation| generation.info.last <= passed.0)
    }

    /// Removes sealed generations that every consumer has passed; whether there were any.
    pub fn remove_passed(&mut self) -> bool {
        let passed = locked(&self.shared.book).passed();
        let done = |info: &crate::manifest::GenerationInfo| info.sealed && info.last <= passed.0;
        let count = self
            .shelf
            .generations
            .iter()
            .take_while(|generation| done(&generation.info))
            .count();
        if count == 0 {
            return false;
        }
        if count > REMOVED_AT_ONCE {
            self.persist_at = Some(Instant::now()); // the rest follows as soon as others have had their turn
        }
        let count = count.min(REMOVED_AT_ONCE);
        match self.remove_front(count) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "finished generations could not be removed; it is tried again");
                false
            }
        }
    }

    /// Cursors first, then the manifest, then the directories: after a crash in between, everything still adds up.
    fn remove_front(&mut self, count: usize) -> Result<(), EngineError> {
        self.persist_cursors()?;
        self.shelf.remove_front(count, self.next)?;
        self.refresh_figures();
        Ok(())
    }

    /// Removes the oldest generation although somebody still needs it, and counts exactly what they lose.
    fn evict_oldest(&mut self) -> Result<(), EngineError> {
        let (first, last) = (
            self.shelf.generations[0].info.first,
            Seq(self.shelf.generations[0].info.last),
        );
        let mut runs: Option<MaskRuns> = None;
        loop {
            self.settle();
            let inside = |through: &u64| *through >= first;
            let partly = locked(&self.shared.book)
                .cursors_before(last.0)
                .iter()
                .any(inside);
            if partly && runs.is_none() {
                runs = Some(self.masks_of(0));
            }
            let per_bit = &self.shelf.generations[0].info.per_bit;
            let mut book = locked(&self.shared.book);
            let partly = book.cursors_before(last.0).iter().any(inside);
            if book.has_unsettled() || (partly && runs.is_none()) {
                continue; // an acknowledgement came in between
            }
            book.evict(last, |through| match &runs {
                Some(runs) if through.0 >= first => runs.count_after(through.0),
                _ => per_bit.clone(),
            });
            break;
        }
        tracing::warn!(dir = %self.shelf.dir.display(), through = last.0, "the queue is full: its oldest records were dropped and counted");
        self.remove_front(1)
    }

    /// The masks of a generation; if it cannot be read, what is known of it counts as one lump at its end.
    fn masks_of(&mut self, index: usize) -> MaskRuns {
        let last = Seq(self.shelf.generations[index].info.last);
        match self.shelf.scan(index, last) {
            Ok(scan) => scan.runs,
            Err(error) => {
                tracing::warn!(%error, "a generation that is being dropped could not be read");
                MaskRuns::default()
            }
        }
    }

    /// Counts acknowledgements that crossed an eviction: what lies behind the evicted part is told from the records.
    pub fn settle(&mut self) {
        loop {
            let next = locked(&self.shared.book).next_unsettled();
            let Some((unsettled, evicted_until)) = next else {
                return;
            };
            let beyond = match unsettled.through > evicted_until {
                true => self.count_between(evicted_until, unsettled.through),
                false => PerBit::default(),
            };
            locked(&self.shared.book).settle(&beyond);
        }
    }
}

fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |found| {
        found.f_bavail.saturating_mul(found.f_frsize)
    })
}
