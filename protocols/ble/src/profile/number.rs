//! `DataType`: how a number lies in bytes, by the names that profiles use (`i16le`), and `Scaling`: what it is multiplied with.

/// How a number lies in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataType {
    pub form: Form,
    /// In bytes, 1 to 8.
    pub width: usize,
    /// The least significant byte comes first.
    pub little: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Unsigned,
    /// Two's complement.
    Signed,
    /// The topmost bit is the sign, the others are the magnitude.
    SignMagnitude,
    /// A byte of sign and whole number, then a byte of hundredths; the number is in hundredths (Ruuvi 3).
    Hundredths,
    /// Two decimal digits a byte.
    Decimal,
    /// IEEE 754.
    Float,
    /// IEEE 11073-20601: SFLOAT of two bytes, FLOAT of four.
    Medical,
}

/// What lay there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Raw {
    Integer(i64),
    /// More than 63 bits.
    Large(u64),
    Float(f64),
}

/// Multiplied, then added to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scaling {
    None,
    /// The result is an integer again.
    Whole {
        times: i64,
        plus: i64,
    },
    /// `(raw × times + plus) ÷ by`, all whole, so that 4860 × 0.005 is 24.3 and not its neighbour.
    Exact {
        times: f64,
        plus: f64,
        by: f64,
    },
    Plain {
        scale: f64,
        offset: f64,
    },
}

// === impl DataType ===

impl DataType {
    /// By its name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (stem, little) = match (name.strip_suffix("le"), name.strip_suffix("be")) {
            (Some(stem), _) => (stem, Some(true)),
            (None, Some(stem)) => (stem, Some(false)),
            (None, None) => (name, None),
        };
        if stem == "sm8c" {
            return little.is_none().then_some(Self {
                form: Form::Hundredths,
                width: 2,
                little: false,
            });
        }
        let begin = stem.find(|character: char| character.is_ascii_digit())?;
        let (form, bits) = stem.split_at(begin);
        let form = match form {
            "u" => Form::Unsigned,
            "i" => Form::Signed,
            "sm" => Form::SignMagnitude,
            "bcd" => Form::Decimal,
            "f" => Form::Float,
            "medfloat" => Form::Medical,
            _ => return None,
        };
        let widths: &[&str] = match form {
            Form::Float => &["32", "64"],
            Form::Medical => &["16", "32"],
            _ => &["8", "16", "24", "32", "40", "48", "56", "64"],
        };
        let known = widths.contains(&bits);
        let width = bits.parse::<usize>().ok().filter(|_| known)? / 8;
        // One byte has no order, more of them need one.
        if (width == 1) != little.is_none() {
            return None;
        }
        Some(Self {
            form,
            width,
            little: little == Some(true),
        })
    }

    /// As profiles write it.
    pub(crate) fn name(self) -> String {
        let form = match self.form {
            Form::Unsigned => "u",
            Form::Signed => "i",
            Form::SignMagnitude => "sm",
            Form::Decimal => "bcd",
            Form::Float => "f",
            Form::Medical => "medfloat",
            Form::Hundredths => return "sm8c".to_owned(),
        };
        let order = match (self.width, self.little) {
            (1, _) => "",
            (_, true) => "le",
            (_, false) => "be",
        };
        format!("{form}{}{order}", self.width * 8)
    }

    pub(crate) fn is_unsigned(self) -> bool {
        matches!(self.form, Form::Unsigned | Form::Decimal)
    }

    /// All its bits, where there are as many bytes as its width.
    pub(crate) fn bits(self, bytes: &[u8]) -> u64 {
        let join = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.little {
            bytes.iter().rev().fold(0, join)
        } else {
            bytes.iter().fold(0, join)
        }
    }

    /// The number that bits stand for; of this type, or of so many bits cut out of it. None: they stand for none.
    pub(crate) fn number(self, bits: u64, count: u32) -> Option<Raw> {
        let unused = 64 - count.clamp(1, 64);
        let magnitude = |bits: u64| (bits << unused << 1) >> unused >> 1;
        let negative = bits >> (count.clamp(1, 64) - 1) & 1 == 1;
        let number = match self.form {
            Form::Unsigned => return Some(unsigned(bits)),
            Form::Signed => (bits.cast_signed() << unused) >> unused,
            Form::SignMagnitude => {
                let size = magnitude(bits).cast_signed();
                if negative { -size } else { size }
            }
            Form::Hundredths => {
                let (whole, hundredths) = ((bits >> 8 & 0x7F) * 100, bits & 0xFF);
                if hundredths > 99 {
                    return None;
                }
                let size = (whole + hundredths).cast_signed();
                if bits & 0x8000 == 0 { size } else { -size }
            }
            Form::Decimal => decimal(bits, count)?,
            Form::Float if self.width == 4 => {
                let low = u32::try_from(bits & 0xFFFF_FFFF).ok()?;
                return finite(f64::from(f32::from_bits(low)));
            }
            Form::Float => return finite(f64::from_bits(bits)),
            Form::Medical => return medical(bits, self.width),
        };
        Some(Raw::Integer(number))
    }
}

