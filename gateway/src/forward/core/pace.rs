//! `Pace`: how much may be under way, how large a batch is, and when the next may go. Pure; time is an argument.
//!
//! The window opens by one batch for each acknowledgement until trouble halves it, then by one for each round trip
//! (additive increase, multiplicative decrease, as TCP does). Trouble is a far side that says so, or an acknowledgement
//! that takes more than half of its timeout: on a slow line a full window would outlast the timeout, and end the link
//! again and again.

use std::{num::NonZeroU32, time::Duration};

use fieldgate_kit::{BatchLimits, Throttle};

/// The first wait after a far side said "less" and not when; it doubles with every further word.
const FIRST_HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// A far side that asks for longer is asked again after this all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// A new link begins with so many batches under way.
const FIRST_WINDOW: f64 = 2.0;
/// Growing latency counts only when it is this many times the best one, and long enough to matter.
const LATENCY_GROWTH: u32 = 8;
const LATENCY_MATTERS: Duration = Duration::from_secs(1);
/// How long the best latency is believed.
const BEST_FOR: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Pace {
    most: usize,
    timeout: Duration,
    window: f64,
    /// Up to here the window opens with every acknowledgement.
    knee: f64,
    /// The share of a full batch that is sent, in 1..=1/128.
    share: f64,
    /// Nothing is sent before.
    hold_until: Duration,
    holds: u32,
    /// The window closes at most once for what was sent before.
    closed_at: Duration,
    best: Option<(Duration, Duration)>,
    bucket: Option<Bucket>,
}

/// A token bucket that may owe.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    tokens: f64,
    at: Duration,
}

// === impl Pace ===

impl Pace {
    #[must_use]
    pub fn new(limits: &BatchLimits) -> Self {
        let most = limits.in_flight.max(1);
        Self {
            most,
            timeout: limits.timeout,
            window: FIRST_WINDOW.min(most as f64),
            knee: most as f64,
            share: 1.0,
            hold_until: Duration::ZERO,
            holds: 0,
            closed_at: Duration::ZERO,
            best: None,
            bucket: limits.rate_limit.map(Bucket::new),
        }
    }

    /// How many batches may be under way.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and `most`"
    )]
    pub fn window(&self) -> usize {
        (self.window as usize).clamp(1, self.most)
    }

    /// How many readings a batch may have now.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most `full`"
    )]
    pub fn batch(&self, full: usize) -> usize {
        ((full as f64 * self.share) as usize).max(1)
    }

    /// Until when nothing is sent; in the past when it may be.
    #[must_use]
    pub fn hold_until(&self) -> Duration {
        self.hold_until
    }

    /// The rate limit's own word: how many readings may go now, or when to ask again.
    pub fn allowance(&mut self, now: Duration, wanted: usize) -> Result<usize, Duration> {
        match &mut self.bucket {
            Some(bucket) => bucket.allowance(now, wanted),
            None => Ok(wanted),
        }
    }

    pub fn sent(&mut self, readings: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(readings);
        }
    }

    /// A whole batch was answered.
    pub fn acknowledged(&mut self, now: Duration, sent: Duration) {
        self.holds = 0;
        let took = now.saturating_sub(sent);
        let best = match self.best {
            Some((best, at)) if best < took && now.saturating_sub(at) < BEST_FOR => best,
            _ => {
                self.best = Some((took, now));
                took
            }
        };
        let grown = took > LATENCY_MATTERS.max(best * LATENCY_GROWTH);
        if took > self.timeout / 2 || grown {
            self.close(now, sent);
        } else if took < self.timeout / 4 {
            self.open();
        }
        if took < self.timeout / 8 {
            self.share = (self.share * 1.1).min(1.0);
        }
    }

    fn open(&mut self) {
        let step = if self.window < self.knee {
            1.0
        } else {
            1.0 / self.window
        };
        self.window = (self.window + step).min(self.most as f64);
    }

    /// Halves the window; and the batches, where one alone is slow.
    fn close(&mut self, now: Duration, sent: Duration) {
        if sent < self.closed_at {
            return;
        }
        self.closed_at = now;
        if self.window < 2.0 {
            self.smaller();
        }
        self.window = (self.window / 2.0).max(1.0);
        self.knee = self.window;
    }

    /// Batches get smaller: one was too large.
    pub fn smaller(&mut self) {
        self.share = (self.share / 2.0).max(1.0 / 128.0);
    }

    /// The far side wants less. Returns until when nothing is sent.
    pub fn throttled(&mut self, now: Duration, sent: Duration, throttle: &Throttle) -> Duration {
        let first_word = sent >= self.closed_at;
        self.close(now, sent);
        if first_word {
            self.holds = self.holds.saturating_add(1);
        }
        let own = FIRST_HOLD * (1 << self.holds.saturating_sub(1).min(6));
        let wait = match throttle.retry_after {
            Some(asked) => asked.min(LONGEST_RETRY_AFTER),
            None => own.min(LONGEST_HOLD),
        };
        self.hold_until = self.hold_until.max(now + wait);
        self.hold_until
    }

    /// A new link: what an old one taught of the size of batches stays, the window opens anew.
    pub fn link_lost(&mut self) {
        self.knee = (self.window / 2.0).max(FIRST_WINDOW).min(self.most as f64);
        self.window = FIRST_WINDOW.min(self.most as f64);
        self.best = None;
    }
}

// === impl Bucket ===

impl Bucket {
    #[must_use]
    pub fn new(rate: NonZeroU32) -> Self {
        let rate = f64::from(rate.get());
        Self {
            rate,
            tokens: (rate / 4.0).max(1.0),
            at: Duration::ZERO,
        }
    }

    /// How many of `wanted` may go; or when to ask again. A quarter of a second's worth is saved up at most, and batches
    /// are cut to that, so that an alarm waits no longer.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "tokens are above 1 there"
    )]
    pub fn allowance(&mut self, now: Duration, wanted: usize) -> Result<usize, Duration> {
        let most = (self.rate / 4.0).max(1.0);
        let gained = now.saturating_sub(self.at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(most);
        self.at = self.at.max(now);
        let enough = (wanted as f64).min(most);
        // A rounding of the clock must not leave a sleeper one millionth short.
        if self.tokens + 1e-6 >= enough {
            return Ok(wanted.min((self.tokens + 1e-6) as usize).max(1));
        }
        Err(now + Duration::from_secs_f64((enough - self.tokens) / self.rate))
    }

    pub fn spend(&mut self, readings: usize) {
        self.tokens -= readings as f64;
    }
}
