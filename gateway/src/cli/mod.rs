//! The command line: one file a verb.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done, and nothing is wrong |
//! | 1 | a check found something, or the gateway refused |
//! | 2 | the command line or the configuration has problems |
//! | 3 | no gateway answers |

mod alarms;
mod browse;
pub mod check;
mod client;
mod command;
mod dead;
mod discover;
mod output;
mod profile;
mod queue;
mod review;
pub mod run;
mod scan;
mod selection;
mod trust;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use fieldgate_model::ActionKind;

pub use client::SOCKET;

/// Fieldgate: from field devices to the cloud, and nothing accepted is ever lost.
#[derive(Debug, Parser)]
#[command(
    name = "fieldgate",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 a check found something, or the gateway refused; 2 wrong usage or configuration; 3 no gateway answers."
)]
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
    /// The queue: what is kept, receipts, export, purge, replay.
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Read a point from its device now, if its source allows it.
    Read(command::Read),
    /// Write a value to a point, if its source allows it.
    Write(command::Write),
    /// Call a method of a device, if its source allows it.
    Call(command::Call),
    /// The last commands, who gave them and what became of them.
    Commands(command::List),
    /// Open alarms: active, or still to be acknowledged or confirmed.
    Alarms(alarms::List),
    /// Acknowledge an alarm, if its source allows it.
    Ack(alarms::Say),
    /// Confirm that what an alarm was about was put right, if its source allows it.
    Confirm(alarms::Say),
    /// Add a remark to an alarm, if its source allows it.
    Comment(alarms::Say),
    /// Dead letters: what destinations refused for its own sake.
    #[command(subcommand)]
    Dead(dead::Verb),
    /// Certificates: who we are to the servers, and which of theirs are trusted.
    #[command(subcommand)]
    Trust(trust::Verb),
    /// Find devices: at an address, in the local network, or in a range of addresses.
    Discover(discover::Args),
    /// Who is near by Bluetooth, and what they say.
    Scan(scan::Args),
    /// Profiles of Bluetooth devices: try one on bytes, without a running gateway.
    #[command(subcommand)]
    Profile(profile::Verb),
    /// Look around on a server: what is below a path, or where a name is.
    Browse(browse::Args),
    /// What is new on a source's server: list it, accept it, decline it, or look now.
    Review(review::Args),
    /// What a source reads, as a CSV or JSON file.
    #[command(subcommand)]
    Selection(selection::Verb),
    /// Decodes pictures for the gateway, which starts it by itself.
    #[command(hide = true, name = fieldgate_camera::MEDIA_WORKER)]
    MediaWorker,
}

impl Cli {
    /// Does what the command line asks for.
    #[must_use]
    pub fn act(self) -> ExitCode {
        match self.verb {
            Verb::Run(args) => run::run(args),
            Verb::MediaWorker => match fieldgate_camera::serve_worker() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("fieldgate: {error}");
                    ExitCode::FAILURE
                }
            },
            Verb::Check { files } => check::run(&files),
            Verb::Queue(verb) => output::exit_code(verb.act()),
            Verb::Read(verb) => output::exit_code(verb.act()),
            Verb::Write(verb) => output::exit_code(verb.act()),
            Verb::Call(verb) => output::exit_code(verb.act()),
            Verb::Commands(verb) => output::exit_code(verb.act()),
            Verb::Alarms(verb) => output::exit_code(verb.act()),
            Verb::Ack(verb) => output::exit_code(verb.act(ActionKind::Acknowledge)),
            Verb::Confirm(verb) => output::exit_code(verb.act(ActionKind::Confirm)),
            Verb::Comment(verb) => output::exit_code(verb.act(ActionKind::Comment)),
            Verb::Dead(verb) => output::exit_code(verb.act()),
            Verb::Trust(verb) => output::exit_code(verb.act()),
            Verb::Discover(args) => output::exit_code(discover::run(args)),
            Verb::Scan(args) => output::exit_code(scan::run(args)),
            Verb::Profile(verb) => output::exit_code(verb.act()),
            Verb::Browse(args) => output::exit_code(browse::run(args)),
            Verb::Review(args) => output::exit_code(review::run(args)),
            Verb::Selection(verb) => output::exit_code(verb.act()),
        }
    }
}
