//! The one thread that owns a lane's files: it gathers appends, commits them, and serves reads in between.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::{
    block::Packer,
    book::Book,
    error::{AppendError, EngineError, StoreError},
    fair::Fairness,
    gather::Gather,
    ledger::ACKS_BEFORE_PERSIST,
    manifest::{Cursors, GenerationInfo},
    options::LaneOptions,
    record::{Entry, Stamp},
    refuse::Trouble,
    replay::{Found, Replay, ReplayRequest},
    ring::Ring,
    shelf::Shelf,
    slots::Slots,
    tail::Tail,
    thin::Thinning,
    tools::Tools,
    types::{Appended, Page, PeekLimits, RouteMask, Seq, Urgency},
    verify::Verifying,
};

const PERSIST_EVERY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3600);

/// What the handles and the thread share. Locks are held for memory work only, never across a read or write of a file.
pub(crate) struct Shared {
    pub book: Mutex<Book>,
    pub tail: Mutex<Tail>,
    pub figures: Mutex<Figures>,
    pub durable: watch::Sender<Seq>,
    /// Room for appends on their way, in bytes: when it is used up, `append` waits for a commit.
    pub room: Arc<Semaphore>,
    /// Held once by each batch under way, besides this one.
    pub crowd: Arc<()>,
}

/// The figures that only the thread knows, as of its last commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub spans: Vec<Span>,
    pub disk_bytes: u64,
    pub commits: u64,
    pub last_commit: Duration,
    pub blob_files: u64,
    pub held_back: bool,
    pub trouble: Option<String>,
    pub ring_bytes: u64,
    pub damaged_generations: u64,
}

/// One generation, for the statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub first: u64,
    pub last: u64,
    pub records: u64,
    pub payload_bytes: u64,
    pub first_at: Stamp,
    pub last_at: Stamp,
}

/// What a handle asks of the thread. The channel itself is not bounded; what is in it is: appends by [`Shared::room`],
/// reads and persists by one for each caller that waits, wakes by one for each save of the cursors.
pub(crate) enum Command {
    Append(Batch),
    Read {
        after: Seq,
        mask: RouteMask,
        limits: PeekLimits,
        reply: oneshot::Sender<Result<Page, StoreError>>,
    },
    Find {
        from_ms: i64,
        to_ms: i64,
        mask: RouteMask,
        reply: oneshot::Sender<Result<Option<Found>, StoreError>>,
    },
    StartReplay {
        request: ReplayRequest,
        reply: oneshot::Sender<Result<Replay, StoreError>>,
    },
    Purge {
        consumer: String,
        reply: oneshot::Sender<Result<u64, StoreError>>,
    },
    Verify {
        at: Box<Verifying>,
        reply: oneshot::Sender<Result<Verifying, StoreError>>,
    },
    Persist(SyncSender<Result<(), StoreError>>),
    /// A route retired: everything sent before this no longer counts for it.
    Retired,
    Wake,
    Close(oneshot::Sender<Result<(), StoreError>>),
}

pub(crate) struct Batch {
    pub entries: Vec<Entry>,
    pub bytes: usize,
    pub urgency: Urgency,
    pub reply: oneshot::Sender<Result<Appended, AppendError>>,
    /// Given back when the batch is durable, has failed, or stands in the ring.
    pub room: Option<OwnedSemaphorePermit>,
    pub crowd: Arc<()>,
}

pub(crate) struct Owner {
    pub shared: Arc<Shared>,
    pub options: LaneOptions,
    pub tools: Tools,
    pub shelf: Shelf,
    pub cursors: Slots<Cursors>,
    pub next: Seq,
    pub gather: Gather<Batch>,
    /// Older than what is gathered: what the disk refused and nobody waits for.
    pub ring: Ring<Batch>,
    pub trouble: Trouble,
    pub thinning: Thinning,
    pub packer: Packer,
    pub persist_at: Option<Instant>,
    /// RefuseNewest and full: what was gathered stays where it is.
    pub held_back: bool,
    pub fairness: Fairness,
    /// When to look for what is too old.
    pub look_at: Option<Instant>,
    /// Routes retired, and what was appended for them is still being gathered.
    pub retired: bool,
    /// Held until the last file is closed.
    pub lock: File,
}

