//! `scale`: multiplies, then adds, and sets the unit.

use std::sync::Arc;

use fieldgate_kit::Problem;
use fieldgate_model::{DropReason, Reading, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Step;

/// `{ scale = { by = 1.8, add = 32, unit = "[degF]" } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleSettings {
    /// Multiplied with first.
    #[serde(default = "one")]
    pub by: f64,
    /// Added after.
    #[serde(default)]
    pub add: f64,
    /// The unit of the result, a UCUM code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// Scales numbers, and each number of a list; what is no number passes as it is.
pub struct Scale {
    by: f64,
    add: f64,
    unit: Option<Arc<str>>,
}

impl ScaleSettings {
    pub(super) fn check(&self) -> Vec<Problem> {
        [("by", self.by), ("add", self.add)]
            .into_iter()
            .filter(|(_, number)| !number.is_finite())
            .map(|(key, number)| {
                Problem::new(
                    ["scale", key],
                    format!("{number} cannot be computed with"),
                    "give a finite number",
                )
            })
            .collect()
    }
}

impl Scale {
    #[must_use]
    pub fn new(settings: &ScaleSettings) -> Self {
        Self {
            by: settings.by,
            add: settings.add,
            unit: settings.unit.as_deref().map(Into::into),
        }
    }

    fn scaled(&self, value: Value) -> Value {
        match value {
            Value::List(values) => {
                Value::List(values.into_iter().map(|value| self.scaled(value)).collect())
            }
            value => match value.as_f64() {
                Some(number) => Value::Float(number.mul_add(self.by, self.add)),
                None => value,
            },
        }
    }
}

impl Step for Scale {
    fn apply(&mut self, mut reading: Reading) -> Result<Reading, DropReason> {
        reading.value = self.scaled(reading.value);
        if self.unit.is_some() {
            reading.unit.clone_from(&self.unit);
        }
        Ok(reading)
    }
}

fn one() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Timestamp;

    use super::*;

    #[test]
    fn numbers_scale_and_the_rest_passes() {
        let settings = ScaleSettings {
            by: 1.8,
            add: 32.0,
            unit: Some("[degF]".into()),
        };
        let mut step = Scale::new(&settings);
        for (value, expected) in [
            (Value::Float(100.0), Value::Float(212.0)),
            (Value::Int(-40), Value::Float(-40.0)),
            (
                Value::List(vec![Value::UInt(0), Value::Null]),
                Value::List(vec![Value::Float(32.0), Value::Null]),
            ),
            (Value::Text("off".into()), Value::Text("off".into())),
        ] {
            let mut reading = Reading::new("s/d/p".parse().unwrap(), 0.0, Timestamp::default());
            reading.value = value;
            let scaled = step.apply(reading).unwrap();
            assert_eq!(scaled.value, expected);
            assert_eq!(scaled.unit.as_deref(), Some("[degF]"));
        }
    }
}
