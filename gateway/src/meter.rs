//! `Meter`: a counter that also knows its rate over the last seconds.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How far back a rate looks.
const WINDOW: Duration = Duration::from_secs(5);

/// Counts readings; [`Meter::sample`], called about once a second, gives it a sense of time.
#[derive(Debug, Default)]
pub struct Meter {
    total: AtomicU64,
    samples: Mutex<VecDeque<(Instant, u64)>>,
}

impl Meter {
    pub fn add(&self, readings: u64) {
        self.total.fetch_add(readings, Ordering::Relaxed);
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Remembers where the counter stands now.
    pub fn sample(&self, now: Instant) {
        let mut samples = self
            .samples
            .lock()
            .expect("nothing panics while holding it");
        while samples
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            samples.pop_front();
        }
        samples.push_back((now, self.total()));
    }

    /// Readings a second between the oldest and the newest sample of the window.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    pub fn rate(&self) -> f64 {
        let samples = self
            .samples
            .lock()
            .expect("nothing panics while holding it");
        match (samples.front(), samples.back()) {
            (Some((from, low)), Some((to, high))) if to > from => {
                (high - low) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_per_second_over_the_window() {
        let meter = Meter::default();
        let start = Instant::now();
        for second in 0..=10 {
            meter.sample(start + Duration::from_secs(second));
            meter.add(100);
        }
        assert!((meter.rate() - 100.0).abs() < f64::EPSILON);
        assert_eq!(meter.total(), 1100);
    }
}
