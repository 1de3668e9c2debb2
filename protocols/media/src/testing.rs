//! Tracks and frames for this crate's tests: no picture, but all that a container needs to know of one.

use std::sync::Arc;

use bytes::Bytes;
use fieldgate_model::Timestamp;

use crate::{Codec, Frame, Track, h264};

/// 640 × 480 of H.264, 90 kHz.
pub(crate) fn pictures() -> Arc<Track> {
    let sps = h264::tests::Written::of((40, 30)).unit();
    Arc::new(h264::track(&sps, &[0x68, 0xCE, 0x38, 0x80]).unwrap())
}

/// The same at another size.
pub(crate) fn other_pictures() -> Arc<Track> {
    let sps = h264::tests::Written::of((20, 15)).unit();
    Arc::new(h264::track(&sps, &[0x68, 0xCE, 0x38, 0x80]).unwrap())
}

/// AAC of 48 kHz in stereo, its `mp4a` with an elementary stream descriptor.
pub(crate) fn sound() -> Arc<Track> {
    let mut entry = Vec::new();
    entry.extend([0, 0, 0, 0, b'm', b'p', b'4', b'a', 0, 0, 0, 0, 0, 0, 0, 1]);
    entry.extend([0; 8]);
    entry.extend([0, 2, 0, 16, 0, 0, 0, 0]);
    entry.extend((48_000u32 << 16).to_be_bytes());
    entry.extend([0, 0, 0, 39, b'e', b's', b'd', b's', 0, 0, 0, 0]);
    entry.extend([3, 25, 0, 1, 0, 4, 17, 0x40, 0x15]);
    entry.extend([0; 11]);
    entry.extend([5, 2, 0x11, 0x90, 6, 1, 2]);
    let size = u32::try_from(entry.len()).unwrap();
    entry[..4].copy_from_slice(&size.to_be_bytes());
    Arc::new(Track {
        codec: Codec::Aac,
        rfc6381: "mp4a.40.2".to_owned(),
        width: 0,
        height: 0,
        timescale: 48_000,
        channels: 2,
        sample_entry: entry.into(),
        config: Bytes::from_static(&[0x11, 0x90]),
    })
}

/// What no MP4 holds.
pub(crate) fn telephone() -> Arc<Track> {
    Arc::new(Track {
        codec: Codec::OtherSound,
        rfc6381: String::new(),
        width: 0,
        height: 0,
        timescale: 8_000,
        channels: 1,
        sample_entry: Bytes::new(),
        config: Bytes::new(),
    })
}

/// A frame that many milliseconds after the stream's start, which is at second 1,000.
pub(crate) fn frame(track: &Arc<Track>, millis: i64, key: bool, length: usize) -> Frame {
    Frame {
        track: track.clone(),
        seen: Timestamp::from_millis(1_000_000 + millis),
        pts: millis * i64::from(track.timescale) / 1000,
        key,
        data: vec![u8::try_from(millis % 251).unwrap(); length].into(),
    }
}

/// 25 pictures a second, the first of each second a keyframe.
pub(crate) fn film(track: &Arc<Track>, from: i64, seconds: i64, length: usize) -> Vec<Frame> {
    (0..25 * seconds)
        .map(|number| frame(track, from + 40 * number, number % 25 == 0, length))
        .collect()
}
