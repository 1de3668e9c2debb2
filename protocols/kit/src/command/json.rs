//! Commands and answers as JSON: what an MQTT message and the API have in common. Pure.
//!
//! ```json
//! {"id":"7","point":"press/Line/SetPoint","action":"write","value":80.5,"ttl":"10 s"}
//! {"id":"8","point":"press/Server/Press.Overheat","action":"acknowledge","comment":"seen","event":"AAE="}
//! {"id":"7","outcome":"done","words":"80.5 was written","status":"Good","old":79.0}
//! ```

use std::time::Duration;

use fieldgate_model::{Action, ActionKind, Answer, Arguments, PointId, Remark, Timestamp, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::{format::value_json, settings::Span};

/// The JSON Schema (2020-12) of a command.
pub const COMMAND_SCHEMA: &str = include_str!("command.schema.json");
/// The JSON Schema (2020-12) of an answer.
pub const ANSWER_SCHEMA: &str = include_str!("answer.schema.json");

/// A value nested deeper than this is no value for a device.
const MAX_DEPTH: usize = 16;
/// A remark about an alarm is a sentence or two.
const MAX_COMMENT_BYTES: usize = 2000;

/// A command as it was asked for: the gateway adds what is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Left out: the gateway makes one, and a repetition is not noticed.
    pub id: Option<String>,
    pub target: PointId,
    pub action: Action,
    /// Left out: now.
    pub issued: Option<Timestamp>,
    /// Left out: the gateway's own.
    pub ttl: Option<Duration>,
}

/// Why a text is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}; send for instance {EXAMPLE}")]
pub struct DraftError {
    /// The command's id, where it could be read.
    pub id: Option<String>,
    why: String,
}

const EXAMPLE: &str = r#"{"id":"7","point":"press/Line/SetPoint","action":"write","value":80.5}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    id: Option<String>,
    point: String,
    action: String,
    #[serde(default)]
    value: Option<Json>,
    #[serde(default)]
    arguments: Option<Json>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    issued: Option<Timestamp>,
    #[serde(default)]
    ttl: Option<Span>,
}

/// What belongs to an action; what is left out is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    /// What is written.
    pub value: Option<Json>,
    /// What a method is called with.
    pub arguments: Option<Json>,
    /// What is said about an alarm.
    pub comment: Option<String>,
    /// The event of the alarm that was looked at.
    pub event: Option<String>,
}

/// Reads a command from a message.
///
/// # Errors
/// When it is none: what is wrong, and how one looks.
pub fn draft_of_json(text: &[u8]) -> Result<Draft, DraftError> {
    let wrong = |id: Option<String>, why: String| DraftError { id, why };
    let json: Json = serde_json::from_slice(text)
        .map_err(|error| wrong(None, format!("the message is no JSON: {error}")))?;
    let id = json.get("id").and_then(Json::as_str).map(str::to_owned);
    // A value that is null is one, while a value that is left out is none.
    let value = json.get("value").cloned();
    let wire: Wire = serde_json::from_value(json)
        .map_err(|error| wrong(id.clone(), format!("the message is no command: {error}")))?;
    let target = wire
        .point
        .parse()
        .map_err(|error| wrong(id.clone(), format!("`point`: {error}")))?;
    let parts = Parts {
        value: value.or(wire.value),
        arguments: wire.arguments,
        comment: wire.comment,
        event: wire.event,
    };
    let action = action_of_json(&wire.action, parts).map_err(|why| wrong(id.clone(), why))?;
    Ok(Draft {
        id: wire.id,
        target,
        action,
        issued: wire.issued,
        ttl: wire.ttl.map(|span| span.0),
    })
}

/// The action by its name, with what belongs to it and nothing else.
///
/// # Errors
/// In words.
pub fn action_of_json(action: &str, parts: Parts) -> Result<Action, String> {
    let kind: ActionKind = action.parse()?;
    let Parts {
        value,
        arguments,
        comment,
        event,
    } = parts;
    if !kind.is_of_alarms() && (comment.is_some() || event.is_some()) {
        return Err(format!(
            "`comment` and `event` mean nothing to `{kind}`; leave them out"
        ));
    }
    match (kind, value, arguments) {
        (ActionKind::Write, Some(value), None) => Ok(Action::Write(value_of_json(value)?)),
        (ActionKind::Write, None, _) => Err("`value` says what is written, and is missing".into()),
        (ActionKind::Read, None, None) => Ok(Action::Read),
        (ActionKind::Call, None, arguments) => arguments_of_json(arguments).map(Action::Call),
        (ActionKind::Acknowledge | ActionKind::Confirm | ActionKind::Comment, None, None) => {
            of_alarm(kind, comment, event)
        }
        (kind, Some(_), _) => Err(format!("`value` means nothing to `{kind}`; leave it out")),
        (kind, None, Some(_)) => Err(format!(
            "`arguments` mean nothing to `{kind}`; leave them out"
        )),
    }
}

