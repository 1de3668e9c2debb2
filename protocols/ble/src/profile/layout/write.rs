//! A value on its way to the bytes of a layout that is one field: what commands write to a characteristic.

use fieldgate_model::Value;

use super::{Layout, Place, What};
use crate::{
    gatt::encode,
    profile::{
        PointFacts,
        number::{DataType, Form, Raw, Scaling},
    },
};

impl Layout {
    /// The points that it has, each once.
    #[must_use]
    pub fn points(&self) -> Vec<PointFacts> {
        let mut points: Vec<PointFacts> = Vec::new();
        for place in self.places.iter() {
            if points.iter().all(|point| point.id != place.id) {
                points.push(PointFacts {
                    id: place.id.clone(),
                    unit: place.unit.clone(),
                    nature: place.nature,
                });
            }
        }
        points
    }

    /// The type of what is written.
    #[must_use]
    pub fn type_name(&self) -> String {
        match self.only().map(|place| &place.what) {
            Some(What::Number { cut, .. } | What::Words { cut, .. }) => cut.data_type.name(),
            Some(What::Truth { .. }) => "bool".to_owned(),
            Some(What::Text { .. }) => "text".to_owned(),
            _ => "bytes".to_owned(),
        }
    }

    /// The bytes that a value is written as. A layout of several fields, or of bits, is written as bytes.
    ///
    /// # Errors
    /// In words, when the value does not fit.
    pub fn write(&self, value: &Value) -> Result<Vec<u8>, String> {
        match (self.only(), value) {
            (_, Value::Bytes(_)) | (None, _) => encode::bytes(value),
            (Some(place), value) => place.write(value),
        }
    }

    /// The one field that the whole value is.
    fn only(&self) -> Option<&Place> {
        match &*self.places {
            [only] if only.at == 0 && only.is_whole() => Some(only),
            _ => None,
        }
    }
}

impl Place {
    fn is_whole(&self) -> bool {
        match &self.what {
            What::Number { cut, .. } | What::Truth { cut, .. } | What::Words { cut, .. } => {
                cut.bits.is_none()
            }
            _ => true,
        }
    }

    fn write(&self, value: &Value) -> Result<Vec<u8>, String> {
        let unit = self.unit.as_deref().unwrap_or_default();
        match &self.what {
            What::Number { cut, scaling } => {
                if let (Some((low, high)), Ok(number)) = (self.valid, encode::number(value))
                    && !(low..=high).contains(&number)
                {
                    return Err(encode::beyond(number, low, high, unit));
                }
                number(cut.data_type, *scaling, value, unit)
            }
            What::Truth { cut, of } => match value {
                Value::Bool(truth) => {
                    let yes = of.first().copied().unwrap_or(1);
                    // Zero, unless just that is what is true.
                    let no = (0..).find(|no| *no != yes && !of.contains(no));
                    whole(
                        cut.data_type,
                        if *truth { yes } else { no.unwrap_or(0) }.into(),
                    )
                }
                other => Err(format!(
                    "true or false is needed, not {}",
                    encode::kind(other)
                )),
            },
            What::Words { cut, words } => match value {
                Value::Text(text) => {
                    let known = words.iter().find(|(_, word)| **word == **text);
                    let (number, _) = known.ok_or_else(|| {
                        let all: Vec<&str> = words.iter().map(|(_, word)| &**word).collect();
                        let text = text.escape_debug();
                        format!("`{text}` is none of {}", all.join(", "))
                    })?;
                    whole(cut.data_type, (*number).into())
                }
                value => number(cut.data_type, Scaling::None, value, unit),
            },
            What::Text { length } => match (value, length) {
                (Value::Text(text), Some(length)) if text.len() > *length => Err(format!(
                    "the text has {} bytes, and only {length} fit",
                    text.len()
                )),
                (Value::Text(text), length) => {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes.resize(length.unwrap_or(bytes.len()), 0);
                    encode::fits(bytes)
                }
                (other, _) => Err(format!("a text is needed, not {}", encode::kind(other))),
            },
            What::Hex { length } => sized(encode::bytes(value)?, *length),
            What::Mac { reversed } => {
                let mut bytes = sized(encode::bytes(value)?, Some(6))?;
                // As it is read: the most significant byte first.
                if *reversed {
                    bytes.reverse();
                }
                Ok(bytes)
            }
            What::Uuid => sized(encode::bytes(value)?, Some(16)),
        }
    }
}

fn sized(bytes: Vec<u8>, wanted: Option<usize>) -> Result<Vec<u8>, String> {
    match (bytes.len(), wanted) {
        (len_bytes, Some(wanted)) if len_bytes != wanted => {
            Err(format!("{wanted} bytes are needed, not {len_bytes}"))
        }
        _ => Ok(bytes),
    }
}

fn number(
    data_type: DataType,
    scaling: Scaling,
    value: &Value,
    unit: &str,
) -> Result<Vec<u8>, String> {
    // More than 53 bits would not come through a float.
    match (scaling, value, data_type.form) {
        (Scaling::None, Value::Int(number), Form::Unsigned | Form::Signed) => {
            return whole(data_type, (*number).into());
        }
        (Scaling::None, Value::UInt(number), Form::Unsigned | Form::Signed) => {
            return whole(data_type, (*number).into());
        }
        _ => {}
    }
    let (times, plus) = match scaling {
        Scaling::None => (1.0, 0.0),
        Scaling::Whole { .. } | Scaling::Exact { .. } | Scaling::Plain { .. } => {
            let zero = scaling.apply(Raw::Integer(0)).as_f64();
            (scaling.apply(Raw::Integer(1)).as_f64() - zero, zero)
        }
    };
    let bits = u32::try_from(data_type.width * 8).unwrap_or(64).min(63);
    let range = match data_type.form {
        Form::Unsigned => (0, i64::MAX >> (63 - bits)),
        Form::Signed => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        Form::Float => {
            let number = encode::number(value)?;
            return float(data_type, (number - plus) / times)
                .ok_or_else(|| format!("{number:e} is too large for {}", data_type.name()));
        }
        _ => return Err(only_bytes(data_type)),
    };
    let shown = |raw: i64| scaling.apply(Raw::Integer(raw)).as_f64();
    let raw = encode::unscaled(value, |number| (number - plus) / times, shown, range, unit)?;
    Ok(bytes(data_type, raw.into()))
}

