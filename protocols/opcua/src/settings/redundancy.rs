//! The settings of redundant servers: who else has the same values, and what is wrong with that.

use fieldgate_kit::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Settings, check_endpoint};

/// The most servers besides `endpoint`.
const MAX_ALTERNATES: usize = 7;

/// Whose word counts about which servers belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redundancy {
    /// What is configured, and what a server says of its own set (its `ServerUriArray`, looked up by FindServers).
    #[default]
    AsTold,
    /// What is configured, and nothing else.
    Configured,
}

pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, alternate) in settings.alternates.iter().enumerate() {
        let path = ["alternates".to_owned(), at.to_string()];
        if let Some(problem) = check_endpoint(alternate) {
            problems.push(Problem::new(
                path,
                problem.what,
                "write it like opc.tcp://192.168.0.11:4840",
            ));
        } else if *alternate == settings.endpoint || settings.alternates[..at].contains(alternate) {
            problems.push(Problem::new(
                path,
                format!("`{alternate}` is there twice"),
                "leave one of them out",
            ));
        }
    }
    if settings.alternates.len() > MAX_ALTERNATES {
        problems.push(Problem::new(
            ["alternates"],
            format!("{} are too many", settings.alternates.len()),
            "write at most 7",
        ));
    }
    problems
}

impl Settings {
    /// The same with another server.
    pub(crate) fn at(&self, endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            ..self.clone()
        }
    }
}
