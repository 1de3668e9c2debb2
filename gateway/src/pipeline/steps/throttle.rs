//! `throttle`: lets at most one reading of a point through in a span of time.

use std::collections::HashMap;

use fieldgate_kit::settings::Span;
use fieldgate_model::{DropReason, PointId, QualityLevel, Reading, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Step;

/// `{ throttle = { every = "1 s" } }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThrottleSettings {
    /// The shortest time between two readings of a point, such as `1 s`.
    pub every: Span,
}

/// Measures by the source's clock, so that a backlog is thinned like live data. A change of quality always passes.
pub struct Throttle {
    every_nanos: i64,
    last: HashMap<PointId, (Timestamp, QualityLevel)>,
}

impl Throttle {
    #[must_use]
    pub fn new(settings: &ThrottleSettings) -> Self {
        Self {
            every_nanos: i64::try_from(settings.every.0.as_nanos()).unwrap_or(i64::MAX),
            last: HashMap::new(),
        }
    }
}

impl Step for Throttle {
    fn apply(&mut self, reading: Reading) -> Result<Reading, DropReason> {
        let now = (reading.at, reading.quality.level());
        if let Some(last) = self.last.get_mut(&reading.point) {
            // A source clock that was set back is taken as it is: the wait starts again from there.
            let since = reading.at.nanos().saturating_sub(last.0.nanos());
            // What is backfilled may come newest first: the same distance, the other way.
            let since = match reading.backfilled {
                true => since.saturating_abs(),
                false => since,
            };
            let early = (0..self.every_nanos).contains(&since);
            if early && last.1 == now.1 {
                return Err(DropReason::Throttle);
            }
            *last = now;
        } else {
            self.last.insert(reading.point.clone(), now);
        }
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Quality;

    use super::*;

    #[test]
    fn what_is_backfilled_newest_first_is_thinned_alike() {
        let settings = ThrottleSettings {
            every: "1 s".parse().unwrap(),
        };
        let mut step = Throttle::new(&settings);
        let passed: Vec<i64> = [3000, 2500, 2000, 1001, 1000, 0]
            .into_iter()
            .filter(|millis| {
                let at = Timestamp::from_millis(*millis);
                let mut reading = Reading::new("s/d/p".parse().unwrap(), 0.0, at);
                reading.backfilled = true;
                step.apply(reading).is_ok()
            })
            .collect();
        assert_eq!(passed, [3000, 2000, 1000, 0]);
    }

    #[test]
    fn one_a_span_and_every_change_of_quality() {
        let settings = ThrottleSettings {
            every: "1 s".parse().unwrap(),
        };
        let mut step = Throttle::new(&settings);
        let bad = || Quality::Bad("BadNoCommunication".into());
        for (millis, quality, passes) in [
            (0, Quality::Good, true),
            (999, Quality::Good, false),
            (1000, Quality::Good, true),
            (1001, bad(), true),
            (1500, bad(), false),
            (500, bad(), true),
            (1499, bad(), false),
            (1500, bad(), true),
        ] {
            let mut reading = Reading::new(
                "s/d/p".parse().unwrap(),
                0.0,
                Timestamp::from_millis(millis),
            );
            reading.quality = quality;
            assert_eq!(step.apply(reading).is_ok(), passes, "at {millis} ms");
        }
    }
}
