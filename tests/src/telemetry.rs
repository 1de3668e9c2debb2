//! Readings as a plant sends them, in the gateway's own frames: twenty points of one device, scanned ten times a second.

use bytes::Bytes;
use fieldgate::pipeline::frame;
use fieldgate_model::{PointId, Reading, Timestamp, Value};

/// The time between two scans.
const SCAN_NANOS: i64 = 100_000_000;
/// 2026-01-01.
const START_NANOS: i64 = 1_767_225_600_000_000_000;

/// The device, where it does not matter which.
pub const PLANT: &str = "plant/line-4";

/// What a point measures.
#[derive(Clone, Copy)]
enum Kind {
    /// A calculated number with every digit of a double.
    Calculated,
    /// A sensor that sends single precision.
    Single,
    /// A sensor with two decimals.
    Hundredths,
    Counter,
    Switch,
    State,
}

struct Point {
    id: PointId,
    kind: Kind,
    unit: Option<&'static str>,
    level: f64,
}

/// An endless, repeatable stream of framed readings.
pub struct Telemetry {
    random: fastrand::Rng,
    points: Vec<Point>,
    at: i64,
    next: usize,
}

// === impl Telemetry ===

impl Telemetry {
    /// `device` is `source/device`; the same seed gives the same stream.
    ///
    /// # Panics
    /// When that is no device.
    #[must_use]
    pub fn new(device: &str, seed: u64) -> Self {
        let table = [
            ("Temperature", Kind::Calculated, Some("Cel"), 6),
            ("Pressure", Kind::Single, Some("bar"), 4),
            ("Flow", Kind::Hundredths, Some("l/min"), 4),
            ("Cycles", Kind::Counter, None, 2),
            ("Running", Kind::Switch, None, 3),
            ("State", Kind::State, None, 1),
        ];
        let named = table.into_iter().flat_map(|(name, kind, unit, count)| {
            (1..=count).map(move |number| Point {
                id: format!("{device}/{name}{number}")
                    .parse()
                    .expect("three plain segments are an id"),
                kind,
                unit,
                level: 20.0 + f64::from(number),
            })
        });
        Self {
            random: fastrand::Rng::with_seed(seed),
            points: named.collect(),
            at: START_NANOS,
            next: 0,
        }
    }

    /// So many frames.
    #[must_use]
    pub fn frames(&mut self, count: usize) -> Vec<Bytes> {
        (0..count)
            .map(|_| frame::encode(&self.reading(), Vec::with_capacity(96)).into())
            .collect()
    }

    /// The next point's next reading.
    pub fn reading(&mut self) -> Reading {
        if self.next == self.points.len() {
            self.next = 0;
            self.at += SCAN_NANOS + self.random.i64(-400_000..400_000);
        }
        let point = &mut self.points[self.next];
        self.next += 1;
        let value = point.value(&mut self.random);
        // A server stamps in steps of 100 ns, and one point after another.
        let at = Timestamp::from_nanos(self.at + self.random.i64(0..20_000) * 100);
        let mut reading = Reading::new(point.id.clone(), value, at);
        reading.seen = Timestamp::from_nanos(self.at + 6_000_000);
        reading.unit = point.unit.map(Into::into);
        reading
    }
}

impl Point {
    fn value(&mut self, random: &mut fastrand::Rng) -> Value {
        self.level += (random.f64() - 0.5) * 0.05;
        match self.kind {
            Kind::Calculated => Value::Float(self.level),
            Kind::Single => Value::Float(f64::from(self.level as f32)),
            Kind::Hundredths => Value::Float((self.level * 100.0).round() / 100.0),
            Kind::Counter => Value::UInt((self.level * 1000.0) as u64),
            Kind::Switch => Value::Bool(random.u8(..) < 8),
            Kind::State => Value::Text(
                if random.u8(..) < 250 {
                    "running"
                } else {
                    "waiting"
                }
                .into(),
            ),
        }
    }
}
