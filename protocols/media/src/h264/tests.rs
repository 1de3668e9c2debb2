//! Sequence parameter sets written bit by bit and read again, and any bytes in their place.

use proptest::prelude::*;

use super::*;

/// What a written one says.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub profile: u8,
    pub chroma_format: u32,
    pub depth: u32,
    /// Macroblocks, in fields where these are interlaced.
    pub blocks: (u32, u32),
    pub interlaced: bool,
    /// Left, right, top, bottom in crop units.
    pub crop: Option<[u32; 4]>,
    pub order: u32,
    /// Range and matrix.
    pub colours: Option<(bool, u32)>,
    pub scaling: bool,
}

#[derive(Default)]
struct Writer {
    bits: Vec<bool>,
}

// === impl Writer ===

impl Writer {
    fn number(&mut self, number: u32, bits: u32) {
        self.bits
            .extend((0..bits).rev().map(|bit| number >> bit & 1 == 1));
    }

    fn unsigned(&mut self, number: u32) {
        let number = u64::from(number) + 1;
        let length = 63 - number.leading_zeros();
        self.bits.extend((0..length).map(|_| false));
        self.bits
            .extend((0..=length).rev().map(|bit| number >> bit & 1 == 1));
    }

    fn bit(&mut self, bit: bool) {
        self.bits.push(bit);
    }

    /// With stop bit and emulation prevention.
    fn unit(mut self, header: u8) -> Vec<u8> {
        self.bit(true);
        let mut unit = vec![header];
        let mut zeros = 0;
        for bits in self.bits.chunks(8) {
            let byte = (0..8).fold(0u8, |byte, at| {
                byte << 1 | u8::from(*bits.get(at).unwrap_or(&false))
            });
            if zeros >= 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            unit.push(byte);
        }
        unit
    }
}

// === impl Written ===

impl Written {
    /// A plain one of so many macroblocks.
    pub(crate) fn of(blocks: (u32, u32)) -> Self {
        Self {
            profile: 66,
            chroma_format: 1,
            depth: 8,
            blocks,
            interlaced: false,
            crop: None,
            order: 2,
            colours: None,
            scaling: false,
        }
    }

    pub(crate) fn unit(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.profile.into(), 8);
        out.number(0xC0, 8);
        out.number(31, 8);
        out.unsigned(0);
        if self.profile == 100 {
            out.unsigned(self.chroma_format);
            if self.chroma_format == 3 {
                out.bit(false);
            }
            out.unsigned(self.depth - 8);
            out.unsigned(self.depth - 8);
            out.bit(false);
            out.bit(self.scaling);
            if self.scaling {
                for list in 0..if self.chroma_format == 3 { 12 } else { 8 } {
                    out.bit(list % 2 == 0);
                    if list % 2 == 0 {
                        // -8: all the rest is as the default.
                        out.unsigned(16);
                    }
                }
            }
        }
        out.unsigned(4);
        out.unsigned(self.order);
        match self.order {
            0 => out.unsigned(2),
            1 => {
                out.bit(false);
                out.unsigned(3);
                out.unsigned(4);
                out.unsigned(2);
                out.unsigned(5);
                out.unsigned(6);
            }
            _ => {}
        }
        out.unsigned(1);
        out.bit(false);
        out.unsigned(self.blocks.0 - 1);
        out.unsigned(self.blocks.1 - 1);
        out.bit(!self.interlaced);
        if self.interlaced {
            out.bit(false);
        }
        out.bit(true);
        out.bit(self.crop.is_some());
        for side in self.crop.iter().flatten() {
            out.unsigned(*side);
        }
        out.bit(self.colours.is_some());
        if let Some((full_range, matrix)) = self.colours {
            out.bit(true);
            out.number(255, 8);
            out.number(0x0001_0001, 32);
            out.bit(true);
            out.bit(true);
            out.bit(true);
            out.number(5, 3);
            out.bit(full_range);
            out.bit(true);
            out.number(1, 8);
            out.number(1, 8);
            out.number(matrix, 8);
        }
        out.unit(0x67)
    }
}

fn written() -> impl Strategy<Value = Written> {
    (
        prop_oneof![Just(66u8), Just(77), Just(100)],
        0u32..=3,
        8u32..=14,
        (1u32..=256, 1u32..=256),
        any::<bool>(),
        proptest::option::of([0u32..3, 0u32..3, 0u32..3, 0u32..3]),
        0u32..=2,
        proptest::option::of((any::<bool>(), 0u32..=10)),
        any::<bool>(),
    )
        .prop_map(
            |(profile, chroma_format, depth, blocks, interlaced, crop, order, colours, scaling)| {
                Written {
                    profile,
                    chroma_format,
                    depth,
                    blocks,
                    interlaced,
                    crop,
                    order,
                    colours,
                    scaling,
                }
            },
        )
}

