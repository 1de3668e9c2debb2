//! Why there is no stream: a ladder of rungs from the name to the frames, each in words for people and with what follows for the supervisor.

use std::{io, time::Duration};

use crate::address::Forbidden;

/// What the supervisor does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It may come back by itself: try again.
    Lost,
    /// The camera says no to who we are: trying again soon may lock the account. Wait long, or for a person.
    Refused,
    /// It cannot work before somebody changes a setting here or at the camera.
    Misconfigured,
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rung {
    Name,
    Connection,
    Tls,
    Credentials,
    Stream,
    Codec,
    Keyframe,
    Frames,
}

/// A part of an attempt that has a time limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Resolve,
    Connect,
    Tls,
    Describe,
    Setup,
    Play,
    /// An HTTP request.
    Request,
}

/// What is wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error(
        "its certificate comes from nobody we trust; give the camera's certificate or its authority's, or pin its fingerprint"
    )]
    UnknownIssuer,
    #[error(
        "its certificate has expired, or the clock here or there is wrong; renew it, or pin its fingerprint"
    )]
    Expired,
    #[error(
        "its certificate is for another name; use that name in the address, or pin the certificate's fingerprint"
    )]
    OtherName,
    #[error(
        "its certificate is not the pinned one: the camera was exchanged or renewed its certificate, or somebody is in between"
    )]
    NotPinned,
    #[error(
        "it signed its certificate itself, as cameras do; compare its fingerprint at the camera and pin it"
    )]
    SelfSigned,
    #[error("it does not speak TLS at this port; use rtsp:// or http://, or its TLS port")]
    NoTls,
    #[error("the trust given here is of no use: {0}")]
    Trust(String),
    #[error("{0}")]
    Other(String),
}

/// Why an attempt or a stream ended. No variant holds a password, and no text shows one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    #[error("the name {host} cannot be resolved ({why}); check its spelling and the name server")]
    NameNotFound { host: String, why: String },
    #[error("{place} may not be connected to: {why}")]
    Forbidden { place: String, why: Forbidden },
    #[error(
        "nobody listens at {place}; check the port, and whether the camera has RTSP or HTTP switched on"
    )]
    ConnectionRefused { place: String },
    #[error("there is no way to {place}: {why}; check the network and that the camera is on")]
    Unreachable { place: String, why: String },
    #[error("{place} did not finish `{}` within {limit:?}; check that the camera is on and not overloaded", step.as_str())]
    TimedOut {
        place: String,
        step: Step,
        limit: Duration,
    },
    #[error("TLS with {place} failed: {fault}{}", told(fingerprint.as_deref()))]
    Tls {
        place: String,
        fault: TlsFault,
        /// The SHA-256 of the certificate that it showed, if it came so far: 64 hexadecimal digits to compare and to pin.
        fingerprint: Option<String>,
    },
    #[error("the camera asks for a user and a password, and none are set")]
    NoCredentials,
    #[error(
        "the camera does not accept the user or the password; correct them (it may lock the account after some attempts)"
    )]
    WrongPassword,
    #[error("the camera forbids it ({status}): the account is locked or may not see this stream")]
    Locked { status: u16 },
    #[error(
        "the camera takes the password only as readable text (Basic); use rtsps:// or https://, switch Digest on in the camera, or allow Basic"
    )]
    BasicOnly,
    #[error("the camera asks for a way to sign in that is not spoken here: {0}")]
    SignInUnknown(String),
    #[error(
        "the camera has no stream at this path ({status}); check the path, for instance by ONVIF"
    )]
    NoSuchStream { status: u16 },
    #[error(
        "the camera points to another place, which is not followed; enter the stream's final address"
    )]
    Redirected,
    #[error("the camera does not send over {0} (461); choose the other transport")]
    TransportRefused(&'static str),
    #[error("datagrams of rtsps:// would not be encrypted; choose TCP")]
    UdpWithTls,
    #[error(
        "not one datagram came within {0:?}: a firewall is in between, or the camera cannot reach this gateway; choose TCP"
    )]
    NoDatagrams(Duration),
    #[error("the camera has no room for another viewer ({status} {reason})")]
    Busy { status: u16, reason: String },
    #[error("the camera answered {method} with {status} {reason}")]
    Status {
        method: String,
        status: u16,
        reason: String,
    },
    #[error("the stream has no pictures; it offers {offers}")]
    NoPicture { offers: String },
    #[error(
        "the pictures are coded as {offers}, which is not spoken here; set the camera to H.264, H.265 or MJPEG"
    )]
    CodecUnknown { offers: String },
    #[error("a picture is claimed to be {width} × {height}, which no camera has")]
    TooLarge { width: u32, height: u32 },
    #[error(
        "no keyframe came within {0:?}; shorten the camera's keyframe interval (GOV, I-frame interval)"
    )]
    NoKeyframe(Duration),
    #[error("the connection is open but no picture came for {0:?}; the camera hangs")]
    Stalled(Duration),
    #[error("the camera ended the stream: {0}")]
    Ended(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the camera sent what is not understood: {0}")]
    Garbage(String),
}

