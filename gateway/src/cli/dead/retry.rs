//! `fieldgate dead retry`: puts letters back into the queue, under the ids that they always had.

use clap::Args as ClapArgs;
use fieldgate_api::{dead::DeadDone, endpoint::RetryDeadLetters};

use super::Which;
use crate::cli::{client::Failure, output::Remote};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let client = args.remote.client()?;
    let mut choice = args.which.choice();
    let mut sum = client.call::<RetryDeadLetters>(&[], &choice)?;
    while sum.next.is_some() {
        choice.within = sum.next;
        let done = client.call::<RetryDeadLetters>(&[], &choice)?;
        sum = DeadDone {
            done: sum.done + done.done,
            stuck: sum.stuck + done.stuck,
            ..done
        };
    }
    args.remote.print(&sum, |sum: &DeadDone| {
        format!(
            "{} put back, {} stuck; the last step: {}",
            sum.done, sum.stuck, sum.words
        )
    })
}
