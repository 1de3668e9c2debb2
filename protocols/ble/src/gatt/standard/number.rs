//! Numbers of IEEE 11073-20601 (Annex F), which medical devices send, and exact powers of ten. Pure.

/// An SFLOAT: 4 bits of exponent to the base of ten, 12 bits of mantissa. None for what is no number: NaN, NRes, the
/// infinities and the value kept for later, all with an exponent of 0.
pub(super) fn sfloat(bits: u16, raised: i8, factor: f64) -> Option<f64> {
    let mantissa = sign_extended(i64::from(bits & 0xFFF), 12);
    let exponent = sign_extended(i64::from(bits >> 12), 4);
    let none = exponent == 0 && matches!(mantissa, 0x7FE | 0x7FF | -0x800 | -0x7FF | -0x7FE);
    (!none).then(|| decimal(mantissa, exponent + i64::from(raised)) * factor)
}

/// A FLOAT: 8 bits of exponent to the base of ten, 24 bits of mantissa. None for what is no number.
pub(super) fn float(bits: u32) -> Option<f64> {
    let mantissa = sign_extended(i64::from(bits & 0xFF_FFFF), 24);
    let exponent = sign_extended(i64::from(bits >> 24), 8);
    let special = matches!(
        mantissa,
        0x7F_FFFE | 0x7F_FFFF | -0x80_0000 | -0x7F_FFFF | -0x7F_FFFE
    );
    (exponent != 0 || !special).then(|| decimal(mantissa, exponent))
}

/// The nearest number to `mantissa` times ten to the power of `exponent`: a division by a power of ten rounds once, where a
/// multiplication by its inverse rounds twice and shows 36.400000000000006.
pub(super) fn decimal(mantissa: i64, exponent: i64) -> f64 {
    let power = |exponent: i64| 10_f64.powi(i32::try_from(exponent).unwrap_or(i32::MAX));
    match exponent {
        0.. => of(mantissa) * power(exponent),
        _ => of(mantissa) / power(-exponent),
    }
}

/// Integers here have at most 48 bits.
#[expect(
    clippy::cast_precision_loss,
    reason = "48 bits fit into the 53 of a float"
)]
pub(super) fn of(integer: i64) -> f64 {
    integer as f64
}

/// The lowest `bits` of an integer as a number with a sign.
pub(super) fn sign_extended(value: i64, bits: u32) -> i64 {
    let unused = 64 - bits;
    value << unused >> unused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medical_numbers_are_exact_in_decimal() {
        // 36.4 as exponent -1, mantissa 364.
        assert_eq!(float(0xFF00_016C), Some(36.4));
        assert_eq!(float(0x0000_0024), Some(36.0));
        // -0.5 as exponent -1, mantissa -5.
        assert_eq!(float(0xFFFF_FFFB), Some(-0.5));
        // 1.8E-6 kg/m3, raised to ug/m3.
        assert_eq!(sfloat(0x9012, 9, 1.0), Some(1800.0));
        assert_eq!(sfloat(0xF4B0, 0, 1.0), Some(120.0));
        assert_eq!(sfloat(0x0078, 0, 1.0), Some(120.0));
        assert_eq!(sfloat(0xFFFB, 0, 1.0), Some(-0.5));
    }

    #[test]
    fn special_values_are_no_numbers() {
        for bits in [0x07FF, 0x0800, 0x07FE, 0x0802, 0x0801] {
            assert_eq!(sfloat(bits, 0, 1.0), None, "{bits:#06x}");
        }
        for bits in [
            0x007F_FFFF,
            0x0080_0000,
            0x007F_FFFE,
            0x0080_0002,
            0x0080_0001,
        ] {
            assert_eq!(float(bits), None, "{bits:#010x}");
        }
        assert_eq!(sfloat(0x07FD, 0, 1.0), Some(2045.0));
    }
}
