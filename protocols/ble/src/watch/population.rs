//! `Population`: who is usually heard how often, and how long silence may last before it is strange.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::ladder::Expected;
use crate::Address;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Population {
    beacons: HashMap<Address, Beacon>,
    connected: HashSet<Address>,
    /// When anything was heard for the first time: at all, after all were forgotten, or after a step that helped.
    begun: Option<Instant>,
    last: Option<Instant>,
    pruned: Option<Instant>,
}

#[derive(Debug)]
struct Beacon {
    last: Instant,
    /// Seconds between two of its packets, smoothed.
    interval: f64,
    packets: u32,
}

/// How many packets a second, over the last seconds.
#[derive(Debug)]
pub(super) struct Rate {
    since: Instant,
    count: u32,
    per_s: f64,
}

/// More are not needed to know what is normal.
const BEACONS: usize = 2048;
/// After so many packets its interval is known.
const LEARNT: u32 = 4;
/// Whoever stays is known after so long, since nobody advertises less often than once in 10.24 s (Core 5.4, Vol 6 Part B, 4.4.2.2);
/// before, whoever has a lasting address may be one who stays.
const LEARNING: Duration = Duration::from_secs(60);
const FORGET: Duration = Duration::from_secs(3600);
const PRUNE: Duration = Duration::from_secs(60);
/// Controllers that filter duplicates tell of each device once in 10.24 s at the least.
const LEAST: Duration = Duration::from_secs(20);
const MOST: Duration = Duration::from_secs(300);
/// One device alone may also have left.
const ALONE_LEAST: Duration = Duration::from_secs(60);
const ALONE_MOST: Duration = Duration::from_secs(600);
/// Only one was heard, since when it could not be learnt whether it stays.
const NEWCOMER: Duration = Duration::from_secs(30);
/// Nobody stays: passers-by, or nobody at all.
const STRANGERS: Duration = Duration::from_secs(120);
const NOBODY: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_secs(5);

// === impl Population ===

impl Population {
    /// Somebody was heard; when before, if it is one who stays.
    pub(super) fn heard(
        &mut self,
        now: Instant,
        address: Address,
        lasting: bool,
    ) -> Option<Instant> {
        let quiet = self.last.map(|last| now.duration_since(last));
        if quiet.is_none_or(|quiet| quiet >= FORGET) {
            self.begin(now);
        }
        self.last = Some(now);
        if !lasting {
            return None;
        }
        if let Some(beacon) = self.beacons.get_mut(&address) {
            let before = beacon.last;
            let gap = now.duration_since(before).as_secs_f64();
            beacon.packets = beacon.packets.saturating_add(1);
            // Two parts of one advertisement come together.
            if gap > 0.005 {
                let weight = if beacon.packets <= 2 { 1.0 } else { 0.25 };
                beacon.interval += weight * (gap - beacon.interval);
            }
            beacon.last = now;
            return Some(before);
        }
        if self.beacons.len() < BEACONS {
            let beacon = Beacon {
                last: now,
                interval: 0.0,
                packets: 1,
            };
            self.beacons.insert(address, beacon);
        }
        None
    }

    /// Whoever is heard from now on may be one who stays.
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// Who is connected right now: whether somebody is not any more.
    pub(super) fn connected(&mut self, addresses: impl IntoIterator<Item = Address>) -> bool {
        let before = std::mem::replace(&mut self.connected, addresses.into_iter().collect());
        !before.is_subset(&self.connected)
    }

    /// How many are connected.
    pub(super) fn connections(&self) -> usize {
        self.connected.len()
    }

    /// When anything was heard last.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Nothing was ever heard.
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// How long silence may last, and who should be heard.
    pub(super) fn patience(&self) -> (Duration, Expected) {
        let Some(last) = self.last else {
            return (NOBODY, Expected::Nobody);
        };
        let (mut there, mut learnt, mut per_s) = (0, 0, 0.0);
        for (address, beacon) in &self.beacons {
            // Those that were there when the silence began.
            let late = last.duration_since(beacon.last).as_secs_f64();
            if self.connected.contains(address) || late > (6.0 * beacon.interval).max(60.0) {
                continue;
            }
            there += 1;
            if beacon.packets >= LEARNT && beacon.interval > 0.0 {
                learnt += 1;
                per_s += 1.0 / beacon.interval;
            }
        }
        let newcomers = match self.is_learning(last) {
            false => None,
            true if there > 1 => Some(LEAST),
            true => (there == 1).then_some(NEWCOMER),
        };
        let several = times(5.0, per_s).clamp(LEAST, MOST);
        let alone = times(8.0, per_s).clamp(ALONE_LEAST, ALONE_MOST);
        match (learnt, newcomers) {
            (2.., newcomers) => (
                newcomers.map_or(several, |newcomers| several.min(newcomers)),
                Expected::Somebody,
            ),
            (_, Some(patience)) => (patience, Expected::Nobody),
            (1, None) => (alone, Expected::Somebody),
            (_, None) => (STRANGERS, Expected::Nobody),
        }
    }

    /// At this moment nobody's pace could be known yet.
    fn is_learning(&self, last: Instant) -> bool {
        self.begun
            .is_some_and(|begun| last.duration_since(begun) < LEARNING)
    }

    /// Forgets those that went long ago.
    pub(super) fn prune(&mut self, now: Instant) {
        if self
            .pruned
            .is_none_or(|pruned| now.duration_since(pruned) >= PRUNE)
        {
            self.pruned = Some(now);
            // Where there is no room for more, those go first who were only there for a moment.
            let crowded = self.beacons.len() >= BEACONS;
            self.beacons.retain(|_, beacon| {
                let silent = now.duration_since(beacon.last);
                let stays = beacon.packets >= LEARNT || silent < LEARNING;
                silent < FORGET && (stays || !crowded)
            });
        }
    }
}

// === impl Rate ===

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
            per_s: 0.0,
        }
    }

    pub(super) fn count(&mut self, now: Instant) {
        self.roll(now);
        self.count += 1;
    }

    pub(super) fn per_s(&self, now: Instant) -> f64 {
        let since = now.duration_since(self.since);
        if since >= 2 * WINDOW {
            0.0
        } else if since >= WINDOW {
            f64::from(self.count) / since.as_secs_f64()
        } else {
            self.per_s
        }
    }

    fn roll(&mut self, now: Instant) {
        let since = now.duration_since(self.since);
        if since >= WINDOW {
            self.per_s = f64::from(self.count) / since.as_secs_f64();
            self.count = 0;
            self.since = now;
        }
    }
}

fn times(gaps: f64, per_s: f64) -> Duration {
    Duration::try_from_secs_f64(gaps / per_s).unwrap_or(MOST)
}
