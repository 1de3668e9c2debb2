//! Rules across protocols: what one source tells becomes a command to another one, and no protocol knows another.
//!
//! ```text
//! reading ─▶ plan (which rules take its point?) ─▶ watch: did it come true? ─▶ score: does it rest? ─▶ bounded channel
//!                                                                          source ◀─ commands ◀─ unit `rules` ◀──┘
//! ```
//!
//! Whether a rule fires is decided in the source's own pipeline, where its readings come by in their order; only what fires goes
//! further. `watch` decides it and does nothing, `text` fills in what the command says, `score` counts and lets the rule rest, `unit`
//! gives the commands. They take the way of every command: permission, record, once only.
//!
//! A rule cannot answer to its own target (`config/rules.rs` refuses that). Rules that answer to each other are slowed by
//! their pauses, and bounded by the pace of commands to a source.

mod score;
mod settings;
mod text;
mod unit;
mod watch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fieldgate_kit::{
    command::{Draft, Parts, action_of_json},
    format::value_json,
};
use fieldgate_model::{ActionKind, Pattern, PointId, Reading, Value};
use sha2::{Digest, Sha256};

pub use score::{Ended, Missed, Score, Told, Turn};
pub use settings::{Act, Condition, RuleSettings, wrong_pause};
pub use unit::{Firing, Inlet, Outlet, channel, run};
pub use watch::Watch;

use crate::{config::RuleConfig, telemetry};

/// One rule, ready to be used.
#[derive(Debug)]
pub struct Rule {
    pub id: Arc<str>,
    patterns: Vec<Pattern>,
    condition: Condition,
    act: Act,
    target: PointId,
    pause: Duration,
    /// What it did so far; it outlives changes of its settings.
    pub score: Arc<Score>,
    outlet: Outlet,
}

// === impl Rule ===

impl Rule {
    /// `None` for settings that were not validated.
    #[must_use]
    pub fn prepare(config: &RuleConfig, score: Arc<Score>, outlet: Outlet) -> Option<Self> {
        let settings = &config.settings;
        let patterns = settings.when.iter();
        Some(Self {
            id: Arc::clone(&config.id),
            patterns: patterns
                .map(|text| text.parse().ok())
                .collect::<Option<_>>()?,
            condition: settings.condition.clone().unwrap_or_default(),
            act: settings.act.clone(),
            target: settings.act.target.parse().ok()?,
            pause: settings.pause.0,
            score,
            outlet,
        })
    }

    /// True when it watches the point with this id.
    #[must_use]
    pub fn takes(&self, id: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(id))
    }

    /// True when what its watch remembers holds for the other one, too.
    fn watches_as(&self, other: &Self) -> bool {
        self.id == other.id && self.condition == other.condition
    }

    /// Hands a command over, unless it rests, or its last one is still under way, or too many wait.
    fn fire(self: &Arc<Self>, reading: &Reading, now: Instant) {
        let turn = match self.score.begin(self.pause, now, telemetry::now()) {
            Ok(turn) => turn,
            Err(missed) => return self.score.missed(missed),
        };
        match self.outlet.room() {
            Ok(room) => {
                turn.fired(&reading.point);
                room.send(Firing {
                    rule: Arc::clone(self),
                    reading: reading.clone(),
                    turn,
                });
            }
            Err(missed) => self.score.missed(missed),
        }
    }

    /// The command for a reading. The same reading makes the same id, so that it is carried out once only.
    ///
    /// # Errors
    /// In words, when what the reading says makes no command.
    fn draft(&self, reading: &Reading) -> Result<Draft, String> {
        let filled = |template| Some(text::fill(template, reading));
        let none = Parts::default();
        let (kind, parts) = match (&self.act.call, &self.act.write) {
            (Some(call), _) => {
                let arguments = filled(call);
                (ActionKind::Call, Parts { arguments, ..none })
            }
            (None, Some(value)) => {
                let value = filled(value);
                (ActionKind::Write, Parts { value, ..none })
            }
            (None, None) => (ActionKind::Read, none),
        };
        Ok(Draft {
            id: Some(self.firing_id(reading)),
            target: self.target.clone(),
            action: action_of_json(kind.as_str(), parts)?,
            issued: None,
            ttl: None,
        })
    }

    /// Of the rule, what it does, and the reading's own identity: its event, or its value.
    fn firing_id(&self, reading: &Reading) -> String {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        };
        add(format!("{:?}", self.act).as_bytes());
        add(reading.point.as_str().as_bytes());
        add(&reading.at.nanos().to_be_bytes());
        match (watch::field(&reading.value, "EventId"), &reading.value) {
            (Some(Value::Text(event)), _) => add(event.as_bytes()),
            (_, Value::Bytes(data) | Value::Blob { data, .. }) => add(data),
            (_, value) => add(value_json(value).to_string().as_bytes()),
        }
        let mut half = [0; 16];
        half.copy_from_slice(&digest.finalize()[..16]);
        format!("rule-{}-{:032x}", self.id, u128::from_be_bytes(half))
    }
}

#[cfg(test)]
mod tests;
