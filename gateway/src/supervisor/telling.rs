//! `Telling`: which ends of attempts get a line in the log, so that a flapping link does not fill it. Pure.

use std::time::{Duration, Instant};

/// The same words again get a line once in this time.
const AGAIN: Duration = Duration::from_secs(60);
/// Different words get no more lines than this in that time.
const MOST: u32 = 10;

/// What was told of a unit's attempts.
#[derive(Debug, Default)]
pub struct Telling {
    words: String,
    /// When the present minute began, and how many lines it has.
    since: Option<Instant>,
    lines: u32,
    untold: u64,
}

// === impl Telling ===

impl Telling {
    /// Whether an attempt that ended with these words gets a line: then how many ended without one before it.
    pub fn tell(&mut self, words: &str, now: Instant) -> Option<u64> {
        let old = |since: Instant| now.saturating_duration_since(since) >= AGAIN;
        if self.since.is_none_or(old) {
            (self.since, self.lines) = (Some(now), 0);
        } else if self.words == words || self.lines >= MOST {
            self.untold += 1;
            return None;
        }
        words.clone_into(&mut self.words);
        self.lines += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_with_how_often_it_was() {
        let start = Instant::now();
        let mut telling = Telling::default();
        assert_eq!(telling.tell("gone", start), Some(0));
        for second in 1..60 {
            assert_eq!(
                telling.tell("gone", start + Duration::from_secs(second)),
                None
            );
        }
        assert_eq!(telling.tell("gone", start + AGAIN), Some(59));
    }

    #[test]
    fn what_is_new_is_told_at_once_up_to_a_limit() {
        let start = Instant::now();
        let mut telling = Telling::default();
        let told = (0..1000).filter(|nth| telling.tell(&format!("id {nth}"), start).is_some());
        assert_eq!(told.count(), MOST as usize);
        assert_eq!(telling.tell("id", start + AGAIN), Some(990));
        assert_eq!(telling.tell("other", start + AGAIN), Some(0));
    }
}
