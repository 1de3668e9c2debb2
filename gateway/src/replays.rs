//! Replays: delivered readings once more, to any destination, as another cursor of their lane with a cap on its rate.

use fieldgate_store::{Lane, Replay, ReplayStatus};

use crate::lanes::{LaneKind, Lanes};

/// An id for the next replay of a lane: one more than any that is still listed.
#[must_use]
pub fn next_id(lane: &Lane) -> String {
    let replays = lane.replays();
    let numbers = replays
        .iter()
        .filter_map(|replay| replay.id.parse::<u64>().ok());
    (numbers.max().unwrap_or(0) + 1).to_string()
}

/// All replays with their lanes, the newest of each lane first.
#[must_use]
pub fn all(lanes: &Lanes) -> Vec<(LaneKind, Replay)> {
    let of = |kind: LaneKind| {
        let replays = lanes.get(kind).replays().into_iter().rev();
        replays.map(move |replay| (kind, replay))
    };
    LaneKind::ALL.into_iter().flat_map(of).collect()
}

/// True while something of it is still to be sent.
#[must_use]
pub fn is_running(replay: &Replay) -> bool {
    replay.status == ReplayStatus::Running
}

/// `running`, `finished` or `stopped`.
#[must_use]
pub fn state(replay: &Replay) -> &'static str {
    match replay.status {
        ReplayStatus::Running => "running",
        ReplayStatus::Finished => "finished",
        ReplayStatus::Stopped => "stopped",
    }
}
