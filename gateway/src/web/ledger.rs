//! The balance as the console shows it: a row for each route and lane, the total, and what never became accepted.

use std::collections::BTreeMap;

use fieldgate_api::state::{Ledger, LedgerRow, LedgerSum};
use fieldgate_store::RouteBalance;

use crate::{gateway::Gateway, lanes::LaneKind};

/// The gateway's balance at this moment.
pub fn ledger(gateway: &Gateway) -> Ledger {
    let balances = LaneKind::ALL
        .into_iter()
        .map(|lane| (lane, gateway.lanes.get(lane).balance()))
        .collect();
    assemble(balances, dropped_before(gateway))
}

/// Readings of one destination that its ledger knows as dead letters.
pub fn dead_letters(ledger: &Ledger, destination: &str) -> u64 {
    let rows = ledger.rows.iter();
    rows.filter(|row| row.destination == destination)
        .map(|row| row.sum.dead_lettered)
        .sum()
}

fn assemble(
    balances: Vec<(LaneKind, Vec<RouteBalance>)>,
    dropped_before: BTreeMap<String, u64>,
) -> Ledger {
    let rows: Vec<LedgerRow> = balances
        .into_iter()
        .flat_map(|(lane, balances)| balances.into_iter().map(move |balance| row(lane, &balance)))
        .collect();
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
        let normal = vec![
            balance("all→broker", 10, 6, 4),
            balance("b→broker", 3, 1, 1),
        ];
        let critical = vec![balance("all→broker", 2, 3, 0)];
        let balances = vec![(LaneKind::Normal, normal), (LaneKind::Critical, critical)];
        let ledger = assemble(balances, BTreeMap::new());
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
