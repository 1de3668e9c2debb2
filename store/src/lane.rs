//! The handle of a lane: cheap to clone, safe to use from any task; all work on files is its thread's.

use std::{
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use tokio::sync::{Semaphore, oneshot, watch};

use crate::{
    book::Reader,
    engine::SledStore,
    error::{AppendError, Closed, OpenError, StoreError},
    fair::Fairness,
    gather::Gather,
    ledger::AfterAck,
    open::{self, OpenReport, Opened},
    options::{EngineKind, LaneOptions},
    plain::PlainStore,
    record::{Entry, Stamp},
    refuse::Trouble,
    replay::{Found, Replay, ReplayRequest, ReplayStatus},
    ring::Ring,
    segment::SegmentStore,
    tail::Tail,
    thin::Thinning,
    thread::{Batch, Command, Figures, Owner, Shared, Span, locked},
    tools::Tools,
    types::{
        Appended, ConsumerStats, Cursor, LaneStats, Page, PeekLimits, RouteBalance, RouteBit,
        RouteMask, Seq, Tally, Urgency,
    },
    verify::{Verification, Verifying},
};

/// What an entry costs besides its body, on its way to the disk.
const ENTRY_BYTES: usize = 64;
/// How long a blocking request waits for the thread: longer than the slowest sync seen on an SD card.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// One durable queue in one directory. Clones are handles of the same lane.
#[derive(Clone)]
pub struct Lane {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Sender<Command>,
    shared: Arc<Shared>,
    options: LaneOptions,
}

/// Resolves when the batch is written, flushed and synced, or has failed. Dropping it does not take the batch back.
#[derive(Debug)]
#[must_use = "records are accepted when the ticket resolves, not before"]
pub struct Ticket {
    reply: oneshot::Receiver<Result<Appended, AppendError>>,
}

// === impl Lane: open, append, close ===

impl Lane {
    /// Opens the lane in `dir`, creating it if it is new. Blocks: locks the directory (waiting up to 5 s for another
    /// process to let go), checks what is there, and counts again what was accepted after the last save.
    pub fn open(dir: &Path, options: LaneOptions) -> Result<(Lane, OpenReport), OpenError> {
        Lane::open_with(dir, options, Tools::default())
    }

    /// As [`Lane::open`], for a lane whose records age or are thinned.
    pub fn open_with(
        dir: &Path,
        options: LaneOptions,
        tools: Tools,
    ) -> Result<(Lane, OpenReport), OpenError> {
        let engine: Box<dyn SegmentStore> = match options.engine {
            EngineKind::Sled => Box::new(SledStore),
            EngineKind::PlainLog => Box::new(PlainStore),
        };
        Lane::open_on(dir, options, tools, engine)
    }

    pub(crate) fn open_on(
        dir: &Path,
        options: LaneOptions,
        tools: Tools,
        engine: Box<dyn SegmentStore>,
    ) -> Result<(Lane, OpenReport), OpenError> {
        let options = options.in_range();
        let Opened {
            lock,
            shelf,
            book,
            cursors,
            next,
            report,
        } = open::open(dir, engine)?;
        let shared = Arc::new(Shared {
            durable: watch::Sender::new(book.durable),
            tail: Mutex::new(Tail::new(options.tail_bytes, next)),
            book: Mutex::new(book),
            figures: Mutex::new(Figures {
                damaged_generations: report.findings.len() as u64,
                ..Figures::default()
            }),
            room: Arc::new(Semaphore::new(options.in_flight_bytes)),
            crowd: Arc::new(()),
        });
        let owner = Owner {
            shared: shared.clone(),
            gather: Gather::new(options.window_max, options.window_waiting),
            packer: crate::block::Packer::new(),
            persist_at: None,
            held_back: false,
            fairness: Fairness::default(),
            ring: Ring::new(options.ring_bytes),
            trouble: Trouble::default(),
            thinning: Thinning::default(),
            retired: false,
            look_at: None,
            options: options.clone(),
            tools,
            shelf,
            cursors,
            next,
            lock,
        };
        owner.refresh_figures();
        let (commands, received) = mpsc::channel(); // bounded by what is in it, see Command
        let started = thread::Builder::new()
            .name("queue".into())
            .spawn(move || owner.run(received));
        started.map_err(|source| OpenError::Disk {
            action: "start a thread for",
            path: dir.to_owned(),
            source,
        })?;
        Ok((
            Lane {
                inner: Arc::new(Inner {
                    commands,
                    shared,
                    options,
                }),
            },
            report,
        ))
    }

    /// Sends a batch on its way, waiting for room when too much is on its way already. Batches of one caller that awaits
    /// each call keep their order. The ticket says when, and under which numbers, the batch is durable.
    pub async fn append(&self, entries: Vec<Entry>, urgency: Urgency) -> Result<Ticket, Closed> {
        let limit = self.inner.options.body_limit();
        let (reply, answer) = oneshot::channel();
        let ticket = Ticket { reply: answer };
        let too_large = entries
            .iter()
            .map(|entry| entry.body.len())
            .find(|bytes| *bytes > limit);
        if let Some(bytes) = too_large {
            drop(reply.send(Err(AppendError::TooLarge { bytes, limit }))); // the ticket is right here
            return Ok(ticket);
        }
        let bytes: usize = entries
            .iter()
            .map(|entry| entry.body.len() + ENTRY_BYTES)
            .sum();
        let cost = bytes.clamp(1, self.inner.options.in_flight_bytes) as u32;
        let room = self
            .inner
            .shared
            .room
            .clone()
            .acquire_many_owned(cost)
            .await
            .map_err(|_| Closed)?;
        self.send(Command::Append(Batch {
            entries,
            bytes,
            urgency,
            reply,
            room: Some(room),
            crowd: self.inner.shared.crowd.clone(),
        }))?;
        Ok(ticket)
    }

    /// Commits what is queued, saves the cursors and closes the files, within [`LaneOptions::close_timeout`]. Appends
    /// that a full lane holds back resolve as closed. Other handles of this lane are closed with it.
    pub async fn close(self) -> Result<(), StoreError> {
        let (reply, closed) = oneshot::channel();
        self.send(Command::Close(reply))
            .map_err(|Closed| StoreError::Closed)?;
        let patience = self.inner.options.close_timeout;
        match tokio::time::timeout(patience, closed).await {
            Ok(result) => result.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Timeout(patience)),
        }
    }

    fn send(&self, command: Command) -> Result<(), Closed> {
        self.inner.commands.send(command).map_err(|_| Closed)
    }

    /// For news that a closed lane does not need: it has saved its book.
    fn tell(&self, news: Command) {
        if self.send(news).is_err() {
            tracing::debug!("the queue was closed before the news reached it");
        }
    }

    /// Asks the thread, which answers between two commits.
    async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(question(reply))
            .map_err(|Closed| StoreError::Closed)?;
        match tokio::time::timeout(ANSWER_PATIENCE, answer).await {
            Ok(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Timeout(ANSWER_PATIENCE)),
        }
    }

    /// Saves cursors and routes now; blocks until they are synced.
    fn persist(&self) -> Result<(), StoreError> {
        let (reply, answer) = mpsc::sync_channel(1); // one answer
        self.send(Command::Persist(reply))
            .map_err(|Closed| StoreError::Closed)?;
        match answer.recv_timeout(ANSWER_PATIENCE) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(StoreError::Timeout(ANSWER_PATIENCE)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(StoreError::Closed),
        }
    }
}

