//! `Alarms`: where a source keeps the alarms that are open, for whoever asks and for commands about them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fieldgate_model::{Alarm, DeviceId, PointId};

/// The open alarms of one source. Cloning shares them; what they are bounded by is the source's concern.
#[derive(Clone, Default)]
pub struct Alarms(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    watched: Vec<DeviceId>,
    open: HashMap<Key, Alarm>,
}

/// Point, condition and branch: what makes an alarm another one.
type Key = (PointId, String, Option<String>);

// === impl Alarms ===

impl Alarms {
    /// Alarms of these devices are watched from now on, and of no others; what is open elsewhere is forgotten.
    pub fn watch(&self, devices: Vec<DeviceId>) {
        let mut state = self.state();
        state
            .open
            .retain(|_, alarm| devices.iter().any(|device| is_of(alarm, device)));
        state.watched = devices;
    }

    /// Whether alarms of this device are watched.
    #[must_use]
    pub fn watches(&self, device: &DeviceId) -> bool {
        self.state().watched.contains(device)
    }

    /// Opens an alarm, or takes its new state over.
    pub fn put(&self, alarm: Alarm) {
        self.state().open.insert(key(&alarm), alarm);
    }

    /// The alarm is over.
    pub fn close(&self, alarm: &Alarm) {
        self.state().open.remove(&key(alarm));
    }

    /// None is known any more.
    pub fn clear(&self) {
        self.state().open.clear();
    }

    /// All that are open, in no order.
    #[must_use]
    pub fn open(&self) -> Vec<Alarm> {
        self.state().open.values().cloned().collect()
    }

    /// Those of one point.
    #[must_use]
    pub fn of(&self, point: &PointId) -> Vec<Alarm> {
        let state = self.state();
        let of_it = state.open.values().filter(|alarm| alarm.point == *point);
        of_it.cloned().collect()
    }

    /// How many open ones are such.
    #[must_use]
    pub fn count(&self, such: impl Fn(&Alarm) -> bool) -> usize {
        self.state()
            .open
            .values()
            .filter(|alarm| such(alarm))
            .count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alarms").finish_non_exhaustive()
    }
}

fn key(alarm: &Alarm) -> Key {
    (
        alarm.point.clone(),
        alarm.condition.clone(),
        alarm.branch.clone(),
    )
}

fn is_of(alarm: &Alarm, device: &DeviceId) -> bool {
    alarm.point.device_path() == device.as_str()
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Timestamp;

    use super::*;

    fn alarm(point: &str, event: &str) -> Alarm {
        Alarm {
            point: point.parse().unwrap(),
            condition: "ns=2;s=C".to_owned(),
            branch: None,
            event: event.to_owned(),
            name: "C".to_owned(),
            source: String::new(),
            kind: "AlarmConditionType".to_owned(),
            severity: 500,
            message: String::new(),
            active: Some(true),
            acked: None,
            confirmed: None,
            suppressed: None,
            shelving: None,
            quality: None,
            comment: None,
            user: None,
            since: Timestamp::default(),
            at: Timestamp::default(),
            allow: Vec::new(),
        }
    }

    #[test]
    fn an_alarm_is_open_once_until_it_is_closed() {
        let alarms = Alarms::default();
        alarms.put(alarm("s/d/C", "1"));
        alarms.clone().put(alarm("s/d/C", "2"));
        alarms.put(alarm("s/d/D", "3"));
        let mut events: Vec<String> = alarms.open().into_iter().map(|open| open.event).collect();
        events.sort();
        assert_eq!(events, ["2", "3"]);
        assert_eq!(alarms.of(&"s/d/D".parse().unwrap()).len(), 1);
        alarms.close(&alarm("s/d/C", "9"));
        assert_eq!(alarms.count(|_| true), 1);
    }

    #[test]
    fn what_is_no_longer_watched_is_forgotten() {
        let alarms = Alarms::default();
        alarms.put(alarm("s/d/C", "1"));
        alarms.put(alarm("s/e/C", "1"));
        let device = DeviceId::new("s", "e").unwrap();
        alarms.watch(vec![device.clone()]);
        assert_eq!(alarms.open().len(), 1);
        assert!(alarms.watches(&device) && !alarms.watches(&DeviceId::new("s", "d").unwrap()));
    }
}
