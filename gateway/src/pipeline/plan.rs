//! `Plan`: the pure part of a pipeline: readings in, records for each lane out.
//!
//! What several routes let through unchanged is one record for all of them; what a route's steps changed is a
//! record of its own.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use fieldgate_kit::DropCounters;
use fieldgate_model::{DropReason, PointId, Reading};
use fieldgate_store::{Entry, RouteBit, RouteMask, Stamp};

use super::{
    frame,
    routes::{Route, RouteTable},
    steps::{Step, StepSettings},
};
use crate::{
    lanes::LaneKind,
    live::{Live, LivePoint},
    meter::Meter,
    rules::Watch,
};

/// A source's way through the routes, with what the steps and the rules remember.
pub struct Plan {
    routes: Vec<Track>,
    rules: Vec<Watch>,
    /// What is known of each point met so far; emptied when the routes change.
    points: HashMap<PointId, PointPlan>,
    live: Live,
    drops: DropCounters,
    backfilled: Arc<Meter>,
}

/// Records for one commit, by lane, in order.
#[derive(Debug, Default)]
pub struct Staged {
    normal: LaneStage,
    critical: LaneStage,
}

/// One lane's part of [`Staged`].
#[derive(Debug, Default)]
pub struct LaneStage {
    /// All frames, one after another.
    bytes: Vec<u8>,
    /// Where each frame ends, and the routes that it is for.
    ends: Vec<(usize, RouteMask)>,
}

struct Track {
    route: Arc<Route>,
    steps: Vec<(bool, Box<dyn Step>)>,
    /// The same steps for what is backfilled: what they remember of it is not what they remember of the present.
    late_steps: Vec<(bool, Box<dyn Step>)>,
}

struct PointPlan {
    /// Indices of the routes that take the point.
    routes: Vec<usize>,
    /// Indices of the rules that watch it.
    rules: Vec<usize>,
    live: Arc<LivePoint>,
}

// === impl Plan ===

impl Plan {
    #[must_use]
    pub fn new(
        table: &RouteTable,
        live: Live,
        drops: DropCounters,
        backfilled: Arc<Meter>,
    ) -> Self {
        let mut plan = Self {
            routes: Vec::new(),
            rules: Vec::new(),
            points: HashMap::new(),
            live,
            drops,
            backfilled,
        };
        plan.adopt(table);
        plan
    }

    /// Takes over changed routes and rules. A route whose steps did not change keeps what they remember, and so does a rule
    /// whose condition did not.
    pub fn adopt(&mut self, table: &RouteTable) {
        let mut known = std::mem::take(&mut self.routes);
        self.points.clear();
        self.routes = table
            .routes
            .iter()
            .map(|route| {
                let same =
                    |track: &Track| track.route.id == route.id && track.route.steps == route.steps;
                match known.iter().position(same) {
                    Some(index) => Track {
                        route: Arc::clone(route),
                        ..known.swap_remove(index)
                    },
                    None => Track::new(route),
                }
            })
            .collect();
        let mut watches = std::mem::take(&mut self.rules);
        self.rules = table
            .rules
            .iter()
            .map(|rule| {
                let same = watches.iter().position(|watch| watch.holds_for(rule));
                match same {
                    Some(index) => watches.swap_remove(index).adopt(rule),
                    None => Watch::new(rule),
                }
            })
            .collect();
    }

