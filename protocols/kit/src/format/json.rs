//! `json`: one flat message for each reading.
//!
//! ```json
//! {"id":"a1b2c3d4-n-0000000000000007","point":"press/Line%2FPress/temperature","value":21.5,"quality":"good",
//!  "sourceTimestamp":"2026-11-23T18:22:52.250Z","gatewayTimestamp":"2026-11-23T18:22:52.261Z","unit":"Cel"}
//! ```
//!
//! `point` is the whole id, escaped, as routes and the console write it. `reason` says why the quality is not good.

use bytes::Bytes;
use fieldgate_model::{Quality, QualityLevel};

use super::{Message, dataset, json_value::JsonText};
use crate::{AddressBook, Sequenced};

pub(super) fn encode(book: &AddressBook, readings: &[Sequenced]) -> Vec<Message> {
    let mut json = JsonText::default();
    readings
        .iter()
        .map(|sequenced| {
            let Sequenced { seq, reading, .. } = sequenced;
            json.bytes.clear();
            write(&mut json, book, sequenced);
            Message {
                device: reading.point.device_id(),
                dataset: dataset(reading.class),
                point: Some(reading.point.clone()),
                first_seq: *seq,
                last_seq: *seq,
                seqs: vec![*seq],
                payload: Bytes::copy_from_slice(&json.bytes),
                content_type: "application/json",
                attributes: Vec::new(),
            }
        })
        .collect()
}

fn write(json: &mut JsonText, book: &AddressBook, sequenced: &Sequenced) {
    let reading = &sequenced.reading;
    json.raw("{\"id\":");
    json.message_id(book, sequenced.origin);
    json.raw(",\"point\":");
    json.text(reading.point.as_str());
    json.raw(",\"value\":");
    json.value(&reading.value);
    write_quality(json, &reading.quality);
    json.raw(",\"sourceTimestamp\":");
    json.time(reading.at);
    json.raw(",\"gatewayTimestamp\":");
    json.time(reading.seen);
    if let Some(word) = sequenced.time_quality.word() {
        json.raw(",\"timeQuality\":");
        json.text(word);
    }
    if let Some(unit) = &reading.unit {
        json.raw(",\"unit\":");
        json.text(unit);
    }
    if reading.backfilled {
        json.raw(",\"backfilled\":true");
    }
    json.raw("}");
}

fn write_quality(json: &mut JsonText, quality: &Quality) {
    json.raw(match quality.level() {
        QualityLevel::Good => ",\"quality\":\"good\"",
        QualityLevel::Uncertain => ",\"quality\":\"uncertain\"",
        QualityLevel::Bad => ",\"quality\":\"bad\"",
    });
    if let Some(why) = quality.why() {
        json.raw(",\"reason\":");
        json.text(why);
    }
}
