//! Group commit: how long to gather, and when there is enough (pure).

use std::time::{Duration, Instant};

use crate::types::Urgency;

const ENOUGH_RECORDS: usize = 16_384;
const ENOUGH_BYTES: usize = 1 << 20;
/// A relaxed append waits no longer than this while much arrives.
const WINDOW_BUSY: Duration = Duration::from_millis(50);
/// More records than this in the last commit is "much".
const BUSY_RECORDS: usize = 16;

/// A waiting append that fills less than this waits for company, so that flash is not worn by commits that are nearly empty.
const PAGE_BYTES: usize = 4096;
/// This part of the time that the last commit took is spent on waiting for those whom it released.
const LINGER_PART: u32 = 4;

/// The batches gathered for the next commit.
#[derive(Debug)]
pub(crate) struct Gather<T> {
    pub batches: Vec<T>,
    records: usize,
    bytes: usize,
    /// When the relaxed ones among them are due.
    relaxed_due: Option<Instant>,
    /// When the first one came that somebody waits for.
    waiting_since: Option<Instant>,
    busy: bool,
    last: LastCommit,
    window_max: Duration,
    window_waiting: Duration,
}

/// What the last commit tells about the next.
#[derive(Debug, Default)]
struct LastCommit {
    started: Option<Instant>,
    took: Duration,
    /// Batches that were under way when it ended: those that it released will come back.
    under_way: usize,
}

impl<T> Gather<T> {
    pub fn new(window_max: Duration, window_waiting: Duration) -> Gather<T> {
        Gather {
            batches: Vec::new(),
            records: 0,
            bytes: 0,
            relaxed_due: None,
            waiting_since: None,
            busy: false,
            last: LastCommit::default(),
            window_max,
            window_waiting,
        }
    }

    pub fn push(&mut self, batch: T, records: usize, bytes: usize, urgency: Urgency, now: Instant) {
        self.batches.push(batch);
        self.records += records;
        self.bytes += bytes;
        let window = match urgency {
            Urgency::Waiting | Urgency::Patient => {
                self.waiting_since.get_or_insert(now);
                return;
            }
            Urgency::Relaxed if self.busy || self.records > BUSY_RECORDS => {
                self.window_max.min(WINDOW_BUSY)
            }
            Urgency::Relaxed => self.window_max,
        };
        let due = now + window;
        self.relaxed_due = Some(self.relaxed_due.map_or(due, |planned| planned.min(due)));
    }

    /// When to commit at the latest; `None` while there is nothing.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting_due = self.waiting_since.map(|since| self.waiting_due(since));
        [self.relaxed_due, waiting_due].into_iter().flatten().min()
    }

    /// At once, unless little has come: then a window after the last commit; or more is about to come: then a little later.
    fn waiting_due(&self, since: Instant) -> Instant {
        let mut due = since;
        if self.bytes < PAGE_BYTES
            && let Some(started) = self.last.started
        {
            due = due.max(started + self.window_waiting);
        }
        if self.batches.len() < self.last.under_way {
            due = due.max(since + self.last.took / LINGER_PART);
        }
        due.min(since + self.window_waiting)
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.is_full() || self.deadline().is_some_and(|deadline| deadline <= now)
    }

    pub fn is_full(&self) -> bool {
        self.records >= ENOUGH_RECORDS || self.bytes >= ENOUGH_BYTES
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn somebody_waits(&self) -> bool {
        self.waiting_since.is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Takes everything for a commit that starts `now`.
    pub fn take(&mut self, now: Instant) -> Vec<T> {
        self.busy = self.records > BUSY_RECORDS;
        (self.records, self.bytes) = (0, 0);
        (self.relaxed_due, self.waiting_since) = (None, None);
        self.last.started = Some(now);
        std::mem::take(&mut self.batches)
    }

    /// The commit has ended, while so many batches were under way, its own among them.
    pub fn committed(&mut self, now: Instant, under_way: usize) {
        self.last.took = self.last.started.map_or(Duration::ZERO, |started| {
            now.saturating_duration_since(started)
        });
        self.last.under_way = under_way;
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
        assert!(gather.is_due(now + MS(10)), "nothing was committed lately");
    }

    #[test]
    fn waiting_appends_that_fill_little_are_committed_once_a_window() {
        let (mut gather, now) = gather();
        gather.push((), 1, 100, Urgency::Waiting, now);
        gather.take(now);
        gather.committed(now + MS(1), 1);
        gather.push((), 1, 100, Urgency::Waiting, now + MS(2));
        assert_eq!(gather.deadline(), Some(now + MS(5)));
        gather.push((), 1, 100, Urgency::Relaxed, now + MS(3));
        assert_eq!(gather.deadline(), Some(now + MS(5)));
        gather.push((), 50, PAGE_BYTES, Urgency::Waiting, now + MS(3));
        assert!(gather.is_due(now + MS(3)), "a page is worth a commit");
    }

    #[test]
    fn those_who_were_released_are_waited_for_a_little() {
        let (mut gather, now) = gather();
        gather.push((), 50, PAGE_BYTES, Urgency::Waiting, now);
        gather.take(now);
        gather.committed(now + MS(8), 2);
        gather.push((), 50, PAGE_BYTES, Urgency::Waiting, now + MS(9));
        assert_eq!(gather.deadline(), Some(now + MS(11)), "a quarter of 8 ms");
        gather.push((), 50, PAGE_BYTES, Urgency::Waiting, now + MS(10));
        assert!(gather.is_due(now + MS(10)), "both are there");
        gather.take(now + MS(10));
        gather.committed(now + MS(90), 2);
        gather.push((), 50, PAGE_BYTES, Urgency::Waiting, now + MS(91));
        assert_eq!(
            gather.deadline(),
            Some(now + MS(96)),
            "never longer than the window"
        );
    }

    #[test]
    fn a_load_waits_50_ms() {
        let (mut gather, now) = gather();
        gather.push((), 100, 100, Urgency::Relaxed, now);
        assert_eq!(gather.deadline(), Some(now + MS(50)));
        gather.take(now);
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
        gather.take(now);
        assert!(!gather.is_due(now + MS(1000)), "nothing is never due");
    }
}
