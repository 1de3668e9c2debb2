//! The two clients that are compared, each to be run as a process of its own: our source, and the library with its own loop.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use fieldgate_kit::{DropCounters, Readings, Source, settings};
use fieldgate_opcua::{OpcUa, sim::ceiling};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    self,
    load::{context, runtime},
};

const PUBLISHING_MS: u64 = 100;
/// Small, so that a server that is asked for more than it can send does not fill the memory.
const QUEUE_SIZE: u32 = 10;
/// How long a source may say nothing, at a server that always has something to say.
const PATIENCE: Duration = Duration::from_secs(60);
/// As our source asks for, `subscribe.rs`.
const MAX_NOTIFICATIONS: u32 = 4_000;

/// What our source did over the window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Figures {
    pub values_per_s: f64,
    /// From a value's server timestamp to the reading handed over.
    pub latency_ms_p50: f64,
    pub latency_ms_p99: f64,
    pub cpu_ms_per_1000: f64,
    /// The subscriptions that it says it has.
    pub subscriptions: u64,
}

/// Runs our source with queue and broker taken out; prints [`Figures`].
pub fn source(endpoint: &str, seconds: &str) -> Result<()> {
    let window = Duration::from_secs(seconds.parse()?);
    let folder = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let (readings, mut deliveries) = Readings::channel(64, DropCounters::default());
        let shutdown = CancellationToken::new();
        let mut ctx = context(readings, folder.path(), shutdown.clone());
        let (health, report) = fieldgate_kit::Health::channel();
        ctx.health = health;
        let settings = settings::read(told(endpoint)).map_err(|why| anyhow::anyhow!("{why}"))?;
        let mut running = tokio::spawn(OpcUa::run(Arc::new(settings), ctx));
        let mut since: Option<Instant> = None;
        let (mut count, mut ages_ms, mut cpu) = (0_usize, Vec::new(), 0.0);
        loop {
            let received = tokio::time::timeout(PATIENCE, deliveries.recv()).await;
            let Ok(delivery) = received else {
                let words = report.borrow().words.clone();
                anyhow::bail!(
                    "no values for {} s; the source says: {words}",
                    PATIENCE.as_secs()
                );
            };
            let delivery = delivery.context("the source ended early")?;
            // The first second is for warming up.
            let since = *since.get_or_insert_with(|| Instant::now() + Duration::from_secs(1));
            if Instant::now() >= since {
                if count == 0 {
                    cpu = support::cpu_seconds()?;
                }
                count += delivery.readings.len();
                let now = now_nanos();
                let ages = delivery
                    .readings
                    .iter()
                    .map(|reading| now - reading.at.nanos());
                // One in a hundred is enough for two percentiles.
                ages_ms.extend(ages.step_by(100).map(|nanos| nanos as f64 / 1e6));
            }
            if let Some(durable) = delivery.durable {
                // A source that no longer waits has ended, and the next receive tells.
                let _ = durable.send(Ok(()));
            }
            if since.elapsed() >= window && count > 0 {
                break;
            }
        }
        let seconds = since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        let cpu_ms = (support::cpu_seconds()? - cpu) * 1000.0;
        let figures = Figures {
            values_per_s: count as f64 / seconds,
            latency_ms_p50: support::percentile(&mut ages_ms, 50),
            latency_ms_p99: support::percentile(&mut ages_ms, 99),
            cpu_ms_per_1000: cpu_ms / (count as f64 / 1000.0),
            subscriptions: subscriptions(&report.borrow().words),
        };
        println!("{}", serde_json::to_string(&figures)?);
        // The next round is to find a server without our subscriptions.
        shutdown.cancel();
        let good_bye = async {
            loop {
                tokio::select! {
                    _ = &mut running => return,
                    Some(delivery) = deliveries.recv() => if let Some(durable) = delivery.durable {
                        let _ = durable.send(Ok(()));
                    },
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, good_bye).await;
        in_time.context("the source does not leave")
    })
}

/// Runs the library's client; prints values a second.
pub fn library(endpoint: &str, nodes: &str, subscriptions: &str, seconds: &str) -> Result<()> {
    let ceiling = ceiling::Ceiling {
        nodes: nodes.parse()?,
        subscriptions: subscriptions.parse()?,
        publishing: Duration::from_millis(PUBLISHING_MS),
        queue_size: QUEUE_SIZE,
        max_notifications: MAX_NOTIFICATIONS,
    };
    let window = Duration::from_secs(seconds.parse()?);
    let rate = runtime()?.block_on(ceiling::values_per_s(endpoint, ceiling, window))?;
    println!("{rate}");
    Ok(())
}

fn told(endpoint: &str) -> Json {
    json!({
        "endpoint": endpoint,
        "security": { "policy": "None" },
        "select": ["Objects/Load/*"],
        "publishing_ms": PUBLISHING_MS,
        "sampling_ms": 0,
        "queue_size": QUEUE_SIZE,
    })
}

/// `in 10 subscriptions publishing every 100 ms`, which is left out where there is one.
fn subscriptions(words: &str) -> u64 {
    let mut before = "";
    for word in words.split_whitespace() {
        if word == "subscriptions" {
            return before.parse().unwrap_or(1);
        }
        before = word;
    }
    1
}

/// Since 1970, as a reading's time is.
fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
