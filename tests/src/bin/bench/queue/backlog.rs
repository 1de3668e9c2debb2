//! A large backlog: written, left by kill -9, reopened by a fresh process with a cold page cache, drained from the disk.

use std::{collections::VecDeque, fs, path::Path, time::Instant};

use anyhow::{Context, Result};
use fieldgate_tests::telemetry::{PLANT, Telemetry};
use serde_json::{Value as Json, json};

use super::lane::BenchLane;
use crate::support::{self, Process};

const BATCH: usize = 1000;
const OUTSTANDING: usize = 32;

pub struct Backlog {
    pub reopen_s: f64,
    pub rss_mb: f64,
    pub drain_per_s: f64,
}

/// Fills and reopens in processes of their own, so that memory is theirs.
pub fn measure(folder: &Path, readings: u64) -> Result<Backlog> {
    fs::create_dir_all(folder)?;
    let path = folder.to_string_lossy();
    let mut filler = Process::start(&mut support::myself(&[
        "fill",
        &path,
        &readings.to_string(),
    ])?)?;
    eprintln!("backlog: {}", filler.line()?);
    drop(filler); // kill -9: nothing was closed
    support::forget_cached_pages(folder)?;
    let mut reader = Process::start(&mut support::myself(&["reopen", &path])?)?;
    let opened: Json = serde_json::from_str(&reader.line()?)?;
    eprintln!("reopened: {opened}");
    let drained: Json = serde_json::from_str(&reader.line()?)?;
    eprintln!("drained: {drained}");
    anyhow::ensure!(
        drained["readings"].as_u64() >= Some(readings) && drained["unaccounted"] == 0,
        "the drain does not add up: {drained}"
    );
    let figure = |report: &Json, key: &str| report[key].as_f64().with_context(|| key.to_owned());
    drop(reader); // it has said everything, and would still remove what was delivered
    fs::remove_dir_all(folder)?;
    Ok(Backlog {
        reopen_s: figure(&opened, "seconds")?,
        rss_mb: figure(&opened, "rss_mb")?,
        drain_per_s: figure(&drained, "readings")? / figure(&drained, "seconds")?,
    })
}

/// The role `fill`: writes the backlog, says so, and goes on living until it is killed.
pub fn fill(folder: &str, readings: &str) -> Result<()> {
    let readings: u64 = readings.parse()?;
    let started = Instant::now();
    let lane = support::single_thread()?.block_on(async {
        let lane = BenchLane::open(Path::new(folder))?;
        let (mut telemetry, mut waiting, mut sent) = (Telemetry::new(PLANT, 4), VecDeque::new(), 0);
        while sent < readings {
            waiting.push_back(lane.append(telemetry.frames(BATCH)).await?);
            sent += BATCH as u64;
            if waiting.len() == OUTSTANDING
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.await?;
            }
        }
        for ticket in waiting {
            ticket.await?;
        }
        anyhow::Ok(lane)
    })?;
    let stats = lane.stats();
    println!(
        "{} readings, {} MB of them, {} MB on the disk in {} generations, {:.0} s",
        stats.records,
        stats.payload_bytes / 1_000_000,
        stats.disk_bytes / 1_000_000,
        stats.generations,
        started.elapsed().as_secs_f64()
    );
    loop {
        std::thread::park();
    }
}

/// The role `reopen`: opens, reads the first record, reports; then drains, and reports.
pub fn reopen(folder: &str) -> Result<()> {
    support::single_thread()?.block_on(async {
        let (idle_mb, started) = (support::rss_mb()?, Instant::now());
        let lane = BenchLane::open(Path::new(folder))?;
        lane.first().await?;
        let seconds = started.elapsed().as_secs_f64();
        let rss_mb = support::rss_peak_mb()? - idle_mb;
        println!("{}", json!({ "seconds": seconds, "rss_mb": rss_mb }));
        let started = Instant::now();
        let readings = lane.drain().await?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({ "readings": readings, "seconds": seconds, "unaccounted": lane.unaccounted(), "rss_mb": support::rss_peak_mb()? - idle_mb })
        );
        lane.close().await
    })
}
