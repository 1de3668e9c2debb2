//! Who a device is: by its own address where that lasts, by an identity resolving key where it changes, and nobody otherwise.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Address, AddressKind, crypto};

/// Addresses whose owner is remembered; when there are more, all are looked up anew.
const REMEMBERED: usize = 4_096;
/// Passing devices that are told apart within one span; beyond it is "at least".
const COUNTED: usize = 20_000;
/// Passing devices are counted for the last minute, in two halves.
const HALF: Duration = Duration::from_secs(30);

/// Whose advertisement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This one's, today and tomorrow.
    Known(Address),
    /// Somebody's who does not want to be known.
    Passing,
}

/// The keys of devices whose addresses change, and what was resolved with them.
#[derive(Debug, Default)]
pub struct Identities {
    keys: Vec<(Address, [u8; 16])>,
    resolved: HashMap<Address, Option<Address>>,
}

/// How many pass by.
#[derive(Debug)]
pub struct Passing {
    since: Instant,
    this: HashSet<Address>,
    before: HashSet<Address>,
}

// === impl Identities ===

impl Identities {
    /// Devices by their identity addresses, with the keys that resolve the others.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (Address, [u8; 16])>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            resolved: HashMap::new(),
        }
    }

    /// Whose an address is.
    pub fn who(&mut self, address: Address, random: bool) -> Who {
        match address.kind(random) {
            AddressKind::Public | AddressKind::RandomStatic => Who::Known(address),
            AddressKind::NonResolvable => Who::Passing,
            AddressKind::Resolvable if self.keys.is_empty() => Who::Passing,
            AddressKind::Resolvable => self.resolve(address).map_or(Who::Passing, Who::Known),
        }
    }

    fn resolve(&mut self, address: Address) -> Option<Address> {
        if let Some(known) = self.resolved.get(&address) {
            return *known;
        }
        let mut keys = self.keys.iter();
        let owner = keys
            .find(|(_, key)| crypto::resolves(key, address))
            .map(|(identity, _)| *identity);
        if self.resolved.len() >= REMEMBERED {
            self.resolved.clear();
        }
        self.resolved.insert(address, owner);
        owner
    }
}

// === impl Passing ===

impl Passing {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            this: HashSet::new(),
            before: HashSet::new(),
        }
    }

    /// One passed by.
    pub fn heard(&mut self, address: Address, now: Instant) {
        self.turn(now);
        if self.this.len() < COUNTED {
            self.this.insert(address);
        }
    }

    /// How many passed by within the last half minute to minute.
    pub fn count(&mut self, now: Instant) -> u64 {
        self.turn(now);
        let earlier = self.before.difference(&self.this).count();
        (self.this.len() + earlier) as u64
    }

    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < HALF {
            return;
        }
        self.since = now;
        self.before = std::mem::take(&mut self.this);
        if passed >= HALF * 2 {
            self.before.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample data of Core 5.4, Vol 3 Part H, D.7.
    const KEY: [u8; 16] = [
        0xec, 0x02, 0x34, 0xa3, 0x57, 0xc8, 0xad, 0x05, 0x34, 0x10, 0x10, 0xa6, 0x0a, 0x39, 0x7d,
        0x9b,
    ];
    const OF_KEY: Address = Address([0x70, 0x81, 0x94, 0x0d, 0xfb, 0xaa]);

    #[test]
    fn a_key_tells_whose_a_changing_address_is() {
        let phone = Address([0x10, 0, 0, 0, 0, 1]);
        let mut identities = Identities::new([(phone, KEY)]);
        assert_eq!(identities.who(OF_KEY, true), Who::Known(phone));
        let mut other = OF_KEY;
        other.0[5] ^= 1;
        assert_eq!(identities.who(other, true), Who::Passing);
        assert_eq!(Identities::default().who(OF_KEY, true), Who::Passing);
    }

    #[test]
    fn lasting_addresses_need_no_key() {
        let mut identities = Identities::default();
        let fixed = Address([0xC0, 1, 2, 3, 4, 5]);
        assert_eq!(identities.who(fixed, true), Who::Known(fixed));
        assert_eq!(
            identities.who(OF_KEY, false),
            Who::Known(OF_KEY),
            "a public one"
        );
        assert_eq!(identities.who(Address([0x10; 6]), true), Who::Passing);
    }

    #[test]
    fn who_passes_is_counted_for_a_minute_and_within_bounds() {
        let start = Instant::now();
        let mut passing = Passing::new(start);
        let address = |n: u32| {
            let [a, b, c, d] = n.to_be_bytes();
            Address([0x40, 0, a, b, c, d])
        };
        for n in 0..100 {
            passing.heard(address(n), start);
            passing.heard(address(n), start);
        }
        assert_eq!(passing.count(start), 100);
        assert_eq!(passing.count(start + HALF), 100);
        assert_eq!(passing.count(start + HALF * 2), 0);
        for n in 0..100_000 {
            passing.heard(address(n), start + HALF * 9);
        }
        assert_eq!(passing.count(start + HALF * 9), COUNTED as u64);
    }
}
