//! The plant of these tests: a small OPC UA server, the gateway, and a broker that follows a script.

use std::{collections::BTreeSet, time::Duration};

use fieldgate_api::{
    endpoint::{GetDestination, RetryDestination},
    state::{LedgerSum, Level, Status},
};
use fieldgate_tests::{
    api::Api,
    gateway::{Gateway, folder},
    line,
    opcua_server::{self, OpcUaServer, Options, Ticks},
    place::Place,
    received::Received,
    scripted_broker::{Script, ScriptedBroker},
    wait::until,
};
use tempfile::TempDir;

pub const POINTS: usize = 20;
pub const PERIOD_MS: i64 = 100;
/// Readings of all points in a second.
pub const A_SECOND: u64 = POINTS as u64 * 1000 / PERIOD_MS as u64;
/// For what has to catch up first, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Messages of one reading each, many of them under way.
pub const ONE_BY_ONE: &str = "batch = { readings = 1 }\nin_flight = 256\n";

/// Everything from server to broker.
pub struct Plant {
    pub server: OpcUaServer,
    pub gateway: Gateway,
    pub broker: ScriptedBroker,
}

// === impl Plant ===

impl Plant {
    /// Data begins to flow to a broker that follows the script. Further settings of the destination can follow.
    #[track_caller]
    pub fn start(script: Script, settings: &str) -> Self {
        Self::start_in(folder(), script, settings, Place::default())
    }

    /// As [`Self::start`], with the gateway in this folder and place.
    #[track_caller]
    pub fn start_in(folder: TempDir, script: Script, settings: &str, place: Place) -> Self {
        Self::start_at(server(), folder, script, settings, place)
    }

    /// As [`Self::start_in`], with another server.
    #[track_caller]
    pub fn start_at(
        server: OpcUaServer,
        folder: TempDir,
        script: Script,
        settings: &str,
        place: Place,
    ) -> Self {
        let broker = ScriptedBroker::start(script);
        let config = line::config(&server.endpoint(), &broker.url()) + settings;
        Self {
            gateway: Gateway::start_in(folder, &config, place),
            server,
            broker,
        }
    }

    /// The source never paused and nothing was lost, so each point has each tick up to the last.
    #[track_caller]
    pub fn assert_every_tick(received: &Received) {
        for (point, readings) in received.by_point() {
            let seen = readings
                .iter()
                .map(|reading| opcua_server::tick(reading.at, PERIOD_MS));
            let ticks: BTreeSet<i64> = seen.collect();
            let (first, last) = (ticks.first().unwrap(), ticks.last().unwrap());
            let missing: Vec<i64> = (*first..=*last).filter(|t| !ticks.contains(t)).collect();
            assert!(missing.is_empty(), "{point} has no {missing:?}");
        }
    }

    /// The configuration, with further settings of the destination.
    pub fn config(&self, settings: &str) -> String {
        self.config_to(&self.broker.url(), settings)
    }

    /// As [`Self::config`], with the destination elsewhere.
    pub fn config_to(&self, url: &str, settings: &str) -> String {
        line::config(&self.server.endpoint(), url) + settings
    }

    /// Waits until so many more readings are acknowledged.
    #[track_caller]
    pub fn flow(&self, readings: u64) {
        let goal = self.gateway.api.ledger().acked + readings;
        until("readings to be acknowledged", PATIENCE, || {
            retry(&self.gateway.api, "broker");
            match self.gateway.api.ledger() {
                sum if sum.acked >= goal => Ok(()),
                sum => Err(format!("{sum:?}")),
            }
        });
    }

    /// Waits until so many connections were made, without the supervisor's patience.
    #[track_caller]
    pub fn connections(&self, count: usize) {
        until("connections", PATIENCE, || {
            retry(&self.gateway.api, "broker");
            match self.broker.connections() {
                made if made >= count => Ok(()),
                made => Err(format!("there were {made}")),
            }
        });
    }

