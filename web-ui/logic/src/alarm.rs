//! How an alarm reads: how grave it is, what its state asks for, what can be said about it. Pure.

use fieldgate_api::alarm::AlarmView;
use fieldgate_api::state::Level;
use fieldgate_model::ActionKind;

/// A severity as a word and its number (OPC UA Part 9, 5.8.2 leaves the limits to the plant; these are thirds).
#[must_use]
pub fn severity(severity: u16) -> String {
    let word = match severity {
        ..=333 => "low",
        334..=666 => "medium",
        _ => "high",
    };
    format!("{word} ({severity})")
}

/// Whether somebody has to do something: at once, some time, or not.
#[must_use]
pub fn level(alarm: &AlarmView) -> Level {
    let quiet = alarm.suppressed == Some(true)
        || alarm
            .shelving
            .as_deref()
            .is_some_and(|word| word != "Unshelved");
    match (alarm.active, alarm.acked) {
        _ if quiet => Level::Idle,
        (Some(false), Some(true)) => Level::Idle,
        (Some(false), _) | (_, Some(true)) => Level::Warning,
        _ => Level::Bad,
    }
}

/// What is allowed, and makes sense in this state.
#[must_use]
pub fn deeds(alarm: &AlarmView) -> Vec<ActionKind> {
    let sensible = |kind: &ActionKind| match kind {
        ActionKind::Acknowledge => alarm.acked != Some(true),
        ActionKind::Confirm => alarm.confirmed == Some(false),
        _ => true,
    };
    let allowed = alarm.allow.iter().copied();
    allowed
        .filter(|kind| alarm.current && sensible(kind))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(active: bool, acked: bool) -> AlarmView {
        let mut alarm: AlarmView = serde_json::from_value(serde_json::json!({
            "target": "press/Server/Press.Overheat", "event": "AAE=", "name": "Overheat", "about": "Press",
            "kind": "AlarmConditionType", "address": "nsu=urn:plant;s=Overheat", "branch": null, "severity": 700,
            "message": "too hot", "active": active, "acked": acked, "confirmed": null, "suppressed": null,
            "shelving": null, "quality": null, "comment": null, "user": null, "since": "2026-11-25T20:00:00Z",
            "at": "2026-11-25T20:00:00Z", "allow": ["acknowledge", "confirm", "comment"], "current": true,
        }))
        .expect("an alarm is JSON");
        alarm.confirmed = Some(!acked);
        alarm
    }

    #[test]
    fn what_a_state_asks_for() {
        use ActionKind::{Acknowledge, Comment, Confirm};
        let check = |alarm: AlarmView, state: &str, asks: Level, can: &[ActionKind]| {
            assert_eq!((alarm.state().as_str(), level(&alarm)), (state, asks));
            assert_eq!(deeds(&alarm), can, "{state}");
        };
        check(
            alarm(true, false),
            "active, not acknowledged, confirmed",
            Level::Bad,
            &[Acknowledge, Comment],
        );
        check(
            alarm(true, true),
            "active, acknowledged, not confirmed",
            Level::Warning,
            &[Confirm, Comment],
        );
        check(
            AlarmView {
                shelving: Some("OneShotShelved".into()),
                ..alarm(true, false)
            },
            "active, not acknowledged, confirmed, OneShotShelved",
            Level::Idle,
            &[Acknowledge, Comment],
        );
        check(
            AlarmView {
                current: false,
                ..alarm(false, false)
            },
            "over, not acknowledged, confirmed, as it was last told",
            Level::Warning,
            &[],
        );
    }

    #[test]
    fn a_severity_is_a_word_and_a_number() {
        for (number, expected) in [(1, "low (1)"), (500, "medium (500)"), (1000, "high (1000)")] {
            assert_eq!(severity(number), expected);
        }
    }
}
