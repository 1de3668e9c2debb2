//! `Gateway`: `fieldgate run` as a process, with its own state folder and configuration file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    api::Api,
    peers,
    place::Place,
    process::Process,
    usage::Usage,
    wait::{SOON, until},
};

/// A running gateway; its folder is removed with it.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    folder: TempDir,
    /// Where its next process is started.
    pub place: Place,
    /// Where the console is: `http://127.0.0.1:port`.
    pub url: String,
    pub api: Api,
}

/// A graceful stop takes no longer than this.
const STOP_LIMIT: Duration = Duration::from_secs(5);

// === impl Gateway ===

impl Gateway {
    /// Starts a gateway with this configuration.
    ///
    /// # Panics
    /// When it does not say that it runs.
    #[track_caller]
    #[must_use]
    pub fn start(config: &str) -> Self {
        Self::start_in(folder(), config, Place::default())
    }

    /// As [`Self::start`], in this folder, with its state in `state`, and in this place.
    ///
    /// # Panics
    /// When it does not say that it runs.
    #[track_caller]
    #[must_use]
    pub fn start_in(folder: TempDir, config: &str, place: Place) -> Self {
        fs::write(folder.path().join("fieldgate.toml"), config).expect("a file in a new folder");
        let mut process = Process::start("fieldgate", &mut command(folder.path(), &place));
        let url = process.line("the line with the console's address", 0, address);
        Self {
            api: Api::new(&url),
            process,
            folder,
            place,
            url,
        }
    }

    /// Where it keeps its state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// `kill -9`, and a new process with the same state and configuration.
    #[track_caller]
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A new process after a [`Self::kill`] or a [`Self::stop`].
    #[track_caller]
    pub fn restart(&mut self) {
        self.process = Process::start("fieldgate", &mut command(self.folder.path(), &self.place));
        self.url = self
            .process
            .line("the line with the console's address", 0, address);
        self.api = Api::new(&self.url);
    }

    /// SIGTERM, and waits until it is gone: how long that took.
    ///
    /// # Panics
    /// When it takes too long, or ends with another code than 0.
    #[track_caller]
    pub fn stop(&mut self) -> Duration {
        let asked = Instant::now();
        self.process.signal(Signal::TERM);
        let status = self.process.ended(STOP_LIMIT + Duration::from_secs(1));
        let took = asked.elapsed();
        assert!(status.success(), "ended with {status}");
        assert!(took <= STOP_LIMIT, "stopping took {took:?}");
        took
    }

    /// Replaces the configuration file and sends SIGHUP.
    #[track_caller]
    pub fn reload(&self, config: &str) {
        let file = self.folder.path().join("fieldgate.toml");
        fs::write(file, config).expect("a file in our folder");
        self.process.signal(Signal::HUP);
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What its process uses of the machine.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::of(self.process.id())
    }

    /// SIGSTOP: it stands still, as on a machine that sleeps.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Waits for a line in its log, from the `from`th on, with all of these words.
    #[track_caller]
    pub fn logged(&self, from: usize, words: &[&str]) -> String {
        until(&format!("a log line with {words:?}"), SOON, || {
            let has_all = |line: &str| {
                words
                    .iter()
                    .all(|word| line.contains(word))
                    .then(|| line.to_owned())
            };
            self.process.err.find(from, has_all).ok_or("there is none")
        })
    }

    /// The lines of its log so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.process.err.all()
    }

    /// What it warned of, or called an error.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let loud = |line: &String| line.contains(" WARN ") || line.contains(" ERROR ");
        self.log().into_iter().filter(loud).collect()
    }
}

/// Runs `fieldgate` with these arguments to its end.
///
/// # Panics
/// When it cannot be started, or does not end.
#[track_caller]
#[must_use]
pub fn fieldgate(arguments: &[&str], folder: &Path) -> (ExitStatus, Output) {
    let mut command = program();
    command.args(arguments).current_dir(folder);
    let mut process = Process::start("fieldgate", &mut command);
    let status = process.ended(SOON);
    let output = Output {
        status,
        stdout: process.out.to_end().into_bytes(),
        stderr: process.err.to_end().into_bytes(),
    };
    (status, output)
}

/// `fieldgate`, in an environment that configures nothing.
#[must_use]
pub fn program() -> Command {
    quiet(Command::new(peers::gateway()))
}

fn quiet(mut command: Command) -> Command {
    for (name, _) in std::env::vars() {
        if name.starts_with("FIELDGATE") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// A folder of its own, removed when dropped.
///
/// # Panics
/// When there is no room for temporary files.
#[must_use]
pub fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("fieldgate-test-")
        .tempdir()
        .expect("temporary files can be made")
}

fn command(folder: &Path, place: &Place) -> Command {
    let mut command = quiet(place.start(&peers::gateway()));
    command
        .envs(place.variables.iter().cloned())
        .arg("run")
        .arg("--config")
        .arg(folder.join("fieldgate.toml"))
        .arg("--state")
        .arg(folder.join("state"))
        .args(["--listen", "127.0.0.1:0"]);
    command
}

fn address(line: &str) -> Option<String> {
    let start = line.find("http://")?;
    let address = line[start..].split_whitespace().next()?;
    Some(address.trim_end_matches('/').to_owned())
}
