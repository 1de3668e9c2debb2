//! CloudEvents 1.0 context attributes of a message, and its structured mode (JSON Event Format).

use bytes::Bytes;
use fieldgate_model::{DeviceId, Timestamp, unescape_segment};

use super::{Message, json_value::JsonText};
use crate::{AddressBook, Origin};

/// The `dataschema` of `aio-json`: the `$id` of its JSON Schema.
const AIO_JSON_SCHEMA_ID: &str = "urn:fieldgate:schema:aio-json:1";

/// A message's id: its first and last reading's. Each reading is in one message, so no other message has it; packing
/// the same readings otherwise gives other ids, while each reading keeps its own.
pub(super) fn batch_id(book: &AddressBook, first: Origin, last: Origin) -> String {
    format!("{}..{:016x}", book.message_id(first), last.seq)
}

/// The attributes of a message of `aio-json`, CloudEvents 1.0 §3. `backfilled` is our own extension: a text, so that it is the
/// same as a header and in the structured mode.
pub(super) fn attributes(
    book: &AddressBook,
    device: &DeviceId,
    dataset: &'static str,
    id: String,
    time: Timestamp,
    backfilled: bool,
) -> Vec<(&'static str, String)> {
    let source = format!(
        "fieldgate/{}/{}",
        uri_segment(&book.gateway),
        uri_segment(&unescape_segment(device.source()))
    );
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", id),
        ("source", source),
        ("type", format!("io.github.fieldgate.{dataset}")),
        ("subject", format!("{}/{dataset}", device.device())),
        ("time", time.to_string()),
        ("datacontenttype", "application/json".to_owned()),
        ("dataschema", AIO_JSON_SCHEMA_ID.to_owned()),
    ];
    if backfilled {
        attributes.push(("backfilled", "true".to_owned()));
    }
    attributes
}

/// `{"specversion":"1.0",…,"data":{…}}`
pub(super) fn structured(message: &Message) -> Bytes {
    let mut json = JsonText::default();
    json.bytes.reserve(message.payload.len() + 512);
    json.raw("{");
    for (name, value) in &message.attributes {
        json.text(name);
        json.raw(":");
        json.text(value);
        json.raw(",");
    }
    json.raw("\"data\":");
    json.bytes.extend_from_slice(&message.payload);
    json.raw("}");
    Bytes::from(json.bytes)
}

/// One path segment of a URI reference: everything but unreserved characters percent-encoded (RFC 3986 §2.3).
fn uri_segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_segment_is_ascii_without_separators() {
        for (text, expected) in [
            ("line-4", "line-4"),
            ("a/b c", "a%2Fb%20c"),
            ("Öl", "%C3%96l"),
        ] {
            assert_eq!(uri_segment(text), expected);
        }
    }
}
