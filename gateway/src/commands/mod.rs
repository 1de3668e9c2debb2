//! Commands: from whoever asks to the source that may carry them out, each written down before and after.
//!
//! ```text
//! ask ─▶ repeated? ─▶ too many? ─▶ too late? ─▶ allowed? ─▶ written down ─▶ source ─▶ written down ─▶ answer
//! ```
//!
//! A command is carried out at most once. It is on the disk before it goes to its source, so that one that comes again,
//! also after a crash, is known. Nothing waits for a source that is away.

mod journal;
mod pace;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use fieldgate_kit::{Desk, NotTaken, command::Draft};
use fieldgate_model::{Action, Answer, Command, Outcome, Timestamp};
use tokio::sync::watch;

use self::{journal::Journal, pace::Pace};
use crate::{
    gateway::Gateway,
    supervisor::{UnitName, companion},
    telemetry::now,
};

pub use journal::Entry;

/// A command without a time to live has this one.
const DEFAULT_TTL: Duration = Duration::from_secs(30);
/// None has a longer one: what is older is not what somebody wants now.
const LONGEST_TTL: Duration = Duration::from_secs(3600);
/// How long a source may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// Commands that are under way at once, of all sources.
const MAX_UNDER_WAY: usize = 64;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// For people and for the record: `console`, `command line`, `destination broker, topic …`.
    pub who: String,
}

/// All commands of the gateway.
pub struct Commands {
    state: Mutex<State>,
}

struct State {
    journal: Journal,
    pace: HashMap<String, Pace>,
    under_way: HashMap<String, watch::Receiver<Option<Answer>>>,
}

/// What is done with a command that was asked for.
enum Decided {
    Answered(Answer),
    /// It is under way already.
    Wait(watch::Receiver<Option<Answer>>),
    Go(Box<Command>, Desk, watch::Sender<Option<Answer>>),
}

// === impl Commands ===