fn unsigned(bits: u64) -> Raw {
    i64::try_from(bits).map_or(Raw::Large(bits), Raw::Integer)
}

fn decimal(bits: u64, count: u32) -> Option<i64> {
    let mut number = 0i64;
    for digit in (0..count.div_ceil(4)).rev() {
        let digit = i64::try_from(bits >> (digit * 4) & 15).ok()?;
        if digit > 9 {
            return None;
        }
        number = number * 10 + digit;
    }
    Some(number)
}

fn finite(number: f64) -> Option<Raw> {
    number.is_finite().then_some(Raw::Float(number))
}

/// The five special values of each size are no numbers (IEEE 11073-20601, annex F.7).
fn medical(bits: u64, width: usize) -> Option<Raw> {
    let (exponent_bits, mantissa_bits) = if width == 2 { (4, 12) } else { (8, 24) };
    let signed = |bits: u64, count: u32| (bits.cast_signed() << (64 - count)) >> (64 - count);
    let mantissa = signed(bits, mantissa_bits);
    let exponent = signed(bits >> mantissa_bits, exponent_bits);
    let largest = (1i64 << (mantissa_bits - 1)) - 1;
    if exponent == 0 && (mantissa >= largest - 1 || mantissa <= -largest + 1) {
        return None;
    }
    let exponent = i32::try_from(exponent).ok()?;
    let mantissa = as_f64(mantissa);
    let power = 10f64.powi(exponent.abs());
    finite(if exponent < 0 {
        mantissa / power
    } else {
        mantissa * power
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of more than 53 bits has no unit that needs its last ones"
)]
pub(crate) fn as_f64(number: i64) -> f64 {
    number as f64
}

// === impl Raw ===

impl Raw {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => as_f64(number),
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            Self::Large(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    pub(crate) fn as_i64(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Large(_) | Self::Float(_) => None,
        }
    }
}

// === impl Scaling ===

impl Scaling {
    /// Of these two.
    pub(crate) fn of(scale: f64, offset: f64) -> Self {
        if scale == 1.0 && offset == 0.0 {
            return Self::None;
        }
        let mut by = 1.0;
        for _ in 0..10 {
            if let (Some(times), Some(plus)) = (whole(scale * by), whole(offset * by)) {
                return if by == 1.0 {
                    Self::Whole { times, plus }
                } else {
                    Self::Exact {
                        times: as_f64(times),
                        plus: as_f64(plus),
                        by,
                    }
                };
            }
            by *= 10.0;
        }
        Self::Plain { scale, offset }
    }

    pub(crate) fn apply(self, raw: Raw) -> Raw {
        match (self, raw) {
            (Self::None, raw) => raw,
            (Self::Whole { times, plus }, Raw::Integer(number)) => number
                .checked_mul(times)
                .and_then(|number| number.checked_add(plus))
                .map_or_else(
                    || Raw::Float(as_f64(number) * as_f64(times) + as_f64(plus)),
                    Raw::Integer,
                ),
            (Self::Whole { times, plus }, raw) => {
                Raw::Float(raw.as_f64() * as_f64(times) + as_f64(plus))
            }
            (Self::Exact { times, plus, by }, raw) => {
                Raw::Float((raw.as_f64() * times + plus) / by)
            }
            (Self::Plain { scale, offset }, raw) => Raw::Float(raw.as_f64() * scale + offset),
        }
    }
}

/// The integer that a float is but for what binary fractions lack.
fn whole(number: f64) -> Option<i64> {
    let nearest = number.round();
    let near = (number - nearest).abs() <= nearest.abs() * 1e-12;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "its size was looked at before"
    )]
    (near && nearest.abs() < 1e15).then_some(nearest as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, bytes: &[u8], expected: Option<f64>) {
        let data_type = DataType::parse(name).unwrap();
        assert_eq!(data_type.name(), name);
        assert_eq!(data_type.width, bytes.len());
        let bits = u32::try_from(bytes.len() * 8).unwrap();
        let found = data_type.number(data_type.bits(bytes), bits);
        assert_eq!(found.map(Raw::as_f64), expected, "{name} {bytes:?}");
    }

    #[test]
    fn numbers_lie_in_bytes_in_many_ways() {
        check("u8", &[0xFF], Some(255.0));
        check("i8", &[0xFF], Some(-1.0));
        check("sm8", &[0x85], Some(-5.0));
        check("u16le", &[0x34, 0x12], Some(4660.0));
        check("u16be", &[0x12, 0x34], Some(4660.0));
        check("i16be", &[0xFC, 0x18], Some(-1000.0));
        check("sm16le", &[0x0A, 0x80], Some(-10.0));
        check("i24le", &[0xFF, 0xFF, 0xFF], Some(-1.0));
        check("u24be", &[0x01, 0x00, 0x00], Some(65536.0));
        check("u32le", &[1, 0, 0, 0x80], Some(2_147_483_649.0));
        check("i64be", &[0xFF; 8], Some(-1.0));
        check("u64be", &[0xFF; 8], Some(18_446_744_073_709_551_615.0));
        check("f32le", &21.5f32.to_le_bytes(), Some(21.5));
        check("f64be", &(-0.25f64).to_be_bytes(), Some(-0.25));
        check("f32le", &f32::NAN.to_le_bytes(), None);
        check("bcd16be", &[0x12, 0x34], Some(1234.0));
        check("bcd8", &[0x1A], None);
        check("sm8c", &[0x81, 0x45], Some(-169.0));
        check("sm8c", &[0x01, 100], None);
        // SFLOAT 0xF14B is 331 × 10⁻¹; FLOAT 0xFF000171 is 369 × 10⁻¹; NaN, NRes and the infinities are none.
        check("medfloat16le", &[0x4B, 0xF1], Some(33.1));
        check("medfloat32le", &[0x71, 0x01, 0x00, 0xFF], Some(36.9));
        check("medfloat16le", &[0xFF, 0x07], None);
        check("medfloat16le", &[0x00, 0x08], None);
        for no in [
            "u",
            "u16",
            "u8le",
            "i12le",
            "f16le",
            "ule",
            "sm8cle",
            "",
            "le",
            "medfloat24le",
        ] {
            assert_eq!(DataType::parse(no), None, "{no}");
        }
    }

    #[test]
    fn decimal_scales_are_exact() {
        let scaled = |scale, offset, raw| Scaling::of(scale, offset).apply(Raw::Integer(raw));
        assert_eq!(scaled(0.005, 0.0, 4860), Raw::Float(24.3));
        assert_eq!(scaled(0.0025, 0.0, 21396), Raw::Float(53.49));
        assert_eq!(scaled(0.1, -40.0, 623), Raw::Float(22.3));
        assert_eq!(scaled(0.003_906_25, 0.0, 5632), Raw::Float(22.0));
        assert_eq!(scaled(1.0, 50_000.0, 50_044), Raw::Integer(100_044));
        assert_eq!(scaled(2.0, -40.0, 22), Raw::Integer(4));
        assert_eq!(
            scaled(2.0, 0.0, i64::MAX),
            Raw::Float(1.844_674_407_370_955_2e19)
        );
        assert!(matches!(
            Scaling::of(1.0 / 1.8, -32.0 / 1.8),
            Scaling::Plain { .. }
        ));
    }
}
