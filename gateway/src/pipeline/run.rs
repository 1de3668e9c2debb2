//! A source's pipeline at work: takes deliveries, hands records to the queue in order, tells who waits when they are durable.

use std::{collections::HashMap, sync::Arc};

use fieldgate_kit::{Delivery, DropCounters, NotAccepted};
use fieldgate_model::DropReason;
use fieldgate_store::{AppendError, Appended, RouteBit, Ticket, Urgency};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    plan::{Plan, Staged},
    routes::RouteTable,
};
use crate::{
    clock::Clock,
    lanes::{LaneKind, Lanes},
    live::Live,
    meter::Meter,
};

/// Commits under way at once that somebody waits for; more wait in the source's channel, and then in the source. What
/// nobody waits for is bounded by the queue's memory: while the disk refuses, its newest stay there.
const COMMITS_IN_FLIGHT: usize = 32;
/// Deliveries that are gathered into one append when they are already there.
const GATHER: usize = 64;

/// All that a pipeline needs.
pub struct Pipeline {
    pub deliveries: mpsc::Receiver<Delivery>,
    pub routes: watch::Receiver<Arc<RouteTable>>,
    pub lanes: Lanes,
    pub clock: Clock,
    pub live: Live,
    pub drops: DropCounters,
    pub readings: Arc<Meter>,
    /// Those of them that were backfilled.
    pub backfilled: Arc<Meter>,
}

/// Records by their route.
type Counts = HashMap<RouteBit, u64>;

/// What became of one append.
struct Committed {
    lanes: Vec<(LaneKind, Counts, Result<(), AppendError>)>,
    waiting: Vec<oneshot::Sender<Result<(), NotAccepted>>>,
}

impl Pipeline {
    /// Runs until the source's side of the channel is closed and everything in it is durable or counted.
    pub async fn run(mut self) {
        let table = Arc::clone(&self.routes.borrow_and_update());
        let mut plan = Plan::new(
            &table,
            self.live.clone(),
            self.drops.clone(),
            Arc::clone(&self.backfilled),
        );
        let mut commits: FuturesOrdered<BoxFuture<'static, Committed>> = FuturesOrdered::new();
        let mut relaxed: FuturesOrdered<BoxFuture<'static, Committed>> = FuturesOrdered::new();
        let mut gathered = Vec::with_capacity(GATHER);
        loop {
            tokio::select! {
                biased;
                Some(committed) = commits.next() => settle(&plan, &self.drops, committed),
                Some(committed) = relaxed.next() => settle(&plan, &self.drops, committed),
                count = self.deliveries.recv_many(&mut gathered, GATHER), if commits.len() < COMMITS_IN_FLIGHT => {
                    if count == 0 {
                        break;
                    }
                    if self.routes.has_changed().unwrap_or(false) {
                        let table = Arc::clone(&self.routes.borrow_and_update());
                        plan.adopt(&table);
                    }
                    match self.append(&mut plan, &mut gathered).await {
                        (Urgency::Relaxed, commit) => relaxed.push_back(commit),
                        (_, commit) => commits.push_back(commit),
                    }
                }
            }
        }
        let mut rest = commits.chain(relaxed);
        while let Some(committed) = rest.next().await {
            settle(&plan, &self.drops, committed);
        }
    }

    /// Hands what was gathered to the queue; the future resolves when it is durable.
    async fn append(
        &self,
        plan: &mut Plan,
        gathered: &mut Vec<Delivery>,
    ) -> (Urgency, BoxFuture<'static, Committed>) {
        let mut staged = Staged::default();
        let mut waiting = Vec::new();
        for delivery in gathered.drain(..) {
            self.readings.add(delivery.readings.len() as u64);
            waiting.extend(delivery.durable);
            for reading in delivery.readings {
                plan.take(reading, &mut staged);
            }
        }
        let urgency = if waiting.is_empty() {
            Urgency::Relaxed
        } else {
            // A device that can send again rather keeps it than hears that the disk refuses.
            Urgency::Patient
        };
        let at = self.clock.stamp();
        let mut tickets = Vec::new();
        for (lane, stage) in staged.into_lanes() {
            let counts = stage.counts();
            let entries = stage.into_entries(at);
            let ticket = self.lanes.get(lane).append(entries, urgency).await;
            tickets.push((lane, counts, ticket));
        }
        let done = async move {
            let mut lanes = Vec::new();
            for (lane, counts, ticket) in tickets {
                lanes.push((lane, counts, durable(ticket).await.map(drop)));
            }
            Committed { lanes, waiting }
        };
        (urgency, done.boxed())
    }
}

async fn durable(ticket: Result<Ticket, fieldgate_store::Closed>) -> Result<Appended, AppendError> {
    match ticket {
        Ok(ticket) => ticket.await,
        Err(fieldgate_store::Closed) => Err(AppendError::Closed),
    }
}

/// Counts what became of an append, and tells who waits for it.
fn settle(plan: &Plan, drops: &DropCounters, committed: Committed) {
    let Committed { lanes, waiting } = committed;
    let mut told = Ok(());
    for (lane, counts, outcome) in lanes {
        match outcome {
            Ok(()) => plan.accepted(lane, &counts),
            Err(error) => {
                tracing::error!(lane = lane.as_str(), %error, "readings were not accepted");
                drops.add(DropReason::NotDurable, counts.values().sum());
                told = told.and(Err(NotAccepted(error.to_string())));
            }
        }
    }
    for waiter in waiting {
        // A source that no longer waits has ended its attempt; its device will send again.
        let _ = waiter.send(told.clone());
    }
}
