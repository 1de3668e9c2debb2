//! How long a lane with a large backlog takes to open, and how much memory.
//!
//! ```text
//! cargo run --release -p fieldgate-store --example reopen -- fill DIR RECORDS [ROUTES] [CONSUMERS]
//! cargo run --release -p fieldgate-store --example reopen -- open DIR
//! ```
//! `fill` ends with abort(3), as after kill -9, and leaves each consumer at another place. ROUTES masks take turns.

use std::{error::Error, path::Path, time::Instant};

use bytes::Bytes;
use fieldgate_store::{
    Entry, Exit, Lane, LaneOptions, OnFull, PeekLimits, RouteMask, Seq, Stamp, Tally, Urgency,
};

const BATCH: u64 = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse());
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", dir, ..] => {
            fill(
                dir.as_ref(),
                number(2, 10_000_000)?,
                number(3, 1)?,
                number(4, 1)?,
            )
            .await
        }
        ["open", dir] => reopen(dir.as_ref()).await,
        _ => Err("fill DIR RECORDS [ROUTES] [CONSUMERS], or open DIR".into()),
    }
}

fn options() -> LaneOptions {
    LaneOptions {
        reserve_bytes: 0,
        ..LaneOptions::new(8 << 30, OnFull::RefuseNewest)
    }
}

async fn fill(dir: &Path, records: u64, routes: u64, consumers: u64) -> Result<(), Box<dyn Error>> {
    let (lane, _) = Lane::open(dir, options())?;
    let mut bits = Vec::new();
    for consumer in 0..consumers {
        let name = format!("c{consumer}");
        lane.consumer(&name)?;
        bits.push(lane.route_bit(&format!("r→{name}"), &name)?);
    }
    let every: RouteMask = bits.iter().copied().collect();
    let mut tickets = std::collections::VecDeque::new();
    for first in (0..records).step_by(BATCH as usize) {
        let entries = (first..first + BATCH)
            .map(|at| entry(at, routes, every))
            .collect();
        tickets.push_back(lane.append(entries, Urgency::Relaxed).await?);
        if tickets.len() == 16 {
            tickets.pop_front().ok_or("16 are there")?.await?;
        }
    }
    for ticket in tickets {
        ticket.await?;
    }
    for (consumer, bit) in (1..).zip(&bits).skip(1) {
        let through = records * consumer / (consumers + 1);
        lane.ack(
            &format!("c{}", consumer - 1),
            Seq(through),
            Tally(vec![(*bit, Exit::Acked, through)]),
        );
    }
    lane.consumer("saves the cursors")?;
    println!("filled: {:?}", lane.stats());
    std::process::abort();
}

/// A reading of about 100 bytes, as a frame has it.
fn entry(at: u64, routes: u64, every: RouteMask) -> Entry {
    let now = 1_790_000_000_000 + at * 10;
    let value = 20.0 + (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / 1e6;
    let mut body = format!(
        "press/Line 4%2FPress {}/Hydraulics/temperature-{:03}",
        at % 7,
        at % 200
    )
    .into_bytes();
    body.extend_from_slice(&value.to_le_bytes());
    body.extend_from_slice(&now.to_le_bytes());
    body.extend_from_slice(&(now + at % 9).to_le_bytes());
    body.resize(100, 0);
    Entry {
        routes: RouteMask(every.0 | (at % routes) << 32),
        at: Stamp {
            boot: 7,
            since_boot_ms: at * 10,
            wall_ms: now as i64,
        },
        body: Bytes::from(body),
    }
}

async fn reopen(dir: &Path) -> Result<(), Box<dyn Error>> {
    let before = memory_kib("VmRSS")?;
    let started = Instant::now();
    let (lane, report) = Lane::open(dir, options())?;
    let took = started.elapsed();
    let (rss, peak) = (memory_kib("VmRSS")?, memory_kib("VmHWM")?);
    println!(
        "{} records in {} generations, {} recovered: open {:.0} ms, RSS +{} KiB, peak +{} KiB; {:?}",
        report.records,
        report.generations,
        report.recovered_records,
        took.as_secs_f64() * 1e3,
        rss - before,
        peak - before,
        report.findings,
    );
    for name in lane.consumers() {
        let started = Instant::now();
        let through = lane.consumer(&name)?.through;
        let limits = PeekLimits {
            records: 1000,
            bytes: 1 << 20,
        };
        let page = lane.peek(through, RouteMask::ALL, limits).await?;
        println!(
            "{name} at {through}: first page of {} after {:?}",
            page.records.len(),
            started.elapsed()
        );
    }
    let rss = memory_kib("VmRSS")?;
    println!(
        "then RSS +{} KiB, {:?}",
        rss - before,
        lane.stats().disk_bytes
    );
    for balance in lane.balance() {
        println!(
            "{}: accepted {} pending {} unaccounted {}",
            balance.key,
            balance.accepted,
            balance.pending,
            balance.unaccounted()
        );
    }
    lane.close().await?;
    Ok(())
}

fn memory_kib(line: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = found
        .ok_or("no such line")?
        .trim()
        .trim_end_matches(" kB")
        .trim();
    Ok(kib.parse()?)
}