// === impl Lane: consumers and routes ===

impl Lane {
    /// The cursor of consumer `name`. A new one starts at the durable end, and is synced before this returns: blocks.
    pub fn consumer(&self, name: &str) -> Result<Cursor, StoreError> {
        let (through, new) = locked(&self.inner.shared.book).consumer(name);
        if new {
            self.persist()?;
        }
        Ok(Cursor { through })
    }

    /// Forgets a consumer. What it had pending counts as removed, and its routes retire.
    pub fn drop_consumer(&self, name: &str) {
        locked(&self.inner.shared.book).drop_consumer(name);
        self.tell(Command::Retired);
        self.tell(Command::Wake);
    }

    /// Where the cursor of consumer `name` stands, if it is registered. An eviction or a purge moves it: whoever reads
    /// ahead looks here before the next page, and goes on from the later of the two.
    pub fn cursor(&self, name: &str) -> Option<Seq> {
        locked(&self.inner.shared.book).cursor(name)
    }

    /// Empties the queue of a consumer: what it has pending counts as purged, and its cursor goes to the end. What was in
    /// flight and is acknowledged after all still counts as that. Durable when this returns; how many deliveries it were.
    pub async fn purge(&self, consumer: &str) -> Result<u64, StoreError> {
        let consumer = consumer.to_owned();
        self.ask(|reply| Command::Purge { consumer, reply }).await
    }

    /// Begins to read everything that is retained and to check it; changes nothing.
    #[must_use]
    pub fn verify(&self) -> Verification {
        Verification::new(self.clone())
    }

