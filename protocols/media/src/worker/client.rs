//! `Decoder`: the gateway's end of the media process. It starts it when there is a job, restarts it when it died, and stops it when idle.

use std::{
    collections::HashSet,
    ffi::OsString,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::child::{Child, Death};
use super::{
    job::{Answer, Decoded, Job, JobError, write_job},
    trouble::{Refusal, Troubles},
};

mod child;

/// Jobs that wait. Each camera has one at most, so that everybody gets a turn; more cameras than that are told to come again.
const QUEUE: usize = 64;
/// After which the process is stopped; the next job starts it again, which takes some milliseconds.
const IDLE: Duration = Duration::from_secs(30);

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The picture is none; the next one may be. In words.
    #[error("{0}")]
    Picture(String),
    /// The process died over it, or took too long.
    #[error("the picture could not be decoded: {0}")]
    Died(String),
    /// Not tried: the last one ended the process a moment ago.
    #[error("the camera's last picture could not be decoded; the next is tried in {} ms", .0.as_millis())]
    Waits(Duration),
    /// Not tried: it happened too often.
    #[error(
        "the camera's pictures ended the decoder five times in a minute; they are not decoded for {} s. Look for new firmware, or give the camera's snapshot address",
        .0.as_secs() + 1
    )]
    GivenUp(Duration),
    /// The process does not start.
    #[error("the media process does not start: {0}")]
    NoProcess(String),
    /// Not tried: this camera has a job already, or too many have.
    #[error("the decoder is busy with this camera's last picture")]
    Busy,
    /// The gateway ends.
    #[error("the decoder has ended")]
    Ended,
}

/// What it has done since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecoderFacts {
    pub jobs: u64,
    /// Jobs whose picture was none.
    pub bad_pictures: u64,
    /// Processes that died within a job.
    pub deaths: u64,
    /// Processes that were started.
    pub starts: u64,
    /// The process that is there now.
    pub pid: Option<u32>,
    /// It has a job now.
    pub working: bool,
}

/// Decodes pictures for all cameras, one at a time. Clones are the same one; with the last the process ends.
#[derive(Clone)]
pub struct Decoder(Arc<Shared>);

struct Shared {
    program: PathBuf,
    arguments: Vec<OsString>,
    queue: OnceLock<mpsc::Sender<Request>>,
    /// Cameras that have a job.
    busy: Mutex<HashSet<String>>,
    facts: Arc<Mutex<DecoderFacts>>,
}

struct Request {
    camera: String,
    job: Vec<u8>,
    answer: oneshot::Sender<Result<Decoded, DecodeError>>,
}

/// Takes a camera off the list when its job is done, or nobody waits for it any more.
struct Turn<'a> {
    decoder: &'a Shared,
    camera: &'a str,
}

/// The task that has the process.
struct Keeper {
    program: PathBuf,
    arguments: Vec<OsString>,
    requests: mpsc::Receiver<Request>,
    child: Option<Child>,
    troubles: Troubles,
    last_start: String,
    facts: Arc<Mutex<DecoderFacts>>,
}

// === impl Decoder ===

impl Decoder {
    /// Of a program that calls [`super::serve`] when it is given these arguments. It is started with the first job, by a task of
    /// the runtime that this one is given in.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self(Arc::new(Shared {
            program: program.into(),
            arguments: arguments.into_iter().collect(),
            queue: OnceLock::new(),
            busy: Mutex::default(),
            facts: Arc::default(),
        }))
    }

    /// Decodes a camera's picture. It takes 5 s at most once it is its turn.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`]; each says in words what a person can do.
    pub async fn decode(&self, camera: &str, job: &Job) -> Result<Decoded, DecodeError> {
        let job = write_job(job).map_err(|error| DecodeError::Picture(error.to_string()))?;
        let shared = &*self.0;
        if !locked(&shared.busy).insert(camera.to_owned()) {
            return Err(DecodeError::Busy);
        }
        let _turn = Turn {
            decoder: shared,
            camera,
        };
        let (answer, answered) = oneshot::channel();
        let request = Request {
            camera: camera.to_owned(),
            job,
            answer,
        };
        match shared.queue().try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(DecodeError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(DecodeError::Ended),
        }
        answered.await.unwrap_or(Err(DecodeError::Ended))
    }

    #[must_use]
    pub fn facts(&self) -> DecoderFacts {
        *locked(&self.0.facts)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Decoder").field(&self.0.program).finish()
    }
}

