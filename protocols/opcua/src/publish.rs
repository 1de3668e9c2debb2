//! The publish loop: the messages of all subscriptions of a session, each in its order, readings handed over, and each
//! message acknowledged only once its readings are durable.
//!
//! The server keeps every message until it is acknowledged, so that what the gateway has not on disk can still be
//! asked for again (OPC UA Part 4, 5.14.5). A Publish request belongs to no subscription: the server answers it with
//! whichever has something to say. When readings wait too long for the disk, no more Publish requests are sent: the
//! server queues then, and that is the back-pressure.

mod anew;
mod arriving;
mod asides;
mod backfill;
mod beats;
mod changing;
mod feed;
mod follow;
mod handing;
mod memory;
mod missed;
mod points;
mod silence;
mod turns;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fieldgate_kit::{SourceCtx, SourceError};
use fieldgate_model::{Quality, Reading, Timestamp, Value};
use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{FuturesOrdered, FuturesUnordered},
};
use tokio::time::{Instant, sleep_until};

use self::{asides::Asides, backfill::Saver, feed::Birth, handing::Part};
pub(crate) use self::{beats::Beats, feed::Feed, handing::Kept, points::Points};
use crate::{
    connection::{Acknowledgement, Called, Connection, Limits, Published, Subscription},
    events::conditions::Conditions,
    follow::{self as following, Following},
    resume::{Remembered, Resumed},
    select::Item,
    status::Status,
};

/// Publish requests that wait at the server besides one for each subscription, so that it never has to wait for one.
const SPARE_REQUESTS: usize = 2;
/// The most Publish requests that wait at the server, however many subscriptions there are.
const MAX_OUTSTANDING: usize = 50;
/// Messages whose readings are not durable yet; more would only move the server's queue into our memory.
const MAX_UNDURABLE: usize = 32;
/// How often silent points are asked whether they still exist.
const ROLL_CALL: Duration = Duration::from_secs(5);
/// Operations of one call, where nobody says how many.
const CAREFUL: usize = 200;

/// All subscriptions of a session while they run.
pub(crate) struct Publishing<'a> {
    connection: &'a dyn Connection,
    ctx: &'a SourceCtx,
    feeds: Vec<Feed>,
    points: Points<'a>,
    outstanding: FuturesUnordered<Called<'static, Published>>,
    max_outstanding: usize,
    undurable: FuturesOrdered<BoxFuture<'static, Kept>>,
    /// Learns what the server says of the items; values do not wait for it.
    learning: FuturesUnordered<BoxFuture<'a, ()>>,
    /// What changes in the server's address space; none where nobody follows it.
    following: Option<Following<'a>>,
    /// The subscriptions are of no use to another session.
    spoiled: bool,
    /// Readings were made and are not handed over yet: whoever is cut off here knows no last values.
    handing: bool,
    /// This session; what the one before handed over is told apart by it.
    session: Birth,
    /// The earliest value that was not accepted, while it is not known whether the server still has it.
    refused_since: Option<Timestamp>,
    /// Missed values are on their way to the disk.
    missed_under_way: bool,
    saver: Saver,
    /// Subscriptions that the server ended, and why.
    ended: Vec<(Birth, Status)>,
    per_monitor: usize,
    per_read: usize,
}

// === impl Publishing ===

impl<'a> Publishing<'a> {
    pub(crate) fn new(
        connection: &'a dyn Connection,
        ctx: &'a SourceCtx,
        subscriptions: &[Subscription],
        points: Points<'a>,
    ) -> Self {
        let now = Instant::now();
        Self {
            connection,
            ctx,
            feeds: subscriptions
                .iter()
                .map(|subscription| Feed::new(subscription, now))
                .collect(),
            points,
            outstanding: FuturesUnordered::new(),
            max_outstanding: (subscriptions.len() + SPARE_REQUESTS).min(MAX_OUTSTANDING),
            undurable: FuturesOrdered::new(),
            learning: FuturesUnordered::new(),
            following: None,
            spoiled: false,
            handing: false,
            session: Birth::default(),
            refused_since: None,
            missed_under_way: false,
            saver: Saver::default(),
            ended: Vec::new(),
            per_monitor: CAREFUL,
            per_read: CAREFUL,
        }
    }

    /// With so many operations in one call, as the server takes them.
    pub(crate) fn within(mut self, limits: &Limits) -> Self {
        self.keep_within(limits);
        self
    }

    fn keep_within(&mut self, limits: &Limits) {
        self.per_monitor = limits.per_monitor.max(1);
        self.per_read = limits.per_read.max(1);
    }

