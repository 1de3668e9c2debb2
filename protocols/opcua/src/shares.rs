//! Shares: which items go into one subscription, by their publishing interval and by what the server has room for. Pure.

use std::collections::BTreeMap;

use crate::connection::Limits;

/// Items for one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub publishing_ms: u64,
    pub items: Vec<usize>,
}

/// All items in as few subscriptions as the intervals and the server's limits allow, the fastest first; what the
/// limits have no room for is in no share.
///
/// Where the server has fewer subscriptions than there are intervals, those nearest to each other become one, at the
/// faster one's pace: nothing comes later than it was wished for.
pub(crate) fn shares(items: impl IntoIterator<Item = (usize, u64)>, limits: &Limits) -> Vec<Share> {
    let mut paces: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (item, publishing_ms) in items {
        paces.entry(publishing_ms).or_default().push(item);
    }
    let room = limits.items_per_subscription.unwrap_or(usize::MAX).max(1);
    let most = limits.subscriptions.unwrap_or(usize::MAX).max(1);
    let mut paces: Vec<Share> = paces
        .into_iter()
        .map(|(publishing_ms, items)| Share {
            publishing_ms,
            items,
        })
        .collect();
    while needed(&paces, room) > most && paces.len() > 1 {
        merge_nearest(&mut paces);
    }
    let split = |pace: &Share| -> Vec<Share> {
        let share = |items: &[usize]| Share {
            publishing_ms: pace.publishing_ms,
            items: items.to_vec(),
        };
        pace.items.chunks(room).map(share).collect()
    };
    paces.iter().flat_map(split).take(most).collect()
}

fn needed(paces: &[Share], room: usize) -> usize {
    paces
        .iter()
        .map(|pace| pace.items.len().div_ceil(room))
        .sum()
}

/// The two whose intervals differ by the smallest factor become one. In ascending order before and after.
fn merge_nearest(paces: &mut Vec<Share>) {
    let factor = |pair: &[Share]| pair[1].publishing_ms * 1000 / pair[0].publishing_ms.max(1);
    let nearest = (0..paces.len() - 1).min_by_key(|at| factor(&paces[*at..=at + 1]));
    if let Some(at) = nearest {
        let slower = paces.remove(at + 1);
        paces[at].items.extend(slower.items);
        paces[at].items.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        intervals: &[u64],
        items_per_subscription: Option<usize>,
        subscriptions: Option<usize>,
        expected: &[(u64, &[usize])],
    ) {
        let limits = Limits {
            per_read: 1,
            per_browse: 1,
            per_monitor: 1,
            per_history: 1,
            items_per_subscription,
            subscriptions,
            sessions: None,
        };
        let shares = shares(intervals.iter().copied().enumerate(), &limits);
        let shares: Vec<(u64, &[usize])> = shares
            .iter()
            .map(|share| (share.publishing_ms, share.items.as_slice()))
            .collect();
        assert_eq!(shares, expected, "{intervals:?}");
    }

    #[test]
    fn items_are_shared_out() {
        check(&[], None, None, &[]);
        check(&[500; 3], None, None, &[(500, &[0, 1, 2])]);
        check(&[500; 3], Some(2), None, &[(500, &[0, 1]), (500, &[2])]);
        check(
            &[500, 100, 500, 100],
            None,
            None,
            &[(100, &[1, 3]), (500, &[0, 2])],
        );
        check(
            &[500, 100, 500],
            Some(1),
            Some(9),
            &[(100, &[1]), (500, &[0]), (500, &[2])],
        );
    }

    #[test]
    fn too_few_subscriptions_merge_the_nearest_intervals_at_the_faster_pace() {
        check(
            &[100, 1000, 900, 60_000],
            None,
            Some(3),
            &[(100, &[0]), (900, &[1, 2]), (60_000, &[3])],
        );
        check(&[100, 1000, 900], None, Some(1), &[(100, &[0, 1, 2])]);
        check(
            &[10, 20, 30, 40],
            Some(2),
            Some(2),
            &[(10, &[0, 1]), (10, &[2, 3])],
        );
    }

    #[test]
    fn what_the_server_has_no_room_for_is_left_out() {
        check(
            &[100; 5],
            Some(2),
            Some(2),
            &[(100, &[0, 1]), (100, &[2, 3])],
        );
        check(&[200, 100], Some(1), Some(1), &[(100, &[0])]);
        check(&[100, 100], Some(0), Some(0), &[(100, &[0])]);
    }
}
