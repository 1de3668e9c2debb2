//! `Format`: a characteristic's value as parts in a row, some of which are there only when a bit of its flags says so. Pure.
//!
//! Nearly all formats of the GATT Specification Supplement are of this kind, so that they are rows of tables.

use crate::Field;

use super::{number, read::Reader};

/// A format: the 16 bits of the characteristic, how many bytes of flags it begins with, and what follows.
#[derive(Debug)]
pub(super) struct Format(pub(super) u16, pub(super) u8, pub(super) &'static [Part]);

/// One part of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The field's id; empty for what is no field.
    pub(super) id: &'static str,
    /// UCUM code; empty for none.
    pub(super) unit: &'static str,
    pub(super) take: Take,
    /// It is there when these bits of the flags …
    pub(super) mask: u32,
    /// … are so.
    pub(super) want: u32,
}

/// How a part is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Take {
    Number(Number),
    /// IEEE 11073-20601 SFLOAT, 16 bits; its exponent is raised by so much, and the number multiplied.
    Sfloat(i8, f64),
    /// IEEE 11073-20601 FLOAT, 32 bits.
    Float,
    /// The same in degrees Fahrenheit, converted to Celsius.
    Fahrenheit,
    /// IEEE 754, 32 bits.
    Single,
    /// A number that stands for words.
    Words(Raw, &'static [&'static str]),
    /// 1 is true, 0 is not, and there is nothing else.
    Truth,
    /// Bits of an integer, each group a field.
    Bits(Raw, &'static [Group]),
    /// A bit of the flags themselves: true when set.
    Flag(u8),
    /// UTF-8 to the end.
    Text,
    /// UTF-8 of so many bytes, filled up with zeros.
    FixedText(u8),
    /// Seven bytes: year, month, day, hours, minutes, seconds; the device's own wall clock.
    DateTime,
    /// Four bytes: year, month, day.
    Date,
    /// Three bytes: days since 1970.
    Days,
    /// 1.1 to the power of one byte less 64, in seconds.
    Exponential,
    /// So many bytes as an integer in hexadecimal.
    Hex(u8),
    /// The same number again and again to the end: a list.
    Rest(Number),
    /// What a device looks like, in words.
    Appearance,
    /// A resistance level: one byte in tens by the supplement, two bytes with a sign by Fitness Machine Service 1.0, which most
    /// machines do. Two, when the rest is that long.
    Resistance,
    /// Two bits each to the end: off, on, or not known.
    Pairs,
    /// Bytes that say nothing.
    Skip(u8),
}

/// A scaled integer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) raw: Raw,
    /// The number is the integer times `mul`, divided by `div`: a division by a power of ten is exact where a
    /// multiplication by its inverse is not.
    pub(super) mul: f64,
    pub(super) div: f64,
    /// Integers that stand for `value is not known` and the like.
    pub(super) unknown: &'static [i64],
    /// The integers that are allowed.
    pub(super) least: i64,
    pub(super) most: i64,
}

/// An integer, the least significant byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) bytes: u8,
    pub(super) signed: bool,
}

/// Some bits of an integer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) id: &'static str,
    pub(super) at: u8,
    /// UCUM code; empty for none.
    pub(super) unit: &'static str,
    pub(super) as_: GroupAs,
}

/// How bits are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum GroupAs {
    /// One bit.
    Truth,
    /// So many bits as a number.
    Number(u8),
    /// So many bits that stand for words; an empty one is no field.
    Words(u8, &'static [&'static str]),
}

pub(super) const U8: Raw = Raw::new(1, false);
pub(super) const U16: Raw = Raw::new(2, false);
pub(super) const U24: Raw = Raw::new(3, false);
pub(super) const U32: Raw = Raw::new(4, false);
pub(super) const U48: Raw = Raw::new(6, false);
pub(super) const S8: Raw = Raw::new(1, true);
pub(super) const S16: Raw = Raw::new(2, true);
pub(super) const S24: Raw = Raw::new(3, true);
pub(super) const S32: Raw = Raw::new(4, true);

/// An integer as it is.
pub(super) const fn int(id: &'static str, raw: Raw, unit: &'static str) -> Part {
    Part::new(id, unit, Take::Number(Number::new(raw, 1.0, 1.0)))
}

/// An integer divided.
pub(super) const fn div(id: &'static str, raw: Raw, by: f64, unit: &'static str) -> Part {
    Part::new(id, unit, Take::Number(Number::new(raw, 1.0, by)))
}

/// An integer multiplied, then divided.
pub(super) const fn mul(
    id: &'static str,
    raw: Raw,
    by: f64,
    over: f64,
    unit: &'static str,
) -> Part {
    Part::new(id, unit, Take::Number(Number::new(raw, by, over)))
}

