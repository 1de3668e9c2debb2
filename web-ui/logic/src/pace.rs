//! How long a job still takes, from how fast it went while it was looked at.

/// A job that was seen twice: when (milliseconds) and how much was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub at_ms: i64,
    pub done: u64,
}

/// Less than this says nothing about the pace.
const SHORTEST_MS: i64 = 2_000;

/// Milliseconds until `all` is done at the pace between two looks; none while nothing moves.
#[must_use]
pub fn left_ms(first: Seen, last: Seen, all: u64) -> Option<i64> {
    let took = last.at_ms - first.at_ms;
    let done = last.done.checked_sub(first.done).filter(|done| *done > 0)?;
    let left = all.saturating_sub(last.done);
    (took >= SHORTEST_MS).then(|| (took as f64 / done as f64 * left as f64) as i64)
}

/// Whole percent, 100 only when all is done.
#[must_use]
pub fn percent(done: u64, all: u64) -> u64 {
    match all {
        0 => 100,
        all => (done.min(all) as f64 / all as f64 * 100.0).floor() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_the_pace() {
        let seen = |at_ms, done| Seen { at_ms, done };
        for (first, last, all, left) in [
            (seen(0, 0), seen(4_000, 40), 140, Some(10_000)),
            (seen(0, 10), seen(4_000, 50), 50, Some(0)),
            (seen(0, 10), seen(4_000, 10), 50, None),
            (seen(0, 0), seen(1_000, 40), 140, None),
            (seen(0, 40), seen(4_000, 0), 140, None),
        ] {
            assert_eq!(left_ms(first, last, all), left);
        }
    }

    #[test]
    fn a_hundred_percent_is_all() {
        assert_eq!([percent(0, 0), percent(0, 9)], [100, 0]);
        assert_eq!([percent(999, 1000), percent(1000, 1000)], [99, 100]);
    }
}
