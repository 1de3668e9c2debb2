//! `Cadences`: how often each point usually has news, and which have had none for far longer than that. Pure.
//!
//! A subscription can be alive and deaf: its keep-alives come, and what changes is never told. Only the values themselves
//! show it, so those who are silent for too long are asked; one that is just quiet is asked less and less often.

use std::time::Duration;

use tokio::time::Instant;

/// Silence of so many usual intervals is worth a question.
const FAR_LONGER: u32 = 20;
/// No silence that is shorter is.
const SHORTEST: Duration = Duration::from_secs(10);
/// News before it is known how often there usually are some.
const LEARNED: u8 = 5;
/// The usual interval is so many parts of what it was, and one of what it is now.
const INERTIA: u32 = 7;

/// What is known of each point.
#[derive(Debug)]
pub(crate) struct Cadences {
    points: Vec<Cadence>,
    turn: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cadence {
    heard: Option<Instant>,
    usual: Duration,
    learned: u8,
    /// Not asked before; `None` while it is not late by far.
    next: Option<Instant>,
    /// The server had another value than it had told, and that may have been on its way.
    doubted: bool,
}

// === impl Cadences ===

impl Cadences {
    pub(crate) fn new(points: usize) -> Self {
        Self {
            points: vec![Cadence::default(); points],
            turn: 0,
        }
    }

    /// One point more.
    pub(crate) fn push(&mut self) {
        self.points.push(Cadence::default());
    }

    /// News of the point came; what comes at the same instant counts once.
    pub(crate) fn heard(&mut self, point: usize, now: Instant) {
        self.points[point].heard(now);
    }

    /// From now on a new subscription tells of the point: its first value is no news.
    pub(crate) fn begin_anew(&mut self, point: usize, now: Instant) {
        let cadence = &mut self.points[point];
        (cadence.heard, cadence.next, cadence.doubted) = (Some(now), None, false);
    }

    /// Whom to ask now, at most so many; everybody else's turn comes later.
    pub(crate) fn late(&mut self, now: Instant, most: usize) -> Vec<usize> {
        let mut late = Vec::new();
        for _ in 0..self.points.len() {
            if late.len() == most {
                break;
            }
            let point = self.turn;
            self.turn = (point + 1) % self.points.len();
            if self.points[point].is_late(now) {
                late.push(point);
            }
        }
        late
    }

    /// The server has what it told: the point is only quiet. It is asked again after as long as it has been silent.
    pub(crate) fn quiet(&mut self, point: usize, now: Instant) {
        let cadence = &mut self.points[point];
        cadence.doubted = false;
        cadence.next = Some(now + cadence.silence(now));
    }

    /// The server has something that it did not tell; true when it had the time to. Otherwise it is asked again once it has.
    pub(crate) fn untold(&mut self, point: usize, on_its_way: Duration, now: Instant) -> bool {
        let cadence = &mut self.points[point];
        let confirmed = std::mem::replace(&mut cadence.doubted, true);
        if confirmed {
            self.quiet(point, now);
        } else {
            cadence.next = Some(now + on_its_way);
        }
        confirmed
    }
}

// === impl Cadence ===

impl Cadence {
    fn heard(&mut self, now: Instant) {
        if let Some(before) = self.heard.replace(now) {
            let interval = now.duration_since(before);
            if interval.is_zero() {
                return;
            }
            self.usual = match self.learned {
                0 => interval,
                _ => (self.usual * INERTIA + interval) / (INERTIA + 1),
            };
            self.learned = self.learned.saturating_add(1).min(LEARNED);
        }
        (self.next, self.doubted) = (None, false);
    }

    fn silence(&self, now: Instant) -> Duration {
        self.heard
            .map_or(Duration::ZERO, |heard| now.duration_since(heard))
    }

    fn is_late(&self, now: Instant) -> bool {
        self.learned == LEARNED
            && self.silence(now) >= (self.usual * FAR_LONGER).max(SHORTEST)
            && self.next.is_none_or(|next| next <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// Heard at these seconds: from which second on the point is asked, if at all within an hour.
    fn check(heard: &[u64], expected: Option<u64>) {
        let start = Instant::now();
        let mut cadences = Cadences::new(1);
        for second in heard {
            cadences.heard(0, after(start, *second));
        }
        let asked = (0..3600).find(|second| !cadences.late(after(start, *second), 1).is_empty());
        assert_eq!(asked, expected, "{heard:?}");
    }

    #[test]
    fn who_used_to_have_news_is_asked_after_a_silence_that_is_far_longer() {
        check(&[], None);
        check(&[0, 1, 2, 3, 4], None);
        check(&[0, 1, 2, 3, 4, 5], Some(25));
        check(&[0, 60, 120, 180, 240, 300], Some(1500));
        check(&[0; 9], None);
        // A burst is not what is usual.
        check(&[0, 60, 120, 180, 240, 300, 301, 302], Some(1226));
    }

    #[test]
    fn the_shortest_silence_that_counts_is_ten_seconds() {
        let start = Instant::now();
        let mut cadences = Cadences::new(1);
        let last = (0..20).map(|tenth| start + Duration::from_millis(100 * tenth));
        last.for_each(|now| cadences.heard(0, now));
        let late = |cadences: &mut Cadences, seconds| cadences.late(after(start, seconds), 1).len();
        assert_eq!(late(&mut cadences, 11), 0);
        assert_eq!(late(&mut cadences, 12), 1);
    }

    #[test]
    fn who_is_only_quiet_is_asked_less_and_less_often() {
        let start = Instant::now();
        let mut cadences = Cadences::new(1);
        for second in 0..=5 {
            cadences.heard(0, after(start, second));
        }
        let mut asked = Vec::new();
        for second in 0..400 {
            if !cadences.late(after(start, second), 1).is_empty() {
                asked.push(second);
                cadences.quiet(0, after(start, second));
            }
        }
        assert_eq!(asked, [25, 45, 85, 165, 325]);
    }

    #[test]
    fn what_may_have_been_on_its_way_is_asked_twice() {
        let start = Instant::now();
        let mut cadences = Cadences::new(1);
        for second in 0..=5 {
            cadences.heard(0, after(start, second));
        }
        let way = Duration::from_secs(3);
        assert_eq!(cadences.late(after(start, 30), 1), [0]);
        assert!(!cadences.untold(0, way, after(start, 30)));
        assert!(cadences.late(after(start, 32), 1).is_empty());
        assert_eq!(cadences.late(after(start, 33), 1), [0]);
        assert!(cadences.untold(0, way, after(start, 33)));
        assert!(cadences.late(after(start, 60), 1).is_empty());
        cadences.heard(0, after(start, 61));
        assert!(cadences.late(after(start, 63), 1).is_empty());
    }

    #[test]
    fn everybody_has_a_turn() {
        let start = Instant::now();
        let mut cadences = Cadences::new(5);
        for second in 0..=5 {
            (0..5).for_each(|point| cadences.heard(point, after(start, second)));
        }
        let now = after(start, 100);
        let turns: Vec<Vec<usize>> = (0..3).map(|_| cadences.late(now, 2)).collect();
        assert_eq!(turns, [vec![0, 1], vec![2, 3], vec![4, 0]]);
        assert!(Cadences::new(0).late(now, 2).is_empty());
    }
}
