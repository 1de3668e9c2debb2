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
    let mut sum = DeadDone::default();
    loop {
        let done = client.call::<RetryDeadLetters>(&[], &args.which.choice())?;
        sum = DeadDone {
            done: sum.done + done.done,
            ..done
        };
        // What is stuck stays chosen: another round without progress would never end.
        if sum.left == 0 || done.done == 0 {
            break;
        }
    }
    args.remote.print(&sum, |sum: &DeadDone| {
        format!(
            "{} put back, {} left, {} stuck; {}",
            sum.done, sum.left, sum.stuck, sum.words
        )
    })
}
