//! `Gate`: which values are passed on, where the server does not choose as it was asked to, or cannot. Pure.

use fieldgate_model::Value;

use crate::{
    connection::{ItemRequest, Observed},
    settings::{Deadband, Trigger},
};

/// What the server makes of the wishes for a point's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Filtered {
    /// All of them.
    #[default]
    AsAsked,
    /// It takes the trigger, but not the deadband.
    WithoutDeadband,
    /// It reports every change of status and value.
    NotAtAll,
    /// Nobody asks it: values are read, changed or not.
    NeverByTheServer,
}

/// Decides by the last value that was passed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gate {
    pub trigger: Trigger,
    pub deadband: Option<Deadband>,
}

// === impl Filtered ===

impl Filtered {
    /// Takes out of a wish what the server does not take.
    pub(crate) fn leave_out(self, request: &mut ItemRequest) {
        if self != Self::AsAsked {
            request.deadband = None;
        }
        if self == Self::NotAtAll {
            request.trigger = Trigger::default();
        }
    }
}

// === impl Gate ===

impl Gate {
    /// What is left for the gateway to do; `None` when nothing is.
    pub(crate) fn after(
        filtered: Filtered,
        trigger: Trigger,
        deadband: Option<Deadband>,
    ) -> Option<Self> {
        let percent = matches!(deadband, Some(Deadband::Percent(_)));
        let needed = match filtered {
            // Some servers take a percentage and do nothing with it (asyncua is one).
            Filtered::AsAsked => percent,
            Filtered::WithoutDeadband => deadband.is_some(),
            Filtered::NotAtAll => deadband.is_some() || trigger == Trigger::Status,
            Filtered::NeverByTheServer => true,
        };
        needed.then_some(Self { trigger, deadband })
    }

    /// Whether the next value is passed on; `range` is the node's EURange, where it is known.
    pub(crate) fn passes(
        &self,
        last: &Observed,
        next: &Observed,
        range: Option<(f64, f64)>,
    ) -> bool {
        if next.quality != last.quality || next.overflow {
            return true;
        }
        let width = match self.deadband {
            None => None,
            Some(Deadband::Absolute(width)) => Some(width),
            Some(Deadband::Percent(percent)) => {
                range.map(|(low, high)| (high - low).abs() * percent / 100.0)
            }
        };
        match (self.trigger, width) {
            (Trigger::Status, _) => false,
            // With a deadband, the timestamp does not count (Part 4, 7.22.2).
            (_, Some(width)) => differs(&last.value, &next.value, width),
            (Trigger::StatusValueTimestamp, None) if next.at != last.at => true,
            (_, None) => differs(&last.value, &next.value, 0.0),
        }
    }
}