// === impl Shared ===

impl Shared {
    fn queue(&self) -> &mpsc::Sender<Request> {
        self.queue.get_or_init(|| {
            let (sender, requests) = mpsc::channel(QUEUE);
            let keeper = Keeper {
                program: self.program.clone(),
                arguments: self.arguments.clone(),
                requests,
                child: None,
                troubles: Troubles::default(),
                last_start: String::new(),
                facts: self.facts.clone(),
            };
            tokio::spawn(keeper.run());
            sender
        })
    }
}

// === impl Turn ===

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(&self.decoder.busy).remove(self.camera);
    }
}

// === impl Keeper ===

impl Keeper {
    async fn run(mut self) {
        while let Some(request) = self.next().await {
            // Nobody waits for it any more.
            if request.answer.is_closed() {
                continue;
            }
            locked(&self.facts).working = true;
            let outcome = self.done(&request).await;
            let mut facts = locked(&self.facts);
            facts.working = false;
            facts.jobs += 1;
            match &outcome {
                Err(DecodeError::Picture(_)) => facts.bad_pictures += 1,
                Err(DecodeError::Died(_)) => facts.deaths += 1,
                _ => {}
            }
            facts.pid = self.child.as_ref().and_then(Child::pid);
            drop(facts);
            // Its camera may have gone meanwhile.
            let _ = request.answer.send(outcome);
        }
        self.stop().await;
    }

    /// The next job; `None` when the last decoder is gone. While there is none, the process may end, and is stopped after a while.
    async fn next(&mut self) -> Option<Request> {
        loop {
            let Some(child) = &mut self.child else {
                return self.requests.recv().await;
            };
            tokio::select! {
                biased;
                request = self.requests.recv() => return request,
                () = child.ended() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
            self.stop().await;
        }
    }

    async fn done(&mut self, request: &Request) -> Result<Decoded, DecodeError> {
        let now = Instant::now().into_std();
        match self.troubles.may_try(&request.camera, now) {
            Ok(()) => {}
            Err(Refusal::Waits(wait)) => return Err(DecodeError::Waits(wait)),
            Err(Refusal::GivenUp(wait)) => return Err(DecodeError::GivenUp(wait)),
            Err(Refusal::NoProcess(_)) => {
                return Err(DecodeError::NoProcess(self.last_start.clone()));
            }
        }
        let was_there = self.child.is_some();
        let outcome = match self.tried(request).await {
            // One that has served long retires between two jobs: another takes this one.
            Err(Attempt::Died(Death::Retired)) if was_there => self.tried(request).await,
            outcome => outcome,
        };
        let words = match outcome {
            Ok(answer) => {
                self.troubles.went_well(&request.camera);
                match answer {
                    Answer::Done(decoded) => return Ok(decoded),
                    Answer::Failed(words) => return Err(DecodeError::Picture(words)),
                    Answer::Ready => {
                        return Err(DecodeError::Picture(JobError::Garbled.to_string()));
                    }
                }
            }
            Err(Attempt::NoStart(words)) => {
                self.troubles.did_not_start(Instant::now().into_std());
                self.last_start.clone_from(&words);
                return Err(DecodeError::NoProcess(words));
            }
            Err(Attempt::Died(death)) => death.to_string(),
        };
        self.troubles
            .died(&request.camera, Instant::now().into_std());
        Err(DecodeError::Died(words))
    }

    /// One attempt with the process that is there, or a new one. One that failed is gone afterwards.
    async fn tried(&mut self, request: &Request) -> Result<Answer, Attempt> {
        let mut child = match self.child.take() {
            Some(child) => child,
            None => {
                let started = Child::start(&self.program, &self.arguments).await;
                let child = started.map_err(Attempt::NoStart)?;
                self.troubles.started();
                locked(&self.facts).starts += 1;
                child
            }
        };
        match child.exchange(&request.job).await {
            Ok(answer) => {
                self.child = Some(child);
                Ok(answer)
            }
            Err(fault) => Err(Attempt::Died(child.end(fault).await)),
        }
    }

    async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop().await;
        }
        locked(&self.facts).pid = None;
    }
}

/// Why an attempt came to nothing.
enum Attempt {
    NoStart(String),
    Died(Death),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
