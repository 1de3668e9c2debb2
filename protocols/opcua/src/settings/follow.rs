//! How a source follows what changes in its server's address space, as a person writes it.

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Settings;

/// What becomes of a node that is new where a rule of `select` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewNodes {
    /// It is read at once.
    #[default]
    Take,
    /// It waits until a person accepts or declines it.
    Review,
}

/// Ten minutes: a look costs a server about as much as a connect.
pub(super) fn default_rebrowse_s() -> u64 {
    600
}

/// Everything that is wrong with it.
pub(super) fn check(settings: &Settings) -> Option<Problem> {
    let every = settings.rebrowse_s;
    let wrong = !(10..=86_400).contains(&every);
    wrong.then(|| {
        Problem::new(
            ["rebrowse_s"],
            format!("{every} is no interval of looks at the address space"),
            "write seconds from 10 to 86400, or leave it out",
        )
    })
}
