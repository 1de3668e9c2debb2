//! Why a device did not do what was asked, by what the caller does next.

use crate::words::{shown, span};

/// What went wrong, where, and what helps. No variant carries a password, a digest or a nonce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Nobody there, or silence: try again later.
    #[error("{at} does not answer: {why}")]
    Unreachable { at: String, why: String },
    /// It is there, and cannot just now: try again later.
    #[error("{at} is busy or in trouble: {why}")]
    Busy { at: String, why: String },
    /// Other credentials are needed before it makes sense to try again.
    #[error("{at} refuses the sign-in: {why}")]
    Denied { at: String, why: String },
    /// The device counts failed sign-ins: each further one makes it last longer.
    #[error(
        "{at} has locked the account after failed sign-ins: {why}; wait, or unlock it in the device"
    )]
    Locked { at: String, why: String },
    /// The device's clock, or ours, must be set before a sign-in can be believed.
    #[error(
        "{at} refuses the sign-in because of the time: its clock is {} ours; set the device's clock, best by NTP",
        off(*drift_seconds)
    )]
    ClockOff { at: String, drift_seconds: i64 },
    /// Another address is needed.
    #[error(
        "{at} is no ONVIF device: {why}; check the address and the port, and that ONVIF is switched on in the device"
    )]
    NotOnvif { at: String, why: String },
    /// The device cannot do this, ever.
    #[error("{at} does not support {operation}")]
    NotSupported { at: String, operation: String },
    /// The device takes no such request; another one may do.
    #[error("{at} refuses {operation}: {why}")]
    Refused {
        at: String,
        operation: String,
        why: String,
    },
    /// An answer that cannot be read; trying again seldom helps.
    #[error("{at} answers {operation} with what cannot be read: {why}")]
    Garbage {
        at: String,
        operation: String,
        why: String,
    },
    /// The settings make no sense; nothing was sent.
    #[error("{0}")]
    Misconfigured(String),
}

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again soon.
    Retry,
    /// Try again slowly, or when the settings change.
    Wait,
    /// Do without.
    Skip,
}

// === impl DeviceError ===

impl DeviceError {
    #[must_use]
    pub fn next(&self) -> Next {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => Next::Retry,
            Self::Denied { .. }
            | Self::Locked { .. }
            | Self::ClockOff { .. }
            | Self::NotOnvif { .. }
            | Self::Misconfigured(_) => Next::Wait,
            Self::NotSupported { .. } | Self::Refused { .. } | Self::Garbage { .. } => Next::Skip,
        }
    }

    /// It is about who signs in.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Denied { .. } | Self::Locked { .. } | Self::ClockOff { .. }
        )
    }

    pub(crate) fn refused(at: &str, operation: &str, why: &str) -> Self {
        Self::Refused {
            at: at.to_owned(),
            operation: operation.to_owned(),
            why: shown(why),
        }
    }

    pub(crate) fn garbage(at: &str, operation: &str, why: &str) -> Self {
        Self::Garbage {
            at: at.to_owned(),
            operation: operation.to_owned(),
            why: shown(why),
        }
    }
}

fn off(drift_seconds: i64) -> String {
    let way = if drift_seconds < 0 {
        "behind"
    } else {
        "ahead of"
    };
    format!("{} {way}", span(drift_seconds.unsigned_abs()))
}
