//! One attempt of a forwarder: connect, then page → batch → acknowledgement until the link is lost or shutdown.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use fieldgate_kit::{
    Batch, BatchLimits, BoxSink, DestinationKind, Health, Link, Receipt, SinkCtx, SinkError,
};
use fieldgate_store::{PeekLimits, RouteMask, Seq};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use serde_json::Value as Json;
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    ForwardStats,
    page::{ReadAhead, Sending},
    replay::{self, Replaying, Step},
    stack::stack,
};
use crate::{
    clock::Clock,
    lanes::{LaneKind, Lanes},
    supervisor::Cause,
    telemetry::now,
};

/// At shutdown, how long acknowledgements under way are waited for.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// At shutdown, how long the far side may take to be told good-bye.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Of so many turns the critical lane gets all but one, so that telemetry never starves.
const TURNS: u32 = 10;
/// Behind a backlog, how many batches are read at once.
const READ_AHEAD: usize = 8;

/// The way to one destination.
pub struct Forwarder {
    pub id: Arc<str>,
    pub kind: DestinationKind,
    pub settings: Json,
    pub limits: BatchLimits,
    pub ctx: SinkCtx,
    pub lanes: Lanes,
    pub clock: Clock,
    pub stats: Arc<ForwardStats>,
}

/// A lane as this attempt sees it.
struct Reader {
    lane: LaneKind,
    durable: watch::Receiver<Seq>,
    /// Read through here; acknowledged through the destination's cursor.
    read: Seq,
    /// What the last look brought beyond the batch that was sent.
    ahead: ReadAhead,
    /// Since when something waits for company.
    waiting_since: Option<Instant>,
    /// Under way, in order: the cursor moves only over a contiguous acknowledged prefix.
    under_way: FuturesOrdered<BoxFuture<'static, Answered>>,
    /// Readings in what is under way.
    in_flight: u64,
}

/// What came back for a page.
pub(super) struct Answered {
    pub sending: Sending,
    pub sent: Instant,
    pub answer: Result<Receipt, SinkError>,
}

pub(super) type Driver = BoxFuture<'static, Result<(), SinkError>>;

// === impl Forwarder ===

impl Forwarder {
    /// One attempt.
    ///
    /// # Errors
    /// When the link cannot be made or is lost; what was not acknowledged is sent again by the next attempt.
    pub async fn attempt(&self, health: Health, shutdown: CancellationToken) -> Result<(), Cause> {
        health.connecting("connecting");
        let connect = self.kind.connect(self.settings.clone(), self.ctx.clone());
        let link = tokio::select! {
            link = connect => link?,
            () = shutdown.cancelled() => return Ok(()),
        };
        let Link {
            sink,
            driver,
            close,
            words,
        } = link;
        health.connected(words);
        let mut attempt = Attempt {
            forwarder: self,
            sink: stack(sink, &self.limits),
            driver,
            readers: [
                self.reader(LaneKind::Critical)?,
                self.reader(LaneKind::Normal)?,
            ],
            turn: 0,
            replay: Replaying::new(),
        };
        let outcome = attempt.forward(&shutdown).await;
        if outcome.is_ok() {
            attempt.finish(close).await;
        }
        self.stats.set_in_flight(0);
        outcome
    }

    fn reader(&self, lane: LaneKind) -> Result<Reader, Cause> {
        let store = self.lanes.get(lane);
        let cursor = store
            .consumer(&self.id)
            .map_err(|error| Cause::Lost(error.to_string()))?;
        Ok(Reader {
            lane,
            durable: store.durable(),
            read: cursor.through,
            ahead: ReadAhead::default(),
            waiting_since: None,
            under_way: FuturesOrdered::new(),
            in_flight: 0,
        })
    }

    /// The routes whose readings go to this destination by this lane, those that are being drained included.
    fn mask(&self, lane: LaneKind) -> RouteMask {
        let mut mask = RouteMask::EMPTY;
        for (_, bit, _) in self.lanes.get(lane).routes_of(&self.id) {
            mask.insert(bit);
        }
        mask
    }
}

// === impl Reader ===

