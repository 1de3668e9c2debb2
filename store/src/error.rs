//! What can go wrong, by what the caller does next.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::types::RouteBit;

/// A lane that would not open. Nothing was changed that a second try could not deal with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Stop: two processes must not share a lane.
    #[error(
        "the queue in {dir} is in use by another process; stop that one, or give this one another state directory"
    )]
    Locked { dir: PathBuf },
    /// Tell, and try again once the disk or the permissions are mended.
    #[error(
        "cannot {action} {path}: {source}; check the disk and that the gateway may write there"
    )]
    Disk {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Stop: the files are of a later version.
    #[error(
        "the queue in {dir} was written in format {found}, this program reads up to {known}; run the newer program"
    )]
    Newer {
        dir: PathBuf,
        found: u16,
        known: u16,
    },
}

/// An append that is not durable: none of its records was accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Append again later: the next append tries the disk afresh.
    #[error(
        "the queue could not write to {path}: {reason}; free space or mend the disk, nothing of this batch was accepted"
    )]
    Disk { path: PathBuf, reason: String },
    /// Drop and count it: this record never fits.
    #[error(
        "a record of {bytes} bytes exceeds the lane's limit of {limit}; send it in parts or raise the lane's max_bytes"
    )]
    TooLarge { bytes: usize, limit: usize },
    /// Stop.
    #[error("the queue was closed before the batch was durable")]
    Closed,
}

/// The lane was closed, or its thread is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is closed")]
pub struct Closed;

/// A request about consumers, routes or pages that could not be met.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Stop.
    #[error("the queue is closed")]
    Closed,
    /// Try again.
    #[error("the queue did not answer within {0:?}; its disk may be stalled")]
    Timeout(Duration),
    /// Try again later; what was asked holds in memory but may not survive a power cut.
    #[error("the queue could not write {path}: {reason}; free space or mend the disk")]
    Disk { path: PathBuf, reason: String },
    /// Refuse the configuration.
    #[error(
        "all 64 route bits of this lane are taken; remove a route, or wait until retired ones have drained"
    )]
    NoRouteBit,
    /// Refuse the configuration.
    #[error("route {key} (bit {}) belongs to consumer {owner}; retire it there first", .bit.0)]
    RouteTaken {
        key: String,
        bit: RouteBit,
        owner: String,
    },
    /// Choose another id.
    #[error("there is a replay {id} already; choose another id")]
    ReplayTaken { id: String },
    /// Tell: choose another range, or keep more of what was delivered.
    #[error(
        "nothing of this range is retained for these routes; choose another range, or raise the lane's keep"
    )]
    NothingToReplay,
    /// Tell: it was stopped or has ended, or never was.
    #[error("there is no replay {id}")]
    NoReplay { id: String },
    /// Register the consumer first.
    #[error("consumer {name} is not registered with this lane")]
    NoConsumer { name: String },
}

/// What an engine reports about one generation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// The disk refused: go on in a new generation.
    #[error("{action} failed in {path}: {source}")]
    Disk {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// What is there cannot be trusted: count, and set aside.
    #[error("{action} found damage in {path}: {reason}")]
    Damaged {
        action: &'static str,
        path: PathBuf,
        reason: String,
    },
    /// Somebody still holds it: wait.
    #[error("{path} is locked")]
    Locked { path: PathBuf },
}

impl EngineError {
    /// An error of the operating system. A sector or a file that cannot be read is damage: trying again will not help.
    pub fn disk(action: &'static str, path: &Path, source: io::Error) -> EngineError {
        const EIO: i32 = 5;
        if source.raw_os_error() == Some(EIO) || source.kind() == io::ErrorKind::UnexpectedEof {
            return EngineError::damaged(action, path, source.to_string());
        }
        EngineError::Disk {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// The disk has no room.
    pub fn is_full(&self) -> bool {
        matches!(self, EngineError::Disk { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }

    pub fn damaged(action: &'static str, path: &Path, reason: String) -> EngineError {
        EngineError::Damaged {
            action,
            path: path.to_owned(),
            reason,
        }
    }
}
