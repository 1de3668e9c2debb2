//! How telemetry becomes fewer when the queue fills up: which readings are told by others.
//!
//! Nothing is made up: what stays is what was measured, under the message id that it always had. The rules hold for each
//! point and set of routes on its own, and look at one generation of the queue at a time. The gentle step is made for all
//! generations first, then the next, always the oldest first.
//!
//! | step | what stays |
//! |---|---|
//! | duplicates | the first and the last of readings in a row with the same value, quality and unit |
//! | minutes | of good numbers of one minute: the smallest, the largest, the last, and the one nearest to their mean |
//! | ten minutes, hours | the same, of that span |
//!
//! Two numbers are of one span when the gateway took them within it and they say so themselves, so that neither a device's
//! wrong clock nor what it sends belatedly is taken for a moment. What is no good number (text, states, structures, bad
//! quality) stays by the rule for duplicates, and begins the span anew.
//!
//! These always stay: events; what is sent a second time; a payload of over 64 KiB; a frame that cannot be read.

use std::{collections::HashMap, sync::Arc};

use fieldgate_model::{Class, PointId, Quality, QualityLevel, Reading, Value};
use fieldgate_store::{Record, RouteMask, Seq, Stamp, Survey, Thin, Thinner};

use super::frame;

/// Chooses among the queue's telemetry.
#[derive(Debug, Default)]
pub struct Telemetry;

/// One look at a generation.
struct Choice {
    span_ms: Option<i64>,
    /// What is backfilled is a series of its own.
    tracks: HashMap<(PointId, RouteMask, bool), Track>,
    gone: Vec<Seq>,
}

/// The readings of one point for the same routes.
#[derive(Default)]
struct Track {
    run: Option<Run>,
    bucket: Option<Bucket>,
}

/// Readings in a row that say the same.
struct Run {
    value: Value,
    quality: Quality,
    unit: Option<Arc<str>>,
    last: Seq,
    /// Another one stands before `last`.
    is_long: bool,
}

/// The numbers of one span of time.
struct Bucket {
    of: Within,
    numbers: Vec<(Seq, f64)>,
}

/// Where a number belongs: the boot and the span in it, the span by its own time, and its unit.
#[derive(PartialEq)]
struct Within(u64, i64, i64, Option<Arc<str>>);

impl Thinner for Telemetry {
    fn survey(&self, how: Thin) -> Box<dyn Survey> {
        Box::new(Choice {
            span_ms: span_ms(how),
            tracks: HashMap::new(),
            gone: Vec::new(),
        })
    }
}

fn span_ms(how: Thin) -> Option<i64> {
    match how {
        Thin::Duplicates => None,
        Thin::Minutes => Some(60_000),
        Thin::TenMinutes => Some(600_000),
        Thin::Hours => Some(3_600_000),
    }
}

impl Survey for Choice {
    fn look(&mut self, record: &Record) {
        let frame = record
            .body
            .bytes()
            .ok()
            .and_then(|bytes| frame::open(bytes).ok());
        let Some(frame) = frame else {
            return; // in a file of its own, or not to be read here: it stays
        };
        if frame.origin.is_some() || frame.reading.class == Class::Event {
            return;
        }
        let reading = &frame.reading;
        let of = (reading.point.clone(), record.routes, reading.backfilled);
        let track = self.tracks.entry(of).or_default();
        let number = good_number(&frame.reading);
        match self.span_ms.zip(number) {
            Some((span_ms, number)) => {
                let within = Within::of(record.at, &frame.reading, span_ms);
                track.number(record.seq, number, within, &mut self.gone);
            }
            None => track.other(record.seq, frame.reading, &mut self.gone),
        }
    }

    fn gone(mut self: Box<Self>) -> Vec<Seq> {
        let mut gone = std::mem::take(&mut self.gone);
        for track in self.tracks.into_values() {
            let rest = track.bucket.map(Bucket::told_by_others);
            gone.extend(rest.into_iter().flatten());
        }
        gone
    }
}

fn good_number(reading: &Reading) -> Option<f64> {
    let good = reading.quality.level() == QualityLevel::Good;
    let number = reading.value.as_f64().filter(|number| number.is_finite());
    number.filter(|_| good)
}

// === impl Within ===

impl Within {
    fn of(at: Stamp, reading: &Reading, span_ms: i64) -> Self {
        let taken = i64::try_from(at.since_boot_ms).unwrap_or(i64::MAX);
        Self(
            at.boot,
            taken.div_euclid(span_ms),
            reading.at.millis().div_euclid(span_ms),
            reading.unit.clone(),
        )
    }
}