    /// Goes on with the subscriptions of a session that was lost.
    pub(crate) fn resume(
        connection: &'a dyn Connection,
        ctx: &'a SourceCtx,
        resumed: Resumed,
        points: Points<'a>,
    ) -> Self {
        let mut publishing = Self::new(connection, ctx, &[], points);
        publishing.max_outstanding = (resumed.feeds.len() + SPARE_REQUESTS).min(MAX_OUTSTANDING);
        publishing.feeds = resumed.feeds;
        publishing.undurable = resumed.undurable;
        publishing.refused_since = resumed.refused_since;
        publishing
    }

    /// And one subscription more, when there is one.
    pub(crate) fn also(mut self, subscription: Option<Subscription>) -> Self {
        if let Some(subscription) = subscription {
            self.feeds.push(Feed::new(&subscription, Instant::now()));
            self.count_requests();
        }
        self
    }

    fn count_requests(&mut self) {
        self.max_outstanding = (self.feeds.len() + SPARE_REQUESTS).min(MAX_OUTSTANDING);
    }

    /// With something to be learned meanwhile, which is announced once it is.
    pub(crate) fn learning(self, facts: impl Future<Output = ()> + Send + 'a) -> Self {
        self.learning.push(Box::pin(facts));
        self
    }

    /// With what changes in the server's address space.
    pub(crate) fn following(mut self, following: Following<'a>) -> Self {
        self.following = Some(following);
        self
    }

    /// Until shutdown (`Ok`) or until a subscription is lost.
    pub(crate) async fn run(mut self) -> Result<(), SourceError> {
        let mut asides = Asides::new(Beats::new(self.points.beat()), self.refresh());
        self.note_what_is_open().await;
        self.ask_for_unheard().await?;
        self.points.expect_repeats();
        loop {
            if self.outstanding.is_empty() {
                self.listen_anew();
            }
            self.ask();
            let (deadline, may) = (self.deadline(), self.may());
            tokio::select! {
                () = self.ctx.shutdown.cancelled() => {
                    self.note_at_the_end().await;
                    return Ok(());
                }
                Some(kept) = self.undurable.next() => self.kept(kept)?,
                Some(answer) = self.outstanding.next() => {
                    let began = Instant::now();
                    self.answer(answer).await?;
                    self.replace_ended().await?;
                    // Handing over can take long; the server was not silent, we did not listen.
                    for feed in &mut self.feeds {
                        feed.pass_over(began.elapsed());
                    }
                }
                aside = asides.next(may) => self.turn_to(aside, &mut asides).await?,
                Some(()) = self.learning.next() => self.points.learned(),
                step = following::next(&mut self.following) => {
                    self.follow(step).await?;
                    asides.beats.keep_to(self.points.beat());
                }
                true = self.points.stands_otherwise() => self.points.tell(),
                saved = &mut self.saver.saving, if self.saver.is_saving => self.saved(saved),
                () = sleep_until(deadline), if !self.outstanding.is_empty() => self.silence().await?,
            }
        }
    }

    /// Keeps Publish requests waiting at the server, unless too much is not durable yet.
    fn ask(&mut self) {
        let most = MAX_UNDURABLE.max(2 * self.feeds.len());
        while self.outstanding.len() < self.max_outstanding && self.undurable.len() < most {
            let kept = self.feeds.iter_mut().flat_map(Feed::take_acknowledgements);
            let acknowledged: Vec<Acknowledgement> = kept.collect();
            self.outstanding.push(self.connection.publish(acknowledged));
        }
    }
}

/// Lost or not: the next attempt finds out what the server still has.
impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        if self.handing {
            self.points.forget();
        }
        let history = self.points.leave_history();
        let (items, monitored, last) = self.points.leave();
        let signals = self.following.as_mut().map(Following::leave);
        let events = self.points.leave_events();
        let feeds = match self.spoiled || self.ctx.shutdown.is_cancelled() {
            true => Vec::new(),
            false => std::mem::take(&mut self.feeds),
        };
        self.ctx.memory.keep(Remembered {
            server: self.points.server().to_owned(),
            items,
            monitored,
            feeds,
            undurable: std::mem::take(&mut self.undurable),
            last,
            gaps: history.gaps,
            is_forgotten: history.is_forgotten,
            refused_since: self.refused_since,
            is_written: self.saver.is_written,
            events,
            signals: signals.unwrap_or_default(),
            ..Remembered::only(Conditions::default())
        });
    }
}

fn lost(why: &str) -> SourceError {
    SourceError::Lost(format!("the subscription on the server is lost: {why}"))
}

// === impl Item ===

impl Item {
    /// A reading that says why there is no value.
    pub(crate) fn missing(&self, quality: Quality, at: Timestamp) -> Reading {
        Reading {
            quality,
            class: self.class,
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
