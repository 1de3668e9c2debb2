//! Whether bytes are a JPEG, and how large its picture is, told from its markers (ITU-T T.81 annex B) without decoding.

use thiserror::Error;

/// Segments before the picture's data; a camera writes about ten.
const MOST_SEGMENTS: usize = 256;
/// Bytes behind the end marker that are borne: some cameras fill up.
const PADDING: usize = 4096;

/// What its markers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JpegFacts {
    /// Pixels, at least 1.
    pub width: u16,
    pub height: u16,
    /// 1 is grey, 3 is in colour.
    pub components: u8,
    /// It comes in several scans.
    pub progressive: bool,
}

/// Why it is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoJpeg {
    #[error("this is no JPEG: it begins with {0}")]
    Other(&'static str),
    #[error("the JPEG is cut off")]
    CutOff,
    #[error("the JPEG has a wrong {0}")]
    Wrong(&'static str),
}

// === impl JpegFacts ===

impl JpegFacts {
    /// Looks at a whole JPEG.
    ///
    /// # Errors
    ///
    /// When it is none, or its end is missing.
    pub fn of(bytes: &[u8]) -> Result<Self, NoJpeg> {
        let Some(segments) = bytes.strip_prefix(&[0xFF, 0xD8]) else {
            return Err(NoJpeg::Other(beginning(bytes)));
        };
        let facts = of_segments(segments)?;
        let tail = &bytes[bytes.len().saturating_sub(PADDING)..];
        if !tail.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
            return Err(NoJpeg::CutOff);
        }
        Ok(facts)
    }

    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Up to the first scan; a frame header is before it.
fn of_segments(mut rest: &[u8]) -> Result<JpegFacts, NoJpeg> {
    let mut facts = None;
    for _ in 0..MOST_SEGMENTS {
        let (marker, after) = next_marker(rest)?;
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            // Without a length.
            rest = after;
            continue;
        }
        if marker == 0xD9 {
            return Err(NoJpeg::CutOff);
        }
        let (length, _) = after.split_first_chunk().ok_or(NoJpeg::CutOff)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            return Err(NoJpeg::Wrong("segment length"));
        }
        let (segment, after) = after.split_at_checked(length).ok_or(NoJpeg::CutOff)?;
        match marker {
            // Frame headers; C4, C8 and CC are others.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                if facts.is_some() {
                    return Err(NoJpeg::Wrong("second frame header"));
                }
                facts = Some(of_frame_header(marker, &segment[2..])?);
            }
            0xDA => return facts.ok_or(NoJpeg::Wrong("scan without a frame header")),
            _ => {}
        }
        rest = after;
    }
    Err(NoJpeg::Wrong("number of segments"))
}

/// Any number of FF may be before one.
fn next_marker(bytes: &[u8]) -> Result<(u8, &[u8]), NoJpeg> {
    let (first, mut rest) = bytes.split_first().ok_or(NoJpeg::CutOff)?;
    if *first != 0xFF {
        return Err(NoJpeg::Wrong("marker"));
    }
    loop {
        let (marker, after) = rest.split_first().ok_or(NoJpeg::CutOff)?;
        match *marker {
            0xFF => rest = after,
            0 => return Err(NoJpeg::Wrong("marker")),
            marker => return Ok((marker, after)),
        }
    }
}

fn of_frame_header(marker: u8, header: &[u8]) -> Result<JpegFacts, NoJpeg> {
    let [_precision, h1, h0, w1, w0, components, ..] = header else {
        return Err(NoJpeg::CutOff);
    };
    let (width, height) = (
        u16::from_be_bytes([*w1, *w0]),
        u16::from_be_bytes([*h1, *h0]),
    );
    if width == 0 || height == 0 {
        return Err(NoJpeg::Wrong("size of 0"));
    }
    if !(1..=4).contains(components) || header.len() < 6 + 3 * usize::from(*components) {
        return Err(NoJpeg::Wrong("number of components"));
    }
    Ok(JpegFacts {
        width,
        height,
        components: *components,
        progressive: matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE),
    })
}

/// What somebody may have sent instead, in words.
fn beginning(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "nothing",
        [0x89, b'P', b'N', b'G', ..] => "a PNG",
        [b'G', b'I', b'F', ..] => "a GIF",
        [b'R', b'I', b'F', b'F', ..] => "a RIFF file, as WebP is",
        [0, 0, 0, _, b'f', b't', b'y', b'p', ..] => "an MP4 or HEIF",
        [b'<', ..] => "a tag, as HTML and XML do",
        [b'{', ..] => "a brace, as JSON does",
        _ => "other bytes",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least that has all markers.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2];
        bytes.extend([0xFF, 0xFF, 0xC0, 0, 11, 8, h1, h0, w1, w0, 1, 1, 0x11, 0]);
        bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3, 0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn a_jpeg_says_how_large_it_is() {
        let facts = JpegFacts::of(&jpeg(1920, 1080)).unwrap();
        assert_eq!((facts.width, facts.height), (1920, 1080));
        assert_eq!((facts.components, facts.progressive), (1, false));
        assert_eq!(facts.pixels(), 2_073_600);
    }

    #[test]
    fn what_is_none_is_told_apart() {
        let cut = &jpeg(8, 8)[..40.min(jpeg(8, 8).len() - 2)];
        let cases: [(&[u8], NoJpeg); 6] = [
            (b"", NoJpeg::Other("nothing")),
            (b"<html>", NoJpeg::Other("a tag, as HTML and XML do")),
            (b"\x89PNG\r\n", NoJpeg::Other("a PNG")),
            (&[0xFF, 0xD8, 0xFF], NoJpeg::CutOff),
            (cut, NoJpeg::CutOff),
            (&jpeg(0, 8), NoJpeg::Wrong("size of 0")),
        ];
        for (bytes, error) in cases {
            assert_eq!(JpegFacts::of(bytes), Err(error), "{bytes:x?}");
        }
    }

    #[test]
    fn a_camera_may_fill_up_behind_the_end() {
        let mut bytes = jpeg(8, 8);
        bytes.resize(bytes.len() + 1000, 0);
        assert!(JpegFacts::of(&bytes).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..512), at in 0usize..40, value: u8) {
            let _ = JpegFacts::of(&bytes);
            let mut bent = jpeg(640, 480);
            let at = at % bent.len();
            bent[at] = value;
            let _ = JpegFacts::of(&bent);
            let _ = JpegFacts::of(&bent[..at]);
        }
    }
}
