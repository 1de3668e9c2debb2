//! `PathTemplate`: a path with placeholders, of a URL or in a folder, whose values can never become more than names.
//!
//! Values come from devices, so they are data. Ids are escaped already (`/` is `%2F`); what is left that a path gives a
//! meaning to, an empty name, `.` and `..`, is escaped here, and what is longer than a file system takes is cut, with a
//! hash of the whole at its end. As in topics, the `/` of a device's name separates levels.

use std::{borrow::Cow, fmt, str::FromStr};

use fieldgate_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::topic::TopicValues;

/// The longest name of one level, in bytes. File systems take 255; what is put behind a name needs some room.
const MAX_LEVEL_BYTES: usize = 200;
/// The most levels that a device's name makes.
const MAX_DEVICE_LEVELS: usize = 16;
const MAX_TEXT_BYTES: usize = 4096;

/// A path with placeholders such as `{source}/{device}/{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: String,
    pieces: Vec<Piece>,
}

/// What can stand between braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPlaceholder {
    Gateway,
    Source,
    Device,
    Dataset,
    Point,
    Format,
    /// The file's own name, made of a time and a message id, or a clip's.
    Name,
    /// The day, in UTC: `2026-11-29`.
    Date,
}

/// What is put in for the placeholders.
#[derive(Debug, Clone, Copy, Default)]
pub struct PathValues<'a> {
    /// `source`, `device` and `point` are segments of an id, escaped as ids are.
    pub of: TopicValues<'a>,
    pub name: &'a str,
    pub at: Timestamp,
}

/// Why a text is no path template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty; write for instance \"{{source}}/{{device}}/{{name}}\"")]
    Empty,
    #[error(
        "`{{{0}}}` is no placeholder; there are {{gateway}}, {{source}}, {{device}}, {{dataset}}, {{point}}, {{format}}, {{date}} and {{name}}"
    )]
    Unknown(String),
    #[error("a brace in `{0}` has no partner; placeholders look like {{device}}")]
    Brace(String),
    #[error("a path has no control characters; leave out {0:?}")]
    Control(char),
    #[error("the path is longer than {MAX_TEXT_BYTES} bytes; shorten it")]
    TooLong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value(PathPlaceholder),
}

/// The name of a file that holds what one message id stands for: `20261129T183000.250Z-a1b2c3d4-n-0000000000000007.jpg`.
/// The same id gives the same name for ever.
#[must_use]
pub fn file_name(at: Timestamp, id: &str, media_type: &str) -> String {
    format!("{}-{id}.{}", compact(at), extension(media_type))
}

/// The ending of the names of files of a media type; `bin` for those that are not known here.
#[must_use]
pub fn extension(media_type: &str) -> &'static str {
    let plain = media_type.split(';').next().unwrap_or_default().trim();
    match plain.to_ascii_lowercase().as_str() {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "video/mp4" => "mp4",
        "application/json" => "json",
        "application/x-ndjson" => "jsonl",
        "application/xml" | "text/xml" => "xml",
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/csv" => "csv",
        _ => "bin",
    }
}

/// RFC 3339 without what file systems and URLs dislike, always with milliseconds: `20261129T183000.250Z`.
#[must_use]
pub fn compact(at: Timestamp) -> String {
    let mut text = Timestamp::from_millis(at.millis()).to_string();
    text.retain(|character| !matches!(character, '-' | ':'));
    text
}

/// The time that [`compact`] wrote.
#[must_use]
pub fn from_compact(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = [date.get(..4)?, date.get(4..6)?, date.get(6..)?];
    let [hour, minute, second] = [time.get(..2)?, time.get(2..4)?, time.get(4..)?];
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}"))
}

/// One level of a path: no empty name, no `.` or `..`, nothing too long. Two segments of ids never become the same name.
#[must_use]
pub fn level(text: &str) -> Cow<'_, str> {
    match text {
        "" => Cow::Borrowed("%"),
        "." => Cow::Borrowed("%2E"),
        ".." => Cow::Borrowed("%2E."),
        _ if text.contains(['/', '\\', '\0']) || text.chars().any(char::is_control) => {
            Cow::Owned(shortened(escaped(text)))
        }
        _ if text.len() > MAX_LEVEL_BYTES => Cow::Owned(shortened(text.to_owned())),
        _ => Cow::Borrowed(text),
    }
}

