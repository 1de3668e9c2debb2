//! `Received`: what a subscriber got, taken apart into readings, and the checks of what must hold for them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use fieldgate_model::Timestamp;
use serde_json::Value as Json;

use crate::{
    subscriber::{Message, Subscriber},
    wait::until,
};

/// The readings of `aio-json` messages, each once, in the order of their first arrival.
#[derive(Debug, Default)]
pub struct Received {
    pub readings: Vec<Reading>,
    /// How many came again.
    pub repeated: usize,
    /// How many messages were taken apart.
    messages: usize,
    /// Where in `readings` each id is.
    known: HashMap<String, usize>,
    /// The latest source timestamp of each point.
    latest: BTreeMap<String, Timestamp>,
}

/// One reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The message's topic.
    pub topic: String,
    /// The key within the message.
    pub point: String,
    pub id: String,
    pub at: Timestamp,
    pub value: Json,
    /// The reason, when the quality is not good.
    pub reason: Option<String>,
    /// It was read from the server's history.
    pub backfilled: bool,
}

/// After an outage: the destination may wait half a minute before it tries again, and then has to catch up.
const DELIVERED: Duration = Duration::from_secs(120);

// === impl Received ===

impl Received {
    /// Takes apart what came since the last time: the messages on `fieldgate/…/data` and `…/events`.
    ///
    /// # Panics
    /// When one is not what `aio-json` says, or an id comes back with another reading.
    pub fn update(&mut self, subscriber: &Subscriber) {
        for message in subscriber.messages_from(self.messages) {
            self.messages += 1;
            self.take(&message);
        }
    }

    /// Takes apart a message, if it is one of readings.
    ///
    /// # Panics
    /// As [`Self::update`].
    pub fn take(&mut self, message: &Message) {
        if message.topic.ends_with("/data") || message.topic.ends_with("/events") {
            for reading in readings(message) {
                self.add(reading);
            }
        }
    }

    fn add(&mut self, reading: Reading) {
        if let Some(at) = self.known.get(&reading.id) {
            assert_eq!(self.readings[*at], reading, "the same id");
            self.repeated += 1;
            return;
        }
        self.known.insert(reading.id.clone(), self.readings.len());
        let latest = self.latest.entry(reading.point.clone()).or_default();
        *latest = reading.at.max(*latest);
        self.readings.push(reading);
    }

    /// Waits until `points` points have come at least as far as `at`.
    #[track_caller]
    pub fn wait_for(&mut self, subscriber: &Subscriber, points: usize, at: Timestamp) {
        let what = format!("{points} points to reach {at}");
        until(&what, DELIVERED, || {
            self.update(subscriber);
            match self.latest.values().filter(|latest| **latest >= at).count() {
                there if there >= points => Ok(()),
                there => Err(format!(
                    "only {there} of {} did, of {} readings",
                    self.latest.len(),
                    self.readings.len()
                )),
            }
        });
    }

    /// The latest source timestamp of all.
    ///
    /// # Panics
    /// When nothing was received.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        *self.latest.values().max().expect("something was received")
    }

    /// By point, in the order of arrival.
    #[must_use]
    pub fn by_point(&self) -> BTreeMap<&str, Vec<&Reading>> {
        let mut points: BTreeMap<&str, Vec<&Reading>> = BTreeMap::new();
        for reading in &self.readings {
            points.entry(&reading.point).or_default().push(reading);
        }
        points
    }

    /// Nothing accepted is missing: the sequence numbers have no holes. Their count.
    ///
    /// # Panics
    /// With the holes.
    #[track_caller]
    pub fn assert_no_holes(&self) -> u64 {
        let seqs: BTreeSet<u64> = self.readings.iter().map(Reading::seq).collect();
        let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else {
            panic!("nothing was received");
        };
        let missing: Vec<u64> = (*first..=*last).filter(|seq| !seqs.contains(seq)).collect();
        assert!(
            missing.is_empty(),
            "{} of {first} to {last} are missing: {:?} …",
            missing.len(),
            &missing[..missing.len().min(10)]
        );
        seqs.len() as u64
    }

    /// For each point, what came later is later by the source's clock too; or the same again, since a new subscription begins
    /// with the value that is there already.
    ///
    /// # Panics
    /// With the first that is not.
    #[track_caller]
    pub fn assert_order(&self) {
        for readings in self.by_point().values() {
            for pair in readings.windows(2) {
                let (before, after) = (pair[0], pair[1]);
                let same = (&before.value, &before.reason) == (&after.value, &after.reason);
                assert!(
                    before.at < after.at || (before.at == after.at && same),
                    "{before:?} came before {after:?}"
                );
            }
        }
    }
}

// === impl Reading ===

impl Reading {
    /// The sequence number in its message id.
    ///
    /// # Panics
    /// When the id is none.
    #[must_use]
    pub fn seq(&self) -> u64 {
        let seq = self.id.rsplit('-').next().unwrap_or_default();
        u64::from_str_radix(seq, 16).unwrap_or_else(|error| panic!("{error} in {}", self.id))
    }

    /// The number of its node: `p7` is 7.
    ///
    /// # Panics
    /// When it is not a point of the tests' server.
    #[must_use]
    pub fn node(&self) -> i64 {
        let number = self.point.strip_prefix('p').and_then(|n| n.parse().ok());
        number.unwrap_or_else(|| panic!("{} is not a point of the server", self.point))
    }
}

/// The readings of one `aio-json` message, in plain or CloudEvents' structured mode.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn readings(message: &Message) -> Vec<Reading> {
    let payload = message.json();
    let payload = match payload.get("specversion") {
        Some(_) => &payload["data"],
        None => &payload,
    };
    let text = |entry: &Json, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let reading = |(point, entry): (&String, &Json)| Reading {
        topic: message.topic.clone(),
        point: point.clone(),
        id: text(entry, "Id"),
        at: Timestamp::parse(&text(entry, "SourceTimestamp")).expect("a timestamp"),
        value: entry["Value"].clone(),
        reason: entry.get("Quality").map(|quality| text(quality, "Reason")),
        backfilled: entry["Backfilled"] == true,
    };
    let entries = payload.as_object().expect("an object of readings");
    entries.iter().map(reading).collect()
}
