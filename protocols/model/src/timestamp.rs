//! `Timestamp`: an instant in UTC, as nanoseconds since 1970, years 1677 to 2262.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An instant in UTC. In JSON an RFC 3339 text, elsewhere its nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Saturates outside of 1677 to 2262.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads an RFC 3339 text; `None` when it is none or out of range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos()).ok().map(Self)
    }

    /// Appends RFC 3339 in UTC with 3 to 9 decimals, as few as say it exactly: `2026-11-23T18:22:52.250Z`.
    pub fn write_rfc3339(self, out: &mut String) {
        let at = OffsetDateTime::from_unix_timestamp_nanos(self.0.into())
            .expect("every i64 of nanoseconds lies within the years that the calendar knows");
        let (hour, minute, second) = at.to_hms();
        let mut digits = [0u8; 20];
        let mut put = |at: usize, width: usize, mut number: u32| {
            for index in (at..at + width).rev() {
                digits[index] = b'0' + u8::try_from(number % 10).expect("a digit");
                number /= 10;
            }
        };
        put(0, 4, at.year().unsigned_abs());
        put(5, 2, u8::from(at.month()).into());
        put(8, 2, at.day().into());
        put(11, 2, hour.into());
        put(14, 2, minute.into());
        put(17, 2, second.into());
        for (index, mark) in [
            (4, b'-'),
            (7, b'-'),
            (10, b'T'),
            (13, b':'),
            (16, b':'),
            (19, b'.'),
        ] {
            digits[index] = mark;
        }
        out.push_str(std::str::from_utf8(&digits).expect("ASCII digits and marks"));
        let nanos = at.nanosecond();
        if nanos.is_multiple_of(1_000_000) {
            push_padded(out, nanos / 1_000_000, 3);
        } else if nanos.is_multiple_of(1_000) {
            push_padded(out, nanos / 1_000, 6);
        } else {
            push_padded(out, nanos, 9);
        }
        out.push('Z');
    }
}

fn push_padded(out: &mut String, number: u32, width: usize) {
    let mut digits = [b'0'; 9];
    let mut rest = number;
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    out.push_str(std::str::from_utf8(&digits[..width]).expect("ASCII digits"));
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(30);
        self.write_rfc3339(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no RFC 3339 time")))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_as_many_as_needed() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_250_000_000, "1970-01-01T00:00:01.250Z"),
            (1_000_001_000, "1970-01-01T00:00:01.000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(Timestamp::from_nanos(nanos).to_string(), expected);
            assert_eq!(
                Timestamp::parse(expected),
                Some(Timestamp::from_nanos(nanos))
            );
        }
        assert_eq!(Timestamp::parse("9999-01-01T00:00:00Z"), None);
    }
}
