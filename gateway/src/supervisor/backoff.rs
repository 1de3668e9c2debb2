//! `Pace`: how long to wait before the next attempt. Pure, but for the dice.

use std::time::Duration;

/// An attempt that was healthy for so long starts the count anew.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// How attempts are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first ceiling; it doubles with every attempt.
    pub first: Duration,
    /// The last ceiling.
    pub most: Duration,
}

impl Pace {
    /// Lost, towards a device: half a second to two, so that data flows again within five seconds of the fault's end.
    pub const DEVICE: Self = Self {
        first: Duration::from_millis(500),
        most: Duration::from_secs(2),
    };
    /// Lost, towards a cloud: half a second to two minutes.
    pub const CLOUD: Self = Self {
        first: Duration::from_millis(500),
        most: Duration::from_secs(120),
    };
    /// Refused: half a minute to ten.
    pub const REFUSED: Self = Self {
        first: Duration::from_secs(30),
        most: Duration::from_secs(600),
    };

    /// The longest wait after this many failed attempts in a row, from 1.
    #[must_use]
    pub fn ceiling(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.first.saturating_mul(1 << doublings).min(self.most)
    }

    /// Full jitter: anything up to the ceiling, but never less than a tenth of the first one, so that nothing spins.
    #[must_use]
    pub fn wait(self, failures: u32, dice: f64) -> Duration {
        self.ceiling(failures)
            .mul_f64(dice.clamp(0.0, 1.0))
            .max(self.first / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_its_limit() {
        for (pace, failures, expected_ms) in [
            (Pace::DEVICE, 1, 500),
            (Pace::DEVICE, 2, 1000),
            (Pace::DEVICE, 3, 2000),
            (Pace::DEVICE, 4, 2000),
            (Pace::DEVICE, u32::MAX, 2000),
            (Pace::CLOUD, 9, 120_000),
            (Pace::REFUSED, 1, 30_000),
        ] {
            assert_eq!(pace.ceiling(failures), Duration::from_millis(expected_ms));
        }
    }

    #[test]
    fn the_wait_lies_between_a_little_and_the_ceiling() {
        assert_eq!(Pace::DEVICE.wait(3, 0.0), Duration::from_millis(50));
        assert_eq!(Pace::DEVICE.wait(3, 0.5), Duration::from_secs(1));
        assert_eq!(Pace::DEVICE.wait(3, 1.0), Duration::from_secs(2));
    }
}
