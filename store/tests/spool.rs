//! Large bodies: in files of their own, read back whole, and what is wrong with a file costs the one record.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use fieldgate_store::{
    AppendError, EngineKind, Entry, Exit, Lane, LaneOptions, MAX_BODY_BYTES, OnFull, Record,
    RouteBit, RouteMask, Seq, Stamp, Tally, Urgency,
};
use proptest::prelude::*;
use support::{ENGINES, append, balanced, body, entries, open, options, read_all};

/// The longest body that is kept in a block.
const INLINE: usize = 64 << 10;

fn spool_files(lane: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let mut files: Vec<PathBuf> = list(lane)
        .iter()
        .flat_map(|generation| list(&generation.join("spool")))
        .collect();
    files.sort();
    files
}

fn entry(bit: RouteBit, body: Bytes) -> Entry {
    Entry {
        routes: bit.into(),
        at: Stamp::from_wall(1),
        body,
    }
}

fn with_route(dir: &Path, options: LaneOptions) -> (Lane, RouteBit) {
    let lane = open(dir, options);
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    (lane, bit)
}

fn bodies(records: &[Record]) -> Vec<Bytes> {
    let bytes = |record: &Record| record.body.bytes().unwrap().clone();
    records.iter().map(bytes).collect()
}

/// In the store's memory nothing stays, so that what is read comes from the disk.
fn from_disk(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        tail_bytes: 0,
        ..options(engine)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn bodies_of_every_size_come_back_as_they_were(
        commits in prop::collection::vec(
            prop::collection::vec((0u64..4, prop_oneof![0usize..200, INLINE - 2..INLINE + 3, 100_000usize..300_000]), 1..8), 1..4),
        sled in any::<bool>(),
    ) {
        let engine = if sled { EngineKind::Sled } else { EngineKind::PlainLog };
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (lane, bit) = with_route(dir.path(), from_disk(engine));
            let mut expected = Vec::new();
            for commit in &commits {
                let made: Vec<Bytes> = commit.iter().map(|(seed, len)| body(*seed, *len)).collect();
                append(&lane, made.iter().cloned().map(|body| entry(bit, body)).collect()).await;
                expected.extend(made);
            }
            prop_assert_eq!(&bodies(&read_all(&lane, Seq(0), RouteMask::ALL).await), &expected);
            lane.close().await.unwrap();
            let lane = open(dir.path(), from_disk(engine));
            prop_assert_eq!(&bodies(&read_all(&lane, Seq(0), RouteMask::ALL).await), &expected);
            let large: std::collections::HashSet<&Bytes> = expected.iter().filter(|body| body.len() > INLINE).collect();
            prop_assert_eq!(spool_files(dir.path()).len(), large.len(), "each content once");
            lane.close().await.unwrap();
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn f18_a_missing_or_damaged_file_costs_the_one_record() {
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 5] = [
        (|path| fs::remove_file(path).unwrap(), "No such file"),
        (
            |path| fs::write(path, b"short").unwrap(),
            "5 bytes instead of 100000",
        ),
        (
            |path| {
                let mut bytes = fs::read(path).unwrap();
                bytes[99_999] ^= 1;
                fs::write(path, bytes).unwrap();
            },
            "checksum does not match",
        ),
        (
            |path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            },
            "instead of 100000",
        ),
        (
            |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
            "No such file",
        ),
    ];
    for (engine, (damage, why)) in ENGINES
        .into_iter()
        .flat_map(|engine| damages.map(|damage| (engine, damage)))
    {
        let dir = tempfile::tempdir().unwrap();
        let (lane, bit) = with_route(dir.path(), from_disk(engine));
        append(&lane, entries(bit.into(), 0, 5, 50)).await;
        append(&lane, vec![entry(bit, body(9, 100_000))]).await;
        append(&lane, entries(bit.into(), 5, 5, 50)).await;
        damage(&spool_files(dir.path())[0]);
        for _ in 0..2 {
            let records = read_all(&lane, Seq(0), RouteMask::ALL).await;
            assert_eq!(records.len(), 11);
            for record in &records {
                let whole = record.body.bytes();
                assert_eq!(whole.is_err(), record.seq == Seq(6), "{record:?}");
            }
            let missing = records[5].body.bytes().unwrap_err();
            assert!(missing.to_string().contains(why), "{missing}");
            assert_eq!(records[5].body.len(), 100_000);
        }
        let mut tally = Tally::new();
        tally.add(bit, Exit::Acked, 10);
        tally.add(bit, Exit::DeadLettered, 1);
        lane.ack("a", Seq(11), tally);
        let balance = balanced(&lane);
        assert_eq!((balance.acked, balance.dead_lettered), (10, 1));
        assert_eq!((balance.pending, balance.lost_detected), (0, 0));
        lane.close().await.unwrap();
        open(dir.path(), from_disk(engine)).close().await.unwrap();
    }
}

