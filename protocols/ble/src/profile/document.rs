//! A profile's text as a tree that knows its lines, and a reader of tables that finds every problem at once.

use std::fmt;

use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// No profile is longer: one is a page, and a file that is not was not meant to be one.
const LONGEST_BYTES: usize = 256 * 1024;

/// A value and the line it begins in, where there are lines.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub line: Option<usize>,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Table(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// What profiles have no use for.
    Other,
}

/// All that is wrong.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<(Option<usize>, String)>);

/// Takes what is known out of a table; what is left then is a mistake.
pub(super) struct Reader<'n> {
    /// What it is, for messages: `a point`.
    what: &'static str,
    line: Option<usize>,
    entries: &'n [(String, Node)],
    asked: Vec<&'static str>,
}

// === impl Node ===

impl Node {
    /// Of a TOML text.
    pub(super) fn of_toml(text: &str, problems: &mut Problems) -> Option<Self> {
        if text.len() > LONGEST_BYTES {
            problems.add(None, format!("is longer than {LONGEST_BYTES} bytes"));
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        let lines = Lines::of(text);
        for error in &errors {
            let line = error.span().map(|span| lines.at(span.start));
            problems.add(line, error.message().replace('\n', "; "));
        }
        errors
            .is_empty()
            .then(|| Self::of_table(table.get_ref(), 1, &lines))
    }

    fn of_table(table: &DeTable<'_>, line: usize, lines: &Lines) -> Self {
        // In the order of the text: messages, and fields, come in it.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): &(&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let node = Self::of_value(value, lines.at(key.span().start), lines);
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), node)
        };
        Self {
            line: Some(line),
            kind: Kind::Table(entries.iter().map(entry).collect()),
        }
    }

    fn of_value(value: &Spanned<DeValue<'_>>, line: usize, lines: &Lines) -> Self {
        let kind = match value.get_ref() {
            DeValue::Table(table) => return Self::of_table(table, line, lines),
            DeValue::Array(list) => {
                let item = |item: &Spanned<DeValue<'_>>| {
                    Self::of_value(item, lines.at(item.span().start), lines)
                };
                Kind::List(list.iter().map(item).collect())
            }
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Kind::Other, Kind::Integer),
            DeValue::Float(number) => number.as_str().parse().map_or(Kind::Other, Kind::Float),
            DeValue::Boolean(truth) => Kind::Bool(*truth),
            DeValue::Datetime(_) => Kind::Other,
        };
        Self {
            line: Some(line),
            kind,
        }
    }

    /// Of settings, which have no lines.
    pub(super) fn of_json(json: &Json) -> Self {
        let kind = match json {
            Json::Null => Kind::Other,
            Json::Bool(truth) => Kind::Bool(*truth),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Kind::Integer(integer),
                (None, Some(float)) => Kind::Float(float),
                (None, None) => Kind::Other,
            },
            Json::String(text) => Kind::Text(text.clone()),
            Json::Array(list) => Kind::List(list.iter().map(Self::of_json).collect()),
            Json::Object(table) => Kind::Table(
                table
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::of_json(value)))
                    .collect(),
            ),
        };
        Self { line: None, kind }
    }

    /// For what is read by its type.
    pub(super) fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Table(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect(),
            Kind::List(list) => list.iter().map(Self::to_json).collect(),
            Kind::Text(text) => Json::from(text.as_str()),
            Kind::Integer(number) => Json::from(*number),
            Kind::Float(number) => Json::from(*number),
            Kind::Bool(truth) => Json::from(*truth),
            Kind::Other => Json::Null,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self.kind {
            #[expect(
                clippy::cast_precision_loss,
                reason = "scales and ranges are small numbers"
            )]
            Kind::Integer(number) => Some(number as f64),
            Kind::Float(number) if number.is_finite() => Some(number),
            _ => None,
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self.kind {
            Kind::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list, or the one thing as a list of one.
    pub(super) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(list) => list,
            _ => std::slice::from_ref(self),
        }
    }
}

// === impl Problems ===

impl Problems {
    pub(super) fn add(&mut self, line: Option<usize>, what: impl Into<String>) {
        // A text that is all mistakes is told so by its first fifty.
        if self.0.len() < 50 {
            self.0.push((line, what.into()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A line each: `line 3: what, remedy`.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut problems: Vec<_> = self.0.iter().collect();
        problems.sort_by_key(|(line, _)| *line);
        for (index, (line, what)) in problems.into_iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(line) = line {
                write!(f, "line {line}: ")?;
            }
            f.write_str(what)?;
        }
        Ok(())
    }
}

// === impl Reader ===

impl<'n> Reader<'n> {
    /// Of a table; anything else is a problem.
    pub(super) fn of(node: &'n Node, what: &'static str, problems: &mut Problems) -> Option<Self> {
        let Kind::Table(entries) = &node.kind else {
            problems.add(node.line, format!("{what} is a table, {{ … }}"));
            return None;
        };
        Some(Self {
            what,
            line: node.line,
            entries,
            asked: Vec::new(),
        })
    }

    pub(super) fn line(&self) -> Option<usize> {
        self.line
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (_, node) = self.entries.iter().find(|(name, _)| name == key)?;
        Some(node)
    }

    /// Takes a key and reads it; what cannot be read is a problem, with what it should be.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        should: &str,
        problems: &mut Problems,
        read: impl FnOnce(&'n Node) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let value = read(node);
        if value.is_none() {
            problems.add(node.line, format!("`{key}` of {} is {should}", self.what));
        }
        value
    }

    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'n str> {
        self.read(key, "a text, not empty", problems, |node| {
            node.text().filter(|text| !text.trim().is_empty())
        })
    }

    pub(super) fn number(&mut self, key: &'static str, problems: &mut Problems) -> Option<f64> {
        self.read(key, "a number", problems, Node::number)
    }

    pub(super) fn truth(&mut self, key: &'static str, problems: &mut Problems) -> bool {
        let truth = self.read(key, "true or false", problems, |node| match node.kind {
            Kind::Bool(truth) => Some(truth),
            _ => None,
        });
        truth == Some(true)
    }

    /// Integers: one, or a list of them.
    pub(super) fn integers(&mut self, key: &'static str, problems: &mut Problems) -> Vec<i64> {
        let list = self.read(key, "an integer, or a list of them", problems, |node| {
            node.items().iter().map(Node::integer).collect()
        });
        list.unwrap_or_default()
    }

    /// Texts: one, or a list of them.
    pub(super) fn texts(&mut self, key: &'static str, problems: &mut Problems) -> Vec<&'n str> {
        let list = self.read(key, "a text, or a list of them", problems, |node| {
            node.items().iter().map(Node::text).collect()
        });
        list.unwrap_or_default()
    }

    /// Whatever was not asked for is unknown.
    pub(super) fn finish(self, problems: &mut Problems) {
        for (key, node) in self.entries {
            if !self.asked.contains(&key.as_str()) {
                let key = key.escape_debug();
                let known = self.asked.join(", ");
                problems.add(
                    node.line,
                    format!("`{key}` is no key of {}; it has {known}", self.what),
                );
            }
        }
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(ends.map(|(end, _)| end + 1).collect())
    }

    /// The line of a byte, counted from one.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|begin| *begin <= byte) + 1
    }
}

/// Bytes as people write them: hexadecimal digits in any case, with or without spaces, colons, dashes or a leading `0x`.
pub(crate) fn hex_of(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| !matches!(character, ' ' | ':' | '-' | '_'))
        .map(|character| {
            let digit = character.to_digit(16)?;
            u8::try_from(digit).ok()
        })
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

/// Lower case, without separators.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