    /// Sends one reading down its routes, past the rules that watch its point.
    pub fn take(&mut self, reading: Reading, staged: &mut Staged) {
        let Self {
            routes,
            rules,
            points,
            live,
            drops,
            backfilled,
        } = self;
        if !points.contains_key(&reading.point) {
            points.insert(
                reading.point.clone(),
                PointPlan::new(&reading.point, routes, rules, live),
            );
        }
        let point = points.get(&reading.point).expect("it was just put there");
        if reading.backfilled {
            backfilled.add(1);
            // It says how the point was, unless nothing newer was ever heard of it.
            point.live.record_if_newer(&reading);
        } else {
            point.live.record(&reading);
        }
        for &index in &point.rules {
            rules[index].observe(&reading);
        }
        if point.routes.is_empty() {
            drops.add(DropReason::NoRoute, 1);
            return;
        }
        let lane = LaneKind::of(reading.class);
        let mut unchanged = RouteMask::EMPTY;
        for &index in &point.routes {
            let track = &mut routes[index];
            track.route.counters.taken.add(1);
            if track.steps.iter().all(|(changes, _)| !changes) {
                match track.filter(&reading) {
                    Ok(()) => unchanged.insert(track.route.bit(lane)),
                    Err(reason) => track.route.counters.drops.add(reason, 1),
                }
            } else {
                match track.run(reading.clone()) {
                    // A step may have made an event of it.
                    Ok(changed) => {
                        let lane = LaneKind::of(changed.class);
                        let only = RouteMask::from(track.route.bit(lane));
                        staged.lane_mut(lane).push(&changed, only);
                    }
                    Err(reason) => track.route.counters.drops.add(reason, 1),
                }
            }
        }
        if !unchanged.is_empty() {
            staged.lane_mut(lane).push(&reading, unchanged);
        }
    }

    /// The route behind a bit of a lane, for counting.
    pub fn accepted(&self, lane: LaneKind, counts: &HashMap<RouteBit, u64>) {
        for track in &self.routes {
            if let Some(count) = counts.get(&track.route.bit(lane)) {
                track.route.counters.accepted.add(*count);
            }
        }
    }
}

impl PointPlan {
    fn new(id: &PointId, routes: &[Track], rules: &[Watch], live: &Live) -> Self {
        let takes =
            |(index, track): (usize, &Track)| track.route.takes(id.as_str()).then_some(index);
        let watches = |(index, watch): (usize, &Watch)| watch.takes(id.as_str()).then_some(index);
        Self {
            routes: routes.iter().enumerate().filter_map(takes).collect(),
            rules: rules.iter().enumerate().filter_map(watches).collect(),
            live: live.point(id),
        }
    }
}

// === impl Track ===

impl Track {
    fn new(route: &Arc<Route>) -> Self {
        Self {
            route: Arc::clone(route),
            steps: build(&route.steps),
            late_steps: build(&route.steps),
        }
    }

    fn run(&mut self, reading: Reading) -> Result<Reading, DropReason> {
        let steps = match reading.backfilled {
            true => &mut self.late_steps,
            false => &mut self.steps,
        };
        steps
            .iter_mut()
            .try_fold(reading, |reading, (_, step)| step.apply(reading))
    }

    /// For steps that only let through or hold back; free when there are none.
    fn filter(&mut self, reading: &Reading) -> Result<(), DropReason> {
        if self.steps.is_empty() {
            return Ok(());
        }
        self.run(reading.clone()).map(|_| ())
    }
}

fn build(steps: &[StepSettings]) -> Vec<(bool, Box<dyn Step>)> {
    let build = |step: &StepSettings| (step.changes(), step.build());
    steps.iter().map(build).collect()
}

impl Route {
    /// Its bit in the records of a lane.
    #[must_use]
    pub fn bit(&self, lane: LaneKind) -> RouteBit {
        match lane {
            LaneKind::Normal => self.normal_bit,
            LaneKind::Critical => self.critical_bit,
        }
    }
}

// === impl Staged ===

impl Staged {
    fn lane_mut(&mut self, lane: LaneKind) -> &mut LaneStage {
        match lane {
            LaneKind::Normal => &mut self.normal,
            LaneKind::Critical => &mut self.critical,
        }
    }

    /// The lanes that have something.
    pub fn into_lanes(self) -> impl Iterator<Item = (LaneKind, LaneStage)> {
        [
            (LaneKind::Normal, self.normal),
            (LaneKind::Critical, self.critical),
        ]
        .into_iter()
        .filter(|(_, stage)| !stage.ends.is_empty())
    }
}

// === impl LaneStage ===

