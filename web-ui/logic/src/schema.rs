//! Which fields a JSON Schema (2020-12, as schemars 1 writes it) asks for.

use serde_json::{Map, Value as Json};

use crate::words;

/// What a place in the settings may hold, and how it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub shape: Shape,
    pub title: Option<String>,
    /// The description: help beside the field. Empty when there is none.
    pub help: String,
    pub default: Option<Json>,
    /// May be `null`, which is the same as not set.
    pub nullable: bool,
}

/// The kinds of places.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Text,
    Number {
        whole: bool,
    },
    Toggle,
    /// One of some constants.
    Choice(Vec<Choice>),
    /// Always this.
    Fixed(Json),
    /// A reference to a secret; write-only.
    Secret,
    Group(Vec<Field>),
    List(Box<Node>),
    /// Names that the user chooses, each with a value.
    Map(Box<Node>),
    /// One of several shapes.
    OneOf(Vec<Variant>),
    /// Anything; asked for as JSON text.
    Raw,
}

/// One constant to choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub value: Json,
    pub label: String,
    pub help: String,
}

/// One key of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub key: String,
    pub label: String,
    pub required: bool,
    pub node: Node,
}

/// One of several shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    pub label: String,
    pub node: Node,
}

/// Schemas may refer to themselves; below this depth a place is asked for as JSON text.
const MAX_DEPTH: usize = 12;

/// Reads a whole schema.
#[must_use]
pub fn read(schema: &Json) -> Node {
    Reader { root: schema }.node(schema, 0)
}

struct Reader<'a> {
    root: &'a Json,
}

// === impl Node ===

