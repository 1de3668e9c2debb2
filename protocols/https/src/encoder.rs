//! Readings to requests (pure): bodies, URLs, and the headers that name what is inside.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use fieldgate_kit::{
    AddressBook, ClipPart, Sequenced,
    format::{FormatKind, Message},
    path::{PathPlaceholder, PathValues, file_name},
    topic::TopicValues,
};
use fieldgate_model::Value;
use flate2::{Compression, write::GzEncoder};

use crate::{
    client::Call,
    settings::{List, Settings},
};

/// A smaller body gains nothing.
const WORTH_COMPRESSING: usize = 512;

/// Readings to requests.
pub(crate) struct Encoder {
    pub settings: Arc<Settings>,
    pub book: AddressBook,
}

/// What goes out by itself, in the order of the readings.
#[derive(Debug, PartialEq)]
pub(crate) enum Load<'a> {
    Readings(&'a [Sequenced]),
    Picture(&'a Sequenced, Picture<'a>),
    Part(&'a Sequenced, ClipPart),
}

/// A blob.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Picture<'a> {
    pub media_type: &'a str,
    pub data: &'a Bytes,
}

/// A request with readings in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub call: Call,
    /// The readings inside, ascending.
    pub seqs: Vec<u64>,
    /// The size of the body before it was compressed.
    pub bytes: usize,
}

// === impl Encoder ===

impl Encoder {
    pub fn new(settings: Arc<Settings>, book: AddressBook) -> Self {
        Self { settings, book }
    }

    /// The whole URL, as errors name it.
    pub fn url(&self, call: &Call) -> String {
        format!("{}{}", self.settings.server(), call.target)
    }

