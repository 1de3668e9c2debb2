//! Files that were cut, emptied, flipped or left over: the lane opens, tells, counts what is missing, and goes on.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use fieldgate_store::{EngineKind, Lane, LaneOptions, OnFull, PeekLimits, RouteBit, Seq, Urgency};
use support::{ENGINES, acked, append, balanced, body, entries, open, options, read_all, until};

#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut(u64),
    RemoveFile,
    RemoveDirectory,
    Zero(u64),
    Flip(u64),
}

/// Places are in percent of the file.
const DAMAGES: [Damage; 9] = [
    Damage::Cut(0),
    Damage::Cut(30),
    Damage::Cut(75),
    Damage::RemoveFile,
    Damage::RemoveDirectory,
    Damage::Zero(10),
    Damage::Zero(60),
    Damage::Flip(20),
    Damage::Flip(50),
];

impl Damage {
    fn apply(self, dir: &Path, file: &Path) {
        let len = fs::metadata(file).unwrap().len();
        let data = OpenOptions::new()
            .read(true)
            .write(true)
            .open(file)
            .unwrap();
        match self {
            Damage::Cut(percent) => data.set_len(len * percent / 100).unwrap(),
            Damage::RemoveFile => fs::remove_file(file).unwrap(),
            Damage::RemoveDirectory => fs::remove_dir_all(dir).unwrap(),
            Damage::Zero(percent) => data.write_all_at(&[0; 8192], len * percent / 100).unwrap(),
            Damage::Flip(percent) => {
                let mut byte = [0];
                data.read_exact_at(&mut byte, len * percent / 100).unwrap();
                data.write_all_at(&[byte[0] ^ 0x10], len * percent / 100)
                    .unwrap();
            }
        }
    }
}

fn small(engine: EngineKind) -> LaneOptions {
    let sizes = LaneOptions::new(64 << 20, OnFull::RefuseNewest);
    LaneOptions {
        generation_bytes: 1 << 20,
        tail_bytes: 16 << 10,
        on_full: sizes.on_full,
        ..options(engine)
    }
}

fn data_file(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Sled => "db",
        EngineKind::PlainLog => "log",
    }
}

fn generations(lane: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(lane)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("gen-")
    });
    found.sort();
    found
}

/// A lane of so many generations, of which consumer "a" has acknowledged the first 100 records.
async fn filled(
    dir: &Path,
    engine: EngineKind,
    generations_wanted: usize,
) -> (Lane, RouteBit, u64) {
    let lane = open(dir, small(engine));
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    let mut last = 0;
    while lane.stats().generations < generations_wanted {
        (_, last) = append(&lane, entries(bit.into(), last + 1, 100, 1000)).await;
    }
    (_, last) = append(&lane, entries(bit.into(), last + 1, 100, 1000)).await;
    lane.ack("a", Seq(100), acked(bit, 100));
    (lane, bit, last)
}

/// Everything is read that can be; the rest is counted as lost, for certain, and new records follow.
async fn check_the_rest(lane: &Lane, bit: RouteBit, last: u64, what: &str) -> u64 {
    let records = read_all(lane, Seq(100), bit.into()).await;
    assert!(
        records.windows(2).all(|pair| pair[0].seq < pair[1].seq),
        "{what}"
    );
    assert!(
        records
            .iter()
            .all(|record| record.body == body(record.seq.0, 1000)),
        "{what}"
    );
    let balance = balanced(lane);
    assert_eq!((balance.accepted, balance.acked), (last, 100), "{what}");
    assert_eq!(balance.pending as usize, records.len(), "{what}");
    let (first, _) = append(lane, entries(bit.into(), 0, 1, 10)).await;
    assert!(first > last, "{what}: number {first} was given before");
    balance.lost_detected
}

/// A page of `records` after `after`; how far it goes.
async fn read_page(lane: &Lane, after: u64, bit: RouteBit, records: usize) -> u64 {
    let limits = PeekLimits {
        records,
        bytes: 1 << 30,
    };
    let page = lane.peek(Seq(after), bit.into(), limits).await.unwrap();
    page.scanned_through.0
}

#[tokio::test]
async fn what_is_on_its_way_when_damage_is_found_counts_once() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (lane, bit, last) = filled(dir.path(), engine, 4).await;
        lane.close().await.unwrap();
        let lane = open(dir.path(), small(engine));
        assert_eq!(read_page(&lane, 100, bit, 200).await, 300);
        let mut at = 300;
        while at < last {
            at = read_page(&lane, at, RouteBit(bit.0 + 1), 500).await; // so that the first generation is closed
        }
        fs::remove_dir_all(&generations(dir.path())[0]).unwrap();
        let on = read_page(&lane, 300, bit, 1).await;
        let lost = balanced(&lane).lost_detected;
        assert!(lost >= 200 && on > 300, "{lost}");
        lane.ack("a", Seq(250), acked(bit, 150));
        lane.ack("a", Seq(300), acked(bit, 50));
        until("they are counted", || lane.balance()[0].acked == 300).await;
        let balance = balanced(&lane);
        assert_eq!(balance.lost_detected, lost - 200);
        let pending = read_all(&lane, Seq(300), bit.into()).await.len();
        assert_eq!(balance.pending as usize, pending);
        lane.close().await.unwrap();
        let lane = open(dir.path(), small(engine));
        assert_eq!(balanced(&lane), balance);
        lane.close().await.unwrap();
    }
}

