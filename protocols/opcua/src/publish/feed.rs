//! `Feed`: one subscription while it runs: the order of its messages, and how long it may be silent. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    connection::{Acknowledgement, Published, Subscription},
    sequence::{Arrival, Sequence},
};

/// Added to the time after which the server must have sent at least a keep-alive.
const SILENCE_MARGIN: Duration = Duration::from_secs(3);

/// Where a subscription is.
pub(super) struct Feed {
    pub id: u32,
    publishing_ms: f64,
    /// The longest time without even a keep-alive.
    pub silence: Duration,
    heard: Instant,
    sequence: Sequence,
}

// === impl Feed ===

impl Feed {
    pub(super) fn new(subscription: &Subscription, now: Instant) -> Self {
        let count = f64::from(subscription.keep_alive_count.max(1));
        let milliseconds = (subscription.publishing_ms * count).clamp(0.0, 86_400_000.0);
        Self {
            id: subscription.id,
            publishing_ms: subscription.publishing_ms,
            silence: Duration::from_secs_f64(milliseconds / 1000.0) + SILENCE_MARGIN,
            heard: now,
            sequence: Sequence::default(),
        }
    }

    /// When it has to be given up.
    pub(super) fn deadline(&self) -> Instant {
        self.heard + self.silence
    }

    /// Something of it was heard, or we did not listen until now.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Nobody listened for so long.
    pub(super) fn pass_over(&mut self, unheard: Duration) {
        self.heard += unheard;
    }

    /// What a message is in the order of the subscription.
    pub(super) fn arrive(&mut self, published: &Published) -> Arrival {
        self.sequence.set_available(&published.available);
        let notification = &published.notification;
        if notification.keep_alive {
            self.sequence.keep_alive(notification.sequence)
        } else {
            self.sequence.message(notification.sequence)
        }
    }

    /// The message's readings are durable.
    pub(super) fn kept(&mut self, sequence: u32) {
        self.sequence.kept(sequence);
    }

    /// What the next Publish request acknowledges.
    pub(super) fn take_acknowledgements(&mut self) -> impl Iterator<Item = Acknowledgement> {
        let subscription = self.id;
        let kept = self.sequence.take_acknowledgements();
        kept.into_iter().map(move |sequence| Acknowledgement {
            subscription,
            sequence,
        })
    }

    /// `7, publishing every 500 ms`
    pub(super) fn words(&self) -> String {
        format!("{}, publishing every {} ms", self.id, self.publishing_ms)
    }
}
