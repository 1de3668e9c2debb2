//! Whether a command may go to its source now, and what the source made of it.

use std::time::Duration;

use fieldgate_kit::{Desk, NotTaken, command::WhyNot};
use fieldgate_model::{Action, Alarm, Answer, Command, Outcome, Timestamp};

use crate::{gateway::Gateway, supervisor::UnitName};

/// How long a source may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Commands that are under way at once, of all sources.
const MAX_UNDER_WAY: usize = 64;

/// Why a command does not go to its source.
pub(super) struct No {
    pub outcome: Outcome,
    pub words: String,
    pub why: WhyNot,
}

/// The desk of a source that carries this out; or why it does not.
pub(super) fn judge(
    gateway: &Gateway,
    command: &Command,
    now: Timestamp,
    under_way: usize,
) -> Result<Desk, No> {
    if now > command.expires {
        let words = format!(
            "it was issued at {}, and its time to live is over; it was not carried out",
            command.issued
        );
        let outcome = Outcome::Expired;
        return Err(No {
            outcome,
            words,
            why: WhyNot::Expired,
        });
    }
    if under_way >= MAX_UNDER_WAY {
        let words = "too many commands are under way; wait for their answers";
        return Err(No::refused(words.to_owned(), WhyNot::TooMany));
    }
    desk_of(gateway, command)
}

/// Hands it over and waits for what becomes of it.
pub(super) async fn carry_out(desk: &Desk, command: &Command) -> (Answer, Option<WhyNot>) {
    let answer = match desk.order(command.clone()) {
        Ok(answer) => answer,
        Err(NotTaken::Closed) => {
            let words = "the source went away before it took the command";
            return (Answer::refused(words), Some(WhyNot::Away));
        }
        Err(NotTaken::Full) => {
            let words = "the source has too many commands to do; wait for their answers";
            return (Answer::refused(words), Some(WhyNot::TooMany));
        }
    };
    let unknown = match command.action {
        Action::Read => "",
        _ => "; whether it took effect is not known, so look before you repeat it",
    };
    let answer = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::failed(format!("the source went away under way{unknown}")),
        Err(_) => Answer::failed(format!(
            "the source gave no answer within {} s{unknown}",
            PATIENCE.as_secs()
        )),
    };
    let why = match answer.outcome {
        Outcome::Refused => Some(WhyNot::BySource),
        Outcome::Expired => Some(WhyNot::Expired),
        Outcome::Done | Outcome::Failed => None,
    };
    (answer, why)
}

// === impl No ===

impl No {
    fn refused(words: String, why: WhyNot) -> Self {
        Self {
            outcome: Outcome::Refused,
            words,
            why,
        }
    }

    /// What is carried out has to be known for as long as it could be repeated.
    pub fn no_room() -> Self {
        let words = "so many commands were carried out within the last hour that one more could not be kept in mind, \
                     and would be carried out twice when it is repeated; send fewer";
        Self::refused(words.to_owned(), WhyNot::TooMany)
    }

    pub fn answer(&self) -> Answer {
        Answer::new(self.outcome, self.words.clone())
    }
}

/// The desk of a source that is there and allows this; or why it is refused.
fn desk_of(gateway: &Gateway, command: &Command) -> Result<Desk, No> {
    let source = command.target.source();
    let (config, desk, alarms) = gateway.running(|running| {
        let config = running.config.as_ref();
        let mut sources = config.iter().flat_map(|config| &config.sources);
        let config = sources.find(|known| *known.id == *source).cloned();
        let state = running.sources.get(source);
        let desk = state.and_then(|state| state.desk.borrow().clone());
        let alarms = state.map(|state| state.alarms.of(&command.target));
        (config, desk, alarms.unwrap_or_default())
    });
    let no = |words: String| No::refused(words, WhyNot::NotAllowed);
    let config = config.ok_or_else(|| no(format!("there is no source `{source}`")))?;
    let kind = gateway.registry.source(&config.kind);
    if kind.is_none_or(|kind| !kind.commands) {
        return Err(no(format!(
            "sources of kind `{}` take no commands",
            config.kind
        )));
    }
    let away = || {
        let name = UnitName::Source(config.id.clone());
        let status = gateway.board.status(&name).unwrap_or_default();
        let words = match config.paused {
            true => "it is paused".to_owned(),
            false => format!("{}: {}", status.state, status.words),
        };
        No::refused(
            format!("the source `{source}` is away, {words}"),
            WhyNot::Away,
        )
    };
    let desk = desk.ok_or_else(away)?;
    if let Err(words) = allowed(command, &desk, &alarms) {
        return Err(match &desk.unknown {
            Some(why) if desk.is_open() && !command.action.kind().is_of_alarms() => No::refused(
                format!("{} cannot be done now: {why}", command.target),
                WhyNot::Away,
            ),
            _ => no(words),
        });
    }
    match desk.is_open() && !config.paused {
        true => Ok(desk),
        false => Err(away()),
    }
}

/// What is done to a point or method is offered at the desk; what is done to an alarm, by the alarm.
fn allowed(command: &Command, desk: &Desk, alarms: &[Alarm]) -> Result<(), String> {
    let (kind, target) = (command.action.kind(), &command.target);
    let source = target.source();
    if kind.is_of_alarms() {
        return match alarms {
            [] => Err(format!("there is no open alarm at {target}")),
            alarms if alarms.iter().any(|alarm| alarm.allow.contains(&kind)) => Ok(()),
            _ => Err(format!(
                "{kind} is not allowed at {target}; add it to `allow` in `events` of the source `{source}`"
            )),
        };
    }
    let offered = desk.offer(target);
    match offered.is_some_and(|offer| offer.allow.contains(&kind)) {
        true => Ok(()),
        false => Err(format!(
            "{kind} is not allowed at {target}; add a rule to `commands` of the source `{source}`"
        )),
    }
}
