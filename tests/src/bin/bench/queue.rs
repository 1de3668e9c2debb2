//! The durable queue on this disk: appends against a plain log and NATS JetStream, drain, space, reopening a large backlog.

mod appends;
mod backlog;
mod lane;
mod nats;
mod plain_log;
mod space;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Map, Value as Json, json};

pub use backlog::{fill, reopen};

use crate::support::{median, rounded, sync};
use appends::{Contender, Round, SIZES, USUAL};

/// How much is measured: `queue [ROUNDS [SECONDS [BACKLOG]]]`.
struct Scale {
    /// The first one is dropped.
    rounds: usize,
    /// For each contender, size and round.
    window: Duration,
    /// Readings in the queue that is reopened and drained.
    backlog: u64,
}

/// Prints the medians. Everything lies in a folder of its own below `TMPDIR`, which decides the disk.
pub fn run(arguments: &[&str]) -> Result<()> {
    let scale = Scale::parse(arguments)?;
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let appends = appends(&scale, folder.path())?;
    eprintln!("appends: {:.0} s", started.elapsed().as_secs_f64());
    let telemetry = space::disk_ratio(&folder.path().join("telemetry"), &space::telemetry())?;
    let random = space::disk_ratio(&folder.path().join("random"), &space::random())?;
    eprintln!("disk: {telemetry:.2} of the live bytes for telemetry, {random:.2} for random bytes");
    let backlog = backlog::measure(&folder.path().join("backlog"), scale.backlog)?;
    eprintln!("all: {:.0} s", started.elapsed().as_secs_f64());
    let mut figures = appends;
    figures.extend([
        ("drain_per_s".to_owned(), json!(backlog.drain_per_s.round())),
        ("disk_ratio_telemetry".to_owned(), json!(rounded(telemetry))),
        ("disk_ratio_random".to_owned(), json!(rounded(random))),
        ("reopen_s".to_owned(), json!(rounded(backlog.reopen_s))),
        ("rss_mb".to_owned(), json!(rounded(backlog.rss_mb))),
    ]);
    println!("{}", Json::Object(figures));
    Ok(())
}

/// Every contender at every size, one after another, round after round.
fn appends(scale: &Scale, folder: &Path) -> Result<Map<String, Json>> {
    let frames = appends::frames();
    let nats = nats::Server::start(&folder.join("nats"))?;
    let mut rounds: Vec<Vec<Round>> = Vec::new();
    for number in 1..=scale.rounds {
        let sync_ms = sync::p50_ms(folder)?;
        eprintln!("round {number}: fdatasync p50 {sync_ms:.2} ms");
        let mut round = Vec::new();
        for size in SIZES {
            let rates =
                Round::measure(&folder.join("appends"), &nats, &frames, size, scale.window)?;
            eprintln!("  {rates}");
            round.push(rates);
        }
        rounds.push(round);
    }
    let kept = if rounds.len() > 1 {
        &rounds[1..]
    } else {
        &rounds[..]
    };
    Ok(summary(kept))
}

/// The names without a suffix are against the contender that does what is said and no more: append, then sync; a message a reading.
fn summary(rounds: &[Vec<Round>]) -> Map<String, Json> {
    let of = |size: usize, figure: &dyn Fn(&Round) -> f64| {
        let rows = rounds.iter().flatten().filter(|row| row.size == size);
        median(rows.map(figure).collect())
    };
    let by_size = |figure: &dyn Fn(&Round) -> f64| {
        let row = |size: usize| (size.to_string(), json!(rounded(of(size, figure))));
        Json::Object(SIZES.into_iter().map(row).collect())
    };
    let usual = |figure: &dyn Fn(&Round) -> f64| json!(rounded(of(USUAL, figure)));
    let rate = |row: &Round| row.of(Contender::Lane).appends_per_s.round();
    let written = |row: &Round| row.of(Contender::Lane).written_per_byte;
    let figures = [
        ("append_ratio", by_size(&|row| row.ratio(Contender::Plain))),
        (
            "append_ratio_grouped",
            by_size(&|row| row.ratio(Contender::Grouped)),
        ),
        ("appends_per_s", by_size(&rate)),
        (
            "nats_ratio",
            usual(&|row| row.ratio(Contender::NatsReadings)),
        ),
        (
            "nats_ratio_batches",
            usual(&|row| row.ratio(Contender::NatsBatches)),
        ),
        ("write_amplification", usual(&written)),
    ];
    figures
        .map(|(name, figure)| (name.to_owned(), figure))
        .into_iter()
        .collect()
}

impl Scale {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let word = |index: usize, default: &'static str| {
            arguments.get(index).copied().unwrap_or(default).to_owned()
        };
        Ok(Self {
            rounds: word(0, "6").parse().context("the number of rounds")?,
            window: Duration::from_secs_f64(word(1, "1.2").parse().context("seconds a window")?),
            backlog: word(2, "10000000")
                .parse()
                .context("the size of the backlog")?,
        })
    }
}