impl Commands {
    /// Reads what was commanded before.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        Ok(Self {
            state: Mutex::new(State {
                journal: Journal::open(folder)?,
                pace: HashMap::new(),
                under_way: HashMap::new(),
            }),
        })
    }

    /// The last commands, the newest first.
    #[must_use]
    pub fn last(&self) -> Vec<Entry> {
        self.state().journal.last()
    }

    /// Does what is asked, or says why not. It is carried out to its end also when nobody waits for the answer.
    pub async fn ask(gateway: &Arc<Gateway>, draft: Draft, asker: Asker) -> Answer {
        let (sender, receiver) = watch::channel(None);
        let gateway = Arc::clone(gateway);
        drop(companion(async move {
            let answer = Self::answer(&gateway, draft, &asker).await;
            sender.send_replace(Some(answer));
        }));
        told(receiver).await
    }

    async fn answer(gateway: &Arc<Gateway>, draft: Draft, asker: &Asker) -> Answer {
        let deciding = Arc::clone(gateway);
        let asked = (draft, asker.clone());
        // Writing it down blocks.
        let decided = tokio::task::spawn_blocking(move || {
            let (draft, asker) = asked;
            deciding.commands.decide(&deciding, draft, &asker)
        });
        let (command, desk, sender) = match decided.await {
            Ok(Decided::Answered(answer)) => return answer,
            Ok(Decided::Wait(receiver)) => return told(receiver).await,
            Ok(Decided::Go(command, desk, sender)) => (command, desk, sender),
            Err(_) => return Answer::failed("the gateway is stopping"),
        };
        let answer = carry_out(&desk, &command).await;
        let ending = Arc::clone(gateway);
        let (id, ended) = (command.id.clone(), answer.clone());
        let written = tokio::task::spawn_blocking(move || ending.commands.end(&id, &ended));
        if let Ok(Err(error)) | Err(error) = written.await.map_err(io::Error::other) {
            tracing::error!(%error, id = command.id, "what became of a command could not be written down");
        }
        sender.send_replace(Some(answer.clone()));
        answer
    }

    /// Everything that can be said before the source is asked. What goes to the source is on the disk afterwards.
    fn decide(&self, gateway: &Gateway, draft: Draft, asker: &Asker) -> Decided {
        let now = now();
        let id = draft
            .id
            .clone()
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            return Decided::Answered(Answer::refused(format!(
                "a command's id has 1 to {MAX_ID_BYTES} bytes and no control characters"
            )));
        }
        let mut state = self.state();
        if let Some(receiver) = state.under_way.get(&id) {
            return Decided::Wait(receiver.clone());
        }
        if let Some(entry) = state.journal.find(&id) {
            return Decided::Answered(entry.again(&draft));
        }
        let source = draft.target.source().to_owned();
        let pace = state.pace.entry(source.clone()).or_default();
        if !pace.takes(Instant::now()) {
            return Decided::Answered(Answer::refused(format!(
                "too many commands for {source}; send fewer than {} a second",
                pace::PER_SECOND
            )));
        }
        let issued = draft.issued.map_or(now, |issued| issued.min(now));
        let ttl = draft.ttl.unwrap_or(DEFAULT_TTL).min(LONGEST_TTL);
        let ttl = i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX);
        let command = Command {
            id,
            target: draft.target,
            action: draft.action,
            issued,
            expires: Timestamp::from_nanos(issued.nanos().saturating_add(ttl)),
        };
        let judged = match () {
            () if now > command.expires => Err(Answer::expired(format!(
                "it was issued at {issued}, and its time to live is over; it was not carried out"
            ))),
            () if state.under_way.len() >= MAX_UNDER_WAY => Err(Answer::refused(
                "too many commands are under way; wait for their answers",
            )),
            () => desk_of(gateway, &command).map_err(Answer::refused),
        };
        let refused = judged.as_ref().err();
        if let Err(error) = state.journal.begin(&command, &asker.who, now, refused) {
            tracing::error!(%error, "a command could not be written down");
            return Decided::Answered(Answer::refused(format!(
                "the command cannot be written down ({error}), and nothing is done without a record; make room on the disk"
            )));
        }
        match judged {
            Err(answer) => Decided::Answered(answer),
            Ok(desk) => {
                let (sender, receiver) = watch::channel(None);
                state.under_way.insert(command.id.clone(), receiver);
                Decided::Go(Box::new(command), desk, sender)
            }
        }
    }

    fn end(&self, id: &str, answer: &Answer) -> io::Result<()> {
        let mut state = self.state();
        state.under_way.remove(id);
        state.journal.end(id, answer, now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

/// The desk of a source that is there and allows this; or why it is refused.
fn desk_of(gateway: &Gateway, command: &Command) -> Result<Desk, String> {
    let source = command.target.source();
    let (config, desk) = gateway.running(|running| {
        let config = running.config.as_ref();
        let mut sources = config.iter().flat_map(|config| &config.sources);
        let config = sources.find(|known| *known.id == *source).cloned();
        let desk = running.sources.get(source);
        (config, desk.and_then(|state| state.desk.borrow().clone()))
    });
    let config = config.ok_or_else(|| format!("there is no source `{source}`"))?;
    let kind = gateway.registry.source(&config.kind);
    if kind.is_none_or(|kind| !kind.commands) {
        return Err(format!(
            "sources of kind `{}` take no commands",
            config.kind
        ));
    }
    let away = || {
        let name = UnitName::Source(config.id.clone());
        let status = gateway.board.status(&name).unwrap_or_default();
        let words = match config.paused {
            true => "it is paused".to_owned(),
            false => format!("{}: {}", status.state, status.words),
        };
        format!("the source `{source}` is away, {words}")
    };
    let desk = desk.ok_or_else(away)?;
    let kind = command.action.kind();
    let offered = desk.offer(&command.target);
    if offered.is_none_or(|offer| !offer.allow.contains(&kind)) {
        return Err(format!(
            "{kind} is not allowed at {}; add a rule to `commands` of the source `{source}`",
            command.target
        ));
    }
    match desk.is_open() && !config.paused {
        true => Ok(desk),
        false => Err(away()),
    }
}

async fn carry_out(desk: &Desk, command: &Command) -> Answer {
    let answer = match desk.order(command.clone()) {
        Ok(answer) => answer,
        Err(NotTaken::Closed) => {
            return Answer::refused("the source went away before it took the command");
        }
        Err(NotTaken::Full) => {
            return Answer::refused(
                "the source has too many commands to do; wait for their answers",
            );
        }
    };
    let unknown = match command.action {
        Action::Read => "",
        _ => "; whether it took effect is not known, so look before you repeat it",
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::failed(format!("the source went away under way{unknown}")),
        Err(_) => Answer::failed(format!(
            "the source gave no answer within {} s{unknown}",
            PATIENCE.as_secs()
        )),
    }
}

async fn told(mut receiver: watch::Receiver<Option<Answer>>) -> Answer {
    let answer = receiver.wait_for(Option::is_some).await;
    let answer = answer.ok().and_then(|answer| answer.clone());
    answer.unwrap_or_else(|| Answer::new(Outcome::Failed, "the gateway is stopping"))
}
