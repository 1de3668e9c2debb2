//! Frames for tests: pictures and sound with times that are chosen.

use std::sync::Arc;

use bytes::Bytes;
use fieldgate_media::{Codec, Frame, Track};
use fieldgate_model::Timestamp;

fn track(codec: Codec) -> Arc<Track> {
    Arc::new(Track {
        codec,
        rfc6381: String::new(),
        width: 64,
        height: 48,
        timescale: 25,
        channels: 0,
        sample_entry: Bytes::new(),
        config: Bytes::new(),
    })
}

fn frame(codec: Codec, pts: i64, key: bool) -> Frame {
    Frame {
        track: track(codec),
        seen: Timestamp::from_nanos(pts * 40_000_000),
        pts,
        key,
        data: Bytes::from_static(b"\0\0\0\x01\x65"),
    }
}

/// A picture of a stream with 25 a second.
pub(crate) fn picture(pts: i64, key: bool) -> Frame {
    frame(Codec::H264, pts, key)
}

pub(crate) fn sound(pts: i64) -> Frame {
    frame(Codec::Aac, pts, true)
}
