//! A unit: one task under supervision. Its attempts are straight functions; only here is waited and tried again.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use fieldgate_api::state::{Level, Status};
use fieldgate_kit::{Health, HealthReport, SinkError, SourceError};
use fieldgate_model::Timestamp;
use futures::{FutureExt, future::BoxFuture};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    backoff::{HEALTHY_AFTER, Pace},
    board::{Board, UnitName},
    telling::Telling,
};
use crate::telemetry::now;

/// How long a unit may take to stop before it is dropped.
const STOP_LIMIT: Duration = Duration::from_secs(4);

/// Why an attempt ended, by what is done next. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Try again soon.
    #[error("{0}")]
    Lost(String),
    /// Try again slowly, and tell people.
    #[error("{0}")]
    Refused(String),
    /// Wait for another configuration.
    #[error("{0}")]
    Misconfigured(String),
}

/// Makes one attempt.
pub type Attempt =
    Box<dyn FnMut(Health, CancellationToken) -> BoxFuture<'static, Result<(), Cause>> + Send>;

/// A running unit. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Unit {
    name: UnitName,
    board: Board,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

struct Keeper {
    name: UnitName,
    board: Board,
    lost_pace: Pace,
    shutdown: CancellationToken,
    failures: u32,
    telling: Telling,
}

// === impl Unit ===

impl Unit {
    /// Starts a unit.
    #[must_use]
    pub fn start(name: UnitName, board: &Board, lost_pace: Pace, attempt: Attempt) -> Self {
        let shutdown = CancellationToken::new();
        let keeper = Keeper {
            name: name.clone(),
            board: board.clone(),
            lost_pace,
            shutdown: shutdown.clone(),
            failures: 0,
            telling: Telling::default(),
        };
        let task = tokio::spawn(keeper.keep(attempt));
        Self {
            name,
            board: board.clone(),
            shutdown,
            task,
        }
    }

    /// Stops the unit and waits for it, a few seconds at most.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        if tokio::time::timeout(STOP_LIMIT, &mut self.task)
            .await
            .is_err()
        {
            tracing::warn!(unit = ?self.name, "did not stop in time and was dropped");
            self.task.abort();
        }
        self.board.remove(&self.name);
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Runs a task that is no unit of its own but belongs to one.
pub fn companion(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

// === impl Keeper ===

impl Keeper {
    async fn keep(mut self, mut attempt: Attempt) {
        let bell = self.board.retry_bell(&self.name);
        while !self.shutdown.is_cancelled() {
            let cause = self.supervise(&mut attempt).await;
            if self.shutdown.is_cancelled() {
                break;
            }
            let wait = self.wait_after(&cause);
            if let Some(untold) = self.telling.tell(&cause.to_string(), Instant::now()) {
                tracing::info!(unit = ?self.name, %cause, ?wait, untold, "attempt ended");
            }
            let shutdown = self.shutdown.clone();
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = bell.notified() => self.failures = 0,
                () = pause(wait) => {}
            }
        }
    }

    /// One attempt, its health on the board, its panic caught. Returns why it ended.
    async fn supervise(&mut self, attempt: &mut Attempt) -> Cause {
        let (health, mut reports) = Health::channel();
        self.post_running(
            &HealthReport {
                connected: false,
                words: "starting".into(),
                explains: false,
            },
            None,
            false,
        );
        let running = attempt(health, self.shutdown.clone());
        let mut running = AssertUnwindSafe(running).catch_unwind();
        let mut healthy_since = None;
        let mut explained = false;
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut running => break outcome,
                () = next_report(&mut reports) => {
                    let report = reports.borrow_and_update().clone();
                    match (report.connected, healthy_since) {
                        (true, None) => healthy_since = Some((Instant::now(), now())),
                        (false, _) => healthy_since = None,
                        _ => {}
                    }
                    explained |= report.explains;
                    self.post_running(&report, healthy_since.map(|(_, at)| at), explained);
                }
            }
        };
        if healthy_since.is_some_and(|(since, _)| since.elapsed() >= HEALTHY_AFTER) {
            self.failures = 0;
        }
        match outcome {
            Ok(Ok(())) => Cause::Lost("it ended without saying why".into()),
            Ok(Err(cause)) => cause,
            Err(panic) => {
                let words = panic_words(panic.as_ref());
                tracing::error!(unit = ?self.name, %words, "a defect of the gateway was caught");
                Cause::Lost(format!(
                    "a defect of the gateway was caught: {words}; please report it"
                ))
            }
        }
    }

    /// How long to wait, posted on the board; `None` is until the configuration changes or somebody says so.
    fn wait_after(&mut self, cause: &Cause) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let pace = match cause {
            Cause::Lost(_) => Some(self.lost_pace),
            Cause::Refused(_) => Some(Pace::REFUSED),
            Cause::Misconfigured(_) => None,
        };
        let wait = pace.map(|pace| pace.wait(self.failures, fastrand::f64()));
        let (level, state) = match cause {
            Cause::Lost(_) => (Level::Warning, "waiting to retry"),
            Cause::Refused(_) => (Level::Bad, "refused"),
            Cause::Misconfigured(_) => (Level::Bad, "stopped"),
        };
        let wait_nanos = wait.map(|wait| i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
        let before = self.board.status(&self.name).unwrap_or_default();
        let since = if before.words == cause.to_string() {
            before.since
        } else {
            None
        };
        self.board.post(
            &self.name,
            Status {
                level,
                state: state.into(),
                words: cause.to_string(),
                since: since.or_else(|| Some(now())),
                retry_at: wait_nanos
                    .map(|wait| Timestamp::from_nanos(now().nanos().saturating_add(wait))),
                attempts: self.failures.into(),
            },
        );
        wait
    }

    /// While an attempt is under way. The last failure's words stay until the attempt has something better to say, which it then has
    /// until its end: it came further than the one before.
    fn post_running(&self, report: &HealthReport, since: Option<Timestamp>, explained: bool) {
        let before = self.board.status(&self.name).unwrap_or_default();
        let failed_before = self.failures > 0 && !report.connected;
        let status = Status {
            level: match (report.connected, failed_before) {
                (true, _) => Level::Good,
                (false, true) if explained => Level::Warning,
                (false, true) => before.level,
                (false, false) => Level::Idle,
            },
            state: if report.connected {
                "running"
            } else {
                "connecting"
            }
            .into(),
            words: if failed_before && !explained {
                before.words
            } else {
                report.words.clone()
            },
            since: since
                .or(if failed_before && before.level != Level::Good {
                    before.since
                } else {
                    None
                })
                .or_else(|| Some(now())),
            retry_at: None,
            attempts: self.failures.into(),
        };
        self.board.post(&self.name, status);
    }
}

