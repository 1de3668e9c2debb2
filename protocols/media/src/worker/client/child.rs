//! `Child`: the media process as the gateway has it: pipes, limits of time, and the words for its death.

use std::{
    ffi::OsString,
    fmt,
    future::pending,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{self, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::worker::job::{Answer, JobError, length, read_answer};

/// For one job.
const JOB: Duration = Duration::from_secs(5);
/// From the start until it says that it has limited itself.
const START: Duration = Duration::from_secs(5);
/// For its end after it was killed or its input was closed.
const END: Duration = Duration::from_secs(1);
/// Bytes of its last words that are kept.
const WORDS: usize = 2048;

/// A process that has said that it is ready.
pub(super) struct Child {
    process: process::Child,
    input: ChildStdin,
    output: ChildStdout,
    words: Words,
}

/// What was wrong with an exchange.
pub(super) enum Fault {
    TooSlow,
    /// A pipe ended.
    Ended,
    Message(JobError),
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Death {
    /// By itself and without a fault.
    Retired,
    TooSlow,
    Message(JobError),
    Exit {
        status: Option<ExitStatus>,
        words: String,
    },
}

/// Its standard error: read all the time, so that it never waits, and forgotten but for the end.
struct Words {
    pipe: Option<ChildStderr>,
    last: Vec<u8>,
}

// === impl Child ===

impl Child {
    /// Starts it, and waits until it is ready. In words why not.
    pub(super) async fn start(program: &Path, arguments: &[OsString]) -> Result<Self, String> {
        let mut process = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let pipes = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(input), Some(output), pipe) = pipes else {
            return Err("it has no pipes".to_owned());
        };
        let mut child = Self {
            process,
            input,
            output,
            words: Words {
                pipe,
                last: Vec::new(),
            },
        };
        let fault = match child.ready().await {
            Ok(Answer::Ready) => return Ok(child),
            Ok(_) => Fault::Message(JobError::Garbled),
            Err(fault) => fault,
        };
        Err(child.end(fault).await.to_string())
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// When it ended by itself.
    pub(super) async fn ended(&mut self) {
        // Reaped or not, there is nothing more to do with it.
        let _ = self.process.wait().await;
    }

    /// One job and its answer. After a fault it is of no more use.
    pub(super) async fn exchange(&mut self, job: &[u8]) -> Result<Answer, Fault> {
        let Self {
            input,
            output,
            words,
            ..
        } = self;
        let exchange = async {
            input.write_all(job).await.map_err(|_| Fault::Ended)?;
            read_message(output).await
        };
        tokio::select! {
            answer = timeout(JOB, exchange) => answer.unwrap_or(Err(Fault::TooSlow)),
            never = words.listen() => never,
        }
    }

    async fn ready(&mut self) -> Result<Answer, Fault> {
        let Self { output, words, .. } = self;
        tokio::select! {
            answer = timeout(START, read_message(output)) => answer.unwrap_or(Err(Fault::TooSlow)),
            never = words.listen() => never,
        }
    }

    /// Makes an end of it, and says which it was.
    pub(super) async fn end(mut self, fault: Fault) -> Death {
        // One that ended by itself has a status of its own, which the kill does not change.
        let waited = match fault {
            Fault::Ended => timeout(END, self.process.wait()).await.ok(),
            Fault::TooSlow | Fault::Message(_) => None,
        };
        let status = match waited {
            Some(status) => status.ok(),
            None => self.kill().await,
        };
        match fault {
            Fault::TooSlow => return Death::TooSlow,
            Fault::Message(error) => return Death::Message(error),
            Fault::Ended => {}
        }
        if status.is_some_and(|status| status.success()) {
            return Death::Retired;
        }
        let _ = timeout(END, self.words.rest()).await;
        Death::Exit {
            status,
            words: self.words.text(),
        }
    }

    /// Closes its input, on which it ends by itself, and kills it when it does not.
    pub(super) async fn stop(self) {
        let Self {
            mut process, input, ..
        } = self;
        drop(input);
        if timeout(END, process.wait()).await.is_err() {
            // It is dead or dying: the kernel lets nobody refuse.
            let _ = timeout(END, process.kill()).await;
        }
    }

    async fn kill(&mut self) -> Option<ExitStatus> {
        // Both fail only when it is gone already.
        let _ = self.process.start_kill();
        timeout(END, self.process.wait()).await.ok()?.ok()
    }
}

async fn read_message(output: &mut (impl AsyncRead + Unpin)) -> Result<Answer, Fault> {
    let mut header = [0; 4];
    output
        .read_exact(&mut header)
        .await
        .map_err(|_| Fault::Ended)?;
    let mut bytes = vec![0; length(header).map_err(Fault::Message)?];
    output
        .read_exact(&mut bytes)
        .await
        .map_err(|_| Fault::Ended)?;
    read_answer(&bytes).map_err(Fault::Message)
}

// === impl Words ===

impl Words {
    /// Never returns.
    async fn listen<T>(&mut self) -> T {
        self.rest().await;
        pending().await
    }

    /// Until it closed the pipe.
    async fn rest(&mut self) {
        let mut bytes = [0; 1024];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut bytes).await {
                Ok(0) | Err(_) => self.pipe = None,
                Ok(length) => {
                    self.last.extend_from_slice(&bytes[..length]);
                    let old = self.last.len().saturating_sub(WORDS);
                    self.last.drain(..old);
                }
            }
        }
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.last);
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        line(&text)
    }
}

// === impl Death ===

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retired => f.write_str("the media process ended without an answer"),
            Self::TooSlow => write!(
                f,
                "it took longer than {} s, and the media process was stopped",
                JOB.as_secs()
            ),
            Self::Message(error) => write!(f, "{error}"),
            Self::Exit { status, words } => {
                f.write_str(cause(*status))?;
                if !words.is_empty() {
                    write!(f, " ({words})")?;
                }
                Ok(())
            }
        }
    }
}

/// Signals by their numbers on Linux.
fn cause(status: Option<ExitStatus>) -> &'static str {
    match status.and_then(|status| status.signal()) {
        Some(4 | 7 | 8 | 11) => "the decoder crashed, and the media process with it",
        Some(6) => "the decoder gave up, and the media process with it",
        Some(9) => "the media process was killed from outside; is the machine out of memory?",
        Some(24) => "the media process had used up its processor time",
        Some(25) => "the media process wanted to write a file, and was stopped",
        Some(31) => "the media process wanted what it may not, and was stopped",
        Some(_) => "the media process was ended by a signal",
        None => "the media process ended",
    }
}
