//! `Reader`: takes one part after the other out of a value, and makes fields of them. Pure; never past the end.

use fieldgate_model::Value;

use super::{
    format::{GroupAs, Number, Part, Raw, S16, Take, U8},
    number, time,
};
use crate::{Field, gatt::title};

/// More fields than that are in no format; a longer value of one that repeats is cut.
const MOST: usize = 256;

/// The bytes, and what was made of them so far.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<Field>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            fields: Vec::new(),
        }
    }

    pub(super) fn fields(self) -> Vec<Field> {
        self.fields
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, len_bytes: usize, what: &str) -> Result<&'a [u8], String> {
        let taken = self.rest().get(..len_bytes).ok_or_else(|| {
            format!(
                "`{what}` at byte {} has {len_bytes} bytes, and only {} are there",
                self.at,
                self.rest().len()
            )
        })?;
        self.at += len_bytes;
        Ok(taken)
    }

    /// An integer of at most four bytes without a sign.
    pub(super) fn unsigned(&mut self, len_bytes: u8, what: &str) -> Result<u32, String> {
        let taken = self.take(usize::from(len_bytes), what)?;
        Ok(little(taken) as u32)
    }

    fn raw(&mut self, raw: Raw, what: &str) -> Result<i64, String> {
        let taken = self.take(usize::from(raw.bytes), what)?;
        Ok(integer(taken, raw))
    }

    /// Takes a part and adds its fields.
    pub(super) fn part(&mut self, part: &Part, flags: u32) -> Result<(), String> {
        let value = match part.take {
            Take::Bits(raw, groups) => {
                let value = self.raw(raw, groups.first().map_or("bits", |group| group.id))?;
                for group in groups {
                    let value = of_group(value, group.at, group.as_);
                    let unit = Some(group.unit).filter(|unit| !unit.is_empty());
                    self.add(group.id, unit, value);
                }
                return Ok(());
            }
            Take::Pairs => return self.pairs(part),
            Take::Skip(len_bytes) => {
                self.take(usize::from(len_bytes), "what says nothing")?;
                return Ok(());
            }
            _ => self.value(part, flags)?,
        };
        self.add(part.id, part.unit(), value);
        Ok(())
    }

    /// The value of a part that is one field; none when it is not known.
    fn value(&mut self, part: &Part, flags: u32) -> Result<Option<Value>, String> {
        let id = part.id;
        Ok(match part.take {
            Take::Number(number) => {
                let at = self.at;
                let raw = self.raw(number.raw, id)?;
                measured(&number, raw, id, at)?
            }
            Take::Sfloat(raised, factor) => {
                let bits = self.take(2, id)?;
                number::sfloat(little(bits) as u16, raised, factor).map(Value::Float)
            }
            Take::Float => number::float(self.unsigned(4, id)?).map(Value::Float),
            Take::Fahrenheit => {
                let degrees = number::float(self.unsigned(4, id)?);
                degrees.map(|degrees| Value::Float((degrees - 32.0) * 5.0 / 9.0))
            }
            Take::Single => {
                let number = f32::from_bits(self.unsigned(4, id)?);
                number.is_finite().then(|| Value::Float(number.into()))
            }
            Take::Words(raw, words) => {
                let text = in_words(self.raw(raw, id)?, words);
                (!text.is_empty()).then_some(Value::Text(text))
            }
            Take::Truth => self.truth(id)?,
            Take::Flag(bit) => Some(Value::Bool(flags >> bit & 1 == 1)),
            Take::Text => {
                let text = self.take(self.rest().len(), id)?;
                written(text)
            }
            Take::FixedText(len_bytes) => written(self.take(usize::from(len_bytes), id)?),
            Take::DateTime => time::date_time(self.take(7, id)?, id)?.map(Value::Text),
            Take::Date => time::date(self.take(4, id)?, id)?.map(Value::Text),
            Take::Days => time::days(self.unsigned(3, id)?).map(Value::Text),
            Take::Exponential => exponential(self.unsigned(1, id)?),
            Take::Hex(len_bytes) => Some(Value::Text(hex(self.take(usize::from(len_bytes), id)?))),
            Take::Rest(number) => self.list(&number),
            Take::Appearance => Some(appearance(self.unsigned(2, id)?)),
            Take::Bits(..) | Take::Pairs | Take::Skip(_) | Take::Resistance => None,
        })
    }

    fn truth(&mut self, id: &str) -> Result<Option<Value>, String> {
        let at = self.at;
        match self.unsigned(1, id)? {
            truth @ 0..=1 => Ok(Some(Value::Bool(truth == 1))),
            other => Err(format!("`{id}` at byte {at} is {other}, neither 0 nor 1")),
        }
    }

    /// Whole numbers to the end; a part of one is left out.
    fn list(&mut self, number: &Number) -> Option<Value> {
        let each = usize::from(number.raw.bytes);
        let rest = self.rest();
        let values: Vec<Value> = rest
            .chunks_exact(each)
            .take(MOST)
            .map(|bytes| Value::Float(number.scaled(integer(bytes, number.raw))))
            .collect();
        self.at = self.bytes.len();
        (!values.is_empty()).then_some(Value::List(values))
    }

    /// Two bytes, when what follows leaves room for them.
    pub(super) fn resistance(&mut self, id: &str, after_bytes: usize) -> Result<(), String> {
        let level = match self.rest().len() == after_bytes + 2 {
            true => number::of(self.raw(S16, id)?),
            false => number::of(self.raw(U8, id)?) * 10.0,
        };
        self.add(id, None, Some(Value::Float(level)));
        Ok(())
    }

    /// Two bits each, the lowest first: 0 off, 1 on, otherwise not known.
    fn pairs(&mut self, part: &Part) -> Result<(), String> {
        let bytes = self.take(self.rest().len(), part.id)?;
        for index in 0..(bytes.len() * 4).min(64) {
            let value = match bytes[index / 4] >> (index % 4 * 2) & 0b11 {
                0 => Some(Value::Bool(false)),
                1 => Some(Value::Bool(true)),
                _ => None,
            };
            let id = match index {
                0 => part.id.to_owned(),
                _ => format!("{}_{}", part.id, index + 1),
            };
            self.add(&id, None, value);
        }
        Ok(())
    }

    fn add(&mut self, id: &str, unit: Option<&str>, value: Option<Value>) {
        if let Some(value) = value
            && self.fields.len() < MOST
        {
            self.fields.push(Field::measured(id, value, unit));
        }
    }
}

