//! When a lane will be full, from how it filled during the last hour.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(15);
/// How many looks are remembered: an hour's.
const LOOKS: usize = 240;
/// Less time says nothing.
const LEAST: Duration = Duration::from_secs(60);
/// A lane that fills more slowly than this, in bytes a second, is not filling.
const SLOWEST: f64 = 1.0;

/// How lanes filled lately.
#[derive(Debug, Default)]
pub struct Filling(Mutex<HashMap<&'static str, VecDeque<(Instant, u64)>>>);

impl Filling {
    /// Remembers how full a lane is, four times a minute at most.
    pub fn observe(&self, lane: &'static str, disk_bytes: u64, now: Instant) {
        let mut lanes = self.0.lock().expect("nothing panics while holding it");
        let looks = lanes.entry(lane).or_default();
        if looks
            .back()
            .is_some_and(|(last, _)| now.duration_since(*last) < EVERY)
        {
            return;
        }
        if looks.len() == LOOKS {
            looks.pop_front();
        }
        looks.push_back((now, disk_bytes));
    }

    /// Seconds until the lane has `max_bytes`, at the rate of the last hour; none when it is not filling.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    pub fn full_in_s(&self, lane: &str, max_bytes: u64) -> Option<f64> {
        let lanes = self.0.lock().expect("nothing panics while holding it");
        let looks = lanes.get(lane)?;
        let ((first_at, first), (last_at, last)) = (looks.front()?, looks.back()?);
        let took = last_at.duration_since(*first_at);
        let rate = (*last as f64 - *first as f64) / took.as_secs_f64().max(1.0);
        (took >= LEAST && rate > SLOWEST && *last < max_bytes)
            .then(|| (max_bytes - last) as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_will_be_full() {
        let (filling, start) = (Filling::default(), Instant::now());
        let look =
            |seconds, bytes| filling.observe("normal", bytes, start + Duration::from_secs(seconds));
        look(0, 1000);
        look(5, 9_999_999);
        look(45, 5500);
        assert_eq!(
            filling.full_in_s("normal", 100_000),
            None,
            "too early to tell"
        );
        look(90, 10_000);
        assert_eq!(filling.full_in_s("normal", 100_000), Some(900.0));
        assert_eq!(filling.full_in_s("normal", 10_000), None, "it is full");
        look(120, 900);
        assert_eq!(filling.full_in_s("normal", 100_000), None, "it drains");
        assert_eq!(filling.full_in_s("critical", 100_000), None);
    }
}
