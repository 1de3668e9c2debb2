//! Commands: from whoever asks to the source that may carry them out, each written down before and after.
//!
//! ```text
//! ask ─▶ repeated? ─▶ too many? ─▶ too late? ─▶ allowed? ─▶ written down ─▶ source ─▶ written down ─▶ answer
//! ```
//!
//! A command is carried out at most once. It is on the disk before it goes to its source, so that one that comes again,
//! also after a crash, is known. Nothing waits for a source that is away. Where the answer goes is written down with the
//! command, so that whoever asked through a destination is told also after a broken link or a restart.

mod door;
mod journal;
mod judge;
mod pace;
mod tally;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use fieldgate_kit::{
    Desk,
    command::{Draft, Lost, Owed, Taken, WhyNot},
};
use fieldgate_model::{Action, Answer, Command, Outcome, Timestamp};
use futures::FutureExt;
use tokio::sync::{oneshot, watch};

use self::{
    journal::Journal,
    judge::{No, carry_out, judge},
    pace::Pace,
};
use crate::{gateway::Gateway, supervisor::companion, telemetry::now};

pub use door::intake;
pub use journal::{Entry, Reply};
pub use tally::{Counts, Tally, Way};

/// A command without a time to live has this one.
const DEFAULT_TTL: Duration = Duration::from_secs(30);
/// None has a longer one: what is older is not what somebody wants now.
const LONGEST_TTL: Duration = Duration::from_secs(3600);
/// How long after a command its answer is still delivered: then nobody waits for it.
const OWED_FOR: Duration = LONGEST_TTL;
/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// An answer that so many links did not get to the far side is given up.
const MAX_OFFERS: u32 = 8;

/// Who asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Asker {
    /// For people and for the record: `console`, `command line`, `destination broker, topic …`, `rule alarm-saves-a-clip`.
    pub who: String,
    pub way: Way,
    /// Where the answer goes, when it is not waited for.
    pub reply: Option<Reply>,
}

/// What is asked, and how long ago.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub draft: Draft,
    /// Since it came to the gateway.
    pub waited: Duration,
    /// How long after it came it may be begun, whatever it says itself.
    pub lasts: Option<Duration>,
}

/// All commands of the gateway.
pub struct Commands {
    state: Mutex<State>,
    pub tally: Tally,
}

struct State {
    journal: Journal,
    /// By source; what is for no source at all has one together.
    pace: HashMap<String, Pace>,
    under_way: HashMap<String, watch::Receiver<Option<Answer>>>,
    /// How often an answer that is owed was handed to its destination.
    offered: HashMap<String, u32>,
}

/// What is done with a command that was asked for.
struct Decided {
    id: String,
    /// It is on the disk, with where its answer goes.
    written: bool,
    next: Next,
}