fn of_alarm(
    kind: ActionKind,
    comment: Option<String>,
    event: Option<String>,
) -> Result<Action, String> {
    let remark = Remark {
        event,
        text: comment.unwrap_or_default(),
    };
    if remark.text.len() > MAX_COMMENT_BYTES {
        return Err(format!(
            "`comment` has more than {MAX_COMMENT_BYTES} bytes; write less"
        ));
    }
    match kind {
        ActionKind::Acknowledge => Ok(Action::Acknowledge(remark)),
        ActionKind::Confirm => Ok(Action::Confirm(remark)),
        _ if remark.text.is_empty() => {
            Err("`comment` says what is remarked, and is missing".into())
        }
        _ => Ok(Action::Comment(remark)),
    }
}

fn arguments_of_json(arguments: Option<Json>) -> Result<Arguments, String> {
    match arguments {
        None | Some(Json::Null) => Ok(Arguments::Ordered(Vec::new())),
        Some(Json::Array(values)) => {
            let values = values.into_iter().map(value_of_json);
            values.collect::<Result<_, _>>().map(Arguments::Ordered)
        }
        Some(Json::Object(fields)) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| Ok((name, value_of_json(value)?)));
            fields.collect::<Result<_, String>>().map(Arguments::Named)
        }
        Some(_) => Err("`arguments` are a list, or an object by their names".into()),
    }
}

/// JSON as a value: whole numbers keep all 64 bits; what they mean to the device is its source's to say.
///
/// # Errors
/// When it is nested too deeply.
pub fn value_of_json(json: Json) -> Result<Value, String> {
    nested(json, MAX_DEPTH)
}

fn nested(json: Json, depth: usize) -> Result<Value, String> {
    let Some(inner) = depth.checked_sub(1) else {
        return Err(format!(
            "a value is nested more than {MAX_DEPTH} times; send a flatter one"
        ));
    };
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::Int(number),
            (None, Some(number), _) => Value::UInt(number),
            (None, None, number) => Value::Float(number.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(values) => {
            let values = values.into_iter().map(|value| nested(value, inner));
            Value::List(values.collect::<Result<_, _>>()?)
        }
        Json::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| Ok((name, nested(value, inner)?)));
            Value::Struct(fields.collect::<Result<_, String>>()?)
        }
    })
}

