//! The publish loop: messages in order, readings handed over, and each message acknowledged only once its readings are durable.
//!
//! The server keeps every message until it is acknowledged, so that what the gateway has not on disk can still be
//! asked for again (OPC UA Part 4, 5.14.5). When readings wait too long for the disk, no more Publish requests are
//! sent: the server queues then, and that is the back-pressure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fieldgate_kit::{NotAccepted, SourceCtx, SourceError};
use fieldgate_model::{Class, DropReason, Quality, Reading, Timestamp, Value};
use futures::{
    StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::{FuturesOrdered, FuturesUnordered},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{
    announce::Announcer,
    connection::{
        Called, Change, Connection, ItemRequest, ItemRevised, Notification, Published, Subscription,
    },
    roll_call::RollCall,
    rounds::into_rounds,
    select::Item,
    sequence::{Arrival, Sequence},
    status::{self, Status},
};

/// Publish requests that wait at the server, so that it never has to wait for one.
const MAX_OUTSTANDING: usize = 3;
/// Messages whose readings are not durable yet; more would only move the server's queue into our memory.
const MAX_UNDURABLE: usize = 32;
/// Added to the time after which the server must have sent at least a keep-alive.
const SILENCE_MARGIN: Duration = Duration::from_secs(3);
/// A timer that comes so late tells of ourselves, not of the server.
const STANDSTILL: Duration = Duration::from_secs(1);
/// How often silent points are asked whether they still exist.
const ROLL_CALL: Duration = Duration::from_secs(5);
/// How many at a time, so that it is no load for a small server.
const MAX_ASKED: usize = 200;

/// One subscription while it runs.
pub(crate) struct Publishing<'a> {
    connection: &'a dyn Connection,
    ctx: &'a SourceCtx,
    subscription: Subscription,
    /// The items that are monitored; a value's handle is its item's index.
    items: &'a [Item],
    states: Vec<State>,
    /// The server's numbers of the items; `None` for those that it did not make.
    ids: Vec<Option<u32>>,
    announcer: Announcer,
    sequence: Sequence,
    roll_call: RollCall,
    outstanding: FuturesUnordered<Called<'static, Published>>,
    max_outstanding: usize,
    undurable: FuturesOrdered<BoxFuture<'static, Kept>>,
}

/// What is known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Values come.
    Fine,
    /// The server says through the item that there is no value to be had.
    Troubled,
    /// The server has no such item: it could not be made, or its node is gone.
    Gone,
}

impl State {
    /// An item that the server refused for another reason than its node is not made again when the node is there.
    fn of(result: &Result<ItemRevised, Status>) -> Self {
        match result {
            Ok(_) => Self::Fine,
            Err(why) if why.is("BadNodeIdUnknown") => Self::Gone,
            Err(_) => Self::Troubled,
        }
    }
}

/// A message's number, and whether its readings are durable.
type Kept = (u32, Result<(), NotAccepted>);
/// Which items were asked, and what became of each.
type Answers = (Vec<usize>, Result<Vec<Result<(), Status>>, Status>);

// === impl Publishing ===

impl<'a> Publishing<'a> {
    pub(crate) fn new(
        connection: &'a dyn Connection,
        ctx: &'a SourceCtx,
        subscription: Subscription,
        items: &'a [Item],
        results: &[Result<ItemRevised, Status>],
        announcer: Announcer,
    ) -> Self {
        Self {
            connection,
            ctx,
            subscription,
            items,
            states: results.iter().map(State::of).collect(),
            ids: results
                .iter()
                .map(|result| Some(result.as_ref().ok()?.id))
                .collect(),
            announcer,
            sequence: Sequence::default(),
            roll_call: RollCall::new(items.len()),
            outstanding: FuturesUnordered::new(),
            max_outstanding: MAX_OUTSTANDING,
            undurable: FuturesOrdered::new(),
        }
    }

