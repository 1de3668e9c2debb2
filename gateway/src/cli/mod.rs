//! The command line: one file a verb.

pub mod check;
pub mod run;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Fieldgate: from field devices to the cloud, and nothing accepted is ever lost.
#[derive(Debug, Parser)]
#[command(name = "fieldgate", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the gateway until it is told to stop.
    Run(run::Args),
    /// Check configuration files; every problem is told with file, line and remedy, and the exit code is 2.
    Check {
        /// Files and folders; without any, /etc/fieldgate.
        files: Vec<PathBuf>,
    },
}

impl Cli {
    /// Does what the command line asks for.
    #[must_use]
    pub fn act(self) -> ExitCode {
        match self.verb {
            Verb::Run(args) => run::run(args),
            Verb::Check { files } => check::run(&files),
        }
    }
}
