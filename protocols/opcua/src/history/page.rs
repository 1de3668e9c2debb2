//! What a page of a node's history means for a gap: which of its values were missing, and how to go on. Pure.

use fieldgate_model::{Quality, Timestamp};

use super::gaps::Gap;
use crate::{
    connection::{HistoryPage, Observed},
    settings::Fill,
};

/// Statuses by which a historian says that there is no value, instead of leaving it out (OPC UA Part 11, 6.3).
const NO_VALUE: [&str; 5] = [
    "BadNoData",
    "BadNoBound",
    "BadBoundNotFound",
    "BadBoundNotSupported",
    "BadDataLost",
];

/// How to go on with a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is no more.
    Whole,
    /// The list goes on at the server's mark.
    More,
    /// The page is full, and the server says nothing of more: it has to be asked anew from there.
    Again,
    /// The list goes on, and nothing of it is new.
    Stuck,
}

/// A page, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Sifted {
    /// What was missing, in the order of filling.
    pub values: Vec<Observed>,
    /// Values that have no time, so that nobody knows where they belong.
    pub timeless: u64,
    /// How far the list is; `None` where no value has a time.
    pub reached: Option<Timestamp>,
    /// The page is in the order that was asked for, so that everything up to `reached` was there.
    pub in_order: bool,
    pub next: Next,
}

/// Takes a page apart that has at most `most` values, after the list had `reached` a moment before.
pub(crate) fn sift(
    page: HistoryPage,
    gap: &Gap,
    fill: Fill,
    most: u32,
    before: Option<Timestamp>,
) -> Sifted {
    let HistoryPage { values, mark } = page;
    let full = values.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    let times: Vec<Timestamp> = values.iter().filter_map(|value| value.at).collect();
    let timeless = (values.len() - times.len()) as u64;
    let newest_first = fill == Fill::NewestFirst;
    let in_order = match newest_first {
        true => times.windows(2).all(|pair| pair[0] >= pair[1]),
        false => times.is_sorted(),
    };
    let far = match newest_first {
        true => times.iter().min(),
        false => times.iter().max(),
    };
    let reached = match (far.copied(), before) {
        (Some(far), Some(before)) if newest_first => Some(far.min(before)),
        (Some(far), Some(before)) => Some(far.max(before)),
        (far, before) => far.or(before),
    };
    let beyond = reached.is_some_and(|reached| match newest_first {
        true => reached <= gap.after,
        false => gap.before.is_some_and(|end| reached >= end),
    });
    let progress = reached != before;
    // A list that is asked for anew has to be a shorter one.
    let shorter = reached.is_some_and(|reached| match newest_first {
        true => gap.before.is_none_or(|end| reached < end),
        false => reached > gap.after,
    });
    let next = match (mark.is_empty(), progress) {
        _ if beyond => Next::Whole,
        (true, true) if full && in_order && shorter => Next::Again,
        (true, _) => Next::Whole,
        (false, true) => Next::More,
        (false, false) => Next::Stuck,
    };
    let missed = |value: &Observed| value.at.is_some_and(|at| gap.misses(at));
    let mut values: Vec<Observed> = values
        .into_iter()
        .filter(|value| missed(value) && !says_nothing(&value.quality))
        .map(|value| Observed {
            overflow: false,
            ..value
        })
        .collect();
    values.sort_by_key(|value| value.at);
    if newest_first {
        values.reverse();
    }
    Sifted {
        values,
        timeless,
        reached,
        in_order,
        next,
    }
}

