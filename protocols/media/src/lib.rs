//! Pictures on their way: what a camera's tracks and frames are, and what is made of them without asking anybody.
//!
//! Nothing here opens a socket. The wires (`protocols/rtsp`) make [`Frame`]s, and the camera source hands them to whoever
//! consumes them: the live view, the ring, a clip, the decoder in its process of its own.

mod clip;
mod fmp4;
pub mod h264;
pub mod h265;
mod motion;
#[cfg(feature = "sim")]
pub mod pattern;
mod picture;
mod record;
mod ring;
#[cfg(test)]
mod testing;
mod track;
pub mod worker;

pub use clip::{Clip, ClipEnd, ClipLimits, ClipStep, ClipSummary};
pub use fmp4::{Fmp4, Fmp4Error, mime};
pub use motion::{Motion, MotionChange, MotionError, MotionSettings, MotionStep, Zone};
pub use picture::{JpegFacts, NoJpeg};
pub use record::{
    Recorded, Recorder, Retention, SegmentFile, SegmentLimits, TakenUp, segment_began,
    segment_name, too_many, whole_length,
};
pub use ring::{Held, Ring, RingLimits, Stretch, same_track};
pub use track::{Codec, Frame, Track, TrackKind};
