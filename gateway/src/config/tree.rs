//! `Node`: a value of the configuration with its origin, read from TOML or JSON, merged layer over layer.

use std::{ops::Range, sync::Arc};

use fieldgate_api::config::{Layer, Origin};
use serde_json::{Map, Value as Json};
use toml_edit::{Document, Item, TableLike, TomlError, Value};

/// The keys of which a reference to a secret has exactly one.
pub(super) const SECRET_KEYS: [&str; 4] = ["file", "env", "credential", "secret"];

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub origin: Arc<Origin>,
    pub body: Body,
}

/// What a node holds. A table keeps the order of its keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Scalar(Json),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// Reads a text of one layer. `name` is the file's name, which a line is added to.
///
/// # Errors
/// The parser's message and the place of the first thing that is no TOML.
pub(super) fn parse(text: &str, layer: Layer, name: &str) -> Result<Node, (String, Origin)> {
    let reader = Reader::new(text, layer, name);
    match Document::parse(text) {
        Ok(document) => Ok(reader.table(document.as_table(), &reader.origin(Some(0..0)))),
        Err(error) => Err((message(&error), (*reader.origin(error.span())).clone())),
    }
}

/// True when the value is a reference to a secret, which is replaced as a whole and never merged.
pub(super) fn is_secret_reference(value: &Json) -> bool {
    match value {
        Json::Object(map) => map.len() == 1 && SECRET_KEYS.iter().any(|key| map.contains_key(*key)),
        _ => false,
    }
}

/// What an item holds, without regard to its format.
pub(super) fn to_json(item: &Item) -> Json {
    let reader = Reader::new("", Layer::Console, "");
    reader.item(item, &reader.origin(None)).to_json()
}

/// Equal as TOML and JSON people see it: `1` is `1.0`.
pub(super) fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

// === impl Node ===

impl Node {
    pub fn empty_table(origin: Arc<Origin>) -> Self {
        Self {
            origin,
            body: Body::Table(Vec::new()),
        }
    }

    /// The same origin for all of it.
    pub fn from_json(value: &Json, origin: &Arc<Origin>) -> Self {
        let body = match value {
            Json::Object(map) => Body::Table(
                map.iter()
                    .map(|(key, value)| (key.clone(), Self::from_json(value, origin)))
                    .collect(),
            ),
            Json::Array(list) => Body::List(
                list.iter()
                    .map(|value| Self::from_json(value, origin))
                    .collect(),
            ),
            scalar => Body::Scalar(scalar.clone()),
        };
        Self {
            origin: origin.clone(),
            body,
        }
    }

