//! `TopicTemplate`: an MQTT topic with placeholders, parsed once; what it renders is always a valid topic name.
//!
//! The grammar is MQTT 5 §4.7 (and 3.1.1 §4.7): at most 65,535 bytes of UTF-8, no NUL, no `+` or `#`, and no leading
//! `$`, which belongs to the broker. Values come from devices, so they are data: whatever would mean something in a
//! topic stands percent-escaped in it. Only the `/` of a device's name stays: `Line/Press` becomes two levels.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest topic name of MQTT.
const MAX_TOPIC_BYTES: usize = 65_535;

/// The most bytes that one placeholder's value takes; longer ones are cut. Ids are at most 1 KiB before escaping.
const MAX_VALUE_BYTES: usize = 4096;

/// What `{dataset}` can be.
pub const DATASETS: [&str; 2] = ["data", "events"];

/// A topic with placeholders such as `fieldgate/{gateway}/{device}/{dataset}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTemplate {
    text: String,
    pieces: Vec<Piece>,
}

/// What can stand between braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    Gateway,
    Source,
    Device,
    Dataset,
    Point,
    Format,
}

/// What is put in for the placeholders. `source`, `device` and `point` are segments of an id, escaped as ids are.
#[derive(Debug, Clone, Copy, Default)]
pub struct TopicValues<'a> {
    pub gateway: &'a str,
    pub source: &'a str,
    pub device: &'a str,
    pub dataset: &'a str,
    pub point: &'a str,
    pub format: &'a str,
}

/// Why a text is no topic template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    #[error(
        "the topic is empty; write for instance \"fieldgate/{{gateway}}/{{device}}/{{dataset}}\""
    )]
    Empty,
    #[error(
        "`{{{0}}}` is no placeholder; there are {{gateway}}, {{source}}, {{device}}, {{dataset}}, {{point}} and {{format}}"
    )]
    Unknown(String),
    #[error("a brace in `{0}` has no partner; placeholders look like {{device}}")]
    Brace(String),
    #[error("`{0}` stands for many topics and cannot be published to; leave it out")]
    Wildcard(char),
    #[error("a topic that begins with `$` belongs to the broker; begin it with something else")]
    Dollar,
    #[error("`{0}` has an empty level; leave out the `/` at the ends and write no `//`")]
    EmptyLevel(String),
    #[error("a topic has no control characters; leave out {0:?}")]
    Control(char),
    #[error("the topic could become longer than {MAX_TOPIC_BYTES} bytes; shorten it by {0} bytes")]
    TooLong(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value(Placeholder),
}

// === impl TopicTemplate ===

impl TopicTemplate {
    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The placeholders, in their order.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Value(placeholder) => Some(*placeholder),
        })
    }

    /// The topic name for these values: always one that MQTT allows.
    #[must_use]
    pub fn render(&self, values: &TopicValues<'_>) -> String {
        let mut topic = String::with_capacity(self.text.len() + 64);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => topic.push_str(text),
                Piece::Value(placeholder) => push_value(&mut topic, *placeholder, values),
            }
        }
        topic
    }

    /// Whether this topic could be rendered, with whatever values.
    #[must_use]
    pub fn could_be(&self, topic: &str) -> bool {
        let topic = topic.as_bytes();
        // Which parts of the topic's beginning the pieces so far can be.
        let mut ends = vec![false; topic.len() + 1];
        ends[0] = true;
        for piece in &self.pieces {
            ends = piece.ends(topic, &ends);
        }
        ends[topic.len()]
    }

    /// It begins with a text of its own.
    #[must_use]
    pub fn has_own_beginning(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Literal(text)) if text.contains('/'))
    }
}

impl FromStr for TopicTemplate {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        check_text(text)?;
        let pieces = parse(text)?;
        let longest: usize = pieces.iter().map(Piece::longest).sum();
        if longest > MAX_TOPIC_BYTES {
            return Err(TopicError::TooLong(longest - MAX_TOPIC_BYTES));
        }
        Ok(Self {
            text: text.to_owned(),
            pieces,
        })
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for TopicTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TopicTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for TopicTemplate {
    fn schema_name() -> Cow<'static, str> {
        "TopicTemplate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "pattern": "^[^$+#/][^+#]*$" })
    }
}

// === impl Piece ===

impl Piece {
    fn longest(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Value(_) => MAX_VALUE_BYTES,
        }
    }

