//! Whatever breaks, nothing accepted is lost, order is kept for each point, and the ledger balances.

use fieldgate_api::endpoint::{GetDevice, GetDevices, GetSource};
use fieldgate_tests::{
    api::Api,
    broker::Broker,
    gateway::Gateway,
    opcua_server::{self, OpcUaServer, Options, Ticks},
    received::Received,
    subscriber::Subscriber,
    wait::until,
};

use crate::line::{self, PATIENCE};

const POINTS: usize = 500;
const PERIOD_MS: i64 = 500;
/// Readings of all points in a second.
const A_SECOND: u64 = POINTS as u64 * 1000 / PERIOD_MS as u64;
/// The device of all points, as the API names it.
const DEVICE: &str = "line/Line";

/// Server, gateway, broker and subscriber, with data flowing.
struct Plant {
    server: OpcUaServer,
    broker: Broker,
    subscriber: Subscriber,
    gateway: Gateway,
    received: Received,
}

#[test]
fn a_broker_that_is_gone_for_twenty_seconds_costs_nothing() {
    let mut plant = Plant::start();
    plant.broker.remember_sessions();
    plant.broker.kill();
    plant.gateway.api.destination_is("broker", |status| {
        status.words.contains("nobody listens at")
    });
    // At the server's pace this takes twenty seconds.
    until(
        "twenty seconds of readings to wait",
        PATIENCE,
        || match plant.gateway.api.ledger().pending {
            pending if pending >= 20 * A_SECOND => Ok(()),
            pending => Err(format!("{pending} do")),
        },
    );
    plant.broker.restart();
    let ticks = plant.finish();
    plant.assert_every_tick(ticks);
}

#[test]
fn a_gateway_that_is_killed_goes_on_where_it_was() {
    let mut plant = Plant::start();
    for _ in 0..3 {
        plant.gateway.kill_and_restart();
        plant.flow();
    }
    plant.finish();
}

#[test]
fn a_graceful_stop_loses_nothing_and_repeats_nothing() {
    let mut plant = Plant::start();
    let took = plant.gateway.stop();
    println!("stopped within {took:?}");
    plant.gateway.restart();
    plant.flow();
    plant.finish();
    assert_eq!(plant.received.repeated, 0);
    assert_eq!(plant.gateway.warnings(), Vec::<String>::new());
}

#[test]
fn a_server_that_numbers_its_nodes_anew_still_has_the_same_points() {
    let mut plant = Plant::start();
    let before = points(&plant.gateway.api);
    plant.server.restart(Options {
        first_id: 70_000,
        namespaces_before: 3,
        ..options()
    });
    plant.flow();
    assert_eq!(points(&plant.gateway.api), before);
    let devices = plant.gateway.api.get::<GetDevices>(&[]);
    assert_eq!(
        devices
            .iter()
            .filter(|device| device.source == "line")
            .count(),
        1
    );
    plant.finish();
    assert_eq!(plant.received.by_point().len(), POINTS);
}

#[test]
fn a_node_that_is_deleted_is_named_with_its_reason_and_the_others_go_on() {
    let mut plant = Plant::start();
    plant.server.delete(7);
    let problem = until("the problem of p7", PATIENCE, || {
        let page = plant.gateway.api.get::<GetDevice>(&[DEVICE]);
        let point = page.points.iter().find(|point| point.name == "p7").unwrap();
        point.problem.clone().ok_or("it has none")
    });
    assert!(
        problem.contains("BadNodeIdUnknown: the server no longer has this node"),
        "{problem}"
    );
    let source = plant.gateway.api.get::<GetSource>(&["line"]);
    assert_eq!((source.points, source.points_with_problems), (500, 1));
    assert!(
        source.status.words.contains("499 of 500"),
        "{}",
        source.status.words
    );

    let latest = plant.received.latest();
    let ticks = plant.server.hold();
    assert!(line::moment(ticks.last, PERIOD_MS) > latest);
    plant.received.wait_for(
        &plant.subscriber,
        POINTS - 1,
        line::moment(ticks.last, PERIOD_MS),
    );
    plant.gateway.api.all_acknowledged(PATIENCE);
}

// === impl Plant ===

impl Plant {
    fn start() -> Self {
        let server = OpcUaServer::start(options());
        let broker = Broker::start();
        let subscriber = Subscriber::start(broker.port);
        let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
        let mut plant = Self {
            server,
            broker,
            subscriber,
            gateway,
            received: Received::default(),
        };
        plant
            .received
            .wait_for(&plant.subscriber, POINTS, line::moment(0, PERIOD_MS));
        plant.flow();
        plant
    }

    /// Waits until every point has news.
    #[track_caller]
    fn flow(&mut self) {
        self.received.update(&self.subscriber);
        let later = self.received.latest().millis() + 2 * PERIOD_MS;
        let later = line::moment(later / PERIOD_MS, PERIOD_MS);
        self.received.wait_for(&self.subscriber, POINTS, later);
    }

    /// Lets everything arrive, and checks what always holds.
    #[track_caller]
    fn finish(&mut self) -> Ticks {
        let ticks = self.server.hold();
        let last = line::moment(ticks.last, PERIOD_MS);
        self.received.wait_for(&self.subscriber, POINTS, last);
        let sum = self.gateway.api.all_acknowledged(PATIENCE);
        self.received.update(&self.subscriber);
        self.received.assert_order();
        assert_eq!(self.received.assert_no_holes(), sum.accepted);
        for reading in &self.received.readings {
            line::assert_as_served(reading, PERIOD_MS);
        }
        println!(
            "{} readings, {} of them more than once",
            self.received.readings.len(),
            self.received.repeated
        );
        ticks
    }

    /// The source never paused, so each point has each tick.
    #[track_caller]
    fn assert_every_tick(&self, ticks: Ticks) {
        for (point, readings) in self.received.by_point() {
            let seen: Vec<i64> = readings
                .iter()
                .map(|reading| opcua_server::tick(reading.at, PERIOD_MS))
                .collect();
            assert_eq!(seen, (seen[0]..=ticks.last).collect::<Vec<_>>(), "{point}");
        }
    }
}

fn options() -> Options {
    Options {
        nodes: POINTS,
        period_ms: PERIOD_MS,
        ..Options::default()
    }
}

/// The ids of the line's points.
#[track_caller]
fn points(api: &Api) -> Vec<String> {
    let page = api.get::<GetDevice>(&[DEVICE]);
    page.points.into_iter().map(|point| point.id).collect()
}
