//! `Index`: the profile of an advertisement without asking every profile.

use std::{cmp::Reverse, sync::Arc};

use super::{
    Profile,
    matching::{Company, Match, pairs},
};
use crate::Advertisement;

/// Matches by what they name that is rarest. Within a list the one that asks for most comes first.
#[derive(Debug, Default)]
pub(super) struct Index {
    companies: Keyed<u16>,
    /// UUIDs as numbers, which are compared faster than their bytes.
    service_data: Keyed<u128>,
    services: Keyed<u128>,
    /// By the first byte of the name.
    names: Keyed<u8>,
    /// Names that begin with anything, and companies' data of any company.
    others: Vec<Entry>,
}

/// A match: its rank among all, its profile, and which of that profile's it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rank: u32,
    profile: u32,
    which: u32,
    /// Of the names that it asks for; who has not all of them in his name is not looked at.
    pairs: u64,
}

/// Sorted by key.
#[derive(Debug)]
struct Keyed<K>(Vec<(K, Vec<Entry>)>);

// === impl Index ===

impl Index {
    /// Of profiles; the first `own` of them are asked before the others, whatever they ask for, and general formats last.
    pub(super) fn of(profiles: &[Arc<Profile>], own: usize) -> Self {
        let mut matches = Vec::new();
        for (number, profile) in profiles.iter().enumerate() {
            for (which, found) in profile.matches.iter().enumerate() {
                let order = (number >= own, profile.general, Reverse(found.rank()));
                matches.push((order, number, which, found));
            }
        }
        matches.sort_by_key(|(order, number, which, _)| (*order, *number, *which));
        let mut index = Self::default();
        let number = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        for (rank, (_, profile, which, found)) in matches.into_iter().enumerate() {
            let entry = Entry {
                rank: number(rank),
                profile: number(profile),
                which: number(which),
                pairs: found.pairs(),
            };
            index.add(found, entry);
        }
        index
    }

    fn add(&mut self, found: &Match, entry: Entry) {
        if let Some(Company::One(company)) = found.company {
            self.companies.add(company, entry);
        } else if let Some(uuid) = found.service_data {
            self.service_data.add(uuid.as_u128(), entry);
        } else if let Some(uuid) = found.service {
            self.services.add(uuid.as_u128(), entry);
        } else if !found.names.is_empty()
            && found.names.iter().all(|name| name.first_byte().is_some())
        {
            for name in &found.names {
                if let Some(first) = name.first_byte() {
                    self.names.add(first, entry);
                }
            }
        } else {
            self.others.push(entry);
        }
    }

    /// The profile that an advertisement belongs to, by its number.
    pub(super) fn find(
        &self,
        profiles: &[Arc<Profile>],
        advertisement: &Advertisement,
    ) -> Option<usize> {
        let mut best: Option<Entry> = None;
        let name = advertisement.name.as_deref().unwrap_or_default();
        let missing = !pairs(name.as_bytes());
        let mut look = |entries: &[Entry]| {
            for entry in entries {
                if best.is_some_and(|best| best.rank <= entry.rank) {
                    return;
                }
                if entry.pairs & missing == 0 && entry.fits(profiles, advertisement) {
                    best = Some(*entry);
                    return;
                }
            }
        };
        for (company, _) in &advertisement.manufacturer {
            look(self.companies.of(company));
        }
        for (uuid, _) in &advertisement.service_data {
            look(self.service_data.of(&uuid.as_u128()));
        }
        for uuid in &advertisement.services {
            look(self.services.of(&uuid.as_u128()));
        }
        if let Some(first) = name.as_bytes().first() {
            look(self.names.of(first));
        }
        look(&self.others);
        best.and_then(|best| usize::try_from(best.profile).ok())
    }
}

// === impl Entry ===

impl Entry {
    fn fits(self, profiles: &[Arc<Profile>], advertisement: &Advertisement) -> bool {
        let (Ok(profile), Ok(which)) = (usize::try_from(self.profile), usize::try_from(self.which))
        else {
            return false;
        };
        profiles
            .get(profile)
            .and_then(|profile| profile.matches.get(which))
            .is_some_and(|found| found.find(advertisement).is_some())
    }
}

// === impl Keyed ===

impl<K: Ord + Copy> Keyed<K> {
    fn add(&mut self, key: K, entry: Entry) {
        match self.0.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.0[place].1.push(entry),
            Err(place) => self.0.insert(place, (key, vec![entry])),
        }
    }

    fn of(&self, key: &K) -> &[Entry] {
        match self.0.binary_search_by_key(key, |(key, _)| *key) {
            Ok(place) => &self.0[place].1,
            Err(_) => &[],
        }
    }
}

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
