//! `PointId` and `DeviceId`: `source/device/point`, parsed once, the only key in routes, topics and pages.
//!
//! A segment is any text without control characters; its own `/`, `*`, `%`, `+`, `#` stand percent-escaped
//! ([`escape_segment`]), so that an id can be split at `/`, matched by a glob and placed into a topic.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest id that is taken, in bytes of its escaped text.
const MAX_LEN_BYTES: usize = 1024;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("`{0}` is not of the form source/device/point")]
    Shape(String),
    #[error("an id is at most {MAX_LEN_BYTES} bytes long, this one has {0}")]
    TooLong(usize),
    #[error("`{0}` contains a control character")]
    Control(String),
}

/// One point of one device of one source. Cheap to clone: the text is shared.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PointId {
    text: Arc<str>,
    device_at: u16,
    point_at: u16,
}

/// One device of one source: the first two segments of its points' ids.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId {
    text: Arc<str>,
    device_at: u16,
}

// === impl PointId ===

impl PointId {
    /// Builds an id from raw (unescaped) names.
    ///
    /// # Errors
    /// When a name is empty or the whole is too long.
    pub fn new(source: &str, device: &str, point: &str) -> Result<Self, IdError> {
        let segments = [source, device, point].map(escape_segment);
        segments.join("/").parse()
    }

    /// The whole id, escaped: `source/device/point`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The source's id, escaped.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.text[..usize::from(self.device_at) - 1]
    }

    /// The device's segment, escaped.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.text[usize::from(self.device_at)..usize::from(self.point_at) - 1]
    }

    /// The point's segment, escaped.
    #[must_use]
    pub fn point(&self) -> &str {
        &self.text[usize::from(self.point_at)..]
    }

    /// `source/device`, the part that all points of a device share.
    #[must_use]
    pub fn device_path(&self) -> &str {
        &self.text[..usize::from(self.point_at) - 1]
    }

    /// The device that this point belongs to.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        DeviceId {
            text: self.device_path().into(),
            device_at: self.device_at,
        }
    }

    /// The same device, another point.
    ///
    /// # Errors
    /// When the name is empty or the whole is too long.
    pub fn with_point(&self, point: &str) -> Result<Self, IdError> {
        format!("{}/{}", self.device_path(), escape_segment(point)).parse()
    }
}

impl FromStr for PointId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let slashes: [u16; 2] = check(text)?;
        Ok(Self {
            device_at: slashes[0] + 1,
            point_at: slashes[1] + 1,
            text: text.into(),
        })
    }
}

// === impl DeviceId ===

impl DeviceId {
    /// Builds an id from raw (unescaped) names.
    ///
    /// # Errors
    /// When a name is empty or the whole is too long.
    pub fn new(source: &str, device: &str) -> Result<Self, IdError> {
        [source, device].map(escape_segment).join("/").parse()
    }

    /// The whole id, escaped: `source/device`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The source's id, escaped.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.text[..usize::from(self.device_at) - 1]
    }

    /// The device's segment, escaped.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.text[usize::from(self.device_at)..]
    }

    /// A point of this device.
    ///
    /// # Errors
    /// When the name is empty or the whole is too long.
    pub fn point(&self, point: &str) -> Result<PointId, IdError> {
        format!("{}/{}", self.text, escape_segment(point)).parse()
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let slashes: [u16; 1] = check(text)?;
        Ok(Self {
            device_at: slashes[0] + 1,
            text: text.into(),
        })
    }
}

/// Escapes what an id, a glob or an MQTT topic level gives a meaning to.
#[must_use]
pub fn escape_segment(raw: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for character in raw.chars() {
        if matches!(character, '/' | '*' | '%' | '+' | '#' | '$') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// The raw name behind an escaped segment; an escape that is none stays as it is.
#[must_use]
pub fn unescape_segment(escaped: &str) -> String {
    let bytes = escaped.as_bytes();
    let mut raw = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match code {
            Some(byte) => {
                raw.push(byte);
                at += 3;
            }
            None => {
                raw.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&raw).into_owned()
}

/// The positions of exactly `N` slashes between non-empty segments.
fn check<const N: usize>(text: &str) -> Result<[u16; N], IdError> {
    if text.len() > MAX_LEN_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    let control = |c: char| c.is_control();
    // Control characters start at bytes below 0x20, at 0x7F, or at the lead byte 0xC2 (Unicode's C1).
    if text
        .bytes()
        .any(|byte| byte < 0x20 || byte == 0x7F || byte == 0xC2)
        && text.contains(control)
    {
        return Err(IdError::Control(text.escape_debug().to_string()));
    }
    let shape = || IdError::Shape(text.to_owned());
    let mut slashes = [0; N];
    let (mut found, mut segment) = (0, 0);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'/' {
            if at == segment || found == N {
                return Err(shape());
            }
            slashes[found] = u16::try_from(at).expect("an id is shorter than 64 KiB");
            found += 1;
            segment = at + 1;
        }
    }
    if found != N || segment == text.len() {
        return Err(shape());
    }
    Ok(slashes)
}

macro_rules! text_traits {
    ($($id:ty),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.text)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl de::Visitor<'_> for Text {
                    type Value = $id;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an id, its segments separated by slashes")
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$id, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $id {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($id).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    )*};
}

text_traits!(PointId, DeviceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_knows_its_parts() {
        let id = PointId::new("press", "Line 1/Press", "50% load").unwrap();
        assert_eq!(id.as_str(), "press/Line 1%2FPress/50%25 load");
        assert_eq!(id.source(), "press");
        assert_eq!(unescape_segment(id.device()), "Line 1/Press");
        assert_eq!(unescape_segment(id.point()), "50% load");
        assert_eq!(id.device_id().as_str(), "press/Line 1%2FPress");
        assert_eq!(
            id.device_id().point("x").unwrap(),
            id.with_point("x").unwrap()
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "a", "a/b", "a/b/c/d", "a//c", "/b/c", "a/b/", "a/b/c\n"] {
            assert!(text.parse::<PointId>().is_err(), "{text:?}");
        }
        assert!("a".repeat(2000).parse::<PointId>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn escaping_keeps_every_name(name in "\\PC{1,40}") {
            let escaped = escape_segment(&name);
            proptest::prop_assert!(!escaped.contains(['/', '*', '+', '#']));
            proptest::prop_assert_eq!(unescape_segment(&escaped), name);
        }
    }
}
