//! Values on their way to bytes: what a command may write, and why not. Pure.

use fieldgate_model::Value;

/// The longest value of a characteristic (Core 5.4, Vol 3 Part F, 3.2.9).
pub(crate) const LONGEST: usize = 512;

/// A number, for a format that is one.
pub(crate) fn number(value: &Value) -> Result<f64, String> {
    match value.as_f64() {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err("it is no finite number".to_owned()),
        None => Err(format!("a number is needed, not {}", kind(value))),
    }
}

/// An integer that a number becomes by a scale, when it lies in its range: `(number - plus) / scale`, rounded to the nearest.
pub(crate) fn unscaled(
    value: &Value,
    raw: impl Fn(f64) -> f64,
    shown: impl Fn(i64) -> f64,
    (least, most): (i64, i64),
    unit: &str,
) -> Result<i64, String> {
    let number = number(value)?;
    let rounded = raw(number).round();
    let within = rounded >= as_f64(least) && rounded <= as_f64(most);
    if !within {
        return Err(beyond(number, shown(least), shown(most), unit));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it was just seen to lie between two integers"
    )]
    Ok(rounded as i64)
}

/// A number that is not within its range.
pub(crate) fn beyond(number: f64, least: f64, most: f64, unit: &str) -> String {
    let space = if unit.is_empty() { "" } else { " " };
    format!("{number} is out of range, it can be {least} to {most}{space}{unit}")
}

/// Bytes, given as such or as hexadecimal digits.
pub(crate) fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    let bytes = match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Text(text) => hex(text)?,
        other => {
            return Err(format!(
                "bytes are needed, as hexadecimal digits, not {}",
                kind(other)
            ));
        }
    };
    fits(bytes)
}

/// No characteristic is longer.
pub(crate) fn fits(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    match bytes.len() {
        ..=LONGEST => Ok(bytes),
        len_bytes => Err(format!(
            "{len_bytes} bytes are too many, a characteristic has at most {LONGEST}"
        )),
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "a list",
        Value::Struct(_) => "a structure",
        Value::Blob { .. } => "a picture or document",
    }
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(|character| !matches!(character, ':' | '-' | ' '))
        .map(|character| character.to_digit(16))
        .collect();
    let digits = digits.ok_or("bytes are written as hexadecimal digits, 0 to 9 and a to f")?;
    if digits.len() % 2 == 1 {
        return Err(format!(
            "a byte has two hexadecimal digits, and there are {}",
            digits.len()
        ));
    }
    let pairs = digits.chunks_exact(2);
    Ok(pairs
        .map(|pair| {
            u8::try_from(pair[0] << 4 | pair[1]).expect("two hexadecimal digits are a byte")
        })
        .collect())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the ends of ranges of up to 64 bits, compared with a number that came as a float"
)]
fn as_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_people_write_them() {
        assert_eq!(bytes(&"01:ff A0".into()), Ok(vec![1, 0xFF, 0xA0]));
        assert!(bytes(&"1".into()).unwrap_err().contains("two"));
        assert!(bytes(&"xy".into()).unwrap_err().contains("hexadecimal"));
        assert!(
            bytes(&Value::Bool(true))
                .unwrap_err()
                .contains("true or false")
        );
        assert!(
            bytes(&Value::Bytes(vec![0; 513].into()))
                .unwrap_err()
                .contains("513")
        );
    }
}
