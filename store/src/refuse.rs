//! When the disk refuses: who waits is told at once, what is patient or nobody waits for stays in memory and is tried again.

use std::time::{Duration, Instant};

use crate::{
    counts::Gone,
    error::{AppendError, EngineError},
    options::OnFull,
    retain::{free_bytes, partition_bytes},
    ring::Weight,
    thread::{Batch, Owner, locked},
    types::Urgency,
};

/// How long after a refusal what is in memory is tried again, unless something changes before.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Taken from the ring for one commit.
const FROM_RING_BYTES: usize = 1 << 20;
/// What a batch in the ring costs besides its entries: its ticket, and what its caller keeps until that resolves.
const BATCH_BYTES: usize = 512;
/// On a full disk a lane keeps this part of the partition, whoever filled the rest.
const PART_OF_DISK: u64 = 4;

/// What the disk does not let the lane do.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Why the last commit failed.
    pub commit: Option<AppendError>,
    /// Why the cursors could not be saved.
    pub cursors: Option<String>,
    pub retry_at: Option<Instant>,
}

/// How far an attempt to empty the ring came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    Empty,
    /// The disk refuses still, or it is not time yet.
    Refused,
    /// The lane is full and waits for its consumers.
    HeldBack,
}

// === impl Trouble ===

impl Trouble {
    fn words(&self) -> Option<String> {
        let commit = self.commit.as_ref().map(|refusal| match refusal {
            AppendError::Disk { path, reason } => format!(
                "the queue cannot write to {}: {reason}; free space or mend the disk, it is tried again each second",
                path.display()
            ),
            other => other.to_string(),
        });
        let cursors = self.cursors.as_ref();
        commit.or_else(|| {
            cursors.map(|reason| {
                format!("the cursors could not be saved: {reason}; free space or mend the disk")
            })
        })
    }
}

// === impl Owner: the ring ===

impl Owner {
    /// Commits what stands in the ring, the oldest first; what was gathered has its turn after that.
    pub fn drain_ring(&mut self) -> Drained {
        let somebody_waits = self.gather.somebody_waits();
        while !self.ring.is_empty() {
            let now = Instant::now();
            if self.trouble.retry_at.is_some_and(|at| at > now) && !somebody_waits {
                return Drained::Refused;
            }
            let mut batches = self.ring.take(FROM_RING_BYTES);
            let bytes = batches.iter().map(|batch| batch.bytes as u64).sum();
            let outcome = match self.make_room(bytes) {
                Ok(true) => self.commit(&mut batches),
                Ok(false) => {
                    self.ring.put_back(batches, weight);
                    return Drained::HeldBack;
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.ring.put_back(batches, weight);
                self.note_refusal(&error);
                return Drained::Refused;
            }
            self.committed(batches);
            self.roll_if_full();
        }
        Drained::Empty
    }

    /// Refuses those that somebody waits for, and keeps the others as far as the ring holds them.
    pub fn refused(&mut self, batches: Vec<Batch>) {
        let Some(refusal) = self.trouble.commit.clone() else {
            return;
        };
        for mut batch in batches {
            if batch.urgency == Urgency::Waiting {
                drop(batch.reply.send(Err(refusal.clone()))); // who dropped the ticket does not want to know
                continue;
            }
            // The ring has a limit of its own. Who is patient keeps its room beyond that, so that no more comes.
            if batch.urgency == Urgency::Relaxed || self.ring.has_room(cost(&batch)) {
                batch.room = None;
            }
            let weight = weight(&batch);
            for oldest in self.ring.push(batch, weight) {
                drop(oldest.reply.send(Err(refusal.clone())));
            }
        }
        self.show_trouble();
    }

    /// Keeps in mind why a commit failed, and plans the next attempt.
    pub fn note_refusal(&mut self, error: &EngineError) {
        self.trouble.retry_at = Some(Instant::now() + RETRY_EVERY);
        let refusal = refusal(error);
        if self.trouble.commit.is_none() {
            tracing::error!(dir = %self.shelf.dir.display(), error = %refusal, "the queue cannot write; what nobody waits for is kept in memory");
        }
        self.trouble.commit = Some(refusal);
        if error.is_full() && (self.remove_one_delivered() || self.drop_one_from_full_disk()) {
            self.trouble.retry_at = Some(Instant::now());
        }
        self.show_trouble();
    }

    /// The oldest readings make room when it is the lane itself that takes much of the disk; whether they did. What
    /// others filled costs no backlog.
    fn drop_one_from_full_disk(&mut self) -> bool {
        let spared = partition_bytes(&self.shelf.dir) / PART_OF_DISK;
        let may = self.options.on_full != OnFull::RefuseNewest
            && self
                .shelf
                .generations
                .first()
                .is_some_and(|oldest| oldest.info.sealed)
            && self.shelf.disk_bytes() > spared;
        may && self
            .drop_oldest(Gone::Full)
            .inspect_err(|error| tracing::warn!(%error, "the oldest records could not make room"))
            .is_ok()
    }

    /// Tries again what was refused; with nothing at hand to write, whether the disk would take it.
    pub fn try_again(&mut self) {
        self.trouble.retry_at = None;
        if !self.ring.is_empty() || !self.gather.is_empty() {
            return self.commit_gathered();
        }
        match self.check_reserve().and_then(|()| self.persist_cursors()) {
            Ok(()) => self.disk_is_well(),
            Err(error) => self.note_refusal(&error),
        }
    }

    /// A commit went well.
    pub fn disk_is_well(&mut self) {
        if self.trouble.commit.take().is_some() {
            tracing::info!(dir = %self.shelf.dir.display(), "the queue can write again");
        }
        self.trouble.retry_at = (!self.ring.is_empty()).then(Instant::now);
        self.show_trouble();
    }

    /// There may be room now: tries at once.
    pub fn something_changed(&mut self) {
        if let Some(retry_at) = &mut self.trouble.retry_at {
            *retry_at = Instant::now();
        }
    }

    /// Refuses what is in the ring for good.
    pub fn give_up_ring(&mut self) {
        for batch in self.ring.take(usize::MAX) {
            drop(batch.reply.send(Err(AppendError::Closed)));
        }
    }

    /// Puts the ballast back once there is room again.
    pub fn restore_ballast(&self) {
        if self.trouble.commit.is_none() {
            let free = free_bytes(&self.shelf.dir);
            let spare = free.saturating_sub(self.options.reserve_bytes);
            self.shelf.ballast.make(spare);
        }
    }

    pub fn show_trouble(&self) {
        let mut figures = locked(&self.shared.figures);
        figures.trouble = self.trouble.words();
        figures.ring_bytes = self.ring.bytes() as u64;
    }
}

/// What a batch counts for in the ring; nothing while it has room elsewhere.
fn weight(batch: &Batch) -> Weight {
    Weight {
        bytes: batch.room.as_ref().map_or_else(|| cost(batch), |_| 0),
        firm: batch.urgency == Urgency::Patient,
    }
}

/// What it takes.
fn cost(batch: &Batch) -> usize {
    batch.bytes + BATCH_BYTES
}

fn refusal(error: &EngineError) -> AppendError {
    let (path, reason) = match error {
        EngineError::Disk { path, source, .. } => (path, source.to_string()),
        EngineError::Damaged { path, reason, .. } => (path, reason.clone()),
        EngineError::Locked { path } => (path, "it is locked".into()),
    };
    AppendError::Disk {
        path: path.clone(),
        reason,
    }
}
