//! `HistoryRule`: how what was missed is read from the server's own history, after a gap.

use std::time::Duration;

use fieldgate_kit::{Problem, settings::Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// The longest age; a server keeps months at most, and nobody waits for more.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What is done about values that were missed, where the server keeps history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HistoryRule {
    /// In which order what was missed is sent: `oldest_first`, `newest_first`, or `never`.
    pub fill: Fill,
    /// What is older than this stays missing, such as `1 d`.
    pub max_age: Span,
    /// At most so many missed values are read in a second, so that present ones always go first.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub values_per_s: u32,
}

/// The order of what was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    #[default]
    OldestFirst,
    NewestFirst,
    Never,
}

impl Default for HistoryRule {
    fn default() -> Self {
        Self {
            fill: Fill::default(),
            max_age: Span(Duration::from_secs(86_400)),
            values_per_s: 5_000,
        }
    }
}

// === impl HistoryRule ===

impl HistoryRule {
    /// What the types cannot tell.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.max_age.0.is_zero() || self.max_age.0 > LONGEST {
            problems.push(Problem::new(
                ["history", "max_age"],
                format!(
                    "{} is no age of values that are worth reading",
                    self.max_age
                ),
                "write a span up to a year, such as \"1 d\", or fill = \"never\"",
            ));
        }
        if !(1..=1_000_000).contains(&self.values_per_s) {
            problems.push(Problem::new(
                ["history", "values_per_s"],
                format!("{} is no rate", self.values_per_s),
                "write 1 to 1000000 values a second",
            ));
        }
        problems
    }
}
