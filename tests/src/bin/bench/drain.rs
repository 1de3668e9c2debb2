//! A backlog of ten million readings drains to mosquitto, and live alarms overtake it all the way.
//!
//! The backlog is in the gateway's own frames, written by the queue before the gateway starts. The alarms are nodes of an OPC UA server
//! that change ten times a second; their route's step `class` makes events of them. Their age is taken when a subscriber gets them.

mod alarms;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fieldgate_tests::{
    backlog::{self, Owed},
    telemetry::{PLANT, Telemetry},
};
use serde_json::{Value as Json, json};

use crate::support::{self, Process, broker, percentile, rounded};
use alarms::Alarms;

const DESTINATION: &str = "broker";
const BACKLOG: &str = "backlog";
/// Alarms that change ten times a second.
const ALARMS: &str = "20";
const EVERY_MS: &str = "100";
/// Slower than this it has failed anyway.
const LIMIT: Duration = Duration::from_secs(900);
const SAY_EVERY: Duration = Duration::from_secs(10);

/// `drain [READINGS]`
pub fn run(arguments: &[&str]) -> Result<()> {
    let readings: u64 = arguments.first().unwrap_or(&"10000000").parse()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let owed = Owed {
        route: BACKLOG,
        destination: DESTINATION,
    };
    let started = Instant::now();
    backlog::write(&state, &owed, Telemetry::new(PLANT, 5), readings);
    eprintln!(
        "backlog of {readings} readings: {:.0} s",
        started.elapsed().as_secs_f64()
    );

    let (_broker, url) = broker::start(folder.path())?;
    let mut server = Process::start(&mut support::myself(&["serve", ALARMS, EVERY_MS])?)?;
    let config = config(folder.path(), &server.line()?, &url)?;
    let alarms = Alarms::listen(&url)?;
    let arguments = ["--config", &config, "--state", &state.to_string_lossy()];
    let (gateway, address) = support::start_gateway(&arguments)?;
    let seconds = until_drained(&gateway, &address, &alarms, readings)?;
    let mut ages_ms = alarms.ages_ms();
    anyhow::ensure!(!ages_ms.is_empty(), "no alarm came");
    let p99 = percentile(&mut ages_ms, 99);
    eprintln!(
        "{} alarms overtook: p50 {:.0} ms, p99 {p99:.0} ms, the slowest {:.0} ms",
        ages_ms.len(),
        percentile(&mut ages_ms, 50),
        percentile(&mut ages_ms, 100)
    );
    gateway.terminate()?;
    println!(
        "{}",
        json!({ "drain_per_s": (readings as f64 / seconds).round(), "alarm_ms_p99": rounded(p99) })
    );
    Ok(())
}

/// Follows the backlog's row of the ledger; returns the seconds from the first look until nothing of it was pending.
fn until_drained(gateway: &Process, address: &str, alarms: &Alarms, readings: u64) -> Result<f64> {
    let started = Instant::now();
    let mut said = started;
    loop {
        let row = backlog_row(address)?;
        let pending = row["pending"].as_u64().context("pending")?;
        if pending == 0 {
            anyhow::ensure!(
                row["acked"].as_u64() == Some(readings) && row["unaccounted"] == 0,
                "the ledger does not add up: {row}"
            );
            return Ok(started.elapsed().as_secs_f64());
        }
        anyhow::ensure!(
            started.elapsed() < LIMIT,
            "still {pending} pending after {LIMIT:?}"
        );
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            eprintln!(
                "{:3.0} s: {pending} pending, {} alarms, {:.0} MB",
                started.elapsed().as_secs_f64(),
                alarms.ages_ms().len(),
                gateway.rss_mb()?
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn backlog_row(address: &str) -> Result<Json> {
    let queue = support::get_json(address, "/api/v1/queue")?;
    let rows = queue["ledger"]["rows"].as_array().context("rows")?;
    let row = rows
        .iter()
        .find(|row| row["route"] == BACKLOG && row["lane"] == "normal");
    Ok(row.context("the backlog's row in the ledger")?["sum"].clone())
}

fn config(folder: &Path, endpoint: &str, url: &str) -> Result<String> {
    let (plant, alarms) = (
        support::load::source("plant", endpoint),
        support::load::source("alarms", endpoint),
    );
    let file = folder.join("drain.toml");
    let text = format!(
        r#"
[gateway]
name = "bench"
{plant}paused = true
{alarms}
[[destination]]
id = "{DESTINATION}"
kind = "mqtt"
url = "{url}"

[[route]]
id = "{BACKLOG}"
from = ["plant/**"]
to = "{DESTINATION}"

[[route]]
id = "alarms"
from = ["alarms/**"]
steps = [{{ class = "event" }}]
to = "{DESTINATION}"
"#
    );
    fs::write(&file, text)?;
    Ok(file.to_string_lossy().into_owned())
}
