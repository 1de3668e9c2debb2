//! `fieldgate queue ls`: the lanes on the disk, what each destination has before it, and the ledger of each route.

use clap::Args as ClapArgs;
use fieldgate_api::{
    endpoint::GetQueue,
    state::{Backlog, LaneView, LedgerRow, LedgerSum, QueueView},
};

use crate::cli::{
    client::Failure,
    output::{Remote, table},
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let queue = args.remote.client()?.call::<GetQueue>(&[], &())?;
    args.remote.print(&queue, text)
}

fn text(queue: &QueueView) -> String {
    let backlogs: Vec<_> = queue.backlogs.iter().map(backlog).collect();
    let lanes: Vec<_> = queue.lanes.iter().map(lane).collect();
    let mut rows: Vec<_> = queue.ledger.rows.iter().map(row).collect();
    rows.push(numbers(
        ["all".into(), "".into(), "".into()],
        &queue.ledger.total,
    ));
    let backlogs = table(
        [
            "destination",
            "waiting",
            "bytes",
            "in flight",
            "oldest",
            "in/s",
            "out/s",
            "caught up in",
        ],
        &backlogs,
    );
    let lanes = table(
        ["lane", "readings", "bytes", "of", "when full", "full in"],
        &lanes,
    );
    let titles = [
        "route",
        "destination",
        "lane",
        "accepted",
        "delivered",
        "waiting",
        "expired",
        "evicted",
        "dead",
        "lost",
        "unaccounted",
    ];
    let status = &queue.status;
    let words = format!("{}: {}", status.state, status.words);
    format!("{words}\n\n{backlogs}\n{lanes}\n{}", table(titles, &rows))
}

fn backlog(backlog: &Backlog) -> [String; 8] {
    let oldest = backlog
        .oldest
        .map_or_else(|| "-".into(), |at| at.to_string());
    [
        backlog.destination.clone(),
        backlog.pending.to_string(),
        backlog.pending_bytes.to_string(),
        backlog.in_flight.to_string(),
        oldest,
        format!("{:.1}", backlog.rate_in),
        format!("{:.1}", backlog.rate_out),
        seconds(backlog.drain_s, "not at this rate"),
    ]
}

fn lane(lane: &LaneView) -> [String; 6] {
    [
        lane.lane.clone(),
        lane.records.to_string(),
        lane.disk_bytes.to_string(),
        lane.max_bytes.to_string(),
        lane.on_full.clone(),
        seconds(lane.full_in_s, "-"),
    ]
}

fn row(row: &LedgerRow) -> [String; 11] {
    let names = [row.route.clone(), row.destination.clone(), row.lane.clone()];
    numbers(names, &row.sum)
}

fn numbers([route, destination, lane]: [String; 3], sum: &LedgerSum) -> [String; 11] {
    [
        route,
        destination,
        lane,
        sum.accepted.to_string(),
        sum.acked.to_string(),
        sum.pending.to_string(),
        sum.expired.to_string(),
        sum.evicted.to_string(),
        sum.dead_lettered.to_string(),
        sum.lost_detected.to_string(),
        sum.unaccounted.to_string(),
    ]
}

fn seconds(seconds: Option<f64>, otherwise: &str) -> String {
    seconds.map_or_else(|| otherwise.to_owned(), |seconds| format!("{seconds:.0} s"))
}
