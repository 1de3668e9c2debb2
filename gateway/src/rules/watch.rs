//! `Watch`: one rule's look at the readings of one source, which come in their order: what is so, and what has come true.
//!
//! What is remembered is one small state for each point. A reading that cannot be judged (no number, no such field, bad quality)
//! changes nothing of it, so that a gap makes nothing come true.

use std::{collections::HashMap, sync::Arc, time::Instant};

use fieldgate_model::{Class, PointId, Quality, Reading, Timestamp, Value};
use serde_json::Value as Json;

use super::{Condition, Missed, Rule};
use crate::telemetry;

/// One rule as a pipeline holds it.
#[derive(Debug)]
pub struct Watch {
    rule: Arc<Rule>,
    /// Since when it looks. An event that happened before is no news.
    since: Timestamp,
    points: HashMap<PointId, Known>,
}

/// What is known of a point.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Known {
    /// There was a reading before.
    seen: bool,
    /// Each of them with its own way back.
    above: bool,
    below: bool,
    /// All of the condition was so.
    holds: bool,
    /// Only where changes are looked for.
    value: Option<Value>,
}

/// What a reading comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Quiet,
    Fire,
    Unfit(Missed),
}

// === impl Watch ===

impl Watch {
    #[must_use]
    pub fn new(rule: &Arc<Rule>) -> Self {
        Self {
            rule: Arc::clone(rule),
            since: telemetry::now(),
            points: HashMap::new(),
        }
    }

    /// True when what is remembered is what this rule would remember.
    #[must_use]
    pub fn holds_for(&self, rule: &Rule) -> bool {
        self.rule.watches_as(rule)
    }

    /// Goes on for this rule, with what is remembered.
    #[must_use]
    pub fn adopt(self, rule: &Arc<Rule>) -> Self {
        Self {
            rule: Arc::clone(rule),
            ..self
        }
    }

    /// True when it is about the point with this id.
    #[must_use]
    pub fn takes(&self, id: &str) -> bool {
        self.rule.takes(id)
    }

    /// Looks at one reading, and fires.
    pub fn observe(&mut self, reading: &Reading) {
        match self.look(reading) {
            Look::Quiet => {}
            Look::Fire => self.rule.fire(reading, Instant::now()),
            Look::Unfit(why) => self.rule.score.missed(why),
        }
    }

    fn look(&mut self, reading: &Reading) -> Look {
        let condition = &self.rule.condition;
        if reading.backfilled {
            return Look::Quiet;
        }
        if condition.is_nothing() {
            return Look::Fire;
        }
        if !self.points.contains_key(&reading.point) {
            self.points.insert(reading.point.clone(), Known::default());
        }
        let known = self.points.get_mut(&reading.point);
        known.map_or(Look::Quiet, |known| {
            look(condition, self.since, known, reading)
        })
    }
}

/// What a reading comes to, and what is known of its point afterwards. It was not backfilled.
pub(super) fn look(
    condition: &Condition,
    since: Timestamp,
    known: &mut Known,
    reading: &Reading,
) -> Look {
    let now = match facts(condition, known, reading) {
        Ok(Some(now)) => now,
        Ok(None) => return Look::Quiet,
        Err(why) => return Look::Unfit(why),
    };
    let before = std::mem::replace(known, now);
    let holds = known.holds;
    let is_new = reading.class == Class::Event && reading.at >= since;
    let came_true = match (condition.is_state(), before.seen) {
        _ if !holds => false,
        (true, true) => !before.holds,
        (true, false) => condition.at_start || (condition.active.is_some() && is_new),
        (false, true) => true,
        (false, false) => condition.at_start || reading.class != Class::Event || is_new,
    };
    let changed = match (&before.value, &known.value) {
        _ if !condition.changes => true,
        (Some(old), Some(new)) => !is_same(old, new),
        _ => condition.at_start,
    };
    match came_true && changed {
        true => Look::Fire,
        false => Look::Quiet,
    }
}

/// What is so with this reading; `None` when it is not about the present.
fn facts(
    condition: &Condition,
    before: &Known,
    reading: &Reading,
) -> Result<Option<Known>, Missed> {
    let value = &reading.value;
    if matches!(reading.quality, Quality::Bad(_)) {
        return Err(Missed::BadQuality);
    }
    // An earlier state of an alarm, which somebody has yet to look at (OPC UA Part 9, 5.5.2), says nothing of the present one.
    if matches!(field(value, "BranchId"), Some(Value::Text(branch)) if !branch.is_empty()) {
        return Ok(None);
    }
    let mut now = Known {
        seen: true,
        holds: true,
        value: condition.changes.then(|| value.clone()),
        ..Known::default()
    };
    if let Some(from) = condition.severity_from {
        let severity = field(value, "Severity").and_then(Value::as_f64);
        now.holds &= severity.ok_or(Missed::NoField)? >= f64::from(from);
    }
    if let Some(wanted) = condition.active {
        now.holds &= active(value).ok_or(Missed::NoField)? == wanted;
    }
    if condition.is_of_numbers() {
        let number = value.as_f64().filter(|number| !number.is_nan());
        let number = number.ok_or(Missed::NotANumber)?;
        let width = condition.hysteresis.unwrap_or(0.0);
        if let Some(limit) = condition.above {
            let back = if before.above { width } else { 0.0 };
            now.above = number > limit - back;
            now.holds &= now.above;
        }
        if let Some(limit) = condition.below {
            let back = if before.below { width } else { 0.0 };
            now.below = number < limit + back;
            now.holds &= now.below;
        }
    }
    if let Some(wanted) = &condition.equals {
        now.holds &= equals(value, wanted);
    }
    Ok(Some(now))
}

/// A field of a structure, such as an event is.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Struct(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(key, value)| (key == name).then_some(value))
        }
        _ => None,
    }
}

fn active(value: &Value) -> Option<bool> {
    let said = field(value, "ActiveState").or_else(|| field(value, "Active"));
    match said.unwrap_or(value) {
        Value::Bool(active) => Some(*active),
        _ => None,
    }
}

/// As people write it: `1` is `1.0`.
fn equals(value: &Value, wanted: &Json) -> bool {
    match (value, wanted) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(value), Json::Bool(wanted)) => value == wanted,
        (Value::Int(value), Json::Number(wanted)) if wanted.is_i64() => {
            Some(*value) == wanted.as_i64()
        }
        (Value::UInt(value), Json::Number(wanted)) if wanted.is_u64() => {
            Some(*value) == wanted.as_u64()
        }
        (value, Json::Number(wanted)) => value
            .as_f64()
            .is_some_and(|value| Some(value) == wanted.as_f64()),
        (Value::Text(value), Json::String(wanted)) => value == wanted,
        (Value::List(values), Json::Array(wanted)) => {
            let mut pairs = values.iter().zip(wanted);
            values.len() == wanted.len() && pairs.all(|(value, wanted)| equals(value, wanted))
        }
        (Value::Struct(fields), Json::Object(wanted)) => {
            let mut fields_hold = fields
                .iter()
                .map(|(key, value)| wanted.get(key).is_some_and(|wanted| equals(value, wanted)));
            fields.len() == wanted.len() && fields_hold.all(|holds| holds)
        }
        _ => false,
    }
}

/// Not a number is as it was.
fn is_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Float(old), Value::Float(new)) if old.is_nan() && new.is_nan() => true,
        (old, new) => old == new,
    }
}
