//! The size of a JPEG, read from its frame header (ITU-T T.81 clause B.2.2) without decoding anything.

/// Width and height in pixels; `None` when these bytes are no JPEG with a frame header.
#[must_use]
pub fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let [0xFF, marker, after @ ..] = rest else {
            return None;
        };
        match marker {
            // Fill bytes, and markers that stand alone.
            0xFF => rest = &rest[1..],
            0x01 | 0xD0..=0xD7 => rest = after,
            // Start of scan, end of image: there is no frame header before them.
            0xD9 | 0xDA => return None,
            _ => {
                let [high, low, ..] = after else { return None };
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let segment = after.get(2..length)?;
                if is_frame(*marker) {
                    return frame_size(segment);
                }
                rest = &after[length..];
            }
        }
    }
}

/// It begins and ends as a JPEG, and its header tells a size.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    // Some cameras pad what follows the end.
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    bytes[..end].ends_with(&[0xFF, 0xD9]) && size(bytes).is_some()
}

/// SOF0 to SOF15, without the markers between them that mean something else.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
}

fn frame_size(segment: &[u8]) -> Option<(u32, u32)> {
    let [_precision, h1, h0, w1, w0, ..] = segment else {
        return None;
    };
    let (height, width) = (
        u16::from_be_bytes([*h1, *h0]),
        u16::from_be_bytes([*w1, *w0]),
    );
    (height > 0 && width > 0).then_some((width.into(), height.into()))
}

/// The smallest that passes: for tests of what carries JPEGs.
#[cfg(test)]
pub(crate) fn small(width: u16, height: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8];
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&[1, 1, 0x11, 0]);
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&[0xFF, 0xD9]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(&small(640, 480, b"")), Some((640, 480)));
        let mut app = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF];
        app.extend_from_slice(&small(1920, 1080, b"")[2..]);
        assert_eq!(size(&app), Some((1920, 1080)));
        for no in [
            &b""[..],
            b"\xFF\xD8",
            b"\xFF\xD8\xFF\xD9",
            b"\xFF\xD8\xFF\xC0\x00\x00",
            b"\xFF\xD8\xFF\xC0\x00\x02\xFF\xD9",
            b"\xFF\xD8\xFF\xE0\xFF\xFF\x00",
            b"GIF89a",
        ] {
            assert_eq!(size(no), None, "{no:?}");
        }
        assert!(is_whole(&small(1, 1, b"x")));
        assert!(!is_whole(&small(1, 1, b"x")[..15]));
    }
}
