//! Pictures and parts of clips to requests (pure): their bytes as the body, and what they are in headers.

use fieldgate_kit::{
    ClipPart, Sequenced,
    format::dataset,
    path::{PathValues, file_name},
    topic::TopicValues,
};
use serde_json::json;

use crate::{
    client::Call,
    encoder::{Encoder, Picture, key, plain_value},
    settings::Parts,
};

/// No media type is longer: it comes from a device.
const LONGEST_MEDIA_TYPE: usize = 100;

impl Encoder {
    /// The request that carries a picture.
    pub fn picture(&self, sequenced: &Sequenced, picture: Picture<'_>) -> Call {
        let id = self.book.message_id(sequenced.origin);
        let name = file_name(sequenced.reading.at, &id, picture.media_type);
        let mut headers = self.about(sequenced, picture.media_type);
        headers.push(("idempotency-key".to_owned(), key(&id, &id)));
        Call {
            method: "PUT",
            target: self.file_target(sequenced, &name),
            headers,
            body: picture.data.clone(),
        }
    }

    /// The request that carries a part of a clip.
    pub fn part(&self, sequenced: &Sequenced, part: &ClipPart) -> Call {
        let id = self.book.message_id(sequenced.origin);
        let mut headers = self.about(sequenced, &part.media_type);
        headers.extend([
            ("idempotency-key".to_owned(), key(&id, &id)),
            ("x-fieldgate-clip".to_owned(), plain_value(&part.clip)),
            ("x-fieldgate-part".to_owned(), part.part.to_string()),
            ("x-fieldgate-parts".to_owned(), part.parts.to_string()),
            ("x-fieldgate-sha256".to_owned(), part.sha256.clone()),
        ]);
        let name = match self.settings.parts {
            Parts::Objects => part_name(&part.name, part.part),
            Parts::Ranges => {
                let (first, last, bytes) = (part.offset, part.end() - 1, part.bytes);
                let range = format!("bytes {first}-{last}/{bytes}");
                headers.push(("content-range".to_owned(), range));
                part.name.clone()
            }
        };
        Call {
            method: "PUT",
            target: self.file_target(sequenced, &name),
            headers,
            body: part.data.clone(),
        }
    }

    /// The request that tells what the parts come to: their names, joined in this order, are the clip.
    pub fn manifest(&self, sequenced: &Sequenced, last: &ClipPart) -> Call {
        let id = self.book.message_id(sequenced.origin);
        let name = format!("{}.json", last.name);
        let parts: Vec<String> = (0..last.parts)
            .map(|part| part_name(&last.name, part))
            .collect();
        let manifest = json!({
            "clip": last.clip,
            "name": last.name,
            "mediaType": last.media_type,
            "bytes": last.bytes,
            "sha256": last.sha256,
            "point": sequenced.reading.point.as_str(),
            "at": sequenced.reading.at,
            "parts": parts,
        });
        let mut headers = self.about(sequenced, "application/json");
        headers.push(("idempotency-key".to_owned(), format!("\"{id}..manifest\"")));
        Call {
            method: "PUT",
            target: self.file_target(sequenced, &name),
            headers,
            body: manifest.to_string().into(),
        }
    }

    /// What it is, of whom, since when.
    fn about(&self, sequenced: &Sequenced, media_type: &str) -> Vec<(String, String)> {
        let reading = &sequenced.reading;
        let id = self.book.message_id(sequenced.origin);
        let mut headers = vec![
            ("content-type".to_owned(), content_type(media_type)),
            (
                "x-fieldgate-gateway".to_owned(),
                plain_value(&self.book.gateway),
            ),
            (
                "x-fieldgate-point".to_owned(),
                plain_value(reading.point.as_str()),
            ),
            ("x-fieldgate-at".to_owned(), reading.at.to_string()),
            ("x-fieldgate-id".to_owned(), id),
        ];
        if let Some(word) = sequenced.time_quality.word() {
            headers.push(("x-fieldgate-time-quality".to_owned(), word.to_owned()));
        }
        headers
    }

    fn file_target(&self, sequenced: &Sequenced, name: &str) -> String {
        let reading = &sequenced.reading;
        let point = &reading.point;
        let values = PathValues {
            of: TopicValues {
                gateway: &self.book.gateway,
                source: point.source(),
                device: point.device(),
                dataset: dataset(reading.class),
                point: point.point(),
                format: self.settings.format.as_str(),
            },
            name,
            at: reading.at,
        };
        let files = self.settings.files.as_ref();
        files.map_or_else(String::new, |files| files.target(&values))
    }
}

/// Four digits, and more where a clip has more parts.
fn part_name(name: &str, part: u64) -> String {
    format!("{name}.part{part:04}")
}

/// A media type that a header takes; what a device calls otherwise are bytes.
fn content_type(media_type: &str) -> String {
    let plain = media_type.len() <= LONGEST_MEDIA_TYPE
        && media_type.contains('/')
        && media_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match plain {
        true => media_type.to_owned(),
        false => "application/octet-stream".to_owned(),
    }
}
