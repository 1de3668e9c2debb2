//! `class`: says what a reading is for the queue, so that a controller's bit can be the alarm that it means.

use fieldgate_model::{Class, DropReason, Reading};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Step;

/// What a reading is for the queue: `{ class = "event" }`. Most servers have their alarms as plain booleans or numbers; as events they
/// overtake a backlog of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassSettings {
    /// Goes by the queue's critical lane, before all telemetry, and leaves as an event: for alarms and states.
    Event,
    /// Waits its turn behind what came before, even when the source says that it is an event.
    Telemetry,
}

/// Gives every reading the one class.
pub struct SetClass(Class);

impl From<ClassSettings> for SetClass {
    fn from(settings: ClassSettings) -> Self {
        Self(match settings {
            ClassSettings::Event => Class::Event,
            ClassSettings::Telemetry => Class::Telemetry,
        })
    }
}

impl Step for SetClass {
    fn apply(&mut self, mut reading: Reading) -> Result<Reading, DropReason> {
        reading.class = self.0;
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Timestamp;

    use super::*;

    #[track_caller]
    fn check(settings: &str, before: Class, after: Class) {
        let settings: ClassSettings = serde_json::from_str(settings).unwrap();
        let mut reading = Reading::new("s/d/high".parse().unwrap(), true, Timestamp::default());
        reading.class = before;
        let mut expected = reading.clone();
        expected.class = after;
        assert_eq!(SetClass::from(settings).apply(reading), Ok(expected));
    }

    #[test]
    fn only_the_class_changes() {
        for before in [Class::Telemetry, Class::Event] {
            check(r#""event""#, before, Class::Event);
            check(r#""telemetry""#, before, Class::Telemetry);
        }
    }

    #[test]
    fn another_class_is_refused() {
        let refused = serde_json::from_str::<ClassSettings>(r#""urgent""#).unwrap_err();
        assert!(refused.to_string().contains("`event` or `telemetry`"));
    }
}
