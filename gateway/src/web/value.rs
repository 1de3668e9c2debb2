//! `LiveValue`: a reading as the console shows it: as it goes upstream, and as a person reads it.

use fieldgate_api::state::LiveValue;
use fieldgate_kit::format::value_json;
use fieldgate_model::{Reading, Value};
use serde_json::Value as Json;

/// The longest text, in characters.
const MAX_CHARS: usize = 200;
/// A value that is larger than about this many bytes is described instead of sent.
const MAX_VALUE_BYTES: usize = 4096;

/// What the console is told of a reading.
pub fn live_value(reading: &Reading) -> LiveValue {
    let size = size_bytes(&reading.value);
    LiveValue {
        point: reading.point.to_string(),
        value: match size {
            ..=MAX_VALUE_BYTES => value_json(&reading.value),
            _ => Json::from(format!("({size} bytes, too large to be shown)")),
        },
        text: text(&reading.value),
        unit: reading.unit.as_deref().map(shown),
        quality: reading.quality.level(),
        why: reading.quality.why().map(shown),
        at: reading.at,
        seen: reading.seen,
    }
}

/// A value as a person reads it, at most 200 characters.
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    limited(text)
}

/// `21.5 Cel`
pub fn text_with_unit(reading: &Reading) -> String {
    let text = text(&reading.value);
    match &reading.unit {
        Some(unit) => limited(format!("{text} {}", shown(unit))),
        None => text,
    }
}

/// A device's text, in which nothing can hide: control and bidirectional characters are spelled out.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_shown(&mut out, text);
    out
}

fn push_shown(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character.is_control() || is_hidden(character) => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
}

/// Characters that change how the text around them is read: bidirectional marks (UAX #9), zero widths, separators.
fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{061c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn write(out: &mut String, value: &Value) {
    if out.len() > MAX_CHARS * 4 {
        return;
    }
    match value {
        Value::Null => out.push('—'),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::UInt(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Text(text) => {
            let end = text.char_indices().nth(MAX_CHARS + 1);
            push_shown(out, end.map_or(text.as_str(), |(at, _)| &text[..at]));
        }
        Value::Bytes(bytes) => hex(out, bytes),
        Value::List(values) => {
            out.push('[');
            for (index, value) in values.iter().take(MAX_CHARS).enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(out, value);
            }
            out.push(']');
        }
        Value::Struct(fields) => {
            out.push('{');
            for (index, (name, value)) in fields.iter().take(MAX_CHARS).enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push_shown(out, name);
                out.push_str(": ");
                write(out, value);
            }
            out.push('}');
        }
        Value::Blob { media_type, data } => {
            push_shown(out, media_type);
            out.push_str(&format!(", {}", super::words::bytes(data.len() as u64)));
        }
    }
}

/// Up to six decimals, or six significant digits where decimals would say nothing.
fn float(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        return match (number.is_nan(), number > 0.0) {
            (true, _) => "not a number".into(),
            (false, true) => "∞".into(),
            (false, false) => "−∞".into(),
        };
    }
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{:e}", format!("{number:.5e}").parse().unwrap_or(number));
    }
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

fn hex(out: &mut String, bytes: &[u8]) {
    out.push_str(&super::words::count(bytes.len() as u64, "byte"));
    out.push(':');
    for byte in bytes.iter().take(MAX_CHARS / 3) {
        out.push_str(&format!(" {byte:02x}"));
    }
}

fn limited(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(MAX_CHARS - 1)
        && text[at..].chars().nth(1).is_some()
    {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// About how long the value is as JSON.
fn size_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => 20,
        Value::Text(text) => text.len() + 2,
        Value::Bytes(bytes) => bytes.len() * 4 / 3,
        Value::List(values) => values.iter().map(|value| size_bytes(value) + 1).sum(),
        Value::Struct(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + 4 + size_bytes(value))
            .sum(),
        Value::Blob { data, .. } => data.len() * 4 / 3,
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Quality, QualityLevel, Timestamp};
    use serde_json::json;

    use super::*;

    fn check(value: Value, expected: &str) {
        assert_eq!(text(&value), expected);
    }

    #[test]
    fn values_read_as_people_write_them() {
        check(Value::Null, "—");
        check(Value::Float(21.5), "21.5");
        check(Value::Float(21.0), "21");
        check(Value::Float(0.1 + 0.2), "0.3");
        check(Value::Float(-1e-9), "-1e-9");
        check(Value::Float(1.234_567_89e-7), "1.23457e-7");
        check(Value::Float(6.02e23), "6.02e23");
        check(Value::Float(f64::NAN), "not a number");
        check(Value::UInt(u64::MAX), "18446744073709551615");
        check(Value::Bytes(vec![0, 255].into()), "2 bytes: 00 ff");
        check(
            Value::List(vec![Value::Int(1), Value::Bool(true)]),
            "[1, true]",
        );
        check(
            Value::Struct(vec![("a".into(), Value::Int(1)), ("b".into(), "x".into())]),
            "{a: 1, b: x}",
        );
        let blob = Value::Blob {
            media_type: "image/jpeg".into(),
            data: vec![0; 2048].into(),
        };
        check(blob, "image/jpeg, 2.0 KiB");
    }

    #[test]
    fn nothing_hides_in_a_text_and_none_is_too_long() {
        check("a\r\nb\0".into(), "a\\r\\nb\\u{0}");
        check("\u{202e}evil\u{2066}".into(), "\\u{202e}evil\\u{2066}");
        check("<img onerror=x>".into(), "<img onerror=x>");
        let long = text(&Value::Text("ä".repeat(1000)));
        assert_eq!((long.chars().count(), long.ends_with('…')), (200, true));
        let full = "x".repeat(200);
        check(full.as_str().into(), &full);
        let list = Value::List(vec![Value::Text("y".repeat(500)); 500]);
        assert_eq!(text(&list).chars().count(), 200);
    }

    #[test]
    fn a_live_value_is_what_goes_upstream() {
        let at = Timestamp::from_millis(5);
        let mut reading = Reading::new("s/d/p".parse().unwrap(), f64::NAN, at);
        reading.quality = Quality::Bad("BadX: why\n".into());
        let live = live_value(&reading);
        assert_eq!(live.value, json!("NaN"));
        assert_eq!(live.quality, QualityLevel::Bad);
        assert_eq!(live.why.as_deref(), Some("BadX: why\\n"));
        reading.value = Value::Bytes(vec![0; 1 << 20].into());
        assert!(live_value(&reading).value.to_string().len() < 100);
    }
}