fn told(fingerprint: Option<&str>) -> String {
    fingerprint.map_or_else(String::new, |digits| format!(" (SHA-256 {digits})"))
}

// === impl StreamError ===

impl StreamError {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NameNotFound { .. }
            | Self::ConnectionRefused { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Busy { .. }
            | Self::NoKeyframe(_)
            | Self::Stalled(_)
            | Self::NoDatagrams(_)
            | Self::Ended(_)
            | Self::Broken(_)
            | Self::Garbage(_)
            | Self::Status { .. } => Kind::Lost,
            Self::NoCredentials | Self::WrongPassword | Self::Locked { .. } => Kind::Refused,
            Self::Tls { fault, .. } => match fault {
                TlsFault::Other(_) => Kind::Lost,
                TlsFault::NotPinned => Kind::Refused,
                _ => Kind::Misconfigured,
            },
            Self::Forbidden { .. }
            | Self::BasicOnly
            | Self::SignInUnknown(_)
            | Self::NoSuchStream { .. }
            | Self::Redirected
            | Self::TransportRefused(_)
            | Self::UdpWithTls
            | Self::NoPicture { .. }
            | Self::CodecUnknown { .. }
            | Self::TooLarge { .. } => Kind::Misconfigured,
        }
    }

    /// How far it came.
    #[must_use]
    pub fn rung(&self) -> Rung {
        match self {
            Self::NameNotFound { .. } => Rung::Name,
            Self::Forbidden { .. } | Self::ConnectionRefused { .. } | Self::Unreachable { .. } => {
                Rung::Connection
            }
            Self::TimedOut { step, .. } => step.rung(),
            Self::Tls { .. } => Rung::Tls,
            Self::NoCredentials
            | Self::WrongPassword
            | Self::Locked { .. }
            | Self::BasicOnly
            | Self::SignInUnknown(_) => Rung::Credentials,
            Self::NoSuchStream { .. }
            | Self::Redirected
            | Self::TransportRefused(_)
            | Self::UdpWithTls
            | Self::Busy { .. }
            | Self::Status { .. } => Rung::Stream,
            Self::NoPicture { .. } | Self::CodecUnknown { .. } | Self::TooLarge { .. } => {
                Rung::Codec
            }
            Self::NoKeyframe(_) => Rung::Keyframe,
            Self::NoDatagrams(_)
            | Self::Stalled(_)
            | Self::Ended(_)
            | Self::Broken(_)
            | Self::Garbage(_) => Rung::Frames,
        }
    }

    /// What a system's error on an open connection means.
    pub(crate) fn broken(error: &io::Error) -> Self {
        use io::ErrorKind as E;
        match error.kind() {
            E::UnexpectedEof | E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe => {
                Self::Ended("it closed the connection".to_owned())
            }
            _ => Self::Broken(error.to_string()),
        }
    }
}

// === impl Rung ===

impl Rung {
    /// From the lowest to the highest.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Connection,
        Self::Tls,
        Self::Credentials,
        Self::Stream,
        Self::Codec,
        Self::Keyframe,
        Self::Frames,
    ];

    /// As it is called in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Credentials => "credentials",
            Self::Stream => "stream",
            Self::Codec => "codec",
            Self::Keyframe => "keyframe",
            Self::Frames => "frames",
        }
    }
}

// === impl Step ===

impl Step {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Request => "request",
        }
    }

    fn rung(self) -> Rung {
        match self {
            Self::Resolve => Rung::Name,
            Self::Connect => Rung::Connection,
            Self::Tls => Rung::Tls,
            Self::Describe | Self::Setup | Self::Play | Self::Request => Rung::Stream,
        }
    }
}
