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

#[cfg(test)]
mod tests {
    use fieldgate_model::Class;
    use fieldgate_store::{Entry, Urgency};

    use super::*;
    use crate::{
        clock::{Clock, FLOOR_MS, SimulatedTime},
        config::QueueSettings,
    };

    #[tokio::test]
    async fn a_source_hears_what_is_its_own_and_was_accepted_since() {
        let dir = tempfile::tempdir().unwrap();
        let time = Arc::new(SimulatedTime::boot(1, FLOOR_MS + 1_000_000));
        let clock = Clock::open(dir.path(), time.clone()).unwrap();
        let settings = QueueSettings::default();
        let (lanes, _) = Lanes::open(&dir.path().join("queue"), &settings, &clock).unwrap();
        let mut moments = Vec::new();
        for (second, source) in [(0, "s"), (1, "s"), (2, "t"), (3, "s"), (4, "s")] {
            moments.push(clock.stamp().wall_ms);
            let at = Timestamp::from_millis(second * 1000);
            let mut reading = Reading::new(format!("{source}/d/p").parse().unwrap(), second, at);
            reading.backfilled = second == 3;
            if second == 4 {
                reading.class = Class::Event;
            }
            let lane = lanes.get(LaneKind::of(reading.class));
            lane.consumer("a").unwrap();
            let entry = Entry {
                routes: lane.route_bit("r", "a").unwrap().into(),
                at: clock.stamp(),
                body: frame::encode(&reading, Vec::new()).into(),
            };
            let ticket = lane.append(vec![entry], Urgency::Waiting).await.unwrap();
            ticket.await.unwrap();
            time.pass(1000);
        }
        let tail = QueueTail::new(&lanes, &"s".into());
        for (since, expected) in [(0, vec![0, 1, 3, 4]), (1, vec![1, 3, 4]), (4, vec![4])] {
            let mut seconds = Vec::new();
            let mut each = |reading: Reading| {
                seconds.push(reading.at.millis() / 1000);
                assert_eq!(reading.backfilled, reading.at.millis() == 3000);
            };
            tail.since(Timestamp::from_millis(moments[since]), &mut each)
                .await;
            assert_eq!(seconds, expected, "since {since}");
        }
    }
}
