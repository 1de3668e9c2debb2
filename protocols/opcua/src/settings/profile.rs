//! `ProfileRule`: a rule of `select` that takes what a profile knows of a companion model.

use fieldgate_kit::Problem;
use schemars::JsonSchema;

use super::wishes::{Discard, Trigger, Wishes};
use crate::profiles;

/// What a profile takes of a companion model, under the names that it gives; with settings of its own for all of it.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProfileRule {
    /// `machinery`, `di`, `plcopen`, `packml`, or one of your own.
    pub profile: String,
    /// As for the source, for these nodes, instead of what the profile says.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub publishing_ms: Option<u64>,
    /// As for the source, for these nodes.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub sampling_ms: Option<u64>,
    /// As for the source, for these nodes.
    #[schemars(range(min = 1, max = 100_000))]
    pub queue_size: Option<u32>,
    /// As for the source, for these nodes.
    pub trigger: Option<Trigger>,
    /// As for the source, for these nodes.
    pub discard: Option<Discard>,
    /// Changes that are not larger than this are left out. Numbers only; 0: none is left out.
    pub deadband: Option<f64>,
    /// The same, in percent of each node's range (`EURange`).
    #[schemars(range(min = 0, max = 100))]
    pub deadband_percent: Option<f64>,
    /// As for the source, for these nodes; 0: no heartbeat.
    pub heartbeat_ms: Option<u64>,
}

impl ProfileRule {
    pub(crate) fn wishes(&self) -> Wishes {
        Wishes {
            publishing_ms: self.publishing_ms,
            sampling_ms: self.sampling_ms,
            queue_size: self.queue_size,
            trigger: self.trigger,
            discard: self.discard,
            deadband: self.deadband,
            deadband_percent: self.deadband_percent,
            heartbeat_ms: self.heartbeat_ms,
        }
    }
}

/// Which profiles there are, only the running gateway knows: a person's own ones are in its state.
pub(super) fn check(at: &str, rule: &ProfileRule) -> Option<Problem> {
    let name = &rule.profile;
    (!profiles::is_name(name)).then(|| {
        Problem::new(
            ["select", at, "profile"],
            format!("`{}` is no name of a profile", name.escape_debug()),
            "write machinery, di, plcopen, packml, or the name of one of your own",
        )
    })
}
