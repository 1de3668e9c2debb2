//! `deadband`: lets a number through when it moved enough.

use std::collections::HashMap;

use fieldgate_model::{DropReason, PointId, QualityLevel, Reading};

use super::Step;

/// Remembers the last number let through of each point. What is no number always passes.
pub struct Deadband {
    width: f64,
    last: HashMap<PointId, (f64, QualityLevel)>,
}

impl Deadband {
    #[must_use]
    pub fn new(width: f64) -> Self {
        Self {
            width,
            last: HashMap::new(),
        }
    }
}

impl Step for Deadband {
    fn apply(&mut self, reading: Reading) -> Result<Reading, DropReason> {
        let Some(number) = reading.value.as_f64() else {
            self.last.remove(&reading.point);
            return Ok(reading);
        };
        let level = reading.quality.level();
        if let Some((last, last_level)) = self.last.get_mut(&reading.point) {
            let still = (number - *last).abs() <= self.width || number.to_bits() == last.to_bits();
            if still && *last_level == level {
                return Err(DropReason::Deadband);
            }
            (*last, *last_level) = (number, level);
        } else {
            self.last.insert(reading.point.clone(), (number, level));
        }
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Quality, Timestamp, Value};

    use super::*;

    #[test]
    fn only_what_moved_passes() {
        let point: PointId = "s/d/p".parse().unwrap();
        let mut step = Deadband::new(0.5);
        let bad = || Quality::Bad("BadSensorFailure".into());
        for (value, quality, passes) in [
            (Value::Float(1.0), Quality::Good, true),
            (Value::Float(1.5), Quality::Good, false),
            (Value::Float(1.6), Quality::Good, true),
            (Value::Float(1.6), bad(), true),
            (Value::Float(1.6), bad(), false),
            (Value::Null, bad(), true),
            (Value::Float(1.6), bad(), true),
            (Value::Text("on".into()), Quality::Good, true),
            (Value::Float(f64::NAN), Quality::Good, true),
            (Value::Float(f64::NAN), Quality::Good, false),
            (Value::Float(1.0), Quality::Good, true),
        ] {
            let mut reading = Reading::new(point.clone(), 0.0, Timestamp::default());
            (reading.value, reading.quality) = (value.clone(), quality);
            assert_eq!(step.apply(reading).is_ok(), passes, "{value:?}");
        }
    }
}
