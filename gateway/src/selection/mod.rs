//! A source's selection as a file: the rules of `select` as CSV or JSON, and what an import would change. Pure.
//!
//! What a rule can say is read off the schema of the source's settings, so that a protocol has nothing to do for it.

mod csv;
mod plan;

use serde_json::{Map, Value as Json};

pub use csv::{parse_csv, write_csv};
pub use plan::{Conflict, Mode, Plan, conflicts, plan};

/// The setting that holds the rules.
pub const SELECT: &str = "select";

/// A rule of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where it begins, from 1.
    pub line: usize,
    pub rule: Json,
}

/// What stands against a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// None when it is about the file, or about a rule that is there already.
    pub line: Option<usize>,
    pub words: String,
}

/// What a rule can be: a text, or a table with these keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// In the order of the schema.
    pub columns: Vec<Column>,
}

/// One key of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// A table that has it is about this one thing.
    pub required: bool,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Truth,
    /// Written as JSON.
    Other,
}

// === impl Shape ===

impl Shape {
    /// Of the settings' schema; `None` when they have no selection.
    #[must_use]
    pub fn of(schema: &Json) -> Option<Self> {
        let items = &schema["properties"][SELECT]["items"];
        let mut shape = Self::default();
        shape.add(schema, items, 0);
        items.is_object().then_some(shape)
    }

