//! A lane that thins: what goes is counted, what stays keeps its number and its bytes, and a power cut costs nothing.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{fs, path::Path, sync::Arc};

use fieldgate_store::{
    EngineKind, Entry, EvictedBy, Lane, LaneOptions, OnFull, OpenReport, PeekLimits, Record,
    RouteBit, RouteMask, Seq, Survey, Thin, Thinner, Tools,
};
use support::{ENGINES, acked, append, balanced, body, entry, options, read_all, until};

const MIB: u64 = 1 << 20;
/// A record with this first byte is to stay.
const EVENT: u8 = b'E';

/// Lets go of all but every second, fourth, eighth, sixteenth record, and of no event.
struct Decimate;

struct Decimation {
    every: u64,
    gone: Vec<Seq>,
}

impl Thinner for Decimate {
    fn survey(&self, how: Thin) -> Box<dyn Survey> {
        Box::new(Decimation {
            every: 2 << how as u64,
            gone: Vec::new(),
        })
    }
}

impl Survey for Decimation {
    fn look(&mut self, record: &Record) {
        let event = record
            .body
            .bytes()
            .is_ok_and(|body| body.first() == Some(&EVENT));
        if !event && !record.seq.0.is_multiple_of(self.every) {
            self.gone.push(record.seq);
        }
    }

    fn gone(self: Box<Self>) -> Vec<Seq> {
        self.gone
    }
}

fn thinning(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        max_bytes: 16 * MIB,
        generation_bytes: 2 * MIB,
        tail_bytes: 64 << 10,
        on_full: OnFull::Thin,
        ..options(engine)
    }
}

fn open_report(dir: &Path, options: LaneOptions) -> (Lane, OpenReport) {
    let tools = Tools {
        thinner: Some(Arc::new(Decimate)),
        ..Tools::default()
    };
    Lane::open_with(dir, options, tools).unwrap()
}

fn open(dir: &Path, options: LaneOptions) -> Lane {
    let (lane, report) = open_report(dir, options);
    assert_eq!(report.findings, Vec::<String>::new());
    lane
}

/// Record `seq`: every tenth is an event.
fn record(routes: RouteMask, seq: u64, len: usize) -> Entry {
    let mut bytes = body(seq, len).to_vec();
    bytes[0] = if seq.is_multiple_of(10) { EVENT } else { b'.' };
    entry(routes, bytes.into())
}

async fn fill(lane: &Lane, routes: RouteMask, last: &mut u64, records: u64) {
    let entries = (*last + 1..=*last + records).map(|seq| record(routes, seq, 1000));
    (_, *last) = append(lane, entries.collect()).await;
}

fn register(lane: &Lane) -> RouteBit {
    lane.consumer("a").unwrap();
    lane.route_bit("r→a", "a").unwrap()
}

/// The same lane, which does not thin for now.
async fn at_rest(lane: Lane, dir: &Path, engine: EngineKind) -> Lane {
    lane.close().await.unwrap();
    open(dir, resting(engine))
}

fn resting(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        on_full: OnFull::RefuseNewest,
        ..thinning(engine)
    }
}

/// All that is there is as it was appended, under its number, and every event up to `last` is there.
async fn check(lane: &Lane, bit: RouteBit, after: u64, last: u64) -> u64 {
    let found = read_all(lane, Seq(after), bit.into()).await;
    for found in &found {
        let was = record(bit.into(), found.seq.0, 1000);
        assert_eq!(found.body, was.body, "{}", found.seq);
    }
    let events = found.iter().filter(|found| found.seq.0.is_multiple_of(10));
    assert_eq!(events.count() as u64, last / 10 - after / 10);
    let balance = balanced(lane);
    assert_eq!(balance.pending as usize, found.len());
    balance.evicted_by.thinned
}