    /// Waits until so many readings wait for the destination.
    #[track_caller]
    pub fn backlog(&self, readings: u64) {
        until("a backlog", PATIENCE, || {
            match self.gateway.api.ledger().pending {
                pending if pending >= readings => Ok(()),
                pending => Err(format!("{pending} wait")),
            }
        });
    }

    /// Waits until so many attempts have ended with these words, as the log tells: the status is soon another one.
    #[track_caller]
    pub fn ended(&self, attempts: usize, words: &str) {
        until(&format!("{attempts} × `{words}`"), PATIENCE, || {
            let log = self.gateway.log();
            match log.iter().filter(|line| line.contains(words)).count() {
                told if told >= attempts => Ok(()),
                told => Err(format!("it was told {told} times")),
            }
        });
    }

    #[track_caller]
    pub fn status(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        self.gateway.api.destination_is("broker", wanted)
    }

    /// With a broker that behaves again: lets everything arrive, and checks what always holds. What the broker refused for good
    /// is in the sum that is returned.
    #[track_caller]
    pub fn finish(&mut self) -> (Received, LedgerSum) {
        self.broker.play(Script::default());
        self.finish_as_scripted()
    }

    /// As [`Self::finish`], with the script that the broker has.
    #[track_caller]
    pub fn finish_as_scripted(&mut self) -> (Received, LedgerSum) {
        let ticks = self.server.hold();
        self.accepted_through(ticks);
        let sum = drained(&self.gateway.api);
        let received = self.received();
        received.assert_order();
        let acknowledged = self.broker.acknowledged().len() as u64;
        assert_eq!(
            sum.acked, acknowledged,
            "what counts as delivered is what the broker took: {sum:?}"
        );
        assert_eq!(received.assert_no_holes(), sum.accepted, "{sum:?}");
        (received, sum)
    }

    /// What came to the broker, taken or not.
    pub fn received(&self) -> Received {
        let mut received = Received::default();
        for published in self.broker.published() {
            received.take(&published.message);
        }
        received
    }

    /// Waits until the last value of every point is accepted.
    #[track_caller]
    fn accepted_through(&self, ticks: Ticks) {
        let last = line::moment(ticks.last, PERIOD_MS);
        until("the last values to be there", PATIENCE, || {
            retry(&self.gateway.api, "broker");
            let received = self.received();
            let points = received.by_point();
            let came = points.values().filter(|of| {
                let latest = of.last().map(|reading| reading.at);
                latest.is_some_and(|at| at >= last)
            });
            match came.count() {
                POINTS => Ok(()),
                came => Err(format!(
                    "{came} points have: {:?}",
                    self.gateway.api.ledger()
                )),
            }
        });
    }
}

/// Twenty points, ten times a second.
#[track_caller]
pub fn server() -> OpcUaServer {
    OpcUaServer::start(Options {
        nodes: POINTS,
        period_ms: PERIOD_MS,
        ..Options::default()
    })
}

/// Waits until nothing is pending, and checks the balance.
#[track_caller]
pub fn drained(api: &Api) -> LedgerSum {
    let sum = until("an empty queue", PATIENCE, || match api.ledger() {
        sum if sum.pending == 0 => Ok(sum),
        sum => Err(format!("{sum:?}")),
    });
    assert_eq!(sum.unaccounted, 0, "{sum:?}");
    assert_eq!(
        sum.accepted,
        sum.acked + sum.dead_lettered + sum.evicted + sum.expired + sum.lost_detected,
        "{sum:?}"
    );
    sum
}

/// Has a destination that waits to try again do so now.
#[track_caller]
pub fn retry(api: &Api, destination: &str) {
    let status = api.get::<GetDestination>(&[destination]).status;
    if status.level >= Level::Warning && status.retry_at.is_some() {
        api.call::<RetryDestination>(&[destination], &()).unwrap();
    }
}