fn says_nothing(quality: &Quality) -> bool {
    let name = quality.why().and_then(|why| why.split(':').next());
    name.is_some_and(|name| NO_VALUE.contains(&name))
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Value;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn observed(second: i64) -> Observed {
        Observed {
            value: Value::Int(second),
            quality: Quality::Good,
            at: Some(at(second)),
            overflow: true,
        }
    }

    struct Case {
        fill: Fill,
        end: Option<i64>,
        page: &'static [i64],
        more: bool,
        before: Option<i64>,
    }

    /// A gap after second 10, pages of at most 4.
    fn check(case: Case, values: &[i64], next: Next) {
        let Case {
            fill,
            end,
            page,
            more,
            before,
        } = case;
        let gap = Gap {
            after: at(10),
            before: end.map(at),
        };
        let asked = HistoryPage {
            values: page.iter().copied().map(observed).collect(),
            mark: vec![1; usize::from(more)],
        };
        let sifted = sift(asked, &gap, fill, 4, before.map(at));
        let words = format!("{fill:?} {end:?} {page:?} {more} {before:?}");
        let found: Vec<i64> = sifted
            .values
            .iter()
            .map(|value| value.at.unwrap().millis() / 1000)
            .collect();
        assert_eq!(found, values, "{words}");
        assert_eq!(sifted.next, next, "{words}");
        assert!(sifted.values.iter().all(|value| !value.overflow));
    }

    #[test]
    fn pages_are_taken_as_far_as_something_is_missing() {
        use Fill::{NewestFirst, OldestFirst};
        use Next::{Again, More, Stuck, Whole};
        let case = |fill, end, page, more, before| Case {
            fill,
            end,
            page,
            more,
            before,
        };
        // Both ends are in the page of many servers, and are there already.
        check(
            case(OldestFirst, Some(13), &[10, 11, 12, 13], false, None),
            &[11, 12],
            Whole,
        );
        check(
            case(OldestFirst, Some(20), &[10, 11, 12], true, None),
            &[11, 12],
            More,
        );
        check(
            case(OldestFirst, Some(20), &[13, 20, 21], true, Some(12)),
            &[13],
            Whole,
        );
        // Full, and no mark: some servers cut the list there.
        check(
            case(OldestFirst, Some(20), &[10, 11, 12, 13], false, None),
            &[11, 12, 13],
            Again,
        );
        check(
            case(OldestFirst, None, &[10, 11], false, None),
            &[11],
            Whole,
        );
        check(case(OldestFirst, None, &[], false, None), &[], Whole);
        // The same page over and over, or none; full of one moment.
        check(
            case(OldestFirst, Some(20), &[11, 12], true, Some(12)),
            &[11, 12],
            Stuck,
        );
        check(case(OldestFirst, Some(20), &[], true, Some(12)), &[], Stuck);
        check(
            case(OldestFirst, Some(20), &[11, 11, 11, 11], false, Some(11)),
            &[11, 11, 11, 11],
            Whole,
        );
        check(
            case(OldestFirst, Some(20), &[10, 10, 10, 10], false, None),
            &[],
            Whole,
        );
        // Outside of what was asked for.
        check(
            case(OldestFirst, Some(20), &[1, 2, 3], true, None),
            &[],
            More,
        );
        check(
            case(OldestFirst, Some(20), &[50, 60], true, None),
            &[],
            Whole,
        );
        // The other way round.
        check(
            case(NewestFirst, Some(20), &[20, 19, 18], true, None),
            &[19, 18],
            More,
        );
        check(
            case(NewestFirst, Some(20), &[12, 11, 10], true, Some(18)),
            &[12, 11],
            Whole,
        );
        check(
            case(NewestFirst, Some(20), &[20, 19, 18, 17], false, None),
            &[19, 18, 17],
            Again,
        );
        // Not in the order that was asked for: it is not known what is behind a full page.
        check(
            case(NewestFirst, Some(20), &[11, 12, 13, 14], false, None),
            &[14, 13, 12, 11],
            Whole,
        );
    }

    #[test]
    fn what_has_no_time_or_no_value_is_left_out() {
        let gap = Gap {
            after: at(10),
            before: Some(at(20)),
        };
        let mut timeless = observed(11);
        timeless.at = None;
        let mut nothing = observed(12);
        nothing.quality = Quality::Bad("BadNoData: there is no value".into());
        let mut failed = observed(13);
        failed.quality = Quality::Bad("BadSensorFailure: the sensor failed".into());
        let page = HistoryPage {
            values: vec![timeless, nothing, failed],
            mark: Vec::new(),
        };
        let sifted = sift(page, &gap, Fill::OldestFirst, 9, None);
        assert_eq!(sifted.timeless, 1);
        let times: Vec<_> = sifted.values.iter().map(|value| value.at).collect();
        assert_eq!(times, [Some(at(13))]);
    }
}