#[test]
fn full_hd_is_cropped_from_68_rows_of_macroblocks() {
    let sps = Sps::parse(
        &Written {
            profile: 100,
            crop: Some([0, 0, 0, 4]),
            colours: Some((false, 1)),
            ..Written::of((120, 68))
        }
        .unit(),
    )
    .unwrap();
    assert_eq!((sps.width, sps.height), (1920, 1080));
    assert_eq!((sps.coded_width, sps.coded_height), (1920, 1088));
    assert_eq!(sps.pixels(), 1920 * 1088);
    assert_eq!((sps.colours, sps.full_range), (Colours::Bt709, false));
}

#[test]
fn a_giant_picture_is_told_before_it_is_decoded() {
    let sps = Sps::parse(&Written::of((4096, 4096)).unit()).unwrap();
    assert_eq!((sps.width, sps.pixels()), (65_536, 65_536 * 65_536));
    let error = Sps::parse(&Written::of((4097, 1)).unit()).unwrap_err();
    assert_eq!(error, SpsError::Value("width"));
}

#[test]
fn what_is_none_is_an_error_in_words() {
    assert_eq!(Sps::parse(&[]), Err(SpsError::NotOne));
    assert_eq!(Sps::parse(&[0x68, 1, 2]), Err(SpsError::NotOne));
    assert_eq!(Sps::parse(&[0x67, 66]), Err(SpsError::Short));
    let cropped_away = Written {
        crop: Some([0, 8, 0, 0]),
        ..Written::of((1, 1))
    };
    let error = Sps::parse(&cropped_away.unit()).unwrap_err();
    assert_eq!(error, SpsError::Value("cropping"));
}

#[test]
fn a_track_names_its_codec_and_holds_its_parameters() {
    let sps = Written {
        profile: 100,
        ..Written::of((40, 30))
    }
    .unit();
    let track = track(&sps, &[0x68, 0xCE, 0x38, 0x80]).unwrap();
    assert_eq!(track.rfc6381, "avc1.64c01f");
    assert_eq!((track.width, track.height), (640, 480));
    let sets: Vec<&[u8]> = parameter_sets(&track.config).collect();
    assert_eq!(sets, [&sps[..], &[0x68, 0xCE, 0x38, 0x80]]);
}

#[test]
fn units_end_where_a_length_lies() {
    let framed = framed(&[&[0x65, 1], &[0x41]]);
    assert_eq!(
        units(&framed).collect::<Vec<_>>(),
        [&[0x65, 1][..], &[0x41]]
    );
    assert_eq!(units(&framed[..framed.len() - 1]).count(), 1);
    assert_eq!(units(&[0xFF; 64]).count(), 0);
}

#[test]
fn a_unit_within_a_unit_comes_to_light() {
    let hidden = [0x65, 9, 0, 0, 1, 0x67, 66, 0, 0, 0, 1, 0x41];
    let types: Vec<_> = parts(&hidden).map(unit_type).collect();
    assert_eq!(types, [Some(5), Some(7), Some(1)]);
}

proptest! {
    #[test]
    fn what_was_written_is_read(written in written()) {
        let (wide, high) = written.blocks;
        let fields = if written.interlaced { 2 } else { 1 };
        let high_profile = written.profile == 100;
        let chroma = if high_profile { written.chroma_format } else { 1 };
        let (across, down) = match chroma { 1 => (2, 2), 2 => (2, 1), _ => (1, 1) };
        let [left, right, top, bottom] = written.crop.unwrap_or_default();
        let sps = Sps::parse(&written.unit()).unwrap();
        prop_assert_eq!(sps.coded_width, 16 * wide);
        prop_assert_eq!(sps.coded_height, 16 * high * fields);
        prop_assert_eq!(sps.width, 16 * wide - across * (left + right));
        prop_assert_eq!(sps.height, 16 * high * fields - down * fields * (top + bottom));
        prop_assert_eq!(sps.interlaced, written.interlaced);
        if high_profile {
            prop_assert_eq!(u32::from(sps.luma_bits), written.depth);
            prop_assert_eq!(u32::from(sps.chroma_format), written.chroma_format);
        }
        prop_assert_eq!(sps.full_range, written.colours.is_some_and(|(full, _)| full));
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Sps::parse(&bytes);
        let mut unit = vec![0x67];
        unit.extend(&bytes);
        if let Ok(sps) = Sps::parse(&unit) {
            prop_assert!(sps.width >= 1 && sps.height >= 1);
            prop_assert!(sps.width <= 65_536 && sps.height <= 65_536);
        }
        let _ = (units(&bytes).count(), parts(&bytes).count(), parameter_sets(&bytes).count());
        let _ = track(&unit, &bytes);
    }

    #[test]
    fn a_bent_one_is_no_panic(written in written(), at in 0usize..64, value: u8, cut in 0usize..64) {
        let mut unit = written.unit();
        let at = at % unit.len();
        unit[at] = value;
        let _ = Sps::parse(&unit);
        let _ = Sps::parse(&unit[..cut.min(unit.len())]);
    }
}