// === impl Track ===

impl Track {
    fn number(&mut self, seq: Seq, number: f64, within: Within, gone: &mut Vec<Seq>) {
        self.run = None;
        if self
            .bucket
            .as_ref()
            .is_none_or(|bucket| bucket.of != within)
        {
            self.close(gone);
            self.bucket = Some(Bucket {
                of: within,
                numbers: Vec::new(),
            });
        }
        if let Some(bucket) = &mut self.bucket {
            bucket.numbers.push((seq, number));
        }
    }

    /// What is no number here goes when both neighbours say the same.
    fn other(&mut self, seq: Seq, reading: Reading, gone: &mut Vec<Seq>) {
        self.close(gone);
        match &mut self.run {
            Some(run) if run.says(&reading) => {
                if run.is_long {
                    gone.push(run.last);
                }
                (run.last, run.is_long) = (seq, true);
            }
            run => {
                *run = Some(Run {
                    value: reading.value,
                    quality: reading.quality,
                    unit: reading.unit,
                    last: seq,
                    is_long: false,
                });
            }
        }
    }

    fn close(&mut self, gone: &mut Vec<Seq>) {
        if let Some(bucket) = self.bucket.take() {
            gone.extend(bucket.told_by_others());
        }
    }
}

impl Run {
    fn says(&self, reading: &Reading) -> bool {
        self.value == reading.value && self.quality == reading.quality && self.unit == reading.unit
    }
}

// === impl Bucket ===

