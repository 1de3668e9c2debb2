//! Integers in as few bytes as they need: seven bits a byte, the lowest first; signed ones zigzag (pure).

pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads at `position` and moves it on; `None` where the bytes end or are no integer.
pub(crate) fn read(bytes: &[u8], position: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*position)?;
        *position += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn write_signed(out: &mut Vec<u8>, value: i64) {
    write(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn read_signed(bytes: &[u8], position: &mut usize) -> Option<i64> {
    let value = read(bytes, position)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}
