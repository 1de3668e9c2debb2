//! A machine whose clocks do as they are told: for tests of what happens when they are wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fieldgate_store::Stamp;

use super::{TimeSource, table::Reading};

/// Clocks that stand still until they are moved.
#[derive(Debug)]
pub struct SimulatedTime(Mutex<Reading>);

// === impl SimulatedTime ===

impl SimulatedTime {
    /// A boot with this id, a second old.
    #[must_use]
    pub fn boot(id: u64, wall_ms: i64) -> Self {
        let stamp = Stamp {
            boot: id,
            since_boot_ms: 1_000,
            wall_ms,
        };
        Self(Mutex::new(Reading {
            stamp,
            synchronised: false,
        }))
    }

    /// Both clocks go on.
    pub fn pass(&self, ms: u32) {
        let mut now = self.lock();
        now.stamp.since_boot_ms += u64::from(ms);
        now.stamp.wall_ms += i64::from(ms);
    }

    /// Somebody sets the wall clock; nothing keeps it right from then on.
    pub fn set(&self, wall_ms: i64) {
        let mut now = self.lock();
        (now.stamp.wall_ms, now.synchronised) = (wall_ms, false);
    }

    /// The wall clock is synchronised, and right.
    pub fn synchronise(&self, wall_ms: i64) {
        let mut now = self.lock();
        (now.stamp.wall_ms, now.synchronised) = (wall_ms, true);
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        // A moment is set in one assignment, so a panic before it leaves a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeSource for SimulatedTime {
    fn stamp(&self) -> Stamp {
        self.lock().stamp
    }

    fn synchronised(&self) -> bool {
        self.lock().synchronised
    }
}