/// An answer, as it goes back.
#[must_use]
pub fn answer_json(id: Option<&str>, answer: &Answer) -> Json {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Json| {
        fields.insert(name.to_owned(), value);
    };
    if let Some(id) = id {
        put("id", json!(id));
    }
    put("outcome", json!(answer.outcome.as_str()));
    put("words", json!(answer.words));
    if let Some(status) = &answer.status {
        put("status", json!(status));
    }
    if let Some(value) = &answer.value {
        put("value", value_json(value));
    }
    if let Some(old) = &answer.old {
        put("old", value_json(old));
    }
    Json::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Result<Draft, String> {
        draft_of_json(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_are_read_as_they_are_documented() {
        let write = draft(
            r#"{"id":"7","point":"press/Line/SetPoint","action":"write","value":80.5,"issued":"2026-11-29T04:00:00Z","ttl":"10 s"}"#,
        )
        .unwrap();
        assert_eq!(write.action, Action::Write(Value::Float(80.5)));
        assert_eq!(write.ttl, Some(Duration::from_secs(10)));
        assert_eq!(write.id.as_deref(), Some("7"));
        assert!(write.issued.is_some());
        let action = |rest: &str| {
            draft(&format!(r#"{{"point":"press/Line/x",{rest}}}"#)).map(|draft| draft.action)
        };
        assert_eq!(action(r#""action":"read""#), Ok(Action::Read));
        assert_eq!(
            action(r#""action":"write","value":null"#),
            Ok(Action::Write(Value::Null))
        );
        assert_eq!(
            action(r#""action":"call""#),
            Ok(Action::Call(Arguments::Ordered(vec![])))
        );
        assert_eq!(
            action(r#""action":"call","arguments":{"b":1,"a":true}"#),
            Ok(Action::Call(Arguments::Named(vec![
                ("a".into(), Value::Bool(true)),
                ("b".into(), Value::Int(1)),
            ])))
        );
        assert_eq!(
            action(r#""action":"call","arguments":[1]"#),
            Ok(Action::Call(Arguments::Ordered(vec![Value::Int(1)])))
        );
        assert_eq!(
            action(r#""action":"acknowledge","comment":"seen","event":"AAE=""#),
            Ok(Action::Acknowledge(Remark {
                event: Some("AAE=".into()),
                text: "seen".into(),
            }))
        );
        assert_eq!(
            action(r#""action":"confirm""#),
            Ok(Action::Confirm(Remark::default()))
        );
    }

    #[test]
    fn what_is_no_command_is_told_why() {
        for (text, expected) in [
            ("nonsense", "the message is no JSON"),
            ("{}", "missing field `point`"),
            (
                r#"{"point":"x","action":"read"}"#,
                "`point`: `x` is not of the form",
            ),
            (
                r#"{"point":"a/b/c","action":"erase"}"#,
                "`erase` is no action",
            ),
            (
                r#"{"point":"a/b/c","action":"write"}"#,
                "`value` says what is written",
            ),
            (
                r#"{"point":"a/b/c","action":"read","value":1}"#,
                "`value` means nothing to `read`",
            ),
            (
                r#"{"point":"a/b/c","action":"read","arguments":[]}"#,
                "`arguments` mean nothing",
            ),
            (
                r#"{"point":"a/b/c","action":"call","arguments":1}"#,
                "`arguments` are a list",
            ),
            (
                r#"{"point":"a/b/c","action":"comment"}"#,
                "`comment` says what is remarked",
            ),
            (
                r#"{"point":"a/b/c","action":"acknowledge","value":1}"#,
                "means nothing to `acknowledge`",
            ),
            (
                r#"{"point":"a/b/c","action":"write","value":1,"event":"AAE="}"#,
                "mean nothing to `write`",
            ),
            (
                r#"{"point":"a/b/c","action":"read","who":"me"}"#,
                "unknown field `who`",
            ),
        ] {
            let why = draft(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
        let deep = format!(
            r#"{{"id":"9","point":"a/b/c","action":"write","value":{}1{}}}"#,
            "[".repeat(20),
            "]".repeat(20)
        );
        let error = draft_of_json(deep.as_bytes()).unwrap_err();
        assert_eq!(error.id.as_deref(), Some("9"));
        assert!(error.to_string().contains("nested"), "{error}");
    }

    #[test]
    fn the_schemas_take_what_is_sent_and_nothing_else() {
        let valid = |schema: &str, json: &Json| {
            let schema = serde_json::from_str(schema).unwrap();
            jsonschema::validator_for(&schema).unwrap().is_valid(json)
        };
        let base = |rest: Json| {
            let mut all = json!({ "point": "a/b/c" });
            let rest = rest.as_object().unwrap().clone();
            all.as_object_mut().unwrap().extend(rest);
            all
        };
        for (rest, good) in [
            (json!({ "action": "read" }), true),
            (
                json!({ "action": "write", "id": "7", "value": null, "ttl": "10 s", "issued": "2026-11-29T04:00:00Z" }),
                true,
            ),
            (
                json!({ "action": "call", "id": "7", "arguments": { "a": 1 } }),
                true,
            ),
            (json!({ "action": "call", "id": "7" }), true),
            (json!({ "action": "write", "value": 1 }), false),
            (json!({ "action": "write", "id": "7" }), false),
            (json!({ "action": "read", "value": 1 }), false),
            (json!({ "action": "erase", "id": "7" }), false),
            (json!({ "action": "read", "who": "me" }), false),
        ] {
            let command = base(rest);
            assert_eq!(valid(COMMAND_SCHEMA, &command), good, "{command}");
            let draft = draft(&command.to_string());
            let takes = draft.is_ok_and(|draft| draft.id.is_some() || draft.action == Action::Read);
            assert_eq!(takes, good, "{command}");
        }
        let answer = Answer::done("80.5 was written").status("Good");
        assert!(valid(ANSWER_SCHEMA, &answer_json(Some("7"), &answer)));
        assert!(valid(ANSWER_SCHEMA, &answer_json(None, &answer)));
        assert!(!valid(
            ANSWER_SCHEMA,
            &json!({ "outcome": "perhaps", "words": "" })
        ));
    }

    #[test]
    fn whole_numbers_keep_all_their_digits() {
        for (text, expected) in [
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("18446744073709551615", Value::UInt(u64::MAX)),
            ("1.0", Value::Float(1.0)),
        ] {
            assert_eq!(
                value_of_json(serde_json::from_str(text).unwrap()),
                Ok(expected)
            );
        }
    }

    #[test]
    fn an_answer_says_what_it_knows_and_no_more() {
        let answer = Answer::done("80.5 was written")
            .status("Good")
            .old(Some(Value::Float(79.0)));
        assert_eq!(
            answer_json(Some("7"), &answer),
            json!({ "id": "7", "outcome": "done", "words": "80.5 was written", "status": "Good", "old": 79.0 })
        );
        assert_eq!(
            answer_json(None, &Answer::expired("too late")),
            json!({ "outcome": "expired", "words": "too late" })
        );
    }
}
