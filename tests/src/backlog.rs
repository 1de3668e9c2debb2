//! A backlog as a long outage leaves it: readings in the normal lane of a gateway that does not run, all for one destination.

use std::{collections::VecDeque, fs, path::Path, sync::Arc};

use fieldgate::{
    clock::{Clock, Kernel},
    config::QueueSettings,
    lanes::Lanes,
};
use fieldgate_store::{Entry, Stamp, Urgency};

use crate::telemetry::Telemetry;

const BATCH: u64 = 1000;
/// Batches on their way at once.
const OUTSTANDING: usize = 32;

/// Whose backlog it is.
pub struct Owed<'a> {
    pub route: &'a str,
    pub destination: &'a str,
}

/// Writes `readings` readings of twenty points into the queue below the state folder `state`.
///
/// # Panics
/// When the queue cannot take them.
pub fn write(state: &Path, owed: &Owed<'_>, telemetry: Telemetry, readings: u64) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime on this thread")
        .block_on(fill(state, owed, telemetry, readings));
}

async fn fill(state: &Path, owed: &Owed<'_>, mut telemetry: Telemetry, readings: u64) {
    let queue = state.join("queue");
    fs::create_dir_all(state).expect("a state folder");
    let clock = Clock::open(state, Arc::new(Kernel::default())).expect("a new clock");
    let opened = Lanes::open(&queue, &QueueSettings::default(), &clock);
    let (lanes, _) = opened.expect("a new queue");
    let lane = &lanes.normal;
    lane.consumer(owed.destination).expect("a new consumer");
    let key = format!("{}→{}", owed.route, owed.destination);
    let bit = lane.route_bit(&key, owed.destination).expect("a new route");
    let mut waiting = VecDeque::new();
    for _ in 0..readings / BATCH {
        let entry = |body| Entry {
            routes: bit.into(),
            at: Stamp::default(),
            body,
        };
        let batch = telemetry.frames(BATCH as usize);
        let entries = batch.into_iter().map(entry).collect();
        let ticket = lane.append(entries, Urgency::Waiting).await;
        waiting.push_back(ticket.expect("the lane is open"));
        if waiting.len() == OUTSTANDING
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.await.expect("there is room");
        }
    }
    for ticket in waiting {
        ticket.await.expect("there is room");
    }
    for lane in [lanes.normal, lanes.critical] {
        lane.close().await.expect("nothing is in the way");
    }
    lanes.dead.close().await.expect("nothing is in the way");
}
