//! When the next look at the address space is due, and how much of the time looks may take. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Changes come in groups: one look for all of them.
const SETTLE: Duration = Duration::from_millis(500);
/// Between two looks, however much changes.
const REST: Duration = Duration::from_secs(2);
/// A look takes at most a tenth of the time.
const SHARE: u32 = 9;
/// After a look that failed.
const RETRY: Duration = Duration::from_secs(30);

/// Until when to wait.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    every: Duration,
    due: Instant,
    earliest: Instant,
    /// Something changed while a look was under way.
    again: bool,
}

// === impl Pace ===

impl Pace {
    pub(crate) fn new(every: Duration, now: Instant) -> Self {
        Self {
            every,
            due: now + every,
            earliest: now,
            again: false,
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The server says that something changed.
    pub(crate) fn told(&mut self, now: Instant) {
        self.due = self.due.min((now + SETTLE).max(self.earliest));
        self.again = true;
    }

    /// A person wants it now.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.due = now;
        self.again = true;
    }

    /// A look begins.
    pub(crate) fn begins(&mut self) {
        self.again = false;
    }

    /// A look ended, well or not.
    pub(crate) fn ended(&mut self, took: Duration, well: bool, now: Instant) {
        self.earliest = now + (took * SHARE).max(REST);
        let next = match (self.again, well) {
            (true, _) => self.earliest,
            (false, true) => now + self.every,
            (false, false) => now + self.every.min(RETRY),
        };
        self.due = next.max(self.earliest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_look_is_due_by_time_soon_after_a_change_and_at_once_when_asked_for() {
        let start = Instant::now();
        let pace = || Pace::new(ms(600_000), start);
        let due = |pace: &Pace| pace.due() - start;
        assert_eq!(due(&pace()), ms(600_000));
        let mut told = pace();
        told.told(start + ms(100));
        told.told(start + ms(200));
        assert_eq!(due(&told), ms(600), "one look for several changes");
        let mut asked = pace();
        asked.asked(start + ms(7));
        assert_eq!(due(&asked), ms(7));
    }

    #[test]
    fn looks_take_a_tenth_of_the_time_at_most() {
        let start = Instant::now();
        for (took, well, changed, expected) in [
            (10, true, false, 60_000),
            (10, false, false, 30_000),
            (10, true, true, 2_000),
            (5_000, true, true, 45_000),
            (10_000, true, false, 90_000),
            (10_000, false, true, 90_000),
        ] {
            let mut pace = Pace::new(ms(60_000), start);
            pace.begins();
            if changed {
                pace.told(start);
            }
            pace.ended(ms(took), well, start);
            assert_eq!(pace.due() - start, ms(expected), "{took} {well} {changed}");
            pace.told(start);
            assert!(pace.due() - start >= ms(took * 9), "{took}");
        }
    }
}
