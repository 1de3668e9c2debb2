//! What the tests of a lane share.
#![allow(dead_code)] // each test binary uses its own part of this

pub mod crash;
pub mod disk;
pub mod oplog;
pub mod proof;
pub mod shim;
pub mod torture;
pub mod writer;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use fieldgate_store::{
    EngineKind, Entry, Exit, Lane, LaneOptions, OnFull, OpenError, OpenReport, PeekLimits, Record,
    RouteBalance, RouteBit, RouteMask, Seq, Stamp, Tally, Urgency,
};

pub const LIMITS: PeekLimits = PeekLimits {
    records: 500,
    bytes: 1 << 20,
};
pub const ENGINES: [EngineKind; 2] = [EngineKind::Sled, EngineKind::PlainLog];
pub const LONG: Duration = Duration::from_secs(60);

pub fn options(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        engine,
        window_max: Duration::from_millis(2),
        reserve_bytes: 0,
        ..LaneOptions::new(64 << 20, OnFull::DropOldest)
    }
}

pub fn open_lane(dir: &Path, options: LaneOptions) -> Result<(Lane, OpenReport), OpenError> {
    Lane::open(dir, options)
}

pub fn open(dir: &Path, options: LaneOptions) -> Lane {
    let (lane, report) = Lane::open(dir, options).unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    lane
}

pub fn entry(routes: RouteMask, body: Bytes) -> Entry {
    Entry {
        routes,
        at: Stamp::from_wall(0),
        body,
    }
}

/// Bodies that do not compress, so that sizes mean something.
pub fn body(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub fn entries(mask: RouteMask, from: u64, count: u64, len: usize) -> Vec<Entry> {
    (from..from + count)
        .map(|at| Entry {
            routes: mask,
            at: Stamp::from_wall(at as i64),
            body: body(at, len),
        })
        .collect()
}

pub async fn append(lane: &Lane, entries: Vec<Entry>) -> (u64, u64) {
    let ticket = lane.append(entries, Urgency::Waiting).await.unwrap();
    let appended = tokio::time::timeout(LONG, ticket).await.unwrap().unwrap();
    (appended.first.0, appended.last.0)
}

pub async fn read_all(lane: &Lane, after: Seq, mask: RouteMask) -> Vec<Record> {
    let (mut at, mut all) = (after, Vec::new());
    while at < *lane.durable().borrow() {
        let page = lane.peek(at, mask, LIMITS).await.unwrap();
        assert!(page.scanned_through > at, "a page before the end moves on");
        all.extend(page.records);
        at = page.scanned_through;
    }
    all
}

pub fn acked(route: RouteBit, count: u64) -> Tally {
    Tally(vec![(route, Exit::Acked, count)])
}

/// Waits until `holds`.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        let mut pause = tokio::time::interval(Duration::from_millis(2));
        while !holds() {
            pause.tick().await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect(what);
}

pub fn balanced(lane: &Lane) -> RouteBalance {
    let balance = lane.balance();
    for route in &balance {
        assert_eq!(route.unaccounted(), 0, "{route:?}");
        assert!(route.pending >= 0, "{route:?}");
    }
    balance[0].clone()
}
