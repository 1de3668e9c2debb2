//! `RtspServer`: GStreamer's RTSP server as a camera of colour bars, whose faults are switched on and off.

use std::{path::PathBuf, process::Command};

use rustix::process::Signal;
use serde::Serialize;

use crate::{peers, process::Process};

/// What the camera is like. `tests/peers/rtsp_server.py` says what each means.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    pub codec: &'static str,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Frames between two keyframes.
    pub keyframe: u32,
    pub sound: Option<&'static str>,
    /// The time is burnt into the pictures.
    pub clock: bool,
    /// The time of day is burnt into the pictures, for programs to read.
    pub stamp: bool,
    pub kbit_per_s: u32,
    /// Name and password.
    pub user: Option<(&'static str, &'static str)>,
    /// The password as readable text instead of Digest.
    pub basic: bool,
    /// A PEM file with certificate and key.
    pub tls: Option<PathBuf>,
    /// Where it listens.
    pub address: &'static str,
    /// 0: a free one.
    pub port: u16,
}

/// A running camera.
#[derive(Debug)]
pub struct RtspServer {
    process: Process,
    options: Options,
    port: u16,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            codec: "h264",
            width: 640,
            height: 360,
            fps: 25,
            keyframe: 25,
            sound: None,
            clock: false,
            stamp: false,
            kbit_per_s: 2_000,
            user: None,
            basic: false,
            tls: None,
            address: "127.0.0.1",
            port: 0,
        }
    }
}

// === impl RtspServer ===

impl RtspServer {
    /// A camera on a free port that answers when this returns.
    #[track_caller]
    #[must_use]
    pub fn start(options: Options) -> Self {
        let (process, port) = launch(&options);
        Self {
            process,
            options,
            port,
        }
    }

    /// Where its stream is, without user and password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("live")
    }

    /// A path of it.
    #[must_use]
    pub fn url_of(&self, path: &str) -> String {
        let scheme = if self.options.tls.is_some() {
            "rtsps"
        } else {
            "rtsp"
        };
        format!("{scheme}://127.0.0.1:{}/{path}", self.port)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends nothing any more and keeps every socket open.
    #[track_caller]
    pub fn freeze(&mut self) {
        self.order("freeze");
    }

    #[track_caller]
    pub fn resume(&mut self) {
        self.order("resume");
    }

    /// Whoever signs in from now on needs this password.
    #[track_caller]
    pub fn change_password(&mut self, password: &str) {
        self.order(&format!("password {password}"));
    }

    /// Its pictures change their size.
    #[track_caller]
    pub fn resize(&mut self, width: u32, height: u32) {
        self.order(&format!("size {width} {height}"));
    }

    /// Shows another of GStreamer's test pictures, for instance `smpte` or `ball`.
    #[track_caller]
    pub fn scene(&mut self, pattern: &str) {
        self.order(&format!("scene {pattern}"));
    }

    /// Sends every client away.
    #[track_caller]
    pub fn send_away(&mut self) {
        self.order("bye");
    }

    /// The process hears nothing any more, its kernel does: as a camera whose program hangs.
    #[track_caller]
    pub fn hang(&self) {
        self.process.signal(Signal::STOP);
    }

    #[track_caller]
    pub fn unhang(&self) {
        self.process.signal(Signal::CONT);
    }

    /// As a power cut.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Comes back at the same port after it was killed.
    #[track_caller]
    pub fn restart(&mut self) {
        self.options.port = self.port;
        self.process = launch(&self.options).0;
    }

    #[track_caller]
    fn order(&mut self, line: &str) {
        let from = self.process.out.all().len();
        self.process.say(line);
        let word = line.split(' ').next().unwrap_or_default();
        let done = format!("done {word}");
        self.process
            .line(&done, from, |said| (said == done).then_some(()));
    }
}

#[track_caller]
fn launch(options: &Options) -> (Process, u16) {
    let argument = serde_json::to_string(options).expect("options are JSON");
    let script = peers::root().join("tests/peers/rtsp_server.py");
    let mut process = Process::start(
        "rtsp_server.py",
        Command::new(peers::system_python())
            .arg(script)
            .arg(argument),
    );
    let port = process.line("its port", 0, |line| {
        line.strip_prefix("READY ")?.parse().ok()
    });
    (process, port)
}
