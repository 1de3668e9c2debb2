//! `fieldgate dead …`: dead letters from the command line, one file a verb.

mod export;
mod ls;
mod purge;
mod retry;
mod show;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use fieldgate_api::dead::{DeadChoice, DeadQuery};

use super::client::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List dead letters, the newest first, and how many there are by destination and reason.
    Ls(ls::Args),
    /// Show one letter with all that is in it.
    Show(show::Args),
    /// Write letters to the standard output, one JSON object a line.
    Export(export::Args),
    /// Put letters back into the queue, under the ids that they always had.
    Retry(retry::Args),
    /// Throw letters away, counted. Export them first.
    Purge(purge::Args),
}

impl Verb {
    pub fn act(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Ls(args) => ls::run(&args)?,
            Self::Show(args) => show::run(&args)?,
            Self::Export(args) => export::run(&args)?,
            Self::Retry(args) => retry::run(&args)?,
            Self::Purge(args) => purge::run(&args)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Letters that are alike.
#[derive(Debug, Clone, ClapArgs)]
pub struct Filter {
    /// Only what this destination refused.
    #[arg(long, value_name = "ID")]
    destination: Option<String>,
    /// Only what was refused in exactly these words.
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
}

/// Letters that something is done to.
#[derive(Debug, Clone, ClapArgs)]
pub struct Which {
    /// Numbers, as `dead ls` shows them.
    ids: Vec<u64>,
    #[command(flatten)]
    filter: Filter,
    /// Every letter there is.
    #[arg(long)]
    all: bool,
}

// === impl Filter ===

impl Filter {
    fn query(&self) -> DeadQuery {
        DeadQuery {
            destination: self.destination.clone(),
            reason: self.reason.clone(),
            ..DeadQuery::default()
        }
    }
}

// === impl Which ===

impl Which {
    fn choice(&self) -> DeadChoice {
        DeadChoice {
            destination: self.filter.destination.clone(),
            reason: self.filter.reason.clone(),
            ids: self.ids.clone(),
            all: self.all,
            within: None,
        }
    }
}
