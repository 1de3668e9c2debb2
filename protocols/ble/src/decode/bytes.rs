//! Numbers out of bytes, none of which can fail once their place is known.

/// The least significant byte first; of at most eight bytes.
pub(crate) fn le(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The most significant byte first; of at most eight bytes.
pub(crate) fn be(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The same, in two's complement.
pub(crate) fn le_signed(bytes: &[u8]) -> i64 {
    signed(le(bytes), bytes.len() * 8)
}

/// The same, in two's complement.
pub(crate) fn be_signed(bytes: &[u8]) -> i64 {
    signed(be(bytes), bytes.len() * 8)
}

/// The number that these lowest bits are in two's complement.
pub(crate) fn signed(number: u64, bits: usize) -> i64 {
    let unused = 64_usize.saturating_sub(bits.max(1));
    (number << unused).cast_signed() >> unused
}

/// A number of counts of which so many are one. Dividing, unlike multiplying with 0.01, gives the float nearest to the decimal.
#[expect(
    clippy::cast_precision_loss,
    reason = "no format has more than 32 bits in a number"
)]
pub(crate) fn per(number: i64, divisor: f64) -> f64 {
    number as f64 / divisor
}

/// The same without a sign.
#[expect(
    clippy::cast_precision_loss,
    reason = "no format has more than 32 bits in a number"
)]
pub(crate) fn per_unsigned(number: u64, divisor: f64) -> f64 {
    number as f64 / divisor
}

/// As many decimals as are meant, where a formula gives more.
pub(crate) fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}

/// Reads bit after bit, the least significant of each byte first.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next so many bits, at most 64; `None` at the end.
    pub(crate) fn take(&mut self, bits: usize) -> Option<u64> {
        let mut number = 0;
        for place in 0..bits {
            let byte = self.bytes.get(self.at / 8)?;
            number |= u64::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_orders_and_with_sign() {
        assert_eq!(le(&[1, 2, 3]), 0x0003_0201);
        assert_eq!(be(&[1, 2, 3]), 0x0001_0203);
        assert_eq!(le_signed(&[0xFE, 0xFF]), -2);
        assert_eq!(be_signed(&[0x80, 0x00]), -32768);
        assert_eq!(le(&[]), 0);
        assert_eq!(le_signed(&[]), 0);
        assert_eq!(signed(0x3F_FFFF, 22), -1);
        assert_eq!(signed(u64::MAX, 64), -1);
    }

    #[test]
    fn a_hundredth_is_the_float_next_to_the_decimal() {
        assert_eq!(per(2506, 100.0).to_string(), "25.06");
        assert_eq!(per_unsigned(5055, 100.0).to_string(), "50.55");
        assert_eq!(rounded(21.239_999, 2).to_string(), "21.24");
    }

    #[test]
    fn bits_come_lowest_first() {
        let mut bits = Bits::new(&[0b1010_0101, 0b1]);
        assert_eq!(bits.take(4), Some(0b0101));
        assert_eq!(bits.take(5), Some(0b1_1010));
        assert_eq!(bits.take(8), None);
    }
}