    /// Takes readings apart into what goes out together.
    pub fn loads<'a>(&self, readings: &'a [Sequenced]) -> Vec<Load<'a>> {
        let mut loads = Vec::new();
        let mut from = 0;
        for (index, sequenced) in readings.iter().enumerate() {
            let Some(file) = self.file_of(sequenced) else {
                continue;
            };
            if from < index {
                loads.push(Load::Readings(&readings[from..index]));
            }
            loads.push(file);
            from = index + 1;
        }
        if from < readings.len() {
            loads.push(Load::Readings(&readings[from..]));
        }
        loads
    }

    fn file_of<'a>(&self, sequenced: &'a Sequenced) -> Option<Load<'a>> {
        self.settings.files.as_ref()?;
        match &sequenced.reading.value {
            Value::Blob { media_type, data } => {
                Some(Load::Picture(sequenced, Picture { media_type, data }))
            }
            value => ClipPart::of(value).map(|part| Load::Part(sequenced, part)),
        }
    }

    /// Readings in requests whose bodies are no longer than this, unless a single reading is.
    pub fn parcels(&self, readings: &[Sequenced], most_bytes: usize) -> Vec<Parcel> {
        let messages = self
            .settings
            .format
            .encode(&self.book, readings, most_bytes);
        match self.settings.format {
            FormatKind::AioJson => messages
                .into_iter()
                .map(|message| self.single(message, readings))
                .collect(),
            FormatKind::Json => self.listed(messages, readings, most_bytes),
        }
    }

    /// The readings of a parcel that was too large, in two of half the readings each.
    pub fn halves(&self, readings: &[Sequenced], seqs: &[u64], most_bytes: usize) -> Vec<Parcel> {
        let (first, second) = seqs.split_at(seqs.len() / 2);
        let part = |half: &[u64]| {
            let inside = |sequenced: &&Sequenced| half.binary_search(&sequenced.seq).is_ok();
            let part: Vec<Sequenced> = readings.iter().filter(inside).cloned().collect();
            self.parcels(&part, most_bytes)
        };
        [first, second].into_iter().flat_map(part).collect()
    }

    /// A message that is a request: the CloudEvents attributes are headers (HTTP binding, binary mode).
    fn single(&self, message: Message, readings: &[Sequenced]) -> Parcel {
        let attributes = message.attributes.iter();
        // The content type stands in its own header.
        let attributes = attributes.filter(|(name, _)| *name != "datacontenttype");
        let headers = attributes
            .map(|(name, value)| (format!("ce-{name}"), event_value(value)))
            .collect();
        let body = message.payload.to_vec();
        self.parcel(&[&message], body, message.content_type, headers, readings)
    }

    /// Messages of one reading each, as many in a request as its URL and its size allow.
    fn listed(
        &self,
        messages: Vec<Message>,
        readings: &[Sequenced],
        most_bytes: usize,
    ) -> Vec<Parcel> {
        let mut groups: Vec<(String, usize, Vec<Message>)> = Vec::new();
        for message in messages {
            // Where the name does not stand for what is inside yet.
            let url = self.settings.url.target(&self.values(&message, ""));
            let bytes = message.payload.len() + 1;
            let open = groups.iter_mut().rev().find(|(of, ..)| *of == url);
            match open {
                Some((_, sum, group)) if *sum + bytes <= most_bytes => {
                    *sum += bytes;
                    group.push(message);
                }
                _ => groups.push((url, bytes + 1, vec![message])),
            }
        }
        let parcel = |(_, _, group): (String, usize, Vec<Message>)| {
            let group: Vec<&Message> = group.iter().collect();
            let payloads: Vec<&[u8]> = group.iter().map(|message| &message.payload[..]).collect();
            let (body, kind) = match self.settings.list {
                List::Array => {
                    let inside = payloads.join(&b","[..]);
                    ([b"[", &inside[..], b"]"].concat(), "application/json")
                }
                List::Lines => {
                    let inside = payloads.join(&b"\n"[..]);
                    ([&inside[..], b"\n"].concat(), "application/x-ndjson")
                }
            };
            self.parcel(&group, body, kind, Vec::new(), readings)
        };
        groups.into_iter().map(parcel).collect()
    }

    fn parcel(
        &self,
        messages: &[&Message],
        body: Vec<u8>,
        content_type: &str,
        mut headers: Vec<(String, String)>,
        readings: &[Sequenced],
    ) -> Parcel {
        let mut seqs: Vec<u64> = messages
            .iter()
            .flat_map(|message| message.seqs.iter().copied())
            .collect();
        seqs.sort_unstable();
        let find = |seq: Option<&u64>| readings.iter().find(|there| Some(&there.seq) == seq);
        let ends = [find(seqs.first()), find(seqs.last())];
        let [first, last] = ends.map(|end| end.map(|there| self.book.message_id(there.origin)));
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        let at = ends[0].map_or_else(Default::default, |there| there.reading.at);
        let name = file_name(at, &first, content_type);
        let values = messages.first().map(|message| PathValues {
            at,
            ..self.values(message, &name)
        });
        let target = self.settings.url.target(&values.unwrap_or_default());
        headers.extend([
            ("content-type".to_owned(), content_type.to_owned()),
            ("idempotency-key".to_owned(), key(&first, &last)),
            ("x-fieldgate-first-id".to_owned(), first),
            ("x-fieldgate-last-id".to_owned(), last),
            ("x-fieldgate-count".to_owned(), seqs.len().to_string()),
        ]);
        let bytes = body.len();
        let body = match self.settings.gzip && bytes >= WORTH_COMPRESSING {
            true => {
                headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
                compressed(&body)
            }
            false => body.into(),
        };
        Parcel {
            call: Call {
                method: self.settings.method.as_str(),
                target,
                headers,
                body,
            },
            seqs,
            bytes,
        }
    }

    fn values<'a>(&'a self, message: &'a Message, name: &'a str) -> PathValues<'a> {
        let per_point = self.settings.url.has(PathPlaceholder::Point);
        let point = message.point.as_ref().filter(|_| per_point);
        PathValues {
            of: TopicValues {
                gateway: &self.book.gateway,
                source: message.device.source(),
                device: message.device.device(),
                dataset: message.dataset,
                point: point.map_or("", |point| point.point()),
                format: self.settings.format.as_str(),
            },
            name,
            ..PathValues::default()
        }
    }
}

/// The key of a request: each reading is in one request, so its first and last reading's ids name it (a quoted string, as
/// draft-ietf-httpapi-idempotency-key-header has it).
pub(crate) fn key(first: &str, last: &str) -> String {
    if first == last {
        format!("\"{first}\"")
    } else {
        format!("\"{first}..{last}\"")
    }
}

/// A text as the value of a CloudEvents header: what is not plain ASCII, and `"`, `%` and space, percent-encoded (HTTP binding
/// §3.1.3.2).
fn event_value(text: &str) -> String {
    encoded(text, |byte| {
        byte.is_ascii_graphic() && !b"\"%".contains(&byte)
    })
}

/// A text as the value of a header of ours: ids are escaped with `%` already, and only what is not ASCII is encoded.
pub(crate) fn plain_value(text: &str) -> String {
    encoded(text, |byte| byte.is_ascii_graphic() || byte == b' ')
}

fn encoded(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
    value
}

fn compressed(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .expect("memory takes every byte")
        .into()
}

#[cfg(test)]
mod tests;
