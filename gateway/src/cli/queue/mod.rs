//! `fieldgate queue …`: the queue from the command line, one file a verb.

mod check;
mod export;
mod ls;
mod purge;
mod receipts;
mod replay;

use std::process::ExitCode;

use clap::Subcommand;

use super::client::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show lanes, what each destination has before it, and the ledger.
    Ls(ls::Args),
    /// Read every byte of the queue and say what is wrong, with or without a running gateway; changes nothing.
    Check(check::Args),
    /// Write the readings that are kept to the standard output, one JSON object a line.
    Export(export::Args),
    /// Throw away what a destination has before it, counted. Export it first.
    Purge(purge::Args),
    /// Send readings of a time once more, under the ids that they always had; without a destination, list the replays.
    Replay(replay::Args),
    /// List the hourly receipts and verify their chain, or write one to the standard output.
    Receipts(receipts::Args),
}

impl Verb {
    pub fn act(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Ls(args) => ls::run(&args)?,
            Self::Check(args) => return check::run(&args),
            Self::Export(args) => export::run(&args)?,
            Self::Purge(args) => purge::run(&args)?,
            Self::Replay(args) => replay::run(&args)?,
            Self::Receipts(args) => return receipts::run(&args),
        }
        Ok(ExitCode::SUCCESS)
    }
}
