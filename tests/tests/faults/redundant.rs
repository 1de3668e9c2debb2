//! A set of redundant servers, of which one is lost, or says that it is not well: F81.

use std::time::{Duration, Instant};

use fieldgate_api::{
    endpoint::{GetDevice, GetDevices},
    state::{Level, Status},
};
use fieldgate_tests::{
    gateway::{Gateway, folder},
    line,
    opcua_server::{OpcUaServer, Options, Other},
    place::Place,
    scripted_broker::{Script, ScriptedBroker},
};

use crate::plant::{A_SECOND, PERIOD_MS, POINTS, Plant};

/// Values flow from another server so soon after one is lost: 5 s, and as much again for the tests that run beside this one.
const FAILED_OVER: Duration = Duration::from_secs(10);
const SECOND_URI: &str = "urn:fieldgate:test:second";

/// Two servers with the same values under other node ids; the source begins on the first.
struct Pair {
    first: OpcUaServer,
    /// With the second server.
    plant: Plant,
}

#[test]
fn f81_a_server_that_is_lost_is_replaced_by_the_one_that_it_named() {
    let mut pair = Pair::start(
        |second| {
            vec![Other {
                uri: SECOND_URI.to_owned(),
                url: second.endpoint(),
            }]
        },
        |_| String::new(),
    );
    let (first, second) = pair.endpoints();
    pair.told(&[
        &format!(
            "on {first} of a hot redundant set of 2 servers, with service level 255 (healthy)"
        ),
        &format!("{second} has service level 255"),
    ]);
    let before = pair.points();
    let began = Instant::now();
    pair.first.kill();
    // More than the first server can have sent before.
    pair.plant.flow(4 * POINTS as u64);
    let took = began.elapsed();
    println!("values after {took:?}");
    assert!(took <= FAILED_OVER, "{took:?}");
    let status = pair.told(&[
        &format!("on {second} of a hot"),
        &format!("because {first} cannot be used"),
    ]);
    println!("{}", status.words);
    assert_eq!(pair.points(), before);
    pair.finish();
}

#[test]
fn f81_a_server_that_is_not_well_is_left_for_a_better_one_and_nobody_flaps() {
    let mut pair = Pair::start(
        |_| Vec::new(),
        |second| format!("alternates = [\"{}\"]\n", second.endpoint()),
    );
    let (first, second) = pair.endpoints();
    pair.told(&[&format!("on {first} of a redundant set of 2 servers")]);
    let before = pair.points();
    pair.first.level(100);
    let status = pair.told(&[
        &format!("on {second} of a redundant set"),
        &format!("because {first} has service level 100 (degraded)"),
    ]);
    println!("{}", status.words);
    pair.plant.flow(A_SECOND);
    pair.first.level(255);
    pair.plant.server.level(190);
    pair.told(&[
        &format!("on {second} of a redundant set"),
        "with service level 190 (degraded)",
        &format!("{first} has service level 255 (healthy)"),
    ]);
    assert_eq!(pair.points(), before);
    pair.finish();
}

// === impl Pair ===

impl Pair {
    #[track_caller]
    fn start(
        set: impl FnOnce(&OpcUaServer) -> Vec<Other>,
        settings: impl FnOnce(&OpcUaServer) -> String,
    ) -> Self {
        let options = Options {
            nodes: POINTS,
            period_ms: PERIOD_MS,
            ..Options::default()
        };
        let server = OpcUaServer::start(Options {
            first_id: 70_000,
            namespaces_before: 2,
            application: SECOND_URI.to_owned(),
            ..options.clone()
        });
        let first = OpcUaServer::start(Options {
            set: set(&server),
            ..options
        });
        let broker = ScriptedBroker::start(Script::default());
        let select = "select = [\"Objects/Line/**\"]\n";
        let config = line::config(&first.endpoint(), &broker.url());
        let config = config.replace(select, &format!("{select}{}", settings(&server)));
        let gateway = Gateway::start_in(folder(), &config, Place::default());
        let plant = Plant {
            server,
            gateway,
            broker,
        };
        plant.flow(A_SECOND);
        Self { first, plant }
    }

    fn endpoints(&self) -> (String, String) {
        (self.first.endpoint(), self.plant.server.endpoint())
    }

    /// Waits until the source is well and tells this.
    #[track_caller]
    fn told(&self, words: &[&str]) -> Status {
        self.plant.gateway.api.source_is("line", |status| {
            status.level == Level::Good && words.iter().all(|word| status.words.contains(word))
        })
    }

    /// The ids of all points of the one device.
    #[track_caller]
    fn points(&self) -> Vec<String> {
        let api = &self.plant.gateway.api;
        let devices = api.get::<GetDevices>(&[]);
        assert_eq!(devices.iter().filter(|of| of.source == "line").count(), 1);
        let page = api.get::<GetDevice>(&["line/Line"]);
        page.points.into_iter().map(|point| point.id).collect()
    }

    /// Every value is a server's, in order, and none came twice.
    #[track_caller]
    fn finish(mut self) {
        let (received, sum) = self.plant.finish();
        assert_eq!(sum.acked, sum.accepted, "{sum:?}");
        for reading in &received.readings {
            if reading.reason.is_none() {
                line::assert_as_served(reading, PERIOD_MS);
            }
        }
        for (point, readings) in received.by_point() {
            let again = readings.windows(2).filter(|pair| pair[0].at == pair[1].at);
            assert_eq!(again.count(), 0, "{point}");
        }
    }
}
