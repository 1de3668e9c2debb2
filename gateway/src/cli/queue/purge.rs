//! `fieldgate queue purge DESTINATION`: throws away what it has before it, once `--yes` says that it is meant.

use clap::Args as ClapArgs;
use fieldgate_api::{
    endpoint::PurgeQueue,
    queue::{Purge, Purged},
};

use crate::cli::{client::Failure, output::Remote};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Whose queue it is.
    destination: String,
    /// Do it: there is no undo.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    if !args.yes {
        return Err(Failure::Usage(format!(
            "nothing was thrown away, as there is no undo: keep a copy with `fieldgate queue export --destination {} > readings.jsonl`, then say --yes",
            args.destination
        )));
    }
    let purge = Purge {
        destination: args.destination.clone(),
        confirm: args.destination.clone(),
    };
    let purged = args.remote.client()?.call::<PurgeQueue>(&[], &purge)?;
    args.remote
        .print(&purged, |purged: &Purged| purged.words.clone())
}
