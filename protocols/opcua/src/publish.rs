//! The publish loop: messages in order, readings handed over, and each message acknowledged only once its readings are durable.
//!
//! The server keeps every message until it is acknowledged, so that what the gateway has not on disk can still be
//! asked for again (OPC UA Part 4, 5.14.5). When readings wait too long for the disk, no more Publish requests are
//! sent: the server queues then, and that is the back-pressure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fieldgate_kit::{Durable, SourceCtx, SourceError};
use fieldgate_model::{Class, DropReason, PointId, Reading, Timestamp};
use futures::{
    StreamExt,
    stream::{FuturesOrdered, FuturesUnordered},
};
use tokio::time::Instant;

use crate::{
    announce::Announcer,
    connection::{Called, Change, Connection, Notification, Published, Subscription},
    sequence::{Arrival, Sequence},
    status::{self, Status},
};

/// Publish requests that wait at the server, so that it never has to wait for one.
const MAX_OUTSTANDING: usize = 3;
/// Messages whose readings are not durable yet; more would only move the server's queue into our memory.
const MAX_UNDURABLE: usize = 32;
/// Added to the time after which the server must have sent at least a keep-alive.
const SILENCE_MARGIN: Duration = Duration::from_secs(3);

/// One subscription while it runs.
pub(crate) struct Publishing<'a> {
    connection: &'a dyn Connection,
    ctx: &'a SourceCtx,
    subscription: Subscription,
    /// The point of each item, by its handle.
    points: &'a [PointId],
    /// By handle: the point has a problem.
    troubled: Vec<bool>,
    announcer: Announcer,
    sequence: Sequence,
    outstanding: FuturesUnordered<Called<'static, Published>>,
    max_outstanding: usize,
    undurable: FuturesOrdered<Kept>,
}

type Kept = futures::future::BoxFuture<'static, (u32, Result<(), fieldgate_kit::NotAccepted>)>;

// === impl Publishing ===

impl<'a> Publishing<'a> {
    pub(crate) fn new(
        connection: &'a dyn Connection,
        ctx: &'a SourceCtx,
        subscription: Subscription,
        points: &'a [PointId],
        troubled: Vec<bool>,
        announcer: Announcer,
    ) -> Self {
        Self {
            connection,
            ctx,
            subscription,
            points,
            troubled,
            announcer,
            sequence: Sequence::default(),
            outstanding: FuturesUnordered::new(),
            max_outstanding: MAX_OUTSTANDING,
            undurable: FuturesOrdered::new(),
        }
    }

    /// Until shutdown (`Ok`) or until the subscription is lost.
    pub(crate) async fn run(mut self) -> Result<(), SourceError> {
        let silence = self.longest_silence();
        let mut heard = Instant::now();
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
                () = tokio::time::sleep_until(heard + silence), if !self.outstanding.is_empty() => {
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
            self.outstanding
                .push(self.connection.publish(self.subscription.id, acknowledged));
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
            match self
                .connection
                .republish(self.subscription.id, sequence)
                .await
            {
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
        let readings = self.readings(notification.changes);
        if readings.is_empty() && !notification.keep_alive {
            self.sequence.kept(sequence);
        } else if !notification.keep_alive {
            let durable = self.ctx.readings.send_durable(readings);
            let durable: Durable = tokio::select! {
                () = self.ctx.shutdown.cancelled() => return Ok(()),
                durable = durable => durable?,
            };
            self.undurable
                .push_back(Box::pin(async move { (sequence, durable.await) }));
        }
        match notification.ended {
            Some(why) if !why.is("Good") => Err(self.lost(&why.to_string())),
            _ => Ok(()),
        }
    }

    fn readings(&mut self, changes: Vec<Change>) -> Vec<Reading> {
        let seen = now();
        let (mut overflowed, mut undecodable, mut turned) = (0, 0, false);
        let mut readings = Vec::with_capacity(changes.len());
        for change in changes {
            let handle = change.handle as usize;
            let Some(point) = self.points.get(handle) else {
                continue;
            };
            let Some(observed) = change.observed else {
                undecodable += 1;
                continue;
            };
            overflowed += u64::from(observed.overflow);
            let problem = status::is_problem(&observed.quality);
            if problem != self.troubled[handle] {
                self.troubled[handle] = problem;
                turned = true;
                match observed.quality.why().filter(|_| problem) {
                    Some(why) => self.announcer.trouble(handle, why),
                    None => self.announcer.relief(handle),
                }
            }
            readings.push(Reading {
                point: point.clone(),
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

    fn count(&self, reason: DropReason, readings: u64) {
        if readings > 0 {
            self.ctx.readings.dropped(reason, readings);
        }
    }

    fn lost(&self, why: &str) -> SourceError {
        SourceError::Lost(format!("the subscription on the server is lost: {why}"))
    }
}

/// The gateway's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