fn escaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if matches!(character, '/' | '\\' | '\0') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                name.push_str(&format!("%{byte:02X}"));
            }
        } else {
            name.push(character);
        }
    }
    name
}

/// Cut to what a file system takes, with a hash of the whole: long names that begin alike stay apart.
fn shortened(mut name: String) -> String {
    if name.len() <= MAX_LEVEL_BYTES {
        return name;
    }
    let hash = fnv1a(name.as_bytes());
    let mut end = MAX_LEVEL_BYTES - 17;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    format!("{name}~{hash:016x}")
}

/// FNV-1a with 64 bits: stable between releases, which the hasher of the standard library is not.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

// === impl PathTemplate ===

impl PathTemplate {
    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The placeholders, in their order.
    pub fn placeholders(&self) -> impl Iterator<Item = PathPlaceholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Value(placeholder) => Some(*placeholder),
        })
    }

    /// The parts that are written as they stand.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Value(_) => None,
        })
    }

    /// What stands before the first placeholder.
    #[must_use]
    pub fn beginning(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    /// The path for these values. Literals stand as they are written; `write` appends one level of a value, for instance
    /// percent-encoded, and only the `/` of a device's name is put between levels.
    pub fn render(&self, values: &PathValues<'_>, write: impl Fn(&str, &mut String)) -> String {
        let mut path = String::with_capacity(self.text.len() + 96);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => path.push_str(text),
                Piece::Value(placeholder) => push_value(&mut path, *placeholder, values, &write),
            }
        }
        path
    }
}

impl FromStr for PathTemplate {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(PathError::TooLong);
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(PathError::Control(control));
        }
        Ok(Self {
            text: text.to_owned(),
            pieces: parse(text)?,
        })
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PathTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for PathTemplate {
    fn schema_name() -> Cow<'static, str> {
        "PathTemplate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1 })
    }
}

// === impl PathPlaceholder ===

impl PathPlaceholder {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "gateway" => Self::Gateway,
            "source" => Self::Source,
            "device" => Self::Device,
            "dataset" => Self::Dataset,
            "point" => Self::Point,
            "format" => Self::Format,
            "name" => Self::Name,
            "date" => Self::Date,
            _ => return None,
        })
    }
}

fn parse(text: &str) -> Result<Vec<Piece>, PathError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let brace = || PathError::Brace(text.to_owned());
        let inside = rest[open..].strip_prefix('{').ok_or_else(brace)?;
        let close = inside.find('}').ok_or_else(brace)?;
        let name = &inside[..close];
        let placeholder =
            PathPlaceholder::of(name).ok_or_else(|| PathError::Unknown(name.to_owned()))?;
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

fn push_value(
    path: &mut String,
    placeholder: PathPlaceholder,
    values: &PathValues<'_>,
    write: &impl Fn(&str, &mut String),
) {
    let of = &values.of;
    let value = match placeholder {
        PathPlaceholder::Gateway => of.gateway,
        PathPlaceholder::Source => of.source,
        PathPlaceholder::Device => return push_device(path, of.device, write),
        PathPlaceholder::Dataset => of.dataset,
        PathPlaceholder::Point => of.point,
        PathPlaceholder::Format => of.format,
        PathPlaceholder::Name => values.name,
        PathPlaceholder::Date => return write(&values.at.to_string()[..10], path),
    };
    write(&level(value), path);
}

/// The device's own `/`, escaped in its id, separates levels again, unless one of them would be none.
fn push_device(path: &mut String, device: &str, write: &impl Fn(&str, &mut String)) {
    let levels: Vec<&str> = device.split("%2F").collect();
    let plain = |name: &&str| !name.is_empty() && level(name) == *name;
    if levels.len() > MAX_DEVICE_LEVELS || !levels.iter().all(plain) {
        return write(&level(device), path);
    }
    for (index, name) in levels.into_iter().enumerate() {
        if index > 0 {
            path.push('/');
        }
        write(name, path);
    }
}

#[cfg(test)]
mod tests;
