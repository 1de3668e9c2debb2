//! What is kept: delivered generations go when nobody wants them any more, and a full lane evicts or holds back.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    counts::Gone,
    error::{EngineError, StoreError},
    manifest::{GenerationInfo, PerBit},
    options::OnFull,
    runs::MaskRuns,
    thread::{Owner, locked},
    types::Seq,
};

/// Disk space that a commit may take beyond its payload: sled writes about 1.9 times what it is given.
const WRITE_FACTOR: u64 = 2;
/// The least that one commit allocates: a segment of sled's.
const COMMIT_FLOOR_BYTES: u64 = 512 << 10;
/// Generations removed in one go, so that a large backlog that was drained does not hold up the appends.
const REMOVED_AT_ONCE: usize = 8;
/// The longest that an append waits for room by thinning; then the oldest goes.
const THIN_PATIENCE: Duration = Duration::from_secs(5);

/// Whom the records of the oldest generation are for.
enum Oldest {
    Whole(MaskRuns),
    /// The disk gave no answer.
    Unknown,
}

impl Owner {
    /// Makes room for a commit of `bytes`; false when the lane is full and refuses.
    pub fn make_room(&mut self, bytes: u64) -> Result<bool, EngineError> {
        self.check_reserve()?;
        let needed = (bytes * WRITE_FACTOR).max(COMMIT_FLOOR_BYTES);
        let started = Instant::now();
        while self.taken_bytes() + needed > self.options.max_bytes {
            if self.delivered() > 0 {
                self.remove_front(1)?;
                continue;
            }
            let held = self
                .shelf
                .generations
                .iter()
                .any(|generation| !generation.info.is_empty());
            if !held {
                return Ok(true); // a lone commit that is larger than the lane's rest
            }
            let may_drop = self.may_drop_oldest();
            match self.options.on_full {
                _ if self.shelf.generations.len() == 1 && may_drop => self.start_generation()?,
                OnFull::RefuseNewest if !may_drop => return Ok(false),
                OnFull::Thin if started.elapsed() < THIN_PATIENCE => {
                    if !self.thin_one() {
                        self.drop_oldest(Gone::Full)?;
                    }
                }
                _ => self.drop_oldest(Gone::Full)?,
            }
        }
        Ok(true)
    }

    /// What the lane takes on the disk, and what it needs beside that to thin.
    fn taken_bytes(&self) -> u64 {
        self.shelf.disk_bytes() - self.shelf.beside_bytes + self.room_to_thin()
    }

    /// Leaves the partition's last space to others: logs, the cursors, a shutdown.
    pub fn check_reserve(&self) -> Result<(), EngineError> {
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

    /// Whether the oldest generation may go although it is needed. A lane that refuses lets go only of what its consumers
    /// have passed, or what only those need that lag: neither they nor a replay hold back what is new for others.
    fn may_drop_oldest(&mut self) -> bool {
        if self.options.on_full != OnFull::RefuseNewest {
            return true;
        }
        let last = Seq(self.shelf.generations[0].info.last);
        let (passed, standings) = {
            let book = locked(&self.shared.book);
            (book.passed(), book.standings())
        };
        let (patience, now) = (self.options.patience, Instant::now());
        last <= passed || self.fairness.may_go(last, &standings, patience, now)
    }
}

// === impl Owner: delivered generations ===

impl Owner {
    /// How many generations, from the oldest, neither a consumer nor a replay needs.
    fn delivered(&self) -> usize {
        let book = locked(&self.shared.book);
        let passed = book.passed();
        let done = |info: &GenerationInfo| {
            info.sealed && info.last <= passed.0 && !book.needed_by_replay(info.first, info.last)
        };
        let generations = self.shelf.generations.iter();
        generations
            .take_while(|generation| done(&generation.info))
            .count()
    }

    /// How many of them are too many or too old to be kept for a replay.
    fn beyond_keep(&self) -> usize {
        let delivered = &self.shelf.generations[..self.delivered()];
        let keep = &self.options.keep_delivered;
        let mut bytes: u64 = delivered.iter().map(|kept| kept.info.disk_bytes).sum();
        let beyond = delivered.iter().take_while(|kept| {
            let beyond = bytes > keep.bytes || self.is_older(&kept.info, keep.age);
            bytes -= kept.info.disk_bytes;
            beyond
        });
        beyond.count()
    }

    /// Removes delivered generations that are not to be kept.
    pub fn remove_delivered(&mut self) {
        let count = self.beyond_keep();
        if count == 0 {
            return;
        }
        if count > REMOVED_AT_ONCE {
            self.persist_at = Some(Instant::now()); // the rest follows as soon as others have had their turn
        }
        if let Err(error) = self.remove_front(count.min(REMOVED_AT_ONCE)) {
            tracing::warn!(%error, "finished generations could not be removed; it is tried again");
        }
    }

