//! `check` and `verify`: every damage is named with what it costs, which is what reading then really loses; no file is changed.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use fieldgate_store::{
    CheckReport, EngineKind, Lane, LaneOptions, OpenError, RouteBit, Seq, check,
};
use support::{ENGINES, acked, append, balanced, entries, open, open_lane, options, read_all};

/// More than a spooled body has to have.
const LARGE: usize = 100 << 10;

fn small(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        generation_bytes: 1 << 20,
        tail_bytes: 16 << 10,
        ..options(engine)
    }
}

/// Four generations; consumer "a" acknowledged the first 100 records. The last record of each hundred is large.
async fn filled(dir: &Path, engine: EngineKind) -> RouteBit {
    let lane = open(dir, small(engine));
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    let mut last = 0;
    while lane.stats().generations < 4 {
        append(&lane, entries(bit.into(), last + 1, 99, 1000)).await;
        (_, last) = append(&lane, entries(bit.into(), last + 100, 1, LARGE)).await;
    }
    lane.ack("a", Seq(100), acked(bit, 100));
    lane.close().await.unwrap();
    bit
}

/// Every file with its bytes.
fn tree(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut below = vec![dir.to_owned()];
    while let Some(dir) = below.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => below.push(path),
                false => found.push((path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

fn generation(dir: &Path, number: usize) -> PathBuf {
    let entries = fs::read_dir(dir).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("gen-")
    });
    found.sort();
    found[number].clone()
}

fn flip(file: &Path, percent: u64) {
    let data = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let at = data.metadata().unwrap().len() * percent / 100;
    let mut byte = [0];
    data.read_exact_at(&mut byte, at).unwrap();
    data.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// One way to damage a lane, in its directory.
type Damage = fn(&Path, EngineKind);

fn data(dir: &Path, engine: EngineKind) -> PathBuf {
    let name = match engine {
        EngineKind::Sled => "db",
        EngineKind::PlainLog => "log",
    };
    generation(dir, 1).join(name)
}

fn spooled(dir: &Path) -> PathBuf {
    let mut files = fs::read_dir(generation(dir, 1).join("spool")).unwrap();
    files.next().unwrap().unwrap().path()
}

const DAMAGES: [(&str, Damage); 8] = [
    ("a flipped bit early", |dir, engine| {
        flip(&data(dir, engine), 15)
    }),
    ("a flipped bit late", |dir, engine| {
        flip(&data(dir, engine), 45)
    }),
    ("a cut", |dir, engine| {
        let data = OpenOptions::new()
            .write(true)
            .open(data(dir, engine))
            .unwrap();
        data.set_len(data.metadata().unwrap().len() / 4).unwrap();
    }),
    ("no data file", |dir, engine| {
        fs::remove_file(data(dir, engine)).unwrap()
    }),
    ("no directory", |dir, _| {
        fs::remove_dir_all(generation(dir, 1)).unwrap()
    }),
    ("no spooled file", |dir, _| {
        fs::remove_file(spooled(dir)).unwrap()
    }),
    ("a spooled file cut", |dir, _| {
        fs::write(spooled(dir), b"short").unwrap()
    }),
    ("a spooled file flipped", |dir, _| flip(&spooled(dir), 50)),
];

/// What reading the lane to its end loses: records counted as lost, and those whose body cannot be had.
async fn really_lost(lane: &Lane, bit: RouteBit) -> u64 {
    let records = read_all(lane, Seq(100), bit.into()).await;
    let bodies = records.iter().filter(|record| record.body.bytes().is_err());
    balanced(lane).lost_detected + bodies.count() as u64
}

async fn verified(lane: &Lane) -> CheckReport {
    let (mut verification, mut read) = (lane.verify(), 0);
    while let Some(so_far) = verification.step().await.unwrap() {
        assert!((read..=verification.records).contains(&so_far));
        read = so_far;
    }
    verification.report()
}

#[track_caller]
fn assert_named(report: &CheckReport, what: &str) {
    let costly: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.lost > 0)
        .collect();
    assert!(!costly.is_empty(), "{what}: {report:?}");
    for finding in costly {
        let place = finding.place.to_string_lossy();
        assert!(place.contains("gen-00000002"), "{what}: {place}");
        assert!(
            !finding.what.is_empty() && !finding.advice.is_empty(),
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_a_check_tells_is_what_reading_loses_and_no_file_changes() {
    for engine in ENGINES {
        for (what, damage) in DAMAGES {
            let (what, dir) = (format!("{engine:?}, {what}"), tempfile::tempdir().unwrap());
            let bit = filled(dir.path(), engine).await;
            damage(dir.path(), engine);
            let before = tree(dir.path());
            let report = check(dir.path(), engine).unwrap();
            assert!(
                tree(dir.path()) == before,
                "{what}: the check changed a file"
            );
            assert_named(&report, &what);
            let (lane, _) = open_lane(dir.path(), small(engine)).unwrap();
            let lost = really_lost(&lane, bit).await;
            assert_eq!(report.lost_records, lost, "{what}: {report:#?}");
            lane.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_lane_in_order_has_no_findings_open_or_not() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let bit = filled(dir.path(), engine).await;
        let report = check(dir.path(), engine).unwrap();
        assert_eq!(report.findings, [], "{engine:?}");
        let lane = open(dir.path(), small(engine));
        assert!(matches!(
            check(dir.path(), engine),
            Err(OpenError::Locked { .. })
        ));
        let verified = verified(&lane).await;
        assert_eq!(verified.findings, [], "{engine:?}");
        let records: u64 = report.generations.iter().map(|one| one.records).sum();
        assert_eq!(
            records,
            read_all(&lane, Seq(0), bit.into()).await.len() as u64
        );
        assert_eq!(
            (&verified.generations, &verified.routes),
            (&report.generations, &report.routes)
        );
        assert!(
            report
                .generations
                .iter()
                .all(|one| one.spooled > 0 || one.records == 0)
        );
    }
}

#[tokio::test]
async fn a_generation_that_breaks_under_an_open_lane_is_named_before_anybody_reads_it() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let bit = filled(dir.path(), engine).await;
        let lane = open(dir.path(), small(engine));
        flip(&data(dir.path(), engine), 15);
        let report = verified(&lane).await;
        assert_named(&report, &format!("{engine:?}"));
        let before = balanced(&lane);
        assert_eq!(before.lost_detected, 0, "a look changes nothing");
        assert_eq!(
            report.lost_records,
            really_lost(&lane, bit).await,
            "{report:#?}"
        );
    }
}

#[tokio::test]
async fn unreadable_documents_are_named_and_cost_nothing() {
    for name in ["MANIFEST", "CURSORS"] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), EngineKind::Sled).await;
        for slot in ["a", "b"] {
            fs::write(dir.path().join(format!("{name}.{slot}")), b"torn").unwrap();
        }
        let report = check(dir.path(), EngineKind::Sled).unwrap();
        let told = report
            .findings
            .iter()
            .any(|finding| finding.what.contains(name));
        assert!(told && report.lost_records == 0, "{report:#?}");
    }
}
