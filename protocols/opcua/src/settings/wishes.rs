//! `Wishes`: how values are to be looked at and reported, for the source and for single rules; the stronger one wins.

use std::time::Duration;

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

/// What counts as a change (OPC UA Part 4, 7.22.2 DataChangeFilter): another status; also another value; also another
/// source timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Status,
    #[default]
    StatusValue,
    StatusValueTimestamp,
}

/// Which value goes when the server's queue of a point is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    #[default]
    Oldest,
    Newest,
}

/// How values are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asking {
    #[default]
    Subscribe,
    Read,
}

/// Changes that are not larger than this are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deadband {
    Absolute(f64),
    /// Of the node's EURange.
    Percent(f64),
}

/// What one rule, or the source, says of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, JsonSchema)]
pub struct Wishes {
    /// As for the source, for what the rule means. Nodes of another interval than the others' are in a subscription of their own.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub publishing_ms: Option<u64>,
    /// As for the source, for what the rule means.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub sampling_ms: Option<u64>,
    /// As for the source, for what the rule means.
    #[schemars(range(min = 1, max = 100_000))]
    pub queue_size: Option<u32>,
    /// As for the source, for what the rule means.
    pub trigger: Option<Trigger>,
    /// As for the source, for what the rule means.
    pub discard: Option<Discard>,
    /// Changes that are not larger than this are left out. Numbers only; 0: none is left out.
    pub deadband: Option<f64>,
    /// The same, in percent of the node's range (`EURange`).
    #[schemars(range(min = 0, max = 100))]
    pub deadband_percent: Option<f64>,
    /// As for the source, for what the rule means; 0: no heartbeat.
    pub heartbeat_ms: Option<u64>,
}

/// How a point's values are looked at and reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampling {
    pub publishing_ms: u64,
    pub sampling_ms: u64,
    pub queue_size: u32,
    pub trigger: Trigger,
    pub discard: Discard,
    pub deadband: Option<Deadband>,
    pub heartbeat_ms: Option<u64>,
}

/// When all last values are sent together; never where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KeyFrames {
    pub every: Option<Duration>,
    /// After so many messages of the server.
    pub messages: Option<u32>,
}

// === impl KeyFrames ===

impl KeyFrames {
    pub(crate) fn wanted(&self) -> bool {
        self.every.is_some() || self.messages.is_some()
    }
}

// === impl Wishes ===

impl Wishes {
    /// With what a weaker one says where this one is silent.
    pub(crate) fn or(self, weaker: Self) -> Self {
        let own_deadband = self.deadband.is_some() || self.deadband_percent.is_some();
        let deadbands = if own_deadband { self } else { weaker };
        Self {
            publishing_ms: self.publishing_ms.or(weaker.publishing_ms),
            sampling_ms: self.sampling_ms.or(weaker.sampling_ms),
            queue_size: self.queue_size.or(weaker.queue_size),
            trigger: self.trigger.or(weaker.trigger),
            discard: self.discard.or(weaker.discard),
            deadband: deadbands.deadband,
            deadband_percent: deadbands.deadband_percent,
            heartbeat_ms: self.heartbeat_ms.or(weaker.heartbeat_ms),
        }
    }

    /// With the defaults where nobody says anything; 0 switches a deadband or a heartbeat off.
    pub(crate) fn sampling(self, publishing_ms: u64) -> Sampling {
        let publishing_ms = self.publishing_ms.unwrap_or(publishing_ms);
        let sampling_ms = self.sampling_ms.unwrap_or(publishing_ms);
        let absolute = self.deadband.filter(|width| *width > 0.0);
        let percent = self.deadband_percent.filter(|percent| *percent > 0.0);
        Sampling {
            publishing_ms,
            sampling_ms,
            queue_size: self
                .queue_size
                .unwrap_or_else(|| queue_size_for(sampling_ms, publishing_ms)),
            trigger: self.trigger.unwrap_or_default(),
            discard: self.discard.unwrap_or_default(),
            deadband: absolute
                .map(Deadband::Absolute)
                .or(percent.map(Deadband::Percent)),
            heartbeat_ms: self.heartbeat_ms.filter(|every| *every > 0),
        }
    }

