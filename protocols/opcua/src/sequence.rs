//! `Sequence`: the order of a subscription's messages, and which of them may be acknowledged (OPC UA Part 4, 5.14.1.1). Pure.

use std::collections::BTreeSet;

/// More missing messages than any server keeps; asking for each would be no use.
const MAX_ASKED: u32 = 1000;

/// Messages that are kept and that the server did not list last: an answer that was overtaken lists fewer than there are.
const MAX_UNLISTED: usize = 1000;

/// What a message is in the order of its subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The one that was due.
    Due,
    /// It was there before.
    Repeated,
    /// These, in order, went missing before it.
    After(Vec<u32>),
    /// So many went missing before it that they are given up.
    FarAfter(u32),
}

/// Where a subscription is, and what has to be acknowledged.
#[derive(Debug)]
pub(crate) struct Sequence {
    due: u32,
    /// Kept durably, not yet acknowledged.
    kept: BTreeSet<u32>,
    /// What the server said last that it still has.
    available: BTreeSet<u32>,
    /// Heard of, and not handed over yet, or not accepted: to be asked for once more by another session.
    owed: BTreeSet<u32>,
}

/// What another session finds of a subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The messages to ask for once more, in their order.
    pub again: Vec<u32>,
    /// How many of those that are owed the server no longer has.
    pub gone: usize,
}

// === impl Sequence ===

impl Default for Sequence {
    /// Numbers start with 1.
    fn default() -> Self {
        Self {
            due: 1,
            kept: BTreeSet::new(),
            available: BTreeSet::new(),
            owed: BTreeSet::new(),
        }
    }
}

impl Sequence {
    /// A message with data arrived; what is due moves behind it.
    pub(crate) fn message(&mut self, sequence: u32) -> Arrival {
        let arrival = self.place(sequence);
        if arrival != Arrival::Repeated {
            self.due = next(sequence);
        }
        arrival
    }

    /// A keep-alive arrived; it carries the number of the next message.
    pub(crate) fn keep_alive(&mut self, upcoming: u32) -> Arrival {
        let arrival = self.place(upcoming);
        if arrival != Arrival::Repeated {
            self.due = upcoming;
        }
        arrival
    }

    /// The number of the next message.
    pub(crate) fn due(&self) -> u32 {
        self.due
    }

    pub(crate) fn set_available(&mut self, available: &[u32]) {
        self.available = available.iter().copied().collect();
    }

    /// The message's readings are durable.
    pub(crate) fn kept(&mut self, sequence: u32) {
        self.kept.insert(sequence);
    }

    /// Nobody has the message's readings yet, or they were not accepted: whoever is cut off here has to ask for it once more,
    /// though what is due has moved on.
    pub(crate) fn owe(&mut self, sequence: u32) {
        self.owed.insert(sequence);
    }

    /// The message's readings are on their way to the disk, or it is given up.
    pub(crate) fn settle(&mut self, sequence: u32) {
        self.owed.remove(&sequence);
    }

    /// After the server said in another session which messages it still has: those that are owed, and those that were not
    /// heard.
    pub(crate) fn resume(&mut self, available: &[u32]) -> Found {
        self.set_available(available);
        let owed = std::mem::take(&mut self.owed);
        let is_gone = |sequence: &&u32| {
            // What is due, or later, is missed when the next message comes.
            !self.available.contains(sequence) && self.place(**sequence) == Arrival::Repeated
        };
        let gone = owed.iter().filter(is_gone).count();
        let unheard = |sequence: &u32| sequence.wrapping_sub(self.due) <= MAX_ASKED;
        let mut again: Vec<u32> = available
            .iter()
            .copied()
            .filter(|sequence| unheard(sequence) || owed.contains(sequence))
            .collect();
        // Counted from far behind what is due, so that numbers that rolled over come last.
        let behind = self.due.wrapping_sub(u32::MAX / 2);
        again.sort_unstable_by_key(|sequence| sequence.wrapping_sub(behind));
        again.dedup();
        Found { again, gone }
    }

    /// What the next Publish request acknowledges. Numbers that the server no longer has are left out, because
    /// some servers drop the connection on them.
    pub(crate) fn take_acknowledgements(&mut self) -> Vec<u32> {
        let (listed, unlisted): (BTreeSet<u32>, BTreeSet<u32>) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition(|sequence| self.available.remove(sequence));
        self.kept = unlisted;
        while self.kept.len() > MAX_UNLISTED {
            self.kept.pop_first();
        }
        listed.into_iter().collect()
    }

