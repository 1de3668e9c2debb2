//! Which letters there are (pure): a few bytes for each in memory, so that groups are counted without reading the disk.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use fieldgate_model::Timestamp;

use super::letter::Letter;

/// Different pairs of destination and reason that are told apart; the rest of a destination is counted together.
const MAX_GROUPS: usize = 500;
const OTHER: &str = "other reasons";

/// Which letters something is asked of or done to; without a filter, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    pub destination: Option<String>,
    pub reason: Option<String>,
    pub ids: Option<Vec<u64>>,
    /// Only numbers from the first to the second.
    pub within: Option<(u64, u64)>,
}

/// Letters that one destination refused in the same words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub destination: Arc<str>,
    pub reason: Arc<str>,
    pub letters: u64,
    pub first_refused_at: Timestamp,
    pub last_refused_at: Timestamp,
}

/// The letters that nobody has decided about.
#[derive(Debug, Default)]
pub struct Index {
    slips: BTreeMap<u64, Slip>,
    keys: Vec<(Arc<str>, Arc<str>)>,
    numbers: HashMap<(Arc<str>, Arc<str>), u32>,
}

#[derive(Debug, Clone, Copy)]
struct Slip {
    group: u32,
    refused_at: Timestamp,
}

impl Index {
    pub fn insert(&mut self, id: u64, letter: &Letter) {
        let group = self.group(&letter.destination, &letter.why);
        let refused_at = letter.refused_at;
        self.slips.insert(id, Slip { group, refused_at });
    }

    pub fn remove(&mut self, id: u64) -> bool {
        self.slips.remove(&id).is_some()
    }

    /// Forgets letters before `first`, and says how many there were.
    pub fn forget_before(&mut self, first: u64) -> u64 {
        let kept = self.slips.split_off(&first);
        std::mem::replace(&mut self.slips, kept).len() as u64
    }

    pub fn len(&self) -> usize {
        self.slips.len()
    }

    pub fn first(&self) -> Option<u64> {
        self.slips.keys().next().copied()
    }

    /// The chosen letters, the oldest first.
    pub fn select(&self, choice: &Choice) -> Vec<u64> {
        let wanted: Vec<bool> = self
            .keys
            .iter()
            .map(|(destination, reason)| {
                let of = |filter: &Option<String>, key: &str| {
                    filter.as_ref().is_none_or(|filter| filter == key)
                };
                of(&choice.destination, destination) && of(&choice.reason, reason)
            })
            .collect();
        let is_wanted = |slip: &Slip| wanted.get(slip.group as usize).copied().unwrap_or(false);
        let (first, last) = choice.within.unwrap_or((0, u64::MAX));
        if first > last {
            return Vec::new();
        }
        match &choice.ids {
            None => {
                let slips = self.slips.range(first..=last);
                let wanted = slips.filter(|(_, slip)| is_wanted(slip));
                wanted.map(|(id, _)| *id).collect()
            }
            Some(ids) => {
                let there = |id: &u64| {
                    (first..=last).contains(id) && self.slips.get(id).is_some_and(is_wanted)
                };
                let mut ids: Vec<u64> = ids.iter().copied().filter(there).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            }
        }
    }

    /// The groups that have letters, the largest first.
    pub fn groups(&self) -> Vec<Group> {
        let mut sums: BTreeMap<u32, Group> = BTreeMap::new();
        for slip in self.slips.values() {
            let (destination, reason) = &self.keys[slip.group as usize];
            let group = sums.entry(slip.group).or_insert_with(|| Group {
                destination: Arc::clone(destination),
                reason: Arc::clone(reason),
                letters: 0,
                first_refused_at: slip.refused_at,
                last_refused_at: slip.refused_at,
            });
            group.letters += 1;
            group.first_refused_at = group.first_refused_at.min(slip.refused_at);
            group.last_refused_at = group.last_refused_at.max(slip.refused_at);
        }
        let mut groups: Vec<Group> = sums.into_values().collect();
        groups.sort_by_key(|group| Reverse(group.letters));
        groups
    }

    fn group(&mut self, destination: &str, reason: &str) -> u32 {
        let key = (Arc::from(destination), Arc::from(reason));
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        if self.keys.len() >= MAX_GROUPS && reason != OTHER {
            return self.group(destination, OTHER);
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(letters: &[(u64, &str, &str)]) -> Index {
        let mut index = Index::default();
        for (id, destination, why) in letters {
            let letter = Letter {
                message_id: String::new(),
                destination: (*destination).into(),
                why: (*why).into(),
                refused_at: Timestamp::from_millis(i64::try_from(*id).unwrap()),
                frame: bytes::Bytes::new(),
                routes: Vec::new(),
                first_refused_at: Timestamp::default(),
                attempts: 1,
            };
            index.insert(*id, &letter);
        }
        index
    }

    #[test]
    fn letters_are_chosen_by_destination_reason_and_id() {
        let index = index(&[(1, "a", "x"), (2, "a", "y"), (3, "b", "x"), (5, "a", "x")]);
        let choose = |destination: &str, reason: &str, ids: Option<&[u64]>, within| {
            let filter = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            index.select(&Choice {
                destination: filter(destination),
                reason: filter(reason),
                ids: ids.map(<[u64]>::to_vec),
                within,
            })
        };
        assert_eq!(choose("", "", None, None), [1, 2, 3, 5]);
        assert_eq!(choose("a", "x", None, None), [1, 5]);
        assert_eq!(choose("", "x", Some(&[5, 3, 3, 4]), None), [3, 5]);
        assert_eq!(choose("", "", None, Some((2, 3))), [2, 3]);
        assert_eq!(choose("", "", Some(&[1, 5]), Some((2, 9))), [5]);
        assert!(choose("", "", None, Some((3, 2))).is_empty());
        assert!(choose("c", "", None, None).is_empty());
        let groups = index.groups();
        assert_eq!(
            (
                &*groups[0].destination,
                &*groups[0].reason,
                groups[0].letters
            ),
            ("a", "x", 2)
        );
        let span = (
            groups[0].first_refused_at.millis(),
            groups[0].last_refused_at.millis(),
        );
        assert_eq!(span, (1, 5));
    }

    #[test]
    fn reasons_without_end_are_counted_together() {
        let reasons: Vec<String> = (0..MAX_GROUPS + 20)
            .map(|number| format!("no {number}"))
            .collect();
        let letters: Vec<_> = reasons
            .iter()
            .zip(1..)
            .map(|(why, id)| (id, "a", why.as_str()))
            .collect();
        let mut index = index(&letters);
        let groups = index.groups();
        assert_eq!(groups.len(), MAX_GROUPS + 1);
        assert_eq!((&*groups[0].reason, groups[0].letters), (OTHER, 20));
        assert_eq!(index.forget_before(11), 10);
        assert_eq!((index.first(), index.len()), (Some(11), MAX_GROUPS + 10));
    }
}
