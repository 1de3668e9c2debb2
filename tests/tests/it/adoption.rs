//! A whole plant is taken by one rule: 10,000 variables of asyncua, each with a value, a unit and a range, within a minute;
//! and what each point costs in memory.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use fieldgate_api::{
    config::Draft,
    endpoint::{GetDevice, GetDevices, GetSource, PutSource},
};
use fieldgate_tests::{gateway::Gateway, peers, port, process::Process, wait::until};
use serde_json::{Value as Json, json};

const MACHINES: usize = 100;
const VARIABLES: usize = 100;
const POINTS: u64 = 10_000;
/// What is promised.
const LIMIT: Duration = Duration::from_secs(60);
/// A build for tests takes more memory than that, because nothing of it is inlined away; but not by much.
const MOST_BYTES_A_POINT: u64 = 16 << 10;

struct Server {
    _process: Process,
    endpoint: String,
}

impl Server {
    #[track_caller]
    fn start() -> Self {
        let port = port::free();
        let options = json!({ "port": port, "machines": MACHINES, "variables": VARIABLES });
        let mut command = Command::new(peers::python());
        command
            .arg(peers::root().join("tests/peers/opcua_many.py"))
            .arg(options.to_string());
        let mut process = Process::start("asyncua", &mut command);
        process.line("the server to be ready", 0, |line| {
            line.contains("ready").then_some(())
        });
        Self {
            _process: process,
            endpoint: format!("opc.tcp://127.0.0.1:{port}"),
        }
    }
}

#[test]
fn ten_thousand_nodes_are_adopted_by_one_rule_within_a_minute() {
    let server = Server::start();
    for rule in [json!("Objects/Plant/**"), json!({ "type": "MotorType" })] {
        let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
        let before = gateway.usage().resident_bytes;
        let began = Instant::now();
        put(&gateway, &server, &rule);
        let connected = adopted(&gateway, began);
        let took = began.elapsed();
        let growth = gateway.usage().resident_bytes.saturating_sub(before);
        learned(&gateway);
        println!(
            "{rule}: {POINTS} points have a value after {took:?} (announced after {connected:?}), unit and range after {:?}; {} bytes of memory for each",
            began.elapsed(),
            growth / POINTS
        );
        assert!(took < LIMIT, "{took:?}");
        assert!(growth / POINTS < MOST_BYTES_A_POINT, "{growth}");
    }
}

fn put(gateway: &Gateway, server: &Server, rule: &Json) {
    let draft = Draft {
        kind: "opcua".into(),
        paused: false,
        settings: json!({ "endpoint": server.endpoint, "security": { "policy": "None" }, "select": [rule] }),
    };
    gateway.api.call::<PutSource>(&["many"], &draft).unwrap();
}

/// Waits until each point has a value; how long it took until they were announced.
#[track_caller]
fn adopted(gateway: &Gateway, began: Instant) -> Duration {
    let mut announced = None;
    until("a value of each point", LIMIT, || {
        let source = gateway.api.get::<GetSource>(&["many"]);
        if source.points == POINTS {
            announced.get_or_insert_with(|| began.elapsed());
        }
        match (source.points, source.readings_total) {
            (POINTS, POINTS..) => Ok(()),
            of => Err(format!("{of:?}: {}", source.status.words)),
        }
    });
    let devices = gateway.api.get::<GetDevices>(&[]);
    let devices: Vec<_> = devices
        .iter()
        .filter(|device| device.source == "many")
        .collect();
    assert_eq!(devices.len(), MACHINES);
    announced.unwrap_or_default()
}

/// Waits until the last ones have their unit and range, and every point has its own value.
#[track_caller]
fn learned(gateway: &Gateway) {
    let page = |machine: usize| {
        let id = format!("many/Plant%2FMotor{machine}");
        gateway.api.get::<GetDevice>(&[&id])
    };
    for machine in 0..MACHINES {
        let points = until("units and ranges", LIMIT, || {
            let points = page(machine).points;
            let known = points.iter().filter(|point| point.range.is_some());
            match known.count() {
                VARIABLES => Ok(points),
                known => Err(format!("{known} of Motor{machine}")),
            }
        });
        for point in points {
            let number: usize = point.name.trim_start_matches('V').parse().unwrap();
            let live = point.live.unwrap();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let expected = (machine * 1000 + number) as f64;
            assert_eq!(live.value.as_f64(), Some(expected), "{}", point.id);
            assert_eq!(point.unit.as_deref(), Some("Cel"));
        }
    }
}
