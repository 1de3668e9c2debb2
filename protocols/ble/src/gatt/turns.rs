//! `Turns`: who may be connected by an adapter that bears only so many connections at once. Pure: time is given.
//!
//! - One connection is made at a time, since the adapter's scan pauses meanwhile.
//! - Who waits longest comes next; one that failed lately waits ten seconds more for each failure, at most a minute, so that devices
//!   that cannot be reached do not hold up those that can.
//! - A command overtakes all who wait, and somebody has to leave for it at once.
//! - While others wait, a device that has told its values leaves after five seconds, any other after thirty: the one that has had
//!   its turn longest. So everybody has a turn within a bounded time, however many they are.

use std::time::Duration;

use tokio::time::Instant;

use crate::Address;

/// A device that told all its values keeps its connection so long while others wait.
const SHORT: Duration = Duration::from_secs(5);
/// Any other.
pub(super) const LONG: Duration = Duration::from_secs(30);
const PENALTY: Duration = Duration::from_secs(10);
const PENALTIES_AT_MOST: u32 = 6;

/// The connections of one adapter.
#[derive(Debug)]
pub(super) struct Turns {
    limit: usize,
    holders: Vec<Holder>,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Holder {
    who: Address,
    /// Since when it is connected; none while the connection is made.
    since: Option<Instant>,
    /// It has told all its values.
    satisfied: bool,
    /// It was asked to leave.
    leaving: bool,
    /// A command or a person needs it until then.
    needed_until: Option<Instant>,
}

#[derive(Debug)]
struct Waiter {
    who: Address,
    since: Instant,
    /// Counts as if it had come so much later.
    later: Duration,
    urgent: bool,
}

// === impl Turns ===

impl Turns {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit: usize::try_from(limit.max(1)).unwrap_or(1),
            holders: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Waits for a turn; who waits already keeps its place, and may become urgent.
    pub(super) fn ask(&mut self, who: Address, urgent: bool, failures: u32, now: Instant) {
        if let Some(waiter) = self.waiting.iter_mut().find(|waiter| waiter.who == who) {
            waiter.urgent |= urgent;
        } else if !self.holds(who) {
            self.waiting.push(Waiter {
                who,
                since: now,
                later: PENALTY * failures.min(PENALTIES_AT_MOST),
                urgent,
            });
        }
    }

    /// Neither waits nor holds any more.
    pub(super) fn leave(&mut self, who: Address) {
        self.holders.retain(|holder| holder.who != who);
        self.waiting.retain(|waiter| waiter.who != who);
    }

    /// Who may connect now, if somebody may. It holds a connection from now on.
    pub(super) fn grant(&mut self) -> Option<Address> {
        let making = self.holders.iter().any(|holder| holder.since.is_none());
        if making || self.holders.len() >= self.limit {
            return None;
        }
        let waiting = self.waiting.iter().enumerate();
        let (next, _) =
            waiting.min_by_key(|(_, waiter)| (!waiter.urgent, waiter.since + waiter.later))?;
        let who = self.waiting.remove(next).who;
        self.holders.push(Holder {
            who,
            since: None,
            satisfied: false,
            leaving: false,
            needed_until: None,
        });
        Some(who)
    }

    /// Its connection is made: its turn begins.
    pub(super) fn connected(&mut self, who: Address, now: Instant) {
        if let Some(holder) = self.holder(who) {
            holder.since = Some(now);
        }
    }

    /// It has told all its values.
    pub(super) fn satisfied(&mut self, who: Address) {
        if let Some(holder) = self.holder(who) {
            holder.satisfied = true;
        }
    }

    /// A command or a person needs it for a while.
    pub(super) fn needed(&mut self, who: Address, until: Instant) {
        if let Some(holder) = self.holder(who) {
            holder.needed_until = Some(until);
        }
    }

    /// Who has to leave, so that somebody who waits can come; it is told once.
    pub(super) fn evict(&mut self, now: Instant) -> Option<Address> {
        let free = self.limit.saturating_sub(self.holders.len());
        let leaving = self.holders.iter().filter(|holder| holder.leaving).count();
        let making = self
            .holders
            .iter()
            .filter(|holder| holder.since.is_none())
            .count();
        // One at a time comes, so that one at a time has to leave.
        if self.waiting.is_empty() || free + leaving + making > 0 {
            return None;
        }
        let urgent = self.waiting.iter().any(|waiter| waiter.urgent);
        let may = |holder: &&mut Holder| {
            let Some(since) = holder.since else {
                return false;
            };
            let had = now.saturating_duration_since(since);
            let needed = holder.needed_until.is_some_and(|until| until > now);
            !needed && (urgent || had >= if holder.satisfied { SHORT } else { LONG })
        };
        let holders = self.holders.iter_mut().filter(may);
        let leaves = holders.min_by_key(|holder| (!holder.satisfied, holder.since))?;
        leaves.leaving = true;
        Some(leaves.who)
    }

    pub(super) fn holds(&self, who: Address) -> bool {
        self.holders.iter().any(|holder| holder.who == who)
    }

    /// Connections that are open or being made.
    pub(super) fn count(&self) -> usize {
        self.holders.len()
    }

