//! `fieldgate dead show NUMBER`: one letter with its reading, its raw frame and the destination's own words.

use clap::Args as ClapArgs;
use fieldgate_api::{dead::DeadLetterPage, endpoint::GetDeadLetter};

use crate::cli::{client::Failure, output::Remote};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Its number, as `dead ls` shows it.
    id: u64,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let id = args.id.to_string();
    let page = args.remote.client()?.call::<GetDeadLetter>(&[&id], &())?;
    args.remote.print(&page, text)
}

fn text(page: &DeadLetterPage) -> String {
    let letter = &page.letter;
    let reading = serde_json::to_string_pretty(&page.reading).unwrap_or_default();
    let facts = [
        ("message id", letter.message_id.clone()),
        ("destination", letter.destination.clone()),
        ("routes", letter.routes.join(", ")),
        ("refused", letter.refused_at.to_string()),
        ("first refused", letter.first_refused_at.to_string()),
        ("attempts", letter.attempts.to_string()),
        ("in its words", letter.why.clone()),
        (
            "frame",
            format!("{} bytes: {}", page.frame_bytes, page.frame),
        ),
    ];
    let lines = facts
        .iter()
        .map(|(name, fact)| format!("{name:>14}  {fact}\n"));
    format!("{}{reading}", lines.collect::<String>())
}
