//! `fieldgate review`: what is new on a source's server, and what becomes of it.

use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use fieldgate_api::{
    endpoint::{DecideReview, GetReview},
    review::{ReviewAction, ReviewDraft, ReviewItem, ReviewView},
};

use super::{
    client::Failure,
    output::{Remote, table},
};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Read these nodes from now on, also those that were declined once.
    Accept,
    /// Leave these nodes out until they are accepted.
    Decline,
    /// Look at the server now.
    Look,
}

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The source's id.
    source: String,
    /// Left out: what waits and what was declined is listed.
    #[arg(value_enum)]
    action: Option<Action>,
    /// The points' ids, as the list has them.
    points: Vec<String>,
    /// All that wait.
    #[arg(long, conflicts_with = "points")]
    all: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.remote.client()?;
    let Some(action) = args.action else {
        let view = client.call::<GetReview>(&[&args.source], &())?;
        args.remote.print(&view, list)?;
        return Ok(ExitCode::SUCCESS);
    };
    let nobody = action != Action::Look && !args.all && args.points.is_empty();
    if nobody {
        return Err(Failure::Usage(
            "name the points, as `fieldgate review` lists them, or say --all".into(),
        ));
    }
    let draft = ReviewDraft {
        action: match action {
            Action::Accept => ReviewAction::Accept,
            Action::Decline => ReviewAction::Decline,
            Action::Look => ReviewAction::Look,
        },
        points: (!args.points.is_empty()).then_some(args.points),
    };
    let done = client.call::<DecideReview>(&[&args.source], &draft)?;
    args.remote.print(&done, |done| done.words.clone())?;
    Ok(ExitCode::SUCCESS)
}

fn list(view: &ReviewView) -> String {
    if view.words.is_empty() {
        return "this source was not connected yet, or follows nothing on its server".to_owned();
    }
    let mut text = String::new();
    if !view.asks {
        text.push_str("what is new where a rule looks is read at once\n");
    }
    for (state, items, total) in [
        ("waiting", &view.waiting, view.waiting_total),
        ("declined", &view.declined, view.declined_total),
    ] {
        if items.is_empty() {
            continue;
        }
        let rows: Vec<[String; 4]> = items.iter().map(row).collect();
        text.push_str(&table([state, "type", "since", "node"], &rows));
        let more = total.saturating_sub(items.len() as u64);
        if more > 0 {
            text.push_str(&format!("and {more} more\n"));
        }
    }
    if view.asks && view.waiting.is_empty() {
        text.push_str("nothing waits for a decision\n");
    }
    text + &view.words
}

fn row(item: &ReviewItem) -> [String; 4] {
    [
        item.point.clone(),
        item.data_type.clone().unwrap_or_default(),
        item.since.to_string(),
        item.address.clone(),
    ]
}
