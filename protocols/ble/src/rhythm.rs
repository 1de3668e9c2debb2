//! `Rhythm`: how often a device is heard, told or learnt, and so whether it comes when it should.

use std::time::Duration;

use fieldgate_kit::scanner::Freshness;
use tokio::time::Instant;

/// Gaps that are remembered.
const GAPS: usize = 16;
/// From so many gaps on something is learnt.
const ENOUGH: usize = 4;
/// One advertisement is sent on three channels, and may be heard on each of them.
const SAME: Duration = Duration::from_millis(30);
/// A controller may pass an unchanged advertisement on only once in 10.24 s, so that nobody is late before three of these.
const LATE_AT_LEAST: Duration = Duration::from_secs(35);
const SILENT_AT_LEAST: Duration = Duration::from_secs(120);
const LATE: u32 = 3;
const SILENT: u32 = 10;
/// Somebody of whom nothing is known is not waited for longer.
const UNKNOWN: Duration = Duration::from_secs(600);

/// When a device was heard, and when it will be.
#[derive(Debug, Clone, Default)]
pub struct Rhythm {
    /// By its settings or its profile.
    told: Option<Duration>,
    /// It sends only when something happens.
    sleeps: bool,
    gaps: Vec<Duration>,
    /// Where the next gap goes.
    next: usize,
    last: Option<Instant>,
    /// When it was connected last.
    held: Option<Instant>,
}

// === impl Rhythm ===

impl Rhythm {
    /// What is known before anything is heard.
    pub fn tell(&mut self, interval: Option<Duration>, sleeps: bool) {
        self.told = interval;
        self.sleeps = sleeps;
    }

    /// It was heard.
    pub fn heard(&mut self, now: Instant) {
        let Some(last) = self.last.replace(now) else {
            return;
        };
        if self.held.is_some_and(|held| held > last) {
            // While it was connected it may have had no reason to advertise.
            return;
        }
        let gap = now.saturating_duration_since(last);
        if gap < SAME {
            return;
        }
        if self.gaps.len() < GAPS {
            self.gaps.push(gap);
        } else {
            self.gaps[self.next] = gap;
        }
        self.next = (self.next + 1) % GAPS;
    }

    /// It is connected now: whether it is heard beside that means nothing.
    pub fn held(&mut self, now: Instant) {
        self.held = Some(now);
    }

    /// How often it comes, once that is known: what was told, otherwise what three gaps of four do not exceed.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.told.or_else(|| self.learnt())
    }

    fn learnt(&self) -> Option<Duration> {
        if self.gaps.len() < ENOUGH {
            return None;
        }
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        Some(gaps[gaps.len() * 3 / 4])
    }

    /// Whether it comes when it should.
    #[must_use]
    pub fn freshness(&self, now: Instant) -> Freshness {
        let Some(last) = self.last() else {
            return Freshness::Learning;
        };
        let away = now.saturating_duration_since(last);
        if self.sleeps {
            return match away {
                away if away < LATE_AT_LEAST => Freshness::OnTime,
                _ => Freshness::Sleeping,
            };
        }
        match self.interval() {
            Some(interval) if away > (interval * SILENT).max(SILENT_AT_LEAST) => Freshness::Silent,
            Some(interval) if away > (interval * LATE).max(LATE_AT_LEAST) => Freshness::Late,
            Some(_) => Freshness::OnTime,
            None if away > UNKNOWN => Freshness::Silent,
            None => Freshness::Learning,
        }
    }

    /// Nothing came for longer than anybody needs whose pace is not known yet.
    pub fn is_quiet(&self, now: Instant) -> bool {
        let away = self.last().map(|last| now.saturating_duration_since(last));
        away.is_none_or(|away| away > LATE_AT_LEAST)
    }

    /// When a packet of it came last.
    pub fn heard_last(&self) -> Option<Instant> {
        self.last
    }

    /// When it was there last, heard or connected.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        self.last.max(self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heard every `every` for 20 times; how it is after being away.
    fn check(told: Option<u64>, sleeps: bool, every: u64, away: u64, expected: Freshness) {
        let start = Instant::now();
        let mut rhythm = Rhythm::default();
        rhythm.tell(told.map(Duration::from_secs), sleeps);
        let mut last = start;
        for beat in 0..20 {
            last = start + Duration::from_secs(every * beat);
            rhythm.heard(last);
        }
        let now = last + Duration::from_secs(away);
        assert_eq!(rhythm.freshness(now), expected, "{told:?} {every} {away}");
    }

    #[test]
    fn who_is_late_depends_on_how_often_it_comes() {
        check(None, false, 1, 30, Freshness::OnTime);
        check(None, false, 1, 40, Freshness::Late);
        check(None, false, 1, 121, Freshness::Silent);
        check(None, false, 600, 1_700, Freshness::OnTime);
        check(None, false, 600, 1_900, Freshness::Late);
        check(None, false, 600, 6_100, Freshness::Silent);
    }

    #[test]
    fn what_was_told_counts_more_than_what_was_learnt() {
        check(Some(3_600), false, 1, 7_200, Freshness::OnTime);
        check(Some(10), false, 600, 121, Freshness::Silent);
    }

    #[test]
    fn who_sends_only_when_something_happens_sleeps() {
        check(None, true, 1, 10, Freshness::OnTime);
        check(None, true, 1, 86_400, Freshness::Sleeping);
    }

    #[test]
    fn nothing_is_said_of_who_was_heard_once() {
        let mut rhythm = Rhythm::default();
        let start = Instant::now();
        assert_eq!(rhythm.freshness(start), Freshness::Learning);
        assert!(rhythm.is_quiet(start));
        rhythm.heard(start);
        assert!(!rhythm.is_quiet(start + LATE_AT_LEAST));
        let soon = start + Duration::from_secs(300);
        assert_eq!(rhythm.freshness(soon), Freshness::Learning);
        assert!(rhythm.is_quiet(soon), "and it is not said to be heard");
        let late = start + Duration::from_secs(601);
        assert_eq!(rhythm.freshness(late), Freshness::Silent);
    }

    #[test]
    fn who_is_connected_is_not_silent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rhythm = Rhythm::default();
        (0..20).for_each(|beat| rhythm.heard(at(beat)));
        (20..3_000).for_each(|beat| rhythm.held(at(beat)));
        assert_eq!(rhythm.freshness(at(3_000)), Freshness::OnTime);
        assert_eq!(
            rhythm.freshness(at(3_200)),
            Freshness::Silent,
            "it left, and is not heard"
        );
        rhythm.heard(at(3_201));
        assert_eq!(
            rhythm.interval(),
            Some(Duration::from_secs(1)),
            "the connection is no gap"
        );
    }

    #[test]
    fn the_three_channels_of_one_advertisement_are_no_rhythm() {
        let start = Instant::now();
        let mut rhythm = Rhythm::default();
        for beat in 0..10 {
            for channel in 0..3 {
                rhythm.heard(start + Duration::from_millis(beat * 2_000 + channel * 5));
            }
        }
        let learnt = rhythm.interval().unwrap();
        assert!(learnt > Duration::from_millis(1_900), "{learnt:?}");
    }
}
