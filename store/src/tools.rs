//! What a lane needs to be told by whoever knows more than bytes: how old a record is, and how telemetry gets smaller.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    record::{Record, Stamp},
    types::Seq,
};

/// Tells ages.
pub trait Ages: Send + Sync {
    /// How long ago a record was accepted; `None` when the clock that would tell is not believed. Then nothing expires.
    fn age(&self, at: Stamp) -> Option<Duration>;
}

/// How far records are thinned, the gentle way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thin {
    /// What repeats the value before it goes.
    Duplicates,
    /// A few records stand for all of a minute.
    Minutes,
    /// A few stand for ten.
    TenMinutes,
    /// A few stand for an hour.
    Hours,
}

/// Says which records are told by others.
pub trait Thinner: Send + Sync {
    /// Begins with a generation.
    fn survey(&self, how: Thin) -> Box<dyn Survey>;
}

/// Looks at one generation.
pub trait Survey: Send {
    /// The next record, in order. A large body is missing here, and its record stays in any case.
    fn look(&mut self, record: &Record);
    /// The numbers of those that may go, in any order. What stays keeps its number and its bytes.
    fn gone(self: Box<Self>) -> Vec<Seq>;
}

/// What is given to [`crate::Lane::open_with`].
#[derive(Clone)]
pub struct Tools {
    pub ages: Arc<dyn Ages>,
    /// Without one a lane that is to thin drops its oldest records instead.
    pub thinner: Option<Arc<dyn Thinner>>,
}

/// Knows no ages: nothing expires.
struct NoAges;

// === impl Thin ===

impl Thin {
    pub const ALL: [Thin; 4] = [
        Thin::Duplicates,
        Thin::Minutes,
        Thin::TenMinutes,
        Thin::Hours,
    ];
}

// === impl Tools ===

impl Default for Tools {
    fn default() -> Tools {
        Tools {
            ages: Arc::new(NoAges),
            thinner: None,
        }
    }
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thinner = self.thinner.is_some();
        f.debug_struct("Tools")
            .field("thinner", &thinner)
            .finish_non_exhaustive()
    }
}

// === impl NoAges ===

impl Ages for NoAges {
    fn age(&self, _: Stamp) -> Option<Duration> {
        None
    }
}
