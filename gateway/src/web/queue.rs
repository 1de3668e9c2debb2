//! The queue: lanes on the disk, and what each destination still has before it.

use std::{path::Path, sync::Arc};

use fieldgate_api::{
    endpoint::GetQueue,
    state::{Backlog, LaneView, Ledger, Level, OutageView, QueueView, RiddenOut, Status},
};
use fieldgate_model::Timestamp;
use fieldgate_store::{ConsumerStats, LaneStats};

use super::{
    Shared,
    mount::{Answer, Call, Mounts},
    value::shown,
    words::{bytes, count},
};
use crate::{
    config::Full, forward::catch_up, gateway::Gateway, lanes::LaneKind, ledger::ledger,
    outages::Outage,
};

/// A lane that is filled beyond this share deserves a look.
const NEARLY_FULL: f64 = 0.9;

/// What a destination still has before it, in all lanes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    pub pending: u64,
    pub bytes: u64,
    pub oldest_ms: Option<i64>,
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetQueue, _, _>(|call: Call<GetQueue>| async move { queue(&call.shared).await });
}

/// What all destinations have before them, lane by lane.
pub fn consumers(gateway: &Gateway) -> Vec<ConsumerStats> {
    let lanes = LaneKind::ALL.into_iter();
    lanes
        .flat_map(|lane| gateway.lanes.get(lane).stats().consumers)
        .collect()
}

/// What one destination has before it.
pub fn waiting(consumers: &[ConsumerStats], destination: &str) -> Waiting {
    let mut waiting = Waiting::default();
    for consumer in consumers
        .iter()
        .filter(|consumer| consumer.name == destination)
    {
        waiting.pending += consumer.pending_records;
        waiting.bytes += consumer.pending_bytes;
        let oldest = consumer
            .oldest_at
            .map(|at| at.wall_ms)
            .filter(|_| consumer.pending_records > 0);
        waiting.oldest_ms = [waiting.oldest_ms, oldest].into_iter().flatten().min();
    }
    waiting
}

/// How the queue is.
pub fn status(lanes: &[(&str, LaneStats)], ledger: &Ledger) -> Status {
    let said = |level, state: &str, words| Status {
        level,
        state: state.into(),
        words,
        ..Status::default()
    };
    if ledger.total.unaccounted != 0 {
        let words = "the ledger does not balance; please report it".to_owned();
        return said(Level::Bad, "unbalanced", words);
    }
    if let Some(words) = lanes.iter().find_map(|(_, stats)| stats.trouble.clone()) {
        return said(Level::Bad, "disk", words);
    }
    if let Some((lane, _)) = lanes.iter().find(|(_, stats)| stats.held_back) {
        let words = format!("the {lane} lane is full and holds new readings back");
        return said(Level::Bad, "full", words);
    }
    if ledger.total.lost_detected > 0 {
        let words = format!(
            "the disk damaged {}; what could be read goes on; look at the health of the disk",
            count(ledger.total.lost_detected, "reading")
        );
        return said(Level::Warning, "damaged", words);
    }
    let filled = |stats: &LaneStats| stats.disk_bytes as f64 / stats.max_bytes.max(1) as f64;
    if let Some((lane, stats)) = lanes.iter().find(|(_, stats)| filled(stats) > NEARLY_FULL) {
        let percent = (filled(stats) * 100.0).round();
        let words = format!("the {lane} lane is {percent} % full");
        return said(Level::Warning, "nearly full", words);
    }
    let used: u64 = lanes.iter().map(|(_, stats)| stats.disk_bytes).sum();
    let words = match ledger.total.pending {
        0 => format!("nothing waits; {} on the disk", bytes(used)),
        1 => format!("1 reading waits; {} on the disk", bytes(used)),
        more => format!(
            "{} wait; {} on the disk",
            count(more, "reading"),
            bytes(used)
        ),
    };
    said(Level::Good, "running", words)
}

/// The figures of the lanes that data goes by.
pub fn lane_stats(gateway: &Gateway) -> Vec<(&'static str, LaneStats)> {
    let lanes = LaneKind::ALL.into_iter();
    lanes
        .map(|lane| (lane.as_str(), gateway.lanes.get(lane).stats()))
        .collect()
}

async fn queue(shared: &Shared) -> Answer<GetQueue> {
    let gateway = &shared.gateway;
    let (stats, ledger) = (lane_stats(gateway), ledger(gateway));
    let settings = &shared.desired.current().config.queue;
    let full = [
        settings.normal.on_full,
        settings.critical.on_full,
        Full::DropOldest,
    ];
    let dead = ("dead", gateway.lanes.dead.stats());
    let lanes = stats.iter().chain([&dead]).zip(full);
    let dir = gateway.state_dir.clone();
    let free = actix_web::web::block(move || free_bytes(&dir)).await;
    Ok(QueueView {
        status: status(&stats, &ledger),
        lanes: lanes
            .map(|((lane, stats), on_full)| LaneView {
                full_in_s: gateway.filling.full_in_s(lane, stats.max_bytes),
                ..lane_view(lane, stats, on_full)
            })
            .collect(),
        backlogs: backlogs(gateway),
        ledger,
        disk_free_bytes: free.unwrap_or(0),
        longest_outage: gateway.outages.longest().map(|longest| RiddenOut {
            destination: longest.destination,
            from: longest.from,
            to: longest.to,
        }),
    })
}