impl Node {
    /// The fields, when it is a group.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.shape {
            Shape::Group(fields) => fields,
            _ => &[],
        }
    }

    /// The only field of an externally tagged alternative, such as `{"deadband": 0.1}`.
    #[must_use]
    pub fn only_field(&self) -> Option<&Field> {
        match self.fields() {
            [field] if field.required => Some(field),
            _ => None,
        }
    }

    /// Whether it is asked for with other fields inside it.
    #[must_use]
    pub fn is_compound(&self) -> bool {
        matches!(
            self.shape,
            Shape::Group(_) | Shape::List(_) | Shape::Map(_) | Shape::OneOf(_)
        )
    }

    fn of(shape: Shape) -> Self {
        Self {
            shape,
            title: None,
            help: String::new(),
            default: None,
            nullable: false,
        }
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn node(&self, schema: &Json, depth: usize) -> Node {
        let Some(object) = self.resolved(schema).filter(|_| depth <= MAX_DEPTH) else {
            return Node::of(Shape::Raw);
        };
        let mut node = self.shape(&object, depth);
        let text = |key| object.get(key).and_then(Json::as_str).map(str::to_owned);
        if let Some(help) = text("description") {
            node.help = unwrapped(&help);
        }
        node.title = text("title").or(node.title);
        node.default = object
            .get("default")
            .filter(|value| !value.is_null())
            .cloned()
            .or(node.default);
        node
    }

    /// The schema with `$ref` and a lone `allOf` followed; what stands beside the reference wins.
    fn resolved(&self, schema: &Json) -> Option<Map<String, Json>> {
        let mut object = schema.as_object()?.clone();
        for _ in 0..MAX_DEPTH {
            let target = if let Some(Json::String(reference)) = object.remove("$ref") {
                self.root.pointer(reference.strip_prefix('#')?)?.clone()
            } else if object
                .get("allOf")
                .and_then(Json::as_array)
                .is_some_and(|all| all.len() == 1)
            {
                object.remove("allOf")?.get(0)?.clone()
            } else {
                return Some(object);
            };
            for (key, value) in target.as_object()? {
                object.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        None
    }

    fn shape(&self, object: &Map<String, Json>, depth: usize) -> Node {
        if object.get("x-secret") == Some(&Json::Bool(true)) {
            return Node::of(Shape::Secret);
        }
        if let Some(value) = object.get("const") {
            return Node::of(Shape::Fixed(value.clone()));
        }
        if let Some(Json::Array(values)) = object.get("enum") {
            return choice(values);
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(Json::Array(alternatives)) = object.get(key) {
                return self.alternatives(object, alternatives, depth);
            }
        }
        self.plain(object, depth)
    }

    fn plain(&self, object: &Map<String, Json>, depth: usize) -> Node {
        let (kind, nullable) = kind(object);
        let shape = match kind {
            "string" => Shape::Text,
            "integer" => Shape::Number { whole: true },
            "number" => Shape::Number { whole: false },
            "boolean" => Shape::Toggle,
            "array" => match object.get("items") {
                Some(items) => Shape::List(Box::new(self.node(items, depth + 1))),
                None => Shape::Raw,
            },
            "object" => self.object(object, depth),
            _ if object.contains_key("properties") => self.object(object, depth),
            _ => Shape::Raw,
        };
        Node {
            nullable,
            ..Node::of(shape)
        }
    }

    fn object(&self, object: &Map<String, Json>, depth: usize) -> Shape {
        if object.contains_key("properties") {
            return Shape::Group(self.fields(object, depth));
        }
        match object.get("additionalProperties") {
            Some(values @ Json::Object(_)) => Shape::Map(Box::new(self.node(values, depth + 1))),
            Some(Json::Bool(false)) => Shape::Group(Vec::new()),
            _ => Shape::Raw,
        }
    }

    /// The required ones first, as the author ordered them; then scalars; then what has fields of its own.
    fn fields(&self, object: &Map<String, Json>, depth: usize) -> Vec<Field> {
        let required: Vec<&str> = object
            .get("required")
            .and_then(Json::as_array)
            .map(|keys| keys.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        let Some(Json::Object(properties)) = object.get("properties") else {
            return Vec::new();
        };
        let mut fields: Vec<Field> = properties
            .iter()
            .map(|(key, schema)| {
                let node = self.node(schema, depth + 1);
                let label = node.title.clone().unwrap_or_else(|| words::label(key));
                Field {
                    key: key.clone(),
                    label,
                    required: required.contains(&key.as_str()),
                    node,
                }
            })
            .collect();
        fields.sort_by_key(|field| {
            let rank = required.iter().position(|key| *key == field.key);
            (rank.unwrap_or(usize::MAX), field.node.is_compound())
        });
        fields
    }

    fn alternatives(&self, outer: &Map<String, Json>, alternatives: &[Json], depth: usize) -> Node {
        let mut nullable = false;
        let mut nodes = Vec::new();
        for alternative in alternatives {
            if alternative.get("type").and_then(Json::as_str) == Some("null") {
                nullable = true;
                continue;
            }
            let node = self.node(alternative, depth + 1);
            nullable |= node.nullable;
            nodes.push(node);
        }
        // Keys that all alternatives share stand beside them.
        if outer.contains_key("properties") {
            let shared = self.fields(outer, depth);
            for node in &mut nodes {
                if let Shape::Group(fields) = &mut node.shape {
                    fields.splice(0..0, shared.iter().cloned());
                }
            }
        }
        if nodes.len() == 1 {
            let only = nodes.remove(0);
            return Node { nullable, ..only };
        }
        let shape = constants(&nodes).map_or_else(
            || Shape::OneOf(nodes.into_iter().map(variant).collect()),
            Shape::Choice,
        );
        Node {
            nullable,
            ..Node::of(shape)
        }
    }
}

/// The choices, when every alternative is a constant.
fn constants(nodes: &[Node]) -> Option<Vec<Choice>> {
    let mut choices = Vec::new();
    for node in nodes {
        match &node.shape {
            Shape::Fixed(value) => choices.push(Choice {
                value: value.clone(),
                label: node.title.clone().unwrap_or_else(|| shown(value)),
                help: node.help.clone(),
            }),
            Shape::Choice(inner) => choices.extend(inner.iter().cloned()),
            _ => return None,
        }
    }
    Some(choices)
}

fn choice(values: &[Json]) -> Node {
    let nullable = values.iter().any(Json::is_null);
    let choices = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| Choice {
            value: value.clone(),
            label: shown(value),
            help: String::new(),
        })
        .collect();
    Node {
        nullable,
        ..Node::of(Shape::Choice(choices))
    }
}

fn variant(node: Node) -> Variant {
    let label = node
        .title
        .clone()
        .or_else(|| node.only_field().map(|field| field.label.clone()))
        .or_else(|| tag(&node))
        .or_else(|| clause(&node.help))
        .unwrap_or_else(|| kind_word(&node.shape).to_owned());
    Variant { label, node }
}

/// The constant that names an internally tagged alternative.
fn tag(node: &Node) -> Option<String> {
    node.fields()
        .iter()
        .find_map(|field| match &field.node.shape {
            Shape::Fixed(value) => Some(words::capital(&shown(value))),
            _ => None,
        })
}

/// A description that is short enough to be a label.
fn clause(help: &str) -> Option<String> {
    let end = help.find(['.', ':', ';', ',']).unwrap_or(help.len());
    let clause = help.get(..end)?.trim();
    (!clause.is_empty() && clause.chars().count() <= 48).then(|| words::capital(clause))
}

fn kind_word(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text => "Text",
        Shape::Number { .. } => "Number",
        Shape::Toggle => "Yes or no",
        Shape::Choice(_) | Shape::Fixed(_) => "Choice",
        Shape::Secret => "Secret",
        Shape::Group(_) | Shape::Map(_) => "Details",
        Shape::List(_) => "List",
        Shape::OneOf(_) | Shape::Raw => "Other",
    }
}

/// `"type": "string"`, `"type": ["string", "null"]`.
fn kind(object: &Map<String, Json>) -> (&str, bool) {
    match object.get("type") {
        Some(Json::String(kind)) => (kind, false),
        Some(Json::Array(kinds)) => {
            let mut names = kinds.iter().filter_map(Json::as_str);
            (
                names.find(|kind| *kind != "null").unwrap_or(""),
                kinds.iter().any(|kind| kind == "null"),
            )
        }
        _ => ("", false),
    }
}

/// A constant as a person reads it.
#[must_use]
pub fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// Doc comments are broken into lines; paragraphs stay.
fn unwrapped(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_references_and_nullables() {
        let node = read(&json!({
            "type": "object",
            "required": ["url"],
            "properties": {
                "qos": { "type": ["integer", "null"], "description": "How often.\nExactly." },
                "url": { "type": "string" },
                "wait": { "$ref": "#/$defs/Span", "description": "Mine.", "default": "1 s" },
                "user": { "anyOf": [{ "$ref": "#/$defs/User" }, { "type": "null" }] },
            },
            "$defs": {
                "Span": { "type": "string", "pattern": "x", "description": "Theirs." },
                "User": { "type": "object", "properties": { "password": { "$ref": "#/$defs/Secret" } } },
                "Secret": { "x-secret": true, "type": "object" },
            },
        }));
        let keys: Vec<&str> = node
            .fields()
            .iter()
            .map(|field| field.key.as_str())
            .collect();
        assert_eq!(keys, ["url", "qos", "wait", "user"]);
        let [url, qos, wait, user] = node.fields() else {
            panic!()
        };
        assert!(url.required && !qos.required && qos.node.nullable && user.node.nullable);
        assert_eq!(
            (qos.label.as_str(), qos.node.help.as_str()),
            ("QOS", "How often. Exactly.")
        );
        assert_eq!(
            (&wait.node.shape, wait.node.help.as_str()),
            (&Shape::Text, "Mine.")
        );
        assert_eq!(wait.node.default, Some(json!("1 s")));
        assert_eq!(user.node.fields()[0].node.shape, Shape::Secret);
    }

    #[test]
    fn enums_are_choices_and_tagged_ones_are_alternatives() {
        let node = read(&json!({ "oneOf": [
            { "const": "aio-json", "description": "Azure's shape." },
            { "type": "string", "enum": ["json"] },
        ]}));
        let Shape::Choice(choices) = node.shape else {
            panic!()
        };
        assert_eq!(
            choices.iter().map(|c| c.label.as_str()).collect::<Vec<_>>(),
            ["aio-json", "json"]
        );

        let node = read(&json!({ "oneOf": [
            { "type": "object", "properties": { "deadband": { "type": "number" } }, "required": ["deadband"], "additionalProperties": false },
            { "type": "object", "properties": { "scale": { "type": "object", "properties": { "by": { "type": "number" } } } }, "required": ["scale"] },
            { "type": "string" },
        ]}));
        let Shape::OneOf(variants) = node.shape else {
            panic!()
        };
        let labels: Vec<&str> = variants.iter().map(|v| v.label.as_str()).collect();
        assert_eq!(labels, ["Deadband", "Scale", "Text"]);
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let node = read(&json!({
            "$ref": "#/$defs/Tree",
            "$defs": { "Tree": { "type": "object", "properties": { "child": { "$ref": "#/$defs/Tree" } } } },
        }));
        assert_eq!(node.fields()[0].key, "child");
    }
}
