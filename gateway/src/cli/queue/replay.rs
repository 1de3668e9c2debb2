//! `fieldgate queue replay`: starts a replay, says what one would send, lists them, or stops one.

use clap::Args as ClapArgs;
use fieldgate_api::{
    endpoint::{GetReplays, PreviewReplay, StartReplay, StopReplay},
    queue::{ReplayDraft, ReplayPreview, ReplayView},
};
use fieldgate_model::Timestamp;

use crate::cli::{
    client::Failure,
    output::{Remote, table},
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Who gets the readings.
    #[arg(requires = "from", requires = "to")]
    destination: Option<String>,
    /// Accepted at or after this moment, such as 2026-11-25T20:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// And not later than this one.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// At most so many readings a second; 0 is as fast as what is new leaves room for.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Readings of the routes to this destination, when it is another one.
    #[arg(long, value_name = "ID")]
    of: Option<String>,
    /// `normal` or `critical`.
    #[arg(long, default_value = "normal")]
    lane: String,
    /// Only say what would be sent.
    #[arg(long)]
    dry_run: bool,
    /// Stop the replay with this id instead.
    #[arg(long, value_name = "ID", conflicts_with = "destination")]
    stop: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let client = args.remote.client()?;
    let print = |replays: &[ReplayView]| args.remote.print(&replays, |replays| listed(replays));
    if let Some(id) = &args.stop {
        return print(&[client.call::<StopReplay>(&[id], &())?]);
    }
    let Some(draft) = draft(args)? else {
        return print(&client.call::<GetReplays>(&[], &())?);
    };
    if args.dry_run {
        let preview = client.call::<PreviewReplay>(&[], &draft)?;
        let words = |preview: &ReplayPreview| preview.words.clone();
        return args.remote.print(&preview, words);
    }
    print(&[client.call::<StartReplay>(&[], &draft)?])
}

/// None without a destination.
fn draft(args: &Args) -> Result<Option<ReplayDraft>, Failure> {
    let Some(destination) = args.destination.clone() else {
        return Ok(None);
    };
    Ok(Some(ReplayDraft {
        destination,
        of: args.of.clone(),
        lane: Some(args.lane.clone()),
        from: moment(args.from.as_deref())?,
        to: moment(args.to.as_deref())?,
        rate: args.rate,
    }))
}

fn moment(text: Option<&str>) -> Result<Timestamp, Failure> {
    let text = text.unwrap_or_default();
    Timestamp::parse(text).ok_or_else(|| {
        Failure::Usage(format!(
            "`{}` is no time; write it as 2026-11-25T20:00:00Z",
            text.escape_debug()
        ))
    })
}

fn listed(replays: &[ReplayView]) -> String {
    let row = |replay: &ReplayView| {
        [
            replay.id.clone(),
            replay.destination.clone(),
            replay.state.clone(),
            replay.accepted.to_string(),
            replay.acked.to_string(),
            replay.pending.to_string(),
            replay.rate.to_string(),
        ]
    };
    let rows: Vec<_> = replays.iter().map(row).collect();
    table(
        [
            "id",
            "destination",
            "state",
            "readings",
            "delivered",
            "waiting",
            "rate",
        ],
        &rows,
    )
}
