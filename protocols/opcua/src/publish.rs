//! The publish loop: the messages of all subscriptions of a session, each in its order, readings handed over, and each
//! message acknowledged only once its readings are durable.
//!
//! The server keeps every message until it is acknowledged, so that what the gateway has not on disk can still be
//! asked for again (OPC UA Part 4, 5.14.5). A Publish request belongs to no subscription: the server answers it with
//! whichever has something to say. When readings wait too long for the disk, no more Publish requests are sent: the
//! server queues then, and that is the back-pressure.

mod anew;
mod backfill;
mod beats;
mod changing;
mod feed;
mod follow;
mod memory;
mod missed;
mod points;
mod turns;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fieldgate_kit::{NotAccepted, SourceCtx, SourceError};
use fieldgate_model::{Quality, Reading, Timestamp, Value};
use futures::{
    StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::{FuturesOrdered, FuturesUnordered},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::feed::Birth;
use self::{backfill::Saver, turns::Answered as Asked};
pub(crate) use self::{beats::Beats, feed::Feed, points::Points};
use crate::{
    connection::{
        Acknowledgement, Called, Connection, Limits, Notification, Published, Subscription,
    },
    events::conditions::Conditions,
    follow::{self as following, Following},
    history::{Answered, Marks},
    resume::{self, Remembered, Resumed},
    rounds::into_rounds,
    select::Item,
    sequence::{Arrival, Found},
    status::Status,
};

/// Publish requests that wait at the server besides one for each subscription, so that it never has to wait for one.
const SPARE_REQUESTS: usize = 2;
/// The most Publish requests that wait at the server, however many subscriptions there are.
const MAX_OUTSTANDING: usize = 50;
/// Messages whose readings are not durable yet; more would only move the server's queue into our memory.
const MAX_UNDURABLE: usize = 32;
/// Values of one message of repeated ones.
const MAX_REPEATED: usize = 4_000;
/// A timer that comes so late tells of ourselves, not of the server.
const STANDSTILL: Duration = Duration::from_secs(1);
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

/// Readings that are durable, or not.
pub(crate) struct Kept {
    part: Part,
    /// The earliest of them by the source's time.
    earliest: Option<Timestamp>,
    durable: Result<(), NotAccepted>,
}

// === impl Kept ===

impl Kept {
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.is_ok()
    }

    /// The earliest of the readings by the source's time; `None` where the gaps say it better, or there is none.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.earliest
    }
}

