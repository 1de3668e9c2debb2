//! `Failing`: a device that is heard and cannot be connected, so that what was read from it grows old.

use std::{sync::Arc, time::Duration};

use fieldgate_model::{Quality, Reading, Timestamp};
use tokio::time::Instant;

use super::{Entry, words_of};
use crate::{Field, Nature};

/// A link that broke is mostly back sooner.
const BEARABLE: Duration = Duration::from_secs(120);

/// Connecting fails.
#[derive(Debug)]
pub(super) struct Failing {
    since: Instant,
    why: String,
    told: bool,
}

// === impl Entry ===

impl Entry {
    /// Values that came over a connection: each was asked for, so each is told.
    pub(crate) fn connected(
        &mut self,
        fields: Vec<Field>,
        at: Timestamp,
        now: Instant,
    ) -> Vec<Reading> {
        self.changed |= self.failing.take().is_some();
        let ids: Vec<_> = fields.iter().map(|field| Arc::clone(&field.id)).collect();
        let readings = self.take(fields, at, now, Duration::ZERO);
        for id in ids {
            if let Some(state) = self.points.get_mut(&id) {
                state.read = Some(now);
            }
        }
        readings
    }

    /// Whether connecting to it fails, and why.
    pub(crate) fn fails(&mut self, why: Option<&str>, now: Instant) {
        if why == self.why_unreachable() {
            return;
        }
        self.changed = true;
        match (why, &mut self.failing) {
            (None, failing) => *failing = None,
            (Some(why), Some(failing)) => why.clone_into(&mut failing.why),
            (Some(why), failing) => {
                *failing = Some(Failing {
                    since: now,
                    why: why.to_owned(),
                    told: false,
                });
            }
        }
    }

    /// Why no connection to it gives values.
    pub(super) fn why_unreachable(&self) -> Option<&str> {
        self.failing.as_ref().map(|failing| failing.why.as_str())
    }

    /// What was read from it and cannot be read again, once.
    pub(super) fn out_of_reach(&mut self, now: Instant, at: Timestamp) -> Vec<Reading> {
        let Some(failing) = &mut self.failing else {
            return Vec::new();
        };
        if failing.told || now.saturating_duration_since(failing.since) < BEARABLE {
            return Vec::new();
        }
        failing.told = true;
        let why = &failing.why;
        let points = self.points.values();
        let measured = points.filter(|state| state.field.nature == Nature::Measured);
        measured
            .filter_map(|state| {
                let ago = words_of(now.saturating_duration_since(state.read?));
                let words =
                    format!("UncertainLastUsableValue: read {ago} ago, and since then: {why}");
                state.reading(at, Quality::Uncertain(words.into()))
            })
            .collect()
    }
}
