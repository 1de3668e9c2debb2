//! `Accepted`: what of a source's readings is durable already, asked of the queue itself, so that a source that was cut
//! off by a crash can tell what it still owes.

use std::{fmt, sync::Arc};

use fieldgate_model::{Reading, Timestamp};
use futures::future::BoxFuture;

/// The queue, as one source may look into it.
pub trait Queued: Send + Sync + 'static {
    /// Hands the source's readings over that became durable at that moment (by the gateway's clock) or later and are
    /// still there, in the order in which they were accepted for each lane. Steps of routes may have changed their
    /// values, and left some out.
    fn since<'a>(
        &'a self,
        moment: Timestamp,
        each: &'a mut (dyn FnMut(Reading) + Send),
    ) -> BoxFuture<'a, ()>;
}

/// A way to ask; nobody answers by default. Cloning shares it.
#[derive(Clone, Default)]
pub struct Accepted(Option<Arc<dyn Queued>>);

// === impl Accepted ===

impl Accepted {
    #[must_use]
    pub fn new(queued: impl Queued) -> Self {
        Self(Some(Arc::new(queued)))
    }

    /// As [`Queued::since`]; nothing where there is no queue.
    pub async fn since(&self, moment: Timestamp, each: &mut (dyn FnMut(Reading) + Send)) {
        if let Some(queued) = &self.0 {
            queued.since(moment, each).await;
        }
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Accepted").finish_non_exhaustive()
    }
}
