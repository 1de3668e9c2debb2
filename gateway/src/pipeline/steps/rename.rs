//! `rename`: gives a point another name.

use std::collections::HashMap;

use fieldgate_kit::Problem;
use fieldgate_model::{DropReason, PointId, Reading, unescape_segment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Step;

/// `{ rename = { from = "Temp", to = "temperature" } }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameSettings {
    /// The point's name as its source gives it.
    pub from: String,
    /// Its name from here on.
    pub to: String,
}

/// Renames the points of one name; the others pass as they are.
pub struct Rename {
    from: String,
    to: String,
    /// The new id of each point met so far.
    known: HashMap<PointId, PointId>,
}

impl RenameSettings {
    pub(super) fn check(&self) -> Vec<Problem> {
        [("from", &self.from), ("to", &self.to)]
            .into_iter()
            .filter(|(_, name)| name.is_empty())
            .map(|(key, _)| Problem::new(["rename", key], "the name is empty", "give a name"))
            .collect()
    }
}

impl Rename {
    #[must_use]
    pub fn new(settings: &RenameSettings) -> Self {
        Self {
            from: settings.from.clone(),
            to: settings.to.clone(),
            known: HashMap::new(),
        }
    }
}

impl Step for Rename {
    fn apply(&mut self, mut reading: Reading) -> Result<Reading, DropReason> {
        if let Some(renamed) = self.known.get(&reading.point) {
            reading.point = renamed.clone();
        } else if unescape_segment(reading.point.point()) == self.from
            && let Ok(renamed) = reading.point.with_point(&self.to)
        {
            self.known.insert(reading.point, renamed.clone());
            reading.point = renamed;
        }
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Timestamp;

    use super::*;

    #[test]
    fn only_the_named_point_is_renamed() {
        let settings = RenameSettings {
            from: "Temp".into(),
            to: "temperature °C".into(),
        };
        let mut step = Rename::new(&settings);
        for (id, expected) in [
            ("s/d/Temp", "s/d/temperature °C"),
            ("s/d/Temp", "s/d/temperature °C"),
            ("s/d/Temp2", "s/d/Temp2"),
        ] {
            let reading = Reading::new(id.parse().unwrap(), 0.0, Timestamp::default());
            assert_eq!(step.apply(reading).unwrap().point.as_str(), expected);
        }
    }
}
