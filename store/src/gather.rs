//! Group commit: how long to gather, and when there is enough (pure).

use std::time::{Duration, Instant};

use crate::types::Urgency;

const ENOUGH_RECORDS: usize = 16_384;
const ENOUGH_BYTES: usize = 1 << 20;
/// A relaxed append waits no longer than this while much arrives.
const WINDOW_BUSY: Duration = Duration::from_millis(50);
/// More records than this in the last commit is "much".
const BUSY_RECORDS: usize = 16;

/// The batches gathered for the next commit.
#[derive(Debug)]
pub(crate) struct Gather<T> {
    pub batches: Vec<T>,
    records: usize,
    bytes: usize,
    deadline: Option<Instant>,
    busy: bool,
    window_max: Duration,
    window_waiting: Duration,
}

impl<T> Gather<T> {
    pub fn new(window_max: Duration, window_waiting: Duration) -> Gather<T> {
        Gather {
            batches: Vec::new(),
            records: 0,
            bytes: 0,
            deadline: None,
            busy: false,
            window_max,
            window_waiting,
        }
    }

    pub fn push(&mut self, batch: T, records: usize, bytes: usize, urgency: Urgency, now: Instant) {
        self.batches.push(batch);
        self.records += records;
        self.bytes += bytes;
        let window = match urgency {
            Urgency::Waiting => self.window_waiting,
            Urgency::Relaxed if self.busy || self.records > BUSY_RECORDS => {
                self.window_max.min(WINDOW_BUSY)
            }
            Urgency::Relaxed => self.window_max,
        };
        let due = now + window;
        self.deadline = Some(self.deadline.map_or(due, |deadline| deadline.min(due)));
    }

    /// When to commit at the latest; `None` while there is nothing.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.is_full() || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub fn is_full(&self) -> bool {
        self.records >= ENOUGH_RECORDS || self.bytes >= ENOUGH_BYTES
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Takes everything.
    pub fn take(&mut self) -> Vec<T> {
        self.busy = self.records > BUSY_RECORDS;
        (self.records, self.bytes, self.deadline) = (0, 0, None);
        std::mem::take(&mut self.batches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn gather() -> (Gather<()>, Instant) {
        (Gather::new(MS(500), MS(5)), Instant::now())
    }

    #[test]
    fn a_trickle_waits_long_and_a_waiting_append_hardly() {
        let (mut gather, now) = gather();
        gather.push((), 1, 100, Urgency::Relaxed, now);
        assert_eq!(gather.deadline(), Some(now + MS(500)));
        gather.push((), 1, 100, Urgency::Waiting, now + MS(10));
        assert_eq!(gather.deadline(), Some(now + MS(15)));
        gather.push((), 1, 100, Urgency::Relaxed, now + MS(11));
        assert_eq!(
            gather.deadline(),
            Some(now + MS(15)),
            "a deadline only comes nearer"
        );
        assert!(!gather.is_due(now + MS(14)) && gather.is_due(now + MS(15)));
    }

    #[test]
    fn a_load_waits_50_ms() {
        let (mut gather, now) = gather();
        gather.push((), 100, 100, Urgency::Relaxed, now);
        assert_eq!(gather.deadline(), Some(now + MS(50)));
        gather.take();
        gather.push((), 1, 100, Urgency::Relaxed, now);
        assert_eq!(
            gather.deadline(),
            Some(now + MS(50)),
            "it was busy just now"
        );
    }

    #[test]
    fn enough_is_committed_at_once() {
        let (mut gather, now) = gather();
        gather.push((), 1, ENOUGH_BYTES, Urgency::Relaxed, now);
        assert!(gather.is_due(now));
        gather.take();
        assert!(!gather.is_due(now + MS(1000)), "nothing is never due");
    }
}
