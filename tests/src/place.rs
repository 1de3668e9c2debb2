//! `Place`: what a gateway is started in: variables of its environment, and a program that starts it.

use std::{ffi::OsString, path::Path, process::Command};

/// By default nothing but the test's own.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub variables: Vec<(OsString, OsString)>,
    /// A program with its arguments that starts the one behind them, for instance `nsenter --mount=…`.
    pub before: Vec<OsString>,
}

// === impl Place ===

impl Place {
    /// With one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// How a program is started here, its variables aside.
    pub(crate) fn start(&self, program: &Path) -> Command {
        let Some((first, rest)) = self.before.split_first() else {
            return Command::new(program);
        };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }
}
