//! The settings of a rule, and what the types cannot tell of them. Pure.

use std::time::Duration;

use fieldgate_kit::{
    Problem,
    command::{Parts, action_of_json},
    settings::Span,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::text;

/// Without another one.
const DEFAULT_PAUSE: Duration = Duration::from_secs(10);
/// A source is given ten commands a second at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A rule's own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// Which points it watches: globs over `source/device/point`, where `*` is any text within one segment and `**` any number of
    /// segments. `press/**` is everything of the source `press`.
    pub when: Vec<String>,
    /// What has to be so; all that is said here together. Left out: each reading that comes.
    #[serde(default, rename = "if")]
    pub condition: Option<Condition>,
    /// What it does then.
    #[serde(rename = "do")]
    pub act: Act,
    /// How long it rests after it fired, such as `30 s`, for all its points together. What comes true meanwhile is counted, and not
    /// made up for.
    #[serde(default = "default_pause")]
    pub pause: Span,
}

/// What has to be so. A state (`active`, `above`, `below`, `equals`) fires when it comes true, not while it stays so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The event is at least so severe, from 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity_from: Option<u16>,
    /// The alarm becomes active; with `false`: it is over. Of an event its field `ActiveState` or `Active`, of other readings a value
    /// that is true or false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The number rises above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// The number falls below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// How far the number has to come back from `above` or `below` before these can come true again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hysteresis: Option<f64>,
    /// The value becomes this one, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Json>,
    /// The value is another one than before.
    #[serde(default)]
    pub changes: bool,
    /// Also the first reading after the start of the gateway or of its source fires, when it is so. Otherwise nothing is known
    /// yet then, and only an event that happened since fires.
    #[serde(default)]
    pub at_start: bool,
}

/// A command: the target, and exactly one of `call`, `write` and `read`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// The point or the method, as `source/device/point`. Its source must allow it in its `commands`.
    pub target: String,
    /// Calls the method with these arguments, as JSON: by their names, `{"why": "{message}"}`, or in their order. Texts may hold
    /// `{point}`, `{value}`, `{message}` and `{at}` of the reading; a text that is `{value}` alone is the value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Json>,
    /// Writes this value, as JSON; texts are filled in as for `call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Json>,
    /// Reads the value from the device now.
    #[serde(default)]
    pub read: bool,
}

fn default_pause() -> Span {
    Span(DEFAULT_PAUSE)
}

/// What is wrong with a rule's pause.
#[must_use]
pub fn wrong_pause(pause: &Span) -> Vec<Problem> {
    if pause.0 >= SHORTEST_PAUSE {
        return Vec::new();
    }
    vec![Problem::new(
        Vec::<String>::new(),
        "so short a pause would let it run away",
        "give 100 ms or more, such as \"10 s\"",
    )]
}

// === impl Condition ===

impl Condition {
    /// Something has to come true; else each reading is an occurrence of its own.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.active.is_some() || self.is_of_numbers() || self.equals.is_some()
    }

    /// Nothing has to be so.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.is_state() && self.severity_from.is_none() && !self.changes
    }

    /// It is about a number.
    #[must_use]
    pub fn is_of_numbers(&self) -> bool {
        self.above.is_some() || self.below.is_some()
    }

    /// What the types cannot tell.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, what: String, remedy: &str| {
            problems.push(Problem::new([key], what, remedy));
        };
        if let Some(severity) = self.severity_from
            && !(1..=1000).contains(&severity)
        {
            let what = format!("{severity} is no severity");
            wrong("severity_from", what, "give a number from 1 to 1000");
        }
        for (key, number) in [("above", self.above), ("below", self.below)] {
            if number.is_some_and(|number| !number.is_finite()) {
                wrong(key, "this is no number".into(), "give a finite number");
            }
        }
        if let Some(width) = self.hysteresis {
            if !width.is_finite() || width < 0.0 {
                let what = format!("{width} is no width");
                wrong("hysteresis", what, "give a number that is not negative");
            }
            if !self.is_of_numbers() {
                let what = "it means nothing without `above` or `below`".to_owned();
                wrong("hysteresis", what, "add one of them, or remove it");
            }
        }
        if let (Some(above), Some(below)) = (self.above, self.below)
            && above >= below
        {
            let what = format!("no number is above {above} and below {below}");
            let remedy = "for what lies outside of a range make two rules, one with `above` and one with `below`";
            wrong("below", what, remedy);
        }
        if self.is_of_numbers() && (self.active.is_some() || self.severity_from.is_some()) {
            let key = match self.above {
                Some(_) => "above",
                None => "below",
            };
            let what = "no reading is an event and a number".to_owned();
            wrong(
                key,
                what,
                "make two rules, one for the events and one for the numbers",
            );
        }
        problems
    }
}

// === impl Act ===

impl Act {
    /// What the types cannot tell, but for the target.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let said: Vec<&str> = [
            ("call", self.call.is_some()),
            ("write", self.write.is_some()),
            ("read", self.read),
        ]
        .into_iter()
        .filter_map(|(word, said)| said.then_some(word))
        .collect();
        let key = match said[..] {
            [key] => key,
            [] => {
                return vec![Problem::new(
                    Vec::<String>::new(),
                    "it does nothing",
                    "add one of `call = { … }`, `write = …` and `read = true`",
                )];
            }
            [_, second, ..] => {
                let what = format!(
                    "a rule does one thing, and this one would {}",
                    said.join(" and ")
                );
                return vec![Problem::new(
                    [second],
                    what,
                    "leave one of them, and make another rule for the other",
                )];
            }
        };
        let parts = Parts {
            value: self.write.clone(),
            arguments: self.call.clone(),
            ..Parts::default()
        };
        let mut problems: Vec<Problem> = action_of_json(key, parts)
            .err()
            .map(|what| Problem::new([key], what, "write it as the command itself would have it"))
            .into_iter()
            .collect();
        for template in self.call.iter().chain(&self.write) {
            let unknown = text::unknown(template).into_iter();
            problems.extend(unknown.map(|(path, word)| {
                let path = [key.to_owned()].into_iter().chain(path);
                Problem::new(
                    path,
                    format!("`{{{word}}}` is not known here"),
                    "use {point}, {value}, {message} or {at}",
                )
            }));
        }
        problems
    }
}
