//! A moving test pattern as H.264: colour bars, and a white square that goes to the right. For the demonstration and for tests.

use std::sync::Arc;

use fieldgate_model::Timestamp;
use openh264::{
    OpenH264API,
    encoder::{Encoder, EncoderConfig, FrameRate, IntraFramePeriod, RateControlMode, VuiConfig},
    formats::{RgbSliceU8, YUVBuffer},
};

use crate::{
    Frame, Track,
    h264::{self, unit},
};

/// White, yellow, cyan, green, magenta, red, blue, black, from left to right: red, green and blue of each.
pub const BARS: [[u8; 3]; 8] = [
    [235, 235, 235],
    [220, 220, 20],
    [20, 220, 220],
    [20, 220, 20],
    [220, 20, 220],
    [220, 20, 20],
    [20, 20, 220],
    [16, 16, 16],
];

/// A stream: its track, and its frames from second 0 on, the first of each second a keyframe.
#[derive(Debug, Clone)]
pub struct Film {
    pub track: Arc<Track>,
    pub frames: Vec<Frame>,
}

/// So many frames of so many pixels, `per_s` of them a second. Takes some milliseconds for each frame.
///
/// # Errors
/// In words, when the encoder does not take that size.
pub fn film((width, height): (usize, usize), frames: usize, per_s: u32) -> Result<Film, String> {
    let config = EncoderConfig::new()
        .max_frame_rate(FrameRate::from_hz(f32::from(
            u16::try_from(per_s).unwrap_or(u16::MAX),
        )))
        .intra_frame_period(IntraFramePeriod::from_num_frames(per_s))
        .rate_control_mode(RateControlMode::Off)
        .skip_frames(false)
        .scene_change_detect(false)
        .vui(VuiConfig::bt601());
    let encoder = Encoder::with_api_config(OpenH264API::from_source(), config);
    let mut encoder = encoder.map_err(|error| error.to_string())?;
    let mut track = None;
    let mut film = Vec::with_capacity(frames);
    for number in 0..frames {
        let rgb = bars(width, height, number);
        let source = YUVBuffer::from_rgb_source(RgbSliceU8::new(&rgb, (width, height)));
        let coded = encoder.encode(&source).map_err(|error| error.to_string())?;
        let coded = coded.to_vec();
        let units: Vec<&[u8]> = h264::parts(&coded)
            .map(trimmed)
            .filter(|unit| !unit.is_empty())
            .collect();
        let is = |unit: &[u8], kind| h264::unit_type(unit) == Some(kind);
        let of = |kind| units.iter().find(|unit| is(unit, kind));
        let track = match (&track, of(unit::SPS), of(unit::PPS)) {
            (Some(track), _, _) => Arc::clone(track),
            (None, Some(sps), Some(pps)) => {
                let made = h264::track(sps, pps).map_err(|error| error.to_string())?;
                Arc::clone(track.insert(Arc::new(made)))
            }
            (None, _, _) => return Err("the encoder tells no parameters".to_owned()),
        };
        let slices = units.iter().copied();
        let slices: Vec<&[u8]> = slices
            .filter(|unit| is(unit, unit::SLICE) || is(unit, unit::IDR_SLICE))
            .collect();
        let at = i64::try_from(number).unwrap_or(i64::MAX) * 1000 / i64::from(per_s.max(1));
        film.push(Frame {
            seen: Timestamp::from_millis(at),
            pts: at * i64::from(track.timescale) / 1000,
            key: of(unit::IDR_SLICE).is_some(),
            data: h264::framed(&slices),
            track,
        });
    }
    let track = track.ok_or("a film has a frame at least")?;
    Ok(Film {
        track,
        frames: film,
    })
}

/// Zeros before a start code belong to it.
fn trimmed(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0);
    &unit[..end.map_or(0, |at| at + 1)]
}

/// One picture, red, green and blue of each pixel; the square is in all but picture 0.
#[must_use]
pub fn bars(width: usize, height: usize, number: usize) -> Vec<u8> {
    let side = height / 6;
    let left = (number * 4) % width.saturating_sub(side).max(1);
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let square = number > 0 && (left..left + side).contains(&x) && y < side;
            rgb.extend(if square {
                [255; 3]
            } else {
                BARS[x * BARS.len() / width]
            });
        }
    }
    rgb
}
