//! Durable records per second through a lane, on sled and on the plain log: batches of 500 records of 100 bytes.
//!
//! `cargo run --release -p fieldgate-store --example throughput [SECONDS] [DIR]`. Progress goes to stderr; the last line on
//! stdout is one JSON object.

use std::{
    collections::VecDeque,
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fieldgate_store::{
    EngineKind, Entry, Exit, Lane, LaneOptions, OnFull, PeekLimits, RouteBit, Seq, Stamp, Tally,
    Ticket, Urgency,
};

const BATCH: usize = 500;
const BODY_BYTES: usize = 100;
/// Batches on their way at once, as a source with a window of its own would have.
const WINDOW: usize = 32;

struct Figures {
    records_per_s: f64,
    cpu_us_per_record: f64,
    commits_per_s: f64,
    disk_bytes_per_record: f64,
    drain_records_per_s: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(5.0), |text| text.parse())?;
    let parent = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("fieldgate-throughput-{}", std::process::id()));
    let plain = measure(&dir, EngineKind::PlainLog, seconds).await?;
    let sled = measure(&dir, EngineKind::Sled, seconds).await?;
    println!(
        "{{\"batch\":{BATCH},\"body_bytes\":{BODY_BYTES},\"sled\":{},\"plain_log\":{},\"ratio\":{:.2}}}",
        json(&sled),
        json(&plain),
        sled.records_per_s / plain.records_per_s
    );
    Ok(())
}

async fn measure(dir: &Path, engine: EngineKind, seconds: f64) -> Result<Figures, Box<dyn Error>> {
    let options = LaneOptions {
        engine,
        ..LaneOptions::new(4 << 30, OnFull::RefuseNewest)
    };
    let (lane, _) = Lane::open(dir, options)?;
    lane.consumer("drain")?;
    let bit = lane.route_bit("bench→drain", "drain")?;
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let records = append_for(&lane, bit, Duration::from_secs_f64(seconds)).await?;
    let (took, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let stats = lane.stats();
    let drain = drain(&lane, bit).await?;
    lane.close().await?;
    fs::remove_dir_all(dir)?;
    eprintln!(
        "{engine:?}: {records} records in {took:.1} s, {} commits",
        stats.commits
    );
    Ok(Figures {
        records_per_s: records as f64 / took,
        cpu_us_per_record: cpu * 1e6 / records as f64,
        commits_per_s: stats.commits as f64 / took,
        disk_bytes_per_record: stats.disk_bytes as f64 / stats.records.max(1) as f64,
        drain_records_per_s: drain,
    })
}

async fn append_for(lane: &Lane, bit: RouteBit, time: Duration) -> Result<u64, Box<dyn Error>> {
    let (started, mut at, mut waiting) = (Instant::now(), 0u64, VecDeque::<Ticket>::new());
    while started.elapsed() < time {
        waiting.push_back(lane.append(batch(bit, at), Urgency::Waiting).await?);
        at += BATCH as u64;
        if waiting.len() >= WINDOW
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.await?;
        }
    }
    for ticket in waiting {
        ticket.await?;
    }
    Ok(at)
}

async fn drain(lane: &Lane, bit: RouteBit) -> Result<f64, Box<dyn Error>> {
    let limits = PeekLimits {
        records: 1000,
        bytes: 1 << 20,
    };
    let (started, end, mut at, mut count) = (Instant::now(), *lane.durable().borrow(), Seq(0), 0);
    while at < end {
        let page = lane.peek(at, bit.into(), limits).await?;
        at = page.scanned_through;
        count += page.records.len();
        lane.ack(
            "drain",
            at,
            Tally(vec![(bit, Exit::Acked, page.records.len() as u64)]),
        );
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Readings as they are: a few fields that repeat, a clock, and a value that moves.
fn batch(bit: RouteBit, from: u64) -> Vec<Entry> {
    let entry = |at: u64| {
        let noise = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut body = format!(
            "press/line-4/point-{:03} good {:016x} {noise:016x} ",
            at % 500,
            at
        )
        .into_bytes();
        body.resize(BODY_BYTES, b'.');
        Entry {
            routes: bit.into(),
            at: Stamp {
                boot: 1,
                since_boot_ms: at / 100,
                wall_ms: 1_700_000_000_000 + at as i64 / 100,
            },
            body: Bytes::from(body),
        }
    };
    (from..from + BATCH as u64).map(entry).collect()
}

/// User and system time of this process so far; the clock tick is 10 ms.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn json(figures: &Figures) -> String {
    format!(
        "{{\"records_per_s\":{:.0},\"cpu_us_per_record\":{:.2},\"commits_per_s\":{:.0},\"disk_bytes_per_record\":{:.1},\"drain_records_per_s\":{:.0}}}",
        figures.records_per_s,
        figures.cpu_us_per_record,
        figures.commits_per_s,
        figures.disk_bytes_per_record,
        figures.drain_records_per_s
    )
}
