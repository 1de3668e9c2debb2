//! `aio-json`: the shape that Azure IoT Operations' OPC UA connector publishes, one message for each device.
//!
//! ```json
//! {"temperature":{"SourceTimestamp":"2026-11-23T18:22:52.250Z","Value":21.5,"Unit":"Cel",
//!                 "Id":"a1b2c3d4-n-0000000000000007"},
//!  "pressure":{"SourceTimestamp":"2026-11-23T18:22:52.250Z","Value":null,
//!              "Quality":{"Level":"Bad","Reason":"BadNodeIdUnknown: the server no longer has this node"},"Id":"…8"}}
//! ```
//!
//! A JSON object has a key once, so a point that occurs again in the batch begins its device's next message.

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use fieldgate_model::{Class, Quality, Reading, unescape_segment};

use super::{Message, cloud_event, dataset, json_value::JsonText};
use crate::{AddressBook, Sequenced};

pub(super) fn encode(
    book: &AddressBook,
    readings: &[Sequenced],
    payload_bytes: usize,
) -> Vec<Message> {
    let mut packer = Packer::default();
    let mut entry = JsonText::default();
    for sequenced in readings {
        let reading = &sequenced.reading;
        let name = point_name(reading);
        entry.bytes.clear();
        write(&mut entry, book, sequenced, &name);
        packer.pack(sequenced, name, &entry.bytes, payload_bytes);
    }
    packer
        .drafts
        .into_iter()
        .map(|draft| draft.finish(book))
        .collect()
}

/// Puts entries into messages: one open message for each device and dataset.
#[derive(Default)]
struct Packer<'a> {
    drafts: Vec<Draft<'a>>,
    /// The open draft of each group, and the group of the last reading, which is most often the next one's too.
    groups: HashMap<Group<'a>, usize>,
    open: Vec<usize>,
    last: Option<(Group<'a>, usize)>,
    /// The draft that last took this point of this group.
    taken: HashMap<(usize, Cow<'a, str>), usize>,
}

type Group<'a> = (&'a str, Class);

struct Draft<'a> {
    first: &'a Sequenced,
    last: &'a Sequenced,
    seqs: Vec<u64>,
    json: Vec<u8>,
    /// Every reading inside is.
    backfilled: bool,
}

// === impl Packer ===

impl<'a> Packer<'a> {
    fn pack(
        &mut self,
        sequenced: &'a Sequenced,
        name: Cow<'a, str>,
        entry: &[u8],
        payload_bytes: usize,
    ) {
        let group = self.group(&sequenced.reading);
        let open = self.open[group];
        let previous = self.taken.entry((group, name)).or_insert(usize::MAX);
        // Two more bytes: the comma before the entry and the closing brace.
        let fits = self
            .drafts
            .get(open)
            .is_some_and(|draft| draft.json.len() + entry.len() + 2 <= payload_bytes);
        if fits && *previous != open {
            *previous = open;
            self.drafts[open].push(sequenced, entry);
        } else {
            *previous = self.drafts.len();
            self.open[group] = self.drafts.len();
            self.drafts.push(Draft::new(sequenced, entry));
        }
    }

    fn group(&mut self, reading: &'a Reading) -> usize {
        let key = (reading.point.device_path(), reading.class);
        match self.last {
            Some((last, group)) if last == key => group,
            _ => {
                let group = *self.groups.entry(key).or_insert_with(|| {
                    self.open.push(usize::MAX);
                    self.open.len() - 1
                });
                self.last = Some((key, group));
                group
            }
        }
    }
}

// === impl Draft ===

impl<'a> Draft<'a> {
    fn new(sequenced: &'a Sequenced, entry: &[u8]) -> Self {
        let mut json = Vec::with_capacity(entry.len() * 8);
        json.push(b'{');
        json.extend_from_slice(entry);
        Self {
            first: sequenced,
            last: sequenced,
            seqs: vec![sequenced.seq],
            json,
            backfilled: sequenced.reading.backfilled,
        }
    }

    fn push(&mut self, sequenced: &'a Sequenced, entry: &[u8]) {
        self.json.push(b',');
        self.json.extend_from_slice(entry);
        self.seqs.push(sequenced.seq);
        self.last = sequenced;
        self.backfilled &= sequenced.reading.backfilled;
    }

    fn finish(mut self, book: &AddressBook) -> Message {
        self.json.push(b'}');
        let device = self.first.reading.point.device_id();
        let dataset = dataset(self.first.reading.class);
        let attributes = cloud_event::attributes(
            book,
            &device,
            dataset,
            cloud_event::batch_id(book, self.first.origin, self.last.origin),
            self.last.reading.at,
            self.backfilled,
        );
        Message {
            device,
            dataset,
            point: None,
            first_seq: self.first.seq,
            last_seq: self.last.seq,
            seqs: self.seqs,
            payload: Bytes::from(self.json),
            content_type: "application/json",
            attributes,
        }
    }
}

fn point_name(reading: &Reading) -> Cow<'_, str> {
    let segment = reading.point.point();
    if segment.contains('%') {
        Cow::Owned(unescape_segment(segment))
    } else {
        Cow::Borrowed(segment)
    }
}

/// `"name":{…}`
fn write(json: &mut JsonText, book: &AddressBook, sequenced: &Sequenced, name: &str) {
    let reading = &sequenced.reading;
    json.text(name);
    json.raw(":{\"SourceTimestamp\":");
    json.time(reading.at);
    // Only where the time is the gateway's: it says nothing of a source's clock.
    if let Some(word) = sequenced
        .time_quality
        .word()
        .filter(|_| reading.at == reading.seen)
    {
        json.raw(",\"TimeQuality\":");
        json.text(word);
    }
    json.raw(",\"Value\":");
    json.value(&reading.value);
    if let Some(why) = reading.quality.why() {
        json.raw(match reading.quality {
            Quality::Bad(_) => ",\"Quality\":{\"Level\":\"Bad\",\"Reason\":",
            Quality::Good | Quality::Uncertain(_) => {
                ",\"Quality\":{\"Level\":\"Uncertain\",\"Reason\":"
            }
        });
        json.text(why);
        json.raw("}");
    }
    if let Some(unit) = &reading.unit {
        json.raw(",\"Unit\":");
        json.text(unit);
    }
    if reading.backfilled {
        json.raw(",\"Backfilled\":true");
    }
    json.raw(",\"Id\":");
    json.message_id(book, sequenced.origin);
    json.raw("}");
}
