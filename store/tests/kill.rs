//! A process that writes is killed again and again; nothing it was told is durable may be missing.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use fieldgate_store::{EngineKind, Exit, Lane, LaneOptions, OnFull, Seq, Tally, Urgency};
use support::{LIMITS, body, entries, options, read_all};

const DIR: &str = "FIELDGATE_STORE_KILL_DIR";
const KILLS: usize = 20;

fn lane_options() -> LaneOptions {
    // Small generations, so that rolling and removing are killed too.
    LaneOptions {
        generation_bytes: 1 << 20,
        ..LaneOptions {
            on_full: OnFull::RefuseNewest,
            ..options(EngineKind::Sled)
        }
    }
}

/// Not a test on its own: the process that is killed. Every line it prints is a promise.
#[tokio::test]
async fn the_writer() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let (lane, _) = Lane::open(Path::new(&dir), lane_options()).unwrap();
    let mut cursor = lane.consumer("a").unwrap().through;
    let bit = lane.route_bit("r→a", "a").unwrap();
    let mut last = lane.stats().last.0;
    let mut stdout = std::io::stdout();
    loop {
        let ticket = lane
            .append(
                entries(bit.into(), last + 1, 1 + last % 97, 200),
                Urgency::Waiting,
            )
            .await
            .unwrap();
        last = ticket.await.unwrap().last.0;
        writeln!(stdout, "\ndurable {last}").unwrap();
        let page = lane.peek(cursor, bit.into(), LIMITS).await.unwrap();
        if page.records.len() as u64 > last % 300 {
            cursor = page.scanned_through;
            lane.ack(
                "a",
                cursor,
                Tally(vec![(bit, Exit::Acked, page.records.len() as u64)]),
            );
        }
    }
}

/// Runs the writer until it has made `lines` promises, kills it, and returns the last one.
fn run_and_kill(dir: &Path, lines: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_writer", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (mut seen, mut last) = (0, 0);
    for line in output.lines().map_while(Result::ok) {
        let Some(number) = line.strip_prefix("durable ") else {
            continue;
        };
        let Ok(number) = number.parse() else { continue }; // cut off in the middle
        (seen, last) = (seen + 1, number);
        if seen == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= lines, "the writer stopped by itself");
    last
}

#[tokio::test]
async fn nothing_accepted_is_lost_to_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut promised = 0;
    for kill in 0..KILLS {
        promised = promised.max(run_and_kill(dir.path(), 3 + kill * 7 % 150));
        let (lane, report) = Lane::open(dir.path(), lane_options()).unwrap();
        assert_eq!(report.findings, Vec::<String>::new(), "kill {kill}");
        let through = lane.consumer("a").unwrap().through;
        let last = lane.durable().borrow().0;
        assert!(
            last >= promised,
            "kill {kill}: {promised} was durable, {last} is the end"
        );
        let mask = lane.route_bit("r→a", "a").unwrap().into();
        let records = read_all(&lane, through, mask).await;
        let numbers: Vec<u64> = records.iter().map(|record| record.seq.0).collect();
        assert_eq!(
            numbers,
            (through.0 + 1..=last).collect::<Vec<_>>(),
            "kill {kill}"
        );
        assert!(
            records
                .iter()
                .all(|record| record.at.wall_ms as u64 == record.seq.0)
        );
        assert!(
            records
                .iter()
                .all(|record| record.body == body(record.seq.0, 200))
        );
        let balance = &lane.balance()[0];
        assert_eq!(
            (balance.unaccounted(), balance.accepted),
            (0, last),
            "kill {kill}: {balance:?}"
        );
        assert_eq!(balance.pending as usize, records.len(), "kill {kill}");
        assert_eq!(lane.stats().blob_files, 0);
        lane.close().await.unwrap();
    }
    assert!(
        Seq(promised) > Seq(1000),
        "the writer got somewhere: {promised}"
    );
}
