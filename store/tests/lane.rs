//! A lane from outside: accepted, read, acknowledged, reopened, full.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use fieldgate_store::{
    EngineKind, Entry, Exit, Lane, LaneOptions, OnFull, PeekLimits, Record, RouteBit, RouteMask,
    Seq, Tally, Urgency,
};

const LIMITS: PeekLimits = PeekLimits {
    records: 500,
    bytes: 1 << 20,
};
const ENGINES: [EngineKind; 2] = [EngineKind::Sled, EngineKind::PlainLog];
const LONG: Duration = Duration::from_secs(60);

fn options(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        engine,
        window_max: Duration::from_millis(2),
        reserve_bytes: 0,
        ..LaneOptions::new(64 << 20, OnFull::DropOldest)
    }
}

fn open(dir: &Path, options: LaneOptions) -> Lane {
    let (lane, report) = Lane::open(dir, options).unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    lane
}

/// Bodies that do not compress, so that sizes mean something.
fn body(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn entries(mask: RouteMask, from: u64, count: u64, len: usize) -> Vec<Entry> {
    (from..from + count)
        .map(|at| Entry {
            routes: mask,
            accepted_at_ms: at as i64,
            body: body(at, len),
        })
        .collect()
}

async fn append(lane: &Lane, entries: Vec<Entry>) -> (u64, u64) {
    let ticket = lane.append(entries, Urgency::Waiting).await.unwrap();
    let appended = tokio::time::timeout(LONG, ticket).await.unwrap().unwrap();
    (appended.first.0, appended.last.0)
}

async fn read_all(lane: &Lane, after: Seq, mask: RouteMask) -> Vec<Record> {
    let (mut at, mut all) = (after, Vec::new());
    while at < *lane.durable().borrow() {
        let page = lane.peek(at, mask, LIMITS).await.unwrap();
        assert!(page.scanned_through > at, "a page before the end moves on");
        all.extend(page.records);
        at = page.scanned_through;
    }
    all
}

fn acked(route: RouteBit, count: u64) -> Tally {
    Tally(vec![(route, Exit::Acked, count)])
}

fn balanced(lane: &Lane) -> fieldgate_store::RouteBalance {
    let balance = lane.balance();
    for route in &balance {
        assert_eq!(route.unaccounted(), 0, "{route:?}");
        assert!(route.pending >= 0, "{route:?}");
    }
    balance[0].clone()
}

#[tokio::test]
async fn what_is_accepted_is_read_back_in_order_also_after_a_reopen() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), options(engine));
        assert_eq!(lane.consumer("a").unwrap().through, Seq(0));
        let bit = lane.route_bit("r→a", "a").unwrap();
        assert_eq!(
            append(&lane, entries(bit.into(), 0, 1000, 100)).await,
            (1, 1000)
        );
        assert_eq!(
            append(&lane, entries(bit.into(), 1000, 1, 20_000)).await,
            (1001, 1001)
        );
        assert_eq!(
            append(&lane, Vec::new()).await,
            (1002, 1001),
            "an empty batch takes no number"
        );
        let before = read_all(&lane, Seq(0), bit.into()).await;
        assert_eq!(before.len(), 1001);
        assert!(
            before
                .iter()
                .zip(1..)
                .all(|(record, seq)| record.seq == Seq(seq))
        );
        assert!(
            before
                .iter()
                .all(|record| record.body == body(record.accepted_at_ms as u64, record.body.len()))
        );
        lane.ack("a", Seq(300), acked(bit, 300));
        lane.close().await.unwrap();

        let lane = open(dir.path(), options(engine));
        assert_eq!(lane.consumer("a").unwrap().through, Seq(300));
        assert_eq!(
            read_all(&lane, Seq(0), bit.into()).await,
            before,
            "read from the disk"
        );
        assert_eq!((balanced(&lane).acked, balanced(&lane).pending), (300, 701));
        let stats = lane.stats();
        assert_eq!(
            (stats.blob_files, stats.records, stats.last),
            (0, 1001, Seq(1001))
        );
        assert_eq!(
            append(&lane, entries(bit.into(), 1001, 1, 10)).await,
            (1002, 1002)
        );
        lane.close().await.unwrap();
    }
}
