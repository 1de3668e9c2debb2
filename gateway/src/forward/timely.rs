//! The times of a reading as they are known when it is sent (pure): the gateway's own are put right where its clock was wrong.

use fieldgate_model::{Reading, TimeQuality, Timestamp};

use crate::clock::{FLOOR_MS, Moment};

/// What was seen longer than this before it was accepted was seen in another life: it is a dead letter that is sent again.
const SAME_LIFE_MS: u64 = 3_600_000;

/// Puts right what the gateway's clock said, given when the reading was accepted; says how well that is known.
///
/// A source's own time is left as it is.
#[must_use]
pub fn timely(reading: &mut Reading, accepted: Moment) -> TimeQuality {
    let seen = right(reading.seen, accepted);
    if reading.at == reading.seen {
        reading.at = seen;
    }
    reading.seen = seen;
    accepted.trust
}

fn right(seen: Timestamp, accepted: Moment) -> Timestamp {
    if seen.millis().abs_diff(accepted.said.millis()) <= SAME_LIFE_MS {
        let wrong_by = accepted.said.nanos().saturating_sub(accepted.wall.nanos());
        Timestamp::from_nanos(seen.nanos().saturating_sub(wrong_by))
    } else if seen.millis() < FLOOR_MS {
        accepted.wall // the clock was set between seeing and accepting
    } else {
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = FLOOR_MS + 1_000_000_000;

    /// Milliseconds: at, seen, what the clock said at accept, when that was; the at and seen that go out.
    fn check([at, seen, said, wall]: [i64; 4], expected: (i64, i64)) {
        let time = Timestamp::from_millis;
        let mut reading = Reading::new("s/d/p".parse().unwrap(), 1.0, time(at));
        reading.seen = time(seen);
        let moment = Moment {
            wall: time(wall),
            trust: TimeQuality::Estimated,
            said: time(said),
        };
        assert_eq!(timely(&mut reading, moment), TimeQuality::Estimated);
        assert_eq!((reading.at.millis(), reading.seen.millis()), expected);
    }

    #[test]
    fn only_what_the_gateways_clock_said_is_put_right() {
        // It was right.
        check([NOW_MS, NOW_MS, NOW_MS + 5, NOW_MS + 5], (NOW_MS, NOW_MS));
        // It was at 1970, and the source gave no time; then one that gave its own.
        check([5_000, 5_000, 5_010, NOW_MS + 10], (NOW_MS, NOW_MS));
        check(
            [NOW_MS - 7, 5_000, 5_010, NOW_MS + 10],
            (NOW_MS - 7, NOW_MS),
        );
        // It was set between seeing and accepting.
        check([5_000, 5_000, NOW_MS, NOW_MS], (NOW_MS, NOW_MS));
        // A dead letter of another day, sent again while the clock is wrong.
        let before = NOW_MS - 90_000_000;
        check([before, before, 5_000, NOW_MS], (before, before));
    }
}
