//! One subscription is made anew in the same session while its neighbours go on: it fell silent, it does not tell what
//! changes, or the server ended it.

use std::time::Duration;

use fieldgate_kit::SourceError;
use tokio::time::Instant;

use super::{Feed, Publishing, lost};
use crate::{connection::Subscription, sequence::Arrival, status::Status, subscribe};

/// The most messages that are asked for before the old subscription is given up.
const MAX_UNHEARD: usize = 100;

impl Publishing<'_> {
    /// Whether others were heard while this one was silent. Their proof is a message or a keep-alive in time.
    pub(super) fn neighbours_talk(&self, silent: &[usize], now: Instant) -> bool {
        let mut others = (0..self.feeds.len()).filter(|feed| !silent.contains(feed));
        others.any(|feed| self.feeds[feed].is_talking(now))
    }

    /// Those that the server ended while it goes on with others.
    pub(super) async fn replace_ended(&mut self) -> Result<(), SourceError> {
        for (of, why) in std::mem::take(&mut self.ended) {
            let Some(feed) = self.feeds.iter().position(|feed| feed.birth == of) else {
                continue;
            };
            if self.feeds.len() == 1 {
                return Err(lost(&why.to_string()));
            }
            self.make_anew(feed, &format!("the server ended it: {why}"))
                .await?;
        }
        Ok(())
    }

    /// Takes what the server still keeps of it, deletes it, and asks for the same in a new one. The others' messages wait
    /// meanwhile.
    ///
    /// # Errors
    /// When the server does not make it, or it was made anew before and said nothing since then.
    pub(super) async fn make_anew(&mut self, feed: usize, why: &str) -> Result<(), SourceError> {
        let began = Instant::now();
        let words = self.feeds[feed].words();
        if self.feeds[feed].is_unproven() {
            return Err(lost(&format!(
                "subscription {words} was made anew and said nothing since then ({why})"
            )));
        }
        tracing::warn!(source = %self.ctx.id, subscription = words, why, "the subscription is made anew");
        self.take_unheard(feed).await?;
        let asked = |why: Status| lost(&format!("subscription {words} cannot be made anew: {why}"));
        // Cut off in the middle, its number may stand for another one, or for half of it.
        let spoiled = std::mem::replace(&mut self.spoiled, true);
        // Whether or not it is there any more, its items are not to be told twice.
        let _deleted = self.connection.unsubscribe(self.feeds[feed].id).await;
        let request = subscribe::request(self.feeds[feed].pace_ms());
        let made = self.connection.subscribe(request).await.map_err(asked)?;
        self.monitor_anew(feed, made).await.map_err(asked)?;
        self.feeds[feed].begin_anew(&made, Instant::now());
        self.spoiled = spoiled;
        self.points.made_anew(feed);
        self.saver.hurry();
        self.note();
        for other in &mut self.feeds {
            other.pass_over(began.elapsed());
        }
        Ok(())
    }

    async fn monitor_anew(&mut self, feed: usize, made: Subscription) -> Result<(), Status> {
        let handles = self.points.handles_of(feed);
        for chunk in handles.chunks(self.per_monitor) {
            let (handles, requests): (Vec<usize>, Vec<_>) = chunk
                .iter()
                .filter_map(|handle| Some((*handle, self.points.request(*handle)?)))
                .unzip();
            let results = self.connection.monitor(made.id, requests).await?;
            for (handle, result) in handles.into_iter().zip(results) {
                self.points.made_again(handle, result);
            }
        }
        if let Some(following) = &mut self.following {
            following.listen_again(self.feeds[feed].id, made).await?;
        }
        // Events have a subscription of their own, the last one.
        if let Some(events) = self.points.events()
            && handles.is_empty()
            && feed + 1 == self.feeds.len()
        {
            events.watch_again(self.connection, made.id).await?;
            self.points.require_refresh();
        }
        Ok(())
    }

    /// Messages that were sent and never came.
    async fn take_unheard(&mut self, feed: usize) -> Result<(), SourceError> {
        for _ in 0..MAX_UNHEARD {
            let (id, due) = (self.feeds[feed].id, self.feeds[feed].due());
            match self.connection.republish(id, due).await {
                Ok(notification) if notification.sequence == due && !notification.keep_alive => {
                    let Arrival::Due = self.feeds[feed].arrive_again(due) else {
                        return Ok(());
                    };
                    self.take(feed, notification).await?;
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}

/// After so long a subscription that does not tell what changes is made anew once more, and then after twice as long.
const DEAF_PAUSE: Duration = Duration::from_secs(60);

// === impl Feed ===

impl Feed {
    /// Whether it is to be made anew for being deaf; not again and again, for there are servers that stay deaf.
    pub(super) fn may_be_deaf(&mut self, now: Instant) -> bool {
        if self.deaf_until.is_some_and(|until| now < until) {
            return false;
        }
        self.deaf_times = (self.deaf_times + 1).min(10);
        self.deaf_until = Some(now + DEAF_PAUSE * 2_u32.pow(self.deaf_times - 1));
        true
    }
}
