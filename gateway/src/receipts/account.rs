//! What a receipt says (pure): the balance at the start and at the end of an hour, and what lies between.

use fieldgate_api::{
    receipt::{ReceiptChange, ReceiptRow},
    state::{LedgerRow, LedgerSum},
};

/// Each route's row; a route that is new began at zero.
pub fn rows(start: &[LedgerRow], end: &[LedgerRow]) -> Vec<ReceiptRow> {
    let same = |a: &LedgerRow, b: &LedgerRow| {
        (&a.lane, &a.route, &a.destination) == (&b.lane, &b.route, &b.destination)
    };
    let of = |row: &LedgerRow, start: LedgerSum, end: LedgerSum, gone| ReceiptRow {
        lane: row.lane.clone(),
        route: row.route.clone(),
        destination: row.destination.clone(),
        start,
        end,
        change: change(&start, &end),
        gone,
    };
    let there = end.iter().map(|row| {
        let before = start.iter().find(|before| same(before, row));
        // A route that was removed and made anew counts from zero again.
        let before = before.filter(|before| before.sum.accepted <= row.sum.accepted);
        of(
            row,
            before.map_or_else(LedgerSum::default, |before| before.sum),
            row.sum,
            false,
        )
    });
    let gone = start
        .iter()
        .filter(|row| !end.iter().any(|after| same(after, row)));
    there
        .chain(gone.map(|row| of(row, row.sum, row.sum, true)))
        .collect()
}

/// The sum of all rows.
pub fn total(rows: &[ReceiptRow]) -> ReceiptChange {
    rows.iter()
        .fold(ReceiptChange::default(), |sum, row| ReceiptChange {
            accepted: sum.accepted + row.change.accepted,
            acked: sum.acked + row.change.acked,
            pending: sum.pending + row.change.pending,
            expired: sum.expired + row.change.expired,
            evicted: sum.evicted + row.change.evicted,
            evicted_by: sum.evicted_by.with(row.change.evicted_by, |a, b| a + b),
            dead_lettered: sum.dead_lettered + row.change.dead_lettered,
            lost_detected: sum.lost_detected + row.change.lost_detected,
            // One route too many must not hide another's one too few.
            unaccounted: sum.unaccounted + row.change.unaccounted.abs(),
        })
}

fn change(start: &LedgerSum, end: &LedgerSum) -> ReceiptChange {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ReceiptChange {
        accepted: end.accepted.saturating_sub(start.accepted),
        acked: end.acked.saturating_sub(start.acked),
        pending: signed(end.pending) - signed(start.pending),
        expired: end.expired.saturating_sub(start.expired),
        evicted: end.evicted.saturating_sub(start.evicted),
        evicted_by: end.evicted_by.with(start.evicted_by, u64::saturating_sub),
        dead_lettered: end.dead_lettered.saturating_sub(start.dead_lettered),
        lost_detected: end.lost_detected.saturating_sub(start.lost_detected),
        unaccounted: end.unaccounted - start.unaccounted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(route: &str, accepted: u64, acked: u64, pending: u64) -> LedgerRow {
        LedgerRow {
            lane: "normal".into(),
            route: route.into(),
            destination: "broker".into(),
            sum: LedgerSum {
                accepted,
                acked,
                pending,
                ..LedgerSum::default()
            },
        }
    }

    #[test]
    fn what_lies_between_two_balances_balances() {
        let start = [
            row("a", 10, 4, 6),
            row("gone", 5, 5, 0),
            row("anew", 90, 90, 0),
        ];
        let end = [
            row("a", 15, 14, 1),
            row("new", 2, 1, 1),
            row("anew", 3, 3, 0),
        ];
        let rows = rows(&start, &end);
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.route.as_str(),
                    row.change.accepted,
                    row.change.pending,
                    row.gone,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("a", 5, -5, false),
                ("new", 2, 1, false),
                ("anew", 3, 0, false),
                ("gone", 0, 0, true)
            ]
        );
        let total = total(&rows);
        assert_eq!((total.accepted, total.acked, total.pending), (10, 14, -4));
        assert_eq!(total.unaccounted, 0);
    }
}