/// What they are.
pub(crate) enum Part {
    /// Of a message: its subscription, its number.
    Message(Birth, u32),
    /// Last values, once more.
    Again,
    /// Missed ones, which this session asked for.
    Missed(Birth),
    /// None: what this session is to write down once all before is durable. It claims all that was handed over until then,
    /// so that no other session may, which begins because something of that was not accepted.
    Marks(Birth, Box<Marks>),
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
        let mut turns = interval(ROLL_CALL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asking: OptionFuture<BoxFuture<'a, Asked>> = None.into();
        let mut idle = true;
        let mut beats = Beats::new(self.points.beat());
        let mut notes = interval(backfill::NOTE);
        notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refreshing: OptionFuture<Called<'a, ()>> = self.refresh().into();
        let mut refreshed = false;
        let mut history: OptionFuture<BoxFuture<'a, Answered>> = None.into();
        let mut asking_history = false;
        self.note_what_is_open().await;
        self.ask_for_unheard().await?;
        self.points.expect_repeats();
        loop {
            if self.outstanding.is_empty() {
                self.listen_anew();
            }
            self.ask();
            let deadline = self.deadline();
            let history_due = self.history_due().filter(|_| !asking_history);
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
                _ = turns.tick(), if idle => {
                    asking = self.ask_silent().into();
                    idle = false;
                    if refreshed && self.points.take_refresh_required() {
                        refreshing = self.refresh().into();
                        refreshed = false;
                    }
                }
                answer = &mut refreshing, if !refreshed => {
                    refreshing = None.into();
                    refreshed = true;
                    match answer {
                        Some(Err(why)) => self.points.refuse_refresh(&why),
                        Some(Ok(())) => self.points.take_refresh(),
                        None => {}
                    }
                }
                // What is not durable yet is not repeated on top of it.
                () = beats.tick(), if self.undurable.len() < MAX_UNDURABLE => {
                    let again = self.points.due();
                    self.send_again(again).await?;
                }
                answers = &mut asking, if !idle => {
                    asking = None.into();
                    idle = true;
                    if let Some(answers) = answers {
                        self.answered(answers).await?;
                    }
                }
                Some(()) = self.learning.next() => self.points.learned(),
                step = following::next(&mut self.following) => {
                    self.follow(step).await?;
                    beats.keep_to(self.points.beat());
                }
                () = sleep_until(history_due.unwrap_or(deadline)), if history_due.is_some() => {
                    history = self.ask_history().into();
                    asking_history = true;
                }
                answered = &mut history, if asking_history => {
                    (history, asking_history) = (None.into(), false);
                    if let Some(answered) = answered {
                        self.take_history(answered).await?;
                    }
                }
                _ = notes.tick() => self.note(),
                true = self.points.stands_otherwise() => self.points.tell(),
                saved = &mut self.saver.saving, if self.saver.is_saving => self.saved(saved),
                () = sleep_until(deadline), if !self.outstanding.is_empty() => self.silence().await?,
            }
        }
    }

    /// Asks the server to tell the open conditions; `None` when no events are watched. Theirs is the last subscription.
    fn refresh(&mut self) -> Option<Called<'a, ()>> {
        let subscription = self.feeds.last()?.id;
        let watched = self.points.ask_for_conditions();
        watched.then(|| self.connection.refresh_conditions(subscription))
    }

    fn kept(&mut self, kept: Kept) -> Result<(), SourceError> {
        let earliest = kept.earliest;
        match (kept.durable, kept.part) {
            (Ok(()), Part::Message(of, sequence)) => {
                if let Some(feed) = self.feed(&of) {
                    feed.kept(sequence);
                }
            }
            (Ok(()), Part::Missed(session)) if session == self.session => {
                self.missed_under_way = false;
            }
            (Ok(()), Part::Marks(session, marks)) if session == self.session => {
                self.saver.save(*marks, self.ctx);
            }
            (Ok(()), Part::Again | Part::Missed(_) | Part::Marks(..)) => {}
            (Err(why), part) => {
                if let Part::Message(of, sequence) = part
                    && let Some(feed) = self.feed(&of)
                {
                    feed.refused(sequence);
                }
                self.refused_since = resume::earliest(self.refused_since, earliest);
                self.points.forget();
                return Err(SourceError::Lost(format!("the readings were {why}")));
            }
        }
        Ok(())
    }

    /// The subscription that is meant; `None` when another one stands in its place, whatever its number is.
    fn feed(&mut self, of: &Birth) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.birth == *of)
    }

    /// Asks for the messages that the server sent to a session that was lost, or kept for it.
    async fn ask_for_unheard(&mut self) -> Result<(), SourceError> {
        for feed in 0..self.feeds.len() {
            let Found { again, gone } = self.feeds[feed].take_found();
            if gone > 0 {
                self.gap_since(feed, gone as u64, self.refused_since);
            }
            for sequence in again {
                if let Arrival::After(missing) = self.feeds[feed].arrive_again(sequence) {
                    self.gap(feed, missing.len() as u64);
                }
                self.ask_again(feed, vec![sequence]).await?;
            }
        }
        self.refused_since = None;
        Ok(())
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

    fn deadline(&self) -> Instant {
        let deadlines = self.feeds.iter().map(Feed::deadline);
        deadlines.min().unwrap_or_else(Instant::now)
    }

    /// The first of the deadlines has passed.
    async fn silence(&mut self) -> Result<(), SourceError> {
        let now = Instant::now();
        if now.duration_since(self.deadline()) > STANDSTILL {
            // It is we who stood still, frozen or starved: what the server sent meanwhile is still to be read.
            self.listen_anew();
            return Ok(());
        }
        let silent: Vec<usize> = (0..self.feeds.len())
            .filter(|feed| self.feeds[*feed].deadline() <= now)
            .collect();
        let Some(first) = silent.first().map(|feed| &self.feeds[*feed]) else {
            return Ok(());
        };
        let seconds = first.silence.as_secs();
        if self.neighbours_talk(&silent, now) {
            for feed in silent {
                let why = format!("it sent nothing for {seconds} s, while others did");
                self.make_anew(feed, &why).await?;
            }
            return Ok(());
        }
        if silent.iter().any(|feed| self.feeds[*feed].is_untested()) {
            self.spoiled = true;
            return Err(lost(
                "the server handed it over to this session and then said nothing of it; it is made anew",
            ));
        }
        Err(lost(&format!(
            "it sent nothing for {seconds} s, not even a keep-alive; is it overloaded or stopped?"
        )))
    }

    /// Nobody listened until now, so that nobody can have been silent.
    fn listen_anew(&mut self) {
        let now = Instant::now();
        for feed in &mut self.feeds {
            feed.heard(now);
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
            Err(why) => return Err(lost(&why.to_string())),
        };
        let id = published.subscription;
        let Some(feed) = self.feeds.iter().position(|feed| feed.id == id) else {
            return Ok(());
        };
        if self.feeds[feed].is_stale(&published) {
            return Ok(());
        }
        self.feeds[feed].heard(Instant::now());
        match self.feeds[feed].arrive(&published) {
            Arrival::Due => {}
            Arrival::Repeated => return Ok(()),
            Arrival::After(missing) => self.ask_again(feed, missing).await?,
            Arrival::FarAfter(count) => self.gap(feed, count.into()),
        }
        self.take(feed, published.notification).await
    }

    /// Asks for missing messages while the server keeps them.
    async fn ask_again(&mut self, feed: usize, missing: Vec<u32>) -> Result<(), SourceError> {
        for (at, sequence) in missing.iter().copied().enumerate() {
            let again = self.connection.republish(self.feeds[feed].id, sequence);
            let again = tokio::select! {
                () = self.ctx.shutdown.cancelled() => {
                    // What comes behind them must not hide that they are missing.
                    self.gap(feed, (missing.len() - at) as u64);
                    return Ok(());
                }
                again = again => again,
            };
            match again {
                Ok(notification) if notification.sequence == sequence => {
                    self.take(feed, notification).await?;
                }
                // Some servers answer with an empty message instead.
                Ok(_) => self.give_up(feed, sequence),
                Err(why) if why.is("BadMessageNotAvailable") => self.give_up(feed, sequence),
                Err(why) => return Err(lost(&why.to_string())),
            }
        }
        Ok(())
    }

    /// The server has the message no longer.
    fn give_up(&mut self, feed: usize, sequence: u32) {
        self.feeds[feed].settle(sequence);
        self.gap_since(feed, 1, self.refused_since);
    }

    fn gap(&mut self, feed: usize, messages: u64) {
        self.gap_since(feed, messages, None);
    }

    /// With the earliest value that was in them, where that is known and may be older than what came since.
    fn gap_since(&mut self, feed: usize, messages: u64, since: Option<Timestamp>) {
        tracing::warn!(
            source = %self.ctx.id,
            messages,
            "messages of the subscription were lost between the server and the gateway"
        );
        self.points.lost_messages(feed, messages, since);
        if let Some(following) = &mut self.following {
            following.missed(self.feeds[feed].id);
        }
        // Events have a subscription of their own, the last one.
        if feed + 1 == self.feeds.len() {
            self.points.lost_events();
        }
        self.saver.hurry();
        self.note();
    }

    /// Hands a message's readings over.
    async fn take(
        &mut self,
        feed: usize,
        mut notification: Notification,
    ) -> Result<(), SourceError> {
        if let Some(following) = &mut self.following {
            following.hear(&mut notification);
        }
        let sequence = notification.sequence;
        if notification.lost > 0 {
            self.points.lost_values(notification.lost);
        }
        if notification.keep_alive {
            self.feeds[feed].settle(sequence);
        } else {
            let mut readings = self.points.readings(into_rounds(notification.changes));
            readings.extend(self.points.happened(notification.events));
            self.saver.count(readings.len());
            let part = Part::Message(self.feeds[feed].birth.clone(), sequence);
            self.hand_over(part, readings).await?;
            let again = self.points.message();
            self.send_again(again).await?;
        }
        match notification.ended {
            Some(why) if !why.is("Good") => {
                let birth = self.feeds[feed].birth.clone();
                self.ended.push((birth, why));
            }
            _ => {}
        }
        Ok(())
    }

    async fn hand_over(&mut self, part: Part, readings: Vec<Reading>) -> Result<(), SourceError> {
        if readings.is_empty() {
            if let Part::Message(of, sequence) = part
                && let Some(feed) = self.feed(&of)
            {
                feed.kept(sequence);
            }
            return Ok(());
        }
        let earliest = earliest(&part, &readings);
        self.handing = true;
        // Shutdown ends the wait for room; what was not handed over is not acknowledged either.
        let durable = tokio::select! {
            () = self.ctx.shutdown.cancelled() => return Ok(()),
            durable = self.ctx.readings.send_durable(readings) => durable?,
        };
        if let Part::Message(of, sequence) = &part
            && let Some(feed) = self.feed(of)
        {
            feed.settle(*sequence);
        }
        self.undurable.push_back(Box::pin(async move {
            let durable = durable.await;
            Kept {
                part,
                earliest,
                durable,
            }
        }));
        self.handing = false;
        Ok(())
    }

    /// Last values go the same way as new ones, in messages of the same size.
    async fn send_again(&mut self, mut readings: Vec<Reading>) -> Result<(), SourceError> {
        while !readings.is_empty() {
            let rest = readings.split_off(readings.len().min(MAX_REPEATED));
            self.hand_over(Part::Again, readings).await?;
            readings = rest;
        }
        Ok(())
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

/// The earliest of the readings by the source's time.
fn earliest(part: &Part, readings: &[Reading]) -> Option<Timestamp> {
    if let Part::Missed(_) = part {
        // They are still in the gaps as they were written down last.
        return None;
    }
    let own = readings.iter().filter(|reading| reading.at != reading.seen);
    own.map(|reading| reading.at).min()
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