    /// What is wrong, below this path.
    pub(crate) fn check(&self, at: &[&str]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &'static str, what: String, remedy: &str| {
            let path = at.iter().copied().chain([key]);
            problems.push(Problem::new(path, what, remedy));
        };
        let outside = |value: Option<u64>, range: std::ops::RangeInclusive<u64>| {
            value.filter(|value| !range.contains(value))
        };
        if let Some(value) = outside(self.publishing_ms, 10..=3_600_000) {
            let what = format!("{value} is no publishing interval");
            wrong(
                "publishing_ms",
                what,
                "write milliseconds from 10 to 3600000",
            );
        }
        if let Some(value) = outside(self.sampling_ms, 0..=3_600_000) {
            let remedy = "write milliseconds from 0 (as fast as the server can) to 3600000";
            let what = format!("{value} is no sampling interval");
            wrong("sampling_ms", what, remedy);
        }
        if let Some(value) = outside(self.queue_size.map(u64::from), 1..=100_000) {
            let what = format!("{value} is no queue size");
            wrong("queue_size", what, "write a number from 1 to 100000");
        }
        let heartbeat = self.heartbeat_ms.filter(|every| *every > 0);
        if let Some(value) = outside(heartbeat, 100..=86_400_000) {
            let what = format!("{value} is no interval of a heartbeat");
            wrong(
                "heartbeat_ms",
                what,
                "write milliseconds from 100 to 86400000, or 0 for none",
            );
        }
        let no_width =
            |width: Option<f64>| width.is_some_and(|width| !width.is_finite() || width < 0.0);
        if no_width(self.deadband) {
            let what = "a deadband is a number that is not negative".to_owned();
            wrong("deadband", what, "write for instance 0.1, or leave it out");
        }
        if no_width(self.deadband_percent)
            || self.deadband_percent.is_some_and(|percent| percent > 100.0)
        {
            let what = "a deadband in percent is a number from 0 to 100".to_owned();
            wrong(
                "deadband_percent",
                what,
                "write for instance 1.5, or leave it out",
            );
        } else if self.deadband.is_some() && self.deadband_percent.is_some() {
            let what = "a point has one deadband, absolute or in percent".to_owned();
            wrong("deadband_percent", what, "leave this or `deadband` out");
        }
        problems
    }
}

/// Ten times what fits between two publishings, so that a late publishing loses nothing.
fn queue_size_for(sampling_ms: u64, publishing_ms: u64) -> u32 {
    let fitting = publishing_ms.div_ceil(sampling_ms.max(1));
    u32::try_from(fitting.saturating_mul(10).clamp(10, 10_000)).unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_holds_ten_times_what_is_sampled() {
        for (sampling_ms, expected) in [(500, 10), (100, 50), (1000, 10), (0, 5000)] {
            assert_eq!(queue_size_for(sampling_ms, 500), expected);
        }
    }

    #[test]
    fn the_stronger_wish_wins_and_a_deadband_replaces_the_other_kind() {
        let source = Wishes {
            sampling_ms: Some(200),
            deadband: Some(1.0),
            heartbeat_ms: Some(5000),
            ..Wishes::default()
        };
        let check = |rule: Wishes, deadband: Option<Deadband>| {
            let sampling = rule.or(source).sampling(500);
            assert_eq!(sampling.deadband, deadband, "{rule:?}");
            assert_eq!((sampling.sampling_ms, sampling.queue_size), (200, 30));
        };
        check(Wishes::default(), Some(Deadband::Absolute(1.0)));
        let percent = |percent| Wishes {
            deadband_percent: Some(percent),
            ..Wishes::default()
        };
        check(percent(2.0), Some(Deadband::Percent(2.0)));
        check(percent(0.0), None);
        let off = Wishes {
            heartbeat_ms: Some(0),
            publishing_ms: Some(50),
            ..Wishes::default()
        };
        let sampling = off.or(source).sampling(500);
        assert_eq!((sampling.heartbeat_ms, sampling.publishing_ms), (None, 50));
    }
}
