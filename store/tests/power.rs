//! The power is cut at any system call: what was promised before is there, whatever of the rest is lost, torn or reordered.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{fs, path::Path, time::Duration};

use support::{
    crash::Disk,
    oplog::{self, Call, Op},
    proof::Promises,
    shim::{scratch, shimmed, wait},
    torture::{Progress, cases, figures},
    writer::{Job, Workload},
};

const STATES: usize = 100;
const WORKLOADS: [Workload; 4] = [
    Workload::Appends,
    Workload::Rolling,
    Workload::Cursors,
    Workload::Evicting,
];

#[tokio::test]
async fn the_writer() {
    support::writer::the_writer().await;
}

/// A lane that was written under the shim, and what the shim saw.
struct Recording {
    workload: Workload,
    before: Disk,
    ops: Vec<Op>,
    _dir: tempfile::TempDir,
}

impl Recording {
    /// Runs the writer in a new directory; `no_sync` says for which files syncs are suppressed.
    fn make(workload: Workload, no_sync: Option<&str>) -> Recording {
        let dir = scratch();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let before = Disk::of(&root);
        let job = Job {
            lane: root.join("lane"),
            marks: dir.path().join("marks"),
            workload,
            rounds: 60,
            run: 1,
        };
        let log = dir.path().join("log");
        let mut child = shimmed("the_writer", &root);
        child
            .env("FIELDGATE_SHIM_LOG", &log)
            .envs(no_sync.map(|part| ("FIELDGATE_SHIM_NO_SYNC", part)));
        job.give(&mut child);
        let status = wait(&mut child.spawn().unwrap(), Duration::from_secs(60)).unwrap();
        assert!(status.success(), "{workload:?}: {status}");
        let recording = Recording {
            workload,
            before,
            ops: oplog::read(&log),
            _dir: dir,
        };
        recording.check_completeness(&root);
        recording
    }

    /// The log, played to its end, is the directory: the shim missed nothing.
    fn check_completeness(&self, root: &Path) {
        let (mut disk, played) = (self.start(), scratch());
        self.ops.iter().for_each(|op| disk.play(op));
        disk.clean(played.path());
        assert_eq!(tree(played.path()), tree(root), "{:?}", self.workload);
    }

    fn start(&self) -> Disk {
        self.before.clone()
    }
}

/// Every file below a directory with its length and a checksum of its bytes.
fn tree(dir: &Path) -> Vec<(String, u64, u64)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let name = entry
                .path()
                .strip_prefix(dir)
                .unwrap()
                .display()
                .to_string();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
                found.push((name, 0, 0));
            } else if name.ends_with("BALLAST") {
                found.push((name, 0, 0)); // allocated past the shim, and nobody reads it
            } else {
                let bytes = fs::read(entry.path()).unwrap();
                let sum = bytes.iter().fold(7u64, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
                });
                found.push((name, bytes.len() as u64, sum));
            }
        }
    }
    found.sort();
    found
}

/// What became of the crash states of one recording.
#[derive(Default)]
struct Outcome {
    states: usize,
    records: u64,
    slowest_open_ms: f64,
    bad: Vec<String>,
}

/// Cuts the power at `states` moments, spread over the recording, and opens what is left.
async fn cut(
    recording: &Recording,
    states: usize,
    outcome: &mut Outcome,
    progress: &mut Progress,
    of: usize,
) {
    let (mut disk, mut promises, mut played) = (recording.start(), Promises::default(), 0);
    for state in 0..states {
        let until = recording.ops.len() * (state + 1) / states;
        for op in &recording.ops[played..until] {
            disk.play(op);
            if let Call::Mark(line) = &op.call {
                promises.hear(line.trim_end());
            }
        }
        played = until;
        let left = scratch();
        let seed = state as u64;
        let how = disk.cut(left.path(), &mut fastrand::Rng::with_seed(seed));
        outcome.states += 1;
        match promises
            .kept(&left.path().join("lane"), recording.workload.options())
            .await
        {
            Ok(proof) => {
                outcome.records += proof.records;
                outcome.slowest_open_ms = outcome.slowest_open_ms.max(proof.open_ms);
            }
            Err(what) => outcome.bad.push(format!(
                "{:?} cut after call {until} ({how}): {what}",
                recording.workload
            )),
        }
        progress.at(outcome.states, of);
    }
}

