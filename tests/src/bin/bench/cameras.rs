//! Cameras: what a 1080p25 stream, a snapshot and a live view cost and how late the live view is, beside ffmpeg in the same run.

mod latency;

use std::{
    fmt::Write as _,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use fieldgate_api::endpoint::GetCameras;
use fieldgate_tests::{
    gateway::Gateway,
    process::Process,
    rtsp_server::{Options, RtspServer},
    usage::Usage,
    wait::until,
};
use serde_json::json;

/// Streams whose cost is measured.
const MEASURED: usize = 10;
/// Steps at which more streams are tried; the last one that arrives whole is told.
const STEPS: [usize; 5] = [10, 20, 40, 60, 80];
/// A stream is whole at so many frames a second of its 25.
const WHOLE_FPS: f64 = 24.0;
const SNAPSHOTS: u32 = 20;
const READY: Duration = Duration::from_secs(60);

/// Prints the figures: `cameras [SECONDS]`, those of one measurement.
pub fn run(arguments: &[&str]) -> Result<()> {
    let seconds = arguments.first().copied().unwrap_or("20");
    let span = Duration::from_secs(seconds.parse().context("the number of seconds")?);
    let camera = RtspServer::start(Options {
        width: 1920,
        height: 1080,
        kbit_per_s: 4_000,
        ..Options::default()
    });
    let url = camera.url();

    let idle = Gateway::start(&config(&url, 0));
    let one = Usage::of(idle.pid()).resident_bytes;
    drop(idle);
    let gateway = started(&url, MEASURED)?;
    let ours = cpu_percent(gateway.pid(), span) / per(MEASURED);
    let most = Usage::of(gateway.pid()).resident_bytes;
    let rss_mb = megabytes(most.saturating_sub(one)) / per(MEASURED);
    let snapshot_cpu_ms = snapshots(&gateway)?;
    drop(gateway);
    eprintln!(
        "{MEASURED} streams: {ours:.2} % of a core and {rss_mb:.2} MB each; a snapshot {snapshot_cpu_ms:.1} ms"
    );

    let theirs = ffmpegs(&url, MEASURED, span)?;
    eprintln!("ffmpeg, one process a stream, no decoding: {theirs:.2} % of a core each");
    let sustained = sustained(&url, span)?;
    drop(camera);
    let late = latency::measure(span)?;
    let hundredths = |number: f64| (number * 100.0).round() / 100.0;
    let figures = json!({
        "cpu_percent_per_stream": hundredths(ours),
        "ffmpeg_cpu_percent_per_stream": hundredths(theirs),
        "ratio_to_ffmpeg": hundredths(ours / theirs),
        "snapshot_cpu_ms": hundredths(snapshot_cpu_ms),
        "rss_mb_per_stream": hundredths(rss_mb),
        "streams_sustained": sustained,
        "live_first_frame_ms": late.first_frame_ms.round(),
        "live_latency_ms_p50": late.live.p50.round(),
        "live_latency_ms_p95": late.live.p95.round(),
        "hls_latency_ms_p50": late.hls.p50.round(),
    });
    println!("{figures}");
    Ok(())
}

fn config(url: &str, cameras: usize) -> String {
    let mut text = "[gateway]\nname = \"bench\"\n".to_owned();
    for number in 0..cameras {
        let _ = write!(
            text,
            "[[source]]\nid = \"c{number}\"\nkind = \"camera\"\nurl = \"{url}\"\nallow_local = true\n"
        );
    }
    text
}

/// A gateway all of whose cameras send.
fn started(url: &str, cameras: usize) -> Result<Gateway> {
    let gateway = Gateway::start(&config(url, cameras));
    until("all cameras", READY, || {
        let rows = gateway.api.get::<GetCameras>(&[]);
        match rows
            .iter()
            .filter(|row| row.connected && row.last_frame.is_some())
            .count()
        {
            all if all == cameras => Ok(()),
            some => Err(format!("{some} of {cameras} send")),
        }
    });
    Ok(gateway)
}

fn cpu_percent(process: u32, span: Duration) -> f64 {
    let (begin, before) = (Instant::now(), Usage::of(process).cpu);
    thread::sleep(span);
    let used = Usage::of(process).cpu.saturating_sub(before);
    used.as_secs_f64() * 100.0 / begin.elapsed().as_secs_f64()
}

/// CPU of one picture, that of the decoder's process and of the gateway beyond what the streams cost.
fn snapshots(gateway: &Gateway) -> Result<f64> {
    let picture = || {
        let (status, jpeg) = gateway.api.bytes("/api/v1/pictures/c0?at_most_ms=0");
        ensure!(
            status == 200,
            "no picture: {}",
            String::from_utf8_lossy(&jpeg)
        );
        Ok(jpeg.len())
    };
    // Starts the decoder.
    picture()?;
    let cpu = || {
        let children = children(gateway.pid())
            .into_iter()
            .map(|child| Usage::of(child).cpu);
        children.sum::<Duration>()
    };
    let before = cpu();
    for _ in 0..SNAPSHOTS {
        picture()?;
    }
    Ok(cpu().saturating_sub(before).as_secs_f64() * 1e3 / f64::from(SNAPSHOTS))
}

fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// What ffmpeg needs to receive a stream and throw it away.
fn ffmpegs(url: &str, count: usize, span: Duration) -> Result<f64> {
    let start = |_| {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-v", "error", "-rtsp_transport", "tcp", "-i", url])
            .args(["-c", "copy", "-f", "null", "-"]);
        Process::start("ffmpeg", &mut command)
    };
    let all: Vec<Process> = (0..count).map(start).collect();
    // What it does to find out about a stream comes before.
    thread::sleep(Duration::from_secs(8));
    let cpu = || {
        all.iter()
            .map(|one| Usage::of(one.id()).cpu)
            .sum::<Duration>()
    };
    let (begin, before) = (Instant::now(), cpu());
    thread::sleep(span);
    let used = cpu().saturating_sub(before).as_secs_f64();
    Ok(used * 100.0 / begin.elapsed().as_secs_f64() / per(count))
}

/// The most streams of the steps that all arrive whole.
fn sustained(url: &str, span: Duration) -> Result<usize> {
    let mut most = 0;
    for cameras in STEPS {
        let gateway = started(url, cameras)?;
        thread::sleep(span);
        let slow = (0..cameras).filter(|number| {
            let id = format!("c{number}");
            let view = gateway
                .api
                .get::<fieldgate_api::endpoint::GetCamera>(&[&id]);
            let whole = |track: &fieldgate_api::camera::TrackView| {
                track.fps >= WHOLE_FPS && track.lost == 0
            };
            !view.tracks.first().is_some_and(whole)
        });
        let slow = slow.count();
        eprintln!("{cameras} streams: {slow} of them are not whole");
        if slow > 0 {
            break;
        }
        most = cameras;
    }
    Ok(most)
}

#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn per(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
