//! The inverse of the formats that are one value: a number, a text, a truth, a word. Pure.

use fieldgate_model::Value;

use super::format::{Format, Number, Part, Raw, Take};
use crate::gatt::encode;

/// The bytes that a value is written as.
pub(super) fn write(format: &Format, value: &Value) -> Result<Vec<u8>, String> {
    match (format.only(), value) {
        (_, Value::Bytes(_)) | (None, _) => encode::bytes(value),
        (Some(part), value) => one(part, value),
    }
}

/// What is written, as the specification calls its type.
pub(super) fn type_name(format: &Format) -> String {
    let raw = |raw: Raw| {
        let sign = if raw.signed { "sint" } else { "uint" };
        format!("{sign}{}", u32::from(raw.bytes) * 8)
    };
    match format.only().map(|part| part.take) {
        Some(Take::Number(number)) => raw(number.raw),
        Some(Take::Words(of, _)) => raw(of),
        Some(Take::Truth) => "boolean".to_owned(),
        Some(Take::Single) => "float32".to_owned(),
        Some(Take::Text | Take::FixedText(_)) => "utf8s".to_owned(),
        _ => "bytes".to_owned(),
    }
}

fn one(part: &Part, value: &Value) -> Result<Vec<u8>, String> {
    match part.take {
        Take::Number(scaled) => number(&scaled, part.unit, value),
        Take::Words(raw, words) => word(raw, words, value),
        Take::Truth => match value {
            Value::Bool(truth) => Ok(vec![u8::from(*truth)]),
            other => Err(format!(
                "true or false is needed, not {}",
                encode::kind(other)
            )),
        },
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the characteristic has 32 bits; the nearest is written"
        )]
        Take::Single => {
            let number = encode::number(value)?;
            match number as f32 {
                single if single.is_finite() => Ok(single.to_le_bytes().to_vec()),
                _ => Err(format!("{number:e} is too large for 32 bits")),
            }
        }
        Take::Text => encode::fits(text(value)?.as_bytes().to_vec()),
        Take::FixedText(len_bytes) => fixed(text(value)?, len_bytes.into()),
        _ => encode::bytes(value),
    }
}

fn number(number: &Number, unit: &str, value: &Value) -> Result<Vec<u8>, String> {
    let (low, high) = number.raw.range();
    let range = (low.max(number.least), high.min(number.most));
    let raw = encode::unscaled(
        value,
        |shown| shown * number.div / number.mul,
        |raw| number.scaled(raw),
        range,
        unit,
    )?;
    if number.unknown.contains(&raw) {
        return Err(format!(
            "{} stands for `not known` in this format and cannot be written",
            number.scaled(raw)
        ));
    }
    Ok(little(raw, number.raw))
}

fn word(raw: Raw, words: &[&str], value: &Value) -> Result<Vec<u8>, String> {
    let number = match value {
        Value::Text(text) => words
            .iter()
            .position(|word| !word.is_empty() && word == text)
            .and_then(|at| i64::try_from(at).ok())
            .ok_or_else(|| {
                let known: Vec<_> = words
                    .iter()
                    .filter(|word| !word.is_empty())
                    .copied()
                    .collect();
                let text = text.escape_debug();
                format!("`{text}` is none of {}", known.join(", "))
            })?,
        value => encode::unscaled(value, |shown| shown, super::number::of, raw.range(), "")?,
    };
    Ok(little(number, raw))
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("a text is needed, not {}", encode::kind(other))),
    }
}

fn fixed(text: &str, len_bytes: usize) -> Result<Vec<u8>, String> {
    if text.len() > len_bytes {
        return Err(format!(
            "the text has {} bytes, and only {len_bytes} fit",
            text.len()
        ));
    }
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(len_bytes, 0);
    Ok(bytes)
}

fn little(number: i64, raw: Raw) -> Vec<u8> {
    number.to_le_bytes()[..usize::from(raw.bytes)].to_vec()
}
