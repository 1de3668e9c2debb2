//! `QueueTail`: what the queue has of one source since a moment, for a source that begins again after a crash.

use std::sync::Arc;

use fieldgate_kit::accepted::Queued;
use fieldgate_model::{Reading, Timestamp};
use fieldgate_store::{Lane, PeekLimits, RouteMask, Seq, StoreError};
use futures::{FutureExt, future::BoxFuture};

use crate::{
    lanes::{LaneKind, Lanes},
    pipeline::frame,
};

/// Records of one page.
const PAGE: PeekLimits = PeekLimits {
    records: 4096,
    bytes: 4 << 20,
};
/// The most records of a lane that are looked at; what is behind them is not told, and costs its source repeats.
const MAX_RECORDS: usize = 2_000_000;

/// The lanes as one source may look into them.
pub struct QueueTail {
    lanes: Lanes,
    source: Arc<str>,
}

// === impl QueueTail ===

impl QueueTail {
    #[must_use]
    pub fn new(lanes: &Lanes, source: &Arc<str>) -> Self {
        Self {
            lanes: lanes.clone(),
            source: Arc::clone(source),
        }
    }

    async fn tell(
        &self,
        lane: &Lane,
        moment: Timestamp,
        each: &mut (dyn FnMut(Reading) + Send),
    ) -> Result<(), StoreError> {
        let found = lane.find(moment.millis(), i64::MAX, RouteMask::ALL).await?;
        let Some(found) = found else {
            return Ok(());
        };
        let mut after = Seq(found.first.0.saturating_sub(1));
        let mut looked_at = 0;
        while after < found.last && looked_at < MAX_RECORDS {
            let page = lane.peek(after, RouteMask::ALL, PAGE).await?;
            if page.scanned_through <= after {
                break;
            }
            after = page.scanned_through;
            looked_at += page.records.len();
            for record in &page.records {
                let frame = record.body.bytes().ok().map(|body| frame::open(body));
                // What comes by a second time is of another day.
                if let Some(Ok(frame)) = frame
                    && frame.origin.is_none()
                    && frame.reading.point.source() == &*self.source
                {
                    each(frame.reading);
                }
            }
        }
        Ok(())
    }
}

impl Queued for QueueTail {
    fn since<'a>(
        &'a self,
        moment: Timestamp,
        each: &'a mut (dyn FnMut(Reading) + Send),
    ) -> BoxFuture<'a, ()> {
        async move {
            for kind in LaneKind::ALL {
                let lane = self.lanes.get(kind);
                if let Err(error) = self.tell(lane, moment, each).await {
                    tracing::warn!(source = %self.source, lane = kind.as_str(), %error, "the queue cannot be asked what it has; what it has may come again");
                }
            }
        }
        .boxed()
    }
}
