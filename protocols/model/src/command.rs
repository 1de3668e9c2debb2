//! `Command` and `Answer`: the only thing that runs against the stream, in the words of no protocol.
//!
//! A command goes to a target, which is named like a point: a point itself, or a method of a device. To add an action, add
//! a variant to [`Action`] and to [`ActionKind`]; what stands between the asker and the source takes both as they are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{PointId, Timestamp, Value};

/// What somebody wants done.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The asker's own name for it, unlike that of any other of its commands: one that comes a second time is not carried
    /// out a second time.
    pub id: String,
    /// A point, or a method of a device.
    pub target: PointId,
    pub action: Action,
    /// When it was asked for.
    pub issued: Timestamp,
    /// It is not begun after this moment.
    pub expires: Timestamp,
}

/// What can be done to a target.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Read the value now, from the device.
    Read,
    Write(Value),
    /// Call a method.
    Call(Arguments),
    /// Say that an alarm was seen.
    Acknowledge(Remark),
    /// Say that what was wrong was put right.
    Confirm(Remark),
    /// Add a remark to an alarm.
    Comment(Remark),
}

/// What a person says about an alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remark {
    /// The [`Alarm::event`](crate::Alarm::event) that was looked at: another state is not meant. Left out: the one there is.
    pub event: Option<String>,
    pub text: String,
}

/// What an action is, without what belongs to it. Permission is given for these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Read the value now, from the device.
    Read,
    /// Write a value.
    Write,
    /// Call a method with arguments.
    Call,
    /// Say that an alarm was seen.
    Acknowledge,
    /// Say that what was wrong was put right.
    Confirm,
    /// Add a remark to an alarm.
    Comment,
}

/// What a method is called with: by its arguments' names, or in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Arguments {
    Named(Vec<(String, Value)>),
    Ordered(Vec<Value>),
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub outcome: Outcome,
    /// For people: what was done; or what was not, why, and what to do.
    pub words: String,
    /// The far side's own name for how it went, for instance `BadTypeMismatch`.
    pub status: Option<String>,
    /// What was read, or what a method yielded, by the names of its outputs.
    pub value: Option<Value>,
    /// The value before a write, where it can be read.
    pub old: Option<Value>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Carried out.
    Done,
    /// Not carried out: not allowed, not possible, or not understood. The device was not changed.
    Refused,
    /// It was begun and did not succeed, or nobody knows whether it did.
    Failed,
    /// Not carried out, because it came too late.
    Expired,
}

/// What can be asked of a target, as its source announces it. What is not offered is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub target: PointId,
    /// As a person would call it.
    pub name: String,
    /// Where it is in its protocol's own words.
    pub address: String,
    pub allow: Vec<ActionKind>,
    /// The protocol's own name of the type that is written, for instance `Double`.
    pub data_type: Option<String>,
    /// UCUM code.
    pub unit: Option<String>,
    /// What a method takes and yields.
    pub inputs: Vec<Parameter>,
    pub outputs: Vec<Parameter>,
}

/// One argument of a method, or one of its results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parameter {
    pub name: String,
    /// The protocol's own name of its type, for instance `UInt16[]`.
    pub data_type: String,
    pub description: Option<String>,
}

// === impl Action ===

impl Action {
    #[must_use]
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::Read => ActionKind::Read,
            Self::Write(_) => ActionKind::Write,
            Self::Call(_) => ActionKind::Call,
            Self::Acknowledge(_) => ActionKind::Acknowledge,
            Self::Confirm(_) => ActionKind::Confirm,
            Self::Comment(_) => ActionKind::Comment,
        }
    }

    /// What is said, where it is about an alarm.
    #[must_use]
    pub fn remark(&self) -> Option<&Remark> {
        match self {
            Self::Acknowledge(remark) | Self::Confirm(remark) | Self::Comment(remark) => {
                Some(remark)
            }
            Self::Read | Self::Write(_) | Self::Call(_) => None,
        }
    }
}

// === impl ActionKind ===

impl ActionKind {
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Write,
        Self::Call,
        Self::Acknowledge,
        Self::Confirm,
        Self::Comment,
    ];

    /// The word in settings, messages and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Call => "call",
            Self::Acknowledge => "acknowledge",
            Self::Confirm => "confirm",
            Self::Comment => "comment",
        }
    }

    /// It is about an alarm, and allowed by the alarm itself.
    #[must_use]
    pub fn is_of_alarms(self) -> bool {
        matches!(self, Self::Acknowledge | Self::Confirm | Self::Comment)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ActionKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let all = Self::ALL.map(Self::as_str).join(", ");
                format!("`{}` is no action; there are {all}", text.escape_debug())
            })
    }
}

// === impl Arguments ===

impl Arguments {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Named(named) => named.len(),
            Self::Ordered(ordered) => ordered.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Outcome ===

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Answer ===

impl Answer {
    /// Without values.
    #[must_use]
    pub fn new(outcome: Outcome, words: impl Into<String>) -> Self {
        Self {
            outcome,
            words: words.into(),
            status: None,
            value: None,
            old: None,
        }
    }

    #[must_use]
    pub fn done(words: impl Into<String>) -> Self {
        Self::new(Outcome::Done, words)
    }

    #[must_use]
    pub fn refused(words: impl Into<String>) -> Self {
        Self::new(Outcome::Refused, words)
    }

    #[must_use]
    pub fn failed(words: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, words)
    }

    #[must_use]
    pub fn expired(words: impl Into<String>) -> Self {
        Self::new(Outcome::Expired, words)
    }

    /// With the far side's own name for how it went.
    #[must_use]
    pub fn status(self, status: impl Into<String>) -> Self {
        Self {
            status: Some(status.into()),
            ..self
        }
    }

    #[must_use]
    pub fn value(self, value: Value) -> Self {
        Self {
            value: Some(value),
            ..self
        }
    }

    /// With the value before, where it is known.
    #[must_use]
    pub fn old(self, old: Option<Value>) -> Self {
        Self { old, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_as_it_is_written() {
        for kind in ActionKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        let no = "erase".parse::<ActionKind>().unwrap_err();
        assert_eq!(
            no,
            "`erase` is no action; there are read, write, call, acknowledge, confirm, comment"
        );
    }
}
