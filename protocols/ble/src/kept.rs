//! What outlives an attempt, also when the settings change: who was heard, and the end of the radio before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fieldgate_kit::Memory;
use tokio::time::Instant;

use crate::{radio::SystemRadios, recorder::Recorder, table::Table};

/// What was heard is of use for so long.
const STALE: Duration = Duration::from_secs(600);

/// By source.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<Arc<str>, Things>>);

#[derive(Default)]
struct Things {
    heard: Option<(Instant, Table, Recorder)>,
    radios: Arc<SystemRadios>,
    /// It uses the system's Bluetooth right now.
    listens: bool,
}

/// The system's Bluetooth is ours until this is dropped.
pub(crate) struct Listening {
    kept: Arc<Kept>,
    source: Arc<str>,
}

// === impl Kept ===

impl Kept {
    pub(crate) fn of(memory: &Memory) -> Arc<Self> {
        memory.common()
    }

    /// The system's Bluetooth, for one source at a time: two that begin and end scans take them from each other.
    ///
    /// # Errors
    /// With the name of the source that has it.
    pub(crate) fn listen(
        self: Arc<Self>,
        source: &Arc<str>,
    ) -> Result<(Arc<SystemRadios>, Listening), Arc<str>> {
        let mut things = self.things();
        let other = things
            .iter()
            .find(|(other, things)| things.listens && *other != source);
        if let Some((other, _)) = other {
            return Err(Arc::clone(other));
        }
        let of_it = things.entry(Arc::clone(source)).or_default();
        of_it.listens = true;
        let radios = Arc::clone(&of_it.radios);
        drop(things);
        let listening = Listening {
            kept: self,
            source: Arc::clone(source),
        };
        Ok((radios, listening))
    }

    /// Who was heard, as the attempt before left it.
    pub(crate) fn take(&self, source: &Arc<str>, now: Instant) -> Option<(Table, Recorder)> {
        let mut things = self.things();
        for of_it in things.values_mut() {
            let stale = |since: Instant| now.saturating_duration_since(since) > STALE;
            if of_it
                .heard
                .as_ref()
                .is_some_and(|(since, ..)| stale(*since))
            {
                of_it.heard = None;
            }
        }
        let (_, table, recorder) = things.get_mut(source)?.heard.take()?;
        Some((table, recorder))
    }

    pub(crate) fn keep(&self, source: &Arc<str>, table: Table, recorder: Recorder, now: Instant) {
        let mut things = self.things();
        things.entry(Arc::clone(source)).or_default().heard = Some((now, table, recorder));
    }

    fn things(&self) -> MutexGuard<'_, HashMap<Arc<str>, Things>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(things) = self.kept.things().get_mut(&self.source) {
            things.listens = false;
        }
    }
}
