//! The n-th system call fails, for every n: it is handled or told, nothing panics or hangs, and what was promised is kept.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use support::{
    proof::Promises,
    shim::{scratch, shimmed, wait},
    torture::{Progress, figures, is_torture},
    writer::{Job, Workload},
};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
/// In the tests only every so many-th call fails.
const STRIDE: u64 = 23;
const LIMIT: Duration = Duration::from_secs(20);
const FOR_EVER: u64 = 1 << 30;

#[tokio::test]
async fn the_writer() {
    support::writer::the_writer().await;
}

/// What fails: from the `n`-th call on so many, with this error.
#[derive(Clone, Copy, Debug)]
struct Fault {
    n: u64,
    errno: i32,
    calls: u64,
}

/// Runs the writer once; the call that failed first, or `None` when there was no `n`-th.
async fn run(fault: Fault, workload: Workload) -> Result<Option<String>, String> {
    let dir = scratch();
    let (root, hit) = (dir.path().join("root"), dir.path().join("hit"));
    fs::create_dir(&root).unwrap();
    let job = Job {
        lane: root.join("lane"),
        marks: dir.path().join("marks"),
        workload,
        rounds: 8,
        run: 1,
    };
    let mut child = shimmed("the_writer", &root);
    child
        .env(
            "FIELDGATE_SHIM_FAIL",
            format!("{} {} {}", fault.n, fault.errno, fault.calls),
        )
        .env("FIELDGATE_SHIM_HIT", &hit)
        .stderr(fs::File::create(dir.path().join("stderr")).unwrap());
    job.give(&mut child);
    let ended = wait(&mut child.spawn().unwrap(), LIMIT);
    let called = fs::read_to_string(&hit)
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    let Some(call) = called else {
        return Ok(None);
    };
    check(&job, ended, dir.path())
        .await
        .map_err(|what| format!("{fault:?} in {call}: {what}"))?;
    Ok(Some(call))
}

async fn check(
    job: &Job,
    ended: Result<std::process::ExitStatus, String>,
    dir: &Path,
) -> Result<(), String> {
    let status = ended?;
    if !status.success() {
        let stderr = fs::read_to_string(dir.join("stderr")).unwrap_or_default();
        let said = stderr
            .lines()
            .filter(|line| line.contains("panicked"))
            .collect::<Vec<_>>();
        return Err(format!("it ended with {status}: {said:?}"));
    }
    let mut promises = Promises::default();
    promises.read(&job.marks);
    promises
        .kept(&job.lane, job.workload.options())
        .await
        .map(drop)
}

#[tokio::test]
async fn f21_the_nth_call_fails_torture() {
    let stride = if is_torture() { 1 } else { STRIDE };
    let (mut runs, mut bad, mut kinds) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    let mut progress = Progress::new("failing calls");
    for (errno, calls) in [(ENOSPC, 1), (EIO, 1), (ENOSPC, FOR_EVER), (EIO, FOR_EVER)] {
        for n in (1..).step_by(stride as usize) {
            runs += 1;
            match run(Fault { n, errno, calls }, Workload::Rolling).await {
                Ok(Some(call)) => {
                    *kinds
                        .entry(call.split(' ').next().unwrap().to_owned())
                        .or_default() += 1
                }
                Ok(None) => break,
                Err(what) => bad.push(what),
            }
            progress.at(runs, runs);
        }
    }
    for bad in bad.iter().take(40) {
        eprintln!("{bad}");
    }
    figures(&serde_json::json!({
        "harness": "syscalls", "runs": runs, "bad": bad.len(), "calls_failed": kinds, "seconds": progress.seconds(),
    }));
    assert!(bad.is_empty(), "{} of {runs} runs are bad", bad.len());
}
