//! One attempt of a forwarder: connects, then does what the delivery core asks for until the link is lost or shutdown.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fieldgate_kit::{
    Batch, BatchLimits, BoxSink, DestinationKind, Health, Link, Receipt, SinkCtx, SinkError,
};
use fieldgate_store::{Page, PeekLimits, ReplayStatus, Seq, StoreError};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value as Json;
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    ForwardStats,
    core::{Core, Input, Note, Now, Output, Read, Refused, Replay, Rules, Ticket, Way},
    rules::rules,
    stack::stack,
};
use crate::{
    clock::Clock,
    dead,
    lanes::{LaneKind, Lanes},
    pipeline::routes::RouteTable,
    supervisor::Cause,
    telemetry::now,
};

/// At shutdown, how long acknowledgements under way are waited for.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// At shutdown, how long the far side may take to be told good-bye.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How often replays, evictions and purges are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The way to one destination.
pub struct Forwarder {
    pub id: Arc<str>,
    pub kind: DestinationKind,
    pub settings: Json,
    pub limits: BatchLimits,
    pub ctx: SinkCtx,
    pub lanes: Lanes,
    pub clock: Clock,
    pub routes: watch::Receiver<Arc<RouteTable>>,
    pub stats: Arc<ForwardStats>,
    pub memory: Arc<Memory>,
}

/// What outlives a link: the core, with what was delivered ahead of the cursor, and its sense of time.
#[derive(Debug)]
pub struct Memory {
    since: Instant,
    /// Empty while an attempt has it.
    core: Mutex<Option<Core>>,
}

/// The state of one attempt.
struct Attempt<'a> {
    forwarder: &'a Forwarder,
    core: Core,
    sink: BoxSink,
    driver: Driver,
    /// Bounded by the core: one page for each way, the window, and what is being buried.
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    durable: [(LaneKind, watch::Receiver<Seq>); 2],
    /// Where the queue has the cursors, as far as this attempt knows.
    cursors: [(LaneKind, Seq); 2],
}

/// Something that the core asked for has ended.
enum Done {
    Read(Way, Result<Page, StoreError>, Arc<Rules>),
    Answered(Ticket, Result<Receipt, SinkError>),
    Buried(u64, Result<(), String>),
}

type Driver = BoxFuture<'static, Result<(), SinkError>>;

// === impl Memory ===

impl Default for Memory {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            core: Mutex::default(),
        }
    }
}

impl Memory {
    fn exchange(&self, core: Option<Core>) -> Option<Core> {
        let mut kept = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kept, core)
    }
}

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
        let cursors = [LaneKind::Critical, LaneKind::Normal].map(|lane| (lane, self.cursor(lane)));
        let [(_, critical), (_, normal)] = &cursors;
        let (critical, normal) = (critical.clone()?, normal.clone()?);
        let kept = self.memory.exchange(None);
        let mut attempt = Attempt {
            forwarder: self,
            core: kept.unwrap_or_else(|| Core::new(self.limits, critical, normal)),
            sink: stack(sink, &self.limits),
            driver,
            work: FuturesUnordered::new(),
            durable: LaneKind::ALL.map(|lane| (lane, self.lanes.get(lane).durable())),
            cursors: [(LaneKind::Critical, critical), (LaneKind::Normal, normal)],
        };
        let outcome = attempt.forward(&shutdown).await;
        if outcome.is_ok() {
            attempt.finish(close).await;
        }
        attempt.end();
        outcome
    }

    fn cursor(&self, lane: LaneKind) -> Result<Seq, Cause> {
        let cursor = self.lanes.get(lane).consumer(&self.id);
        let cursor = cursor.map_err(|error| Cause::Lost(error.to_string()))?;
        Ok(cursor.through)
    }
}

// === impl Attempt: the loop ===

