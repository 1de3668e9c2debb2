//! OPC UA servers that can do little: few items in a subscription, no deadband, no subscriptions at all.

use std::process::Command;

use fieldgate_api::state::Level;
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    broker::Broker,
    gateway::Gateway,
    line::{self, PATIENCE},
    opcua_server::{OpcUaServer, Options},
    peers, port,
    process::Process,
    received::Received,
    subscriber::Subscriber,
    wait::until,
};

const POINTS: usize = 46;

#[test]
fn items_are_divided_by_the_servers_limits_and_a_deadband_in_percent_works_anyway() {
    for filters in ["filters", "no-filters"] {
        let server = Server::start(filters);
        let broker = Broker::start();
        let subscriber = Subscriber::start(broker.port);
        let mut gateway = Gateway::start(&config(&server, &broker));
        let status = gateway.api.source_is("small", |status| {
            status.level == Level::Good && status.words.starts_with("46 of 46")
        });
        let words = "in 3 subscriptions publishing every 200 ms; 3 of 5 sessions used";
        assert!(status.words.contains(words), "{}", status.words);

        let mut received = Received::default();
        received.wait_for(&subscriber, POINTS, Timestamp::default());
        // The first values may come before the range is known.
        let steps = until("eight steps that are large enough", PATIENCE, || {
            received.update(&subscriber);
            let points = received.by_point();
            let ramp = points["Ramp"].iter();
            let values: Vec<f64> = ramp.filter_map(|reading| reading.value.as_f64()).collect();
            let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
            match steps.iter().filter(|step| **step > 10.0).count() {
                large if large >= 8 => Ok(steps),
                large => Err(format!("only {large}")),
            }
        });
        let held_back = steps.iter().skip_while(|step| **step <= 10.0);
        let expected = vec![12.0; steps.iter().filter(|step| **step > 10.0).count()];
        let held_back: Vec<f64> = held_back.copied().collect();
        assert_eq!(held_back, expected, "{filters}");
        gateway.stop();
        assert_eq!(gateway.warnings(), Vec::<String>::new());
    }
}

#[test]
fn a_server_without_subscriptions_is_read_in_cycles() {
    let mut server = OpcUaServer::start(Options {
        nodes: 10,
        ..Options::default()
    });
    server.refuse("CreateSubscription", "BadServiceUnsupported");
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let mut gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    let status = gateway
        .api
        .source_is("line", |status| status.level == Level::Good);
    let words = "10 of 10 monitored items, read every 200 ms";
    assert!(status.words.starts_with(words), "{}", status.words);

    let mut received = Received::default();
    received.wait_for(&subscriber, 10, line::moment(0, 500));
    let before = received.latest().millis();
    received.wait_for(&subscriber, 10, line::moment(before / 500 + 4, 500));
    for reading in &received.readings {
        line::assert_as_served(reading, 500);
    }
    received.assert_order();
    gateway.stop();
}

fn config(server: &Server, broker: &Broker) -> String {
    format!(
        r#"
[gateway]
name = "test"

[[source]]
id = "small"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:{}"
security = {{ policy = "None" }}
select = ["Objects/Small/*", {{ path = "Objects/Small/Ramp", deadband_percent = 10 }}]
publishing_ms = 200
queue_size = 1000
{}
[[route]]
id = "everything"
from = ["small/**"]
to = "broker"
"#,
        server.port,
        line::destination("broker", &broker.url()),
    )
}

/// `peers/opcua_small.py`.
struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    fn start(filters: &str) -> Self {
        let port = port::free();
        let mut command = Command::new(peers::python());
        command
            .arg(peers::root().join("tests/peers/opcua_small.py"))
            .args([&port.to_string(), filters]);
        let mut process = Process::start("asyncua", &mut command);
        process.line("its readiness", 0, |line| {
            line.contains("ready").then_some(())
        });
        Self {
            port,
            _process: process,
        }
    }
}
