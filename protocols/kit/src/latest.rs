//! `Latest`: the last values of points, also of other sources, for a source that keeps with something what was measured at that moment.

use std::{fmt, sync::Arc};

use fieldgate_model::{Pattern, Reading};

/// The gateway's last values, as a source may look at them.
pub trait LastValues: Send + Sync + 'static {
    /// The last reading of each point that one of the patterns takes, in the order of their ids, at most `limit`.
    fn of(&self, patterns: &[Pattern], limit: usize) -> Vec<Reading>;
}

/// A way to look; there is nothing to see by default. Cloning shares it.
#[derive(Clone, Default)]
pub struct Latest(Option<Arc<dyn LastValues>>);

// === impl Latest ===

impl Latest {
    #[must_use]
    pub fn new(values: impl LastValues) -> Self {
        Self(Some(Arc::new(values)))
    }

    /// As [`LastValues::of`].
    #[must_use]
    pub fn of(&self, patterns: &[Pattern], limit: usize) -> Vec<Reading> {
        let values = self.0.as_ref();
        values.map_or_else(Vec::new, |values| values.of(patterns, limit))
    }
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Latest").finish_non_exhaustive()
    }
}