/// The consumer stands inside of it, so that what it loses has to be told record by record.
#[tokio::test]
async fn f15_a_damaged_generation_is_counted_when_a_full_lane_drops_it() {
    for engine in ENGINES {
        for damage in [Damage::Cut(30), Damage::RemoveFile, Damage::RemoveDirectory] {
            let what = format!("{engine:?} {damage:?}");
            let dir = tempfile::tempdir().unwrap();
            let (lane, bit, mut last) = filled(dir.path(), engine, 3).await;
            lane.close().await.unwrap();
            let full = LaneOptions {
                max_bytes: 5 << 20,
                on_full: OnFull::DropOldest,
                ..small(engine)
            };
            let lane = open(dir.path(), full.clone());
            let hurt = &generations(dir.path())[0];
            damage.apply(hurt, &hurt.join(data_file(engine)));
            let first = lane.stats().first;
            while lane.stats().first == first {
                (_, last) = append(&lane, entries(bit.into(), last + 1, 100, 1000)).await;
            }
            let before = balanced(&lane);
            let gone = before.evicted + before.lost_detected;
            assert_eq!(before.pending as u64, last - 100 - gone, "{what}");
            lane.close().await.unwrap();

            let lane = open(dir.path(), full);
            assert_eq!(balanced(&lane), before, "{what}");
            check_the_rest(&lane, bit, last, &what).await;
            lane.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn f15_a_damaged_generation_is_counted_at_open_or_when_it_is_read() {
    for engine in ENGINES {
        for damage in DAMAGES {
            for which in 0..3 {
                let what = format!("{engine:?} {damage:?} generation {which}");
                let dir = tempfile::tempdir().unwrap();
                let (lane, bit, last) = filled(dir.path(), engine, 3).await;
                lane.close().await.unwrap();
                let hurt = &generations(dir.path())[which];
                damage.apply(hurt, &hurt.join(data_file(engine)));

                let (lane, report) = Lane::open(dir.path(), small(engine)).unwrap();
                let lost = check_the_rest(&lane, bit, last, &what).await;
                let found = report.findings.len() as u64;
                assert!(
                    report.lost_detected <= lost && lane.stats().damaged_generations >= found,
                    "{what}"
                );
                lane.close().await.unwrap();
                let (lane, again) = Lane::open(dir.path(), small(engine)).unwrap();
                assert_eq!(again.findings, Vec::<String>::new(), "{what}: told once");
                assert_eq!(balanced(&lane).lost_detected, lost, "{what}");
                lane.close().await.unwrap();
                let total = matches!(
                    damage,
                    Damage::Cut(0) | Damage::RemoveFile | Damage::RemoveDirectory
                );
                assert!(lost > 0 || !total, "{what}: went unnoticed");
            }
        }
    }
}

#[tokio::test]
async fn a_generation_that_breaks_while_the_lane_is_open_is_counted_too() {
    for engine in ENGINES {
        for damage in DAMAGES {
            let what = format!("{engine:?} {damage:?}");
            let dir = tempfile::tempdir().unwrap();
            let (lane, bit, last) = filled(dir.path(), engine, 5).await;
            let hurt = &generations(dir.path())[1]; // the newest two sealed ones are still open

            damage.apply(hurt, &hurt.join(data_file(engine)));
            let lost = check_the_rest(&lane, bit, last, &what).await;
            lane.close().await.unwrap();
            let (lane, again) = Lane::open(dir.path(), small(engine)).unwrap();
            assert_eq!(again.findings, Vec::<String>::new(), "{what}");
            assert_eq!(balanced(&lane).lost_detected, lost, "{what}");
            lane.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_left_over_snapshot_of_sled_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, bit, last) = filled(dir.path(), EngineKind::Sled, 3).await;
    lane.close().await.unwrap();
    for generation in generations(dir.path()) {
        fs::write(generation.join("snap.0000000000001000.generating"), b"").unwrap();
    }
    let (lane, report) = Lane::open(dir.path(), small(EngineKind::Sled)).unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    assert_eq!(check_the_rest(&lane, bit, last, "snap").await, 0);
    lane.close().await.unwrap();
}

#[tokio::test]
async fn a_left_over_directory_is_removed_and_its_number_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, ..) = filled(dir.path(), EngineKind::Sled, 3).await;
    lane.close().await.unwrap();
    let left_over = dir.path().join("gen-00000900");
    fs::create_dir(&left_over).unwrap();
    let lane = open(dir.path(), small(EngineKind::Sled));
    assert!(!left_over.exists());
    lane.close().await.unwrap();
}

/// Everything that is retained is pending once more, under its old numbers, for the consumer that the manifest names.
async fn check_the_restart(lane: &Lane, bit: RouteBit, last: u64) {
    assert_eq!(lane.cursor("a"), Some(Seq(0)));
    let balance = balanced(lane);
    assert_eq!(
        (balance.key.as_str(), balance.consumer.as_str()),
        ("r→a", "a")
    );
    assert_eq!((balance.accepted, balance.pending), (last, last as i64));
    assert_eq!(lane.route_bit("r→a", "a").unwrap(), bit);
    let seqs: Vec<u64> = read_all(lane, Seq(0), bit.into())
        .await
        .iter()
        .map(|record| record.seq.0)
        .collect();
    assert_eq!(seqs, (1..=last).collect::<Vec<u64>>());
    let (first, _) = append(lane, entries(bit.into(), 0, 1, 10)).await;
    assert!(first > last, "number {first} was given before");
}

/// F17: cursors that are damaged or gone cost duplicates only.
#[tokio::test]
async fn f17_lost_cursors_start_everybody_at_the_oldest_record() {
    for engine in ENGINES {
        for harm in ["torn", "removed"] {
            let dir = tempfile::tempdir().unwrap();
            let (lane, bit, last) = filled(dir.path(), engine, 3).await;
            lane.close().await.unwrap();
            for slot in ["CURSORS.a", "CURSORS.b"].map(|name| dir.path().join(name)) {
                match harm {
                    "torn" => fs::write(slot, b"torn").unwrap(),
                    _ => fs::remove_file(slot).unwrap(),
                }
            }
            let (lane, report) = Lane::open(dir.path(), small(engine)).unwrap();
            assert_eq!(report.findings.len(), 1, "{engine:?} {harm}: {report:?}");
            assert!(report.quarantined.is_empty() && report.lost_detected == 0);
            check_the_restart(&lane, bit, last).await;
            lane.close().await.unwrap();
            drop(open(dir.path(), small(engine))); // told once
        }
    }
}

/// F16: without both manifests the generations are found again, and the cursors hold.
#[tokio::test]
async fn f16_lost_manifests_are_rebuilt_and_the_cursors_hold() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (lane, bit, last) = filled(dir.path(), engine, 3).await;
        lane.close().await.unwrap();
        for slot in ["MANIFEST.a", "MANIFEST.b"] {
            fs::write(dir.path().join(slot), b"torn").unwrap();
        }
        let (lane, report) = Lane::open(dir.path(), small(engine)).unwrap();
        assert_eq!(report.findings.len(), 1, "{engine:?}: {report:?}");
        assert!(report.quarantined.is_empty());
        assert_eq!(lane.cursor("a"), Some(Seq(100)));
        assert_eq!(check_the_rest(&lane, bit, last, "F16").await, 0);
        lane.close().await.unwrap();
    }
}