fn lane_view(lane: &str, stats: &LaneStats, on_full: Full) -> LaneView {
    let on_full = match on_full {
        Full::DropOldest => "drop_oldest",
        Full::Thin => "thin",
        Full::RefuseNewest => "refuse_newest",
    };
    LaneView {
        lane: lane.into(),
        records: stats.records,
        payload_bytes: stats.payload_bytes,
        disk_bytes: stats.disk_bytes,
        max_bytes: stats.max_bytes,
        on_full: on_full.into(),
        generations: stats.generations as u64,
        first_seq: stats.first.0,
        last_seq: stats.last.0,
        oldest: stats.oldest_at.map(|at| Timestamp::from_millis(at.wall_ms)),
        commits: stats.commits,
        last_commit_ms: stats.last_commit_ms,
        full_in_s: None,
        trouble: stats.trouble.clone(),
        in_memory_bytes: stats.ring_bytes,
    }
}

fn backlogs(gateway: &Gateway) -> Vec<Backlog> {
    let consumers = consumers(gateway);
    let destinations: Vec<_> = gateway.running(|running| {
        let destinations = running.destinations.iter();
        let rate_in = |id: &Arc<str>| running.accepted_rate(id);
        destinations
            .map(|(id, state)| (id.clone(), rate_in(id), Arc::clone(&state.stats)))
            .collect()
    });
    destinations
        .into_iter()
        .map(|(id, rate_in, stats)| {
            let waiting = waiting(&consumers, &id);
            let rate_out = stats.acked.rate();
            Backlog {
                destination: id.to_string(),
                pending: waiting.pending,
                pending_bytes: waiting.bytes,
                in_flight: stats.in_flight(),
                oldest: waiting.oldest_ms.map(Timestamp::from_millis),
                rate_in,
                rate_out,
                drain_s: catch_up(waiting.pending, rate_out, rate_in)
                    .map(|time| time.as_secs_f64()),
                outages: gateway.outages.of(&id).into_iter().map(outage).collect(),
            }
        })
        .collect()
}

fn outage(outage: Outage) -> OutageView {
    OutageView {
        from: outage.from,
        to: outage.to,
        words: shown(&outage.words),
    }
}

/// Free bytes for an unprivileged process; 0 when the kernel does not tell.
fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use fieldgate_api::state::LedgerSum;
    use fieldgate_store::Stamp;

    use super::*;

    #[test]
    fn lanes_add_up() {
        let consumer = |name: &str, pending, oldest: Option<i64>| ConsumerStats {
            name: name.into(),
            pending_records: pending,
            pending_bytes: pending * 10,
            oldest_at: oldest.map(Stamp::from_wall),
            ..ConsumerStats::default()
        };
        let consumers = [
            consumer("a", 5, Some(30)),
            consumer("a", 2, Some(20)),
            consumer("a", 0, Some(1)),
            consumer("b", 1, None),
        ];
        let expected = Waiting {
            pending: 7,
            bytes: 70,
            oldest_ms: Some(20),
        };
        assert_eq!(waiting(&consumers, "a"), expected);
        assert_eq!(waiting(&consumers, "c"), Waiting::default());
    }

    #[test]
    fn the_worst_of_the_queue_is_said() {
        let stats = |disk_bytes, held_back| LaneStats {
            disk_bytes,
            held_back,
            max_bytes: 100,
            ..LaneStats::default()
        };
        let ledger = |pending, lost_detected, unaccounted| Ledger {
            total: LedgerSum {
                pending,
                lost_detected,
                unaccounted,
                ..LedgerSum::default()
            },
            ..Ledger::default()
        };
        for (stats, ledger, level, words) in [
            (
                stats(5, false),
                ledger(0, 0, 0),
                Level::Good,
                "nothing waits; 5 B on the disk",
            ),
            (
                stats(5, false),
                ledger(1, 0, 0),
                Level::Good,
                "1 reading waits; 5 B on the disk",
            ),
            (
                stats(95, false),
                ledger(1, 0, 0),
                Level::Warning,
                "the normal lane is 95 % full",
            ),
            (
                stats(95, true),
                ledger(1, 3, 0),
                Level::Bad,
                "the normal lane is full and holds new readings back",
            ),
            (
                LaneStats {
                    trouble: Some("the queue cannot write".into()),
                    ..stats(95, true)
                },
                ledger(1, 3, 0),
                Level::Bad,
                "the queue cannot write",
            ),
            (
                stats(5, true),
                ledger(1, 3, 1),
                Level::Bad,
                "the ledger does not balance; please report it",
            ),
        ] {
            let status = status(&[("normal", stats)], &ledger);
            assert_eq!((status.level, status.words.as_str()), (level, words));
        }
    }
}
