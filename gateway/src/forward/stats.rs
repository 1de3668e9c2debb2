//! What a forwarder has done, for the console and the metrics.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use fieldgate_model::Timestamp;

use crate::{histogram::Histogram, meter::Meter};

/// How many of the last acknowledgements the median is taken of.
const LATENCIES: usize = 128;
/// How many of the last delays the percentiles are taken of.
const DELAYS: usize = 4096;
/// How many different refusals are told apart; the rest is counted together.
const REASONS: usize = 50;

/// Counters of one forwarder since the start of the gateway.
#[derive(Debug, Default)]
pub struct ForwardStats {
    /// Readings that the far side acknowledged.
    pub acked: Meter,
    /// Readings that the far side refused for their own sake.
    pub refused: Meter,
    /// From sending a batch to its acknowledgement, in seconds.
    pub ack_latency: Histogram,
    in_flight: AtomicU64,
    last_ack_nanos: AtomicI64,
    latencies: Mutex<VecDeque<f64>>,
    delays: Mutex<VecDeque<f64>>,
    rejected: Mutex<BTreeMap<String, u64>>,
    throttled: Mutex<BTreeMap<String, u64>>,
    tried_again: AtomicU64,
    unheard: AtomicU64,
}

/// How long a destination needs to catch up; `None` while its queue does not shrink. Rates are readings a second.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
pub fn catch_up(pending: u64, acked_per_s: f64, accepted_per_s: f64) -> Option<Duration> {
    /// Beyond a year it is no estimate.
    const LONGEST_S: f64 = 365.0 * 86_400.0;
    /// As many seconds of delivery are always on their way.
    const CAUGHT_UP_S: f64 = 2.0;
    /// A gain within the noise of the rates says nothing.
    const NOISE: f64 = 0.01;
    let pending = pending as f64;
    if pending <= acked_per_s * CAUGHT_UP_S {
        return Some(Duration::ZERO);
    }
    let gain = acked_per_s - accepted_per_s;
    let seconds = pending / gain;
    (gain > acked_per_s * NOISE && seconds < LONGEST_S).then(|| Duration::from_secs_f64(seconds))
}

impl ForwardStats {
    pub(super) fn acknowledged(&self, readings: u64, at: Timestamp, took: Duration) {
        self.acked.add(readings);
        self.last_ack_nanos.store(at.nanos(), Ordering::Relaxed);
        self.ack_latency.observe(took);
        remember(&self.latencies, LATENCIES, took.as_secs_f64() * 1000.0);
    }

    /// Remembers how long ago the source observed what was just acknowledged.
    pub(super) fn delayed(&self, sampled: &[Timestamp], now: Timestamp) {
        for at in sampled {
            let nanos = now.nanos().saturating_sub(at.nanos());
            remember(&self.delays, DELAYS, nanos as f64 / 1e6);
        }
    }

    pub(super) fn set_in_flight(&self, readings: u64) {
        self.in_flight.store(readings, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, why: &str) {
        self.refused.add(1);
        count_reason(&self.rejected, why);
    }

    /// The far side asked for less.
    pub(super) fn throttled(&self, why: &str) {
        count_reason(&self.throttled, why);
    }

    /// Readings were refused and are sent once more.
    pub(super) fn tried_again(&self, readings: u64) {
        self.tried_again.fetch_add(readings, Ordering::Relaxed);
    }

    /// Readings were acknowledged while nobody was there to receive them.
    pub(super) fn unheard(&self, readings: u64) {
        self.unheard.fetch_add(readings, Ordering::Relaxed);
    }

    /// Readings sent and not yet acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn last_ack(&self) -> Option<Timestamp> {
        match self.last_ack_nanos.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Timestamp::from_nanos(nanos)),
        }
    }

    /// The median of the last acknowledgements, in milliseconds.
    #[must_use]
    pub fn ack_ms(&self) -> Option<f64> {
        percentile(&self.latencies, 0.5)
    }

    /// Milliseconds from the source's timestamp to the acknowledgement: the share `part` of the last readings took at most this.
    #[must_use]
    pub fn delay_ms(&self, part: f64) -> Option<f64> {
        percentile(&self.delays, part)
    }

    /// Refused readings by the far side's own words.
    #[must_use]
    pub fn rejected(&self) -> BTreeMap<String, u64> {
        reasons(&self.rejected)
    }

    /// The far side's most frequent words about what it refused.
    #[must_use]
    pub fn most_refused(&self) -> Option<String> {
        let refused = self.rejected().into_iter();
        refused.max_by_key(|(_, count)| *count).map(|(why, _)| why)
    }

    /// How often the far side asked for less, by its own words.
    #[must_use]
    pub fn throttles(&self) -> BTreeMap<String, u64> {
        reasons(&self.throttled)
    }

    /// Readings that were sent again after a refusal.
    #[must_use]
    pub fn attempts_repeated(&self) -> u64 {
        self.tried_again.load(Ordering::Relaxed)
    }

    /// Readings that the far side took while nobody was there to receive them (MQTT 5 reason 0x10).
    #[must_use]
    pub fn acked_unheard(&self) -> u64 {
        self.unheard.load(Ordering::Relaxed)
    }
}

fn count_reason(reasons: &Mutex<BTreeMap<String, u64>>, why: &str) {
    let mut reasons = reasons.lock().expect("nothing panics while holding it");
    let why = if reasons.len() < REASONS || reasons.contains_key(why) {
        why
    } else {
        "other reasons"
    };
    *reasons.entry(why.to_owned()).or_insert(0) += 1;
}

fn reasons(reasons: &Mutex<BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    reasons
        .lock()
        .expect("nothing panics while holding it")
        .clone()
}

fn remember(figures: &Mutex<VecDeque<f64>>, most: usize, figure: f64) {
    let mut figures = figures.lock().expect("nothing panics while holding it");
    if figures.len() == most {
        figures.pop_front();
    }
    figures.push_back(figure);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index within the list"
)]
fn percentile(figures: &Mutex<VecDeque<f64>>, part: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = figures
        .lock()
        .expect("nothing panics while holding it")
        .iter()
        .copied()
        .collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    sorted
        .get((last as f64 * part.clamp(0.0, 1.0)).round() as usize)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_does_not_shrink_has_no_end_in_sight() {
        for (pending, acked, accepted, seconds) in [
            (0, 0.0, 5.0, Some(0)),
            (100, 100.0, 100.0, Some(0)),
            (10_000, 100.5, 100.0, None),
            (1000, 110.0, 10.0, Some(10)),
            (1000, 10.0, 10.0, None),
            (1000, 0.0, 10.0, None),
            (1000, 0.0, 0.0, None),
            (u64::MAX, 1.0, 0.0, None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(
                catch_up(pending, acked, accepted),
                expected,
                "{pending} {acked} {accepted}"
            );
        }
    }
}