impl Bucket {
    /// All but the smallest, the largest, the last, and the one nearest to the mean.
    #[expect(clippy::cast_precision_loss, reason = "a mean of at most millions")]
    fn told_by_others(self) -> Vec<Seq> {
        let numbers = &self.numbers;
        let mean = numbers
            .iter()
            .map(|(_, number)| number / numbers.len() as f64)
            .sum::<f64>();
        let least = |key: &dyn Fn(f64) -> f64| {
            let by = numbers.iter().min_by(|a, b| key(a.1).total_cmp(&key(b.1)));
            by.map(|(seq, _)| *seq)
        };
        let stay = [
            least(&|number| number),
            least(&|number| -number),
            least(&|number| (number - mean).abs()),
            numbers.last().map(|(seq, _)| *seq),
        ];
        let others = numbers.iter().map(|(seq, _)| *seq);
        others.filter(|seq| !stay.contains(&Some(*seq))).collect()
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_kit::Origin;
    use fieldgate_model::Timestamp;
    use fieldgate_store::RouteBit;

    use super::*;

    const AT_MS: i64 = 1_700_000_040_000;

    /// A reading of `point`, so many seconds after a full minute, by its own clock and by the gateway's.
    fn reading(point: &str, value: impl Into<Value>, second: i64) -> (Reading, i64) {
        let at = Timestamp::from_millis(AT_MS + 1000 * second);
        (Reading::new(point.parse().unwrap(), value, at), second)
    }

    fn record(seq: u64, reading: &Reading, second: i64) -> Record {
        Record {
            seq: Seq(seq),
            routes: RouteBit(0).into(),
            at: Stamp {
                boot: 1,
                since_boot_ms: (600_000 + 1000 * second) as u64,
                wall_ms: 0,
            },
            body: frame::encode(reading, Vec::new()).into(),
        }
    }

    fn gone(how: Thin, records: &[Record]) -> Vec<u64> {
        let mut survey = Telemetry.survey(how);
        records.iter().for_each(|record| survey.look(record));
        let mut gone: Vec<u64> = survey.gone().into_iter().map(|seq| seq.0).collect();
        gone.sort_unstable();
        gone
    }

    /// The readings, numbered from 1, of which `expected` go.
    fn check(how: Thin, readings: &[(Reading, i64)], expected: &[u64]) {
        let numbered = readings.iter().zip(1..);
        let records: Vec<Record> = numbered
            .map(|((reading, second), seq)| record(seq, reading, *second))
            .collect();
        assert_eq!(gone(how, &records), expected, "{how:?}");
        let rest = records
            .into_iter()
            .filter(|record| !expected.contains(&record.seq.0));
        let again = gone(how, &rest.collect::<Vec<_>>());
        assert_eq!(again, Vec::<u64>::new(), "it does not change its mind");
    }

    #[test]
    fn duplicates_leave_the_ends_of_each_run() {
        let of = |values: &[f64]| -> Vec<_> {
            let seconds = values.iter().zip(0..);
            seconds
                .map(|(value, second)| reading("s/d/p", *value, second))
                .collect()
        };
        check(Thin::Duplicates, &of(&[1.0, 1.0]), &[]);
        check(Thin::Duplicates, &of(&[1.0, 1.0, 1.0, 1.0]), &[2, 3]);
        check(
            Thin::Duplicates,
            &of(&[1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]),
            &[2, 6],
        );
        let mut mixed = of(&[1.0, 1.0, 1.0, 1.0]);
        mixed[1].0.quality = Quality::Bad("it broke".into());
        check(Thin::Duplicates, &mixed, &[]);
        let two_points: Vec<_> = (0..8)
            .map(|at| reading(if at % 2 == 0 { "s/d/a" } else { "s/d/b" }, at % 2, at))
            .collect();
        check(Thin::Duplicates, &two_points, &[3, 4, 5, 6]);
    }

    #[test]
    fn a_minute_is_told_by_four() {
        let minute: Vec<_> = [5.0, 1.0, 4.0, 9.0, 4.5, 3.0]
            .into_iter()
            .zip(0..)
            .map(|(value, second)| reading("s/d/p", value, second))
            .collect();
        // The mean is 4.4: 5 and 4 go; 1, 9, 4.5 and 3 stay.
        check(Thin::Minutes, &minute, &[1, 3]);
        let mut hour: Vec<_> = (0..60).map(|at| reading("s/d/p", at, at * 60)).collect();
        check(Thin::Minutes, &hour, &[]);
        hour.truncate(10);
        assert_eq!(gone_of(Thin::Hours, &hour), 7, "0, 4 and 9 stay");
    }

    fn gone_of(how: Thin, readings: &[(Reading, i64)]) -> usize {
        let numbered = readings.iter().zip(1..);
        let records: Vec<Record> = numbered
            .map(|((reading, second), seq)| record(seq, reading, *second))
            .collect();
        gone(how, &records).len()
    }

    #[test]
    fn states_keep_every_change_and_a_bad_reading_stands_alone() {
        let states: Vec<_> = ["on", "on", "on", "off", "on"]
            .into_iter()
            .zip(0..)
            .map(|(value, second)| reading("s/d/p", value, second))
            .collect();
        check(Thin::Hours, &states, &[2]);
        let mut numbers: Vec<_> = (0..12).map(|at| reading("s/d/p", at, at)).collect();
        numbers[5].0.quality = Quality::Bad("it broke".into());
        assert!(gone_of(Thin::Hours, &numbers) > 0);
        let records: Vec<Record> = numbers
            .iter()
            .zip(1..)
            .map(|((reading, second), seq)| record(seq, reading, *second))
            .collect();
        assert!(!gone(Thin::Hours, &records).contains(&6));
    }

    #[test]
    fn neither_clock_alone_makes_a_span() {
        let stuck: Vec<_> = (0..20)
            .map(|at| (reading("s/d/p", at, 0).0, at * 60))
            .collect();
        check(Thin::Minutes, &stuck, &[]);
        let belated: Vec<_> = (0..20)
            .map(|at| (reading("s/d/p", at, at * 60).0, 0))
            .collect();
        check(Thin::Minutes, &belated, &[]);
    }

    #[test]
    fn what_always_stays() {
        let same: Vec<_> = (0..20).map(|at| reading("s/d/p", 1.0, at)).collect();
        let events: Vec<_> = same
            .iter()
            .cloned()
            .map(|(mut reading, second)| {
                reading.class = Class::Event;
                (reading, second)
            })
            .collect();
        for how in Thin::ALL {
            check(how, &events, &[]);
            let mut records: Vec<Record> = same
                .iter()
                .zip(1..)
                .map(|((reading, second), seq)| record(seq, reading, *second))
                .collect();
            for record in &mut records {
                let origin = Origin { lane: 'n', seq: 7 };
                let again = frame::keep_origin(record.body.bytes().unwrap(), origin);
                record.body = again.unwrap().into();
            }
            assert_eq!(gone(how, &records), Vec::<u64>::new(), "sent a second time");
            records
                .iter_mut()
                .for_each(|record| record.body = vec![99, 1].into());
            assert_eq!(gone(how, &records), Vec::<u64>::new(), "no frame");
        }
    }

    #[test]
    fn routes_are_looked_at_apart() {
        let records: Vec<Record> = (1..=8)
            .map(|seq| Record {
                routes: RouteBit((seq % 2) as u8).into(),
                ..record(seq, &reading("s/d/p", 1.0, 0).0, 0)
            })
            .collect();
        assert_eq!(gone(Thin::Duplicates, &records), [3, 4, 5, 6]);
    }
}
