//! `Known`: the commands that are known by their ids; what may have changed something, and what was refused or only
//! reads, each in a ring of its own. Pure.

use std::collections::{HashMap, VecDeque};

use fieldgate_model::Timestamp;

use super::{Begun, Entry, Line, ROOM_BYTES, Reply};
use crate::commands::{LONGEST_TTL, before};

/// So many of each ring are known at least, however old; of the others no more.
pub(super) const REMEMBERED: usize = 2000;
/// So many are listed.
const LISTED: usize = 2000;

#[derive(Default)]
pub(super) struct Known {
    entries: HashMap<String, Kept>,
    /// What may have changed something: known while it is younger than any command may become.
    deeds: VecDeque<String>,
    others: VecDeque<String>,
    /// Of the lines of `deeds`.
    bytes: u64,
    next: u64,
    forgotten: Vec<String>,
}

struct Kept {
    entry: Entry,
    is_deed: bool,
    bytes: u64,
    /// When it was begun; never later than now, where the clock was set back.
    since: Timestamp,
    /// Counts up as they come.
    number: u64,
}

// === impl Known ===

impl Known {
    pub(super) fn find(&self, id: &str) -> Option<&Entry> {
        Some(&self.entries.get(id)?.entry)
    }

    pub(super) fn is_deed(&self, id: &str) -> bool {
        self.entries.get(id).is_some_and(|kept| kept.is_deed)
    }

    /// A line, which has so many bytes on the disk.
    pub(super) fn take(&mut self, line: Line, bytes: u64, now: Timestamp) {
        let is_deed = line.is_deed();
        let Line { begun, ended, told } = line;
        let ended_id = ended.as_ref().map(|ended| ended.id.clone());
        let id = begun.as_ref().map(|begun| begun.id.clone());
        let Some(id) = id.or(ended_id).or_else(|| told.clone()) else {
            return;
        };
        if let Some(begun) = begun {
            self.begin(&id, begun, is_deed, now);
        }
        if let Some(kept) = self.entries.get_mut(&id) {
            kept.entry.ended = ended.or(kept.entry.ended.take());
            kept.entry.told |= told.is_some();
            kept.bytes += bytes;
            if kept.is_deed {
                self.bytes += bytes;
            }
        }
        self.forget(now);
    }

    fn begin(&mut self, id: &str, begun: Begun, is_deed: bool, now: Timestamp) {
        let known = self.entries.remove(id);
        // One that comes once more under an id that was forgotten and is read again.
        if let Some(known) = known {
            self.leave(id, &known);
        }
        let kept = Kept {
            is_deed,
            bytes: 0,
            since: begun.at.min(now),
            number: self.next,
            entry: Entry {
                begun,
                ended: None,
                told: false,
            },
        };
        self.next += 1;
        match is_deed {
            true => self.deeds.push_back(id.to_owned()),
            false => self.others.push_back(id.to_owned()),
        }
        self.entries.insert(id.to_owned(), kept);
    }

    fn leave(&mut self, id: &str, known: &Kept) {
        let ring = match known.is_deed {
            true => &mut self.deeds,
            false => &mut self.others,
        };
        ring.retain(|other| other != id);
        if known.is_deed {
            self.bytes -= known.bytes;
        }
    }

    /// Puts what was read from several files into the order in which it came.
    pub(super) fn sort(&mut self) {
        let mut ids: Vec<(Timestamp, u64, String)> = self
            .entries
            .iter()
            .map(|(id, kept)| (kept.entry.begun.at, kept.number, id.clone()))
            .collect();
        ids.sort();
        for (number, (_, _, id)) in (0..).zip(ids) {
            if let Some(kept) = self.entries.get_mut(&id) {
                kept.number = number;
            }
        }
        let number = |id: &String| self.entries.get(id).map(|kept| kept.number);
        self.deeds.make_contiguous().sort_by_key(number);
        self.others.make_contiguous().sort_by_key(number);
    }

    /// The bytes on the disk of what has to stay known, and of what is there besides because there is room.
    pub(super) fn young_bytes(&mut self, now: Timestamp) -> u64 {
        self.forget(now);
        self.bytes
    }

    /// The newest first.
    pub(super) fn last(&self) -> Vec<Entry> {
        let of = |ring: &VecDeque<String>| -> Vec<&Kept> {
            let newest = ring.iter().rev().take(LISTED);
            newest.filter_map(|id| self.entries.get(id)).collect()
        };
        let mut all = of(&self.deeds);
        all.extend(of(&self.others));
        all.sort_by_key(|kept| std::cmp::Reverse(kept.number));
        let newest = all.into_iter().take(LISTED);
        newest.map(|kept| kept.entry.clone()).collect()
    }

    /// The oldest first.
    pub(super) fn owed(&self, destination: &str, since: Timestamp) -> Vec<(&Entry, &Reply)> {
        let owed = |kept: &&Kept| kept.entry.begun.at >= since && kept.entry.is_owed(destination);
        let mut all: Vec<&Kept> = self.entries.values().filter(owed).collect();
        all.sort_by_key(|kept| kept.number);
        let all = all.into_iter().map(|kept| &kept.entry);
        all.filter_map(|entry| Some((entry, entry.begun.reply.as_ref()?)))
            .collect()
    }

    pub(super) fn forgotten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.forgotten)
    }

    /// The others go when there are more of them; what may have changed something only when it is old, too.
    fn forget(&mut self, now: Timestamp) {
        while self.others.len() > REMEMBERED {
            let oldest = self.others.pop_front();
            self.drop_one(oldest, now);
        }
        while self.deeds.len() > REMEMBERED || self.bytes > ROOM_BYTES {
            if self.oldest_deed(now) >= before(now, LONGEST_TTL) {
                return;
            }
            let oldest = self.deeds.pop_front();
            self.drop_one(oldest, now);
        }
    }

    /// Since when the oldest is known. Where the clock was set back, everything counts from now on.
    fn oldest_deed(&mut self, now: Timestamp) -> Timestamp {
        let oldest = self.deeds.front().and_then(|id| self.entries.get(id));
        let since = oldest.map_or(now, |kept| kept.since);
        if since > now {
            for kept in self.entries.values_mut() {
                kept.since = kept.since.min(now);
            }
        }
        since.min(now)
    }

    fn drop_one(&mut self, id: Option<String>, now: Timestamp) {
        let Some(kept) = id.and_then(|id| self.entries.remove(&id)) else {
            return;
        };
        if kept.is_deed {
            self.bytes -= kept.bytes;
        }
        let entry = kept.entry;
        if let Some(reply) = entry.begun.reply
            && !entry.told
            && entry.begun.at >= before(now, LONGEST_TTL)
        {
            self.forgotten.push(reply.destination);
        }
    }
}