    /// Makes room on a full disk by what is only kept for a replay; whether there was any.
    pub fn remove_one_delivered(&mut self) -> bool {
        self.delivered() > 0
            && self
                .remove_front(1)
                .inspect_err(
                    |error| tracing::warn!(%error, "a finished generation could not be removed"),
                )
                .is_ok()
    }

    /// Cursors first, then the manifest, then the directories: after a crash in between, everything still adds up.
    fn remove_front(&mut self, count: usize) -> Result<(), EngineError> {
        self.persist_cursors()?;
        self.shelf.remove_front(count, self.next)?;
        self.something_changed();
        self.refresh_figures();
        Ok(())
    }
}

// === impl Owner: eviction ===

impl Owner {
    /// Removes the oldest generation although somebody still needs it, and counts exactly what they lose.
    pub fn drop_oldest(&mut self, gone: Gone) -> Result<(), EngineError> {
        let GenerationInfo {
            id, first, last, ..
        } = self.shelf.generations[0].info;
        let mut looked: Option<Oldest> = None;
        loop {
            self.settle();
            if self.shelf.index_of(id) != Some(0) {
                return Ok(()); // it turned out to be unreadable, was set aside, and is counted
            }
            let partly = !locked(&self.shared.book).edges(first, last).is_empty();
            if partly && looked.is_none() {
                looked = self.look_into_oldest()?;
                continue;
            }
            let per_bit = &self.shelf.generations[0].info.per_bit;
            let mut book = locked(&self.shared.book);
            let partly = !book.edges(first, last).is_empty();
            if book.has_unsettled() || (partly && looked.is_none()) {
                continue; // an acknowledgement came in between
            }
            book.take(first, Seq(last), gone, |after, until| {
                let (after, until) = (after.0.max(first - 1), until.0.min(last));
                match &looked {
                    Some(Oldest::Whole(runs)) if after >= first || until < last => {
                        runs.count_between(after, until)
                    }
                    _ => per_bit.share(until.saturating_sub(after), last + 1 - first),
                }
            });
            break;
        }
        locked(&self.shared.tail).trim(Seq(last)); // nobody is given what was counted as gone
        if gone == Gone::Full {
            tracing::warn!(dir = %self.shelf.dir.display(), through = last, "the queue is full: its oldest records were dropped and counted");
        }
        self.remove_front(1)
    }

    /// Reads whom the records of the oldest generation are for. `None` when it is damaged: that has then been dealt with as
    /// if a consumer had met it, and what of it is left can be read.
    fn look_into_oldest(&mut self) -> Result<Option<Oldest>, EngineError> {
        let GenerationInfo { last, records, .. } = self.shelf.generations[0].info;
        let damage = match self.shelf.scan(0, Seq(last)) {
            Ok(scan) if scan.info.records >= records => return Ok(Some(Oldest::Whole(scan.runs))),
            Ok(_) => EngineError::damaged("read", &self.shelf.dir, "records are missing".into()),
            Err(error @ EngineError::Damaged { .. }) => error,
            Err(error) => {
                tracing::warn!(%error, "a generation that is being dropped could not be read; what is known of it is shared out by number");
                return Ok(Some(Oldest::Unknown));
            }
        };
        self.repair(0, damage)
            .map_err(|error| EngineError::damaged("repair", &self.shelf.dir, error.to_string()))?;
        Ok(None)
    }

    /// Empties the queue of a consumer, durably; how many deliveries that were.
    pub fn purge(&mut self, name: String) -> Result<u64, StoreError> {
        let purged = loop {
            self.settle();
            let mut book = locked(&self.shared.book);
            if !book.has_unsettled() {
                break book.purge(&name).ok_or(StoreError::NoConsumer { name })?;
            }
        };
        self.persist()?;
        self.wake();
        Ok(purged)
    }

    /// Counts acknowledgements that crossed a decision: what of their range is still there is told from the records.
    pub fn settle(&mut self) {
        loop {
            let next = locked(&self.shared.book).next_unsettled();
            let Some((unsettled, counting)) = next else {
                return;
            };
            let retained = match counting {
                true => self.count_between(unsettled.from, unsettled.through),
                false => PerBit::default(),
            };
            locked(&self.shared.book).settle(&retained);
        }
    }
}

pub(crate) fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |found| {
        found.f_bavail.saturating_mul(found.f_frsize)
    })
}

/// The size of the partition that `dir` is on.
pub(crate) fn partition_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |found| {
        found.f_blocks.saturating_mul(found.f_frsize)
    })
}