    /// Follows references and alternatives, a few steps deep: a schema cannot send us round in circles.
    fn add(&mut self, schema: &Json, part: &Json, depth: u8) {
        if depth > 4 {
            return;
        }
        if let Some(pointer) = part["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'))
            && let Some(target) = schema.pointer(pointer)
        {
            self.add(schema, target, depth + 1);
        }
        for alternatives in ["anyOf", "oneOf"] {
            for alternative in part[alternatives].as_array().into_iter().flatten() {
                self.add(schema, alternative, depth + 1);
            }
        }
        let required = |name: &str| {
            let required = part["required"].as_array();
            required.is_some_and(|names| names.iter().any(|known| known == name))
        };
        for (name, property) in part["properties"].as_object().into_iter().flatten() {
            if self.columns.iter().all(|column| column.name != *name) {
                let (name, required) = (name.clone(), required(name));
                let kind = kind(property);
                self.columns.push(Column {
                    name,
                    kind,
                    required,
                });
            }
        }
        // What the rules are about stands first.
        self.columns.sort_by_key(|column| !column.required);
    }

    /// What a rule is about: two rules about the same are one.
    #[must_use]
    pub fn identity(&self, rule: &Json) -> String {
        if let Some(text) = rule.as_str() {
            return text.to_owned();
        }
        let about = self.columns.iter().filter(|column| column.required);
        let about: Vec<String> = about
            .filter_map(|column| Some(format!("{}={}", column.name, rule.get(&column.name)?)))
            .collect();
        match about.is_empty() {
            true => rule.to_string(),
            false => about.join(" "),
        }
    }
}

/// By its JSON type; what may be left out has `null` beside it.
fn kind(property: &Json) -> Kind {
    let types: Vec<&str> = match &property["type"] {
        Json::String(one) => vec![one],
        Json::Array(all) => all.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let types: Vec<&str> = types.into_iter().filter(|kind| *kind != "null").collect();
    match types[..] {
        ["string"] => Kind::Text,
        ["integer" | "number"] => Kind::Number,
        ["boolean"] => Kind::Truth,
        _ => Kind::Other,
    }
}

/// The rules of a JSON file: a list of texts and tables.
///
/// # Errors
/// Everything that is wrong, each with its line.
pub fn parse_json(text: &str) -> Result<Vec<Row>, Vec<RowProblem>> {
    let rules: Vec<Json> = serde_json::from_str(text).map_err(|error| {
        vec![RowProblem {
            line: Some(error.line()),
            words: format!("the file is no JSON list of rules: {error}"),
        }]
    })?;
    let rows: Vec<Row> = lines(text)
        .into_iter()
        .zip(rules)
        .map(|(line, rule)| Row {
            line,
            rule: without_nulls(rule),
        })
        .collect();
    let wrong = rows
        .iter()
        .filter(|row| !row.rule.is_string() && !row.rule.is_object());
    let problems: Vec<RowProblem> = wrong
        .map(|row| RowProblem {
            line: Some(row.line),
            words: format!("{} is neither a text nor a table", row.rule),
        })
        .collect();
    match problems.is_empty() {
        true => Ok(rows),
        false => Err(problems),
    }
}

/// The lines at which the items of a JSON list begin, which was found to be one.
fn lines(list: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut rest = list.trim_start().strip_prefix('[').unwrap_or_default();
    // Counted on from the item before: a file can have a hundred thousand.
    let (mut line, mut counted) = (1, 0);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let begins = list.len() - rest.len();
        line += list[counted..begins].matches('\n').count();
        counted = begins;
        lines.push(line);
        let mut items = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
        match items.next() {
            Some(Ok(_)) => rest = &rest[items.byte_offset()..],
            _ => return lines,
        }
    }
}

fn without_nulls(rule: Json) -> Json {
    match rule {
        Json::Object(table) => {
            let there = table.into_iter().filter(|(_, value)| !value.is_null());
            Json::Object(there.collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::Registry;

    pub(crate) fn shape() -> Shape {
        let registry = Registry::all();
        Shape::of(&registry.source("opcua").unwrap().schema()).unwrap()
    }

    #[test]
    fn the_columns_are_read_off_the_schema() {
        let shape = shape();
        let column = |name: &str| shape.columns.iter().find(|column| column.name == name);
        assert_eq!(shape.columns[0].name, "node");
        assert_eq!(
            column("node").map(|column| (column.kind, column.required)),
            Some((Kind::Text, true))
        );
        assert_eq!(
            column("point").map(|column| (column.kind, column.required)),
            Some((Kind::Text, false))
        );
        assert_eq!(
            column("sampling_ms").map(|column| column.kind),
            Some(Kind::Number)
        );
        assert_eq!(Shape::of(&json!({ "properties": { "url": {} } })), None);
        let round = json!({ "properties": { "select": { "items": { "$ref": "#/$defs/A" } } }, "$defs": { "A": { "$ref": "#/$defs/A" } } });
        assert_eq!(Shape::of(&round).unwrap().columns, []);
    }

    #[test]
    fn a_rule_is_about_its_path_or_its_node() {
        let shape = shape();
        let one = json!({ "node": "i=7", "point": "a" });
        let other = json!({ "node": "i=7", "point": "b" });
        assert_eq!(shape.identity(&one), shape.identity(&other));
        assert_ne!(shape.identity(&one), shape.identity(&json!("i=7")));
    }

    #[test]
    fn a_json_file_is_a_list_of_rules() {
        let text = "[\"Objects/**\", \n\n{ \"node\": \"i=7\",\n \"point\": null }, \"a,[b\"\n]\n";
        let row = |line: usize, rule: Json| Row { line, rule };
        assert_eq!(
            parse_json(text).unwrap(),
            [
                row(1, json!("Objects/**")),
                row(3, json!({ "node": "i=7" })),
                row(4, json!("a,[b")),
            ]
        );
        assert_eq!(parse_json(" [ ]"), Ok(vec![]));
        // As large as the API takes one.
        let many = format!("[{}\"a\"]", "\"a\",\n".repeat(200_000));
        let began = std::time::Instant::now();
        let rows = parse_json(&many).unwrap();
        assert_eq!(rows.last().map(|row| row.line), Some(200_001));
        assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
        for (text, at) in [
            ("{}", &[1][..]),
            ("[7]", &[1]),
            ("[\n7,\"a\",\n[]]", &[2, 3]),
            ("[\n", &[2]),
            ("\"Objects/**\"", &[1]),
        ] {
            let problems = parse_json(text).unwrap_err();
            let lines: Vec<usize> = problems.iter().filter_map(|problem| problem.line).collect();
            assert_eq!(lines, at, "{text}: {problems:?}");
        }
    }
}
