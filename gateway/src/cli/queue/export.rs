//! `fieldgate queue export`: readings that the queue keeps as JSON lines on the standard output, written while they come.

use clap::Args as ClapArgs;
use fieldgate_api::endpoint::with_query;

use crate::{
    cli::{client::Failure, output::Remote},
    web::QUEUE_EXPORT_PATH,
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// `normal` or `critical`.
    #[arg(long, default_value = "normal")]
    lane: String,
    /// Only what goes to this destination.
    #[arg(long, value_name = "ID")]
    destination: Option<String>,
    /// Only what was accepted at or after this moment, such as 2026-11-25T20:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only what was accepted before this moment.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let client = args.remote.client()?;
    client.download(&url(args), &mut std::io::stdout().lock())
}

fn url(args: &Args) -> String {
    let asked = [
        ("lane", Some(args.lane.as_str())),
        ("destination", args.destination.as_deref()),
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
    ];
    with_query(QUEUE_EXPORT_PATH, &asked)
}
