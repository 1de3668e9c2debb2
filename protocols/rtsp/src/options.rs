//! How a stream is opened: transport, trust, what is taken of it, and the limits of every wait and every size.

use std::time::Duration;

use crate::address::Reach;

/// How a stream is opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub transport: Transport,
    pub sound: Sound,
    pub basic: Basic,
    pub trust: Trust,
    pub reach: Reach,
    pub limits: Limits,
}

/// How RTP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// What works most often: TCP.
    #[default]
    Auto,
    /// Interleaved with RTSP in one connection, RFC 2326 clause 10.12.
    Tcp,
    /// Datagrams: less delay where packets are lost, and pictures with holes.
    Udp,
}

/// Whether a stream's sound is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sound {
    #[default]
    Take,
    Leave,
}

/// Whether the password may be sent as readable text when nothing else is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basic {
    #[default]
    OverTlsOnly,
    Anywhere,
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The authorities that the operating system trusts.
    #[default]
    System,
    /// Certificates in PEM: an authority's, or the camera's own.
    Authority(Vec<u8>),
    /// The one certificate with this SHA-256, whoever signed it, whatever name and end it has.
    Pinned([u8; 32]),
}

/// The limits of an attempt and of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub resolve: Duration,
    pub connect: Duration,
    pub tls: Duration,
    pub describe: Duration,
    /// Of each SETUP.
    pub setup: Duration,
    pub play: Duration,
    /// Of an HTTP request until its answer begins, and of a picture that is asked for until its end.
    pub request: Duration,
    pub teardown: Duration,
    /// Without a picture.
    pub stalled: Duration,
    /// Without a keyframe.
    pub keyframe: Duration,
    /// Between two pictures that are asked for.
    pub poll: Duration,
    /// Of one picture.
    pub frame_bytes: usize,
}

/// The most bytes of a stream's description.
pub(crate) const SDP_BYTES: usize = 64 << 10;
/// The most tracks of a stream.
pub(crate) const TRACKS: usize = 8;
/// The most bytes of the head of a request or an answer.
pub(crate) const HEAD_BYTES: usize = 16 << 10;
/// The most lines of such a head.
pub(crate) const HEAD_LINES: usize = 96;
/// The longest side of a picture, in pixels, and the most pixels.
pub(crate) const SIDE: u32 = 16_384;
pub(crate) const PIXELS: u64 = 64 << 20;

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            resolve: seconds(5),
            connect: seconds(5),
            tls: seconds(8),
            describe: seconds(10),
            setup: seconds(8),
            play: seconds(10),
            request: seconds(10),
            teardown: seconds(2),
            stalled: seconds(10),
            // Cameras that save bandwidth send a keyframe every ten seconds, some every fifty.
            keyframe: seconds(60),
            poll: seconds(1),
            frame_bytes: 8 << 20,
        }
    }
}
