//! The pure part of a forwarder: a page of records → a batch to send, and what its receipt means for the ledger.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::{AddressBook, Batch, Origin, Receipt, Refusal, Rejected, Sequenced};
use fieldgate_model::Timestamp;
use fieldgate_store::{Exit, Page, Record, RouteMask, Seq, Tally};

use super::timely::timely;
use crate::{
    clock::Clock,
    dead::Refused,
    lanes::LaneKind,
    pipeline::frame::{self, Frame},
};

/// Of how many readings of a page the delay is measured.
const SAMPLES: usize = 8;

/// A page taken from the queue, on its way.
#[derive(Debug)]
pub struct Sending {
    pub lane: LaneKind,
    /// Where the cursor goes when this is done.
    pub through: Seq,
    /// The records, for the ledger and for dead letters.
    records: Vec<Record>,
    /// What is known already about records that are not sent: too old, or unreadable.
    unsent: HashMap<Seq, Unsent>,
    /// The routes of this destination.
    mask: RouteMask,
    /// When the source observed some of what is sent, spread over the page.
    pub sampled: Vec<Timestamp>,
}

#[derive(Debug, Clone)]
enum Unsent {
    Expired,
    Unreadable(String),
}

/// What a receipt means.
#[derive(Debug)]
pub struct Outcome {
    pub tally: Tally,
    pub letters: Vec<Refused>,
    /// Readings that the far side acknowledged.
    pub acked: u64,
}

/// Records that were read and are not sent yet, in order.
#[derive(Debug, Default)]
pub struct ReadAhead {
    records: VecDeque<Record>,
    through: Seq,
}

// === impl ReadAhead ===

impl From<Page> for ReadAhead {
    fn from(page: Page) -> Self {
        Self {
            records: page.records.into(),
            through: page.scanned_through,
        }
    }
}

impl ReadAhead {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The next page of at most so many records and bytes, but at least one record if there is one.
    #[must_use]
    pub fn take(&mut self, most_records: usize, most_bytes: usize) -> Page {
        let (mut count, mut bytes) = (0, 0);
        for record in self.records.iter().take(most_records.max(1)) {
            bytes += record.body.len();
            if count > 0 && bytes > most_bytes {
                break;
            }
            count += 1;
        }
        let records: Vec<Record> = self.records.drain(..count).collect();
        let scanned_through = match records.last() {
            Some(last) if !self.records.is_empty() => last.seq,
            _ => self.through,
        };
        Page {
            records,
            scanned_through,
        }
    }
}

// === impl Sending ===

impl Sending {
    /// Splits a page into what goes to the far side and what does not.
    #[must_use]
    pub fn new(
        lane: LaneKind,
        page: Page,
        mask: RouteMask,
        max_age: Option<Duration>,
        clock: &Clock,
    ) -> (Self, Batch) {
        let mut unsent = HashMap::new();
        let mut readings = Vec::with_capacity(page.records.len());
        for record in &page.records {
            match sendable(record, max_age, clock) {
                Ok(Frame {
                    origin,
                    mut reading,
                }) => readings.push(Sequenced {
                    seq: record.seq.0,
                    origin: origin.unwrap_or(Origin {
                        lane: lane.letter(),
                        seq: record.seq.0,
                    }),
                    time_quality: timely(&mut reading, clock.resolve(record.at)),
                    reading,
                }),
                Err(why) => {
                    unsent.insert(record.seq, why);
                }
            }
        }
        let stride = readings.len().div_ceil(SAMPLES).max(1);
        let sampled = readings
            .iter()
            .step_by(stride)
            .map(|sent| sent.reading.at)
            .collect();
        let batch = Batch {
            lane: lane.letter(),
            readings: readings.into(),
        };
        let sending = Self {
            lane,
            through: page.scanned_through,
            records: page.records,
            unsent,
            mask,
            sampled,
        };
        (sending, batch)
    }

    /// How many readings wait for their acknowledgement.
    #[must_use]
    pub fn readings(&self) -> u64 {
        (self.records.len() - self.unsent.len()) as u64
    }

    /// The receipt that says that the far side refused all of it.
    #[must_use]
    pub fn refused_whole(&self, why: &str) -> Receipt {
        let sent = self
            .records
            .iter()
            .filter(|record| !self.unsent.contains_key(&record.seq));
        let rejected = sent
            .map(|record| Rejected {
                seq: record.seq.0,
                why: why.to_owned(),
                refusal: Refusal::Final,
            })
            .collect();
        Receipt {
            rejected,
            ..Receipt::default()
        }
    }

    /// Where a record's message id comes from.
    fn origin(&self, record: &Record) -> Origin {
        let frame = record
            .body
            .bytes()
            .ok()
            .and_then(|body| frame::open(body).ok());
        let kept = frame.and_then(|frame| frame.origin);
        kept.unwrap_or(Origin {
            lane: self.lane.letter(),
            seq: record.seq.0,
        })
    }