    /// Where it can end in the topic when it begins where `begins` says.
    fn ends(&self, topic: &[u8], begins: &[bool]) -> Vec<bool> {
        let mut ends = vec![false; begins.len()];
        let mut texts = |texts: &[&str]| {
            for (at, _) in begins.iter().enumerate().filter(|(_, begins)| **begins) {
                for text in texts
                    .iter()
                    .filter(|text| topic[at..].starts_with(text.as_bytes()))
                {
                    ends[at + text.len()] = true;
                }
            }
        };
        match self {
            Self::Literal(text) => texts(&[text]),
            Self::Value(Placeholder::Dataset) => texts(&DATASETS),
            Self::Value(placeholder) => {
                // One byte at least, and only a device's name has levels.
                let mut open = false;
                for (at, byte) in topic.iter().enumerate() {
                    open |= begins[at];
                    open &= *byte != b'/' || *placeholder == Placeholder::Device;
                    ends[at + 1] = open;
                }
            }
        }
        ends
    }
}

// === impl Placeholder ===

impl Placeholder {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "gateway" => Self::Gateway,
            "source" => Self::Source,
            "device" => Self::Device,
            "dataset" => Self::Dataset,
            "point" => Self::Point,
            "format" => Self::Format,
            _ => return None,
        })
    }
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.starts_with('$') {
        return Err(TopicError::Dollar);
    }
    if let Some(wildcard) = text.chars().find(|c| matches!(c, '+' | '#')) {
        return Err(TopicError::Wildcard(wildcard));
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(TopicError::Control(control));
    }
    if text.split('/').any(str::is_empty) {
        return Err(TopicError::EmptyLevel(text.to_owned()));
    }
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Piece>, TopicError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let inside = rest[open..]
            .strip_prefix('{')
            .ok_or_else(|| TopicError::Brace(text.to_owned()))?;
        let close = inside
            .find('}')
            .ok_or_else(|| TopicError::Brace(text.to_owned()))?;
        let name = &inside[..close];
        let placeholder =
            Placeholder::of(name).ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        if open > 0 {
            pieces.push(Piece::Literal(rest[..open].to_owned()));
        }
        pieces.push(Piece::Value(placeholder));
        rest = &inside[close + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Ok(pieces)
}

fn push_value(topic: &mut String, placeholder: Placeholder, values: &TopicValues<'_>) {
    let value = match placeholder {
        Placeholder::Gateway => values.gateway,
        Placeholder::Source => values.source,
        Placeholder::Device => return push_device(topic, values.device),
        Placeholder::Dataset => values.dataset,
        Placeholder::Point => values.point,
        Placeholder::Format => values.format,
    };
    push_level(topic, value, MAX_VALUE_BYTES);
}

/// The device's own `/`, escaped in its id, separates levels again, unless that would leave one empty.
fn push_device(topic: &mut String, device: &str) {
    if device.split("%2F").any(str::is_empty) {
        return push_level(topic, device, MAX_VALUE_BYTES);
    }
    let mut room = MAX_VALUE_BYTES;
    for (index, level) in device.split("%2F").enumerate() {
        // A level needs its `/` and at least one character, which takes at most nine bytes escaped.
        if room < 16 {
            break;
        }
        if index > 0 {
            topic.push('/');
            room -= 1;
        }
        let before = topic.len();
        push_level(topic, level, room);
        room -= topic.len() - before;
    }
}

/// Appends one level of at least one byte and at most `room` bytes.
fn push_level(topic: &mut String, value: &str, room: usize) {
    let before = topic.len();
    for character in value.chars() {
        let start = topic.len();
        if matches!(character, '/' | '+' | '#' | '$') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                topic.push('%');
                topic.push(HEX[usize::from(byte >> 4)]);
                topic.push(HEX[usize::from(byte & 15)]);
            }
        } else {
            topic.push(character);
        }
        if topic.len() - before > room {
            topic.truncate(start);
            break;
        }
    }
    if topic.len() == before {
        topic.push('_');
    }
}

