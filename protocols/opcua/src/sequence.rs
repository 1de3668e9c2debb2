//! `Sequence`: the order of a subscription's messages, and which of them may be acknowledged (OPC UA Part 4, 5.14.1.1). Pure.

use std::collections::BTreeSet;

/// More missing messages than any server keeps; asking for each would be no use.
const MAX_ASKED: u32 = 1000;

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
    /// Handed over, and not accepted: to be asked for once more.
    refused: BTreeSet<u32>,
}

// === impl Sequence ===

impl Default for Sequence {
    /// Numbers start with 1.
    fn default() -> Self {
        Self {
            due: 1,
            kept: BTreeSet::new(),
            available: BTreeSet::new(),
            refused: BTreeSet::new(),
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

    /// The message's readings were not accepted.
    pub(crate) fn refused(&mut self, sequence: u32) {
        self.refused.insert(sequence);
    }

    /// The messages to ask for once more, after the server said in another session which of them it still has: those that
    /// were not accepted, and those that were not heard, in their order.
    pub(crate) fn resume(&mut self, available: &[u32]) -> Vec<u32> {
        self.set_available(available);
        let refused = std::mem::take(&mut self.refused);
        let unheard = |sequence: &u32| sequence.wrapping_sub(self.due) <= MAX_ASKED;
        let mut again: Vec<u32> = available
            .iter()
            .copied()
            .filter(|sequence| unheard(sequence) || refused.contains(sequence))
            .collect();
        // Counted from far behind what is due, so that numbers that rolled over come last.
        let behind = self.due.wrapping_sub(u32::MAX / 2);
        again.sort_unstable_by_key(|sequence| sequence.wrapping_sub(behind));
        again.dedup();
        again
    }

    /// What the next Publish request acknowledges. Numbers that the server no longer has are left out, because
    /// some servers drop the connection on them.
    pub(crate) fn take_acknowledgements(&mut self) -> Vec<u32> {
        let kept = std::mem::take(&mut self.kept);
        kept.into_iter()
            .filter(|sequence| self.available.remove(sequence))
            .collect()
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
        for refused in [3, u32::MAX - 2] {
            sequence.refused(refused);
        }
        let available = [1, 2, u32::MAX - 2, u32::MAX - 1, u32::MAX];
        assert_eq!(sequence.resume(&available), [u32::MAX - 2, u32::MAX, 1, 2]);
        sequence.kept(u32::MAX - 1);
        assert_eq!(sequence.take_acknowledgements(), [u32::MAX - 1]);
        assert_eq!(at(9).resume(&[7, 8]), Vec::<u32>::new());
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
}
