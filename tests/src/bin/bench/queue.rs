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
use appends::{Contender, SIZES};

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
    let mut rounds: Vec<Vec<appends::Round>> = Vec::new();
    for number in 1..=scale.rounds {
        let sync_ms = sync::p50_ms(folder)?;
        let mut round = Vec::new();
        for size in SIZES {
            let rates = Contender::ALL.map(|contender| {
                contender.measure(&folder.join("appends"), &nats, &frames, size, scale.window)
            });
            let [lane, plain, nats] = rates;
            round.push(appends::Round {
                size,
                lane: lane?,
                plain: plain?,
                nats: nats?,
            });
        }
        eprintln!("round {number}: fdatasync p50 {sync_ms:.2} ms");
        round.iter().for_each(|row| eprintln!("  {row}"));
        rounds.push(round);
    }
    let kept = if rounds.len() > 1 {
        &rounds[1..]
    } else {
        &rounds[..]
    };
    Ok(summary(kept))
}

fn summary(rounds: &[Vec<appends::Round>]) -> Map<String, Json> {
    let of = |index: usize, figure: fn(&appends::Round) -> f64| {
        median(rounds.iter().map(|round| figure(&round[index])).collect())
    };
    let (mut ratios, mut rates) = (Map::new(), Map::new());
    for (index, size) in SIZES.into_iter().enumerate() {
        let ratio = of(index, |row| {
            row.lane.appends_per_s / row.plain.appends_per_s
        });
        ratios.insert(size.to_string(), json!(rounded(ratio)));
        let rate = of(index, |row| row.lane.appends_per_s);
        rates.insert(size.to_string(), json!(rate.round()));
    }
    let hundred = SIZES
        .iter()
        .position(|size| *size == 100)
        .expect("it is one of the sizes");
    let nats = of(hundred, |row| {
        row.lane.appends_per_s / row.nats.appends_per_s
    });
    let amplification = of(hundred, |row| row.lane.written_per_byte);
    Map::from_iter([
        ("append_ratio".to_owned(), Json::Object(ratios)),
        ("appends_per_s".to_owned(), Json::Object(rates)),
        ("nats_ratio".to_owned(), json!(rounded(nats))),
        (
            "write_amplification".to_owned(),
            json!(rounded(amplification)),
        ),
    ])
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
