//! NAL units of H.264 and H.265: out of frames and configuration records (ISO/IEC 14496-15), into RTP payloads (RFC 6184, RFC 7798).

use bytes::{BufMut as _, Bytes, BytesMut};

/// The payloads of one unit: itself where it fits, else fragments.
pub(super) fn h264(unit: &Bytes, most: usize, payloads: &mut Vec<Bytes>) {
    let [header, rest @ ..] = &unit[..] else {
        return;
    };
    if unit.len() <= most {
        payloads.push(unit.clone());
        return;
    }
    // FU-A, RFC 6184 clause 5.8: the unit's importance in the first byte, its type in the second.
    let indicator = header & 0xE0 | 28;
    fragment(rest, most - 2, header & 0x1F, &[indicator], payloads);
}

/// As [`h264`], RFC 7798 clause 4.4.3.
pub(super) fn h265(unit: &Bytes, most: usize, payloads: &mut Vec<Bytes>) {
    let [first, second, rest @ ..] = &unit[..] else {
        return;
    };
    if unit.len() <= most {
        payloads.push(unit.clone());
        return;
    }
    let kind = (first >> 1) & 0x3F;
    let header = [first & 0x81 | 49 << 1, *second];
    fragment(rest, most - 3, kind, &header, payloads);
}

fn fragment(rest: &[u8], most: usize, kind: u8, header: &[u8], payloads: &mut Vec<Bytes>) {
    let count = rest.len().div_ceil(most);
    for (number, piece) in rest.chunks(most).enumerate() {
        let start = if number == 0 { 0x80 } else { 0 };
        let end = if number + 1 == count { 0x40 } else { 0 };
        let mut payload = BytesMut::with_capacity(header.len() + 1 + piece.len());
        payload.put_slice(header);
        payload.put_u8(start | end | kind);
        payload.put_slice(piece);
        payloads.push(payload.freeze());
    }
}

/// The units of a frame, each with its length before it as four bytes. What is cut off is left out.
pub(super) fn units(frame: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut at = 0;
    let frame = frame.clone();
    std::iter::from_fn(move || {
        let length = frame
            .get(at..at + 4)?
            .try_into()
            .map(u32::from_be_bytes)
            .ok()?;
        let start = at + 4;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let whole = end <= frame.len();
        at = end;
        whole.then(|| frame.slice(start..end))
    })
    .filter(|unit| !unit.is_empty())
}

/// Sequence and picture parameter sets of an `avcC` (clause 5.3.3.1).
pub(super) fn of_avcc(config: &Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    let mut at = 5;
    for mask in [0x1F, 0xFF] {
        let Some(count) = config.get(at).map(|count| count & mask) else {
            return found;
        };
        at += 1;
        if !take_sets(config, &mut at, count.into(), &mut found) {
            return found;
        }
    }
    found
}

/// Video, sequence and picture parameter sets of an `hvcC` (clause 8.3.3.1).
pub(super) fn of_hvcc(config: &Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    let arrays = config.get(22).copied().unwrap_or_default();
    let mut at = 23;
    for _ in 0..arrays {
        let Some([_kind, high, low]) = config.get(at..at + 3) else {
            return found;
        };
        let count = u16::from_be_bytes([*high, *low]);
        at += 3;
        if !take_sets(config, &mut at, count.into(), &mut found) {
            return found;
        }
    }
    found
}

/// Sets with their lengths before them as two bytes; false when the record is cut off.
fn take_sets(config: &Bytes, at: &mut usize, count: usize, found: &mut Vec<Bytes>) -> bool {
    for _ in 0..count {
        let Some([high, low]) = config.get(*at..*at + 2) else {
            return false;
        };
        let end = *at + 2 + usize::from(u16::from_be_bytes([*high, *low]));
        if end > config.len() {
            return false;
        }
        found.push(config.slice(*at + 2..end));
        *at = end;
    }
    true
}

/// In a frame already: a keyframe that carries its own parameter sets needs no others before it.
pub(super) fn is_h264_set(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| header & 0x1F == 7)
}

pub(super) fn is_h265_set(unit: &[u8]) -> bool {
    unit.first()
        .is_some_and(|header| (header >> 1) & 0x3F == 33)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a receiver puts it together again.
    fn joined_h264(payloads: &[Bytes]) -> Vec<u8> {
        let [first, ..] = payloads else {
            panic!("none")
        };
        if first[0] & 0x1F != 28 {
            assert_eq!(payloads.len(), 1);
            return first.to_vec();
        }
        assert!(payloads[0][1] & 0x80 != 0 && payloads.last().unwrap()[1] & 0x40 != 0);
        let mut unit = vec![first[0] & 0xE0 | first[1] & 0x1F];
        payloads
            .iter()
            .for_each(|payload| unit.extend_from_slice(&payload[2..]));
        unit
    }

    fn joined_h265(payloads: &[Bytes]) -> Vec<u8> {
        let [first, ..] = payloads else {
            panic!("none")
        };
        if (first[0] >> 1) & 0x3F != 49 {
            return first.to_vec();
        }
        let mut unit = vec![first[0] & 0x81 | (first[2] & 0x3F) << 1, first[1]];
        payloads
            .iter()
            .for_each(|payload| unit.extend_from_slice(&payload[3..]));
        unit
    }

    proptest! {
        #[test]
        fn fragments_are_the_unit_again(
            mut unit in proptest::collection::vec(any::<u8>(), 2..5000),
            most in 10_usize..1500,
        ) {
            // Types of units that themselves are aggregates or fragments do not come out of a camera's frame.
            unit[0] = 0x65;
            let bytes = Bytes::from(unit.clone());
            let mut payloads = Vec::new();
            h264(&bytes, most, &mut payloads);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= most));
            prop_assert_eq!(joined_h264(&payloads), unit.clone());
            unit[0] = 19 << 1;
            let bytes = Bytes::from(unit.clone());
            payloads.clear();
            h265(&bytes, most, &mut payloads);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= most));
            prop_assert_eq!(joined_h265(&payloads), unit);
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = Bytes::from(bytes);
            of_avcc(&bytes);
            of_hvcc(&bytes);
            let total: usize = units(&bytes).map(|unit| unit.len()).sum();
            prop_assert!(total <= bytes.len());
        }
    }

    #[test]
    fn sets_of_records() {
        let avcc = Bytes::from_static(&[1, 66, 0, 30, 0xFF, 0xE1, 0, 2, 0x67, 9, 1, 0, 1, 0x68]);
        assert_eq!(of_avcc(&avcc), [&[0x67, 9][..], &[0x68]]);
        let mut hvcc = vec![0; 22];
        hvcc.push(2);
        hvcc.extend_from_slice(&[0x20, 0, 1, 0, 2, 0x40, 1, 0x21, 0, 1, 0, 1, 0x42]);
        assert_eq!(of_hvcc(&hvcc.into()), [&[0x40, 1][..], &[0x42]]);
        let frame = Bytes::from_static(&[0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9, 1]);
        assert_eq!(units(&frame).collect::<Vec<_>>(), [&[7][..]]);
    }
}