const HEX: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(text: &str) -> TopicTemplate {
        text.parse().unwrap()
    }

    /// MQTT 5 §4.7.1 and §4.7.3, word by word, plus our own promise of no empty level.
    fn is_topic_name(topic: &str) -> bool {
        !topic.is_empty()
            && topic.len() <= 65_535
            && !topic.contains(['+', '#', '\0'])
            && !topic.chars().any(char::is_control)
            && !topic.starts_with('$')
            && topic.split('/').all(|level| !level.is_empty())
    }

    #[test]
    fn values_stand_where_their_placeholders_were() {
        let values = TopicValues {
            gateway: "line-4",
            source: "press",
            device: "Line%2FPress",
            dataset: "data",
            point: "temp%2Fmax",
            format: "json",
        };
        for (text, expected) in [
            (
                "fieldgate/{gateway}/{device}/{dataset}",
                "fieldgate/line-4/Line/Press/data",
            ),
            ("{source}-{format}/x", "press-json/x"),
            ("a/{point}", "a/temp%2Fmax"),
            ("plain", "plain"),
        ] {
            assert_eq!(template(text).render(&values), expected);
        }
    }

    #[test]
    fn what_a_template_could_become_is_known() {
        for (text, topic, expected) in [
            (
                "fieldgate/{gateway}/{device}/{dataset}",
                "fieldgate/line-4/Line/Press/data",
                true,
            ),
            (
                "fieldgate/{gateway}/{device}/{dataset}",
                "fieldgate/line-5/a/events",
                true,
            ),
            (
                "fieldgate/{gateway}/{device}/{dataset}",
                "fieldgate/line-4/cmd/answer",
                false,
            ),
            (
                "fieldgate/{gateway}/{device}/{dataset}",
                "fieldgate/line-4/data",
                false,
            ),
            (
                "fieldgate/{gateway}/{device}/{dataset}",
                "hmi/line-4/a/data",
                false,
            ),
            ("{source}-{format}/x", "press-json/x", true),
            ("{source}-{format}/x", "press/json-/x", false),
            ("{device}", "any/thing", true),
            ("{device}{device}{device}", "ab", false),
            ("plain", "plain", true),
            ("plain", "plain/more", false),
            ("plain", "", false),
        ] {
            assert_eq!(template(text).could_be(topic), expected, "{text} {topic}");
        }
        // Many placeholders and a long topic take no longer than few and a short one.
        let many = template(&"{device}".repeat(10));
        assert!(many.could_be(&"a/".repeat(30_000)));
        assert!(template("a/{device}").has_own_beginning());
        assert!(!template("{source}/a").has_own_beginning());
        assert!(!template("a{device}").has_own_beginning());
    }

    #[test]
    fn hostile_values_stay_data() {
        for (device, expected) in [
            ("a+b", "d/a%2Bb"),
            ("#", "d/%23"),
            ("$SYS", "d/%24SYS"),
            ("a\0b\r\n", "d/a%00b%0D%0A"),
            ("50%25", "d/50%25"),
            ("%2Fetc", "d/%2Fetc"),
            ("a%2F%2Fb", "d/a%2F%2Fb"),
            ("", "d/_"),
            ("Öl\u{85}", "d/Öl%C2%85"),
        ] {
            let values = TopicValues {
                device,
                ..TopicValues::default()
            };
            assert_eq!(template("d/{device}").render(&values), expected);
        }
        let values = TopicValues {
            gateway: "$SYS/broker",
            ..TopicValues::default()
        };
        assert_eq!(template("{gateway}").render(&values), "%24SYS%2Fbroker");
    }

    #[test]
    fn what_is_no_template_is_explained() {
        for (text, words) in [
            ("", "the topic is empty"),
            ("a/{devise}", "`{devise}` is no placeholder"),
            ("a/{device", "has no partner"),
            ("a/device}", "has no partner"),
            ("a/+", "stands for many topics"),
            ("a/#", "stands for many topics"),
            ("$SYS/x", "belongs to the broker"),
            ("/a", "empty level"),
            ("a//b", "empty level"),
            ("a/", "empty level"),
            ("a\0", "control characters"),
            (&"x".repeat(65_536), "shorten it by 1 bytes"),
        ] {
            let error = text.parse::<TopicTemplate>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_rendered_topic_is_a_topic_name(
            text in "(\\{(gateway|source|device|dataset|point|format)\\}|[a-z$ ]{1,3}|/){1,8}",
            values in prop::array::uniform6("(\\PC|[+#$/%\0\r\n]|%2F|%00){0,40}"),
            long in 0usize..3000,
        ) {
            let Ok(template) = text.parse::<TopicTemplate>() else { return Ok(()) };
            let device = values[2].repeat(1 + long / 30);
            let topic = template.render(&TopicValues {
                gateway: &values[0],
                source: &values[1],
                device: &device,
                dataset: &values[3],
                point: &values[4],
                format: &values[5],
            });
            prop_assert!(is_topic_name(&topic), "{topic:?}");
        }

        #[test]
        fn different_devices_get_different_topics(a in "[ab/%+#$*]{1,6}", b in "[ab/%+#$*]{1,6}") {
            let topic = |raw: &str| {
                let device = fieldgate_model::escape_segment(raw);
                template("d/{device}").render(&TopicValues { device: &device, ..TopicValues::default() })
            };
            prop_assert_eq!(topic(&a) == topic(&b), a == b);
        }
    }
}