/// Cuts the power right after calls that `matters` picks, at most `states` of them, spread over the recording, and right
/// before the next one.
async fn cut_at(workload: Workload, states: usize, matters: impl Fn(&Op) -> bool) {
    let recording = Recording::make(workload, None);
    let picked: Vec<usize> = (0..recording.ops.len())
        .filter(|at| matters(&recording.ops[*at]))
        .collect();
    assert!(!picked.is_empty(), "{workload:?} made no such call");
    let step = picked.len().div_ceil(states);
    let (mut disk, mut promises, mut played) = (recording.start(), Promises::default(), 0);
    for (nth, at) in picked.into_iter().step_by(step).enumerate() {
        for op in &recording.ops[played..=at] {
            disk.play(op);
            if let Call::Mark(line) = &op.call {
                promises.hear(line.trim_end());
            }
        }
        played = at + 1;
        let left = scratch();
        let how = disk.cut(left.path(), &mut fastrand::Rng::with_seed(nth as u64));
        let lane = left.path().join("lane");
        let kept = promises.kept(&lane, workload.options()).await;
        kept.unwrap_or_else(|what| panic!("{workload:?} cut after call {at} ({how}): {what}"));
    }
}

fn is_about(op: &Op, part: &str) -> bool {
    op.path.contains(part) && !matches!(op.call, Call::Mark(_))
}

#[tokio::test]
async fn f01_a_power_cut_at_a_block_loses_nothing_that_was_accepted() {
    let block = |op: &Op| is_about(op, "/db") && matches!(op.call, Call::Write(..) | Call::Sync);
    cut_at(Workload::Appends, 20, block).await;
}

#[tokio::test]
async fn f02_a_power_cut_while_a_generation_comes_or_goes_leaves_the_old_or_the_new_state() {
    let naming = |op: &Op| {
        let names = matches!(
            op.call,
            Call::MakeDir | Call::Rename(_) | Call::Remove | Call::Create
        );
        names && is_about(op, "/gen-")
    };
    cut_at(Workload::Rolling, 20, naming).await;
    cut_at(Workload::Evicting, 20, naming).await;
}

#[tokio::test]
async fn f03_a_power_cut_in_a_manifest_leaves_the_other_one() {
    cut_at(Workload::Rolling, 20, |op| is_about(op, "/MANIFEST")).await;
}

/// Cursors are never ahead of what was acknowledged, and every record has its number still.
#[tokio::test]
async fn f04_a_power_cut_before_a_cursor_is_saved_sends_again_under_the_same_numbers() {
    cut_at(Workload::Cursors, 20, |op| is_about(op, "/CURSORS")).await;
}

#[tokio::test]
async fn torture() {
    let states = cases(STATES);
    let mut progress = Progress::new("crash states");
    let mut outcome = Outcome::default();
    let (mut calls, mut promised) = (0, 0);
    for workload in WORKLOADS {
        let recording = Recording::make(workload, None);
        calls += recording.ops.len();
        promised += recording
            .ops
            .iter()
            .filter(|op| matches!(&op.call, Call::Mark(line) if line.starts_with("durable")))
            .count();
        cut(
            &recording,
            states.div_ceil(WORKLOADS.len()),
            &mut outcome,
            &mut progress,
            states,
        )
        .await;
    }
    let canary = canary(states.div_ceil(10), "/db").await;
    let slots = canary_of_slots(states.div_ceil(10)).await;
    for bad in outcome.bad.iter().take(20) {
        eprintln!("{bad}");
    }
    figures(&serde_json::json!({
        "harness": "power", "states": outcome.states, "bad": outcome.bad.len(), "calls": calls, "promises": promised,
        "records": outcome.records, "slowest_open_ms": outcome.slowest_open_ms.round(),
        "canary_states": canary.0, "canary_bad": canary.1, "canary_slots_states": slots.0, "canary_slots_bad": slots.1,
        "seconds": progress.seconds(),
    }));
    assert!(
        outcome.bad.is_empty(),
        "{} of {} states are bad",
        outcome.bad.len(),
        outcome.states
    );
    assert!(
        canary.1 > 0,
        "without our own sync of the data nothing was lost: this harness notices nothing"
    );
    assert!(
        slots.1 > 0,
        "without our own sync of the documents nothing was lost: this harness notices nothing"
    );
}

/// Without the store's own sync of the files whose path has `part` in it: states, and how many of them are bad.
async fn canary(states: usize, part: &str) -> (usize, usize) {
    let recording = Recording::make(Workload::Rolling, Some(part));
    let mut outcome = Outcome::default();
    cut(
        &recording,
        states,
        &mut outcome,
        &mut Progress::new("canary"),
        states,
    )
    .await;
    (outcome.states, outcome.bad.len())
}

async fn canary_of_slots(states: usize) -> (usize, usize) {
    let (manifest, cursors) = (
        canary(states, "/MANIFEST").await,
        canary(states, "/CURSORS").await,
    );
    (manifest.0 + cursors.0, manifest.1 + cursors.1)
}
