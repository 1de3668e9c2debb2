//! A test pattern of colour bars, coded as H.264 by openh264's encoder, and what a JPEG of it shows.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use bytes::Bytes;
use fieldgate_media::{
    Codec, Frame, Track,
    h264::{self, unit},
    worker::{Job, PictureWish, Want},
};
use fieldgate_model::Timestamp;
use openh264::{
    OpenH264API,
    encoder::{Encoder, EncoderConfig, IntraFramePeriod, VuiConfig},
    formats::{RgbSliceU8, YUVBuffer},
};
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

/// White, yellow, cyan, green, magenta, red, blue, black, from left to right.
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

/// A stream: its track and its frames, 25 a second, the first of each second a keyframe.
pub struct Film {
    pub track: Arc<Track>,
    pub frames: Vec<Frame>,
}

/// Bars over the whole picture, and a white square that goes to the right.
pub fn film(width: usize, height: usize, frames: usize) -> Film {
    let config = EncoderConfig::new()
        .intra_frame_period(IntraFramePeriod::from_num_frames(25))
        .skip_frames(false)
        .scene_change_detect(false)
        .vui(VuiConfig::bt601());
    let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config).unwrap();
    let mut track = None;
    let mut film = Vec::new();
    for number in 0..frames {
        let rgb = bars(width, height, number);
        let source = YUVBuffer::from_rgb_source(RgbSliceU8::new(&rgb, (width, height)));
        let coded = encoder.encode(&source).unwrap().to_vec();
        let units: Vec<&[u8]> = h264::parts(&coded)
            .map(trimmed)
            .filter(|unit| !unit.is_empty())
            .collect();
        let of = |kind| {
            units
                .iter()
                .find(|unit| h264::unit_type(unit) == Some(kind))
        };
        if let (Some(sps), Some(pps), None) = (of(unit::SPS), of(unit::PPS), &track) {
            track = Some(Arc::new(h264::track(sps, pps).unwrap()));
        }
        let slices: Vec<&[u8]> = units
            .iter()
            .copied()
            .filter(|unit| matches!(h264::unit_type(unit), Some(unit::SLICE | unit::IDR_SLICE)))
            .collect();
        let at = i64::try_from(number).unwrap() * 40;
        film.push(Frame {
            track: track.clone().unwrap(),
            seen: Timestamp::from_millis(1_700_000_000_000 + at),
            pts: at * 90,
            key: of(unit::IDR_SLICE).is_some(),
            data: h264::framed(&slices),
        });
    }
    Film {
        track: track.unwrap(),
        frames: film,
    }
}

/// Zeros before a start code belong to it.
fn trimmed(unit: &[u8]) -> &[u8] {
    let end = unit
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    &unit[..end]
}

pub fn bars(width: usize, height: usize, number: usize) -> Vec<u8> {
    let side = height / 6;
    let left = (number * 4) % (width - side);
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let square = number > 0 && (left..left + side).contains(&x) && y < side;
            rgb.extend(if square {
                [255; 3]
            } else {
                BARS[x * 8 / width]
            });
        }
    }
    rgb
}

/// A job for a film's first frame.
pub fn job(film: &Film, want: Want) -> Job {
    Job {
        codec: film.track.codec,
        config: film.track.config.clone(),
        frame: film.frames[0].data.clone(),
        want,
    }
}

pub fn jpeg_job(jpeg: Bytes, want: Want) -> Job {
    Job {
        codec: Codec::Mjpeg,
        config: Bytes::new(),
        frame: jpeg,
        want,
    }
}

pub fn picture(width: u16, height: u16) -> Want {
    Want {
        picture: Some(PictureWish {
            width,
            height,
            quality: 90,
        }),
        luma: None,
    }
}

/// Decodes a JPEG, and says whether each bar has its colour in its middle.
pub fn assert_bars(jpeg: &[u8], size: (u16, u16)) {
    let mut decoder = JpegDecoder::new(ZCursor::new(jpeg));
    let rgb = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    assert_eq!((width, height), (size.0.into(), size.1.into()));
    for (bar, expected) in BARS.iter().enumerate() {
        let x = (2 * bar + 1) * width / 16;
        let at = 3 * (height / 2 * width + x);
        let found = &rgb[at..at + 3];
        let near = found
            .iter()
            .zip(expected)
            .all(|(one, other)| one.abs_diff(*other) <= 8);
        assert!(near, "bar {bar}: {found:?} for {expected:?}");
    }
}
