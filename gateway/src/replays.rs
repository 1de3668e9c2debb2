//! Replays: delivered readings once more, to any destination, as another cursor of their lane with a cap on its rate.
//!
//! The lane keeps a replay's range, progress and account under the name `number@rate`: so the rate is as durable as they are.

use fieldgate_store::{Lane, Replay, ReplayStatus};

use crate::lanes::{LaneKind, Lanes};

/// The name of a replay, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Counts up in each lane, over those that are still listed.
    pub number: u64,
    /// The most readings a second; 0 is without a cap.
    pub rate: u32,
}

// === impl Name ===

impl Name {
    /// None when it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, rate) = text.split_once('@')?;
        Some(Self {
            number: number.parse().ok()?,
            rate: rate.parse().ok()?,
        })
    }

    /// The next one of a lane.
    #[must_use]
    pub fn next(lane: &Lane, rate: u32) -> Self {
        let replays = lane.replays();
        let numbers = replays.iter().filter_map(|replay| Self::parse(&replay.id));
        Self {
            number: numbers.map(|name| name.number).max().unwrap_or(0) + 1,
            rate,
        }
    }

    /// As the lane knows it.
    #[must_use]
    pub fn text(self) -> String {
        format!("{}@{}", self.number, self.rate)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_rate() {
        let name = Name {
            number: 7,
            rate: 150,
        };
        assert_eq!(
            (name.text().as_str(), Name::parse("7@150")),
            ("7@150", Some(name))
        );
        for foreign in ["", "7", "7@", "@1", "7@-1", "a@1"] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