    pub fn to_json(&self) -> Json {
        match &self.body {
            Body::Scalar(value) => value.clone(),
            Body::List(list) => Json::Array(list.iter().map(Self::to_json).collect()),
            Body::Table(table) => Json::Object(
                table
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.body {
            Body::Scalar(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The entries of a table; none when it is no table.
    pub fn entries(&self) -> &[(String, Self)] {
        match &self.body {
            Body::Table(table) => table,
            _ => &[],
        }
    }

    pub fn is_table(&self) -> bool {
        matches!(self.body, Body::Table(_))
    }

    /// The value under a key of a table.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find_map(|(name, node)| (name == key).then_some(node))
    }

    /// Sets a key of a table; without effect on what is none.
    pub fn set(&mut self, key: &str, node: Self) {
        if let Body::Table(table) = &mut self.body {
            match table.iter_mut().find(|(name, _)| name == key) {
                Some((_, old)) => *old = node,
                None => table.push((key.to_owned(), node)),
            }
        }
    }

    /// Takes keys out of a table.
    pub fn without(mut self, keys: &[&str]) -> Self {
        if let Body::Table(table) = &mut self.body {
            table.retain(|(key, _)| !keys.contains(&key.as_str()));
        }
        self
    }

    /// The node at a path, or the nearest one above it that exists: where a problem is shown.
    pub fn nearest(&self, path: &[String]) -> &Self {
        let Some((first, rest)) = path.split_first() else {
            return self;
        };
        let next = match &self.body {
            Body::Scalar(_) => None,
            Body::Table(_) => self.get(first),
            Body::List(list) => first.parse().ok().and_then(|index: usize| list.get(index)),
        };
        next.map_or(self, |node| node.nearest(rest))
    }

    /// Lays a stronger layer over this one: tables merge, everything else is replaced.
    pub fn merge(&mut self, over: Self) {
        let whole = is_secret_reference(&self.to_json()) || is_secret_reference(&over.to_json());
        match (&mut self.body, over.body) {
            (Body::Table(table), Body::Table(stronger)) if !whole => {
                for (key, node) in stronger {
                    match table.iter_mut().find(|(name, _)| *name == key) {
                        Some((_, weaker)) => weaker.merge(node),
                        None => table.push((key, node)),
                    }
                }
            }
            (_, body) => {
                *self = Self {
                    origin: over.origin,
                    body,
                }
            }
        }
    }

    /// The values that are set as a whole (scalars, lists, secrets, empty tables), with their paths.
    pub fn leaves(&self) -> Vec<(Vec<String>, &Self)> {
        match &self.body {
            Body::Table(table) if !table.is_empty() && !is_secret_reference(&self.to_json()) => {
                table
                    .iter()
                    .flat_map(|(key, node)| {
                        node.leaves().into_iter().map(|(mut path, leaf)| {
                            path.insert(0, key.clone());
                            (path, leaf)
                        })
                    })
                    .collect()
            }
            _ => vec![(Vec::new(), self)],
        }
    }
}

/// Reads one parsed text, whose lines it knows.
struct Reader<'a> {
    layer: Layer,
    name: &'a str,
    /// Where each line ends, in bytes.
    line_ends: Vec<usize>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn new(text: &str, layer: Layer, name: &'a str) -> Self {
        let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self {
            layer,
            name,
            line_ends,
        }
    }

    fn origin(&self, span: Option<Range<usize>>) -> Arc<Origin> {
        let place = match (self.layer, span) {
            (Layer::File | Layer::Demo, Some(span)) => {
                let line = self.line_ends.partition_point(|end| *end < span.start) + 1;
                format!("{}:{line}", self.name)
            }
            _ => self.name.to_owned(),
        };
        Arc::new(Origin {
            layer: self.layer,
            place,
        })
    }

    /// The span's own place, or the surrounding one when there is none, as with dotted keys.
    fn place(&self, span: Option<Range<usize>>, around: &Arc<Origin>) -> Arc<Origin> {
        span.map_or_else(|| around.clone(), |span| self.origin(Some(span)))
    }

    fn table(&self, table: &dyn TableLike, around: &Arc<Origin>) -> Node {
        let mut entries = Vec::new();
        for (name, _) in table.iter() {
            let (key, item) = table.get_key_value(name).expect("the key was just met");
            // A header `[a.b]` has its own line, and so has each table of a list.
            let span = match item {
                Item::Value(_) => key.span().or_else(|| item.span()),
                _ => item.span().or_else(|| key.span()),
            };
            entries.push((name.to_owned(), self.item(item, &self.place(span, around))));
        }
        Node {
            origin: around.clone(),
            body: Body::Table(entries),
        }
    }

    fn item(&self, item: &Item, origin: &Arc<Origin>) -> Node {
        match item {
            Item::Table(table) => self.table(table, origin),
            Item::ArrayOfTables(tables) => {
                let read =
                    |table: &toml_edit::Table| self.table(table, &self.place(table.span(), origin));
                Node {
                    origin: origin.clone(),
                    body: Body::List(tables.iter().map(read).collect()),
                }
            }
            Item::Value(value) => self.value(value, origin),
            Item::None => Node {
                origin: origin.clone(),
                body: Body::Scalar(Json::Null),
            },
        }
    }

    fn value(&self, value: &Value, origin: &Arc<Origin>) -> Node {
        match value {
            Value::InlineTable(table) => self.table(table, origin),
            Value::Array(list) => {
                let read = |value: &Value| self.value(value, &self.place(value.span(), origin));
                Node {
                    origin: origin.clone(),
                    body: Body::List(list.iter().map(read).collect()),
                }
            }
            scalar => Node {
                origin: origin.clone(),
                body: Body::Scalar(scalar_to_json(scalar)),
            },
        }
    }
}

/// A TOML scalar as JSON. Dates, `inf` and `nan` become their text, as JSON has none of them.
fn scalar_to_json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::String(text.value().clone()),
        Value::Integer(number) => Json::from(*number.value()),
        Value::Boolean(truth) => Json::Bool(*truth.value()),
        Value::Float(number) => serde_json::Number::from_f64(*number.value())
            .map_or_else(|| Json::String(number.value().to_string()), Json::Number),
        Value::Datetime(at) => Json::String(at.value().to_string()),
        Value::Array(_) | Value::InlineTable(_) => Json::Null,
    }
}

/// A value as it stands in an environment variable or a flag: TOML when it is some, else text.
pub(super) fn parse_value(text: &str, origin: &Arc<Origin>) -> Node {
    let reader = Reader::new("", origin.layer, &origin.place);
    match text.trim().parse::<Value>() {
        Ok(value) => reader.value(&value, origin),
        Err(_) => Node {
            origin: origin.clone(),
            body: Body::Scalar(Json::String(text.to_owned())),
        },
    }
}

fn message(error: &TomlError) -> String {
    error.message().lines().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str =
        "# a comment\na = 1\n\n[[b]]\nc = [\n  1,\n  2,\n]\nd.e = 'x'\n[b.f]\ng = 2026-01-01\n";

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn every_value_knows_its_line() {
        let node = parse(TEXT, Layer::File, "x.toml").unwrap();
        for (at, line) in [
            ("a", 2),
            ("b.0", 4),
            ("b.0.c", 5),
            ("b.0.c.1", 7),
            ("b.0.d.e", 9),
            ("b.0.f", 10),
            ("b.0.f.g", 11),
            ("b.0.nothing", 4),
        ] {
            assert_eq!(
                node.nearest(&path(at)).origin.place,
                format!("x.toml:{line}"),
                "{at}"
            );
        }
    }

    #[test]
    fn what_is_no_toml_has_a_line() {
        let (_, origin) = parse("a = 1\nb = \n", Layer::File, "x.toml").unwrap_err();
        assert_eq!(origin.place, "x.toml:2");
    }

    #[test]
    fn tables_merge_and_secrets_are_replaced() {
        let origin = |layer| {
            Arc::new(Origin {
                layer,
                place: String::new(),
            })
        };
        let mut node = Node::from_json(
            &json!({ "a": { "b": 1, "c": [1] }, "p": { "secret": "x" } }),
            &origin(Layer::Console),
        );
        node.merge(Node::from_json(
            &json!({ "a": { "c": [2], "d": 3 }, "p": { "file": "y" } }),
            &origin(Layer::File),
        ));
        assert_eq!(
            node.to_json(),
            json!({ "a": { "b": 1, "c": [2], "d": 3 }, "p": { "file": "y" } })
        );
        let strong: Vec<String> = node
            .leaves()
            .into_iter()
            .filter(|(_, leaf)| leaf.origin.layer == Layer::File)
            .map(|(path, _)| path.join("."))
            .collect();
        assert_eq!(strong, ["a.c", "a.d", "p"]);
    }
}