impl Shared {
    /// Batches that were handed over and are neither durable nor refused.
    pub fn under_way(&self) -> usize {
        Arc::strong_count(&self.crowd) - 1
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a lock is held would be a defect of ours; the counts are still better than none.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Owner: the loop ===

impl Owner {
    /// Works until the lane is closed or its last handle is gone.
    pub fn run(mut self, commands: Receiver<Command>) {
        self.refresh_figures();
        self.look_at = Some(Instant::now());
        self.thinning.due = true;
        self.restore_ballast();
        let closing = loop {
            let received = commands.recv_timeout(self.patience(Instant::now()));
            let others_wait = received.is_ok();
            match received {
                Ok(Command::Close(reply)) => break Some(reply),
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.work(Instant::now());
            self.plan_thinning();
            self.thin_a_little(Instant::now(), others_wait);
        };
        self.shared.room.close();
        let closed = self.finish();
        drop(commands); // what is still in it resolves as closed
        let Owner { shelf, lock, .. } = self;
        drop(shelf);
        drop(lock); // the last thing: whoever opens the lane next finds all files closed
        if let Some(reply) = closing {
            drop(reply.send(closed)); // nobody waits any more: it was within its rights
        }
    }

    fn patience(&self, now: Instant) -> Duration {
        if self.thinning.is_pressing() {
            return Duration::ZERO;
        }
        let commit = self.gather.deadline().filter(|_| !self.held_back);
        let fair = self.fairness.due(self.options.patience);
        let next = [
            commit,
            self.persist_at,
            self.look_at,
            self.trouble.retry_at,
            fair,
        ]
        .into_iter()
        .flatten()
        .min();
        next.map_or(IDLE, |at| at.saturating_duration_since(now))
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Append(batch) => {
                let (records, bytes, urgency) = (batch.entries.len(), batch.bytes, batch.urgency);
                self.gather
                    .push(batch, records, bytes, urgency, Instant::now());
            }
            Command::Read {
                after,
                mask,
                limits,
                reply,
            } => drop(reply.send(self.read_page(after, mask, limits))),
            Command::Find {
                from_ms,
                to_ms,
                mask,
                reply,
            } => drop(reply.send(self.find(from_ms, to_ms, mask))),
            Command::StartReplay { request, reply } => drop(reply.send(self.start_replay(request))),
            Command::Purge { consumer, reply } => drop(reply.send(self.purge(consumer))),
            Command::Verify { at, reply } => drop(reply.send(Ok(self.verify(*at)))),
            Command::Persist(reply) => drop(reply.send(self.persist())),
            Command::Retired => {
                self.retired = true;
                self.commit_gathered();
                self.persist_at
                    .get_or_insert(Instant::now() + PERSIST_EVERY);
            }
            Command::Wake => self.wake(),
            Command::Close(_) => {} // the loop takes it
        }
    }

    pub fn wake(&mut self) {
        self.settle();
        let many = locked(&self.shared.book).acks_since_persist >= ACKS_BEFORE_PERSIST;
        let at = Instant::now() + if many { Duration::ZERO } else { PERSIST_EVERY };
        self.persist_at = Some(self.persist_at.map_or(at, |planned| planned.min(at)));
        if self.held_back {
            self.commit_gathered();
        }
    }

    fn work(&mut self, now: Instant) {
        if self.gather.is_due(now) && !self.held_back {
            self.commit_gathered();
        }
        if self
            .fairness
            .due(self.options.patience)
            .is_some_and(|due| due <= now)
        {
            self.commit_gathered();
            self.fairness.looked(now);
        }
        if self.trouble.retry_at.is_some_and(|at| at <= now) {
            self.try_again();
        }
        if self.retired && self.gather.is_empty() && self.ring.is_empty() {
            locked(&self.shared.book).appends_settled();
            self.retired = false;
        }
        if self.persist_at.is_some_and(|at| at <= now) {
            self.tick();
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at_ages(now);
        }
    }

    /// Once a second while anything moves.
    fn tick(&mut self) {
        self.persist_at = None;
        let known = self.trouble.cursors.is_some();
        if let Err(error) = self.persist()
            && !known
        {
            tracing::warn!(%error, "the cursors could not be saved; it is tried again");
        }
        let passed = locked(&self.shared.book).passed();
        locked(&self.shared.tail).trim(passed);
        self.remove_delivered();
        self.free_retired();
        self.restore_ballast();
        self.refresh_figures();
    }

    /// Commits what is queued and saves the cursors.
    fn finish(&mut self) -> Result<(), StoreError> {
        self.stop_thinning();
        self.something_changed();
        self.commit_gathered();
        self.stop_thinning();
        self.give_up_ring();
        for batch in self.gather.take(Instant::now()) {
            drop(batch.reply.send(Err(AppendError::Closed))); // held back by a full lane
        }
        self.persist()
    }
}

// === impl Owner: cursors and figures ===

impl Owner {
    pub fn persist(&mut self) -> Result<(), StoreError> {
        self.persist_cursors().map_err(|error| match error {
            EngineError::Disk { path, source, .. } => StoreError::Disk {
                path,
                reason: source.to_string(),
            },
            other => StoreError::Disk {
                path: self.shelf.dir.clone(),
                reason: other.to_string(),
            },
        })
    }

    /// Saves cursors and counts as of one moment.
    pub fn persist_cursors(&mut self) -> Result<(), EngineError> {
        let snapshot = loop {
            self.settle();
            let mut book = locked(&self.shared.book);
            if !book.has_unsettled() {
                (book.dirty, book.acks_since_persist) = (false, 0);
                break book.snapshot();
            }
        };
        let path: PathBuf = self.cursors.next_path().to_owned();
        let (cursors, ballast) = (&mut self.cursors, &self.shelf.ballast);
        let stored = ballast
            .spare(|| cursors.store(&snapshot))
            .map_err(|source| EngineError::Disk {
                action: "write",
                path,
                source,
            });
        let stored = stored.and_then(|()| self.name_routes(&snapshot));
        self.trouble.cursors = stored.as_ref().err().map(ToString::to_string);
        self.show_trouble();
        stored.inspect_err(|_| {
            locked(&self.shared.book).dirty = true;
            self.persist_at
                .get_or_insert(Instant::now() + PERSIST_EVERY);
        })
    }

    /// Has the manifest name the routes too, when there are others than before.
    fn name_routes(&mut self, snapshot: &Cursors) -> Result<(), EngineError> {
        let routes = snapshot.route_names();
        if routes == self.shelf.routes {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.shelf.routes, routes);
        self.shelf
            .write_manifest(self.next)
            .inspect_err(|_| self.shelf.routes = before)
    }

    pub fn refresh_figures(&self) {
        let spans = self
            .shelf
            .generations
            .iter()
            .map(|generation| span(&generation.info))
            .collect();
        let (disk_bytes, blob_files) = (self.shelf.disk_bytes(), self.shelf.blob_files());
        let mut figures = locked(&self.shared.figures);
        (figures.spans, figures.disk_bytes, figures.blob_files) = (spans, disk_bytes, blob_files);
    }

    fn free_retired(&mut self) {
        if !locked(&self.shared.book).any_retiring() {
            return;
        }
        let retained = self.shelf.retained();
        let freed = locked(&self.shared.book).free_retired(&retained);
        if freed {
            self.persist_at
                .get_or_insert(Instant::now() + PERSIST_EVERY);
        }
    }
}

pub(crate) fn span(info: &GenerationInfo) -> Span {
    Span {
        first: info.first,
        last: info.last,
        records: info.records,
        payload_bytes: info.payload_bytes,
        first_at: info.first_at,
        last_at: info.last_at,
    }
}
