//! From brightness and two differences to red, green and blue: ITU-T H.273 table 4, in whole numbers of 1/65,536.

use crate::h264::{Colours, Sps};

/// Larger pictures are of high definition, where a camera that says nothing means BT.709.
const HIGH_DEFINITION: u32 = 720;

/// Weights of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Matrix {
    black: i32,
    luma: i32,
    red_of_cr: i32,
    green_of_cb: i32,
    green_of_cr: i32,
    blue_of_cb: i32,
}

// === impl Matrix ===

impl Matrix {
    pub(super) fn of(sps: &Sps) -> Self {
        let colours = match sps.colours {
            Colours::Unsaid if sps.height >= HIGH_DEFINITION => Colours::Bt709,
            Colours::Unsaid => Colours::Bt601,
            said => said,
        };
        // Weights of red and blue in the brightness.
        let (red, blue) = match colours {
            Colours::Bt709 => (0.2126, 0.0722),
            Colours::Bt2020 => (0.2627, 0.0593),
            Colours::Bt601 | Colours::Unsaid => (0.299, 0.114),
        };
        Self::new(red, blue, sps.full_range)
    }

    fn new(red: f64, blue: f64, full_range: bool) -> Self {
        let green = 1.0 - red - blue;
        let (black, luma, chroma) = if full_range {
            (0, 1.0, 1.0)
        } else {
            (16, 255.0 / 219.0, 255.0 / 224.0)
        };
        Self {
            black,
            luma: fixed(luma),
            red_of_cr: fixed(chroma * 2.0 * (1.0 - red)),
            green_of_cb: fixed(chroma * 2.0 * (1.0 - blue) * blue / green),
            green_of_cr: fixed(chroma * 2.0 * (1.0 - red) * red / green),
            blue_of_cb: fixed(chroma * 2.0 * (1.0 - blue)),
        }
    }

    pub(super) fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let y = (i32::from(y) - self.black) * self.luma;
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        [
            byte(y + cr * self.red_of_cr),
            byte(y - cb * self.green_of_cb - cr * self.green_of_cr),
            byte(y + cb * self.blue_of_cb),
        ]
    }
}

fn fixed(number: f64) -> i32 {
    // At most 2 · 65,536.
    (number * 65_536.0).round() as i32
}

fn byte(number: i32) -> u8 {
    let rounded = (number + 32_768) >> 16;
    u8::try_from(rounded.clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_come_out() {
        let limited = Matrix::new(0.299, 0.114, false);
        let high = Matrix::new(0.2126, 0.0722, false);
        let full = Matrix::new(0.299, 0.114, true);
        // As ITU-R BT.601 and BT.709 have black, white and red.
        let cases = [
            (limited, [16, 128, 128], [0, 0, 0]),
            (limited, [235, 128, 128], [255, 255, 255]),
            (limited, [81, 90, 240], [255, 0, 0]),
            (high, [63, 102, 240], [255, 1, 0]),
            (full, [0, 128, 128], [0, 0, 0]),
            (full, [255, 128, 128], [255, 255, 255]),
            (full, [76, 85, 255], [254, 0, 0]),
            (full, [255, 255, 255], [255, 121, 255]),
        ];
        for (matrix, [y, cb, cr], expected) in cases {
            let rgb = matrix.rgb(y, cb, cr);
            let near = rgb
                .iter()
                .zip(expected)
                .all(|(one, other)| i32::from(*one).abs_diff(other) <= 2);
            assert!(near, "{rgb:?} {expected:?}");
        }
    }
}