    fn holder(&mut self, who: Address) -> Option<&mut Holder> {
        self.holders.iter_mut().find(|holder| holder.who == who)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn who(number: u8) -> Address {
        Address([0, 0, 0, 0, 0, number])
    }

    /// Devices that come back as soon as they left, on an adapter, second by second. Connecting takes two seconds; those above
    /// `reachable` fail after 45.
    struct World {
        turns: Turns,
        now: Instant,
        connecting: Option<(u8, Instant)>,
        failures: BTreeMap<u8, u32>,
        /// How long each waited at most, and since when it waits.
        longest: BTreeMap<u8, Duration>,
        since: BTreeMap<u8, Instant>,
        reachable: u8,
        satisfied_after: Duration,
        open: BTreeMap<u8, Instant>,
        turns_had: BTreeMap<u8, u32>,
    }

    impl World {
        fn new(limit: u32, devices: u8, reachable: u8, satisfied_after: u64) -> Self {
            let now = Instant::now();
            let mut world = Self {
                turns: Turns::new(limit),
                now,
                connecting: None,
                failures: BTreeMap::new(),
                longest: BTreeMap::new(),
                since: BTreeMap::new(),
                reachable,
                satisfied_after: Duration::from_secs(satisfied_after),
                open: BTreeMap::new(),
                turns_had: BTreeMap::new(),
            };
            for device in 0..devices {
                world.wait(device);
            }
            world
        }

        fn wait(&mut self, device: u8) {
            let failures = self.failures.get(&device).copied().unwrap_or_default();
            self.turns.ask(who(device), false, failures, self.now);
            self.since.insert(device, self.now);
        }

        fn second(&mut self) {
            self.now += Duration::from_secs(1);
            if let Some((device, since)) = self.connecting {
                let takes = if device < self.reachable { 2 } else { 45 };
                if self.now - since >= Duration::from_secs(takes) {
                    self.connecting = None;
                    if device < self.reachable {
                        self.turns.connected(who(device), self.now);
                        self.open.insert(device, self.now);
                        *self.turns_had.entry(device).or_default() += 1;
                    } else {
                        self.turns.leave(who(device));
                        *self.failures.entry(device).or_default() += 1;
                        self.wait(device);
                    }
                }
            }
            for (device, since) in &self.open {
                if self.now - *since >= self.satisfied_after {
                    self.turns.satisfied(who(*device));
                }
            }
            if let Some(leaves) = self.turns.evict(self.now) {
                let device = leaves.0[5];
                assert!(self.open.remove(&device).is_some());
                self.turns.leave(leaves);
                self.wait(device);
            }
            if let Some(next) = self.turns.grant() {
                let device = next.0[5];
                let waited = self.now - self.since[&device];
                let longest = self.longest.entry(device).or_default();
                *longest = waited.max(*longest);
                assert_eq!(self.connecting, None, "two connections are made at once");
                self.connecting = Some((device, self.now));
            }
            assert!(self.turns.count() <= self.turns.limit);
        }

        fn run(mut self, seconds: u32) -> Self {
            for _ in 0..seconds {
                self.second();
            }
            self
        }
    }

    #[test]
    fn who_fits_keeps_its_connection() {
        let world = World::new(5, 5, 5, 1).run(3_600);
        assert!((0..5).all(|device| world.turns_had[&device] == 1));
    }

    #[test]
    fn nobody_starves_when_devices_outnumber_the_connections() {
        for (limit, devices, satisfied_after) in [(1, 12, 1), (5, 30, 1), (5, 30, 1_000), (3, 4, 1)]
        {
            let world = World::new(limit, devices, devices, satisfied_after).run(7_200);
            let had: Vec<u32> = world.turns_had.values().copied().collect();
            assert_eq!(had.len(), usize::from(devices));
            let (least, most) = (had.iter().min().unwrap(), had.iter().max().unwrap());
            assert!(most - least <= 1, "{limit} {devices}: {had:?}");
            let longest = world.longest.values().max().unwrap();
            let bound =
                LONG * u32::from(devices).div_ceil(limit) + Duration::from_secs(4) * devices.into();
            assert!(*longest <= bound, "{longest:?} of {bound:?}");
        }
    }

    #[test]
    fn those_that_cannot_be_reached_do_not_hold_up_the_others() {
        let world = World::new(2, 12, 6, 1).run(7_200);
        let had: Vec<u32> = (0..6).map(|device| world.turns_had[&device]).collect();
        assert!(had.iter().all(|turns| *turns >= 15), "{had:?}");
        assert!(world.failures.values().all(|failures| *failures > 3));
    }

    #[test]
    fn a_command_is_next_and_somebody_leaves_for_it() {
        let mut turns = Turns::new(2);
        let start = Instant::now();
        for device in 0..2 {
            turns.ask(who(device), false, 0, start);
            assert_eq!(turns.grant(), Some(who(device)));
            turns.connected(who(device), start + Duration::from_secs(device.into()));
        }
        turns.ask(who(7), false, 0, start);
        turns.ask(who(8), true, 0, start + Duration::from_secs(2));
        let now = start + Duration::from_secs(3);
        turns.needed(who(0), now + Duration::from_secs(9));
        assert_eq!(turns.grant(), None);
        assert_eq!(turns.evict(now), Some(who(1)), "0 is needed itself");
        assert_eq!(turns.evict(now), None, "one is enough");
        turns.leave(who(1));
        assert_eq!(turns.grant(), Some(who(8)));
        turns.connected(who(8), now);
        assert_eq!(turns.evict(now), None, "7 waits, and nobody's turn is over");
        assert_eq!(turns.evict(start + LONG + LONG), Some(who(0)));
    }

    #[test]
    fn who_gives_up_waiting_is_forgotten() {
        let mut turns = Turns::new(1);
        let now = Instant::now();
        turns.ask(who(1), false, 0, now);
        turns.ask(who(1), true, 0, now);
        turns.leave(who(1));
        assert_eq!(turns.grant(), None);
        assert_eq!(turns.count(), 0);
    }
}
