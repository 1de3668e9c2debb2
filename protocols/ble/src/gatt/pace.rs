//! `Cause` and `Pace`: why a connection ended, by what is done next, and how long it waits before the next attempt. Pure.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::{Address, radio::RadioError};

const SOON: Duration = Duration::from_millis(500);
const SOON_AT_MOST: Duration = Duration::from_secs(30);
const SLOW: Duration = Duration::from_secs(30);
const SLOW_AT_MOST: Duration = Duration::from_secs(600);

/// Why a connection ended or was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is not there: soon again.
    Away,
    /// The link broke: soon again.
    Broken,
    /// It must be paired: slowly, and people are told.
    Unpaired,
    /// It refuses what the settings want: slowly, and people are told.
    Refused,
    /// It or the system has something else to do: soon again.
    Busy,
    /// The adapter or the system's Bluetooth: others mend that; soon again.
    Radio,
}

/// Attempts that failed in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    failures: u32,
}

// === impl Cause ===

impl Cause {
    pub(super) fn of(error: &RadioError) -> Self {
        match error {
            RadioError::Away(_) => Self::Away,
            RadioError::Broken(_) => Self::Broken,
            RadioError::Unpaired(_) => Self::Unpaired,
            RadioError::Refused(_) => Self::Refused,
            RadioError::Busy(_) => Self::Busy,
            RadioError::NoDaemon(_) | RadioError::NoPermission(_) | RadioError::NoAdapter(_) => {
                Self::Radio
            }
        }
    }

    fn is_slow(self) -> bool {
        matches!(self, Self::Unpaired | Self::Refused)
    }
}

// === impl Pace ===

impl Pace {
    /// How long to wait after one more failure: twice as long each time, a quarter more or less, so that devices that were lost
    /// together do not come back together.
    pub(super) fn failed(&mut self, cause: Cause, who: Address) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let (first, most) = match cause.is_slow() {
            true => (SLOW, SLOW_AT_MOST),
            false => (SOON, SOON_AT_MOST),
        };
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(10));
        doubled.min(most).mul_f64(jitter(who, self.failures))
    }

    /// A connection held and gave values.
    pub(super) fn worked(&mut self) {
        self.failures = 0;
    }

    /// A connection gave values and broke soon: what comes in between is worth having, so that it is not left for long.
    pub(super) fn gave(&mut self) {
        self.failures = self.failures.min(2);
    }

    pub(super) fn failures(self) -> u32 {
        self.failures
    }
}

/// From 0.75 to 1.25: as good as random, and the same in each test.
fn jitter(who: Address, failures: u32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (who, failures).hash(&mut hasher);
    let part = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
    0.75 + f64::from(part) / f64::from(u32::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lost_come_back_soon_and_the_refused_slowly() {
        let check = |cause, expected: [f64; 9]| {
            let mut pace = Pace::default();
            for seconds in expected {
                let waits = pace.failed(cause, Address([7; 6])).as_secs_f64();
                assert!(
                    (seconds * 0.75..=seconds * 1.25).contains(&waits),
                    "{waits}"
                );
            }
            pace.worked();
            assert_eq!(pace.failures(), 0);
        };
        check(
            Cause::Broken,
            [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0],
        );
        check(
            Cause::Refused,
            [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0, 600.0],
        );
        assert_ne!(
            Pace::default().failed(Cause::Away, Address([1; 6])),
            Pace::default().failed(Cause::Away, Address([2; 6]))
        );
    }
}
