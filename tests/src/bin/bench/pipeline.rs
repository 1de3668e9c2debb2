//! OPC UA server → subscription → steps → synced queue → MQTT broker → PUBACK, against the OPC UA client alone.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use crate::support::{self, Process, broker, median, rounded};

const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(4);
const WINDOW: Duration = Duration::from_secs(10);

/// What one round saw of the gateway.
struct Round {
    values_per_s: f64,
    latency_ms: (f64, f64),
    cpu_s_per_million: f64,
    rss_mb: f64,
}

/// `pipeline [NODES [EVERY_MS]]`: so many nodes, all changed every so many milliseconds.
pub fn run(arguments: &[&str]) -> Result<()> {
    let nodes = arguments.first().copied().unwrap_or("12000");
    let every_ms = arguments.get(1).copied().unwrap_or("100");
    let folder = tempfile::tempdir()?;
    let (_broker, broker_url) = broker::start(folder.path())?;
    let rss_idle_mb = idle(folder.path(), &broker_url)?;
    eprintln!("idle: {rss_idle_mb:.1} MB");

    let mut server = Process::start(&mut support::myself(&["serve", nodes, every_ms])?)?;
    let endpoint = server.line()?;
    let (mut rounds, mut ceilings) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let ceiling = client_alone(&endpoint)?;
        let round = gateway(
            &folder.path().join(format!("round-{number}")),
            &endpoint,
            &broker_url,
        )?;
        eprintln!(
            "round {number}: {:.0} values/s of {ceiling:.0}, p50 {:.0} ms, p99 {:.0} ms, {:.2} CPU s a million, {:.1} MB",
            round.values_per_s,
            round.latency_ms.0,
            round.latency_ms.1,
            round.cpu_s_per_million,
            round.rss_mb
        );
        rounds.push(round);
        ceilings.push(ceiling);
    }
    let ratios = rounds
        .iter()
        .zip(&ceilings)
        .map(|(round, ceiling)| round.values_per_s / ceiling)
        .collect();
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    println!(
        "{}",
        json!({
            "values_per_s": of(|round| round.values_per_s).round(),
            "ceiling_values_per_s": median(ceilings.clone()).round(),
            "ratio": rounded(median(ratios)),
            "latency_ms_p50": rounded(of(|round| round.latency_ms.0)),
            "latency_ms_p99": rounded(of(|round| round.latency_ms.1)),
            "cpu_s_per_million": rounded(of(|round| round.cpu_s_per_million)),
            "rss_idle_mb": rounded(rss_idle_mb),
            "rss_load_mb": rounded(rounds.iter().map(|round| round.rss_mb).fold(0.0, f64::max)),
        })
    );
    Ok(())
}

/// The gateway with console, queue and broker connection, and no source.
fn idle(folder: &Path, broker_url: &str) -> Result<f64> {
    let state = folder.join("idle");
    let (gateway, address) = support::start_gateway(
        &config(&state, "", broker_url)?
            .each_ref()
            .map(String::as_str),
    )?;
    support::wait_for("the broker", Duration::from_secs(10), || {
        let destination = support::get_json(&address, "/api/v1/destinations/broker").ok()?;
        (destination["status"]["level"] == "good").then_some(())
    })?;
    std::thread::sleep(Duration::from_secs(3));
    let rss = gateway.rss_mb()?;
    gateway.terminate()?;
    Ok(rss)
}

fn gateway(state: &Path, endpoint: &str, broker_url: &str) -> Result<Round> {
    let arguments = config(state, endpoint, broker_url)?;
    let (gateway, address) = support::start_gateway(&arguments.each_ref().map(String::as_str))?;
    let destination = || support::get_json(&address, "/api/v1/destinations/broker");
    let acked = |view: &Json| view["acked_total"].as_f64().unwrap_or(0.0);
    support::wait_for("the first acknowledgement", Duration::from_secs(30), || {
        (acked(&destination().ok()?) > 0.0).then_some(())
    })?;
    std::thread::sleep(WARM_UP);

    let (start, before, cpu) = (
        Instant::now(),
        acked(&destination()?),
        gateway.cpu_seconds()?,
    );
    let mut rss_mb: f64 = 0.0;
    while start.elapsed() < WINDOW {
        std::thread::sleep(Duration::from_millis(500));
        rss_mb = rss_mb.max(gateway.rss_mb()?);
    }
    let view = destination()?;
    let (seconds, values, cpu) = (
        start.elapsed().as_secs_f64(),
        acked(&view) - before,
        gateway.cpu_seconds()? - cpu,
    );
    let overview = support::get_json(&address, "/api/v1/overview")?;
    let unaccounted = overview["ledger"]["total"]["unaccounted"].as_i64();
    anyhow::ensure!(
        unaccounted == Some(0),
        "the ledger does not balance: {}",
        overview["ledger"]
    );
    let delay = |key: &str| {
        view[key]
            .as_f64()
            .with_context(|| format!("{key} of the destination"))
    };
    let round = Round {
        values_per_s: values / seconds,
        latency_ms: (delay("delay_ms_p50")?, delay("delay_ms_p99")?),
        cpu_s_per_million: cpu / (values / 1e6),
        rss_mb,
    };
    gateway.terminate()?;
    Ok(round)
}

fn client_alone(endpoint: &str) -> Result<f64> {
    let seconds = WINDOW.as_secs().to_string();
    let mut client = Process::start(&mut support::myself(&["ceiling", endpoint, &seconds])?)?;
    Ok(client.line()?.parse()?)
}

/// Writes a configuration; without an endpoint it has no source. Returns the gateway's arguments.
fn config(state: &Path, endpoint: &str, broker_url: &str) -> Result<[String; 4]> {
    fs::create_dir_all(state)?;
    let mut text =
        format!("[[destination]]\nid = \"broker\"\nkind = \"mqtt\"\nurl = \"{broker_url}\"\n");
    if !endpoint.is_empty() {
        text.push_str(&support::load::source("load", endpoint));
        text.push_str("\n[[route]]\nid = \"all\"\nfrom = [\"load/**\"]\nto = \"broker\"\n");
        text.push_str("steps = [{ deadband = 0.1 }, { scale = { by = 1.8, add = 32 } }]\n");
    }
    let file = state.join("bench.toml");
    fs::write(&file, text)?;
    let words = [
        "--config",
        &file.to_string_lossy(),
        "--state",
        &state.join("state").to_string_lossy(),
    ]
    .map(str::to_owned);
    Ok(words)
}
