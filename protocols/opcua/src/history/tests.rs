//! Filling gaps against a scripted historian: pages, order, refusals, and servers that lie.

mod refusals;

use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::twin::{Historian, historic, item};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn limits(per_history: usize) -> Limits {
    Limits {
        per_read: 4,
        per_browse: 1,
        per_monitor: 1,
        per_history,
        items_per_subscription: None,
        subscriptions: None,
        sessions: None,
    }
}

/// A source of some points, and a server that has values of all seconds up to a hundred for each.
struct Rig {
    history: History,
    items: Vec<Item>,
    historian: Historian,
}

impl Rig {
    fn new(points: usize, per_history: usize, fill: Fill) -> Self {
        let rule = HistoryRule {
            fill,
            ..HistoryRule::default()
        };
        let values = (0..points).map(|point| (u32::try_from(point).unwrap(), (0..100).collect()));
        Self {
            history: History::new(rule, "server", &limits(per_history), points).unwrap(),
            items: (0..points).map(item).collect(),
            historian: Historian {
                values: values.collect(),
                ..Historian::default()
            },
        }
    }

    fn missed(&mut self, point: usize, after: i64, before: i64) {
        self.history.open(point, at(after));
        assert!(self.history.live(point, at(before)));
    }

    /// Everything that there is to ask, without waiting; the seconds that came.
    async fn fill(&mut self) -> Vec<(usize, i64)> {
        let mut filled = Vec::new();
        for _ in 0..1000 {
            let Some(due) = self.history.due() else {
                return filled;
            };
            advance(due.saturating_duration_since(Instant::now())).await;
            filled.extend(self.step());
        }
        panic!("it asks without end");
    }

    /// One question and its answer.
    fn step(&mut self) -> Vec<(usize, i64)> {
        let answered = match self.history.ask(&self.items, at(200)) {
            None => return Vec::new(),
            Some(Ask::Access(nodes)) => Answered::Access(Ok(vec![true; nodes.len()])),
            Some(Ask::Page(request)) => Answered::Page(self.historian.answer(request)),
            Some(Ask::Release(nodes)) => {
                self.historian.released += nodes.len();
                Answered::Released
            }
        };
        let values = self.history.answered(answered, &self.items).values;
        let second = |value: Observed| value.at.unwrap().millis() / 1000;
        let values = values.into_iter();
        values
            .map(|(point, value)| (point, second(value)))
            .collect()
    }
}