    /// What becomes of each record, now that the far side has answered.
    #[must_use]
    pub fn outcome(
        &self,
        receipt: &Receipt,
        book: &AddressBook,
        destination: &Arc<str>,
        now: Timestamp,
    ) -> Outcome {
        let refused: HashMap<u64, &str> = receipt
            .rejected
            .iter()
            .map(|no| (no.seq, no.why.as_str()))
            .collect();
        let mut exits: HashMap<(RouteMask, Exit), u64> = HashMap::new();
        let mut letters = Vec::new();
        let mut acked = 0;
        for record in &self.records {
            let why = match self.unsent.get(&record.seq) {
                Some(Unsent::Unreadable(why)) => Some(why.as_str()),
                _ => refused.get(&record.seq.0).copied(),
            };
            let exit = match (self.unsent.get(&record.seq), why) {
                (Some(Unsent::Expired), _) => Exit::Expired,
                (_, Some(why)) => {
                    letters.push(Refused {
                        message_id: book.message_id(self.origin(record)),
                        destination: destination.to_string(),
                        routes: RouteMask(record.routes.0 & self.mask.0),
                        why: why.to_owned(),
                        refused_at: now,
                        frame: record.body.bytes().cloned().unwrap_or_default(),
                    });
                    Exit::DeadLettered
                }
                (_, None) => {
                    acked += 1;
                    Exit::Acked
                }
            };
            *exits
                .entry((RouteMask(record.routes.0 & self.mask.0), exit))
                .or_insert(0) += 1;
        }
        let mut tally = Tally::default();
        for ((routes, exit), count) in exits {
            for bit in routes.iter() {
                tally.add(bit, exit, count);
            }
        }
        Outcome {
            tally,
            letters,
            acked,
        }
    }
}

fn sendable(record: &Record, max_age: Option<Duration>, clock: &Clock) -> Result<Frame, Unsent> {
    if max_age.is_some_and(|most| clock.age(record.at).is_some_and(|age| age > most)) {
        return Err(Unsent::Expired);
    }
    let unreadable = |why: String| Unsent::Unreadable(why);
    let body = record.body.bytes();
    let body = body.map_err(|missing| unreadable(missing.to_string()))?;
    frame::open(body).map_err(|error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Reading;
    use fieldgate_store::{RouteBit, Stamp};

    use super::*;
    use crate::clock::SimulatedTime;

    fn record(seq: u64, routes: u64, since_boot_ms: u64, readable: bool) -> Record {
        let reading = Reading::new("s/d/p".parse().unwrap(), seq, Timestamp::default());
        let body = if readable {
            frame::encode(&reading, Vec::new())
        } else {
            vec![99]
        };
        Record {
            seq: Seq(seq),
            routes: RouteMask(routes),
            at: Stamp {
                boot: 1,
                since_boot_ms,
                wall_ms: 0,
            },
            body: body.into(),
        }
    }

    #[test]
    fn what_was_read_ahead_is_cut_into_batches_and_nothing_is_skipped() {
        let records: Vec<Record> = (1..=5).map(|seq| record(seq, 1, 0, true)).collect();
        let bytes = records[0].body.len();
        let mut ahead = ReadAhead::from(Page {
            records,
            scanned_through: Seq(9),
        });
        let mut cuts = Vec::new();
        for (most_records, most_bytes) in
            [(2, usize::MAX), (9, bytes), (0, 0), (9, usize::MAX), (9, 9)]
        {
            let page = ahead.take(most_records, most_bytes);
            cuts.push((page.records.len(), page.scanned_through.0));
        }
        assert_eq!(cuts, [(2, 2), (1, 3), (1, 4), (1, 9), (0, 9)]);
        assert!(ahead.is_empty());
    }

    #[test]
    fn every_record_leaves_under_one_name_for_each_route() {
        let page = Page {
            records: vec![
                record(1, 0b011, 0, true),
                record(2, 0b111, 10_000, true),
                record(3, 0b001, 10_000, false),
                record(4, 0b010, 10_000, true),
            ],
            scanned_through: Seq(9),
        };
        let now = Timestamp::from_millis(12_000);
        let state = tempfile::tempdir().unwrap();
        let time = Arc::new(SimulatedTime::boot(1, 1_000));
        time.pass(11_000);
        let clock = Clock::open(state.path(), time).unwrap();
        let book = AddressBook {
            gateway: "g".into(),
            gateway_id: "00c0ffee".into(),
            version: "0".into(),
            config_revision: 0,
        };
        let (sending, batch) = Sending::new(
            LaneKind::Normal,
            page,
            RouteMask(0b011),
            Some(Duration::from_secs(5)),
            &clock,
        );
        assert_eq!(
            batch.readings.iter().map(|r| r.seq).collect::<Vec<_>>(),
            [2, 4]
        );
        assert_eq!((sending.readings(), sending.through), (2, Seq(9)));

        let receipt = Receipt {
            rejected: vec![Rejected {
                seq: 4,
                why: "too big".into(),
                refusal: Refusal::Final,
            }],
            ..Receipt::default()
        };
        let outcome = sending.outcome(&receipt, &book, &"broker".into(), now);
        let mut expected = Tally::default();
        for (bit, exit, count) in [
            (0, Exit::Expired, 1),
            (1, Exit::Expired, 1),
            (0, Exit::Acked, 1),
            (1, Exit::Acked, 1),
            (0, Exit::DeadLettered, 1),
            (1, Exit::DeadLettered, 1),
        ] {
            expected.add(RouteBit(bit), exit, count);
        }
        let sorted = |tally: &Tally| {
            let mut exits: Vec<_> = tally.iter().map(|exit| format!("{exit:?}")).collect();
            exits.sort();
            exits
        };
        assert_eq!(sorted(&outcome.tally), sorted(&expected));
        assert_eq!(outcome.acked, 1);
        let whys: Vec<&str> = outcome
            .letters
            .iter()
            .map(|letter| letter.why.as_str())
            .collect();
        assert!(whys[0].contains("frame version 99"), "{whys:?}");
        assert_eq!(whys[1], "too big");
        assert_eq!(outcome.letters[1].message_id, "00c0ffee-n-0000000000000004");
    }
}