    fn place(&self, sequence: u32) -> Arrival {
        let ahead = sequence.wrapping_sub(self.due);
        match ahead {
            0 => Arrival::Due,
            ahead if ahead > u32::MAX / 2 => Arrival::Repeated,
            ahead if ahead > MAX_ASKED => Arrival::FarAfter(ahead),
            _ => {
                let missing = std::iter::successors(Some(self.due), |at| Some(next(*at)));
                Arrival::After(missing.take_while(|at| *at != sequence).collect())
            }
        }
    }
}

/// Numbers roll over to 1, never to 0.
fn next(sequence: u32) -> u32 {
    sequence.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(due: u32) -> Sequence {
        Sequence {
            due,
            ..Sequence::default()
        }
    }

    #[test]
    fn messages_find_their_place() {
        for (due, sequence, expected) in [
            (1, 1, Arrival::Due),
            (5, 4, Arrival::Repeated),
            (5, 7, Arrival::After(vec![5, 6])),
            (5, 5000, Arrival::FarAfter(4995)),
            (u32::MAX, u32::MAX, Arrival::Due),
            (u32::MAX, 2, Arrival::After(vec![u32::MAX, 1])),
            (1, u32::MAX, Arrival::Repeated),
        ] {
            assert_eq!(at(due).message(sequence), expected, "{due} {sequence}");
        }
    }

    #[test]
    fn numbers_roll_over_to_one() {
        let mut sequence = at(u32::MAX);
        assert_eq!(sequence.message(u32::MAX), Arrival::Due);
        assert_eq!(sequence.message(1), Arrival::Due);
        assert_eq!(sequence.message(u32::MAX), Arrival::Repeated);
    }

    #[test]
    fn a_keep_alive_carries_the_next_number() {
        let mut sequence = at(3);
        assert_eq!(sequence.keep_alive(3), Arrival::Due);
        assert_eq!(sequence.message(3), Arrival::Due);
        assert_eq!(sequence.keep_alive(6), Arrival::After(vec![4, 5]));
        assert_eq!(sequence.message(6), Arrival::Due);
    }

    #[test]
    fn another_session_asks_for_what_was_not_heard_and_what_was_not_accepted() {
        let mut sequence = at(u32::MAX);
        // One is gone, one was handed over after all, and one is missed when the next one comes.
        for owed in [u32::MAX - 4, u32::MAX - 3, u32::MAX - 2, 3] {
            sequence.owe(owed);
        }
        sequence.settle(u32::MAX - 3);
        let available = [1, 2, u32::MAX - 2, u32::MAX - 1, u32::MAX];
        let found = Found {
            again: vec![u32::MAX - 2, u32::MAX, 1, 2],
            gone: 1,
        };
        assert_eq!(sequence.resume(&available), found);
        sequence.kept(u32::MAX - 1);
        assert_eq!(sequence.take_acknowledgements(), [u32::MAX - 1]);
        let nothing = Found {
            again: Vec::new(),
            gone: 0,
        };
        assert_eq!(at(9).resume(&[7, 8]), nothing);
    }

    #[test]
    fn only_what_is_kept_on_both_sides_is_acknowledged_and_only_once() {
        let mut sequence = Sequence::default();
        sequence.set_available(&[1, 2, 3]);
        assert_eq!(sequence.take_acknowledgements(), Vec::<u32>::new());
        for kept in [1, 2, 7] {
            sequence.kept(kept);
        }
        assert_eq!(sequence.take_acknowledgements(), [1, 2]);
        sequence.set_available(&[1, 2, 3]);
        assert_eq!(sequence.take_acknowledgements(), Vec::<u32>::new());
    }

    /// The server would keep it for as long as the subscription lives.
    #[test]
    fn what_an_overtaken_answer_does_not_list_is_acknowledged_once_it_is_listed() {
        let mut sequence = Sequence::default();
        for available in [&[1, 2, 3][..], &[1, 2]] {
            sequence.set_available(available);
        }
        (1..=3).for_each(|kept| sequence.kept(kept));
        assert_eq!(sequence.take_acknowledgements(), [1, 2]);
        sequence.set_available(&[3, 4]);
        assert_eq!(sequence.take_acknowledgements(), [3]);
        // A server that never lists any costs no memory.
        (4..5_000).for_each(|kept| sequence.kept(kept));
        assert_eq!(sequence.take_acknowledgements(), [4]);
        assert_eq!(sequence.kept.len(), MAX_UNLISTED);
    }
}
