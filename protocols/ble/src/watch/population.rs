//! `Population`: who is usually heard how often, and how long silence may last before it is strange.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::Address;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Population {
    beacons: HashMap<Address, Beacon>,
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
const FORGET: Duration = Duration::from_secs(3600);
const PRUNE: Duration = Duration::from_secs(60);
/// Controllers that filter duplicates tell of each device once in 10.24 s at the least.
const LEAST: Duration = Duration::from_secs(20);
const MOST: Duration = Duration::from_secs(300);
/// One device alone may also have left.
const ALONE_LEAST: Duration = Duration::from_secs(60);
const ALONE_MOST: Duration = Duration::from_secs(600);
/// Nobody stayed yet: passers-by, or nobody at all.
const STRANGERS: Duration = Duration::from_secs(120);
const NOBODY: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_secs(5);

// === impl Population ===

impl Population {
    pub(super) fn heard(&mut self, now: Instant, address: Address, lasting: bool) {
        self.last = Some(now);
        if !lasting {
            return;
        }
        if let Some(beacon) = self.beacons.get_mut(&address) {
            let gap = now.duration_since(beacon.last).as_secs_f64();
            beacon.packets = beacon.packets.saturating_add(1);
            // Two parts of one advertisement come together.
            if gap > 0.005 {
                let weight = if beacon.packets <= 2 { 1.0 } else { 0.25 };
                beacon.interval += weight * (gap - beacon.interval);
            }
            beacon.last = now;
        } else if self.beacons.len() < BEACONS {
            let beacon = Beacon {
                last: now,
                interval: 0.0,
                packets: 1,
            };
            self.beacons.insert(address, beacon);
        }
    }

    /// When anything was heard last.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Nothing was ever heard.
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// How long silence may last.
    pub(super) fn patience(&self) -> Duration {
        let Some(last) = self.last else {
            return NOBODY;
        };
        let mut count = 0;
        let mut per_s = 0.0;
        for beacon in self.beacons.values() {
            // Those that were there when the silence began.
            let late = last.duration_since(beacon.last).as_secs_f64();
            if beacon.packets >= LEARNT
                && beacon.interval > 0.0
                && late <= (6.0 * beacon.interval).max(60.0)
            {
                count += 1;
                per_s += 1.0 / beacon.interval;
            }
        }
        match count {
            0 => STRANGERS,
            1 => times(8.0, per_s).clamp(ALONE_LEAST, ALONE_MOST),
            _ => times(5.0, per_s).clamp(LEAST, MOST),
        }
    }

    /// Forgets those that went long ago.
    pub(super) fn prune(&mut self, now: Instant) {
        if self
            .pruned
            .is_none_or(|pruned| now.duration_since(pruned) >= PRUNE)
        {
            self.pruned = Some(now);
            self.beacons
                .retain(|_, beacon| now.duration_since(beacon.last) < FORGET);
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
