//! Networks that go half, come and go, lose and crawl: F38 to F41.

use std::time::{Duration, Instant};

use fieldgate_api::endpoint::GetDestination;
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    gateway::Gateway,
    line,
    opcua_server::OpcUaServer,
    proxy::{Proxy, Weather},
    scripted_broker::{Answer, Published, Script, ScriptedBroker},
    wait::{until, until_true},
};

use crate::plant::{A_SECOND, PATIENCE, PERIOD_MS, Plant, drained, retry, server};

/// A half-open connection is noticed within this (F38).
const NOTICED: Duration = Duration::from_secs(45);

#[test]
fn f38_a_half_open_connection_is_noticed_while_data_flows() {
    let plant = Behind::start(Weather::default(), "timeout = \"5 s\"\n");
    plant.flow(A_SECOND);
    plant.proxy.turn(Weather::half_open());
    let took = plant.noticed("has not acknowledged a message for 5 s");
    assert!(took < Duration::from_secs(15), "{took:?}");
    plant.goes_on();
}

/// With the limits as they are by default, and nothing to send: only pings tell.
#[test]
fn f38_a_half_open_connection_is_noticed_while_nothing_flows() {
    let mut plant = Behind::start(Weather::default(), "");
    plant.flow(A_SECOND);
    let last = line::moment(plant.server.hold().last, PERIOD_MS);
    until_true("the last value", PATIENCE, || plant.has(last));
    drained(&plant.gateway.api);
    plant.proxy.turn(Weather::half_open());
    let took = plant.noticed("did not answer a ping");
    println!("noticed after {took:?}");
    assert!(took <= NOTICED, "{took:?}");
    plant.server.go();
    plant.goes_on();
}

#[test]
fn f39_a_partition_of_one_way_is_noticed_and_nothing_counts_as_delivered_meanwhile() {
    let plant = Behind::start(Weather::default(), "timeout = \"5 s\"\n");
    plant.flow(A_SECOND);
    plant.proxy.turn(Weather::no_answers());
    let before = plant.gateway.api.ledger().acked;
    let took = plant.noticed("has not acknowledged a message for 5 s");
    assert!(took < Duration::from_secs(15), "{took:?}");
    let after = plant.gateway.api.ledger().acked;
    // What was acknowledged already, and on its way back through the proxy.
    assert!(after - before <= 2 * A_SECOND, "{before} to {after}");
    assert!(plant.broker.acknowledged().len() as u64 >= after);
    plant.goes_on();
}

#[test]
fn f40_a_line_that_loses_one_packet_in_twenty_makes_progress_on_one_connection() {
    carries(Weather::lossy(0.05));
}

#[test]
fn f40_a_line_that_loses_three_packets_in_ten_makes_progress_on_one_connection() {
    carries(Weather::lossy(0.3));
}

#[test]
fn f40_a_round_trip_of_two_seconds_makes_progress_on_one_connection() {
    carries(Weather::slow(Duration::from_secs(2), None));
}

/// Whatever is slow: no reconnect, and in the end everything is there.
fn carries(weather: Weather) {
    let mut plant = Behind::start(weather, "");
    plant.flow(10 * A_SECOND);
    plant.server.hold();
    let sum = drained(&plant.gateway.api);
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
    assert_eq!(plant.broker.connections(), 1, "no reconnect storm");
    assert_eq!(plant.broker.acknowledged().len() as u64, sum.acked);
}

/// A backlog that takes half a minute of the whole line: nothing may be sent so far ahead that its answer seems to be missing.
#[test]
fn f40_a_line_of_64_kilobits_a_second_makes_progress_on_one_connection() {
    let broker = ScriptedBroker::start(Script::default());
    let line_of_64k = Weather::slow(Duration::from_millis(300), Some(8_000));
    let proxy = Proxy::with(broker.port, line_of_64k);
    let mut server = server();
    let away = line::config(&server.endpoint(), "mqtt://127.0.0.1:1");
    let gateway = Gateway::start(&away);
    until_true("a backlog", PATIENCE, || {
        gateway.api.ledger().pending >= 10 * A_SECOND
    });
    server.hold();
    let backlog = gateway.api.ledger().pending;
    let began = Instant::now();
    let settings = "timeout = \"12 s\"\nkeep_alive = \"15 s\"\n";
    let there = format!("mqtt://127.0.0.1:{}", proxy.port);
    gateway.reload(&(line::config(&server.endpoint(), &there) + settings));
    let sum = drained(&gateway.api);
    println!("{backlog} readings in {:?}", began.elapsed());
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
    assert_eq!(broker.connections(), 1, "no reconnect storm");
}