/// Only when nothing tells whom the records are for are they set aside.
#[tokio::test]
async fn a_lane_without_both_documents_is_set_aside_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, bit, _) = filled(dir.path(), EngineKind::Sled, 3).await;
    lane.close().await.unwrap();
    for slot in ["MANIFEST.a", "MANIFEST.b", "CURSORS.a", "CURSORS.b"] {
        fs::write(dir.path().join(slot), b"torn").unwrap();
    }
    let (lane, report) = Lane::open(dir.path(), small(EngineKind::Sled)).unwrap();
    assert_eq!(report.findings.len(), 2, "{report:?}");
    assert!(!report.quarantined.is_empty());
    let ticket = lane
        .append(entries(bit.into(), 0, 1, 10), Urgency::Waiting)
        .await
        .unwrap();
    assert!(ticket.await.unwrap().first.0 > 0);
    lane.close().await.unwrap();
}

#[tokio::test]
async fn one_torn_slot_costs_nothing_and_two_are_told() {
    let documents = [("MANIFEST", true), ("CURSORS", false)];
    for ((name, survives), newer) in documents
        .into_iter()
        .flat_map(|one| [(one, false), (one, true)])
    {
        let dir = tempfile::tempdir().unwrap();
        let (lane, bit, last) = filled(dir.path(), EngineKind::Sled, 3).await;
        lane.close().await.unwrap();
        // A write that was torn hurts the older slot of the two, decay hurts either.
        let slots = [".a", ".b"].map(|end| dir.path().join(format!("{name}{end}")));
        let counter = |path: &PathBuf| fs::read(path).unwrap()[8..16].to_vec();
        let newest = usize::from(counter(&slots[0]) < counter(&slots[1]));
        let hurt = if newer { newest } else { 1 - newest };
        fs::write(&slots[hurt], b"torn").unwrap();
        let lane = open(dir.path(), small(EngineKind::Sled));
        assert_eq!(
            read_all(&lane, Seq(100), bit.into()).await.len() as u64,
            last - 100
        );
        balanced(&lane);
        lane.close().await.unwrap();

        slots
            .iter()
            .for_each(|slot| fs::write(slot, b"torn").unwrap());
        let (lane, report) = Lane::open(dir.path(), small(EngineKind::Sled)).unwrap();
        assert_eq!(report.findings.len(), 1, "{report:?}");
        if survives {
            assert_eq!(check_the_rest(&lane, bit, last, name).await, 0);
        } else {
            check_the_restart(&lane, bit, last).await;
        }
        lane.close().await.unwrap();
    }
}
