//! `ClipPart`: how a clip travels through the queue: in parts, each a reading of its own, in their order.
//!
//! A clip can be larger than a record, and an upload that is cut has to go on where it was. So each part is durable by
//! itself, and carries what a destination needs to know of the whole: it keeps no state of its own.

use bytes::Bytes;
use fieldgate_model::Value;

/// A part has no more bytes than this.
pub const MAX_PART_BYTES: usize = 4 << 20;
/// The media type of a part's `data`.
pub const PART_MEDIA_TYPE: &str = "application/octet-stream";

/// One part of a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipPart {
    /// The clip's id, the same in all parts.
    pub clip: String,
    /// The file's name, unlike every other clip's of its point.
    pub name: String,
    /// Of the whole.
    pub media_type: String,
    /// Which one this is, from 0.
    pub part: u64,
    pub parts: u64,
    /// Where this part begins in the whole.
    pub offset: u64,
    /// The size of the whole.
    pub bytes: u64,
    /// SHA-256 of the whole, 64 hexadecimal digits.
    pub sha256: String,
    pub data: Bytes,
}

// === impl ClipPart ===

impl ClipPart {
    /// The part that a value is; `None` when it is none, or when what it says of itself cannot be.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let Value::Struct(fields) = value else {
            return None;
        };
        let [
            clip,
            name,
            media_type,
            part,
            parts,
            offset,
            bytes,
            sha256,
            data,
        ] = &fields[..]
        else {
            return None;
        };
        let part = Self {
            clip: text(clip, "clip")?,
            name: text(name, "name")?,
            media_type: text(media_type, "media_type")?,
            part: number(part, "part")?,
            parts: number(parts, "parts")?,
            offset: number(offset, "offset")?,
            bytes: number(bytes, "bytes")?,
            sha256: text(sha256, "sha256")?,
            data: blob(data, "data")?,
        };
        part.is_sound().then_some(part)
    }

    /// The value that carries it.
    #[must_use]
    pub fn into_value(self) -> Value {
        let field = |name: &str, value: Value| (name.to_owned(), value);
        Value::Struct(vec![
            field("clip", Value::Text(self.clip)),
            field("name", Value::Text(self.name)),
            field("media_type", Value::Text(self.media_type)),
            field("part", Value::UInt(self.part)),
            field("parts", Value::UInt(self.parts)),
            field("offset", Value::UInt(self.offset)),
            field("bytes", Value::UInt(self.bytes)),
            field("sha256", Value::Text(self.sha256)),
            field(
                "data",
                Value::Blob {
                    media_type: PART_MEDIA_TYPE.to_owned(),
                    data: self.data,
                },
            ),
        ])
    }

    /// The byte after its last one in the whole.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.data.len() as u64)
    }

    #[must_use]
    pub fn is_last(&self) -> bool {
        self.part + 1 == self.parts
    }

    fn is_sound(&self) -> bool {
        let hex = self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        let inside = match self.is_last() {
            true => self.end() == self.bytes,
            false => self.end() < self.bytes,
        };
        hex && inside
            && self.part < self.parts
            && (self.part == 0) == (self.offset == 0)
            && !self.data.is_empty()
            && self.data.len() <= MAX_PART_BYTES
            && !self.clip.is_empty()
            && !self.name.is_empty()
    }
}

fn text((name, value): &(String, Value), wanted: &str) -> Option<String> {
    match value {
        Value::Text(text) if name == wanted => Some(text.clone()),
        _ => None,
    }
}

fn number((name, value): &(String, Value), wanted: &str) -> Option<u64> {
    match value {
        Value::UInt(number) if name == wanted => Some(*number),
        _ => None,
    }
}

fn blob((name, value): &(String, Value), wanted: &str) -> Option<Bytes> {
    match value {
        Value::Blob { data, .. } if name == wanted => Some(data.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> ClipPart {
        ClipPart {
            clip: "c-1".into(),
            name: "gate.mp4".into(),
            media_type: "video/mp4".into(),
            part: 1,
            parts: 3,
            offset: 4,
            bytes: 10,
            sha256: "0".repeat(64),
            data: Bytes::from_static(b"abcd"),
        }
    }

    #[test]
    fn a_part_comes_back_as_it_went() {
        let part = part();
        assert_eq!(ClipPart::of(&part.clone().into_value()), Some(part.clone()));
        assert_eq!((part.end(), part.is_last()), (8, false));
    }

    #[test]
    fn what_cannot_be_is_no_part() {
        type Change = fn(&mut ClipPart);
        let wrong: [Change; 10] = [
            |part| part.parts = 1,
            |part| part.parts = 2, // then it would have to end where the whole does
            |part| part.offset = 0,
            |part| part.offset = u64::MAX,
            |part| part.bytes = 8,
            |part| part.sha256 = "g".repeat(64),
            |part| part.sha256.truncate(63),
            |part| part.data = Bytes::new(),
            |part| part.name.clear(),
            |part| part.data = vec![0; MAX_PART_BYTES + 1].into(),
        ];
        for (index, change) in wrong.into_iter().enumerate() {
            let mut part = part();
            change(&mut part);
            assert_eq!(ClipPart::of(&part.into_value()), None, "{index}");
        }
        let Value::Struct(mut fields) = part().into_value() else {
            panic!("a part is a structure");
        };
        fields.swap(0, 1);
        assert_eq!(ClipPart::of(&Value::Struct(fields)), None);
        assert_eq!(ClipPart::of(&Value::Null), None);
    }
}