impl Reader {
    /// When there is enough for a batch, or its oldest reading has waited long enough; `None` when there is nothing.
    fn due(&mut self, limits: &BatchLimits) -> Option<Instant> {
        let ahead = self
            .durable
            .borrow_and_update()
            .0
            .saturating_sub(self.read.0);
        if ahead == 0 {
            self.waiting_since = None;
            return None;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let enough = usize::try_from(ahead).is_ok_and(|ahead| ahead >= limits.readings);
        Some(if enough { since } else { since + limits.age })
    }

    /// One batch while it keeps up; several behind a backlog, which comes from the disk, and each look costs a wait for a commit.
    fn peek_limits(&self, limits: &BatchLimits) -> PeekLimits {
        let behind = self.durable.borrow().0.saturating_sub(self.read.0);
        let lags =
            usize::try_from(behind).is_ok_and(|behind| behind >= limits.readings * READ_AHEAD);
        let batches = if lags { READ_AHEAD } else { 1 };
        PeekLimits {
            records: limits.readings * batches,
            bytes: limits.bytes * batches,
        }
    }
}

/// The state of one attempt.
struct Attempt<'a> {
    forwarder: &'a Forwarder,
    sink: BoxSink,
    driver: Driver,
    /// The critical lane first.
    readers: [Reader; 2],
    turn: u32,
    replay: Replaying,
}