    pub(crate) async fn verify_on(&self, so_far: Verifying) -> Result<Verifying, StoreError> {
        let at = Box::new(so_far);
        self.ask(|reply| Command::Verify { at, reply }).await
    }

    pub fn consumers(&self) -> Vec<String> {
        locked(&self.inner.shared.book).consumers()
    }

    /// The bit of route `key`, which belongs to one `consumer` for good. A new one is synced before this returns: blocks.
    /// A key that was retiring is taken into use again with its counts.
    pub fn route_bit(&self, key: &str, consumer: &str) -> Result<RouteBit, StoreError> {
        let (bit, changed) = locked(&self.inner.shared.book).route_bit(key, consumer)?;
        if changed {
            self.persist()?;
        }
        Ok(bit)
    }

    /// Ends a route: append nothing more for it. It is listed until its consumer has drained it and no retained record
    /// carries its bit; then the bit is free, and its balance is gone.
    pub fn retire_route(&self, key: &str) {
        if locked(&self.inner.shared.book).retire_route(key) {
            self.tell(Command::Retired);
        }
    }

    /// The routes of a consumer: key, bit, and whether it is retiring.
    pub fn routes_of(&self, consumer: &str) -> Vec<(String, RouteBit, bool)> {
        locked(&self.inner.shared.book).routes_of(consumer)
    }
}

// === impl Lane: replays ===

impl Lane {
    /// The records that are retained of those accepted between two moments (milliseconds since 1970, by what the wall
    /// clock said then), for a preview: a look into the index and at a few blocks.
    pub async fn find(
        &self,
        from_ms: i64,
        to_ms: i64,
        mask: RouteMask,
    ) -> Result<Option<Found>, StoreError> {
        self.ask(|reply| Command::Find {
            from_ms,
            to_ms,
            mask,
            reply,
        })
        .await
    }

    /// Starts sending a range once more, under the ids that the records always had. Durable when this returns: it goes on
    /// after a restart. While it runs what it still needs is retained like for a consumer, unless room is needed for what
    /// is new.
    pub async fn start_replay(&self, request: ReplayRequest) -> Result<Replay, StoreError> {
        self.ask(|reply| Command::StartReplay { request, reply })
            .await
    }

    /// Those that run, and the last twenty that ended, in the order of their starts.
    pub fn replays(&self) -> Vec<Replay> {
        locked(&self.inner.shared.book).replays.shown()
    }

    /// The replay's records after `after`, or after its cursor if that is further; nothing beyond its range.
    pub async fn peek_replay(
        &self,
        id: &str,
        after: Seq,
        limits: PeekLimits,
    ) -> Result<Page, StoreError> {
        let replay = self.replays().into_iter().find(|replay| replay.id == id);
        let replay = replay.ok_or_else(|| StoreError::NoReplay { id: id.to_owned() })?;
        let after = after.max(replay.through);
        if replay.status != ReplayStatus::Running || after >= replay.last {
            return Ok(Page {
                records: Vec::new(),
                scanned_through: after,
            });
        }
        let mut page = self.peek(after, replay.routes, limits).await?;
        page.records.retain(|record| record.seq <= replay.last);
        page.scanned_through = page.scanned_through.min(replay.last);
        Ok(page)
    }

    /// As [`Lane::ack`], for a replay: `tally` counts the routes of the replay. At the end of its range it is finished.
    pub fn ack_replay(&self, id: &str, through: Seq, tally: Tally) {
        self.count(Reader::Replay(id.to_owned()), through, tally);
    }

    /// Ends a replay; what it had pending counts as removed. Whether it was running.
    pub fn stop_replay(&self, id: &str) -> bool {
        let mut book = locked(&self.inner.shared.book);
        let stopped = book.replays.stop(id);
        book.dirty |= stopped;
        drop(book);
        self.tell(Command::Wake);
        stopped
    }
}

// === impl Lane: reading ===

impl Lane {
    /// Durable records after `after` whose routes meet `mask`, in order. At the end the page is empty and has not moved.
    pub async fn peek(
        &self,
        after: Seq,
        mask: RouteMask,
        limits: PeekLimits,
    ) -> Result<Page, StoreError> {
        if after >= *self.inner.shared.durable.borrow() {
            return Ok(Page {
                records: Vec::new(),
                scanned_through: after,
            });
        }
        {
            let mut tail = locked(&self.inner.shared.tail);
            if let Some(page) = tail.page(after, mask, limits) {
                tail.note_read(mask, page.scanned_through);
                return Ok(page);
            }
        }
        self.ask(|reply| Command::Read {
            after,
            mask,
            limits,
            reply,
        })
        .await
    }

