//! The media process as a child: pictures come, crashes stay in it, and its limits hold.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use fieldgate_media::worker::{DecodeError, Decoder, Job, Want};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use support::{Film, assert_bars, film, job, picture};

const PROCESS: &str = env!("CARGO_BIN_EXE_media-worker");

fn decoder() -> Decoder {
    Decoder::new(PROCESS, [OsString::from("serve")])
}

/// Waits until something is so, at most ten seconds.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited)
        .await
        .unwrap_or_else(|_| panic!("not within ten seconds: {what}"));
}

/// No process, and no zombie of one.
fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

fn pid_of(raw: u32) -> Pid {
    Pid::from_raw(raw.try_into().unwrap()).unwrap()
}

async fn assert_picture(decoder: &Decoder, camera: &str, film: &Film) {
    let decoded = decoder.decode(camera, &job(film, picture(320, 320))).await;
    assert_bars(&decoded.unwrap().picture.unwrap().jpeg, (320, 180));
}

#[tokio::test]
async fn pictures_come_from_one_process_that_goes_with_the_decoder() {
    let (decoder, film) = (decoder(), film(640, 360, 1));
    assert_eq!(decoder.facts().pid, None);
    for camera in ["gate", "yard", "gate"] {
        assert_picture(&decoder, camera, &film).await;
    }
    let facts = decoder.facts();
    assert_eq!((facts.jobs, facts.starts, facts.deaths), (3, 1, 0));
    let pid = facts.pid.unwrap();
    drop(decoder);
    until("the process ends with its decoder", || is_gone(pid)).await;
}

#[tokio::test]
async fn garbage_is_no_picture_and_costs_nobody_anything() {
    let (decoder, film) = (decoder(), film(640, 360, 1));
    let good = job(&film, picture(320, 320));
    let mut bent = good.frame.to_vec();
    for byte in bent.iter_mut().skip(40) {
        *byte = byte.wrapping_mul(31).wrapping_add(7);
    }
    for frame in [Bytes::from(vec![0xA5; 5000]), bent.into(), Bytes::new()] {
        let outcome = decoder
            .decode(
                "gate",
                &Job {
                    frame,
                    ..good.clone()
                },
            )
            .await;
        assert!(
            matches!(outcome, Ok(_) | Err(DecodeError::Picture(_))),
            "{outcome:?}"
        );
    }
    assert_picture(&decoder, "gate", &film).await;
    assert_eq!((decoder.facts().starts, decoder.facts().deaths), (1, 0));
    let giant = Job {
        frame: vec![0; 9 * 1024 * 1024].into(),
        ..good
    };
    let error = decoder.decode("gate", &giant).await.unwrap_err();
    assert_eq!(error.to_string(), "the picture is larger than 8 MiB");
}

#[tokio::test]
async fn killed_within_a_job_one_camera_waits_and_the_other_goes_on() {
    let (decoder, film) = (decoder(), film(640, 360, 1));
    assert_picture(&decoder, "yard", &film).await;
    let pid = decoder.facts().pid.unwrap();
    // Held still, so that the job is in it when it is killed.
    kill_process(pid_of(pid), Signal::STOP).unwrap();
    let (gate, job) = (decoder.clone(), job(&film, picture(320, 320)));
    let waiting = tokio::spawn(async move { gate.decode("gate", &job).await });
    until("the job is being done", || decoder.facts().working).await;
    kill_process(pid_of(pid), Signal::KILL).unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("killed from outside"), "{error}");
    assert!(is_gone(pid), "it is reaped with its death");
    assert_picture(&decoder, "yard", &film).await;
    let facts = decoder.facts();
    assert_eq!((facts.starts, facts.deaths), (2, 1));
}

#[tokio::test]
async fn one_that_ended_between_two_jobs_is_reaped_and_replaced() {
    let (decoder, film) = (decoder(), film(640, 360, 1));
    assert_picture(&decoder, "gate", &film).await;
    let pid = decoder.facts().pid.unwrap();
    kill_process(pid_of(pid), Signal::KILL).unwrap();
    until("it is reaped while there is no job", || is_gone(pid)).await;
    assert_picture(&decoder, "gate", &film).await;
    assert_eq!((decoder.facts().starts, decoder.facts().deaths), (2, 0));
}

#[tokio::test]
async fn one_that_hangs_is_stopped() {
    // It says that it is ready, and then nothing: as a decoder in a loop is.
    let script = r"printf '\0\0\0\2\1\0'; exec sleep 600";
    let decoder = Decoder::new("/bin/sh", ["-c", script].map(OsString::from));
    let job = job(&film(64, 64, 1), picture(64, 64));
    let (hanging, jobs) = (decoder.clone(), job.clone());
    let waiting = tokio::spawn(async move { hanging.decode("gate", &jobs).await });
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("longer than 5 s"), "{error}");
    assert_eq!(decoder.facts().pid, None);
    let error = decoder.decode("gate", &job).await.unwrap_err();
    assert!(matches!(error, DecodeError::Waits(_)), "{error}");
}

