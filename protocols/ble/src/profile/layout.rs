//! `Layout`: fields at places in bytes, and reading them.

pub(super) mod parse;
mod write;

use std::{fmt, sync::Arc};

use fieldgate_model::Value;
use uuid::Uuid;

use super::{
    document::hex,
    number::{DataType, Raw, Scaling},
};
use crate::{Advertisement, Field, Nature};

/// Fields at places: of an advertisement, or of a characteristic's value.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    pub(super) places: Arc<[Place]>,
}

/// One field: where it is and what it means.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub id: Arc<str>,
    pub unit: Option<Arc<str>>,
    pub nature: Nature,
    pub from: From,
    /// The byte it begins at; a negative one counts from the end.
    pub at: i32,
    pub what: What,
    /// Bit patterns that say that there is no value.
    pub absent: Box<[u64]>,
    /// What is outside cannot be, and is left out.
    pub valid: Option<(f64, f64)>,
    pub when: Option<When>,
    /// Packets may end before it.
    pub optional: bool,
}

/// The part of an advertisement that a field is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// What the profile's match found.
    Matched,
    Company(u16),
    Service(Uuid),
    Name,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Number {
        cut: Cut,
        scaling: Scaling,
    },
    Truth {
        cut: Cut,
        /// The numbers that are true; none: all but zero.
        of: Box<[i64]>,
    },
    Words {
        cut: Cut,
        words: Words,
    },
    Hex {
        length: Option<usize>,
    },
    Text {
        length: Option<usize>,
    },
    Mac {
        reversed: bool,
    },
    Uuid,
}

/// Numbers and what they mean.
pub(super) type Words = Box<[(i64, Arc<str>)]>;

/// A number, or some bits of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    pub data_type: DataType,
    /// The lowest bit, and how many.
    pub bits: Option<(u32, u32)>,
}

/// A field is there only then.
#[derive(Debug, Clone)]
pub(super) struct When {
    pub at: i32,
    pub cut: Cut,
    /// It is one of these, or none of them.
    pub is: Box<[i64]>,
    pub is_not: Box<[i64]>,
    pub least: i64,
    pub most: i64,
}

/// What is wrong with bytes, and at which.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unfit {
    /// The first byte, and how many.
    pub bytes: Option<(usize, usize)>,
    pub what: String,
}

// === impl Layout ===

impl Layout {
    /// From settings, for instance of a characteristic: what profiles write as points.
    ///
    /// # Errors
    /// All that is wrong with them, a line each.
    pub fn of_json(fields: &[serde_json::Value]) -> Result<Self, String> {
        parse::of_json(fields)
    }

    /// The fields in these bytes.
    ///
    /// # Errors
    /// When they are too short or hold what cannot be: what, and at which byte.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Field>, String> {
        let mut fields = Vec::with_capacity(self.places.len());
        self.each(bytes, None, |field, _| fields.push(field))
            .map_err(|unfit| unfit.to_string())?;
        Ok(fields)
    }

    /// Calls for each field, with the bytes of `data` that it came from.
    pub(super) fn each(
        &self,
        data: &[u8],
        whole: Option<&Advertisement>,
        mut each: impl FnMut(Field, Option<(usize, usize)>),
    ) -> Result<(), Unfit> {
        let (mut some, mut beyond) = (false, None);
        for place in self.places.iter() {
            let Some(bytes) = place.from.bytes(data, whole) else {
                continue;
            };
            match place.read(bytes)? {
                Read::Value(value, span) => {
                    some = true;
                    let span = (place.from == From::Matched).then_some(span);
                    each(place.field(value), span);
                }
                Read::Nothing => some = true,
                Read::NotHere => {}
                Read::Beyond(unfit) => beyond = Some(unfit),
            }
        }
        // One broken sensor of several does not silence the others; nothing but nonsense is another format.
        match beyond {
            Some(unfit) if !some => Err(unfit),
            _ => Ok(()),
        }
    }
}