    /// The last durable record; a forwarder waits for it to change.
    pub fn durable(&self) -> watch::Receiver<Seq> {
        self.inner.shared.durable.subscribe()
    }

    /// Moves the cursor of `consumer` to `through`, and counts how the records between left: `tally` covers exactly those
    /// of its routes that lie after the previous acknowledgement. An acknowledgement that moves nothing counts nothing.
    /// It is saved within a second or 1000 acknowledgements; losing it costs duplicates, never records.
    pub fn ack(&self, consumer: &str, through: Seq, tally: Tally) {
        self.count(Reader::Consumer(consumer.to_owned()), through, tally);
    }

    fn count(&self, reader: Reader, through: Seq, tally: Tally) {
        if locked(&self.inner.shared.book).ack(reader, through, tally) == AfterAck::Wake {
            self.tell(Command::Wake);
        }
    }

    /// The ledger, route by route, as of this moment.
    pub fn balance(&self) -> Vec<RouteBalance> {
        locked(&self.inner.shared.book).balance()
    }

    /// The figures as of the last commit.
    pub fn stats(&self) -> LaneStats {
        let figures = locked(&self.inner.shared.figures).clone();
        let last = *self.inner.shared.durable.borrow();
        let kept: Vec<Span> = figures
            .spans
            .iter()
            .copied()
            .filter(|span| span.records > 0)
            .collect();
        let positions = locked(&self.inner.shared.book).positions();
        LaneStats {
            records: kept.iter().map(|span| span.records).sum(),
            payload_bytes: kept.iter().map(|span| span.payload_bytes).sum(),
            disk_bytes: figures.disk_bytes,
            max_bytes: self.inner.options.max_bytes,
            generations: figures.spans.len(),
            first: kept.first().map_or(last.next(), |span| Seq(span.first)),
            last,
            oldest_at: kept.first().map(|span| span.first_at),
            commits: figures.commits,
            last_commit_ms: figures.last_commit.as_secs_f64() * 1e3,
            blob_files: figures.blob_files,
            held_back: figures.held_back,
            trouble: figures.trouble,
            ring_bytes: figures.ring_bytes,
            damaged_generations: figures.damaged_generations,
            consumers: positions
                .into_iter()
                .map(|position| self.consumer_stats(&kept, last, position))
                .collect(),
        }
    }

    fn consumer_stats(
        &self,
        kept: &[Span],
        last: Seq,
        (name, through, pending): (String, Seq, u64),
    ) -> ConsumerStats {
        let mask = locked(&self.inner.shared.book).mask_of(&name);
        let (records, bytes) = kept.iter().fold((0, 0), |(records, bytes), span| {
            let ahead = span.share_after(through.0);
            (
                records + ahead,
                bytes + span.payload_bytes * ahead / span.records,
            )
        });
        let in_memory = locked(&self.inner.shared.tail).oldest_after(through, mask);
        let oldest = in_memory.or_else(|| {
            kept.iter()
                .find(|span| span.last > through.0)
                .map(|span| span.at(through.0 + 1))
        });
        ConsumerStats {
            name,
            through,
            pending_records: pending,
            pending_bytes: (bytes * pending).checked_div(records).unwrap_or(0),
            oldest_at: oldest.filter(|_| pending > 0 && through < last),
        }
    }
}

// === impl Span ===

impl Span {
    /// How many of its records lie after `through`.
    fn share_after(&self, through: u64) -> u64 {
        (self.last.saturating_sub(through.max(self.first - 1))).min(self.records)
    }

    /// When the record `seq` was accepted: between the first and the last while they are of one boot, else the first.
    fn at(&self, seq: u64) -> Stamp {
        let (first, last) = (self.first_at, self.last_at);
        if first.boot != last.boot {
            return first;
        }
        let into = i128::from(seq.saturating_sub(self.first));
        let whole = i128::from((self.last - self.first).max(1));
        let between = |from: i128, to: i128| from + (to - from) * into / whole;
        Stamp {
            boot: first.boot,
            since_boot_ms: between(first.since_boot_ms.into(), last.since_boot_ms.into()) as u64,
            wall_ms: between(first.wall_ms.into(), last.wall_ms.into()) as i64,
        }
    }
}

// === impl Ticket ===

impl Future for Ticket {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.reply)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(AppendError::Closed)))
    }
}
