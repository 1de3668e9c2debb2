//! `Live`: the last value and a short history of every point, in memory, lossy on purpose.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use fieldgate_kit::latest::LastValues;
use fieldgate_model::{Pattern, PointId, Reading};

/// The most that is remembered of one point.
const HISTORY_LEN: usize = 120;
/// No two remembered numbers are closer together than this.
const HISTORY_STEP_MS: i64 = 500;

/// The last values of all points. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<RwLock<HashMap<PointId, Arc<LivePoint>>>>);

/// What is remembered of one point.
#[derive(Debug, Default)]
pub struct LivePoint {
    count: AtomicU64,
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    last: Option<Reading>,
    history: VecDeque<(i64, f64)>,
}

// === impl Live ===

impl Live {
    /// The point's place, made when it is new.
    #[must_use]
    pub fn point(&self, id: &PointId) -> Arc<LivePoint> {
        if let Some(point) = self.find(id) {
            return point;
        }
        let mut points = self.0.write().expect("nothing panics while holding it");
        Arc::clone(points.entry(id.clone()).or_default())
    }

    /// The point's place, if a reading of it was ever seen.
    #[must_use]
    pub fn find(&self, id: &PointId) -> Option<Arc<LivePoint>> {
        let points = self.0.read().expect("nothing panics while holding it");
        points.get(id).cloned()
    }

    /// Forgets a removed source's points.
    pub fn forget_source(&self, source: &str) {
        let mut points = self.0.write().expect("nothing panics while holding it");
        points.retain(|id, _| id.source() != source);
    }

    /// Every point with a value, in no order.
    #[must_use]
    pub fn ids(&self) -> Vec<PointId> {
        let points = self.0.read().expect("nothing panics while holding it");
        points.keys().cloned().collect()
    }
}

impl LastValues for Live {
    fn of(&self, patterns: &[Pattern], limit: usize) -> Vec<Reading> {
        let taken = |id: &PointId| patterns.iter().any(|pattern| pattern.matches(id.as_str()));
        let mut ids = self.ids();
        ids.retain(taken);
        ids.sort_unstable();
        let last = ids.iter().filter_map(|id| self.find(id)?.last());
        last.take(limit).collect()
    }
}

// === impl LivePoint ===

impl LivePoint {
    /// Remembers a reading as the last one.
    pub fn record(&self, reading: &Reading) {
        let mut slot = self.slot.lock().expect("nothing panics while holding it");
        if let Some(number) = reading.value.as_f64().filter(|number| number.is_finite()) {
            let at_ms = reading.at.millis();
            let due = slot
                .history
                .back()
                .is_none_or(|(last_ms, _)| (at_ms - last_ms).abs() >= HISTORY_STEP_MS);
            if due {
                if slot.history.len() == HISTORY_LEN {
                    slot.history.pop_front();
                }
                slot.history.push_back((at_ms, number));
            }
        }
        slot.last = Some(reading.clone());
        drop(slot);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Remembers a reading as the last one when it is newer than that by the source's clock; none is never newer.
    pub fn record_if_newer(&self, reading: &Reading) {
        let newer = |last: Reading| reading.at > last.at;
        if self.last().is_some_and(newer) {
            self.record(reading);
        }
    }

    /// Readings since the start; it changes whenever there is something new.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn last(&self) -> Option<Reading> {
        self.slot
            .lock()
            .expect("nothing panics while holding it")
            .last
            .clone()
    }

    /// Milliseconds since 1970 by the source's clock, and the number, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<(i64, f64)> {
        let slot = self.slot.lock().expect("nothing panics while holding it");
        slot.history.iter().copied().collect()
    }
}
