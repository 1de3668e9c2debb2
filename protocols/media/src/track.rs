//! `Track` and `Frame`: a stream's parts, and one picture or piece of sound of it, in the form that ISO/IEC 14496-12 files want.

use std::sync::Arc;

use bytes::Bytes;
use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

/// How pictures or sound are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// ISO/IEC 14496-10.
    H264,
    /// ISO/IEC 23008-2.
    H265,
    /// Each frame is a whole JPEG.
    Mjpeg,
    /// ISO/IEC 14496-3.
    Aac,
    /// Sound that is measured and passed over: G.711, G.722, G.726, L16, Opus and others.
    OtherSound,
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    Picture,
    Sound,
}

/// What must be known of a track before its frames mean something. A camera may change it while it sends: then a new one is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub codec: Codec,
    /// As a browser names it (RFC 6381), for instance `avc1.640028`; empty where there is no name.
    pub rfc6381: String,
    /// Pixels, 0 for sound.
    pub width: u32,
    pub height: u32,
    /// Ticks of [`Frame::pts`] in a second, at least 1.
    pub timescale: u32,
    /// Of sound, at least 1; 0 for pictures.
    pub channels: u16,
    /// The sample entry of ISO/IEC 14496-12 clause 8.5.2, a whole box such as `avc1` or `mp4a`; empty for what no MP4 holds.
    pub sample_entry: Bytes,
    /// The decoder configuration record without a box around it: `avcC` (ISO/IEC 14496-15 clause 5.3.3.1), `hvcC`, or AAC's AudioSpecificConfig.
    pub config: Bytes,
}

/// One access unit: a picture, or a piece of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Of which track; a pointer that is compared, so that a change of parameters shows.
    pub track: Arc<Track>,
    /// When the gateway had all of it.
    pub seen: Timestamp,
    /// When it was taken, in ticks of the track's timescale since the stream's start; never goes back within a stream.
    pub pts: i64,
    /// It can be decoded without any frame before it.
    pub key: bool,
    /// H.264 and H.265: NAL units, each with its length before it as four bytes, big-endian. Others: the frame's bytes.
    pub data: Bytes,
}

// === impl Codec ===

impl Codec {
    #[must_use]
    pub fn kind(self) -> TrackKind {
        match self {
            Self::H264 | Self::H265 | Self::Mjpeg => TrackKind::Picture,
            Self::Aac | Self::OtherSound => TrackKind::Sound,
        }
    }

    /// As people write it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Mjpeg => "MJPEG",
            Self::Aac => "AAC",
            Self::OtherSound => "sound",
        }
    }
}