/// A number; none when its integer stands for no value.
fn measured(number: &Number, raw: i64, id: &str, at: usize) -> Result<Option<Value>, String> {
    if number.unknown.contains(&raw) {
        return Ok(None);
    }
    if raw < number.least || raw > number.most {
        return Err(format!(
            "`{id}` at byte {at} is {}, and only {} to {} can be",
            number.scaled(raw),
            number.scaled(number.least),
            number.scaled(number.most)
        ));
    }
    Ok(Some(match number.is_plain() {
        true => Value::Int(raw),
        false => Value::Float(number.scaled(raw)),
    }))
}

fn of_group(value: i64, at: u8, as_: GroupAs) -> Option<Value> {
    let lowest = |width: u8| value >> at & ((1 << width) - 1);
    match as_ {
        GroupAs::Truth => Some(Value::Bool(lowest(1) == 1)),
        GroupAs::Number(width) => Some(Value::Int(lowest(width))),
        GroupAs::Words(width, words) => {
            let text = in_words(lowest(width), words);
            (!text.is_empty()).then_some(Value::Text(text))
        }
    }
}

/// The words, or the number itself where the specification keeps it for later.
fn in_words(number: i64, words: &[&str]) -> String {
    let known = usize::try_from(number).ok().and_then(|at| words.get(at));
    known.map_or_else(|| number.to_string(), |words| (*words).to_owned())
}

/// Text up to its first zero; what is no UTF-8 is replaced, since devices send it. None when nothing is there.
fn written(bytes: &[u8]) -> Option<Value> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.into())
}

/// Its name, or its number where it has none.
fn appearance(number: u32) -> Value {
    let number = number as u16;
    match title::appearance_name(number) {
        Some(name) => name.into(),
        None => Value::Text(format!("{number:#06x}")),
    }
}

/// Time Exponential 8: 0 is no time at all, 0xFE as long as the device has lived, 0xFF not known.
fn exponential(raw: u32) -> Option<Value> {
    match raw {
        0 => Some(Value::Float(0.0)),
        0xFE.. => None,
        raw => Some(Value::Float(1.1_f64.powi(raw as i32 - 64))),
    }
}

/// The most significant byte first, as people write it.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// At most eight bytes, the least significant first.
fn little(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn integer(bytes: &[u8], raw: Raw) -> i64 {
    let value = little(bytes) as i64;
    match raw.signed {
        true => number::sign_extended(value, u32::from(raw.bytes) * 8),
        false => value,
    }
}
