//! `Pace`: how many commands a source is given, so that a loop or a flood ends here. Pure.

use std::time::Instant;

/// Commands a second in the long run.
pub const PER_SECOND: f64 = 10.0;
/// Commands at once.
const BURST: f64 = 20.0;

/// A bucket of commands that fills with time.
#[derive(Debug, Default)]
pub struct Pace(Option<(Instant, f64)>);

// === impl Pace ===

impl Pace {
    /// Whether one more is taken now.
    pub fn takes(&mut self, now: Instant) -> bool {
        let room = self.0.map_or(BURST, |(since, room)| {
            let passed = now.saturating_duration_since(since).as_secs_f64();
            (room + passed * PER_SECOND).min(BURST)
        });
        let takes = room >= 1.0;
        self.0 = Some((now, if takes { room - 1.0 } else { room }));
        takes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_ends_and_a_trickle_does_not() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let taken = (0..100).filter(|_| pace.takes(start)).count();
        assert_eq!(taken, 20);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| pace.takes(later)).count(), 10);
        for second in 2..60 {
            assert!(pace.takes(start + Duration::from_secs(second)));
        }
    }
}
