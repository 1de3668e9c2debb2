//! What must be known of H.264 without decoding it: parameter sets and NAL units, ITU-T H.264 clause 7.3.
//!
//! Everything here is from a camera that may be hostile: bounded, and without a panic.

mod bits;
mod sps;

use bytes::{BufMut as _, Bytes, BytesMut};

pub use self::sps::{Colours, Sps, SpsError};
use crate::{Codec, Track};

/// NAL units of one access unit or configuration that are looked at; a picture of 8 Mpx has 34,000 macroblocks, and a slice rarely
/// has fewer than 16.
const MOST_UNITS: usize = 4096;

/// `nal_unit_type`, table 7-1.
pub mod unit {
    pub const SLICE: u8 = 1;
    pub const IDR_SLICE: u8 = 5;
    pub const SPS: u8 = 7;
    pub const PPS: u8 = 8;
}

/// The type of a NAL unit; `None` for an empty one.
#[must_use]
pub fn unit_type(unit: &[u8]) -> Option<u8> {
    unit.first().map(|header| header & 0x1F)
}

/// The NAL units of a frame, each with its length before it in four bytes. Ends at the first that says more than there is.
pub fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (unit, after) = after.split_at_checked(length)?;
        rest = after;
        Some(unit)
    })
    .take(MOST_UNITS)
}

/// A NAL unit as a decoder of annex B will see it: cut at start codes, which none may hold. So nothing passes as part of another unit.
pub fn parts(nal_unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(nal_unit);
    std::iter::from_fn(move || {
        let here = rest?;
        let code = here.windows(3).position(|bytes| bytes == [0, 0, 1]);
        rest = code.map(|at| &here[at + 3..]);
        Some(code.map_or(here, |at| &here[..at]))
    })
    .take(MOST_UNITS)
}

/// The parameter sets of an `avcC` record (ISO/IEC 14496-15 clause 5.3.3.1), those of sequences first.
pub fn parameter_sets(config: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (&sequences, mut rest) = config
        .get(5..)
        .and_then(<[u8]>::split_first)
        .unwrap_or((&0, &[]));
    let mut left = usize::from(sequences & 0x1F);
    let mut pictures_too = true;
    std::iter::from_fn(move || {
        while left == 0 {
            if !std::mem::take(&mut pictures_too) {
                return None;
            }
            let (&pictures, after) = rest.split_first()?;
            (left, rest) = (usize::from(pictures), after);
        }
        left -= 1;
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (unit, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = after;
        Some(unit)
    })
}

/// NAL units as a frame has them: each with its length before it.
#[must_use]
pub fn framed(units: &[&[u8]]) -> Bytes {
    let mut out = BytesMut::new();
    for unit in units {
        if let Ok(length) = u32::try_from(unit.len()) {
            out.put_u32(length);
            out.put_slice(unit);
        }
    }
    out.freeze()
}

/// The track of a stream with these parameter sets, with a clock of 90 kHz.
///
/// # Errors
///
/// When the sequence parameter set is none, or one of the two is longer than an `avcC` can hold.
pub fn track(sps: &[u8], pps: &[u8]) -> Result<Track, SpsError> {
    let described = Sps::parse(sps)?;
    let (Ok(sps_length), Ok(pps_length)) = (u16::try_from(sps.len()), u16::try_from(pps.len()))
    else {
        return Err(SpsError::Value("length"));
    };
    let (Ok(width), Ok(height)) = (
        u16::try_from(described.width),
        u16::try_from(described.height),
    ) else {
        return Err(SpsError::Value("size"));
    };
    let [_, profile, constraints, level, ..] = sps else {
        return Err(SpsError::Short);
    };
    let mut config = BytesMut::new();
    config.put_slice(&[1, *profile, *constraints, *level, 0xFF, 0xE1]);
    config.put_u16(sps_length);
    config.put_slice(sps);
    config.put_u8(1);
    config.put_u16(pps_length);
    config.put_slice(pps);
    if matches!(profile, 100 | 110 | 122 | 144) {
        let (chroma, luma_depth, chroma_depth) = (
            described.chroma_format,
            described.luma_bits - 8,
            described.chroma_bits - 8,
        );
        config.put_slice(&[0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0]);
    }
    let config = config.freeze();
    Ok(Track {
        codec: Codec::H264,
        rfc6381: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
        width: described.width,
        height: described.height,
        timescale: 90_000,
        channels: 0,
        sample_entry: sample_entry(width, height, &config),
        config,
    })
}

/// `avc1` with `avcC`, ISO/IEC 14496-12 clause 12.1.3 and 14496-15 clause 5.4.2.
fn sample_entry(width: u16, height: u16, config: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(94 + config.len());
    let config_size = u32::try_from(8 + config.len()).expect("two parameter sets of 64 KiB");
    out.put_u32(86 + config_size);
    out.put_slice(b"avc1");
    out.put_bytes(0, 6);
    out.put_u16(1);
    out.put_bytes(0, 16);
    out.put_u16(width);
    out.put_u16(height);
    out.put_u32(0x0048_0000);
    out.put_u32(0x0048_0000);
    out.put_u32(0);
    out.put_u16(1);
    out.put_bytes(0, 32);
    out.put_u16(24);
    out.put_i16(-1);
    out.put_u32(config_size);
    out.put_slice(b"avcC");
    out.put_slice(config);
    out.freeze()
}

#[cfg(test)]
#[path = "h264/tests.rs"]
pub(crate) mod tests;
