//! `fieldgate dead export`: letters as JSON lines on the standard output, written while they come.

use clap::Args as ClapArgs;
use fieldgate_api::{
    dead::DeadQuery,
    endpoint::{GetDeadLetters, path_and_query},
};

use super::Filter;
use crate::{
    cli::{client::Failure, output::Remote},
    web::DEAD_EXPORT_PATH,
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let url = url(&args.filter.query());
    args.remote
        .client()?
        .download(&url, &mut std::io::stdout().lock())
}

/// The list's query at the download's path.
fn url(query: &DeadQuery) -> String {
    let list = path_and_query::<GetDeadLetters>(&[], query);
    match list.split_once('?') {
        Some((_, query)) => format!("{DEAD_EXPORT_PATH}?{query}"),
        None => DEAD_EXPORT_PATH.to_owned(),
    }
}