impl Attempt<'_> {
    async fn forward(&mut self, shutdown: &CancellationToken) -> Result<(), Cause> {
        for (lane, cursor) in self.cursors {
            // The core may remember an earlier attempt, and the queue may have moved on meanwhile.
            self.tell(Input::Evicted(lane, cursor)).await?;
        }
        self.tell(Input::LinkUp).await?;
        let mut look = time::interval(LOOK_EVERY);
        loop {
            self.hear_of_new_records().await?;
            let wake = self.core.wake().map(|at| self.forwarder.memory.since + at);
            let timer = async {
                match wake {
                    Some(at) => time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let [(_, one), (_, other)] = &mut self.durable;
            let input = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                lost = &mut self.driver => return Err(ended(lost)),
                _ = look.tick() => None,
                Some(done) = self.work.next() => Some(input(done)?),
                () = timer => Some(Input::Tick),
                changed = one.changed() => closed(changed).map(|()| Some(Input::Tick))?,
                changed = other.changed() => closed(changed).map(|()| Some(Input::Tick))?,
            };
            match input {
                Some(input) => self.tell(input).await?,
                None => self.look().await?,
            }
        }
    }

    /// Before anything else, so that an alarm never waits behind answers.
    async fn hear_of_new_records(&mut self) -> Result<(), Cause> {
        for index in 0..self.durable.len() {
            let (lane, durable) = &mut self.durable[index];
            let (lane, through) = (*lane, *durable.borrow_and_update());
            self.tell(Input::Durable(lane, through)).await?;
        }
        Ok(())
    }

    /// Looks for what nobody tells: cursors that the queue moved by itself, and replays.
    async fn look(&mut self) -> Result<(), Cause> {
        for index in 0..self.cursors.len() {
            let (lane, known) = self.cursors[index];
            let store = self.forwarder.lanes.get(lane);
            let cursor = store.cursor(&self.forwarder.id).unwrap_or(known);
            if cursor > known {
                self.cursors[index].1 = cursor;
                self.tell(Input::Evicted(lane, cursor)).await?;
            }
        }
        self.tell(Input::Replay(self.replay())).await
    }

    /// The replay that was started first and is not done.
    fn replay(&self) -> Option<Replay> {
        LaneKind::ALL.into_iter().find_map(|lane| {
            let replays = self.forwarder.lanes.get(lane).replays();
            let ours = replays.into_iter().find(|replay| {
                replay.status == ReplayStatus::Running && *replay.destination == *self.forwarder.id
            });
            ours.map(|replay| Replay {
                id: replay.id.into(),
                lane,
                through: replay.through,
                last: replay.last,
                mask: replay.routes,
                rate: replay.per_s,
            })
        })
    }

    /// Tells the core, and does what it asks for. When the link fails in between, the rest is done all the same, but for
    /// sending: the core has moved its cursors already.
    async fn tell(&mut self, input: Input) -> Result<(), Cause> {
        let mut outcome = Ok(());
        for output in self.step(input) {
            match output {
                Output::Send(ticket, batch) if outcome.is_ok() => {
                    outcome = self.send(ticket, batch).await;
                }
                Output::Fail(error) if outcome.is_ok() => outcome = Err(error.into()),
                other => self.carry_out(other),
            }
        }
        outcome
    }

    async fn send(&mut self, ticket: Ticket, batch: Batch) -> Result<(), Cause> {
        alongside(&mut self.driver, self.sink.ready()).await??;
        let answer = self.sink.call(batch);
        let done = answer.map(move |answer| Done::Answered(ticket, answer));
        self.work.push(done.boxed());
        Ok(())
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let now = Now {
            at: self.forwarder.memory.since.elapsed(),
            clock: &self.forwarder.clock,
        };
        self.core.step(input, now, &mut out);
        self.forwarder
            .stats
            .set_in_flight(self.core.readings_under_way());
        out
    }

    /// At shutdown: waits a little for what is under way, then says good-bye. What stays unacknowledged is sent again.
    async fn finish(&mut self, close: CancellationToken) {
        self.core.stop();
        let drain = async {
            while self.core.batches_under_way() > 0 {
                let done = tokio::select! {
                    _ = &mut self.driver => return,
                    done = self.work.next() => done,
                };
                let Some(Ok(input)) = done.map(input) else {
                    return;
                };
                for output in self.step(input) {
                    // Nothing new is begun: it is sent again by the next attempt.
                    if !matches!(output, Output::Send(..) | Output::Read(_) | Output::Fail(_)) {
                        self.carry_out(output);
                    }
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

    /// Keeps what the next attempt can use.
    fn end(mut self) {
        for output in self.step(Input::LinkLost) {
            self.carry_out(output);
        }
        self.forwarder.stats.set_in_flight(0);
        self.forwarder.memory.exchange(Some(self.core));
    }
}

// === impl Attempt: what the core asks for ===

impl Attempt<'_> {
    /// Everything but sending.
    fn carry_out(&mut self, output: Output) {
        let lanes = &self.forwarder.lanes;
        match output {
            Output::Read(read) => self.read(read),
            Output::Move {
                lane,
                through,
                tally,
            } => {
                lanes.get(lane).ack(&self.forwarder.id, through, tally);
                let known = self.cursors.iter_mut().find(|(of, _)| *of == lane);
                if let Some((_, cursor)) = known {
                    *cursor = through.max(*cursor);
                }
            }
            Output::Bury(number, refused) => self.bury(number, refused),
            Output::Replayed {
                id,
                lane,
                through,
                tally,
            } => lanes.get(lane).ack_replay(&id, through, tally),
            Output::Note(note) => self.note(note),
            Output::Send(..) | Output::Fail(_) => {} // there is no link any more
        }
    }

    fn read(&mut self, read: Read) {
        let forwarder = self.forwarder;
        let lane = forwarder.lanes.get(read.lane).clone();
        let own = lane.routes_of(&forwarder.id);
        let rules = Arc::new(rules(
            &forwarder.routes.borrow(),
            &own,
            &read,
            forwarder.limits.max_age,
        ));
        let limits = PeekLimits {
            records: read.records,
            bytes: read.bytes,
        };
        let page = async move {
            let page = lane.peek(read.after, rules.mask, limits).await;
            Done::Read(read.way, page, rules)
        };
        self.work.push(page.boxed());
    }

    fn bury(&mut self, number: u64, refused: Vec<Refused>) {
        let forwarder = self.forwarder;
        let Some(lane) = refused.first().map(|first| first.lane) else {
            return;
        };
        let letters: Vec<dead::Refused> = refused.into_iter().map(|no| self.letter(no)).collect();
        let (shelf, from) = (
            forwarder.lanes.dead.clone(),
            forwarder.lanes.get(lane).clone(),
        );
        let buried = async move {
            let buried = shelf.bury(&from, &letters).await;
            Done::Buried(number, buried.map_err(|error| error.to_string()))
        };
        self.work.push(buried.boxed());
    }

    fn letter(&self, refused: Refused) -> dead::Refused {
        dead::Refused {
            message_id: self.forwarder.ctx.book.message_id(refused.origin),
            destination: self.forwarder.id.to_string(),
            routes: refused.record.routes,
            why: refused.why,
            refused_at: now(),
            frame: refused.record.body.bytes().cloned().unwrap_or_default(),
        }
    }

    fn note(&self, note: Note) {
        let stats = &self.forwarder.stats;
        match note {
            Note::Acknowledged {
                readings,
                took,
                sampled,
            } => {
                stats.acknowledged(readings, now(), took);
                stats.delayed(&sampled, now());
            }
            Note::DeadLettered { why } | Note::ReplayRefused { why } => stats.refused(&why),
            Note::Again { readings } => stats.tried_again(readings),
            Note::Unheard { readings } => stats.unheard(readings),
            Note::Throttled { why, .. } => stats.throttled(&why),
            Note::Halved => {
                tracing::debug!(destination = %self.forwarder.id, "a batch goes again in halves")
            }
            Note::Expired { readings } => {
                tracing::debug!(destination = %self.forwarder.id, readings, "too old to be sent");
            }
        }
    }
}

/// What an end means for the core.
fn input(done: Done) -> Result<Input, Cause> {
    Ok(match done {
        Done::Answered(ticket, answer) => Input::Answered(ticket, answer),
        Done::Read(way, page, rules) => Input::Page {
            way,
            page: page.map_err(|error| Cause::Lost(error.to_string()))?,
            rules,
        },
        Done::Buried(number, buried) => {
            buried.map_err(Cause::Lost)?;
            Input::Buried(number)
        }
    })
}

fn closed(changed: Result<(), watch::error::RecvError>) -> Result<(), Cause> {
    changed.map_err(|_| Cause::Lost("the queue was closed".into()))
}

/// Waits for something while the link goes on; the link's end comes first.
async fn alongside<T>(driver: &mut Driver, wanted: impl Future<Output = T>) -> Result<T, Cause> {
    tokio::select! {
        biased;
        lost = driver => Err(ended(lost)),
        value = wanted => Ok(value),
    }
}

/// A link's end, where nobody asked for it.
fn ended(outcome: Result<(), SinkError>) -> Cause {
    match outcome {
        Ok(()) => Cause::Lost("the far side closed the connection".into()),
        Err(error) => error.into(),
    }
}