    /// Until shutdown (`Ok`) or until the subscription is lost.
    pub(crate) async fn run(mut self) -> Result<(), SourceError> {
        let silence = self.longest_silence();
        let mut heard = Instant::now();
        let mut turns = interval(ROLL_CALL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asking: OptionFuture<BoxFuture<'a, Answers>> = None.into();
        let mut idle = true;
        loop {
            if self.outstanding.is_empty() {
                heard = Instant::now();
            }
            self.ask();
            tokio::select! {
                () = self.ctx.shutdown.cancelled() => return Ok(()),
                Some((sequence, kept)) = self.undurable.next() => {
                    kept.map_err(|why| SourceError::Lost(format!("the readings were {why}")))?;
                    self.sequence.kept(sequence);
                }
                Some(answer) = self.outstanding.next() => {
                    self.answer(answer).await?;
                    // Handing over can take long; the server was not silent, we did not listen.
                    heard = Instant::now();
                }
                _ = turns.tick(), if idle => {
                    asking = self.ask_silent().into();
                    idle = false;
                }
                answers = &mut asking, if !idle => {
                    asking = None.into();
                    idle = true;
                    if let Some(answers) = answers {
                        self.roll_called(answers).await?;
                    }
                }
                () = sleep_until(heard + silence), if !self.outstanding.is_empty() => {
                    if heard.elapsed() > silence + STANDSTILL {
                        // It is we who stood still, frozen or starved: what the server sent meanwhile is still to be read.
                        heard = Instant::now();
                        continue;
                    }
                    return Err(self.lost(&format!(
                        "it sent nothing for {} s, not even a keep-alive; is it overloaded or stopped?",
                        silence.as_secs()
                    )));
                }
            }
        }
    }

    fn longest_silence(&self) -> Duration {
        let count = f64::from(self.subscription.keep_alive_count.max(1));
        let milliseconds = (self.subscription.publishing_ms * count).clamp(0.0, 86_400_000.0);
        Duration::from_secs_f64(milliseconds / 1000.0) + SILENCE_MARGIN
    }

    /// Keeps Publish requests waiting at the server, unless too much is not durable yet.
    fn ask(&mut self) {
        while self.outstanding.len() < self.max_outstanding && self.undurable.len() < MAX_UNDURABLE
        {
            let acknowledged = self.sequence.take_acknowledgements();
            let asked = self.connection.publish(self.subscription.id, acknowledged);
            self.outstanding.push(asked);
        }
    }

    async fn answer(&mut self, answer: Result<Published, Status>) -> Result<(), SourceError> {
        let published = match answer {
            Ok(published) => published,
            Err(why) if why.is("BadTooManyPublishRequests") && self.max_outstanding > 1 => {
                self.max_outstanding -= 1;
                return Ok(());
            }
            // The request timed out on the server; the watchdog decides whether that is silence.
            Err(why) if why.is("BadTimeout") => return Ok(()),
            Err(why) => return Err(self.lost(&why.to_string())),
        };
        if published.subscription != self.subscription.id {
            return Ok(());
        }
        self.sequence.set_available(&published.available);
        let notification = published.notification;
        let arrival = if notification.keep_alive {
            self.sequence.keep_alive(notification.sequence)
        } else {
            self.sequence.message(notification.sequence)
        };
        match arrival {
            Arrival::Due => {}
            Arrival::Repeated => return Ok(()),
            Arrival::After(missing) => self.ask_again(missing).await?,
            Arrival::FarAfter(count) => self.gap(count.into()),
        }
        self.take(notification).await
    }

    /// Asks for missing messages while the server keeps them.
    async fn ask_again(&mut self, missing: Vec<u32>) -> Result<(), SourceError> {
        for sequence in missing {
            let again = self.connection.republish(self.subscription.id, sequence);
            match again.await {
                Ok(notification) => self.take(notification).await?,
                Err(why) if why.is("BadMessageNotAvailable") => self.gap(1),
                Err(why) => return Err(self.lost(&why.to_string())),
            }
        }
        Ok(())
    }

    fn gap(&mut self, messages: u64) {
        tracing::warn!(
            source = %self.ctx.id,
            messages,
            "messages of the subscription were lost between the server and the gateway"
        );
        self.announcer.lost_messages(messages);
        self.announcer.tell(&self.ctx.devices, &self.ctx.health);
    }

    /// Hands a message's readings over.
    async fn take(&mut self, notification: Notification) -> Result<(), SourceError> {
        let sequence = notification.sequence;
        if !notification.keep_alive {
            let readings = self.readings(into_rounds(notification.changes));
            self.hand_over(sequence, readings).await?;
        }
        match notification.ended {
            Some(why) if !why.is("Good") => Err(self.lost(&why.to_string())),
            _ => Ok(()),
        }
    }

    async fn hand_over(
        &mut self,
        sequence: u32,
        readings: Vec<Reading>,
    ) -> Result<(), SourceError> {
        if readings.is_empty() {
            self.sequence.kept(sequence);
            return Ok(());
        }
        // Shutdown ends the wait for room; what was not handed over is not acknowledged either.
        tokio::select! {
            () = self.ctx.shutdown.cancelled() => {}
            durable = self.ctx.readings.send_durable(readings) => {
                let durable = durable?;
                let kept = async move { (sequence, durable.await) };
                self.undurable.push_back(Box::pin(kept));
            }
        }
        Ok(())
    }

    fn readings(&mut self, changes: Vec<Change>) -> Vec<Reading> {
        let seen = now();
        let (mut overflowed, mut undecodable, mut turned) = (0, 0, false);
        let mut readings = Vec::with_capacity(changes.len());
        for change in changes {
            let handle = change.handle as usize;
            let Some(item) = self.items.get(handle) else {
                continue;
            };
            self.roll_call.heard(handle);
            let Some(observed) = change.observed else {
                undecodable += 1;
                continue;
            };
            overflowed += u64::from(observed.overflow);
            if status::is_problem(&observed.quality) {
                turned |= self.trouble(handle, State::Troubled, &observed.quality);
            } else if self.states[handle] != State::Fine {
                self.states[handle] = State::Fine;
                self.announcer.relief(handle);
                turned = true;
            }
            readings.push(Reading {
                point: item.point.clone(),
                value: observed.value,
                quality: observed.quality,
                at: observed.at.unwrap_or(seen),
                seen,
                unit: None,
                class: Class::Telemetry,
            });
        }
        self.count(DropReason::SourceOverflow, overflowed);
        self.count(DropReason::Undecodable, undecodable);
        if turned {
            self.announcer.tell(&self.ctx.devices, &self.ctx.health);
        }
        readings
    }

    /// True when it is news.
    fn trouble(&mut self, handle: usize, state: State, quality: &Quality) -> bool {
        if self.states[handle] == state {
            return false;
        }
        self.states[handle] = state;
        self.announcer
            .trouble(handle, quality.why().unwrap_or_default());
        true
    }

    /// Asks the server whether silent points still exist; `None` when nobody is silent.
    fn ask_silent(&mut self) -> Option<BoxFuture<'a, Answers>> {
        let silent = self.roll_call.next(MAX_ASKED);
        let (asked, nodes): (Vec<usize>, Vec<_>) = silent
            .into_iter()
            .filter_map(|handle| Some((handle, self.items[handle].node.clone()?)))
            .unzip();
        if asked.is_empty() {
            return None;
        }
        let call = self.connection.exist(nodes);
        Some(Box::pin(async move { (asked, call.await) }))
    }

