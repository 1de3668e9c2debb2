//! `Sps`: the sequence parameter set of ITU-T H.264 clause 7.3.2.1.1, as much of it as says how large and how coloured pictures are.

use thiserror::Error;

use super::{bits::Bits, unit, unit_type};

/// Macroblocks along one side; 65,536 pixels.
const MOST_BLOCKS: u32 = 4096;
/// `aspect_ratio_idc` that says the ratio in numbers.
const EXTENDED_SAR: u32 = 255;

/// How numbers become colours, ISO/IEC 23091-2 table 4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colours {
    /// Said nothing: a decoder takes 601 for small pictures and 709 for large ones.
    #[default]
    Unsaid,
    Bt601,
    Bt709,
    Bt2020,
}

/// A sequence's properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    pub profile: u8,
    pub level: u8,
    /// `chroma_format_idc`: 0 is grey, 1 is 4:2:0.
    pub chroma_format: u8,
    pub luma_bits: u8,
    pub chroma_bits: u8,
    /// Pixels that are decoded.
    pub coded_width: u32,
    pub coded_height: u32,
    /// Pixels that are shown, at least 1.
    pub width: u32,
    pub height: u32,
    /// Pictures may be fields.
    pub interlaced: bool,
    /// Black is 0 and not 16.
    pub full_range: bool,
    pub colours: Colours,
}

/// Why it is none that anybody can use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpsError {
    #[error("the sequence parameter set is cut off")]
    Short,
    #[error("no sequence parameter set where one should be")]
    NotOne,
    #[error("the sequence parameter set has an impossible {0}")]
    Value(&'static str),
}

// === impl Sps ===

impl Sps {
    /// Reads a NAL unit with its header byte.
    ///
    /// # Errors
    ///
    /// When it is no sequence parameter set, is cut off, or says what the standard forbids.
    pub fn parse(nal_unit: &[u8]) -> Result<Self, SpsError> {
        if unit_type(nal_unit) != Some(unit::SPS) {
            return Err(SpsError::NotOne);
        }
        let bits = &mut Bits::new(&nal_unit[1..]);
        let profile = byte(bits.number(8)?);
        bits.number(8)?;
        let level = byte(bits.number(8)?);
        at_most(bits.unsigned()?, 31, "id")?;
        let (chroma_format, luma_bits, chroma_bits) = if has_chroma_format(profile) {
            read_chroma_format(bits)?
        } else {
            (1, 8, 8)
        };
        // log2_max_frame_num_minus4
        at_most(bits.unsigned()?, 12, "frame number")?;
        skip_picture_order(bits)?;
        at_most(bits.unsigned()?, 16, "number of reference frames")?;
        bits.bit()?;
        let wide = bits.unsigned()?.saturating_add(1);
        let high = bits.unsigned()?.saturating_add(1);
        let frames_only = bits.bit()?;
        if !frames_only {
            bits.bit()?;
        }
        bits.bit()?;
        let fields = if frames_only { 1 } else { 2 };
        let coded_width = 16 * at_most(wide, MOST_BLOCKS, "width")?;
        let coded_height = 16 * at_most(high, MOST_BLOCKS / fields, "height")? * fields;
        let (across, down) = if bits.bit()? {
            read_crop(bits, chroma_format, fields)?
        } else {
            (0, 0)
        };
        let width = coded_width.checked_sub(across).filter(|size| *size > 0);
        let height = coded_height.checked_sub(down).filter(|size| *size > 0);
        let (Some(width), Some(height)) = (width, height) else {
            return Err(SpsError::Value("cropping"));
        };
        // What is missing or wrong behind this point costs no picture.
        let (full_range, colours) = read_colours(bits).unwrap_or_default();
        Ok(Self {
            profile,
            level,
            chroma_format,
            luma_bits,
            chroma_bits,
            coded_width,
            coded_height,
            width,
            height,
            interlaced: !frames_only,
            full_range,
            colours,
        })
    }

    /// Pixels that a decoder has to keep for one picture.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.coded_width) * u64::from(self.coded_height)
    }
}

/// Of a number that was read from 8 bits.
fn byte(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn at_most(number: u32, most: u32, what: &'static str) -> Result<u32, SpsError> {
    if number > most {
        return Err(SpsError::Value(what));
    }
    Ok(number)
}

/// The profiles for which the syntax of 7.3.2.1.1 has `chroma_format_idc`.
fn has_chroma_format(profile: u8) -> bool {
    matches!(
        profile,
        44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 144 | 244
    )
}

fn read_chroma_format(bits: &mut Bits) -> Result<(u8, u8, u8), SpsError> {
    let chroma_format = at_most(bits.unsigned()?, 3, "chroma format")?;
    if chroma_format == 3 {
        bits.bit()?;
    }
    let luma = at_most(bits.unsigned()?, 6, "bit depth")? + 8;
    let chroma = at_most(bits.unsigned()?, 6, "bit depth")? + 8;
    bits.bit()?;
    if bits.bit()? {
        for list in 0..if chroma_format == 3 { 12 } else { 8 } {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok((byte(chroma_format), byte(luma), byte(chroma)))
}

/// Clause 7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits, size: usize) -> Result<(), SpsError> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            let delta = bits.signed()?;
            if !(-128..=127).contains(&delta) {
                return Err(SpsError::Value("scaling list"));
            }
            next = (last + delta + 256) % 256;
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn skip_picture_order(bits: &mut Bits) -> Result<(), SpsError> {
    match bits.unsigned()? {
        0 => {
            at_most(bits.unsigned()?, 12, "picture order")?;
        }
        1 => {
            bits.bit()?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..at_most(bits.unsigned()?, 255, "picture order")? {
                bits.signed()?;
            }
        }
        2 => {}
        _ => return Err(SpsError::Value("picture order")),
    }
    Ok(())
}

/// Pixels that are cropped from both sides together, equations 7-19 to 7-22.
fn read_crop(bits: &mut Bits, chroma_format: u8, fields: u32) -> Result<(u32, u32), SpsError> {
    let (across, down) = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let mut both = |unit: u32| {
        let (before, after) = (bits.unsigned()?, bits.unsigned()?);
        before
            .checked_add(after)
            .and_then(|sum| sum.checked_mul(unit))
            .ok_or(SpsError::Value("cropping"))
    };
    Ok((both(across)?, both(down * fields)?))
}

/// As far as the colours of the VUI, annex E.1.1.
fn read_colours(bits: &mut Bits) -> Result<(bool, Colours), SpsError> {
    let mut said = (false, Colours::Unsaid);
    if !bits.bit()? {
        return Ok(said);
    }
    if bits.bit()? && bits.number(8)? == EXTENDED_SAR {
        bits.number(32)?;
    }
    if bits.bit()? {
        bits.bit()?;
    }
    if bits.bit()? {
        bits.number(3)?;
        said.0 = bits.bit()?;
        if bits.bit()? {
            bits.number(16)?;
            said.1 = match bits.number(8)? {
                1 => Colours::Bt709,
                5 | 6 => Colours::Bt601,
                9 | 10 => Colours::Bt2020,
                _ => Colours::Unsaid,
            };
        }
    }
    Ok(said)
}