#[tokio::test]
async fn a_crash_is_told_with_its_last_words() {
    let script =
        r"printf '\0\0\0\2\1\0'; head -c 1 >/dev/null; echo deep in a slice >&2; kill -SEGV $$";
    let decoder = Decoder::new("/bin/sh", ["-c", script].map(OsString::from));
    let job = job(&film(64, 64, 1), picture(64, 64));
    let error = decoder.decode("gate", &job).await.unwrap_err();
    let words = error.to_string();
    assert!(
        words.contains("crashed") && words.contains("deep in a slice"),
        "{words}"
    );
}

#[tokio::test]
async fn f52_a_decoder_that_crashes_with_every_picture_of_a_camera_is_given_up_for_that_camera_alone()
 {
    let script = r"printf '\0\0\0\2\1\0'; head -c 1 >/dev/null; kill -SEGV $$";
    let decoder = Decoder::new("/bin/sh", ["-c", script].map(OsString::from));
    let job = job(&film(64, 64, 1), picture(64, 64));
    let mut told = Vec::new();
    let given_up = loop {
        match decoder.decode("gate", &job).await.unwrap_err() {
            error @ DecodeError::GivenUp(_) => break error,
            // As long as it says.
            DecodeError::Waits(span) => tokio::time::sleep(span).await,
            error => told.push(error.to_string()),
        }
        assert!(told.len() < 20, "never given up: {told:?}");
    };
    assert!(
        told.iter().all(|words| words.contains("crashed")),
        "{told:?}; {given_up}"
    );
    let deaths = decoder.facts().deaths;
    for _ in 0..100 {
        let error = decoder.decode("gate", &job).await.unwrap_err();
        assert!(matches!(error, DecodeError::GivenUp(_)), "{error}");
    }
    assert_eq!(
        decoder.facts().deaths,
        deaths,
        "no process was started for it"
    );
    // Another camera has one at once.
    let error = decoder.decode("yard", &job).await.unwrap_err();
    assert!(error.to_string().contains("crashed"), "{error}");
    assert_eq!(decoder.facts().deaths, deaths + 1);
}

#[tokio::test]
async fn a_program_that_is_none_is_told_and_not_tried_again_at_once() {
    let job = job(&film(64, 64, 1), picture(64, 64));
    let missing = Decoder::new("/nowhere/fieldgate", []);
    for _ in 0..3 {
        let error = missing.decode("gate", &job).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/nowhere/fieldgate cannot be run"),
            "{error}"
        );
    }
    let other = Decoder::new(
        "/bin/sh",
        ["-c", "echo it is out of order >&2; exit 3"].map(OsString::from),
    );
    let error = other.decode("gate", &job).await.unwrap_err();
    assert!(error.to_string().contains("it is out of order"), "{error}");
    // Of another version.
    let newer = Decoder::new(
        "/bin/sh",
        ["-c", r"printf '\0\0\0\2\11\0'"].map(OsString::from),
    );
    let error = newer.decode("gate", &job).await.unwrap_err();
    assert!(error.to_string().contains("version 9"), "{error}");
}

#[tokio::test]
async fn a_camera_has_one_job_at_a_time() {
    let (decoder, film) = (decoder(), film(640, 360, 1));
    let job = job(&film, picture(320, 320));
    let (first, second, other) = tokio::join!(
        decoder.decode("gate", &job),
        decoder.decode("gate", &job),
        decoder.decode("yard", &job)
    );
    assert!(first.is_ok() && other.is_ok());
    assert_eq!(second, Err(DecodeError::Busy));
    // One that nobody waits for any more is no turn.
    let dropped = tokio::time::timeout(Duration::ZERO, decoder.decode("gate", &job)).await;
    assert!(dropped.is_err());
    until("its turn is over", || decoder.facts().pid.is_some()).await;
    assert_picture(&decoder, "gate", &film).await;
}

#[tokio::test]
async fn both_a_picture_and_a_thumbnail_come_from_one_decoding() {
    let (decoder, film) = (decoder(), film(1920, 1080, 1));
    let want = Want {
        luma: Some((64, 36)),
        ..picture(640, 640)
    };
    let decoded = decoder.decode("gate", &job(&film, want)).await.unwrap();
    assert_eq!((decoded.width, decoded.height), (1920, 1080));
    assert_bars(&decoded.picture.unwrap().jpeg, (640, 360));
    assert_eq!(decoded.luma.unwrap().pixels.len(), 64 * 36);
}

/// How the process ends that tries it: by which signal.
fn tried(deed: &str) -> Option<i32> {
    let status = Command::new(PROCESS)
        .arg(deed)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.success(), deed == "nothing", "{deed}: {status}");
    status.signal()
}

#[test]
fn what_is_not_on_the_list_ends_it_at_once() {
    const SIGSYS: i32 = 31;
    assert_eq!(tried("nothing"), None);
    for deed in ["open", "listen", "spawn", "thread", "remove"] {
        assert_eq!(tried(deed), Some(SIGSYS), "{deed}");
    }
    // An allocation that fails is an abort.
    assert_eq!(tried("memory"), Some(6));
}

#[test]
fn a_lost_gateway_ends_it() {
    let mut process = Command::new(PROCESS)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = pid_of(process.id());
    assert!(test_kill_process(pid).is_ok());
    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
}