// === impl From ===

impl From {
    fn bytes<'a>(self, matched: &'a [u8], whole: Option<&'a Advertisement>) -> Option<&'a [u8]> {
        match self {
            Self::Matched => Some(matched),
            Self::Company(company) => {
                let parts = &whole?.manufacturer;
                let (_, bytes) = parts.iter().find(|(id, _)| *id == company)?;
                Some(bytes)
            }
            Self::Service(uuid) => {
                let parts = &whole?.service_data;
                let (_, bytes) = parts.iter().find(|(id, _)| *id == uuid)?;
                Some(bytes)
            }
            Self::Name => whole?.name.as_deref().map(str::as_bytes),
        }
    }
}

/// What came of a place.
enum Read {
    Value(Value, (usize, usize)),
    /// The device says that it has no value.
    Nothing,
    NotHere,
    /// It is what it cannot be.
    Beyond(Unfit),
}

// === impl Place ===

impl Place {
    fn field(&self, value: Value) -> Field {
        Field {
            id: Arc::clone(&self.id),
            value,
            unit: self.unit.clone(),
            nature: self.nature,
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<Read, Unfit> {
        match self.when.as_ref().map(|when| when.holds(bytes)) {
            None | Some(Some(true)) => {}
            Some(Some(false) | None) => return Ok(Read::NotHere),
        }
        let Some(begin) = begin(self.at, bytes.len()) else {
            return self.missing(self.what.shortest(), bytes);
        };
        let length = self.what.length(bytes.len() - begin);
        let Some(part) = bytes.get(begin..begin + length) else {
            return self.missing(length, bytes);
        };
        let span = (begin, length);
        Ok(match &self.what {
            What::Number { cut, .. } | What::Truth { cut, .. } | What::Words { cut, .. } => {
                self.number(*cut, part, span)
            }
            What::Hex { .. } => Read::Value(Value::Text(hex(part)), span),
            What::Text { .. } => text(part).map_or(Read::Nothing, |text| Read::Value(text, span)),
            What::Mac { reversed } => Read::Value(mac(part, *reversed), span),
            What::Uuid => Uuid::from_slice(part).map_or(Read::Nothing, |uuid| {
                Read::Value(Value::Text(uuid.to_string()), span)
            }),
        })
    }

    fn missing(&self, length: usize, bytes: &[u8]) -> Result<Read, Unfit> {
        if self.optional {
            return Ok(Read::NotHere);
        }
        let (id, count) = (&self.id, bytes.len());
        let place = match (self.at, length) {
            (at, _) if at < 0 => format!("begins {} bytes before the end", -at),
            (at, 0 | 1) => format!("is byte {at}"),
            (at, length) => format!("is bytes {at} to {}", i64::from(at) + length as i64 - 1),
        };
        Err(Unfit {
            bytes: Some((count, 0)),
            what: format!("`{id}` {place}, and there are {count} bytes"),
        })
    }

    fn number(&self, cut: Cut, part: &[u8], span: (usize, usize)) -> Read {
        let bits = cut.data_type.bits(part);
        let (bits, count) = cut.of(bits);
        if self.absent.contains(&bits) {
            return Read::Nothing;
        }
        let Some(raw) = cut.data_type.number(bits, count) else {
            return Read::Nothing;
        };
        let value = match &self.what {
            What::Truth { of, .. } if of.is_empty() => Value::Bool(bits != 0),
            What::Truth { of, .. } => {
                Value::Bool(raw.as_i64().is_some_and(|number| of.contains(&number)))
            }
            What::Words { words, .. } => word(words, raw),
            What::Number { scaling, .. } => {
                let number = scaling.apply(raw);
                // A float that its scale made larger than floats can be.
                if !number.as_f64().is_finite() {
                    return Read::Nothing;
                }
                if let Some((low, high)) = self.valid
                    && !(low..=high).contains(&number.as_f64())
                {
                    let (id, number) = (&self.id, number.as_f64());
                    return Read::Beyond(Unfit {
                        bytes: Some(span),
                        what: format!(
                            "`{id}` reads {number}, which is not between {low} and {high}"
                        ),
                    });
                }
                value(number, cut.data_type.is_unsigned())
            }
            _ => return Read::Nothing,
        };
        Read::Value(value, span)
    }
}

fn value(number: Raw, unsigned: bool) -> Value {
    match number {
        Raw::Integer(number) if unsigned => {
            u64::try_from(number).map_or(Value::Int(number), Value::UInt)
        }
        Raw::Integer(number) => Value::Int(number),
        Raw::Large(number) => Value::UInt(number),
        Raw::Float(number) => Value::Float(number),
    }
}

/// A number without a word is shown as it is: a newer device may say more than its profile knows.
fn word(words: &[(i64, Arc<str>)], raw: Raw) -> Value {
    let number = raw.as_i64().unwrap_or_default();
    let word = words.iter().find(|(of, _)| *of == number);
    Value::Text(word.map_or_else(|| number.to_string(), |(_, word)| word.to_string()))
}

/// Up to the first zero; what is no UTF-8 is shown as such.
fn text(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    (!text.is_empty()).then(|| Value::Text(text.to_owned()))
}

fn mac(bytes: &[u8], reversed: bool) -> Value {
    let mut address = [0; 6];
    address.copy_from_slice(bytes);
    if reversed {
        address.reverse();
    }
    Value::Text(crate::Address(address).to_string())
}

/// Where a place begins in so many bytes.
fn begin(at: i32, length: usize) -> Option<usize> {
    let at_bytes = usize::try_from(at.unsigned_abs()).ok()?;
    if at < 0 {
        length.checked_sub(at_bytes)
    } else {
        (at_bytes <= length).then_some(at_bytes)
    }
}

// === impl What ===

impl What {
    /// How many bytes it takes of those that are left.
    fn length(&self, left: usize) -> usize {
        match self {
            Self::Hex { length } | Self::Text { length } => length.unwrap_or(left),
            fixed => fixed.shortest(),
        }
    }

    fn shortest(&self) -> usize {
        match self {
            Self::Number { cut, .. } | Self::Truth { cut, .. } | Self::Words { cut, .. } => {
                cut.data_type.width
            }
            Self::Hex { length } | Self::Text { length } => length.unwrap_or(0),
            Self::Mac { .. } => 6,
            Self::Uuid => 16,
        }
    }
}

// === impl Cut ===

impl Cut {
    /// The bits that count, and how many these are.
    fn of(self, bits: u64) -> (u64, u32) {
        match self.bits {
            Some((from, count)) => (bits >> from & (u64::MAX >> (64 - count)), count),
            None => (bits, self.all_bits()),
        }
    }

    pub(super) fn all_bits(self) -> u32 {
        u32::try_from(self.data_type.width * 8).unwrap_or(64)
    }

    /// The number at a place.
    pub(super) fn at(self, at: i32, bytes: &[u8]) -> Option<i64> {
        let begin = begin(at, bytes.len())?;
        let part = bytes.get(begin..begin + self.data_type.width)?;
        let (bits, count) = self.of(self.data_type.bits(part));
        self.data_type.number(bits, count)?.as_i64()
    }
}

// === impl When ===

impl When {
    fn holds(&self, bytes: &[u8]) -> Option<bool> {
        let number = self.cut.at(self.at, bytes)?;
        Some(
            (self.is.is_empty() || self.is.contains(&number))
                && !self.is_not.contains(&number)
                && (self.least..=self.most).contains(&number),
        )
    }
}

// === impl Unfit ===

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.bytes {
            Some((begin, length)) if length > 0 => write!(f, " (at byte {begin})"),
            _ => Ok(()),
        }
    }
}
