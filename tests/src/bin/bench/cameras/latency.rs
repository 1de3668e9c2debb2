//! How late a live view is: a camera burns the time into its pictures, and whoever shows them reads it off.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use fieldgate_tests::{
    browser::Browser,
    gateway::{Gateway, folder},
    process::Process,
    rtsp_server::{Options, RtspServer},
    wait::until_true,
};
use serde_json::json;

/// `tests/peers/rtsp_server.py` draws so many squares of so many pixels: a number of milliseconds, the highest digit first.
const SQUARES: usize = 16;
const SIDE: usize = 24;
const TURN: i64 = 1 << SQUARES;

/// What a viewer saw, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Late {
    pub p50: f64,
    pub p95: f64,
}

pub struct Lateness {
    /// From the click on a camera to its first picture.
    pub first_frame_ms: f64,
    pub live: Late,
    pub hls: Late,
}

pub fn measure(span: Duration) -> Result<Lateness> {
    let camera = RtspServer::start(Options {
        width: 1280,
        height: 720,
        stamp: true,
        ..Options::default()
    });
    let gateway = Gateway::start(&format!(
        "[gateway]\nname = \"bench\"\n[[source]]\nid = \"gate\"\nkind = \"camera\"\nurl = \"{}\"\nallow_local = true\n",
        camera.url()
    ));
    let hls = Hls::start(&camera.url())?;
    let (first_frame_ms, live) = live(&gateway, span)?;
    let hls = hls.watch(span)?;
    eprintln!(
        "live: first picture {first_frame_ms:.0} ms after the click, then late by {live:?} ms; HLS of ffmpeg: {hls:?} ms"
    );
    Ok(Lateness {
        first_frame_ms,
        live,
        hls,
    })
}

/// In the console, by a browser's own player.
fn live(gateway: &Gateway, span: Duration) -> Result<(f64, Late)> {
    let browser = Browser::start();
    browser.open(&format!("{}/explore/cameras", gateway.url));
    browser.wait_for(".camera-name a");
    let click = "const begin = performance.now();
        document.querySelector('.camera-name a').click();
        const done = arguments[arguments.length - 1];
        const look = () => {
            const video = document.querySelector('.camera-one video');
            if (video && video.getVideoPlaybackQuality().totalVideoFrames > 0) done(performance.now() - begin);
            else setTimeout(look, 5);
        };
        look();";
    let first = browser.script_async(click, &json!([]));
    let first = first.as_f64().context("no first picture")?;
    let read = "const [squares, side, span] = arguments, done = arguments[arguments.length - 1];
        const video = document.querySelector('.camera-one video');
        const canvas = document.createElement('canvas');
        canvas.width = squares * side; canvas.height = side;
        const context = canvas.getContext('2d', { willReadFrequently: true });
        const late = [], until = performance.now() + span;
        const look = () => {
            const now = Date.now();
            context.drawImage(video, 0, 0, squares * side, side, 0, 0, squares * side, side);
            const row = context.getImageData(0, side / 2, squares * side, 1).data;
            let told = 0;
            for (let square = 0; square < squares; square++)
                told = told * 2 + (row[(square * side + side / 2) * 4] > 127 ? 1 : 0);
            late.push(now - told);
            if (performance.now() < until) video.requestVideoFrameCallback(look); else done(late);
        };
        video.requestVideoFrameCallback(look);";
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let seen = browser.script_async(read, &json!([SQUARES, SIDE, millis]));
    let seen = seen.as_array().context("no times")?;
    let late = seen.iter().filter_map(serde_json::Value::as_i64);
    Ok((first, of(late.collect())?))
}

/// The same stream as ffmpeg's HLS with segments of a second, the shortest that players are told to expect.
struct Hls {
    _writer: Process,
    folder: tempfile::TempDir,
}

impl Hls {
    fn start(url: &str) -> Result<Self> {
        let folder = folder();
        let list = folder.path().join("live.m3u8");
        let mut command = Command::new("ffmpeg");
        command
            .args([
                "-v",
                "error",
                "-rtsp_transport",
                "tcp",
                "-i",
                url,
                "-c",
                "copy",
            ])
            .args([
                "-f",
                "hls",
                "-hls_time",
                "1",
                "-hls_list_size",
                "4",
                "-hls_flags",
                "delete_segments",
            ])
            .arg(&list);
        let writer = Process::start("ffmpeg", &mut command);
        until_true("a play list", Duration::from_secs(30), || list.exists());
        Ok(Self {
            _writer: writer,
            folder,
        })
    }

    /// As a player at its usual speed, beginning with the newest segment.
    fn watch(&self, span: Duration) -> Result<Late> {
        let mut player = player(&self.folder.path().join("live.m3u8"))?;
        let mut picture = vec![0; SQUARES * SIDE * SIDE];
        let mut late = Vec::new();
        let mut out = player.stdout.take().context("a pipe")?;
        let begin = Instant::now();
        while begin.elapsed() < span && out.read_exact(&mut picture).is_ok() {
            let row = &picture[SIDE / 2 * SQUARES * SIDE..];
            let told = (0..SQUARES).fold(0, |told, square| {
                told * 2 + i64::from(row[square * SIDE + SIDE / 2] > 127)
            });
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
            late.push(i64::try_from(now)? - told);
        }
        drop(out);
        player.kill()?;
        player.wait()?;
        of(late)
    }
}

fn player(list: &Path) -> Result<std::process::Child> {
    // The play list needs its first segments.
    thread::sleep(Duration::from_secs(4));
    let crop = format!("crop={}:{SIDE}:0:0,format=gray", SQUARES * SIDE);
    Command::new("ffmpeg")
        .args(["-v", "error", "-re", "-live_start_index", "-1", "-i"])
        .arg(list)
        .args(["-vf", &crop, "-f", "rawvideo", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("ffmpeg")
}

/// Differences of clocks of which only the lower digits were burnt in.
fn of(differences: Vec<i64>) -> Result<Late> {
    let mut late: Vec<i64> = differences
        .into_iter()
        .map(|late| late.rem_euclid(TURN))
        .collect();
    ensure!(late.len() >= 25, "only {} pictures were seen", late.len());
    late.sort_unstable();
    let at = |share: usize| late[(late.len() - 1) * share / 100];
    #[expect(clippy::cast_precision_loss, reason = "less than 65,536")]
    let late = Late {
        p50: at(50) as f64,
        p95: at(95) as f64,
    };
    Ok(late)
}