/// An SFLOAT whose exponent is raised, for instance by 9 from kg/m3 to ug/m3.
pub(super) const fn sfloat(id: &'static str, raised: i8, unit: &'static str) -> Part {
    Part::new(id, unit, Take::Sfloat(raised, 1.0))
}

/// A number that stands for words.
pub(super) const fn words(id: &'static str, words: &'static [&'static str]) -> Part {
    Part::new(id, "", Take::Words(U8, words))
}

/// Something without a unit.
pub(super) const fn part(id: &'static str, take: Take) -> Part {
    Part::new(id, "", take)
}

/// Bits of an integer.
pub(super) const fn bits(raw: Raw, groups: &'static [Group]) -> Part {
    Part::new("", "", Take::Bits(raw, groups))
}

/// One bit of an integer.
pub(super) const fn bit(id: &'static str, at: u8) -> Group {
    Group {
        id,
        at,
        unit: "",
        as_: GroupAs::Truth,
    }
}

// === impl Format ===

impl Format {
    /// The fields of a value.
    ///
    /// # Errors
    /// What is missing or cannot be, and at which byte.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Vec<Field>, String> {
        let mut reader = Reader::new(bytes);
        let flags = match self.1 {
            0 => 0,
            bytes => reader.unsigned(bytes, "flags")?,
        };
        for (index, part) in self.2.iter().enumerate() {
            if !part.is_there(flags) {
                continue;
            }
            if matches!(part.take, Take::Resistance) {
                let after = self.2.get(index + 1..).unwrap_or_default();
                let there = after.iter().filter(|part| part.is_there(flags));
                reader.resistance(part.id, there.map(Part::len_bytes).sum())?;
            } else {
                reader.part(part, flags)?;
            }
        }
        Ok(reader.fields())
    }

    /// The one number, text or truth that a value is, where it is just that.
    pub(super) fn only(&self) -> Option<&'static Part> {
        match (self.1, self.2) {
            (0, [only]) => Some(only),
            _ => None,
        }
    }
}

// === impl Part ===

impl Part {
    const fn new(id: &'static str, unit: &'static str, take: Take) -> Self {
        Self {
            id,
            unit,
            take,
            mask: 0,
            want: 0,
        }
    }

    /// Only when this bit of the flags is set.
    pub(super) const fn set(mut self, bit: u8) -> Self {
        self.mask |= 1 << bit;
        self.want |= 1 << bit;
        self
    }

    /// Only when this bit of the flags is clear.
    pub(super) const fn clear(mut self, bit: u8) -> Self {
        self.mask |= 1 << bit;
        self
    }

    /// These integers stand for no value.
    pub(super) const fn unknown(mut self, unknown: &'static [i64]) -> Self {
        if let Take::Number(number) | Take::Rest(number) = &mut self.take {
            number.unknown = unknown;
        }
        self
    }

    /// Only these integers are allowed, both ends included.
    pub(super) const fn within(mut self, least: i64, most: i64) -> Self {
        if let Take::Number(number) | Take::Rest(number) = &mut self.take {
            number.least = least;
            number.most = most;
        }
        self
    }

    /// The number multiplied.
    pub(super) const fn times(mut self, by: f64) -> Self {
        match &mut self.take {
            Take::Sfloat(_, factor) => *factor = by,
            Take::Number(number) => number.mul = by,
            _ => {}
        }
        self
    }

    pub(super) fn is_there(&self, flags: u32) -> bool {
        flags & self.mask == self.want
    }

    /// How long it is, where it has a fixed length.
    fn len_bytes(&self) -> usize {
        match self.take {
            Take::Number(number) => number.raw.bytes.into(),
            Take::Words(raw, _) | Take::Bits(raw, _) => raw.bytes.into(),
            Take::Sfloat(..) => 2,
            Take::Float | Take::Fahrenheit | Take::Single => 4,
            _ => 0,
        }
    }

    pub(super) fn unit(&self) -> Option<&'static str> {
        (!self.unit.is_empty()).then_some(self.unit)
    }
}

// === impl Number ===

impl Number {
    pub(super) const fn new(raw: Raw, mul: f64, div: f64) -> Self {
        Self {
            raw,
            mul,
            div,
            unknown: &[],
            least: i64::MIN,
            most: i64::MAX,
        }
    }

    /// It stays an integer.
    #[expect(clippy::float_cmp, reason = "both are constants of the tables")]
    pub(super) fn is_plain(&self) -> bool {
        self.mul == 1.0 && self.div == 1.0
    }

    pub(super) fn scaled(&self, raw: i64) -> f64 {
        number::of(raw) * self.mul / self.div
    }
}

// === impl Raw ===

impl Raw {
    const fn new(bytes: u8, signed: bool) -> Self {
        Self { bytes, signed }
    }

    /// The least and the greatest.
    pub(super) fn range(self) -> (i64, i64) {
        let bits = u32::from(self.bytes) * 8;
        match self.signed {
            true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            false => (0, (1 << bits) - 1),
        }
    }
}
