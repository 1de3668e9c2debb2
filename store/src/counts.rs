//! What is counted of deliveries (pure): the same exits under the same names, for each route and for each replay.

use serde::{Deserialize, Serialize};

use crate::{
    manifest::PerBit,
    types::{EvictedBy, Exit, RouteBit, Seq},
};

/// The exits of one account, and what came in. What is pending is counted beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub accepted: u64,
    pub acked: u64,
    pub expired: u64,
    pub evicted_by: EvictedBy,
    pub dead_lettered: u64,
    pub lost_detected: u64,
}

/// How deliveries leave by the queue's own decision, without their consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The lane was full.
    Full,
    /// Others tell them.
    Thinned,
    /// A person emptied the consumer's queue.
    Purged,
    /// Their consumer, or their replay, was removed.
    Removed,
    /// Older than the lane's limit.
    Expired,
    /// They cannot be read.
    Lost,
}

/// What was taken from under a reader and may still be acknowledged, because it was in flight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contested {
    /// Whoever acknowledges this has passed it all.
    pub until: Seq,
    /// In the order of the records.
    taken: Vec<(Gone, PerBit)>,
}

// === impl Counts ===

impl Counts {
    pub fn exit(&mut self, exit: Exit) -> &mut u64 {
        match exit {
            Exit::Acked => &mut self.acked,
            Exit::Expired => &mut self.expired,
            Exit::DeadLettered => &mut self.dead_lettered,
            Exit::Purged => &mut self.evicted_by.purged,
        }
    }

    pub fn gone(&mut self, gone: Gone) -> &mut u64 {
        match gone {
            Gone::Full => &mut self.evicted_by.full,
            Gone::Thinned => &mut self.evicted_by.thinned,
            Gone::Purged => &mut self.evicted_by.purged,
            Gone::Removed => &mut self.evicted_by.removed,
            Gone::Expired => &mut self.expired,
            Gone::Lost => &mut self.lost_detected,
        }
    }

    /// What is accepted and has not left, by these counts.
    pub fn outstanding(&self) -> i64 {
        let exits = self.acked
            + self.expired
            + self.evicted_by.total()
            + self.dead_lettered
            + self.lost_detected;
        self.accepted as i64 - exits as i64
    }
}

// === impl Contested ===

impl Contested {
    /// Adds deliveries that are taken now, behind those taken before.
    pub fn add(&mut self, until: Seq, gone: Gone, counts: PerBit) {
        self.until = self.until.max(until);
        match self.taken.last_mut() {
            Some((same, before)) if *same == gone => before.add_all(&counts),
            _ => self.taken.push((gone, counts)),
        }
    }

    /// Takes back at most `most` deliveries of `bit`, the oldest first: how many, by how they had gone.
    pub fn take_back(&mut self, RouteBit(bit): RouteBit, most: u64) -> Vec<(Gone, u64)> {
        let mut rest = most;
        let mut back = Vec::new();
        for (gone, counts) in &mut self.taken {
            let some = counts.take_up_to(bit, rest);
            rest -= some;
            if some > 0 {
                back.push((*gone, some));
            }
        }
        back
    }
}
