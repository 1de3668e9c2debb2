//! Presentation times that only go forward, whatever the camera's own times do: restarted encoders, jumps and reordered pictures.

use std::time::Duration;

/// A track's times. Pure: the caller says when a frame came.
#[derive(Debug, Clone)]
pub(crate) struct Pts {
    timescale: u32,
    /// What is added to the camera's time.
    offset: i64,
    /// The time last given, and when that was.
    last: Option<(i64, Duration)>,
}

/// A jump of more than this against our own clock is the camera's fault and is taken out.
const JUMP: Duration = Duration::from_secs(10);

// === impl Pts ===

impl Pts {
    pub(crate) fn new(timescale: u32) -> Self {
        Self {
            timescale: timescale.max(1),
            offset: 0,
            last: None,
        }
    }

    /// The time of a frame that the camera stamps `theirs` and that came `at` after the stream's start: more than the one before.
    pub(crate) fn next(&mut self, theirs: i64, at: Duration) -> i64 {
        let shifted = theirs.saturating_add(self.offset);
        let given = match self.last {
            None => {
                let first = shifted.max(0);
                self.offset = first.saturating_sub(theirs);
                first
            }
            Some((last, then)) => {
                let expected = last.saturating_add(self.ticks(at.saturating_sub(then)));
                if shifted.abs_diff(expected) > self.ticks(JUMP).unsigned_abs() {
                    let rebased = expected.max(last.saturating_add(1));
                    self.offset = rebased.saturating_sub(theirs);
                    rebased
                } else {
                    shifted.max(last.saturating_add(1))
                }
            }
        };
        self.last = Some((given, at));
        given
    }

    fn ticks(&self, duration: Duration) -> i64 {
        let ticks = duration.as_nanos() * u128::from(self.timescale) / 1_000_000_000;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames (the camera's time, seconds until it came) and the times given.
    fn check(frames: &[(i64, f64, i64)]) {
        let mut pts = Pts::new(90_000);
        for (theirs, at, expected) in frames {
            let given = pts.next(*theirs, Duration::from_secs_f64(*at));
            assert_eq!(given, *expected, "{frames:?}");
        }
    }

    #[test]
    fn times_only_go_forward() {
        // Plain.
        check(&[(0, 0.0, 0), (3600, 0.04, 3600), (7200, 0.08, 7200)]);
        // The first lies before the start that the camera named.
        check(&[(-900, 0.0, 0), (2700, 0.04, 3600)]);
        // Two of the same time, and a picture out of order.
        check(&[(3600, 0.0, 3600), (3600, 0.0, 3601), (1800, 0.01, 3602)]);
        // The camera's clock jumps an hour ahead, then to its beginning.
        check(&[
            (0, 0.0, 0),
            (324_000_000, 1.0, 90_000),
            (324_003_600, 1.04, 93_600),
            (0, 2.0, 180_000),
        ]);
        // A pause of a minute is no jump, when the clocks agree.
        check(&[(0, 0.0, 0), (5_400_000, 60.0, 5_400_000)]);
    }

    #[test]
    fn extreme_times_do_no_harm() {
        let mut pts = Pts::new(u32::MAX);
        let mut last = -1;
        for (second, theirs) in [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN, 7]
            .into_iter()
            .enumerate()
        {
            let given = pts.next(theirs, Duration::from_secs(second as u64));
            assert!(given > last || given == i64::MAX);
            last = given;
        }
    }
}
