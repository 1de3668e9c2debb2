//! The gateway's clock: what a record is stamped with, and what a stamp means, also when the wall clock was wrong.

mod kernel;
mod simulated;
mod table;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fieldgate_model::{TimeQuality, Timestamp};
use fieldgate_store::{Ages, Document, Loaded, Slots, Stamp};

pub use kernel::{Kernel, TimeSource};
pub use simulated::SimulatedTime;
pub(crate) use table::FLOOR_MS;
use table::{Reading, Table};

/// The last known time is saved so often: a boot without a clock goes on from there.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// Tells the time. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Arc<dyn TimeSource>,
    table: RwLock<Table>,
    synchronised: AtomicBool,
    saved: Mutex<Saved>,
}

#[derive(Debug)]
struct Saved {
    slots: Slots<Table>,
    at: Instant,
}

/// When something was, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    pub trust: TimeQuality,
    /// What the wall clock said then, right or wrong.
    pub said: Timestamp,
}

// === impl Clock ===

impl Clock {
    /// The clock of the state folder, which remembers earlier boots. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or a newer program wrote there.
    pub fn open(state: &Path, source: Arc<dyn TimeSource>) -> io::Result<Self> {
        let (slots, loaded) = Slots::<Table>::load(state)?;
        let table = match loaded {
            Loaded::Valid(table) => table,
            Loaded::Missing => Table::default(),
            Loaded::Damaged => {
                tracing::warn!(state = %state.display(), "what was known of the clock is damaged; it is learned anew");
                Table::default()
            }
            Loaded::Newer(version) => return Err(newer(version)),
        };
        let clock = Self {
            inner: Arc::new(Inner {
                source,
                table: RwLock::new(table),
                synchronised: AtomicBool::new(false),
                saved: Mutex::new(Saved {
                    slots,
                    at: Instant::now(),
                }),
            }),
        };
        clock.observe();
        clock.save()?;
        Ok(clock)
    }

    /// What a record is stamped with that is accepted now.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.inner.source.stamp()
    }

    /// Whether something keeps the wall clock right, as of the last look.
    #[must_use]
    pub fn synchronised(&self) -> bool {
        self.inner.synchronised.load(Ordering::Relaxed)
    }

    /// When a stamp was given, by all that is known now.
    #[must_use]
    pub fn resolve(&self, stamp: Stamp) -> Moment {
        let resolved = self.table().resolve(stamp);
        Moment {
            wall: Timestamp::from_millis(resolved.wall_ms),
            trust: resolved.trust,
            said: Timestamp::from_millis(stamp.wall_ms),
        }
    }

    /// How old a stamp is; `None` when only a clock that is not believed could tell. Then nothing expires.
    #[must_use]
    pub fn age(&self, stamp: Stamp) -> Option<Duration> {
        let now = self.stamp();
        self.table().age_ms(stamp, now).map(Duration::from_millis)
    }

    /// Looks at the clocks; to be called once a second. True when [`Clock::save`] is due.
    pub fn observe(&self) -> bool {
        let reading = Reading {
            stamp: self.inner.source.stamp(),
            synchronised: self.inner.source.synchronised(),
        };
        let was = self
            .inner
            .synchronised
            .swap(reading.synchronised, Ordering::Relaxed);
        if was != reading.synchronised {
            tracing::info!(synchronised = reading.synchronised, "the wall clock");
        }
        let mut table = self
            .inner
            .table
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = table.observe(reading);
        drop(table);
        changed || self.saved().at.elapsed() >= SAVE_EVERY
    }

    /// Keeps what is known for the next boot. Blocks until it is synced.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> io::Result<()> {
        let table = self.table().clone();
        let mut saved = self.saved();
        saved.at = Instant::now();
        saved.slots.store(&table)
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // Nothing panics while writing; a table that was written half would still be one.
        self.inner
            .table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn saved(&self) -> MutexGuard<'_, Saved> {
        self.inner
            .saved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ages for Clock {
    fn age(&self, at: Stamp) -> Option<Duration> {
        Clock::age(self, at)
    }
}

fn newer(version: u16) -> io::Error {
    io::Error::other(format!(
        "the file CLOCK was written in format {version}, this program reads up to {}; run the newer program",
        Table::VERSION
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const NOW_MS: i64 = FLOOR_MS + 100 * DAY_MS;

    #[test]
    fn a_boot_without_a_clock_goes_on_from_what_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        let first = Arc::new(SimulatedTime::boot(1, NOW_MS));
        first.synchronise(NOW_MS);
        let clock = Clock::open(dir.path(), first.clone()).unwrap();
        assert!(clock.synchronised());
        let stamp = clock.stamp();
        first.pass(60_000);
        assert!(!clock.observe(), "nothing new");
        assert_eq!(clock.age(stamp), Some(Duration::from_secs(60)));
        clock.save().unwrap();

        let second = Arc::new(SimulatedTime::boot(2, 1_000));
        let clock = Clock::open(dir.path(), second.clone()).unwrap();
        assert!(!clock.synchronised());
        let early = clock.stamp();
        let moment = clock.resolve(early);
        assert_eq!(moment.trust, TimeQuality::Estimated);
        assert_eq!(moment.wall.millis(), NOW_MS + 61_000);
        assert_eq!(clock.age(stamp), None);

        second.pass(1_000);
        second.synchronise(NOW_MS + DAY_MS);
        assert!(clock.observe(), "to be saved");
        let moment = clock.resolve(early);
        assert_eq!(moment.trust, TimeQuality::Synced);
        assert_eq!(moment.wall.millis(), NOW_MS + DAY_MS - 1_000);
        assert_eq!(moment.said.millis(), early.wall_ms);
        assert!(clock.age(stamp) > Some(Duration::from_secs(86_000)));
    }

    #[test]
    fn damage_is_told_and_learned_anew_and_a_newer_format_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["CLOCK.a", "CLOCK.b"] {
            std::fs::write(dir.path().join(name), b"torn").unwrap();
        }
        let source = Arc::new(SimulatedTime::boot(1, NOW_MS));
        assert!(Clock::open(dir.path(), source).is_ok());
        assert!(newer(2).to_string().contains("run the newer program"));
    }
}
