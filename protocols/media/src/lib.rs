//! Pictures on their way: what a camera's tracks and frames are, and what is made of them without asking anybody.
//!
//! Nothing here opens a socket. The wires (`protocols/rtsp`) make [`Frame`]s, and the camera source hands them to whoever
//! consumes them: the live view, the ring, a clip, the decoder in its process of its own.

mod track;

pub use track::{Codec, Frame, Track, TrackKind};
