//! `fieldgate dead ls`: the newest letters, and the groups by destination and reason.

use clap::Args as ClapArgs;
use fieldgate_api::{
    dead::{DeadLetters, DeadQuery},
    endpoint::GetDeadLetters,
};

use super::Filter;
use crate::cli::{
    client::Failure,
    output::{Remote, table},
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Only letters older than this number.
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// At most so many, 200 at most.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let query = DeadQuery {
        before: args.before,
        limit: Some(args.limit),
        ..args.filter.query()
    };
    let letters = args.remote.client()?.call::<GetDeadLetters>(&[], &query)?;
    args.remote.print(&letters, text)
}

fn text(letters: &DeadLetters) -> String {
    let groups = letters.groups.iter().map(|group| {
        let (count, last) = (group.letters.to_string(), group.last_refused_at.to_string());
        [count, group.destination.clone(), group.reason.clone(), last]
    });
    let rows = letters.letters.iter().map(|letter| {
        [
            letter.id.to_string(),
            letter.refused_at.to_string(),
            letter.destination.clone(),
            letter.point.clone(),
            letter.attempts.to_string(),
            letter.why.clone(),
        ]
    });
    let groups = table(
        ["letters", "destination", "reason", "last"],
        &groups.collect::<Vec<_>>(),
    );
    let titles = [
        "number",
        "refused",
        "destination",
        "point",
        "attempts",
        "reason",
    ];
    let rows = table(titles, &rows.collect::<Vec<_>>());
    let shelf = letters.shelf;
    let next = letters.next.map_or_else(String::new, |next| {
        format!("\nThere are more: fieldgate dead ls --before {next}\n")
    });
    format!(
        "{} dead letters kept; {} retried, {} purged, {} made room.\n\n{groups}\n{rows}{next}",
        shelf.letters, shelf.retried, shelf.purged, shelf.displaced
    )
}
