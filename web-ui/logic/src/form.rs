//! How a field changes the settings, which alternative settings are of, and at which field a problem stands.

use fieldgate_api::trouble::ConfigProblem;
use serde_json::{Map, Value as Json};

use crate::schema::{Node, Shape, Variant};

/// Keys and list indices from the top of the settings.
pub type Path = [String];

/// The element id of a field: `field-select-0`.
#[must_use]
pub fn field_id(path: &Path) -> String {
    element_id("field", path)
}

/// The id of another element that belongs to a field: `add-select`, `error-url`.
#[must_use]
pub fn element_id(what: &str, path: &Path) -> String {
    let mut id = what.to_owned();
    for key in path {
        id.push('-');
        id.extend(key.chars().map(|c| {
            if c.is_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        }));
    }
    id
}

/// What stands at a path; nothing and `null` are the same.
#[must_use]
pub fn get<'a>(settings: &'a Json, path: &Path) -> Option<&'a Json> {
    path.iter()
        .try_fold(settings, |at, key| child(at, key))
        .filter(|value| !value.is_null())
}

/// Puts a value at a path; groups on the way are made.
pub fn set(settings: &mut Json, path: &Path, value: Json) {
    let mut at = settings;
    for key in path {
        let is_item = matches!((&*at, key.parse::<usize>()), (Json::Array(items), Ok(index)) if index < items.len());
        if !is_item && !at.is_object() {
            *at = Json::Object(Map::new());
        }
        at = match at {
            Json::Array(items) => {
                &mut items[key.parse::<usize>().expect("checked above to be an index")]
            }
            Json::Object(map) => map.entry(key.clone()).or_insert(Json::Null),
            _ => unreachable!("made an object above"),
        };
    }
    *at = value;
}

/// Takes away what stands at a path.
pub fn remove(settings: &mut Json, path: &Path) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    match parents.iter().try_fold(settings, child_mut) {
        Some(Json::Object(map)) => {
            map.remove(last);
        }
        Some(Json::Array(items)) => {
            if let Some(index) = last.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// Appends an item to the list at a path; returns its index.
pub fn append(settings: &mut Json, path: &Path, item: Json) -> usize {
    if !matches!(get(settings, path), Some(Json::Array(_))) {
        set(settings, path, Json::Array(Vec::new()));
    }
    match path.iter().try_fold(settings, child_mut) {
        Some(Json::Array(items)) => {
            items.push(item);
            items.len() - 1
        }
        _ => 0,
    }
}

/// Exchanges two items of the list at a path.
pub fn swap(settings: &mut Json, path: &Path, one: usize, other: usize) {
    if let Some(Json::Array(items)) = path.iter().try_fold(settings, child_mut)
        && one.max(other) < items.len()
    {
        items.swap(one, other);
    }
}

/// The least that shows a place is there: groups with the groups they require, a first item where a list is required.
#[must_use]
pub fn skeleton(node: &Node) -> Json {
    match &node.shape {
        Shape::Text => Json::String(String::new()),
        Shape::Toggle => Json::Bool(false),
        Shape::Number { .. } | Shape::Secret | Shape::Raw => Json::Null,
        Shape::Choice(choices) => choices
            .first()
            .map_or(Json::Null, |choice| choice.value.clone()),
        Shape::Fixed(value) => value.clone(),
        Shape::List(_) => Json::Array(Vec::new()),
        Shape::Map(_) => Json::Object(Map::new()),
        Shape::OneOf(variants) => variants
            .first()
            .map_or(Json::Null, |variant| skeleton(&variant.node)),
        Shape::Group(fields) => {
            let only = node.only_field().is_some();
            let map = fields
                .iter()
                .filter(|field| field.required)
                .filter_map(|field| {
                    let value = match &field.node.shape {
                        Shape::List(item) => Some(Json::Array(vec![skeleton(item)])),
                        Shape::Group(_) | Shape::OneOf(_) | Shape::Fixed(_) | Shape::Toggle => {
                            Some(skeleton(&field.node))
                        }
                        // The key alone says which alternative it is.
                        _ => only.then_some(Json::Null),
                    };
                    value.map(|value| (field.key.clone(), value))
                });
            Json::Object(map.collect())
        }
    }
}

/// What a text typed into a field means; `None` takes the key away.
#[must_use]
pub fn typed(node: &Node, text: &str, keep_empty: bool) -> Option<Json> {
    match &node.shape {
        Shape::Number { whole } => {
            let trimmed = text.trim();
            if trimmed.is_empty() {
                return keep_empty.then_some(Json::Null);
            }
            // What is no number goes as it is: the gateway's problem then stands at the field.
            Some(number(trimmed, *whole).unwrap_or_else(|| Json::String(text.to_owned())))
        }
        Shape::Raw => match text.trim() {
            "" => keep_empty.then_some(Json::Null),
            trimmed => Some(
                serde_json::from_str(trimmed).unwrap_or_else(|_| Json::String(text.to_owned())),
            ),
        },
        _ if text.is_empty() && !keep_empty => None,
        _ => Some(Json::String(text.to_owned())),
    }
}

/// Which alternative a value is of.
#[must_use]
pub fn alternative(variants: &[Variant], value: &Json) -> Option<usize> {
    let best = variants
        .iter()
        .map(|variant| fits(&variant.node, value))
        .enumerate();
    best.filter(|(_, fit)| *fit > 0)
        .max_by_key(|(index, fit)| (*fit, usize::MAX - index))
        .map(|(index, _)| index)
}

/// The path of the deepest field that is shown and that a problem is about.
#[must_use]
pub fn anchor(node: &Node, settings: &Json, problem: &ConfigProblem) -> Vec<String> {
    let mut at = (node, Some(settings));
    let mut path = Vec::new();
    for key in &problem.path {
        match step(at, key) {
            Some(next) => {
                at = next;
                path.push(key.clone());
            }
            None => return path,
        }
    }
    let missing = problem
        .what
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    if let Some(key) = missing
        && step(at, key).is_some()
    {
        path.push(key.to_owned());
    }
    path
}

/// Where the value of a secret is, in words; `None` when it is not set.
#[must_use]
pub fn secret_place(value: Option<&Json>) -> Option<String> {
    let (kind, name) = value?.as_object()?.iter().next()?;
    let name = name.as_str().unwrap_or_default();
    Some(match kind.as_str() {
        "typed" => "will be replaced when you save".to_owned(),
        "file" => format!("set, in the file {name}"),
        "env" => format!("set, in the environment variable {name}"),
        "credential" => format!("set, in the system credential {name}"),
        _ => "set".to_owned(),
    })
}

fn child<'a>(at: &'a Json, key: &String) -> Option<&'a Json> {
    match at {
        Json::Object(map) => map.get(key),
        Json::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

fn child_mut<'a>(at: &'a mut Json, key: &String) -> Option<&'a mut Json> {
    match at {
        Json::Object(map) => map.get_mut(key),
        Json::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    }
}