/// Numbers by more than the width, lists where one of their elements does, everything else at all.
fn differs(last: &Value, next: &Value, width: f64) -> bool {
    match (last, next) {
        (Value::List(last), Value::List(next)) => {
            last.len() != next.len()
                || last
                    .iter()
                    .zip(next)
                    .any(|(last, next)| differs(last, next, width))
        }
        (last, next) => match (number(last), number(next)) {
            (Some(last), Some(next)) if last.is_nan() || next.is_nan() => {
                last.is_nan() != next.is_nan()
            }
            // Whole numbers are exact to the last digit only without a deadband.
            (Some(before), Some(after)) if width > 0.0 => (after - before).abs() > width,
            _ => last != next,
        },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a deadband is far larger than what is lost"
)]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::UInt(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Quality, Timestamp};

    use super::*;

    fn observed(value: Value) -> Observed {
        Observed {
            value,
            quality: Quality::Good,
            at: None,
            overflow: false,
        }
    }

    fn gate(trigger: Trigger, deadband: Option<Deadband>) -> Gate {
        Gate { trigger, deadband }
    }

    fn check(deadband: Option<Deadband>, last: Value, next: Value, passes: bool) {
        let gate = gate(Trigger::StatusValue, deadband);
        let words = format!("{deadband:?} {last:?} {next:?}");
        let (last, next) = (observed(last), observed(next));
        assert_eq!(
            gate.passes(&last, &next, Some((-50.0, 150.0))),
            passes,
            "{words}"
        );
    }

    #[test]
    fn a_deadband_holds_back_small_changes_of_numbers() {
        let absolute = Some(Deadband::Absolute(1.0));
        let list =
            |numbers: &[f64]| Value::List(numbers.iter().copied().map(Value::Float).collect());
        for (last, next, passes) in [
            (Value::Float(5.0), Value::Float(6.0), false),
            (Value::Float(5.0), Value::Float(6.1), true),
            (Value::Float(5.0), Value::Float(3.9), true),
            (Value::Int(-1), Value::Int(0), false),
            (Value::UInt(7), Value::UInt(9), true),
            (Value::Float(f64::NAN), Value::Float(f64::NAN), false),
            (Value::Float(1.0), Value::Float(f64::NAN), true),
            (Value::Float(1.0), Value::Float(f64::INFINITY), true),
            (Value::from("a"), Value::from("b"), true),
            (Value::from("a"), Value::from("a"), false),
            (list(&[1.0, 2.0]), list(&[1.5, 2.5]), false),
            (list(&[1.0, 2.0]), list(&[1.0, 3.5]), true),
            (list(&[1.0]), list(&[1.0, 1.0]), true),
        ] {
            check(absolute, last, next, passes);
        }
        let percent = Some(Deadband::Percent(1.0));
        check(percent, Value::Float(0.0), Value::Float(2.0), false);
        check(percent, Value::Float(0.0), Value::Float(2.1), true);
        check(None, Value::UInt(u64::MAX), Value::UInt(u64::MAX - 1), true);
        check(None, Value::Float(1.0), Value::Float(1.0), false);
    }

    #[test]
    fn without_a_range_a_percentage_holds_nothing_back() {
        let gate = gate(Trigger::StatusValue, Some(Deadband::Percent(50.0)));
        let (last, next) = (observed(Value::Float(1.0)), observed(Value::Float(1.1)));
        assert!(gate.passes(&last, &next, None));
    }

    #[test]
    fn the_trigger_says_what_counts() {
        let last = observed(Value::Float(1.0));
        let mut later = last.clone();
        later.at = Some(Timestamp::from_nanos(1));
        let mut worse = last.clone();
        worse.quality = Quality::Bad("BadSensorFailure".into());
        let other = observed(Value::Float(2.0));
        let mut lost = last.clone();
        lost.overflow = true;
        let band = Some(Deadband::Absolute(5.0));
        for (trigger, deadband, expected) in [
            (Trigger::Status, None, [false, true, false, true]),
            (Trigger::StatusValue, None, [false, true, true, true]),
            (
                Trigger::StatusValueTimestamp,
                None,
                [true, true, true, true],
            ),
            (
                Trigger::StatusValueTimestamp,
                band,
                [false, true, false, true],
            ),
        ] {
            let gate = gate(trigger, deadband);
            let passes = [&later, &worse, &other, &lost].map(|next| gate.passes(&last, next, None));
            assert_eq!(passes, expected, "{trigger:?} {deadband:?}");
        }
    }

    #[test]
    fn the_gateway_does_what_the_server_does_not() {
        use Filtered::{AsAsked, NeverByTheServer, NotAtAll, WithoutDeadband};
        let absolute = Some(Deadband::Absolute(1.0));
        let percent = Some(Deadband::Percent(1.0));
        for (filtered, trigger, deadband, needed) in [
            (AsAsked, Trigger::Status, absolute, false),
            (AsAsked, Trigger::StatusValue, percent, true),
            (WithoutDeadband, Trigger::StatusValue, absolute, true),
            (NotAtAll, Trigger::StatusValue, None, false),
            (NotAtAll, Trigger::StatusValueTimestamp, None, false),
            (NotAtAll, Trigger::Status, None, true),
            (NeverByTheServer, Trigger::StatusValue, None, true),
        ] {
            let gate = Gate::after(filtered, trigger, deadband);
            assert_eq!(
                gate.is_some(),
                needed,
                "{filtered:?} {trigger:?} {deadband:?}"
            );
        }
    }
}