    /// A node that is gone gets a bad reading; one that came back gets a monitored item again.
    async fn roll_called(&mut self, (asked, answers): Answers) -> Result<(), SourceError> {
        let Ok(answers) = answers else {
            // A server that is too busy to answer is the watchdog's business.
            return Ok(());
        };
        let seen = now();
        let mut gone = Vec::new();
        let mut back = Vec::new();
        for (handle, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(()) if self.states[handle] == State::Gone => back.push(handle),
                Ok(()) => {}
                Err(why) => {
                    let quality = Quality::Bad(why.to_string().into());
                    let fine = self.states[handle] == State::Fine;
                    if status::is_problem(&quality)
                        && self.trouble(handle, State::Gone, &quality)
                        && fine
                    {
                        gone.push(self.items[handle].missing(quality, seen));
                    }
                }
            }
        }
        if !back.is_empty() {
            self.monitor_again(back)
                .await
                .map_err(|why| self.lost(&why.to_string()))?;
        }
        if !gone.is_empty() {
            self.announcer.tell(&self.ctx.devices, &self.ctx.health);
            self.ctx.readings.send(gone).await?;
        }
        Ok(())
    }

    /// Their nodes are back; their first values will say so.
    async fn monitor_again(&mut self, back: Vec<usize>) -> Result<(), Status> {
        let subscription = self.subscription.id;
        let stale: Vec<u32> = back
            .iter()
            .filter_map(|handle| self.ids[*handle].take())
            .collect();
        if !stale.is_empty() {
            self.connection.unmonitor(subscription, stale).await?;
        }
        let (back, requests): (Vec<usize>, Vec<ItemRequest>) = back
            .into_iter()
            .filter_map(|handle| Some((handle, self.items[handle].request(handle)?)))
            .unzip();
        let results = self.connection.monitor(subscription, requests).await?;
        for (handle, result) in back.into_iter().zip(results) {
            self.ids[handle] = result.ok().map(|made| made.id);
        }
        Ok(())
    }

    fn count(&self, reason: DropReason, readings: u64) {
        if readings > 0 {
            self.ctx.readings.dropped(reason, readings);
        }
    }

    fn lost(&self, why: &str) -> SourceError {
        SourceError::Lost(format!("the subscription on the server is lost: {why}"))
    }
}

// === impl Item ===

impl Item {
    /// A reading that says why there is no value.
    pub(crate) fn missing(&self, quality: Quality, at: Timestamp) -> Reading {
        Reading {
            quality,
            ..Reading::new(self.point.clone(), Value::Null, at)
        }
    }
}

/// The gateway's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
