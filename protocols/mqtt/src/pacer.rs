//! `Pacer`: how many bytes may be under way, from how long acknowledgements take. Pure.
//!
//! On a thin line everything that is sent ahead waits somewhere in between: pings and alarms wait behind it, and its
//! acknowledgements come so late that the line looks dead. So the pacer looks at what a message takes beyond the quickest
//! answer so far, which is its time in a queue: while that is short it lets more under way, twice as much with each round
//! trip; when it is long, half as much. A fast broker is never held up for longer than its first few round trips.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// To begin with: eight seconds of a line with 64 kbit/s.
const START_BYTES: usize = 64 << 10;
const LEAST_BYTES: usize = 16 << 10;
const MOST_BYTES: usize = 64 << 20;
/// A message that waited less than this on its way leaves room for more.
const SHORT: Duration = Duration::from_millis(500);
/// One that waited longer has too many before it.
const LONG: Duration = Duration::from_secs(4);

/// How much may be under way on one connection.
#[derive(Debug)]
pub(crate) struct Pacer {
    bytes: usize,
    quickest: Option<Duration>,
    /// Only what was sent since the last cut tells whether it was enough.
    last_cut: Option<Instant>,
    shared: MessageLimit,
}

/// The longest message that the line takes in a reasonable time. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct MessageLimit(Arc<AtomicUsize>);

// === impl Pacer ===

impl Default for Pacer {
    fn default() -> Self {
        Self {
            bytes: START_BYTES,
            quickest: None,
            last_cut: None,
            shared: MessageLimit(Arc::new(AtomicUsize::new(START_BYTES))),
        }
    }
}

impl Pacer {
    pub fn message_limit(&self) -> MessageLimit {
        self.shared.clone()
    }

    /// Whether one more message may follow so many bytes. A message larger than the limit goes alone.
    pub fn has_room(&self, under_way: usize) -> bool {
        under_way < self.bytes
    }

    /// A message of so many bytes was acknowledged, and so many were under way with it.
    pub fn acknowledged(&mut self, bytes: usize, under_way: usize, sent: Instant, now: Instant) {
        let took = now.saturating_duration_since(sent);
        let quickest = self.quickest.map_or(took, |quickest| quickest.min(took));
        self.quickest = Some(quickest);
        let waited = took.saturating_sub(quickest);
        if waited > LONG && self.last_cut.is_none_or(|cut| sent >= cut) {
            self.set((self.bytes / 2).max(LEAST_BYTES));
            self.last_cut = Some(now);
        } else if waited < SHORT && under_way >= self.bytes / 2 {
            // Who does not use the limit learns nothing about the line.
            self.set((self.bytes + bytes).min(MOST_BYTES));
        }
    }

    fn set(&mut self, bytes: usize) {
        self.bytes = bytes;
        self.shared.0.store(bytes, Ordering::Relaxed);
    }
}

// === impl MessageLimit ===

impl MessageLimit {
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends messages of 4 KiB as fast as the pacer lets it over a line with this rate and round trip, after a first small one
    /// that meets no queue. Returns the most bytes under way in the last quarter, and the longest that one took in it.
    fn run(bytes_per_s: f64, round_trip: Duration, messages: usize) -> (usize, Duration) {
        const MESSAGE: usize = 4 << 10;
        let start = Instant::now();
        let mut pacer = Pacer::default();
        pacer.acknowledged(100, 100, start, start + round_trip);
        let (mut now, mut free) = (start, start);
        let mut under_way = std::collections::VecDeque::new();
        let (mut most, mut longest) = (0, Duration::ZERO);
        for nth in 0..messages {
            while !pacer.has_room(under_way.len() * MESSAGE) {
                let (sent, answered) = under_way.pop_front().expect("something is under way");
                now = answered;
                let bytes = (under_way.len() + 1) * MESSAGE;
                pacer.acknowledged(MESSAGE, bytes, sent, now);
                if nth > messages * 3 / 4 {
                    longest = longest.max(now - sent);
                }
            }
            free = free.max(now) + Duration::from_secs_f64(MESSAGE as f64 / bytes_per_s);
            under_way.push_back((now, free + round_trip));
            if nth > messages * 3 / 4 {
                most = most.max(under_way.len() * MESSAGE);
            }
        }
        (most, longest)
    }

    #[test]
    fn a_thin_line_has_little_under_way_and_answers_in_time() {
        let (most, longest) = run(8e3, Duration::from_secs(2), 400);
        assert!(most <= START_BYTES, "{most}");
        assert!(longest < Duration::from_secs(15), "{longest:?}");
    }

    #[test]
    fn a_long_wide_line_is_filled() {
        let (most, _) = run(50e6, Duration::from_millis(200), 20_000);
        // What is under way when a line is full: its rate times its round trip.
        assert!(most >= 10_000_000, "{most}");
    }

    #[test]
    fn a_broker_at_hand_is_never_held_up() {
        let (most, longest) = run(200e6, Duration::from_micros(100), 20_000);
        assert!(most >= 1 << 20, "{most}");
        assert!(longest < Duration::from_secs(1), "{longest:?}");
    }

    #[test]
    fn one_delay_cuts_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pacer = Pacer::default();
        pacer.acknowledged(100, 100, start, at(1));
        for _ in 0..20 {
            pacer.acknowledged(100, START_BYTES, start, at(10));
        }
        assert_eq!(pacer.message_limit().bytes(), START_BYTES / 2);
        for cut in 2..20 {
            pacer.acknowledged(100, START_BYTES, at(10 * cut), at(10 * cut + 9));
        }
        assert_eq!(pacer.message_limit().bytes(), LEAST_BYTES);
    }
}