impl LaneStage {
    fn push(&mut self, reading: &Reading, routes: RouteMask) {
        self.bytes = frame::encode(reading, std::mem::take(&mut self.bytes));
        self.ends.push((self.bytes.len(), routes));
    }

    /// How many records are for each route.
    #[must_use]
    pub fn counts(&self) -> HashMap<RouteBit, u64> {
        let mut counts = HashMap::new();
        for bit in self.ends.iter().flat_map(|(_, routes)| routes.iter()) {
            *counts.entry(bit).or_insert(0) += 1;
        }
        counts
    }

    /// The records; their bodies share one allocation.
    #[must_use]
    pub fn into_entries(self, at: Stamp) -> Vec<Entry> {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        let cut = |(end, routes)| {
            let body = bytes.slice(start..end);
            start = end;
            Entry { routes, at, body }
        };
        self.ends.into_iter().map(cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Class, Timestamp, Value};

    use super::*;

    fn plan(table: &RouteTable, drops: &DropCounters) -> Plan {
        Plan::new(table, Live::default(), drops.clone(), Arc::default())
    }

    fn route(id: &str, from: &str, bit: u8, steps: &str) -> Arc<Route> {
        let steps: Vec<StepSettings> = serde_json::from_str(steps).unwrap();
        Arc::new(Route {
            id: id.into(),
            patterns: vec![from.parse().unwrap()],
            steps,
            to: "broker".into(),
            max_age: None,
            live_first: false,
            normal_bit: RouteBit(bit),
            critical_bit: RouteBit(bit + 10),
            counters: Arc::default(),
        })
    }

    fn entries(plan: &mut Plan, readings: Vec<Reading>) -> Vec<(LaneKind, u64, Reading)> {
        let mut staged = Staged::default();
        for reading in readings {
            plan.take(reading, &mut staged);
        }
        staged
            .into_lanes()
            .flat_map(|(lane, stage)| {
                stage
                    .into_entries(Stamp::default())
                    .into_iter()
                    .map(move |entry| (lane, entry))
            })
            .map(|(lane, entry)| (lane, entry.routes.0, frame::decode(&entry.body).unwrap()))
            .collect()
    }

    #[test]
    fn unchanged_readings_are_one_record_and_changed_ones_their_own() {
        let table = RouteTable {
            routes: vec![
                route("all", "**", 0, "[]"),
                route("moved", "s/**", 1, r#"[{"deadband":0.5}]"#),
                route("scaled", "s/**", 2, r#"[{"scale":{"by":2}}]"#),
            ],
            ..RouteTable::default()
        };
        let drops = DropCounters::default();
        let mut plan = plan(&table, &drops);
        let at = Timestamp::default();
        let first = Reading::new("s/d/p".parse().unwrap(), 1.0, at);
        let second = Reading::new("s/d/p".parse().unwrap(), 1.2, at);
        let other = Reading::new("t/d/p".parse().unwrap(), 5.0, at);
        let records = entries(&mut plan, vec![first, second, other]);
        let seen: Vec<(u64, Value)> = records
            .into_iter()
            .map(|(_, mask, reading)| (mask, reading.value))
            .collect();
        assert_eq!(
            seen,
            [
                (0b100, Value::Float(2.0)),
                (0b011, Value::Float(1.0)),
                (0b100, Value::Float(2.4)),
                (0b001, Value::Float(1.2)),
                (0b001, Value::Float(5.0)),
            ]
        );
        assert_eq!(table.routes[1].counters.drops.get(DropReason::Deadband), 1);
        assert_eq!(drops.get(DropReason::NoRoute), 0);
    }

    #[test]
    fn events_go_by_the_critical_lane_and_the_unrouted_are_counted() {
        let table = RouteTable {
            routes: vec![route("s", "s/**", 0, "[]")],
            ..RouteTable::default()
        };
        let drops = DropCounters::default();
        let mut plan = plan(&table, &drops);
        let mut event = Reading::new("s/d/alarm".parse().unwrap(), true, Timestamp::default());
        event.class = Class::Event;
        let stray = Reading::new("t/d/p".parse().unwrap(), true, Timestamp::default());
        let records = entries(&mut plan, vec![event, stray]);
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].0, records[0].1), (LaneKind::Critical, 1 << 10));
        assert_eq!(drops.get(DropReason::NoRoute), 1);
    }

