//! Messages of the subscriptions as they arrive: in their order, those that went missing asked for, what is in them handed over.

use fieldgate_kit::SourceError;
use fieldgate_model::Timestamp;
use tokio::time::Instant;

use super::{Part, Publishing, lost};
use crate::{
    connection::{Notification, Published},
    rounds::into_rounds,
    sequence::{Arrival, Found},
    status::Status,
};

/// What is said of a message, and would be said again whenever it is asked for: the server has it no longer, does not have the
/// service, or it is larger than agreed or cannot be read. The session has nothing to do with it.
const OF_THE_MESSAGE: [&str; 10] = [
    "BadMessageNotAvailable",
    "BadSequenceNumberUnknown",
    "BadSequenceNumberInvalid",
    "BadServiceUnsupported",
    "BadNotImplemented",
    "BadNotSupported",
    "BadDecodingError",
    "BadEncodingError",
    "BadEncodingLimitsExceeded",
    "BadResponseTooLarge",
];

fn is_of_the_message(why: &Status) -> bool {
    OF_THE_MESSAGE.iter().any(|name| why.is(name))
}

impl Publishing<'_> {
    /// Asks for the messages that the server sent to a session that was lost, or kept for it.
    pub(super) async fn ask_for_unheard(&mut self) -> Result<(), SourceError> {
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

    pub(super) async fn answer(
        &mut self,
        answer: Result<Published, Status>,
    ) -> Result<(), SourceError> {
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
    pub(super) async fn ask_again(
        &mut self,
        feed: usize,
        missing: Vec<u32>,
    ) -> Result<(), SourceError> {
        for (at, sequence) in missing.iter().copied().enumerate() {
            if !self.feeds[feed].may_ask_for(sequence) {
                self.give_up(feed, sequence);
                continue;
            }
            let again = self.connection.republish(self.feeds[feed].id, sequence);
            let again = tokio::select! {
                () = self.ctx.shutdown.cancelled() => {
                    // What comes behind them must not hide that they are missing.
                    self.gap(feed, (missing.len() - at) as u64);
                    return Ok(());
                }
                again = again => again,
            };
            let again = match again {
                Err(why) if !is_of_the_message(&why) => return Err(lost(&why.to_string())),
                again => again,
            };
            self.feeds[feed].is_answered();
            match again {
                Ok(notification) if notification.sequence == sequence => {
                    self.take(feed, notification).await?;
                }
                // Some servers answer with an empty message instead.
                Ok(_) => self.give_up(feed, sequence),
                Err(why) => {
                    tracing::debug!(%why, sequence, "a message is not to be had once more");
                    self.give_up(feed, sequence);
                }
            }
        }
        Ok(())
    }

    /// The message is not to be had: the server has it no longer, or it cannot be sent or read.
    fn give_up(&mut self, feed: usize, sequence: u32) {
        self.feeds[feed].settle(sequence);
        self.gap_since(feed, 1, self.refused_since);
    }

    pub(super) fn gap(&mut self, feed: usize, messages: u64) {
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
    pub(super) async fn take(
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
}
