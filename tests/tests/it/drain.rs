//! Alarms overtake the backlog of a long outage, which drains to its last reading meanwhile.

use fieldgate_api::{endpoint::GetQueue, state::LedgerSum};
use fieldgate_tests::{
    backlog::{self, Owed},
    broker::Broker,
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
    received::readings,
    subscriber::{Message, Subscriber},
    telemetry::{PLANT, Telemetry},
    wait::until,
};

use crate::line::{self, PATIENCE};

const BACKLOG: u64 = 60_000;
/// Alarms that wait when the destination comes.
const WAITING: u64 = 200;

#[test]
fn alarms_overtake_the_backlog_of_an_outage() {
    let mut server = OpcUaServer::start(Options {
        nodes: 20,
        period_ms: 100,
        ..Options::default()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let config = |paused| config(&server.endpoint(), &broker.url(), paused);
    let (before, after) = (config(true), config(false));
    let mut gateway = Gateway::start(&before);
    gateway.stop();
    let owed = Owed {
        route: "backlog",
        destination: "broker",
    };
    backlog::write(&gateway.state(), &owed, Telemetry::new(PLANT, 6), BACKLOG);
    gateway.restart();
    until("alarms to wait", PATIENCE, || {
        match sum(&gateway, "alarms", "critical").pending {
            pending if pending >= WAITING => Ok(()),
            pending => Err(format!("{pending} do")),
        }
    });
    gateway.reload(&after);
    until("the backlog to drain", PATIENCE, || {
        match sum(&gateway, "backlog", "normal") {
            LedgerSum {
                acked: BACKLOG,
                pending: 0,
                ..
            } => Ok(()),
            sum => Err(format!("{sum:?}")),
        }
    });
    server.hold();
    gateway.api.all_acknowledged(PATIENCE);
    assert_overtaken(&subscriber.messages_from(0));
}

/// What waited came before half of the backlog did, and more alarms came while the rest drained.
#[track_caller]
fn assert_overtaken(messages: &[Message]) {
    let of = |ending: &'static str| {
        let numbered = messages.iter().enumerate();
        numbered.filter(move |(_, message)| message.topic.ends_with(ending))
    };
    let alarms: Vec<usize> = of("/events")
        .flat_map(|(at, message)| readings(message).into_iter().map(move |_| at))
        .collect();
    let backlog: Vec<usize> = of("/data").map(|(at, _)| at).collect();
    let (half, last) = (backlog[backlog.len() / 2], backlog[backlog.len() - 1]);
    let early = alarms.iter().filter(|at| **at < half).count() as u64;
    assert!(early >= WAITING, "only {early} of {} alarms", alarms.len());
    let late = alarms
        .iter()
        .filter(|at| (half..last).contains(*at))
        .count();
    assert!(late > 0, "no alarm came while the second half drained");
}

fn sum(gateway: &Gateway, route: &str, lane: &str) -> LedgerSum {
    let rows = gateway.api.get::<GetQueue>(&[]).ledger.rows;
    let mut of = rows
        .into_iter()
        .filter(|row| row.route == route && row.lane == lane);
    of.next().map(|row| row.sum).unwrap_or_default()
}

fn config(endpoint: &str, broker: &str, paused: bool) -> String {
    format!(
        r#"
[gateway]
name = "test"
{}paused = true
{}{}paused = {paused}

[[route]]
id = "backlog"
from = ["plant/**"]
to = "broker"

[[route]]
id = "alarms"
from = ["line/**"]
steps = [{{ class = "event" }}]
to = "broker"
"#,
        line::source("plant", endpoint),
        line::source("line", endpoint),
        line::destination("broker", broker),
    )
}
