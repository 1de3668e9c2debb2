//! `Bits`: a raw byte sequence payload of ITU-T H.264 clause 7.4.1 read bit by bit, with Exp-Golomb numbers of clause 9.1.

use super::SpsError;

/// A parameter set that is longer says nothing more that is wanted here.
const MOST_BYTES: usize = 1024;

/// Reads bits, the highest first.
pub(super) struct Bits {
    payload: Vec<u8>,
    at: usize,
}

// === impl Bits ===

impl Bits {
    /// Takes the emulation prevention bytes out: the 3 of 0, 0, 3.
    pub(super) fn new(unit: &[u8]) -> Self {
        let mut payload = Vec::with_capacity(unit.len().min(MOST_BYTES));
        let mut zeros = 0;
        for &byte in unit.iter().take(MOST_BYTES) {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            payload.push(byte);
        }
        Self { payload, at: 0 }
    }

    pub(super) fn bit(&mut self) -> Result<bool, SpsError> {
        let byte = self.payload.get(self.at / 8).ok_or(SpsError::Short)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// `u(n)` of at most 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Result<u32, SpsError> {
        (0..bits).try_fold(0u32, |number, _| Ok(number << 1 | u32::from(self.bit()?)))
    }

    /// `ue(v)`.
    pub(super) fn unsigned(&mut self) -> Result<u32, SpsError> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(SpsError::Value("Exp-Golomb number"));
            }
        }
        // At most 31 bits after a 1, so that the subtraction and the sum fit.
        Ok((1u32 << zeros) - 1 + self.number(zeros)?)
    }

    /// `se(v)`.
    pub(super) fn signed(&mut self) -> Result<i64, SpsError> {
        let number = i64::from(self.unsigned()?);
        Ok(if number % 2 == 0 {
            -(number / 2)
        } else {
            number / 2 + 1
        })
    }
}