    #[test]
    fn a_reading_that_a_step_makes_an_event_goes_by_the_critical_lane() {
        let table = RouteTable {
            routes: vec![
                route("all", "**", 0, "[]"),
                route("alarms", "s/**", 1, r#"[{"class":"event"}]"#),
            ],
            ..RouteTable::default()
        };
        let mut plan = plan(&table, &DropCounters::default());
        let alarm = Reading::new("s/d/high".parse().unwrap(), true, Timestamp::default());
        let records = entries(&mut plan, vec![alarm]);
        let seen: Vec<_> = records
            .iter()
            .map(|(lane, mask, reading)| (*lane, *mask, reading.class))
            .collect();
        assert_eq!(
            seen,
            [
                (LaneKind::Normal, 0b01, Class::Telemetry),
                (LaneKind::Critical, 1 << 11, Class::Event),
            ]
        );
    }

    #[test]
    fn what_is_backfilled_is_not_the_points_last_value_and_moves_no_deadband_of_the_present() {
        let table = RouteTable {
            routes: vec![route("moved", "s/**", 0, r#"[{"deadband":0.5}]"#)],
            ..RouteTable::default()
        };
        let live = Live::default();
        let backfilled: Arc<Meter> = Arc::default();
        let mut plan = Plan::new(
            &table,
            live.clone(),
            DropCounters::default(),
            Arc::clone(&backfilled),
        );
        let reading = |second: i64, value: f64, backfilled| {
            let at = Timestamp::from_millis(second * 1000);
            let mut reading = Reading::new("s/d/p".parse().unwrap(), value, at);
            reading.backfilled = backfilled;
            reading
        };
        let records = entries(
            &mut plan,
            vec![
                reading(10, 1.0, false),
                reading(5, 7.0, true),
                reading(6, 7.2, true),
                reading(11, 1.2, false),
                reading(7, 8.0, true),
                reading(12, 1.6, false),
                reading(13, 1.7, true),
            ],
        );
        let seen: Vec<(Value, bool)> = records
            .into_iter()
            .map(|(_, _, reading)| (reading.value, reading.backfilled))
            .collect();
        let expected = [
            (1.0, false),
            (7.0, true),
            (8.0, true),
            (1.6, false),
            (1.7, true),
        ];
        assert_eq!(
            seen,
            expected.map(|(value, backfilled)| (Value::Float(value), backfilled))
        );
        assert_eq!(backfilled.total(), 4);
        let point = live.find(&"s/d/p".parse().unwrap()).unwrap();
        assert_eq!(point.count(), 4);
        let last = point.last().unwrap();
        assert_eq!(last.value, Value::Float(1.7), "nothing newer is known");
    }

    #[test]
    fn a_route_that_did_not_change_keeps_what_its_steps_remember() {
        let before = RouteTable {
            routes: vec![route("moved", "s/**", 1, r#"[{"deadband":0.5}]"#)],
            ..RouteTable::default()
        };
        let after = RouteTable {
            routes: vec![
                route("all", "**", 0, "[]"),
                route("moved", "**", 1, r#"[{"deadband":0.5}]"#),
            ],
            ..RouteTable::default()
        };
        let mut plan = plan(&before, &DropCounters::default());
        let reading = || Reading::new("s/d/p".parse().unwrap(), 1.0, Timestamp::default());
        assert_eq!(entries(&mut plan, vec![reading()]).len(), 1);
        plan.adopt(&after);
        let records = entries(&mut plan, vec![reading()]);
        assert_eq!(
            records.iter().map(|record| record.1).collect::<Vec<_>>(),
            [0b01]
        );
    }
}
