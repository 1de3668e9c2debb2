//! What the routes to a destination say about a page of records (pure).

use std::time::Duration;

use fieldgate_store::{RouteBit, RouteMask};

use super::core::{Look, Read, Rules};
use crate::pipeline::routes::RouteTable;

/// The rules for what a [`Read`] brings. `own` are the destination's routes as the queue knows them: key, bit, whether it
/// is being drained. `max_age` is the destination's.
#[must_use]
pub fn rules(
    table: &RouteTable,
    own: &[(String, RouteBit, bool)],
    read: &Read,
    max_age: Option<Duration>,
) -> Rules {
    if let Look::Only(mask) = read.look {
        // A replay is old by definition, and may be of others' routes.
        return Rules {
            mask,
            ..Rules::default()
        };
    }
    let mine: RouteMask = own.iter().map(|(_, bit, _)| *bit).collect();
    let mut live = RouteMask::EMPTY;
    let mut max_ages: Vec<(RouteMask, Duration)> = Vec::new();
    max_ages.extend(max_age.map(|most| (RouteMask::ALL, most)));
    for route in &table.routes {
        let bit = route.bit(read.lane);
        if !mine.contains(bit) {
            continue;
        }
        if route.live_first {
            live.insert(bit);
        }
        max_ages.extend(route.max_age.map(|most| (RouteMask::from(bit), most)));
    }
    let mask = match read.look {
        Look::AllBut(done) => RouteMask(mine.0 & !done.0),
        Look::Live => live,
        Look::Only(mask) => mask,
    };
    Rules {
        mask,
        live,
        max_ages,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fieldgate_store::Seq;

    use super::*;
    use crate::{forward::core::Way, lanes::LaneKind, pipeline::routes::Route};

    fn route(bit: u8, live_first: bool, max_age: Option<u64>) -> Arc<Route> {
        Arc::new(Route {
            id: format!("r{bit}").into(),
            patterns: Vec::new(),
            steps: Vec::new(),
            to: "broker".into(),
            max_age: max_age.map(Duration::from_secs),
            live_first,
            normal_bit: RouteBit(bit),
            critical_bit: RouteBit(bit + 32),
            counters: Arc::default(),
        })
    }

    fn check(look: Look, mask: u64, live: u64, ages: &[(u64, u64)]) {
        let table = RouteTable {
            routes: vec![
                route(0, true, None),
                route(1, false, Some(60)),
                route(2, true, Some(5)),
            ],
            ..RouteTable::default()
        };
        let own = [0, 1, 7].map(|bit| (format!("r{bit}→broker"), RouteBit(bit), bit == 7));
        let read = Read {
            way: Way::Normal,
            lane: LaneKind::Normal,
            after: Seq(0),
            upto: None,
            look,
            records: 1,
            bytes: 1,
        };
        let rules = rules(&table, &own, &read, Some(Duration::from_secs(3600)));
        let ages: Vec<_> = ages
            .iter()
            .map(|(mask, seconds)| (RouteMask(*mask), Duration::from_secs(*seconds)))
            .collect();
        let expected = Rules {
            mask: RouteMask(mask),
            live: RouteMask(live),
            max_ages: ages,
        };
        assert_eq!(rules, expected, "{look:?}");
    }

    #[test]
    fn each_look_has_its_routes_and_another_destinations_are_not_among_them() {
        let ages = [(u64::MAX, 3600), (0b10, 60)];
        check(Look::AllBut(RouteMask::EMPTY), 0b1000_0011, 0b1, &ages);
        check(Look::AllBut(RouteMask(0b1)), 0b1000_0010, 0b1, &ages);
        check(Look::Live, 0b1, 0b1, &ages);
        check(Look::Only(RouteMask(0b100)), 0b100, 0, &[]);
    }
}
