//! `Outbox`: readings on their way to the pipeline. Nobody can ask the air to wait, so what finds no room takes the place of
//! what is older and of the same point; what happened (events) is never replaced.

use std::collections::HashMap;

use fieldgate_model::{Class, PointId, Reading};

/// Readings that wait at most.
const ROOM: usize = 4_096;

/// Readings that wait, in their order.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Vec<Reading>,
    /// Where the reading of a point waits.
    places: HashMap<PointId, usize>,
}

// === impl Outbox ===

impl Outbox {
    /// Adds a reading, and says how many had to go for it or with it: 0 or 1. While `crowded`, a measurement replaces the
    /// one of its point that waits already.
    pub fn push(&mut self, reading: Reading, crowded: bool) -> u64 {
        let measured = reading.class == Class::Telemetry;
        if crowded
            && measured
            && let Some(place) = self.places.get(&reading.point)
        {
            self.waiting[*place] = reading;
            return 1;
        }
        if self.waiting.len() >= ROOM {
            return 1;
        }
        if measured {
            self.places
                .insert(reading.point.clone(), self.waiting.len());
        }
        self.waiting.push(reading);
        0
    }

    /// Takes out what waits.
    #[must_use]
    pub fn take(&mut self) -> Vec<Reading> {
        self.places.clear();
        std::mem::take(&mut self.waiting)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Quality, Timestamp, Value};

    use super::*;

    fn reading(point: &str, value: u64, class: Class) -> Reading {
        Reading {
            point: format!("hall/fridge/{point}").parse().unwrap(),
            value: Value::UInt(value),
            quality: Quality::Good,
            at: Timestamp::from_millis(0),
            seen: Timestamp::from_millis(0),
            unit: None,
            class,
            backfilled: false,
        }
    }

    fn values(outbox: &mut Outbox) -> Vec<Value> {
        outbox
            .take()
            .into_iter()
            .map(|reading| reading.value)
            .collect()
    }

    #[test]
    fn everything_goes_while_there_is_room() {
        let mut outbox = Outbox::default();
        for value in 0..3 {
            assert_eq!(outbox.push(reading("t", value, Class::Telemetry), false), 0);
        }
        assert_eq!(values(&mut outbox), [0_u64, 1, 2].map(Value::UInt));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_newer_measurement_replaces_an_older_one_and_no_event() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(reading("t", 1, Class::Telemetry), true), 0);
        assert_eq!(outbox.push(reading("button", 2, Class::Event), true), 0);
        assert_eq!(outbox.push(reading("button", 3, Class::Event), true), 0);
        assert_eq!(outbox.push(reading("t", 4, Class::Telemetry), true), 1);
        assert_eq!(values(&mut outbox), [4_u64, 2, 3].map(Value::UInt));
    }

    #[test]
    fn it_is_bounded() {
        let mut outbox = Outbox::default();
        let pushed = (0..5_000).map(|value| outbox.push(reading("b", value, Class::Event), true));
        assert_eq!(pushed.sum::<u64>(), 5_000 - ROOM as u64);
        assert_eq!(outbox.take().len(), ROOM);
    }
}
