//! `Histogram`: how often something took how long, in fixed buckets, for Prometheus.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The buckets' upper bounds in seconds; what took longer is counted in none of them.
pub const BOUNDS_S: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Counts durations.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_S.len()],
    count: AtomicU64,
    sum_nanos: AtomicU64,
}

/// What was counted until now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// How many took at most as long as the bound of the same place.
    pub at_most: [u64; BOUNDS_S.len()],
    pub count: u64,
    pub sum_s: f64,
}

impl Histogram {
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS_S.iter().position(|bound| seconds <= *bound);
        if let Some(bucket) = bucket.and_then(|place| self.buckets.get(place)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// The buckets are read before the count, so that none is larger than it.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let mut sum = 0;
        let at_most = std::array::from_fn(|place| {
            sum += self.buckets[place].load(Ordering::Relaxed);
            sum
        });
        Counted {
            at_most,
            count: self.count.load(Ordering::Relaxed).max(sum),
            sum_s: Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_the_slowest_are_only_in_the_count() {
        let histogram = Histogram::default();
        for millis in [1, 2, 2, 300, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let counted = histogram.counted();
        assert_eq!(counted.at_most, [1, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4]);
        assert_eq!((counted.count, counted.sum_s), (5, 60.305));
    }
}