fn seconds(point: usize, range: std::ops::Range<i64>) -> Vec<(usize, i64)> {
    range.map(|second| (point, second)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_missed_value_comes_once_whatever_the_pages_are() {
    for (page, is_silent, per_history) in [
        (0, false, 100),
        (7, false, 100),
        (7, false, 1),
        (0, true, 1),
        (100, false, 2),
    ] {
        let mut rig = Rig::new(3, per_history, Fill::OldestFirst);
        (rig.historian.page, rig.historian.is_silent) = (page, is_silent);
        rig.history.values_a_call = if is_silent { 5 } else { 4_000 };
        for point in 0..3 {
            rig.missed(point, 10, 60);
        }
        let mut filled = rig.fill().await;
        let words = rig.history.words().unwrap();
        assert_eq!(words, "filled a gap of 50 s: 147 values for 3 points");
        let most = rig.historian.asked.iter().map(|asked| asked.nodes.len());
        assert!(most.max().unwrap() <= per_history);
        let first: Vec<usize> = filled
            .iter()
            .take(per_history.min(3))
            .map(|one| one.0)
            .collect();
        assert!(
            first.iter().copied().eq(0..first.len()),
            "in rounds: {first:?}"
        );
        filled.sort_unstable();
        let expected: Vec<_> = (0..3).flat_map(|point| seconds(point, 11..60)).collect();
        assert_eq!(filled, expected, "{page} {is_silent} {per_history}");
        assert_eq!(rig.history.gaps(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_come_first_where_that_is_wished() {
    for (page, is_silent) in [(0, false), (7, false), (0, true)] {
        let mut rig = Rig::new(1, 1, Fill::NewestFirst);
        (rig.historian.page, rig.historian.is_silent) = (page, is_silent);
        rig.history.values_a_call = 5;
        rig.missed(0, 10, 60);
        let expected: Vec<_> = (11..60).rev().map(|second| (0, second)).collect();
        assert_eq!(rig.fill().await, expected, "{page} {is_silent}");
    }
}

/// A session that is lost in between leaves what is still missing.
#[tokio::test(start_paused = true)]
async fn what_was_filled_is_missing_no_more() {
    for (fill, expected) in [(Fill::OldestFirst, (14, 60)), (Fill::NewestFirst, (10, 56))] {
        let mut rig = Rig::new(1, 1, fill);
        rig.historian.page = 5;
        rig.missed(0, 10, 60);
        rig.step();
        assert_eq!(rig.step().len(), 4, "a page, but for the value at its end");
        let left = Gap {
            after: at(expected.0),
            before: Some(at(expected.1)),
        };
        assert_eq!(rig.history.gaps(), [(0, vec![left])], "{fill:?}");
    }
}

/// Of a point that does not change any more: nothing tells where the gap ends, and its values may still be on their way.
#[tokio::test(start_paused = true)]
async fn a_gap_without_an_end_is_filled_and_its_values_do_not_come_again() {
    for fill in [Fill::OldestFirst, Fill::NewestFirst] {
        let mut rig = Rig::new(1, 1, fill);
        rig.history.open(0, at(95));
        let mut filled = rig.fill().await;
        filled.sort_unstable();
        assert_eq!(filled, seconds(0, 96..100));
        assert!(!rig.history.live(0, at(98)));
        assert!(!rig.history.live(0, at(99)));
        assert!(rig.history.live(0, at(100)));
        assert!(rig.history.told.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_was_too_short_on_the_server_is_a_gap_too() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.history.overflowed(0, at(20), at(25));
    assert!(rig.history.live(0, at(25)));
    assert!(rig.history.live(0, at(30)));
    assert_eq!(rig.fill().await, seconds(0, 21..25));
}

#[tokio::test(start_paused = true)]
async fn more_lost_connections_than_are_kept_leave_the_oldest_and_say_so() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.step();
    for round in 0..20 {
        rig.missed(0, 4 * round, 4 * round + 2);
    }
    let filled = rig.fill().await;
    let expected: Vec<_> = (4..20).map(|round| (0, 4 * round + 1)).collect();
    assert_eq!(filled, expected);
    let words = rig.history.words().unwrap();
    assert!(
        words.contains("4 gaps were not filled: too many wait"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_is_given_up_and_released() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    (rig.historian.is_endless, rig.historian.page) = (true, 5);
    rig.missed(0, 10, 60);
    assert_eq!(rig.fill().await, seconds(0, 11..15));
    assert_eq!(rig.historian.released, 1);
    assert!(rig.historian.asked.len() < 10);
    let words = rig.history.words().unwrap();
    assert!(words.contains("no end"), "{words}");
}

/// Two values that are equal, and one that moved too little: what the subscription would not have told.
#[tokio::test(start_paused = true)]
async fn what_changed_too_little_is_left_out() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.items[0].sampling.deadband = Some(crate::settings::Deadband::Absolute(2.0));
    rig.missed(0, 10, 20);
    assert_eq!(rig.fill().await, [(0, 11), (0, 14), (0, 17)]);
    assert_eq!(historic(3).value, fieldgate_model::Value::Int(3));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_stays_missing() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.history.rule.max_age = "150 s".parse().unwrap();
    rig.missed(0, 10, 60);
    assert_eq!(rig.fill().await, seconds(0, 51..60));
}

#[tokio::test(start_paused = true)]
async fn no_more_values_are_read_in_a_second_than_allowed() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    (rig.history.rule.values_per_s, rig.historian.page) = (5, 10);
    rig.missed(0, 10, 60);
    let began = Instant::now();
    rig.fill().await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(8), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_point_that_has_no_node_any_more_holds_nobody_up() {
    let mut rig = Rig::new(2, 1, Fill::OldestFirst);
    rig.missed(0, 10, 20);
    rig.missed(1, 10, 20);
    rig.step();
    rig.items[0].node = None;
    assert_eq!(rig.fill().await, seconds(1, 11..20));
    assert_eq!(rig.history.due(), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_told_of_open_gaps_is_bounded_over_all_points() {
    let points = 300;
    let mut rig = Rig::new(points, 100, Fill::OldestFirst);
    let most = answers::MAX_TOLD_OF_ALL;
    for point in 0..points {
        for second in 0..1_000 {
            rig.history.remember(point, at(second));
        }
    }
    let count: usize = rig.history.told.values().map(BTreeSet::len).sum();
    assert_eq!((count, rig.history.told_count), (most, most));
    // What comes by itself makes room again.
    assert!(!rig.history.live(0, at(999)), "it was told");
    assert_eq!(rig.history.told_count, most - 1_000);
}

/// A gateway without a battery begins in 1970.
#[tokio::test(start_paused = true)]
async fn what_has_no_end_is_read_from_ahead_of_a_clock_that_is_behind() {
    let mut rig = Rig::new(1, 1, Fill::NewestFirst);
    let future = 8_000_000_000;
    rig.history.open(0, at(future));
    advance(Duration::from_secs(60)).await;
    let asked = loop {
        match rig.history.ask(&rig.items, at(future)) {
            Some(Ask::Access(nodes)) => {
                let able = Answered::Access(Ok(vec![true; nodes.len()]));
                rig.history.answered(able, &rig.items);
            }
            Some(Ask::Page(asked)) => break asked,
            other => panic!("{other:?}"),
        }
    };
    assert!(asked.start > at(future), "{asked:?}");
    assert_eq!(asked.end, Some(at(future)));
}
