//! What must be known of H.265 without decoding it: which pictures a player can begin with.

use crate::h264::units;

/// `nal_unit_type` of coded slices, ITU-T H.265 table 7-1: below 32; those that one may begin with, from 16 to 23.
const PICTURES: u8 = 32;
const BEGINNINGS: std::ops::RangeInclusive<u8> = 16..=23;

/// Whether a frame is an intra random access point (clause 3.77): IDR, CRA or BLA. Encoders with open groups of pictures send CRA and
/// no further IDR.
#[must_use]
pub fn is_key(data: &[u8]) -> bool {
    let types = units(data).filter_map(|unit| unit.first().map(|header| header >> 1 & 0x3F));
    let mut pictures = types.filter(|of| *of < PICTURES).peekable();
    pictures.peek().is_some() && pictures.all(|of| BEGINNINGS.contains(&of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(types: &[u8]) -> Vec<u8> {
        let unit = |of: &u8| [0, 0, 0, 3, of << 1, 1, 0xAF];
        types.iter().flat_map(unit).collect()
    }

    #[test]
    fn one_can_begin_with_every_random_access_point() {
        for (types, expected) in [
            (&[19_u8][..], true),      // IDR
            (&[35, 39, 21, 21], true), // delimiter, SEI, CRA in two slices
            (&[16], true),             // BLA
            (&[1], false),             // trailing
            (&[8], false),             // skipped leading
            (&[32, 33, 34], false),    // parameter sets alone
            (&[21, 1], false),         // nothing that a sound encoder sends
            (&[], false),
        ] {
            assert_eq!(is_key(&frame(types)), expected, "{types:?}");
        }
        assert!(!is_key(&[0, 0, 0, 9, 0x2A]), "longer than there is");
    }
}
