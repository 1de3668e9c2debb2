//! What a rule's command says: texts in which the reading's point, value, message and time are filled in. Pure.

use fieldgate_kit::format::value_json;
use fieldgate_model::{Reading, Value};
use serde_json::Value as Json;

use super::watch::field;

/// What can be filled in.
const PLACES: [&str; 4] = ["point", "value", "message", "at"];
/// What is filled in is cut here, in characters.
const MAX_CHARS: usize = 1000;
/// The whole text, where the value itself is meant.
const THE_VALUE: &str = "{value}";

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Plain(&'a str),
    /// A word in braces.
    Place(&'a str),
}

/// The template with what the reading says.
pub(super) fn fill(template: &Json, reading: &Reading) -> Json {
    match template {
        Json::String(text) if text == THE_VALUE => whole(&reading.value),
        Json::String(text) => Json::String(filled(text, reading)),
        Json::Array(items) => items.iter().map(|item| fill(item, reading)).collect(),
        Json::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), fill(value, reading)))
            .collect(),
        other => other.clone(),
    }
}

/// Words in braces that mean nothing, and where they stand.
pub(super) fn unknown(template: &Json) -> Vec<(Vec<String>, String)> {
    let below = |key: String, value: &Json| {
        let found = unknown(value).into_iter();
        let found = found.map(move |(mut path, word)| {
            path.insert(0, key.clone());
            (path, word)
        });
        found.collect::<Vec<_>>()
    };
    match template {
        Json::String(text) => pieces(text)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Place(word) if !PLACES.contains(&word) => {
                    Some((Vec::new(), word.to_owned()))
                }
                _ => None,
            })
            .collect(),
        Json::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(index, item)| below(index.to_string(), item))
                .collect()
        }
        Json::Object(fields) => {
            let fields = fields.iter();
            fields
                .flat_map(|(key, value)| below(key.clone(), value))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn filled(text: &str, reading: &Reading) -> String {
    let piece = |piece: Piece<'_>| match piece {
        Piece::Plain(text) => text.to_owned(),
        Piece::Place("point") => reading.point.to_string(),
        Piece::Place("value") => cut(shown(&reading.value)),
        Piece::Place("message") => cut(message(&reading.value).to_owned()),
        Piece::Place("at") => reading.at.to_string(),
        Piece::Place(word) => format!("{{{word}}}"),
    };
    pieces(text).into_iter().map(piece).collect()
}

/// Braces around anything but one word are plain text, such as JSON's.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut plain_from = text;
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        let word = after.find('}').map(|end| &after[..end]);
        let is_word = |word: &&str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let Some(word) = word.filter(is_word) else {
            rest = after;
            continue;
        };
        let plain = &plain_from[..plain_from.len() - rest.len() + open];
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        pieces.push(Piece::Place(word));
        rest = &after[word.len() + 1..];
        plain_from = rest;
    }
    if !plain_from.is_empty() {
        pieces.push(Piece::Plain(plain_from));
    }
    pieces
}

/// What an event says to people; empty where it says nothing.
fn message(value: &Value) -> &str {
    match field(value, "Message") {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// The value as JSON, but for what is no value to write.
fn whole(value: &Value) -> Json {
    match value {
        Value::Bytes(_) | Value::Blob { .. } => Json::String(shown(value)),
        value => value_json(value),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bytes(data) => format!("({} bytes)", data.len()),
        Value::Blob { media_type, data } => format!("({} bytes of {media_type})", data.len()),
        value => value_json(value).to_string(),
    }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Timestamp;
    use serde_json::json;

    use super::*;

    fn reading(value: Value) -> Reading {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let mut reading = Reading::new("press/Line/Level".parse().unwrap(), 0.0, at);
        reading.value = value;
        reading
    }

    fn check(template: Json, value: Value, expected: Json) {
        assert_eq!(fill(&template, &reading(value)), expected, "{template}");
    }

    #[test]
    fn texts_are_filled_in_and_the_value_keeps_its_kind() {
        let event = Value::Struct(vec![("Message".into(), "too hot".into())]);
        check(
            json!({ "why": "{message}!" }),
            event.clone(),
            json!({ "why": "too hot!" }),
        );
        check(json!("{value}"), Value::Int(7), json!(7));
        check(json!(["{value}"]), Value::Float(1.5), json!([1.5]));
        check(
            json!("is {value} at {at}"),
            Value::Float(1.5),
            json!("is 1.5 at 2023-11-14T22:13:20.000Z"),
        );
        check(
            json!("{point}{point}"),
            Value::Null,
            json!("press/Line/Levelpress/Line/Level"),
        );
        check(json!("{message}"), Value::Int(7), json!(""));
        check(json!("{value}"), event, json!({ "Message": "too hot" }));
        check(
            json!("{value}"),
            Value::Bytes(vec![1, 2].into()),
            json!("(2 bytes)"),
        );
        check(
            json!({ "n": 1, "t": true }),
            Value::Null,
            json!({ "n": 1, "t": true }),
        );
    }

    #[test]
    fn other_braces_are_text() {
        for text in ["{", "}", "{}", "{\"a\": 1}", "{ value }", "a{b", "{{"] {
            check(json!(text), Value::Int(7), json!(text));
            assert_eq!(unknown(&json!(text)), [], "{text}");
        }
        check(json!("{{value}}"), Value::Int(7), json!("{7}"));
        check(json!("{ {value}"), Value::Int(7), json!("{ 7"));
        assert_eq!(
            unknown(&json!({ "a": ["x", "{valu} and {at}"] })),
            [(vec!["a".to_owned(), "1".to_owned()], "valu".to_owned())]
        );
    }

    #[test]
    fn what_is_filled_in_is_bounded() {
        let long = Value::Text("ä".repeat(5000));
        let Json::String(text) = fill(&json!("-{value}"), &reading(long)) else {
            panic!()
        };
        assert_eq!(text.chars().count(), MAX_CHARS + 2);
        assert!(text.ends_with('…'));
    }

    proptest::proptest! {
        #[test]
        fn a_text_without_places_stays_as_it_is(text in "[^{]{0,40}") {
            let template = json!(text);
            proptest::prop_assert_eq!(fill(&template, &reading(Value::Null)), template);
        }
    }
}
