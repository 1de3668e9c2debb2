//! Gaps that open, end, shrink, and are asked for together.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn gap(after: i64, before: Option<i64>) -> Gap {
    Gap {
        after: at(after),
        before: before.map(at),
    }
}

#[test]
fn a_gap_ends_with_the_first_value_after_it() {
    for (first, expected) in [
        (20, vec![gap(10, Some(20))]),
        // Nothing changed meanwhile; or the source's clock was set back.
        (10, vec![]),
        (5, vec![]),
    ] {
        let now = Instant::now();
        let mut gaps = Gaps::default();
        gaps.open(0, at(10), now);
        gaps.open(0, at(15), now);
        assert_eq!(gaps.of(0), [gap(10, None)], "the older one stays open");
        gaps.live(0, at(first), now);
        gaps.live(0, at(30), now);
        assert_eq!(gaps.of(0), expected, "{first}");
        assert_eq!(gaps.is_empty(), expected.is_empty());
    }
}

#[test]
fn what_lies_at_the_ends_is_not_missing() {
    let closed = gap(10, Some(20));
    let missing = [9, 10, 11, 19, 20, 21].map(|second| closed.misses(at(second)));
    assert_eq!(missing, [false, false, true, true, false, false]);
    assert!(gap(10, None).misses(at(1_000_000)));
}

#[test]
fn what_was_told_is_missing_no_more_from_either_end() {
    for (fill, told, expected) in [
        (Fill::OldestFirst, 15, gap(15, Some(20))),
        (Fill::OldestFirst, 5, gap(10, Some(20))),
        (Fill::NewestFirst, 15, gap(10, Some(15))),
        (Fill::NewestFirst, 25, gap(10, Some(20))),
    ] {
        let mut left = gap(10, Some(20));
        left.told(at(told), fill);
        assert_eq!(left, expected, "{fill:?} {told}");
    }
}

#[test]
fn gaps_that_are_alike_are_asked_for_together() {
    let now = Instant::now();
    let mut gaps = Gaps::default();
    for (point, one) in [
        (0, gap(100, Some(700))),
        (1, gap(150, Some(690))),
        (2, gap(10, Some(700))),
        (3, gap(101, Some(1000))),
        (4, gap(100, Some(700))),
    ] {
        assert!(gaps.missed(point, one, now));
    }
    gaps.open(5, at(100), now);
    let mut points = |most, fill| -> Vec<usize> {
        let group = gaps.group(most, fill, now);
        group.into_iter().map(|(place, _)| place.point).collect()
    };
    assert_eq!(points(9, Fill::OldestFirst), [2]);
    assert_eq!(points(9, Fill::NewestFirst), [3]);
    gaps.forget(2);
    gaps.forget(3);
    let mut points = |most, fill| -> Vec<usize> {
        let group = gaps.group(most, fill, now);
        group.into_iter().map(|(place, _)| place.point).collect()
    };
    assert_eq!(points(9, Fill::OldestFirst), [0, 1, 4]);
    assert_eq!(points(2, Fill::OldestFirst), [0, 1]);
    let later = gaps.group(9, Fill::NewestFirst, now + SETTLE);
    assert_eq!(later[0].0.point, 5, "what has no end is the newest");
    assert_eq!(gaps.due(), Some(now));
}

#[test]
fn what_is_too_old_or_too_often_so_is_left_missing() {
    let now = Instant::now();
    let mut gaps = Gaps::default();
    for second in 0..MOST_OF_A_POINT as i64 {
        let one = gap(second * 10, Some(second * 10 + 5));
        assert!(gaps.missed(7, one, now));
    }
    assert!(!gaps.missed(7, gap(1000, Some(1001)), now));
    assert_eq!(gaps.outdate(at(12)), 1);
    assert_eq!(gaps.of(7)[0], gap(12, Some(15)));
    assert_eq!(gaps.outdate(at(10_000)), MOST_OF_A_POINT - 1);
    assert!(gaps.is_empty());
}
