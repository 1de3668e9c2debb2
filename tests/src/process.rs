//! `Process`: a child process whose output is kept line by line, and that dies with its owner.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{SOON, until, until_true};

/// A child process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it said on stdout.
    pub out: Lines,
    /// What it said on stderr.
    pub err: Lines,
}

/// Lines of output, as they come. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Mutex<Stream>>);

#[derive(Debug, Default)]
struct Stream {
    lines: Vec<String>,
    closed: bool,
}

/// How many lines of each output a failed test shows.
const SHOWN: usize = 60;

// === impl Process ===

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let out = Lines::follow(child.stdout.take().expect("it is piped"));
        let err = Lines::follow(child.stderr.take().expect("it is piped"));
        Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            out,
            err,
        }
    }

    /// Writes a line to its stdin.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(error) = writeln!(stdin, "{line}").and_then(|()| stdin.flush()) {
            panic!("{} does not listen: {error}", self.name);
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a child has a process id");
        kill_process(pid, signal).expect("the process is ours");
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        until(&what, limit, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits for a line on stdout, from the `from`th on, that `pick` makes something of.
    ///
    /// # Panics
    /// When it does not come, or the process ended.
    #[track_caller]
    pub fn line<T>(&mut self, what: &str, from: usize, pick: impl Fn(&str) -> Option<T>) -> T {
        let picked = until(&format!("{}: {what}", self.name), SOON, || {
            let ended = self.child.try_wait().expect("the child is ours");
            match (self.out.find(from, &pick), ended) {
                (Some(picked), _) => Ok(Some(picked)),
                (None, Some(_)) => Ok(None),
                (None, None) => Err(format!("it said only {:?}", self.out.all())),
            }
        });
        picked.unwrap_or_else(|| {
            panic!(
                "{} ended before: {what}; it said\n{}",
                self.name,
                self.err.tail()
            )
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            for (stream, lines) in [("stdout", &self.out), ("stderr", &self.err)] {
                eprintln!("── {} of {}:\n{}", stream, self.name, lines.tail());
            }
        }
    }
}

// === impl Lines ===

impl Lines {
    fn follow(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let kept = lines.clone();
        // Ends when the process closes its end.
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                kept.lock().lines.push(line);
            }
            kept.lock().closed = true;
        });
        lines
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().lines.len()
    }

    /// The first one, from the `from`th on, that `pick` makes something of.
    pub fn find<T>(&self, from: usize, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.lock()
            .lines
            .iter()
            .skip(from)
            .find_map(|line| pick(line))
    }

    /// The whole text, once the process has closed its end.
    #[track_caller]
    #[must_use]
    pub fn to_end(&self) -> String {
        until_true("the end of the output", SOON, || self.lock().closed);
        self.lock().lines.join("\n")
    }

    fn tail(&self) -> String {
        let lines = &self.lock().lines;
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stream> {
        self.0.lock().expect("nothing panics while holding it")
    }
}
