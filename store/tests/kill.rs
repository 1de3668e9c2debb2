//! A process under load is killed again and again; nothing it was told is durable may be missing.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use support::{
    proof::Promises,
    shim::{child, scratch},
    torture::{Progress, cases, figures},
    writer::{Job, Workload},
};

const KILLS: usize = 50;
const MOST_MS: u64 = 70;

#[tokio::test]
async fn the_writer() {
    support::writer::the_writer().await;
}

/// Runs the writer and kills it after `patience`, most often counted from its first mark: while it appends, rolls, removes
/// and saves its cursors; else from its start, while it opens.
fn run_and_kill(job: &Job, patience: Duration) {
    let mut child = child("the_writer");
    job.give(&mut child);
    let mut child = child.spawn().unwrap();
    if !job.run.is_multiple_of(4) {
        let until = Instant::now() + Duration::from_secs(20);
        while fs::metadata(&job.marks).map_or(0, |found| found.len()) == 0 {
            assert!(Instant::now() < until, "the writer says nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(patience);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(
        !status.success() && status.code().is_none(),
        "the writer stopped by itself: {status}"
    );
}

#[tokio::test]
async fn f06_kill_9_under_load_torture() {
    let (kills, dir) = (cases(KILLS), scratch());
    let (mut promises, mut random) = (Promises::default(), fastrand::Rng::with_seed(6));
    let (mut bad, mut records, mut slowest_ms) = (Vec::new(), 0, 0.0_f64);
    let mut progress = Progress::new("kills");
    for kill in 0..kills {
        let job = Job {
            lane: dir.path().join("lane"),
            marks: dir.path().join(format!("marks-{kill}")),
            workload: Workload::Everything,
            rounds: u64::MAX,
            run: kill as u64 + 1,
        };
        run_and_kill(&job, Duration::from_millis(random.u64(1..MOST_MS)));
        promises.read(&job.marks);
        match promises.kept(&job.lane, job.workload.options()).await {
            Ok(proof) => {
                records += proof.records;
                slowest_ms = slowest_ms.max(proof.open_ms);
            }
            Err(what) => bad.push(format!("kill {kill}: {what}")),
        }
        progress.at(kill + 1, kills);
        assert!(bad.len() < 10, "{bad:#?}");
    }
    figures(&serde_json::json!({
        "harness": "kill", "kills": kills, "bad": bad.len(), "promises": promises.count(), "records_checked": records,
        "slowest_open_ms": slowest_ms.round(), "seconds": progress.seconds(),
    }));
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(
        promises.count() > kills,
        "the writer got somewhere: {} promises",
        promises.count()
    );
}
