//! `Feed`: one subscription while it runs: the order of its messages, and how long it may be silent. Pure.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    connection::{Acknowledgement, Published, Subscription},
    sequence::{Arrival, Found, Sequence},
};

/// Added to the time after which the server must have sent at least a keep-alive.
const SILENCE_MARGIN: Duration = Duration::from_secs(3);

/// The same for a subscription that was just taken over.
const UNTESTED_MARGIN: Duration = Duration::from_millis(500);

/// So many sessions may break off over one message before it is given up.
const MAX_BROKEN_OFF: u32 = 3;

/// One of its kind: there are servers that give a new subscription, or a new session's, the number of an old one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Birth(Arc<()>);

/// Where a subscription is.
pub(crate) struct Feed {
    pub id: u32,
    /// What is on its way to the disk says by this whose it is.
    pub(super) birth: Birth,
    publishing_ms: f64,
    /// The longest time without even a keep-alive.
    pub silence: Duration,
    heard: Instant,
    sequence: Sequence,
    /// Taken over from another session, and silent since then.
    untested: bool,
    /// Made anew in this session, and silent since then.
    unproven: bool,
    /// It has the number of the one in whose place it stands.
    reuses_number: bool,
    /// Messages to ask for once more, before anything else, and how many of those the server no longer has.
    found: Found,
    /// How often it did not tell what changed, and until when that is borne.
    pub(super) deaf_times: u32,
    pub(super) deaf_until: Option<Instant>,
    /// The message that was asked for and not answered yet, and in how many sessions.
    unanswered: Option<(u32, u32)>,
}

// === impl Birth ===

impl PartialEq for Birth {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

// === impl Feed ===

impl Feed {
    pub(super) fn new(subscription: &Subscription, now: Instant) -> Self {
        let count = f64::from(subscription.keep_alive_count.max(1));
        let milliseconds = (subscription.publishing_ms * count).clamp(0.0, 86_400_000.0);
        Self {
            id: subscription.id,
            birth: Birth::default(),
            publishing_ms: subscription.publishing_ms,
            silence: Duration::from_secs_f64(milliseconds / 1000.0) + SILENCE_MARGIN,
            heard: now,
            sequence: Sequence::default(),
            untested: false,
            unproven: false,
            reuses_number: false,
            found: Found::default(),
            deaf_times: 0,
            deaf_until: None,
            unanswered: None,
        }
    }

    /// Another subscription stands in its place.
    pub(super) fn begin_anew(&mut self, made: &Subscription, now: Instant) {
        *self = Self {
            unproven: true,
            reuses_number: made.id == self.id,
            deaf_times: self.deaf_times,
            deaf_until: self.deaf_until,
            ..Self::new(made, now)
        };
    }

    /// Made anew, and silent since then.
    pub(super) fn is_unproven(&self) -> bool {
        self.unproven
    }

    /// Heard as lately as it has to be, without any margin to speak of.
    pub(super) fn is_talking(&self, now: Instant) -> bool {
        !self.untested && now < self.heard + (self.silence - SILENCE_MARGIN + UNTESTED_MARGIN)
    }

    /// The number of the next message.
    pub(super) fn due(&self) -> u32 {
        self.sequence.due()
    }

    /// The publishing interval in whole milliseconds.
    pub(super) fn pace_ms(&self) -> u64 {
        let pace = Duration::from_secs_f64(self.publishing_ms.clamp(1.0, 86_400_000.0) / 1000.0);
        u64::try_from(pace.as_millis()).unwrap_or(u64::MAX)
    }

    /// Another session has it from now on; the server still keeps these messages.
    pub(crate) fn resume(&mut self, available: &[u32]) {
        // Found by a session that ended before it could ask.
        let former = std::mem::take(&mut self.found);
        for sequence in former.again {
            self.sequence.owe(sequence);
        }
        self.found = self.sequence.resume(available);
        self.found.gone += former.gone;
        self.heard = Instant::now();
        self.untested = true;
        // What was on its way went with the other session.
        self.reuses_number = false;
    }

    /// The messages to ask for once more, which are owed until they are handed over, and how many are gone.
    pub(super) fn take_found(&mut self) -> Found {
        for sequence in &self.found.again {
            self.sequence.owe(*sequence);
        }
        std::mem::take(&mut self.found)
    }

    /// The message is about to be asked for; false when sessions broke off over it so often that it is given up.
    pub(super) fn may_ask_for(&mut self, sequence: u32) -> bool {
        let times = match self.unanswered.take() {
            Some((known, times)) if known == sequence => times,
            _ => 0,
        };
        let may = times < MAX_BROKEN_OFF;
        self.unanswered = may.then_some((sequence, times + 1));
        may
    }

    /// The server answered, whatever it said, and the session goes on.
    pub(super) fn is_answered(&mut self) {
        self.unanswered = None;
    }

    /// Of the subscription that had this number before, and on its way when that one was deleted: a new one begins with 1.
    pub(super) fn is_stale(&self, published: &Published) -> bool {
        self.reuses_number && self.unproven && published.notification.sequence != 1
    }

    /// Silent since it was taken over: some servers hand over no more than the name.
    pub(super) fn is_untested(&self) -> bool {
        self.untested
    }

    /// When it has to be given up.
    pub(super) fn deadline(&self) -> Instant {
        // What was taken over has values to send at once.
        let silence = match self.untested {
            true => self.silence - SILENCE_MARGIN + UNTESTED_MARGIN,
            false => self.silence,
        };
        self.heard + silence
    }

    /// Something of it was heard, or we did not listen until now.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Nobody listened for so long.
    pub(super) fn pass_over(&mut self, unheard: Duration) {
        self.heard += unheard;
    }

    /// What a message is in the order of the subscription. It is owed from now on, and so are those that went missing.
    pub(super) fn arrive(&mut self, published: &Published) -> Arrival {
        (self.untested, self.unproven) = (false, false);
        self.sequence.set_available(&published.available);
        let notification = &published.notification;
        let arrival = if notification.keep_alive {
            self.sequence.keep_alive(notification.sequence)
        } else {
            self.arrive_again(notification.sequence)
        };
        if let Arrival::After(missing) = &arrival {
            for sequence in missing {
                self.sequence.owe(*sequence);
            }
        }
        arrival
    }

    /// What a message that was asked for once more is in the order of the subscription.
    pub(super) fn arrive_again(&mut self, sequence: u32) -> Arrival {
        let arrival = self.sequence.message(sequence);
        if arrival != Arrival::Repeated {
            self.sequence.owe(sequence);
        }
        arrival
    }

    /// The message's readings were not accepted.
    pub(super) fn refused(&mut self, sequence: u32) {
        self.sequence.owe(sequence);
    }

    /// The message's readings are on their way to the disk, or it is given up.
    pub(super) fn settle(&mut self, sequence: u32) {
        self.sequence.settle(sequence);
    }

    /// The message's readings are durable.
    pub(super) fn kept(&mut self, sequence: u32) {
        self.sequence.settle(sequence);
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

    pub(crate) fn publishing_ms(&self) -> f64 {
        self.publishing_ms
    }

    /// `7, publishing every 500 ms`
    pub(super) fn words(&self) -> String {
        format!("{}, publishing every {} ms", self.id, self.publishing_ms)
    }
}
