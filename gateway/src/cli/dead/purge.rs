//! `fieldgate dead purge`: throws letters away, once `--yes` says that it is meant.

use clap::Args as ClapArgs;
use fieldgate_api::{
    dead::{DeadDone, DeadPurge},
    endpoint::PurgeDeadLetters,
};

use super::Which;
use crate::cli::{client::Failure, output::Remote};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Do it: there is no undo.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    if !args.yes {
        return Err(Failure::Usage(
            "nothing was thrown away, as there is no undo: keep a copy with `fieldgate dead export > letters.jsonl`, then say --yes".into(),
        ));
    }
    let purge = DeadPurge {
        which: args.which.choice(),
        confirm: "purge".into(),
    };
    let done = args
        .remote
        .client()?
        .call::<PurgeDeadLetters>(&[], &purge)?;
    args.remote
        .print(&done, |done: &DeadDone| done.words.clone())
}