type At<'a> = (&'a Node, Option<&'a Json>);

/// One key deeper, as far as fields are shown: a group that is not set shows none.
fn step<'a>((node, value): At<'a>, key: &str) -> Option<At<'a>> {
    let value = value.filter(|value| !value.is_null());
    match &node.shape {
        Shape::Group(fields) => {
            let value = value?;
            let field = fields.iter().find(|field| field.key == key)?;
            Some((&field.node, value.get(key)))
        }
        Shape::List(item) => {
            let index: usize = key.parse().ok()?;
            Some((item, Some(value?.get(index)?)))
        }
        Shape::Map(item) => Some((item, Some(value?.get(key)?))),
        Shape::OneOf(variants) => {
            let index = alternative(variants, value?)?;
            step((&variants[index].node, value), key)
        }
        _ => None,
    }
}

/// How well a value fits: 0 not at all, 1 as far as it goes, 2 whole, 3 exactly.
fn fits(node: &Node, value: &Json) -> u8 {
    match (&node.shape, value) {
        (Shape::Fixed(constant), value) if constant == value => 3,
        (Shape::Choice(choices), value) if choices.iter().any(|choice| choice.value == *value) => 3,
        (Shape::Text, Json::String(_)) | (Shape::Number { .. }, Json::Number(_)) => 2,
        (Shape::Toggle, Json::Bool(_)) | (Shape::List(_), Json::Array(_)) => 2,
        (Shape::Secret, Json::Object(_)) => 2,
        (Shape::OneOf(variants), value) => variants
            .iter()
            .map(|variant| fits(&variant.node, value))
            .max()
            .unwrap_or(0),
        (Shape::Map(_), Json::Object(_)) | (Shape::Raw, _) => 1,
        (Shape::Group(fields), Json::Object(map)) => {
            let known = map
                .keys()
                .all(|key| fields.iter().any(|field| field.key == *key));
            let constant =
                fields
                    .iter()
                    .all(|field| match (&field.node.shape, map.get(&field.key)) {
                        (Shape::Fixed(wanted), given) => given == Some(wanted),
                        _ => true,
                    });
            let whole = fields
                .iter()
                .all(|field| !field.required || map.contains_key(&field.key));
            if !known || !constant {
                0
            } else {
                1 + u8::from(whole)
            }
        }
        _ => 0,
    }
}