enum Next {
    Answered(Answer, Option<WhyNot>),
    /// The answer that was given before.
    Repeated(Answer),
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
                journal: Journal::open(folder, now())?,
                pace: HashMap::new(),
                under_way: HashMap::new(),
                offered: HashMap::new(),
            }),
            tally: Tally::default(),
        })
    }

    /// The last commands, the newest first.
    #[must_use]
    pub fn last(&self) -> Vec<Entry> {
        self.state().journal.last()
    }

    /// Does what is asked, or says why not. It is carried out to its end also when nobody waits for the answer.
    pub async fn ask(gateway: &Arc<Gateway>, draft: Draft, asker: Asker) -> Answer {
        let taken = Self::hand_in(gateway, Asked::now(draft), asker).await;
        taken.answer.await
    }

    /// As [`Self::ask`], for whoever wants to know first that it is written down.
    pub async fn hand_in(gateway: &Arc<Gateway>, asked: Asked, asker: Asker) -> Taken {
        let (answered, answer) = watch::channel(None);
        let (taken, kept) = oneshot::channel();
        let gateway = Arc::clone(gateway);
        drop(companion(async move {
            let answer = Self::carry_through(&gateway, asked, asker, taken).await;
            answered.send_replace(Some(answer));
        }));
        match kept.await {
            Ok((id, written)) => Taken {
                id,
                written,
                answer: told(answer).boxed(),
            },
            Err(_) => Taken::answered(None, stopping()),
        }
    }

    async fn carry_through(
        gateway: &Arc<Gateway>,
        asked: Asked,
        asker: Asker,
        taken: oneshot::Sender<(Option<String>, bool)>,
    ) -> Answer {
        let (way, tally) = (asker.way.clone(), &gateway.commands.tally);
        tally.received(&way);
        let deciding = Arc::clone(gateway);
        let handed_in = Instant::now();
        // Writing it down blocks.
        let decided = tokio::task::spawn_blocking(move || {
            deciding
                .commands
                .decide(&deciding, asked, &asker, handed_in)
        });
        let Ok(Decided { id, written, next }) = decided.await else {
            tally.ended(&way, Outcome::Failed, None);
            return stopping();
        };
        // Whoever asked may have gone.
        let _ = taken.send((Some(id), written));
        let (command, desk, sender) = match next {
            Next::Answered(answer, why) => {
                tally.ended(&way, answer.outcome, why);
                return answer;
            }
            Next::Repeated(answer) => {
                tally.repeated(&way);
                return answer;
            }
            Next::Wait(receiver) => {
                tally.repeated(&way);
                return told(receiver).await;
            }
            Next::Go(command, desk, sender) => (command, desk, sender),
        };
        let (answer, why) = carry_out(&desk, &command).await;
        tally.ended(&way, answer.outcome, why);
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
    fn decide(
        &self,
        gateway: &Gateway,
        asked: Asked,
        asker: &Asker,
        handed_in: Instant,
    ) -> Decided {
        let draft = asked.draft;
        let id = draft
            .id
            .clone()
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let unwritten = |next: Next| Decided {
            id: id.clone(),
            written: false,
            next,
        };
        let refused = |why: WhyNot, words: String| {
            unwritten(Next::Answered(Answer::refused(words), Some(why)))
        };
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            return refused(
                WhyNot::NoId,
                format!("a command's id has 1 to {MAX_ID_BYTES} bytes and no control characters"),
            );
        }
        let mut state = self.state();
        // Waiting for a thread or for the disk is time that the command lives.
        let (now, waited) = (now(), asked.waited + handed_in.elapsed());
        if let Some(entry) = state.journal.find(&id) {
            if !entry.is_same(&draft) {
                return refused(
                    WhyNot::IdTaken,
                    "another command had this id before; give each command an id of its own".into(),
                );
            }
            if let Some(receiver) = state.under_way.get(&id) {
                return unwritten(Next::Wait(receiver.clone()));
            }
            return unwritten(Next::Repeated(entry.answer()));
        }
        let source = draft.target.source().to_owned();
        if !state.pace(gateway, &source).takes(Instant::now()) {
            return refused(
                WhyNot::TooMany,
                format!(
                    "too many commands for {source}; send fewer than {} a second",
                    pace::PER_SECOND
                ),
            );
        }
        let came = before(now, waited);
        let issued = draft.issued.map_or(came, |issued| issued.min(now));
        let expires = after(issued, draft.ttl.unwrap_or(DEFAULT_TTL).min(LONGEST_TTL));
        let lasts = asked.lasts.map(|lasts| after(came, lasts));
        let command = Command {
            id: id.clone(),
            target: draft.target,
            action: draft.action,
            issued,
            expires: lasts.map_or(expires, |lasts| lasts.min(expires)),
        };
        let judged = judge(gateway, &command, now, state.under_way.len());
        let judged = match judged {
            Ok(_) if command.action != Action::Read && !state.journal.has_room(now) => {
                Err(No::no_room())
            }
            judged => judged,
        };
        let refused_with = judged.as_ref().err().map(No::answer);
        let begun = state
            .journal
            .begin(&command, asker, now, refused_with.as_ref());
        for destination in state.journal.forgotten() {
            tracing::warn!(
                destination,
                "the answer to a refused command was not delivered, and is forgotten since too many others were refused"
            );
            self.tally
                .lost(&Way::Destination(destination), Lost::Answer);
        }
        if let Err(error) = begun {
            tracing::error!(%error, "a command could not be written down");
            return refused(
                WhyNot::NotWritten,
                format!(
                    "the command cannot be written down ({error}), and nothing is done without a record; make room on the disk"
                ),
            );
        }
        let next = match judged {
            Err(no) => Next::Answered(no.answer(), Some(no.why)),
            Ok(desk) => {
                let (sender, receiver) = watch::channel(None);
                state.under_way.insert(id.clone(), receiver);
                Next::Go(Box::new(command), desk, sender)
            }
        };
        Decided {
            id,
            written: true,
            next,
        }
    }

    fn end(&self, id: &str, answer: &Answer) -> io::Result<()> {
        let mut state = self.state();
        state.under_way.remove(id);
        state.journal.end(id, answer, now())
    }

    /// The answers that a destination has not delivered yet, the oldest first.
    ///
    /// One that the far side never lets pass would end every link: after so many it is given up.
    fn owed(&self, destination: &str) -> (Vec<Owed>, Vec<String>) {
        let since = before(now(), OWED_FOR);
        let mut state = self.state();
        let State {
            journal, offered, ..
        } = &mut *state;
        offered.retain(|id, _| journal.find(id).is_some_and(|entry| !entry.told));
        let owed = journal.owed(destination, since);
        let ids = owed.iter().map(|(entry, _)| &entry.begun.id);
        let given_up: Vec<String> = ids
            .filter(|id| {
                let offered = offered.entry((*id).clone()).or_default();
                *offered += 1;
                *offered > MAX_OFFERS
            })
            .cloned()
            .collect();
        let owed = state.journal.owed(destination, since).into_iter();
        let owed = owed.filter(|(entry, _)| !given_up.contains(&entry.begun.id));
        let owed = owed.map(|(entry, reply)| {
            let id = entry.begun.id.clone();
            let answer = match state.under_way.get(&id) {
                Some(receiver) => told(receiver.clone()).boxed(),
                None => futures::future::ready(entry.answer()).boxed(),
            };
            let reply = reply.to.clone();
            Owed { id, reply, answer }
        });
        (owed.collect(), given_up)
    }

    fn told(&self, id: &str) {
        if let Err(error) = self.state().journal.told(id, now()) {
            tracing::warn!(%error, id, "that an answer was delivered could not be written down; it may be sent once more");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

// === impl State ===

impl State {
    /// What is asked of a source that is not there shares a pace, so that made-up names take no memory.
    fn pace(&mut self, gateway: &Gateway, source: &str) -> &mut Pace {
        let known = gateway.running(|running| running.sources.contains_key(source));
        let name = if known { source } else { "" };
        self.pace.entry(name.to_owned()).or_default()
    }
}

async fn told(mut receiver: watch::Receiver<Option<Answer>>) -> Answer {
    let answer = receiver.wait_for(Option::is_some).await;
    let answer = answer.ok().and_then(|answer| answer.clone());
    answer.unwrap_or_else(stopping)
}

fn stopping() -> Answer {
    Answer::failed("the gateway is stopping")
}

fn after(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(at.nanos().saturating_add(nanos(span)))
}

fn before(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(at.nanos().saturating_sub(nanos(span)))
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
