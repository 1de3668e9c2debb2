//! What exists: announced devices, the points that were seen beside them, and how fast each device is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use fieldgate_model::{Device, Point, PointId, Quality, Reading, Value, unescape_segment};

use crate::gateway::Gateway;

/// Readings a second of each device, measured from one look to the next.
#[derive(Debug, Default)]
pub struct Rates(HashMap<String, Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    total: u64,
    rate: f64,
}

/// Looks that are closer together than this share their rate, in seconds.
const LOOK_S: f64 = 1.0;

/// All devices, in the order of their ids; each with the points that were seen without being announced.
pub fn devices(gateway: &Gateway) -> Vec<Device> {
    let announced: Vec<Arc<Device>> = gateway.running(|running| {
        let sources = running.sources.values();
        sources
            .flat_map(|source| source.devices.borrow().clone())
            .collect()
    });
    let mut devices: BTreeMap<String, Device> = announced
        .into_iter()
        .map(|device| (device.id.to_string(), (*device).clone()))
        .collect();
    let known: BTreeSet<PointId> = devices
        .values()
        .flat_map(|device| device.points.iter().map(|point| point.id.clone()))
        .collect();
    let mut seen = gateway.live.ids();
    seen.sort_unstable();
    for id in seen.into_iter().filter(|id| !known.contains(id)) {
        let device = devices
            .entry(id.device_path().to_owned())
            .or_insert_with(|| unannounced(&id));
        device.points.push(bare(id));
    }
    devices.into_values().collect()
}

/// The ids of all points, announced or seen, each once.
pub fn ids(gateway: &Gateway) -> BTreeSet<PointId> {
    let mut ids: BTreeSet<PointId> = gateway.live.ids().into_iter().collect();
    gateway.running(|running| {
        for source in running.sources.values() {
            for device in source.devices.borrow().iter() {
                ids.extend(device.points.iter().map(|point| point.id.clone()));
            }
        }
    });
    ids
}

/// Why no value comes from a point: what its source says, or the reason of a reading that has none.
pub fn problem(point: &Point, last: Option<&Reading>) -> Option<String> {
    let of_reading = || match last {
        Some(Reading {
            value: Value::Null,
            quality: Quality::Bad(why),
            ..
        }) => Some(why.to_string()),
        _ => None,
    };
    point.problem.clone().or_else(of_reading)
}

// === impl Rates ===

impl Rates {
    /// Readings a second of a device that has had `total` of them. The first look at a device gives the mean of its
    /// first `up_s` seconds.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    pub fn look(&mut self, device: &str, total: u64, up_s: f64, now: Instant) -> f64 {
        let Some(sample) = self.0.get_mut(device) else {
            let rate = total as f64 / up_s.max(LOOK_S);
            let sample = Sample {
                at: now,
                total,
                rate,
            };
            self.0.insert(device.to_owned(), sample);
            return rate;
        };
        let passed = now.duration_since(sample.at).as_secs_f64();
        if passed >= LOOK_S {
            let rate = total.saturating_sub(sample.total) as f64 / passed;
            *sample = Sample {
                at: now,
                total,
                rate,
            };
        }
        sample.rate
    }

    /// Forgets devices that are gone.
    pub fn keep(&mut self, devices: &[Device]) {
        let ids: BTreeSet<&str> = devices.iter().map(|device| device.id.as_str()).collect();
        self.0.retain(|id, _| ids.contains(id.as_str()));
    }
}

fn unannounced(id: &PointId) -> Device {
    Device {
        id: id.device_id(),
        name: unescape_segment(id.device()),
        model: None,
        address: id.device_path().to_owned(),
        points: Vec::new(),
    }
}

fn bare(id: PointId) -> Point {
    Point {
        name: unescape_segment(id.point()),
        address: id.to_string(),
        id,
        unit: None,
        range: None,
        description: None,
        data_type: None,
        remark: None,
        problem: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fieldgate_model::Timestamp;

    use super::*;

    #[test]
    fn a_rate_is_measured_between_looks() {
        let mut rates = Rates::default();
        let start = Instant::now();
        let mut check = |seconds: f64, total: u64, expected: f64| {
            let now = start + Duration::from_secs_f64(seconds);
            let rate = rates.look("s/d", total, 10.0, now);
            assert!((rate - expected).abs() < 1e-6, "{rate}");
        };
        check(0.0, 100, 10.0);
        check(0.5, 120, 10.0);
        check(2.0, 140, 20.0);
        check(4.0, 140, 0.0);
        check(6.0, 0, 0.0);
    }

    #[test]
    fn a_problem_is_what_the_source_says_or_the_reason_for_no_value() {
        let mut point = bare("s/d/p".parse().unwrap());
        let mut reading = Reading::new(point.id.clone(), 1.0, Timestamp::default());
        reading.quality = Quality::Bad("BadNodeIdUnknown".into());
        assert_eq!(problem(&point, Some(&reading)), None);
        reading.value = Value::Null;
        let why = problem(&point, Some(&reading));
        assert_eq!(why.as_deref(), Some("BadNodeIdUnknown"));
        point.problem = Some("gone".into());
        assert_eq!(problem(&point, None).as_deref(), Some("gone"));
    }
}
