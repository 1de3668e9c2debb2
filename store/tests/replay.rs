//! Replays: a range once more, with an account of its own, through restarts, evictions and stops.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::time::Duration;

use fieldgate_store::{
    EngineKind, Exit, Keep, Lane, LaneOptions, OnFull, Replay, ReplayRequest, ReplayStatus,
    RouteBit, RouteMask, Seq, StoreError, Tally,
};
use support::{ENGINES, LIMITS, acked, append, balanced, entries, open, options, until};

const MIB: u64 = 1 << 20;

fn keeping(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        max_bytes: 24 * MIB,
        generation_bytes: MIB,
        tail_bytes: 64 << 10,
        keep_delivered: Keep {
            bytes: 8 * MIB,
            age: Duration::from_secs(3600),
        },
        ..options(engine)
    }
}

fn request(id: &str, bit: RouteBit, first: u64, last: u64) -> ReplayRequest {
    ReplayRequest {
        id: id.into(),
        destination: "new".into(),
        routes: bit.into(),
        first: Seq(first),
        last: Seq(last),
        per_s: 0,
    }
}

fn replay(lane: &Lane, id: &str) -> Replay {
    let found = lane.replays().into_iter().find(|replay| replay.id == id);
    let found = found.unwrap();
    assert_eq!(found.unaccounted(), 0, "{found:?}");
    found
}

/// A lane whose consumer "a" has passed everything; returns the last number.
async fn delivered(lane: &Lane) -> (RouteBit, u64) {
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    let mut last = 0;
    while lane.stats().generations < 5 {
        (_, last) = append(lane, entries(bit.into(), last + 1, 100, 1000)).await;
        lane.ack("a", Seq(last), acked(bit, 100));
    }
    (bit, last)
}

/// Reads and acknowledges one page, and returns its numbers.
async fn step(lane: &Lane, id: &str, bit: RouteBit) -> Vec<u64> {
    let page = lane.peek_replay(id, Seq(0), LIMITS).await.unwrap();
    lane.ack_replay(
        id,
        page.scanned_through,
        acked(bit, page.records.len() as u64),
    );
    page.records.iter().map(|record| record.seq.0).collect()
}

#[tokio::test]
async fn a_range_is_sent_once_more_across_a_restart() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), keeping(engine));
        let (bit, last) = delivered(&lane).await;
        let until_seq = last - 50;
        let started = lane
            .start_replay(request("one", bit, 151, until_seq))
            .await
            .unwrap();
        assert_eq!(
            (started.accepted, started.pending),
            (until_seq - 150, (until_seq - 150) as i64)
        );
        let again = lane.start_replay(request("one", bit, 1, 5)).await;
        assert!(matches!(again, Err(StoreError::ReplayTaken { .. })));
        let nothing = lane.start_replay(request("two", RouteBit(9), 1, 5)).await;
        assert!(matches!(nothing, Err(StoreError::NothingToReplay)));

        let mut seen = step(&lane, "one", bit).await;
        lane.close().await.unwrap();
        let lane = open(dir.path(), keeping(engine));
        assert_eq!(replay(&lane, "one").acked, 500);
        loop {
            let some = step(&lane, "one", bit).await;
            if some.is_empty() {
                break;
            }
            seen.extend(some);
        }
        assert_eq!(seen, (151..=until_seq).collect::<Vec<_>>());
        let ended = replay(&lane, "one");
        assert_eq!((ended.status, ended.pending), (ReplayStatus::Finished, 0));
        assert_eq!(
            balanced(&lane).acked,
            last,
            "the consumer's own account is untouched"
        );
        lane.close().await.unwrap();
        let lane = open(dir.path(), keeping(engine));
        assert_eq!(replay(&lane, "one"), ended, "it stays listed");
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_replay_retains_what_it_needs_and_lets_go_when_it_is_stopped() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), keeping(engine));
        let (bit, mut last) = delivered(&lane).await;
        lane.start_replay(request("r", bit, 1, 300)).await.unwrap();
        let page = lane.peek_replay("r", Seq(0), LIMITS).await.unwrap();
        assert_eq!((page.records.len(), page.scanned_through), (300, Seq(300)));
        let mut some = Tally::new();
        for (exit, count) in [
            (Exit::Acked, 7),
            (Exit::Expired, 2),
            (Exit::DeadLettered, 1),
        ] {
            some.add(bit, exit, count);
        }
        lane.ack_replay("r", Seq(10), some);
        while lane.stats().disk_bytes < 14 * MIB {
            (_, last) = append(&lane, entries(bit.into(), last + 1, 100, 1000)).await;
            lane.ack("a", Seq(last), acked(bit, 100));
        }
        assert_eq!(lane.stats().first, Seq(1), "more than is kept otherwise");
        assert!(lane.stop_replay("r"));
        assert!(!lane.stop_replay("r"));
        lane.ack_replay("r", Seq(300), acked(bit, 290)); // too late: it was counted
        let stopped = replay(&lane, "r");
        assert_eq!((stopped.acked, stopped.evicted_by.removed), (7, 290));
        assert_eq!(stopped.status, ReplayStatus::Stopped);
        until("the generations go", || lane.stats().disk_bytes <= 10 * MIB).await;
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_replay_never_holds_back_what_is_new() {
    for (engine, on_full) in [
        (EngineKind::Sled, OnFull::RefuseNewest),
        (EngineKind::PlainLog, OnFull::RefuseNewest),
        (EngineKind::PlainLog, OnFull::DropOldest),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(
            dir.path(),
            LaneOptions {
                on_full,
                ..keeping(engine)
            },
        );
        let (bit, mut last) = delivered(&lane).await;
        lane.start_replay(request("r", bit, 101, last))
            .await
            .unwrap();
        step(&lane, "r", bit).await;
        while lane.stats().first.0 < 900 {
            (_, last) = append(&lane, entries(bit.into(), last + 1, 100, 1000)).await;
            lane.ack("a", Seq(last), acked(bit, 100));
        }
        let gone = lane.stats().first.0 - 1;
        let held = replay(&lane, "r");
        assert_eq!((held.acked, held.evicted_by.full), (500, gone - 600));
        assert_eq!(balanced(&lane).evicted, 0, "its consumer had all of it");
        // What was in flight arrives after all.
        lane.ack_replay("r", Seq(610), acked(bit, 10));
        until("it is counted", || replay(&lane, "r").acked == 510).await;
        assert_eq!(replay(&lane, "r").evicted, gone - 610);
        lane.close().await.unwrap();
        let lane = open(
            dir.path(),
            LaneOptions {
                on_full,
                ..keeping(engine)
            },
        );
        assert_eq!(replay(&lane, "r").acked, 510);
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_range_is_found_by_time() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), keeping(engine));
        let (bit, last) = delivered(&lane).await; // record n was accepted at n ms
        for (from, to) in [(1, last), (150, 151), (777, 2500), (1000, last + 9), (0, 3)] {
            let found = lane
                .find(from as i64, to as i64, bit.into())
                .await
                .unwrap()
                .unwrap();
            let (first, end) = (from.max(1), to.min(last));
            assert_eq!((found.first.0, found.last.0), (first, end), "{from}..={to}");
            assert_eq!(found.deliveries, end - first + 1);
        }
        assert_eq!(
            lane.find(last as i64 + 1, i64::MAX, RouteMask::ALL)
                .await
                .unwrap(),
            None
        );
        lane.close().await.unwrap();
    }
}
