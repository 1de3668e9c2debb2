//! `JsonText`: JSON written straight into a byte buffer, the one place that knows how each value type looks in JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use fieldgate_model::{Timestamp, Value};
use serde::Serialize;

use crate::{AddressBook, Origin};

/// JSON text under construction, with what is worth keeping between readings: most share their timestamp.
#[derive(Debug, Default)]
pub(super) struct JsonText {
    pub bytes: Vec<u8>,
    clock: Option<(Timestamp, String)>,
}

// === impl JsonText ===

impl JsonText {
    /// Appends what is already JSON.
    pub fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends a quoted and escaped text.
    pub fn text(&mut self, text: &str) {
        self.scalar(text);
    }

    /// Appends a quoted RFC 3339 time.
    pub fn time(&mut self, at: Timestamp) {
        let (known, text) = self.clock.get_or_insert_with(|| (at, at.to_string()));
        if *known != at {
            *known = at;
            text.clear();
            at.write_rfc3339(text);
        }
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(b'"');
    }

    /// Appends a quoted message id, as [`AddressBook::message_id`] makes it.
    pub fn message_id(&mut self, book: &AddressBook, origin: Origin) {
        let Origin { lane, seq } = origin;
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.raw("\"");
        self.raw(&book.gateway_id);
        self.bytes
            .extend_from_slice(&[b'-', u8::try_from(lane).unwrap_or(b'?'), b'-']);
        for shift in (0..16).rev() {
            self.bytes.push(HEX[(seq >> (shift * 4)) as usize & 15]);
        }
        self.raw("\"");
    }

    /// Appends a value.
    ///
    /// Integers are written with all their digits; a reader that takes JSON numbers for 64-bit floats loses those past
    /// 2^53. What JSON has no number for is a text: `"NaN"`, `"Infinity"`, `"-Infinity"`. Bytes are Base64 (RFC 4648 §4).
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.raw("null"),
            Value::Bool(true) => self.raw("true"),
            Value::Bool(false) => self.raw("false"),
            Value::Int(number) => self.scalar(number),
            Value::UInt(number) => self.scalar(number),
            Value::Float(number) if number.is_finite() => self.scalar(number),
            Value::Float(number) if number.is_nan() => self.raw("\"NaN\""),
            Value::Float(number) if *number > 0.0 => self.raw("\"Infinity\""),
            Value::Float(_) => self.raw("\"-Infinity\""),
            Value::Text(text) => self.scalar(text),
            Value::Bytes(bytes) => self.base64(bytes),
            Value::List(values) => self.list(values),
            Value::Struct(fields) => self.fields(fields),
            Value::Blob { media_type, data } => {
                self.raw("{\"mediaType\":");
                self.scalar(media_type);
                self.raw(",\"data\":");
                self.base64(data);
                self.raw("}");
            }
        }
    }

    fn list(&mut self, values: &[Value]) {
        self.raw("[");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            self.value(value);
        }
        self.raw("]");
    }

    fn fields(&mut self, fields: &[(String, Value)]) {
        self.raw("{");
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            self.scalar(name);
            self.raw(":");
            self.value(value);
        }
        self.raw("}");
    }

    fn scalar<T: Serialize + ?Sized>(&mut self, scalar: &T) {
        serde_json::to_writer(&mut self.bytes, scalar)
            .expect("texts and finite numbers are JSON, and memory takes every byte");
    }

    fn base64(&mut self, bytes: &[u8]) {
        let start = self.bytes.len() + 1;
        self.bytes.push(b'"');
        self.bytes.resize(start + bytes.len().div_ceil(3) * 4, 0);
        STANDARD
            .encode_slice(bytes, &mut self.bytes[start..])
            .expect("three bytes become four characters, and the rest is padded to four");
        self.bytes.push(b'"');
    }
}
