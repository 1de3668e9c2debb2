//! The unit `rules`: takes what fired from the pipelines, one bounded channel for all, and gives the commands.

use std::sync::{Arc, Mutex};

use fieldgate_kit::Health;
use fieldgate_model::{Answer, Outcome, Reading};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc::{self, Permit};
use tokio_util::sync::CancellationToken;

use super::{Missed, Rule, Turn};
use crate::{
    commands::{Asker, Commands, Way},
    gateway::Gateway,
    supervisor::Cause,
};

/// Firings that wait. A rule has one at most; when so many wait, a further one is dropped and counted, and no pipeline waits.
const WAITING: usize = 64;
/// Commands of rules that are under way at once; a source may take seconds for its answer, and holds only so many others up.
const UNDER_WAY: usize = 16;

/// A rule that fired, with the reading that made it.
#[derive(Debug)]
pub struct Firing {
    pub rule: Arc<Rule>,
    pub reading: Reading,
    pub turn: Turn,
}

/// Where pipelines hand over what fired. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Outlet(mpsc::Sender<Firing>);

/// Where the unit takes it; one attempt at a time has it. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Inlet(Arc<Mutex<Option<mpsc::Receiver<Firing>>>>);

/// Puts the receiver back when the attempt that has it ends, however it ends.
struct Held {
    inlet: Inlet,
    firings: Option<mpsc::Receiver<Firing>>,
}

/// The two ends.
#[must_use]
pub fn channel() -> (Outlet, Inlet) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Outlet(sender), Inlet(Arc::new(Mutex::new(Some(receiver)))))
}

/// Gives commands until shutdown. What is under way then is carried to its end by the commands themselves.
///
/// # Errors
/// When another attempt has not ended yet.
pub async fn run(
    gateway: Arc<Gateway>,
    inlet: Inlet,
    health: Health,
    shutdown: CancellationToken,
) -> Result<(), Cause> {
    let Some(mut firings) = Held::take(&inlet) else {
        return Err(Cause::Lost(
            "the attempt before this one has not ended yet".into(),
        ));
    };
    let mut under_way = FuturesUnordered::new();
    health.connected("giving the commands that rules ask for");
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            Some(()) = under_way.next() => {}
            Some(firing) = firings.next(), if under_way.len() < UNDER_WAY => {
                under_way.push(carry_out(&gateway, firing));
            }
        }
    }
}

/// One command, from what the reading says to what became of it.
async fn carry_out(gateway: &Arc<Gateway>, firing: Firing) {
    let Firing {
        rule,
        reading,
        turn,
    } = firing;
    let answer = match rule.draft(&reading) {
        Ok(draft) => {
            let asker = Asker {
                who: format!("rule {}", rule.id),
                way: Way::Rule,
                reply: None,
            };
            Commands::ask(gateway, draft, asker).await
        }
        Err(words) => Answer::refused(words),
    };
    let is_news = turn.ended(&answer);
    if is_news && answer.outcome != Outcome::Done {
        tracing::warn!(rule = %rule.id, outcome = %answer.outcome, words = answer.words, "the command of a rule was not carried out");
    }
}

// === impl Outlet ===

impl Outlet {
    /// Room for one firing.
    ///
    /// # Errors
    /// When there is none; nobody waits for it.
    pub fn room(&self) -> Result<Permit<'_, Firing>, Missed> {
        self.0.try_reserve().map_err(|_| Missed::Full)
    }
}

// === impl Held ===

impl Held {
    fn take(inlet: &Inlet) -> Option<Self> {
        let firings = inlet.slot().take();
        firings.is_some().then(|| Self {
            inlet: inlet.clone(),
            firings,
        })
    }

    async fn next(&mut self) -> Option<Firing> {
        self.firings.as_mut()?.recv().await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.inlet.slot() = self.firings.take();
    }
}

// === impl Inlet ===

impl Inlet {
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Receiver<Firing>>> {
        self.0.lock().expect("nothing panics while holding it")
    }
}
