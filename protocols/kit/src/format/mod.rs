//! Payload formats: pure encoders from readings to messages, and the JSON Schemas of what they write.
//!
//! | `format` | one message holds | CloudEvents | schema |
//! |---|---|---|---|
//! | `aio-json` (default) | the readings of one device and dataset, by point name, as Azure IoT Operations writes them | yes | [`AIO_JSON_SCHEMA`] |
//! | `json` | one reading, flat | no | [`JSON_SCHEMA`] |
//!
//! Every value type has one JSON form in both: integers with all their digits, `NaN` and the infinities as texts, bytes
//! as Base64, a blob as `{"mediaType","data"}`. A reading's message id stands beside it and never
//! changes; how readings are packed into messages may.

mod aio_json;
mod cloud_event;
mod json;
mod json_value;

use std::fmt;

use bytes::Bytes;
use fieldgate_model::{Class, DeviceId, PointId, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AddressBook, Sequenced};

/// The JSON Schema (2020-12) of `aio-json` payloads.
pub const AIO_JSON_SCHEMA: &str = include_str!("aio_json.schema.json");
/// The JSON Schema (2020-12) of `json` payloads.
pub const JSON_SCHEMA: &str = include_str!("json.schema.json");
/// The JSON Schema (2020-12) of a message in CloudEvents' structured mode ([`Message::structured`]).
pub const CLOUD_EVENT_SCHEMA: &str = include_str!("cloud_event.schema.json");

/// The content type of [`Message::structured`].
pub const STRUCTURED_CONTENT_TYPE: &str = "application/cloudevents+json";

/// How readings are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FormatKind {
    /// Azure IoT Operations' shape: `{"temperature":{"SourceTimestamp":"…Z","Value":21.5,"Id":"…"}}`, one message for each
    /// device and batch, with CloudEvents attributes.
    #[default]
    AioJson,
    /// One message for each reading: `{"id":"…","point":"press/Line/temperature","value":21.5,"quality":"good",…}`.
    Json,
}

/// One message of one device, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub device: DeviceId,
    /// `data`, or `events` for readings of class event.
    pub dataset: &'static str,
    /// The point, where a message is about a single one.
    pub point: Option<PointId>,
    pub first_seq: u64,
    pub last_seq: u64,
    /// The readings inside, ascending: what a refusal of this message refuses.
    pub seqs: Vec<u64>,
    pub payload: Bytes,
    pub content_type: &'static str,
    /// CloudEvents context attributes; empty for formats without.
    pub attributes: Vec<(&'static str, String)>,
}

/// A value's one JSON form, for those who show what goes upstream.
#[must_use]
pub fn value_json(value: &Value) -> serde_json::Value {
    let mut json = json_value::JsonText::default();
    json.value(value);
    serde_json::from_slice(&json.bytes).expect("what is written here is JSON")
}

/// The dataset that a reading belongs to.
#[must_use]
pub fn dataset(class: Class) -> &'static str {
    match class {
        Class::Telemetry => "data",
        Class::Event => "events",
    }
}

// === impl FormatKind ===

impl FormatKind {
    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AioJson => "aio-json",
            Self::Json => "json",
        }
    }

    /// Whether each message is about one point, so that `{point}` may stand in a topic.
    #[must_use]
    pub fn is_per_point(self) -> bool {
        self == Self::Json
    }

    /// Writes readings, in the order of their sequence, into messages, such that sending the messages in their order
    /// keeps the order for each point. Every reading is in exactly one message. No payload is longer than
    /// `payload_bytes`, unless a single reading alone is.
    #[must_use]
    pub fn encode(
        self,
        book: &AddressBook,
        readings: &[Sequenced],
        payload_bytes: usize,
    ) -> Vec<Message> {
        match self {
            Self::AioJson => aio_json::encode(book, readings, payload_bytes),
            Self::Json => json::encode(book, readings),
        }
    }
}

impl fmt::Display for FormatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Message ===

impl Message {
    /// The message in CloudEvents' structured mode (JSON Event Format 1.0 §3), for wires without headers: attributes
    /// and payload in one JSON object. `None` for formats without CloudEvents attributes.
    #[must_use]
    pub fn structured(&self) -> Option<Bytes> {
        (!self.attributes.is_empty()).then(|| cloud_event::structured(self))
    }
}

#[cfg(test)]
mod tests;
