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
    /// All that wait in the list of this version, which stands at its end. What came since then is not decided unseen.
    #[arg(long, value_name = "VERSION", conflicts_with = "points")]
    all: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.remote.client()?;
    let Some(action) = args.action else {
        let view = client.call::<GetReview>(&[&args.source], &())?;
        args.remote.print(&view, |view| list(&args.source, view))?;
        return Ok(ExitCode::SUCCESS);
    };
    let nobody = action != Action::Look && args.all.is_none() && args.points.is_empty();
    if nobody {
        return Err(Failure::Usage(
            "name the points, as `fieldgate review` lists them, or say --all with the version at the end of the list".into(),
        ));
    }
    let draft = ReviewDraft {
        action: match action {
            Action::Accept => ReviewAction::Accept,
            Action::Decline => ReviewAction::Decline,
            Action::Look => ReviewAction::Look,
        },
        points: (!args.points.is_empty()).then_some(args.points),
        version: args.all,
    };
    let done = client.call::<DecideReview>(&[&args.source], &draft)?;
    args.remote.print(&done, |done| done.words.clone())?;
    Ok(ExitCode::SUCCESS)
}

fn list(source: &str, view: &ReviewView) -> String {
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
    match view.waiting.is_empty() {
        false => text.push_str(&format!(
            "all that wait here: fieldgate review {source} accept --all {}\n",
            view.version
        )),
        true if view.asks => text.push_str("nothing waits for a decision\n"),
        true => {}
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