/// 10 MB are kept, what no lane holds is refused in words, and the lane goes on after either.
#[tokio::test]
async fn f19_an_oversized_record_is_kept_or_refused_and_stops_nobody() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (lane, bit) = with_route(dir.path(), from_disk(engine));
        let large = body(1, 10_000_000);
        append(&lane, vec![entry(bit, large.clone())]).await;
        let limit = from_disk(engine).body_limit();
        let giant = Bytes::from(vec![7; limit + 1]);
        let ticket = lane.append(vec![entry(bit, giant)], Urgency::Waiting).await;
        let refused = ticket.unwrap().await.unwrap_err();
        assert!(
            matches!(refused, AppendError::TooLarge { bytes, limit: told } if bytes == limit + 1 && told == limit),
            "{refused}"
        );
        append(&lane, vec![entry(bit, body(2, 100))]).await;
        let records = read_all(&lane, Seq(0), RouteMask::ALL).await;
        assert_eq!(bodies(&records), [large, body(2, 100)]);
        let balance = balanced(&lane);
        assert_eq!((balance.accepted, balance.pending), (2, 2));
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn files_are_counted_and_go_with_their_generation() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let max_bytes = 16 << 20;
        let small = LaneOptions {
            max_bytes,
            ..from_disk(engine)
        };
        let (lane, bit) = with_route(dir.path(), small.clone());
        for seed in 0..30 {
            append(&lane, vec![entry(bit, body(seed, 1 << 20))]).await;
            let stats = lane.stats();
            assert!(stats.disk_bytes <= max_bytes, "{stats:?}");
            let files: u64 = spool_files(dir.path())
                .iter()
                .map(|path| fs::metadata(path).unwrap().len())
                .sum();
            assert!(stats.disk_bytes >= files, "{stats:?}, {files}");
        }
        let kept = read_all(&lane, Seq(0), RouteMask::ALL).await;
        assert!(kept.len() > 3 && kept.len() < 16, "{}", kept.len());
        assert_eq!(spool_files(dir.path()).len(), kept.len());
        let was = lane.stats().disk_bytes;
        lane.close().await.unwrap();
        let lane = open(dir.path(), small);
        let is = lane.stats().disk_bytes;
        assert!(is.abs_diff(was) < 2 << 20, "{was} {is}");
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn after_a_failed_commit_the_bodies_go_into_the_next_generation() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (lane, bit) = with_route(dir.path(), from_disk(engine));
        append(&lane, entries(bit.into(), 0, 5, 50)).await;
        let generations = || {
            let entries = fs::read_dir(dir.path()).unwrap().flatten();
            let mut found: Vec<PathBuf> = entries
                .map(|entry| entry.path())
                .filter(|path| path.to_string_lossy().contains("/gen-"))
                .collect();
            found.sort();
            found
        };
        fs::write(generations()[0].join("spool"), b"in the way").unwrap();
        append(&lane, vec![entry(bit, body(7, 200_000))]).await;
        assert_eq!(generations().len(), 2);
        let records = read_all(&lane, Seq(0), RouteMask::ALL).await;
        assert_eq!(records.len(), 6);
        assert_eq!(records[5].body, body(7, 200_000));
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_longest_body_passes_and_one_byte_more_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let large = LaneOptions {
        max_bytes: 512 << 20,
        ..LaneOptions::new(512 << 20, OnFull::DropOldest)
    };
    let (lane, bit) = with_route(dir.path(), large);
    let too_long = entry(bit, vec![1; MAX_BODY_BYTES + 1].into());
    let ticket = lane.append(vec![too_long], Urgency::Waiting).await.unwrap();
    assert!(matches!(ticket.await, Err(AppendError::TooLarge { .. })));
    let longest = Bytes::from(vec![7; MAX_BODY_BYTES]);
    append(&lane, vec![entry(bit, longest.clone())]).await;
    let records = read_all(&lane, Seq(0), RouteMask::ALL).await;
    assert_eq!(bodies(&records), [longest]);
    assert_eq!(lane.stats().blob_files, 0);
    lane.close().await.unwrap();
}
