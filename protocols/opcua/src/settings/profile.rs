//! `ProfileRule`: a rule of `select` that takes what a profile knows of a companion model.

use fieldgate_kit::Problem;
use schemars::JsonSchema;

use super::{select::closed, wishes::Wishes};
use crate::profiles;

/// What a profile takes of a companion model, under the names that it gives; with settings of its own for all of it, which are
/// stronger than what the profile says.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transform = closed)]
pub struct ProfileRule {
    /// `machinery`, `di`, `plcopen`, `packml`, or one of your own.
    pub profile: String,
    #[schemars(flatten)]
    pub wishes: Wishes,
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
