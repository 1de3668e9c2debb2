//! What goes into a lane and what comes out: a body, the routes it belongs to, and when it was accepted.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    spool,
    types::{RouteMask, Seq},
};

/// When a record was accepted, in words that stay true when the wall clock was wrong: whoever knows how the boot's clock
/// stood to the wall clock can tell the time later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The first 8 bytes of the kernel's boot id; 0 when it is not known.
    pub boot: u64,
    /// Milliseconds of `CLOCK_BOOTTIME`.
    pub since_boot_ms: u64,
    /// What the wall clock said then, right or wrong: milliseconds since 1970-01-01 UTC.
    pub wall_ms: i64,
}

/// What is appended: one framed reading and the routes it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub routes: RouteMask,
    pub at: Stamp,
    /// At most [`crate::MAX_BODY_BYTES`] bytes, and at most a quarter of the lane's `max_bytes`.
    pub body: Bytes,
}

/// What is read back: an [`Entry`] with its place in the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub seq: Seq,
    pub routes: RouteMask,
    pub at: Stamp,
    pub body: Body,
}

/// The bytes of a record, or why they cannot be had any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Bytes(Bytes),
    Missing(Missing),
}

/// Why one record's bytes are gone, while the record itself is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {len} bytes cannot be read back: {why}")]
pub struct Missing {
    /// How many there were.
    pub len: usize,
    pub why: Arc<str>,
    /// They are in a file that was not read yet; so within the store only.
    pub(crate) spooled: Option<spool::Hash>,
}

// === impl Stamp ===

impl Stamp {
    /// The wall clock alone, where nothing is known of the boot.
    pub fn from_wall(wall_ms: i64) -> Stamp {
        Stamp {
            boot: 0,
            since_boot_ms: 0,
            wall_ms,
        }
    }

    /// How the wall clock stood to the boot's clock.
    pub(crate) fn offset_ms(self) -> i64 {
        self.wall_ms.wrapping_sub(self.since_boot_ms as i64)
    }
}

// === impl Record ===

impl Record {
    /// Nothing but the place of a record that was thinned: for nobody, and without a body.
    pub(crate) fn is_place(&self) -> bool {
        self.routes.is_empty() && self.body.is_empty()
    }
}

// === impl Missing ===

impl Missing {
    pub(crate) fn spooled(len: usize, hash: spool::Hash) -> Missing {
        Missing {
            len,
            why: "its file was not read".into(),
            spooled: Some(hash),
        }
    }

    pub(crate) fn for_good(len: usize, why: String) -> Missing {
        Missing {
            len,
            why: why.into(),
            spooled: None,
        }
    }
}

// === impl Body ===

impl Body {
    /// # Errors
    /// When they cannot be had: the record is to be counted as refused for that reason, what follows it is not concerned.
    pub fn bytes(&self) -> Result<&Bytes, &Missing> {
        match self {
            Body::Bytes(bytes) => Ok(bytes),
            Body::Missing(missing) => Err(missing),
        }
    }

    /// How long the body is, or was.
    pub fn len(&self) -> usize {
        match self {
            Body::Bytes(bytes) => bytes.len(),
            Body::Missing(missing) => missing.len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::Bytes(bytes.into())
    }
}

impl PartialEq<Bytes> for Body {
    fn eq(&self, other: &Bytes) -> bool {
        matches!(self, Body::Bytes(bytes) if bytes == other)
    }
}
