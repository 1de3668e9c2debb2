//! A gap is filled from the server's own history: every tick of the server is at the broker exactly once, and what came late says so.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use fieldgate_api::endpoint::Method;
use fieldgate_tests::{
    broker::Broker,
    gateway::{Gateway, folder},
    opcua_server::{self, OpcUaServer, Options},
    place::Place,
    proxy::Proxy,
    received::{Reading, Received},
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};

use crate::line::{self, PATIENCE};

const POINTS: usize = 20;
const PERIOD_MS: i64 = 100;
/// Ticks that are missed, at least.
const MISSED: i64 = 30;
/// A session that is lost is noticed, and tried again, within seconds.
const NOTICED: Duration = Duration::from_secs(30);

struct Plant {
    server: OpcUaServer,
    proxy: Proxy,
    gateway: Gateway,
    subscriber: Subscriber,
    received: Received,
    _broker: Broker,
}

#[test]
fn a_gap_for_which_the_server_kept_no_subscription_is_filled_from_its_history() {
    let mut plant = Plant::start("");
    plant.flows();
    plant.proxy.close();
    until("the subscription to end", NOTICED, || {
        match plant.server.look().subscriptions {
            0 => Ok(()),
            left => Err(format!("{left} are there")),
        }
    });
    plant.misses(MISSED);
    plant.proxy.open();
    plant.filled();
    plant.finish(1..=1);
}

#[test]
fn a_gap_over_a_stop_and_over_a_crash_of_the_gateway_is_filled_from_the_servers_history() {
    let mut plant = Plant::start("");
    plant.flows();
    plant.gateway.stop();
    plant.misses(MISSED);
    plant.gateway.restart();
    plant.filled();
    plant.flows();
    plant.gateway.kill();
    plant.misses(MISSED);
    plant.gateway.restart();
    plant.filled();
    plant.finish(2..=2);
}

/// What was durable decides what is still missing.
#[test]
fn a_crash_while_a_gap_is_filled_leaves_no_hole_and_repeats_nothing() {
    let mut plant = Plant::start("history = { fill = \"newest_first\", values_per_s = 150 }");
    plant.flows();
    plant.gateway.kill();
    plant.misses(MISSED);
    plant.gateway.restart();
    plant.told("is filling a gap");
    plant.gateway.kill();
    plant.gateway.restart();
    plant.filled();
    // One where nothing of the point was accepted between the two starts.
    plant.finish(1..=2);
}

// === impl Plant ===

impl Plant {
    /// With further settings of the source.
    #[track_caller]
    fn start(settings: &str) -> Self {
        let server = OpcUaServer::start(Options {
            nodes: POINTS,
            period_ms: PERIOD_MS,
            history: Some(7),
            lifetime_count: Some(15),
            ..Options::default()
        });
        let proxy = Proxy::start(server.port());
        let broker = Broker::start();
        let subscriber = Subscriber::start(broker.port);
        let endpoint = format!("opc.tcp://127.0.0.1:{}", proxy.port);
        let config = line::config(&endpoint, &broker.url());
        let config = config.replace(
            "queue_size = 1000\n",
            &format!("queue_size = 1000\n{settings}\n"),
        );
        Self {
            server,
            proxy,
            gateway: Gateway::start_in(folder(), &config, Place::default()),
            subscriber,
            received: Received::default(),
            _broker: broker,
        }
    }

    /// Present values arrive, and it is written down how far they are.
    #[track_caller]
    fn flows(&mut self) {
        let now = line::moment(self.server.look().tick, PERIOD_MS);
        self.received.wait_for(&self.subscriber, POINTS, now);
        let marks = self.gateway.state().join("units/source-line/history.jsonl");
        until_true("the marks", SOON, || marks.exists());
    }

    /// So many ticks pass.
    #[track_caller]
    fn misses(&mut self, ticks: i64) {
        let until_tick = self.server.look().tick + ticks;
        until_true("ticks to pass", SOON, || {
            self.server.look().tick >= until_tick
        });
    }

    #[track_caller]
    fn told(&self, words: &str) {
        let status = self
            .gateway
            .api
            .source_is("line", |status| status.words.contains(words));
        println!("{}", status.words);
    }

    #[track_caller]
    fn filled(&self) {
        self.told("filled a gap of");
        self.told("for 20 points");
    }

    /// Everything that the server ever wrote is there, once, as it was; what was missed says so, and came in so many gaps.
    #[track_caller]
    fn finish(mut self, gaps: RangeInclusive<usize>) {
        let ticks = self.server.hold();
        let last = line::moment(ticks.last, PERIOD_MS);
        self.received.wait_for(&self.subscriber, POINTS, last);
        let sum = self.gateway.api.all_acknowledged(PATIENCE);
        self.received.update(&self.subscriber);
        assert_eq!(self.received.assert_no_holes(), sum.accepted, "{sum:?}");
        for (point, readings) in self.received.by_point() {
            check(point, &readings, ticks.last, &gaps);
        }
        let (_, metrics) = self.gateway.api.send(Method::Get, "/metrics", "", &[]);
        let count = metrics
            .lines()
            .find(|line| line.starts_with("fieldgate_source_backfilled_total{source=\"line\""));
        let count = count.and_then(|line| line.rsplit(' ').next());
        assert!(count.is_some_and(|count| count != "0"), "{count:?}");
    }
}

#[track_caller]
fn check(point: &str, readings: &[&Reading], last: i64, gaps: &RangeInclusive<usize>) {
    let tick = |reading: &&&Reading| opcua_server::tick(reading.at, PERIOD_MS);
    let seen: Vec<i64> = readings.iter().map(|reading| tick(&reading)).collect();
    let distinct: BTreeSet<i64> = seen.iter().copied().collect();
    let first = *distinct.first().unwrap();
    let missing: Vec<i64> = (first..=last).filter(|t| !distinct.contains(t)).collect();
    assert!(missing.is_empty(), "{point} has no {missing:?}");
    assert_eq!(
        seen.len(),
        distinct.len(),
        "{point} has some twice: {seen:?}"
    );
    for reading in readings {
        line::assert_as_served(reading, PERIOD_MS);
    }
    let missed: BTreeSet<i64> = readings
        .iter()
        .filter(|reading| reading.backfilled)
        .map(|reading| tick(&reading))
        .collect();
    assert!(missed.len() as i64 >= MISSED - 2, "{point}: {missed:?}");
    let beginnings = missed.iter().filter(|tick| !missed.contains(&(**tick - 1)));
    assert!(gaps.contains(&beginnings.count()), "{point}: {missed:?}");
    let present: Vec<i64> = readings
        .iter()
        .filter(|reading| !reading.backfilled)
        .map(|reading| tick(&reading))
        .collect();
    assert!(present.is_sorted(), "{point}: present values are in order");
}
