//! Directories that each version wrote, kept as fixtures: this version reads them whole, goes on in them, and reopens.
//!
//! `FIELDGATE_BLESS=1 cargo test -p fieldgate-store --test golden` writes those of the present version anew. Those of
//! earlier versions are never written again.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use fieldgate_store::{
    EngineKind, Entry, Exit, Lane, LaneOptions, OnFull, Record, RouteBit, RouteMask, Seq, Stamp,
    Tally,
};
use support::{ENGINES, append, body, open, options, read_all};

/// What the present code writes.
const VERSION: u32 = 2;
/// 2023-11-14, in milliseconds.
const EPOCH_MS: i64 = 1_700_000_000_000;

// === a directory in one file ===

fn golden(version: u32, engine: EngineKind) -> PathBuf {
    let engine = format!("{engine:?}").to_lowercase();
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}-{engine}.zst"))
}

fn files(dir: &Path, below: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        if dir.join(&path).is_dir() {
            files(dir, &path, found);
        } else {
            let bytes = fs::read(dir.join(&path)).unwrap();
            found.push((path.to_str().unwrap().to_owned(), bytes));
        }
    }
    found.sort();
}

/// Packs a directory: postcard of paths and contents, compressed.
fn pack(dir: &Path, to: &Path) {
    let mut found = Vec::new();
    files(dir, Path::new(""), &mut found);
    let plain = postcard::to_stdvec(&found).unwrap();
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(to, zstd::bulk::compress(&plain, 19).unwrap()).unwrap();
}