#[tokio::test]
async fn an_outage_is_told_by_fewer_records_and_every_event() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), thinning(engine));
        let (bit, mut last) = (register(&lane), 0);
        // Three times as much as the lane holds.
        while last < 20_000 {
            fill(&lane, bit.into(), &mut last, 400).await;
            assert!(lane.stats().disk_bytes <= 16 * MIB, "{:?}", lane.stats());
        }
        let lane = at_rest(lane, dir.path(), engine).await;
        let thinned = check(&lane, bit, 0, last).await;
        let balance = balanced(&lane);
        assert_eq!(balance.evicted, thinned, "nothing was dropped for room");
        assert!(thinned > 4_000, "{balance:?}");
        // It drains like any other.
        let pending = balanced(&lane).pending as u64;
        lane.ack("a", Seq(last), acked(bit, pending));
        until("what was delivered is removed", || {
            lane.stats().disk_bytes < 3 * MIB
        })
        .await;
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn when_nothing_is_left_to_thin_the_oldest_goes() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), thinning(engine));
        let (bit, mut last) = (register(&lane), 0);
        while balanced(&lane).evicted_by.full == 0 {
            let entries = (0..400).map(|at| record(bit.into(), (last + at) * 10, 1000));
            (_, last) = append(&lane, entries.collect()).await; // nothing but events
        }
        assert_eq!(balanced(&lane).evicted_by.thinned, 0);
        assert!(lane.stats().disk_bytes > 10 * MIB, "the lane was full");
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_in_flight_when_it_was_thinned_still_counts_as_delivered() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), thinning(engine));
        let (bit, mut last) = (register(&lane), 0);
        fill(&lane, bit.into(), &mut last, 400).await;
        let limits = PeekLimits {
            records: 100,
            bytes: MIB as usize,
        };
        let page = lane.peek(Seq(0), bit.into(), limits).await.unwrap();
        assert_eq!(page.records.len(), 100);
        while lane.peek(Seq(0), bit.into(), limits).await.unwrap().records[0].seq == Seq(1) {
            fill(&lane, bit.into(), &mut last, 400).await;
        }
        lane.ack("a", page.scanned_through, acked(bit, 100));
        let counted = |lane: &Lane| balanced(lane).acked == 100;
        until("it is counted", || counted(&lane)).await;
        let lane = at_rest(lane, dir.path(), engine).await;
        let thinned = check(&lane, bit, 100, last).await;
        let balance = balanced(&lane);
        assert_eq!(balance.acked, 100, "{balance:?}");
        assert_eq!(balance.evicted, thinned, "{balance:?}");
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn large_bodies_stay() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), thinning(engine));
        let bit = register(&lane);
        let large = |seq: u64| entry(bit.into(), body(seq, 100_000));
        let mut last = 0;
        while balanced(&lane).evicted_by.thinned == 0 {
            append(&lane, vec![large(last + 1)]).await;
            last += 1;
            fill(&lane, bit.into(), &mut last, 199).await;
        }
        let lane = at_rest(lane, dir.path(), engine).await;
        let found = read_all(&lane, Seq(0), bit.into()).await;
        let large = found.iter().filter(|record| record.body.len() == 100_000);
        assert!(large.clone().count() as u64 == last / 200);
        for found in large {
            assert_eq!(found.body, body(found.seq.0, 100_000));
        }
        lane.close().await.unwrap();
    }
}

/// A lane that was thinned after its cursors had been saved, and the cursors from before.
async fn thinned(dir: &Path, engine: EngineKind) -> (RouteBit, u64, Vec<(String, Vec<u8>)>) {
    let lane = at_rest(open(dir, thinning(engine)), dir, engine).await;
    let (bit, mut last) = (register(&lane), 0);
    while lane.stats().disk_bytes < 14 * MIB {
        fill(&lane, bit.into(), &mut last, 400).await;
    }
    lane.close().await.unwrap();
    let slots = ["CURSORS.a", "CURSORS.b"].map(str::to_owned).to_vec();
    let saved = slots.into_iter().map(|name| {
        let bytes = fs::read(dir.join(&name)).unwrap();
        (name, bytes)
    });
    let saved = saved.collect();
    let lane = open(dir, thinning(engine));
    until("it is thinned", || lane.stats().disk_bytes < 13 * MIB).await;
    lane.close().await.unwrap();
    (bit, last, saved)
}

#[tokio::test]
async fn a_power_cut_before_it_was_counted_changes_nothing() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (bit, last, saved) = thinned(dir.path(), engine).await;
        let whole = |when: &str| {
            let report = fieldgate_store::check(dir.path(), engine).unwrap();
            assert!(report.findings.is_empty(), "{when}: {report:?}");
        };
        whole("thinned");
        for (name, bytes) in saved {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        whole("not counted");
        let (lane, report) = open_report(dir.path(), thinning(engine));
        assert_eq!((report.lost_detected, report.findings), (0, vec![]));
        let lane = at_rest(lane, dir.path(), engine).await;
        assert!(check(&lane, bit, 0, last).await > 0);
        lane.close().await.unwrap();
    }
}

/// What thinning took and counted long ago does not stand for what is missing today.
#[tokio::test]
async fn damage_to_a_lane_that_was_thinned_is_counted_as_lost() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        thinned(dir.path(), engine).await;
        let lane = at_rest(open(dir.path(), thinning(engine)), dir.path(), engine).await;
        let before = balanced(&lane);
        lane.close().await.unwrap();
        let damaged = fieldgate_store::check(dir.path(), engine).unwrap();
        let damaged = &damaged.generations[0];
        assert!(damaged.records > 0 && before.evicted_by.thinned > damaged.records);
        fs::remove_dir_all(dir.path().join(&damaged.name)).unwrap();
        let (lane, report) = open_report(dir.path(), resting(engine));
        assert_eq!(report.lost_detected, damaged.records);
        let after = balanced(&lane);
        assert_eq!(after.lost_detected, damaged.records);
        assert_eq!(after.evicted, before.evicted);
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn without_a_manifest_the_one_that_tells_more_is_kept() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (bit, last, _) = thinned(dir.path(), engine).await;
        for name in ["MANIFEST.a", "MANIFEST.b"] {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        let (lane, report) = open_report(dir.path(), thinning(engine));
        assert_eq!(report.lost_detected, 0);
        let lane = at_rest(lane, dir.path(), engine).await;
        let thinned = check(&lane, bit, 0, last).await;
        let reasons = EvictedBy {
            thinned,
            ..EvictedBy::default()
        };
        assert_eq!(balanced(&lane).evicted_by, reasons);
        lane.close().await.unwrap();
    }
}
