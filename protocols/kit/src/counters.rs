//! `DropCounters`: one counter for each `DropReason`, shared by all who may have to drop something.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fieldgate_model::DropReason;

/// Counts readings by the reason for which they did not go on. Cloning shares the counters.
#[derive(Debug, Clone, Default)]
pub struct DropCounters(Arc<[AtomicU64; DropReason::ALL.len()]>);

impl DropCounters {
    pub fn add(&self, reason: DropReason, readings: u64) {
        self.0[reason as usize].fetch_add(readings, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }

    /// The reasons that occurred, with their counts.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<DropReason, u64> {
        DropReason::ALL
            .into_iter()
            .map(|reason| (reason, self.get(reason)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}
