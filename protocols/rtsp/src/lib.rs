//! The streams of cameras: RTSP over TCP, UDP and TLS, pictures over HTTP, their statistics, and a stream passed on to others.
//!
//! One attempt is [`open`]: it ends with frames or with a [`StreamError`], which says on which rung of the ladder it ended and
//! what a person can do about it. Nothing here retries, starts a task or keeps a password longer than its stream lives.
//!
//! ```text
//! camera ══ TCP, TLS, UDP ══ wire (guards, signs, measures) ── loopback ── retina (RTSP, RTP, depackets) ── Stream
//! camera ══ TCP, TLS ══ http (multipart, JPEG) ─────────────────────────────────────────────────────────── Stream
//! frames of anybody ── restream (packets, Digest) ══ TCP ══ others on the LAN
//! ```

mod address;
mod client;
mod clock;
mod connect;
mod error;
mod http;
mod jpeg;
mod mask;
mod options;
mod pts;
mod random;
pub mod restream;
mod sign;
mod stats;
mod stream;
mod tls;
mod wire;

pub use address::{
    Address, AddressError, Credentials, Forbidden, Reach, Scheme, permit, stays_on_host,
};
pub use error::{Kind, Rung, Step, StreamError, TlsFault};
pub use http::snapshot;
pub use options::{Basic, Limits, Options, Sound, Transport, Trust};
pub use stats::{Meter, Report, TrackStats};
pub use stream::{Item, Stream, open};

/// What fuzzing reaches beside the public interface.
#[doc(hidden)]
pub mod fuzzed {
    pub use crate::{
        http::multipart::{Multipart, Part},
        jpeg::size as jpeg_size,
        restream::request::{Incoming, Request, parse as parse_request},
        wire::{
            head::{Head, Start, parse as parse_head},
            sdp::check as check_sdp,
        },
    };
}