impl Attempt<'_> {
    async fn forward(&mut self, shutdown: &CancellationToken) -> Result<(), Cause> {
        loop {
            let due = self.next_due();
            let [critical, normal] = &mut self.readers;
            let timer = async {
                match due {
                    Some((_, at)) => time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                lost = &mut self.driver => return Err(ended(lost)),
                Some(answered) = critical.under_way.next() => self.settle(answered).await?,
                Some(answered) = normal.under_way.next() => self.settle(answered).await?,
                () = timer => if let Some((index, _)) = due { self.send(index).await? },
                changed = critical.durable.changed() => changed.map_err(|_| Cause::Lost("the queue was closed".into()))?,
                changed = normal.durable.changed() => changed.map_err(|_| Cause::Lost("the queue was closed".into()))?,
                step = self.replay.step() => self.replay(step).await?,
            }
        }
    }

    /// Which reader sends next, and when; `None` while the window is full or nothing waits.
    fn next_due(&mut self) -> Option<(usize, Instant)> {
        let limits = &self.forwarder.limits;
        let under_way: usize = self
            .readers
            .iter()
            .map(|reader| reader.under_way.len())
            .sum();
        if under_way >= limits.in_flight {
            return None;
        }
        let [critical, normal] = &mut self.readers;
        match (critical.due(limits), normal.due(limits)) {
            (None, None) => None,
            (Some(critical), None) => Some((0, critical)),
            (None, Some(normal)) => Some((1, normal)),
            (Some(critical), Some(normal)) => {
                let waits = Instant::now();
                let starved = self.turn + 1 >= TURNS && normal <= waits;
                let idle = critical > waits && normal < critical;
                Some(if starved || idle {
                    (1, normal)
                } else {
                    (0, critical)
                })
            }
        }
    }

    /// Takes a page of one lane and puts it under way.
    async fn send(&mut self, index: usize) -> Result<(), Cause> {
        self.turn = if index == 0 { self.turn + 1 } else { 0 };
        let Self {
            forwarder,
            sink,
            driver,
            readers,
            ..
        } = self;
        let reader = &mut readers[index];
        let mask = forwarder.mask(reader.lane);
        let store = forwarder.lanes.get(reader.lane);
        // Who empties the queue means what was read ahead, too.
        if let Some(cursor) = store
            .cursor(&forwarder.id)
            .filter(|cursor| *cursor > reader.read)
        {
            reader.read = cursor;
            reader.ahead = ReadAhead::default();
        }
        if reader.ahead.is_empty() {
            let limits = reader.peek_limits(&forwarder.limits);
            let peeked = alongside(driver, store.peek(reader.read, mask, limits)).await?;
            reader.ahead = peeked
                .map_err(|error| Cause::Lost(error.to_string()))?
                .into();
        }
        let page = reader
            .ahead
            .take(forwarder.limits.readings, forwarder.limits.bytes);
        reader.read = page.scanned_through;
        reader.waiting_since = None;
        let max_age = forwarder.limits.max_age;
        let (sending, batch) = Sending::new(reader.lane, page, mask, max_age, &forwarder.clock);
        let call = if batch.readings.is_empty() {
            std::future::ready(Ok(Receipt::default())).boxed()
        } else {
            alongside(driver, sink.ready()).await??;
            call(sink, batch)
        };
        let sent = Instant::now();
        reader.in_flight += sending.readings();
        let answered = call.map(move |answer| Answered {
            sending,
            sent,
            answer,
        });
        reader.under_way.push_back(answered.boxed());
        self.count_in_flight();
        Ok(())
    }

    /// The far side has answered: keeps what it refused, moves the cursor, counts.
    async fn settle(&mut self, answered: Answered) -> Result<(), Cause> {
        let Answered {
            sending,
            sent,
            answer,
        } = answered;
        let forwarder = self.forwarder;
        let receipt = match answer {
            Ok(receipt) => match receipt.throttled {
                Some(throttle) => return Err(Cause::Refused(throttle.why)),
                None => receipt,
            },
            Err(SinkError::Rejected(why) | SinkError::TooLarge(why)) => sending.refused_whole(&why),
            Err(error) => return Err(error.into()),
        };
        let outcome = sending.outcome(&receipt, &forwarder.ctx.book, &forwarder.id, now());
        if !outcome.letters.is_empty() {
            for letter in &outcome.letters {
                forwarder.stats.refused(&letter.why);
            }
            let lanes = &forwarder.lanes;
            let burying = lanes.dead.bury(lanes.get(sending.lane), &outcome.letters);
            let buried = alongside(&mut self.driver, burying).await?;
            buried.map_err(|error| Cause::Lost(error.to_string()))?;
        }
        forwarder
            .lanes
            .get(sending.lane)
            .ack(&forwarder.id, sending.through, outcome.tally);
        if sending.readings() > 0 {
            forwarder
                .stats
                .acknowledged(outcome.acked, now(), sent.elapsed());
            forwarder.stats.delayed(&sending.sampled, now());
        }
        let reader = self
            .readers
            .iter_mut()
            .find(|reader| reader.lane == sending.lane);
        if let Some(reader) = reader {
            reader.in_flight -= sending.readings();
        }
        self.count_in_flight();
        Ok(())
    }

    /// What was delivered before, beside what is new.
    async fn replay(&mut self, step: Step) -> Result<(), Cause> {
        let (forwarder, driver) = (self.forwarder, &mut self.driver);
        match step {
            Step::Look => self.replay.send(forwarder, &mut self.sink, driver).await,
            Step::Settle(id, answered) => replay::settle(forwarder, driver, &id, *answered).await,
        }
    }

    /// At shutdown: waits a little for what is under way, then says good-bye. What stays unacknowledged is sent again.
    async fn finish(&mut self, close: CancellationToken) {
        let drain = async {
            while self
                .readers
                .iter()
                .any(|reader| !reader.under_way.is_empty())
            {
                let [critical, normal] = &mut self.readers;
                let answered = tokio::select! {
                    _ = &mut self.driver => return,
                    Some(answered) = critical.under_way.next() => answered,
                    Some(answered) = normal.under_way.next() => answered,
                };
                if self.settle(answered).await.is_err() {
                    return;
                }
            }
        };
        if time::timeout(DRAIN_LIMIT, drain).await.is_err() {
            tracing::info!(destination = %self.forwarder.id, "stopped before every acknowledgement came; they are sent again");
        }
        close.cancel();
        if time::timeout(CLOSE_LIMIT, &mut self.driver).await.is_err() {
            tracing::debug!(destination = %self.forwarder.id, "the far side did not take leave in time");
        }
    }

    fn count_in_flight(&self) {
        let readings = self.readers.iter().map(|reader| reader.in_flight).sum();
        self.forwarder.stats.set_in_flight(readings);
    }
}

/// Waits for something while the link goes on; the link's end comes first.
pub(super) async fn alongside<T>(
    driver: &mut Driver,
    wanted: impl Future<Output = T>,
) -> Result<T, Cause> {
    tokio::select! {
        biased;
        lost = driver => Err(ended(lost)),
        value = wanted => Ok(value),
    }
}

pub(super) fn call(
    sink: &mut BoxSink,
    batch: Batch,
) -> BoxFuture<'static, Result<Receipt, SinkError>> {
    sink.call(batch).boxed()
}

/// A link's end, where nobody asked for it.
fn ended(outcome: Result<(), SinkError>) -> Cause {
    match outcome {
        Ok(()) => Cause::Lost("the far side closed the connection".into()),
        Err(error) => error.into(),
    }
}