fn number(text: &str, whole: bool) -> Option<Json> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    let number = text.parse::<f64>().ok().filter(|_| !whole)?;
    serde_json::Number::from_f64(number).map(Json::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema;

    fn path(dotted: &str) -> Vec<String> {
        dotted
            .split('.')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn route() -> Node {
        let step = |key: &str, inner: Json| json!({ "type": "object", "required": [key], "properties": { key: inner } });
        let scale = json!({ "type": "object", "properties": { "by": { "type": "number" } } });
        let rename = json!({ "type": "object", "required": ["from", "to"], "properties": { "from": { "type": "string" }, "to": { "type": "string" } } });
        schema::read(&json!({
            "type": "object",
            "required": ["from", "to"],
            "properties": {
                "from": { "type": "array", "items": { "type": "string" } },
                "to": { "type": "string" },
                "steps": { "type": "array", "items": { "oneOf": [
                    step("deadband", json!({ "type": "number" })), step("scale", scale), step("rename", rename),
                ] } },
                "user": { "anyOf": [{ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } }, { "type": "null" }] },
            },
        }))
    }

    #[test]
    fn settings_change_at_paths() {
        let mut settings = json!({});
        set(&mut settings, &path("a.b"), json!(1));
        assert_eq!(append(&mut settings, &path("list"), json!("x")), 0);
        append(&mut settings, &path("list"), json!({}));
        set(&mut settings, &path("list.1.deep"), json!(true));
        assert_eq!(
            settings,
            json!({ "a": { "b": 1 }, "list": ["x", { "deep": true }] })
        );
        swap(&mut settings, &path("list"), 0, 1);
        remove(&mut settings, &path("list.0.deep"));
        remove(&mut settings, &path("a.b"));
        assert_eq!(settings, json!({ "a": {}, "list": [{}, "x"] }));
        assert_eq!(get(&settings, &path("list.7")), None);
    }

    #[test]
    fn a_new_route_has_one_pattern_and_nothing_more() {
        assert_eq!(skeleton(&route()), json!({ "from": [""] }));
        let Shape::List(step) = &route()
            .fields()
            .iter()
            .find(|f| f.key == "steps")
            .unwrap()
            .node
            .shape
            .clone()
        else {
            panic!()
        };
        let Shape::OneOf(variants) = &step.shape else {
            panic!()
        };
        let skeletons: Vec<Json> = variants
            .iter()
            .map(|variant| skeleton(&variant.node))
            .collect();
        assert_eq!(
            skeletons,
            [
                json!({ "deadband": null }),
                json!({ "scale": {} }),
                json!({ "rename": {} })
            ]
        );
        for (index, skeleton) in skeletons.iter().enumerate() {
            assert_eq!(alternative(variants, skeleton), Some(index));
        }
    }

    #[test]
    fn what_is_typed_keeps_its_kind() {
        let node = |kind: &str| schema::read(&json!({ "type": kind }));
        for (kind, text, expected) in [
            ("integer", "42", Some(json!(42))),
            ("integer", "4.2", Some(json!("4.2"))),
            ("number", "1e-3", Some(json!(0.001))),
            ("number", " ", None),
            ("string", "2 GiB", Some(json!("2 GiB"))),
            ("string", "", None),
        ] {
            assert_eq!(typed(&node(kind), text, false), expected, "{kind} {text}");
        }
        assert_eq!(typed(&node("string"), "", true), Some(json!("")));
    }

    #[test]
    fn a_problem_stands_at_the_deepest_field_that_is_shown() {
        let settings =
            json!({ "from": ["a/**"], "steps": [{ "rename": {} }, { "deadband": "x" }] });
        for (at, what, expected) in [
            ("from.0", "bad", "from.0"),
            ("steps.1.deadband", "bad", "steps.1.deadband"),
            (
                "steps.0.rename",
                "missing field `from`",
                "steps.0.rename.from",
            ),
            ("", "missing field `to`", "to"),
            ("user.name", "bad", "user"),
            ("steps.9", "bad", "steps"),
            ("colour", "unknown field `colour`", ""),
        ] {
            let problem = ConfigProblem {
                item: "route r".into(),
                path: path(at),
                what: what.into(),
                remedy: String::new(),
                origin: "console".into(),
            };
            assert_eq!(
                anchor(&route(), &settings, &problem),
                path(expected),
                "{at} {what}"
            );
        }
    }

    #[test]
    fn ids_are_dotted_paths_with_dashes() {
        assert_eq!(
            field_id(&path("select.0.sampling_ms")),
            "field-select-0-sampling_ms"
        );
        assert_eq!(element_id("add", &path("a b")), "add-a_b");
    }

    #[test]
    fn a_secret_says_where_it_is_and_nothing_else() {
        assert_eq!(secret_place(None), None);
        assert_eq!(
            secret_place(Some(&json!({ "file": "a" }))).as_deref(),
            Some("set, in the file a")
        );
        assert!(
            !secret_place(Some(&json!({ "typed": "hunter2" })))
                .unwrap()
                .contains("hunter2")
        );
    }
}