fn unpack(from: &Path, dir: &Path) {
    let packed = fs::read(from).unwrap();
    let plain = zstd::bulk::decompress(&packed, 64 << 20).unwrap();
    let found: Vec<(String, Vec<u8>)> = postcard::from_bytes(&plain).unwrap();
    for (path, bytes) in found {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

// === what the directories hold ===

fn lane_options(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        generation_bytes: 1,
        on_full: OnFull::RefuseNewest,
        ..options(engine)
    }
}

/// Record `seq`: short text, but one that is longer than a value of sled, and one that does not compress.
fn entry(seq: u64) -> Entry {
    let body = match seq {
        25 => body(seq, 10_000),
        seq if seq % 7 == 0 => body(seq, 64),
        seq => format!("press/line-4/point-{:03} good 21.{seq}", seq % 5).into(),
    };
    Entry {
        routes: RouteMask(seq % 8),
        at: Stamp {
            boot: 0xb007 + seq / 40,
            since_boot_ms: 1000 * seq,
            wall_ms: EPOCH_MS + 1000 * seq as i64,
        },
        body,
    }
}

/// Record `seq` as it is read back: version 1 kept of its time only what the wall clock said.
fn expected(version: u32, seq: u64) -> Record {
    let entry = entry(seq);
    let at = match version {
        1 => Stamp::from_wall(entry.at.wall_ms),
        _ => entry.at,
    };
    Record {
        seq: Seq(seq),
        routes: entry.routes,
        at,
        body: entry.body.into(),
    }
}

async fn append_through(lane: &Lane, last: u64) {
    let first = lane.durable().borrow().0 + 1;
    append(lane, (first..=last).map(entry).collect()).await;
}

/// Lets go of everything up to `through` for the routes of a consumer, every fifth record in another way.
fn let_go(lane: &Lane, consumer: &str, bits: &[u8], after: u64, through: u64) {
    let mut tally = Tally::new();
    for seq in after + 1..=through {
        let routes = bits
            .iter()
            .filter(|bit| entry(seq).routes.contains(RouteBit(**bit)));
        let exit = match seq % 5 {
            0 => Exit::Expired,
            1 => Exit::DeadLettered,
            _ => Exit::Acked,
        };
        for bit in routes {
            tally.add(RouteBit(*bit), exit, 1);
        }
    }
    lane.ack(consumer, Seq(through), tally);
}

/// Writes a lane of a few generations, opened twice.
async fn write(dir: &Path, engine: EngineKind) {
    let lane = open(dir, lane_options(engine));
    for consumer in ["a", "b"] {
        lane.consumer(consumer).unwrap();
    }
    for (bit, (key, consumer)) in [("r→a", "a"), ("r→b", "b"), ("s→b", "b")]
        .into_iter()
        .enumerate()
    {
        assert_eq!(lane.route_bit(key, consumer).unwrap(), RouteBit(bit as u8));
    }
    append_through(&lane, 20).await;
    append_through(&lane, 30).await;
    let_go(&lane, "a", &[0], 0, 27);
    let_go(&lane, "b", &[1, 2], 0, 10);
    lane.close().await.unwrap();
    let lane = open(dir, lane_options(engine));
    append_through(&lane, 50).await;
    append_through(&lane, 60).await;
    drop(lane);
}

/// What has left by each exit up to `through`, by the rule of [`let_go`].
fn exits(bit: u8, through: u64, rest: &[u64]) -> u64 {
    (1..=through)
        .filter(|seq| rest.contains(&(seq % 5)) && entry(*seq).routes.contains(RouteBit(bit)))
        .count() as u64
}

/// The whole content and the whole ledger, when `last` was appended last.
async fn check(lane: &Lane, version: u32, last: u64) {
    let records = read_all(lane, Seq(0), RouteMask::ALL).await;
    let all = (1..=60)
        .map(|seq| expected(version, seq))
        .chain((61..=last).map(|seq| expected(VERSION, seq)));
    let all: Vec<Record> = all.filter(|record| !record.routes.is_empty()).collect();
    assert_eq!(records, all);
    for (route, through) in lane.balance().into_iter().zip([27, 10, 10]) {
        let bit = match route.key.as_str() {
            "r→a" => 0,
            "r→b" => 1,
            _ => 2,
        };
        let accepted = exits(bit, last, &[0, 1, 2, 3, 4]);
        let gone = [&[2, 3, 4][..], &[0], &[1]].map(|rest| exits(bit, through, rest));
        assert_eq!(
            [route.acked, route.expired, route.dead_lettered],
            gone,
            "{route:?}"
        );
        assert_eq!(
            (route.accepted, route.pending as u64),
            (accepted, accepted - gone.iter().sum::<u64>()),
            "{route:?}"
        );
    }
    assert_eq!(lane.stats().oldest_at, Some(expected(version, 1).at));
}

#[tokio::test]
async fn every_version_is_read_continued_and_reopened() {
    for engine in ENGINES {
        for version in 1..=VERSION {
            let dir = tempfile::tempdir().unwrap();
            unpack(&golden(version, engine), dir.path());
            let lane = open(dir.path(), lane_options(engine));
            check(&lane, version, 60).await;
            append_through(&lane, 80).await;
            check(&lane, version, 80).await;
            lane.close().await.unwrap();
            let lane = open(dir.path(), lane_options(engine));
            check(&lane, version, 80).await;
        }
    }
}

#[tokio::test]
async fn bless() {
    if std::env::var_os("FIELDGATE_BLESS").is_none() {
        return;
    }
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), engine).await;
        pack(dir.path(), &golden(VERSION, engine));
    }
}

/// The bytes of a slot with its version raised by one and its checksum right.
fn newer(slot: &[u8]) -> Vec<u8> {
    let mut bytes = slot.to_vec();
    bytes[4] += 1;
    let len = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..20]), &bytes[24..24 + len]);
    bytes[20..24].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[tokio::test]
async fn a_newer_version_is_refused_in_words() {
    for document in ["MANIFEST", "CURSORS"] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), EngineKind::PlainLog).await;
        // Both slots: which of them was written last depends on how often the cursors were saved.
        for slot in ["a", "b"].map(|slot| dir.path().join(format!("{document}.{slot}"))) {
            fs::write(&slot, newer(&fs::read(&slot).unwrap())).unwrap();
        }
        let Err(refused) = Lane::open(dir.path(), lane_options(EngineKind::PlainLog)) else {
            panic!("{document} was taken");
        };
        let words = format!(
            "was written in format {}, this program reads up to {VERSION}",
            VERSION + 1
        );
        assert!(refused.to_string().contains(&words), "{refused}");
    }
}