/// Connections that are cut at their first message, hundreds of them, as fast as they can be made.
#[test]
fn f41_flapping_leaks_nothing_and_fills_no_log() {
    const FLAPS: usize = 300;
    let flapping = Script::default().answering(|_| Answer::Cut);
    let mut plant = Plant::start(flapping, "batch = { age = \"0 ms\" }\n");
    plant.connections(20);
    let (before, lines) = (plant.gateway.usage(), plant.gateway.log().len());
    plant.connections(20 + FLAPS);
    let (after, log) = (plant.gateway.usage(), plant.gateway.log());
    assert!(
        after.descriptors <= before.descriptors + 10,
        "{before:?} to {after:?}"
    );
    assert!(
        after.threads <= before.threads + 4,
        "{before:?} to {after:?}"
    );
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    assert!(grown < 32 << 20, "{grown} bytes more");
    let said = log.len() - lines;
    assert!(
        said <= FLAPS / 5,
        "{said} lines, the last: {:?}",
        log.last()
    );
    let each = (after.cpu - before.cpu) / u32::try_from(FLAPS).unwrap();
    println!("{each:?} of a core for each connection, {said} lines");
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
}

/// At the supervisor's own pace, a broker that cuts every connection costs next to nothing.
#[test]
fn f41_flapping_does_not_spin() {
    let flapping = Script::default().answering(|_| Answer::Cut);
    let plant = Plant::start(flapping, "");
    until_true("the first cut", PATIENCE, || plant.broker.connections() > 1);
    let (before, began) = (plant.gateway.usage(), Instant::now());
    let pending = plant.gateway.api.ledger().pending;
    plant.backlog(pending + 8 * A_SECOND);
    let spent = plant.gateway.usage().cpu - before.cpu;
    let share = spent.as_secs_f64() / began.elapsed().as_secs_f64();
    println!("{:.1} % of a core", share * 100.0);
    // About a tenth without optimisation; one that spins takes a whole core, however busy the machine is.
    assert!(share < 0.5, "{share}");
}

/// A plant whose broker is reached through a proxy.
struct Behind {
    server: OpcUaServer,
    broker: ScriptedBroker,
    proxy: Proxy,
    gateway: Gateway,
}

// === impl Behind ===

impl Behind {
    #[track_caller]
    fn start(weather: Weather, settings: &str) -> Self {
        let broker = ScriptedBroker::start(Script::default());
        let proxy = Proxy::with(broker.port, weather);
        let server = server();
        let url = format!("mqtt://127.0.0.1:{}", proxy.port);
        let gateway = Gateway::start(&(line::config(&server.endpoint(), &url) + settings));
        Self {
            server,
            broker,
            proxy,
            gateway,
        }
    }

    #[track_caller]
    fn flow(&self, readings: u64) {
        let goal = self.gateway.api.ledger().acked + readings;
        until("readings to be acknowledged", PATIENCE, || {
            match self.gateway.api.ledger() {
                sum if sum.acked >= goal => Ok(()),
                sum => Err(format!("{sum:?}")),
            }
        });
    }

    /// Until the gateway says these words of the destination.
    #[track_caller]
    fn noticed(&self, words: &str) -> Duration {
        let began = Instant::now();
        until(&format!("`{words}`"), PATIENCE, || {
            let status = self.gateway.api.get::<GetDestination>(&["broker"]).status;
            match status.words.contains(words) {
                true => Ok(()),
                false => Err(status.words),
            }
        });
        began.elapsed()
    }

    fn has(&self, last: Timestamp) -> bool {
        has(&self.broker, last)
    }

    /// When the network is well again, everything arrives.
    #[track_caller]
    fn goes_on(self) {
        let Self {
            mut server,
            broker,
            proxy,
            gateway,
        } = self;
        proxy.turn(Weather::default());
        let _ = proxy.cut();
        until_true("another connection", PATIENCE, || {
            retry(&gateway.api, "broker");
            broker.connections() > 1
        });
        let last = line::moment(server.hold().last, PERIOD_MS);
        until_true("the last value", PATIENCE, || {
            retry(&gateway.api, "broker");
            has(&broker, last)
        });
        let sum = drained(&gateway.api);
        assert_eq!(sum.acked, sum.accepted, "{sum:?}");
        assert_eq!(broker.acknowledged().len() as u64, sum.acked);
    }
}

/// The broker has the value of this moment.
fn has(broker: &ScriptedBroker, moment: Timestamp) -> bool {
    let published = broker.published();
    let mut readings = published.iter().flat_map(Published::readings);
    readings.any(|reading| reading.at >= moment)
}
