//! A test pattern of colour bars, coded as H.264, and what a JPEG of it shows.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

use bytes::Bytes;
pub use fieldgate_media::pattern::{BARS, Film, bars};
use fieldgate_media::{
    Codec, pattern,
    worker::{Job, PictureWish, Want},
};
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

/// As [`pattern::film`], 25 a second.
pub fn film(width: usize, height: usize, frames: usize) -> Film {
    pattern::film((width, height), frames, 25).unwrap()
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
