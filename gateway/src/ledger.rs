//! The balance as the console shows it: a row for each route and lane, the total, and what never became accepted.

use std::collections::BTreeMap;

use fieldgate_api::state::{EvictedBy, Ledger, LedgerRow, LedgerSum};
use fieldgate_store::RouteBalance;

use crate::{
    gateway::Gateway,
    lanes::{LaneKind, Lanes},
};

/// The gateway's balance at this moment.
#[must_use]
pub fn ledger(gateway: &Gateway) -> Ledger {
    assemble(rows(&gateway.lanes), dropped_before(gateway))
}

/// A row for each route and lane.
#[must_use]
pub fn rows(lanes: &Lanes) -> Vec<LedgerRow> {
    let of = |lane: LaneKind| {
        let balances = lanes.get(lane).balance();
        balances.into_iter().map(move |balance| row(lane, &balance))
    };
    LaneKind::ALL.into_iter().flat_map(of).collect()
}

/// Readings of one destination that its ledger knows as dead letters.
#[must_use]
pub fn dead_letters(ledger: &Ledger, destination: &str) -> u64 {
    let rows = ledger.rows.iter();
    rows.filter(|row| row.destination == destination)
        .map(|row| row.sum.dead_lettered)
        .sum()
}

fn assemble(rows: Vec<LedgerRow>, dropped_before: BTreeMap<String, u64>) -> Ledger {
    let mut total = LedgerSum::default();
    for row in &rows {
        add(&mut total, &row.sum);
    }
    Ledger {
        rows,
        total,
        dropped_before,
    }
}

fn row(lane: LaneKind, balance: &RouteBalance) -> LedgerRow {
    // The queue's key of a route is `route→destination`.
    let route = balance
        .key
        .split_once('→')
        .map_or(balance.key.as_str(), |(route, _)| route);
    LedgerRow {
        lane: lane.as_str().into(),
        route: route.into(),
        destination: balance.consumer.clone(),
        sum: LedgerSum {
            accepted: balance.accepted,
            acked: balance.acked,
            pending: u64::try_from(balance.pending).unwrap_or(0),
            expired: balance.expired,
            evicted: balance.evicted,
            evicted_by: EvictedBy {
                full: balance.evicted_by.full,
                thinned: balance.evicted_by.thinned,
                purged: balance.evicted_by.purged,
                removed: balance.evicted_by.removed,
            },
            dead_lettered: balance.dead_lettered,
            lost_detected: balance.lost_detected,
            unaccounted: balance.unaccounted(),
        },
    }
}

fn add(total: &mut LedgerSum, row: &LedgerSum) {
    total.accepted += row.accepted;
    total.acked += row.acked;
    total.pending += row.pending;
    total.expired += row.expired;
    total.evicted += row.evicted;
    total.evicted_by = total.evicted_by.with(row.evicted_by, |a, b| a + b);
    total.dead_lettered += row.dead_lettered;
    total.lost_detected += row.lost_detected;
    // One route too many must not hide another's one too few.
    total.unaccounted += row.unaccounted.abs();
}

fn dropped_before(gateway: &Gateway) -> BTreeMap<String, u64> {
    let mut dropped = BTreeMap::new();
    gateway.running(|running| {
        let sources = running.sources.values().map(|source| &source.drops);
        let routes = running.routes.values().map(|route| &route.counters.drops);
        for (reason, count) in sources.chain(routes).flat_map(|drops| drops.snapshot()) {
            *dropped.entry(reason.as_str().to_owned()).or_insert(0) += count;
        }
    });
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(key: &str, accepted: u64, acked: u64, pending: i64) -> RouteBalance {
        RouteBalance {
            key: key.into(),
            consumer: "broker".into(),
            accepted,
            acked,
            pending,
            ..RouteBalance::default()
        }
    }

    #[test]
    fn the_total_is_the_sum_and_hides_nothing() {
        let rows = vec![
            row(LaneKind::Normal, &balance("all→broker", 10, 6, 4)),
            row(LaneKind::Normal, &balance("b→broker", 3, 1, 1)),
            row(LaneKind::Critical, &balance("all→broker", 2, 3, 0)),
        ];
        let ledger = assemble(rows, BTreeMap::new());
        let routes: Vec<_> = ledger
            .rows
            .iter()
            .map(|row| (row.lane.as_str(), row.route.as_str(), row.sum.unaccounted))
            .collect();
        assert_eq!(
            routes,
            [
                ("normal", "all", 0),
                ("normal", "b", 1),
                ("critical", "all", -1)
            ]
        );
        let total = ledger.total;
        assert_eq!((total.accepted, total.acked, total.pending), (15, 10, 5));
        assert_eq!(total.unaccounted, 2);
        assert_eq!(dead_letters(&ledger, "broker"), 0);
    }
}