/// A whole number, as it is.
fn whole(data_type: DataType, number: i128) -> Result<Vec<u8>, String> {
    let bits = data_type.width * 8;
    let range = match data_type.form {
        Form::Unsigned => 0..1_i128 << bits,
        Form::Signed => -(1_i128 << (bits - 1))..1_i128 << (bits - 1),
        _ => return Err(only_bytes(data_type)),
    };
    if range.contains(&number) {
        return Ok(bytes(data_type, number));
    }
    Err(format!(
        "{number} is out of range, it can be {} to {}",
        range.start,
        range.end - 1
    ))
}

fn only_bytes(data_type: DataType) -> String {
    format!(
        "a number of type {} cannot be written, only its bytes",
        data_type.name()
    )
}

/// None where it is more than such a float can be.
fn float(data_type: DataType, number: f64) -> Option<Vec<u8>> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the characteristic has 32 bits; the nearest is written"
    )]
    let (is_finite, mut bytes) = match data_type.width {
        4 => (
            (number as f32).is_finite(),
            (number as f32).to_le_bytes().to_vec(),
        ),
        _ => (number.is_finite(), number.to_le_bytes().to_vec()),
    };
    if !data_type.little {
        bytes.reverse();
    }
    is_finite.then_some(bytes)
}

fn bytes(data_type: DataType, number: i128) -> Vec<u8> {
    let mut bytes = number.to_le_bytes()[..data_type.width.min(8)].to_vec();
    if !data_type.little {
        bytes.reverse();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(field: serde_json::Value, value: impl Into<Value>, expected: &str) {
        let layout = Layout::of_json(&[field]).unwrap();
        let written = match layout.write(&value.into()) {
            Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(why) => format!("! {why}"),
        };
        assert_eq!(written, expected);
    }

    #[test]
    fn one_field_is_written_as_it_is_read() {
        let temperature = json!({"type": "i16le", "scale": 0.01, "unit": "Cel"});
        check(temperature.clone(), 21.5, "6608");
        check(temperature.clone(), -7.25, "2bfd");
        check(
            temperature.clone(),
            400.0,
            "! 400 is out of range, it can be -327.68 to 327.67 Cel",
        );
        check(temperature, "warm", "! a number is needed, not a text");
        check(json!({"type": "u16be"}), 258_i64, "0102");
        check(json!({"type": "u8", "offset": -40}), 20.0, "3c");
        check(json!({"type": "f32le"}), 21.5, "0000ac41");
        check(json!({"type": "bool"}), true, "01");
        check(json!({"type": "text"}), "oven", "6f76656e");
        check(json!({"type": "hex"}), "01ff", "01ff");
    }

    #[test]
    fn what_is_written_reads_as_what_was_meant() {
        // Zero is what is true here.
        check(json!({"type": "u8", "true_when": 0}), true, "00");
        check(json!({"type": "u8", "true_when": 0}), false, "01");
        check(json!({"type": "u8", "true_when": [1, 0]}), false, "02");
        let words = json!({"type": "i16be", "words": { "-1": "auto", "70000": "never" }});
        check(words.clone(), "auto", "ffff");
        check(
            words,
            "never",
            "! 70000 is out of range, it can be -32768 to 32767",
        );
        check(
            json!({"type": "bcd8", "words": { "10": "ten" }}),
            "ten",
            "! a number of type bcd8 cannot be written, only its bytes",
        );
        check(json!({"type": "u64le"}), u64::MAX - 1, "feffffffffffffff");
        check(json!({"type": "i64be"}), i64::MIN, "8000000000000000");
        check(
            json!({"type": "u64le"}),
            -1_i64,
            "! -1 is out of range, it can be 0 to 18446744073709551615",
        );
        check(
            json!({"type": "f32le"}),
            1e300,
            "! 1e300 is too large for f32le",
        );
        check(
            json!({"type": "mac_le"}),
            "A4:C1:38:0B:F5:11",
            "11f50b38c1a4",
        );
        check(json!({"type": "mac"}), "A4:C1:38:0B:F5:11", "a4c1380bf511");
        check(
            json!({"type": "mac"}),
            "A4:C1",
            "! 6 bytes are needed, not 2",
        );
        check(
            json!({"type": "hex", "length": 4}),
            "0102",
            "! 4 bytes are needed, not 2",
        );
    }

    #[test]
    fn several_fields_are_written_as_bytes() {
        let fields = [
            json!({"id": "a", "type": "u8"}),
            json!({"id": "b", "type": "u8", "at": 1}),
        ];
        let layout = Layout::of_json(&fields).unwrap();
        assert!(layout.write(&1.0.into()).unwrap_err().contains("bytes"));
        assert_eq!(layout.write(&"0102".into()), Ok(vec![1, 2]));
        assert_eq!(layout.points().len(), 2);
    }
}