async fn next_report(reports: &mut watch::Receiver<HealthReport>) {
    if reports.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}

// === impl Cause ===

impl From<SourceError> for Cause {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Lost(words) => Self::Lost(words),
            SourceError::Refused(words) => Self::Refused(words),
            SourceError::Misconfigured(words) => Self::Misconfigured(words),
        }
    }
}

impl From<SinkError> for Cause {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Unreachable(words) => Self::Lost(words),
            // A forwarder sends again what was refused or postponed; only a sink that says so while connecting comes here.
            SinkError::Rejected(words) | SinkError::TooLarge(words) | SinkError::Denied(words) => {
                Self::Refused(words)
            }
            SinkError::Throttled(throttle) => Self::Refused(throttle.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    async fn until(board: &Board, name: &UnitName, wanted: impl Fn(&Status) -> bool) -> Status {
        let waiting = async {
            loop {
                match board.status(name) {
                    Some(status) if wanted(&status) => return status,
                    // A paused clock moves only while every task waits for it.
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(3600), waiting)
            .await
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_cause_and_the_next_attempt_comes() {
        let board = Board::default();
        let name = UnitName::Source("press".into());
        let attempts = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&attempts);
        let attempt: Attempt = Box::new(move |health, shutdown| {
            let first = counter.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                assert!(!first, "the first attempt breaks");
                health.connected("all well");
                shutdown.cancelled().await;
                Ok(())
            })
        });
        let unit = Unit::start(name.clone(), &board, Pace::DEVICE, attempt);
        let failed = until(&board, &name, |status| status.state == "waiting to retry").await;
        assert!(
            failed.words.contains("the first attempt breaks"),
            "{}",
            failed.words
        );
        let well = until(&board, &name, |status| status.level == Level::Good).await;
        assert_eq!(well.words, "all well");
        unit.stop().await;
        assert_eq!(board.status(&name), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_attempt_waits_for_is_told_in_place_of_the_failure_before() {
        let board = Board::default();
        let name = UnitName::Source("hall".into());
        let attempts = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&attempts);
        let attempt: Attempt = Box::new(move |health, shutdown| {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                health.connecting("opening");
                match number {
                    0 => return Err(Cause::Lost("it was restarted".into())),
                    1 => health.waiting("there is no adapter"),
                    _ => unreachable!("the second attempt does not end"),
                }
                tokio::time::sleep(Duration::from_secs(60)).await;
                health.connected("listens");
                tokio::time::sleep(Duration::from_secs(60)).await;
                health.connecting("pauses");
                shutdown.cancelled().await;
                Ok(())
            })
        });
        let unit = Unit::start(name.clone(), &board, Pace::DEVICE, attempt);
        let said = |words: &'static str| {
            let (board, name) = (&board, &name);
            async move { until(board, name, |status| status.words == words).await }
        };
        assert_eq!(said("it was restarted").await.state, "waiting to retry");
        let waits = said("there is no adapter").await;
        assert_eq!((waits.level, &*waits.state), (Level::Warning, "connecting"));
        assert_eq!(said("listens").await.level, Level::Good);
        let lost = said("pauses").await;
        assert_eq!((lost.level, &*lost.state), (Level::Warning, "connecting"));
        unit.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_misconfigured_waits_until_it_is_told() {
        let board = Board::default();
        let name = UnitName::Source("press".into());
        let attempts = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&attempts);
        let attempt: Attempt = Box::new(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Err(Cause::Misconfigured("no such thing".into())) })
        });
        let unit = Unit::start(name.clone(), &board, Pace::DEVICE, attempt);
        let stopped = until(&board, &name, |status| status.state == "stopped").await;
        assert_eq!(stopped.retry_at, None);
        assert!(board.retry_now(&name));
        let waiting = async {
            while attempts.load(Ordering::Relaxed) < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(3600), waiting)
            .await
            .unwrap();
        unit.stop().await;
    }
}
