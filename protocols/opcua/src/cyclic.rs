//! Cyclic read: for servers without subscriptions. Each point is read once an interval, and reported as a subscription
//! would: what changed too little for its trigger and deadband is held back.
//!
//! Nothing can be asked for again here: what changed between two cycles was never seen, and a cycle that the server was
//! too slow for is missed, and counted.

use std::{collections::BTreeMap, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use fieldgate_model::{Quality, Reading, Value};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{
    connection::{Change, Connection, ItemRevised, Limits, Observed},
    explore::asked::Read,
    facts,
    follow::{self, Changed, Following, Step, TOO_MANY},
    gate::Filtered,
    node_id::NodeId,
    publish::{Beats, Points},
    select::Item,
    status::Status,
    subscribe::Monitored,
};

/// The shortest interval, so that "as fast as the server can" is not without a pause.
const SHORTEST: Duration = Duration::from_millis(10);
/// How often it is told how many cycles were missed.
const TELL: Duration = Duration::from_secs(5);

/// Points of one interval.
#[derive(Debug, PartialEq)]
pub(crate) struct Cycle {
    pub every: Duration,
    /// Handles and nodes.
    pub points: Vec<(u32, NodeId)>,
    due: Instant,
}

/// A server that has no subscriptions says so when it is asked for one.
pub(crate) fn is_called_for(why: &Status) -> bool {
    why.is("BadServiceUnsupported") || why.is("BadNotImplemented")
}

/// What stands in the place of a monitored item: nothing on the server, and everything is for the gateway to choose.
pub(crate) fn monitored(items: &[Item]) -> Vec<Monitored> {
    let read = |item: &Item| Monitored {
        subscription: 0,
        result: match item.node {
            Some(_) => Ok(ItemRevised {
                id: 0,
                sampling_ms: Duration::from_millis(item.sampling.sampling_ms).as_secs_f64()
                    * 1000.0,
                queue_size: item.sampling.queue_size,
            }),
            None => Err(Status::named("BadNodeIdUnknown")),
        },
        filtered: Filtered::NeverByTheServer,
    };
    items.iter().map(read).collect()
}

/// All cycles while they run.
pub(crate) struct Cycling<'a> {
    connection: &'a dyn Connection,
    ctx: &'a SourceCtx,
    per_read: usize,
    cycles: Vec<Cycle>,
    points: Points<'a>,
    missed: u64,
    learning: FuturesUnordered<BoxFuture<'a, ()>>,
    /// What changes in the server's address space; none where nobody follows it.
    following: Option<Following<'a>>,
}

/// The points by their intervals, the fastest first; those whose node the server does not have are in none.
pub(crate) fn cycles(items: &[Item], now: Instant) -> Vec<Cycle> {
    let mut by_interval: BTreeMap<u64, Vec<(u32, NodeId)>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        if let (Some(node), Ok(handle)) = (&item.node, u32::try_from(at)) {
            let points = by_interval.entry(item.sampling.sampling_ms).or_default();
            points.push((handle, node.clone()));
        }
    }
    let cycle = |(every, points)| Cycle {
        every: Duration::from_millis(every).max(SHORTEST),
        points,
        due: now,
    };
    by_interval.into_iter().map(cycle).collect()
}

/// `reading every 500 ms`
pub(crate) fn words(cycles: &[Cycle]) -> String {
    let ends = cycles.first().zip(cycles.last());
    match ends.map(|(first, last)| (first.every.as_millis(), last.every.as_millis())) {
        None => "nothing to read".to_owned(),
        Some((first, last)) if first == last => format!("read every {first} ms"),
        Some((first, last)) => format!("read every {first} to {last} ms"),
    }
}

// === impl Cycling ===

impl<'a> Cycling<'a> {
    pub(crate) fn new(
        connection: &'a dyn Connection,
        ctx: &'a SourceCtx,
        limits: Limits,
        cycles: Vec<Cycle>,
        points: Points<'a>,
    ) -> Self {
        Self {
            connection,
            ctx,
            per_read: limits.per_read.max(1),
            cycles,
            points,
            missed: 0,
            learning: FuturesUnordered::new(),
            following: None,
        }
    }

    /// With something to be learned meanwhile, which is announced once it is.
    pub(crate) fn learning(self, facts: impl Future<Output = ()> + Send + 'a) -> Self {
        self.learning.push(Box::pin(facts));
        self
    }

    /// With what changes in the server's address space.
    pub(crate) fn following(mut self, following: Following<'a>) -> Self {
        self.following = Some(following);
        self
    }

    /// Until shutdown (`Ok`) or until the server does not answer.
    pub(crate) async fn run(mut self) -> Result<(), SourceError> {
        let mut beats = Beats::new(self.points.beat());
        let mut tells = interval(TELL);
        tells.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = 0;
        loop {
            let next = self.next();
            let due = next.map_or_else(|| Instant::now() + TELL, |at| self.cycles[at].due);
            tokio::select! {
                () = self.ctx.shutdown.cancelled() => return Ok(()),
                () = sleep_until(due) => if let Some(at) = next {
                    let shutdown = self.ctx.shutdown.clone();
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        done = self.read(at) => done?,
                    }
                },
                Some(()) = self.learning.next() => self.points.learned(),
                step = follow::next(&mut self.following) => {
                    self.follow(step).await?;
                    beats.keep_to(self.points.beat());
                }
                () = beats.tick() => {
                    let again = self.points.due();
                    self.send(again).await?;
                }
                true = self.points.stands_otherwise() => self.points.tell(),
                _ = tells.tick(), if self.missed > told => {
                    self.points.missed_cycles(self.missed - told);
                    told = self.missed;
                }
            }
        }
    }

    /// What is new is read from now on; what is gone says so by itself in the next cycle.
    async fn follow(&mut self, step: Step) -> Result<(), SourceError> {
        let Some(following) = &mut self.following else {
            return Ok(());
        };
        let change = following.turn(step, &self.points).await;
        let words = following.words();
        let limits = following.limits;
        self.per_read = limits.per_read.max(1);
        let Some(Changed {
            difference,
            whole,
            fits,
        }) = change
        else {
            self.points.follow(words);
            return Ok(());
        };
        if !fits {
            return Err(SourceError::Lost(TOO_MANY.to_owned()));
        }
        let answers = following.exist(&self.points, &difference.missing).await;
        for (at, answer) in answers.map_err(|why| lost(&why))? {
            if answer.is_ok() && whole {
                let reading = self.points.leave_out(at);
                self.send(vec![reading]).await?;
            }
        }
        for (at, value_type) in &difference.retyped {
            self.points.retype(*at, value_type);
        }
        for (at, item) in difference.remade {
            self.points.renew(at, item);
        }
        let items: Vec<Item> = difference
            .added
            .iter()
            .map(|(item, _)| item.clone())
            .collect();
        let learning = facts::learn(self.connection, facts::wanted(&items), limits);
        self.learning.push(Box::pin(learning));
        self.points.join(difference.added, monitored(&items));
        self.cycles = cycles(self.points.items(), Instant::now());
        self.points.changed(words);
        Ok(())
    }

    fn next(&self) -> Option<usize> {
        (0..self.cycles.len()).min_by_key(|at| self.cycles[*at].due)
    }

    /// One cycle, in as many calls as the server's limit needs.
    async fn read(&mut self, at: usize) -> Result<(), SourceError> {
        for from in (0..self.cycles[at].points.len()).step_by(self.per_read) {
            let points = &self.cycles[at].points;
            let chunk = &points[from..points.len().min(from + self.per_read)];
            let nodes = chunk.iter().map(|(_, node)| node.clone()).collect();
            let values = self
                .connection
                .read_values(nodes)
                .await
                .map_err(|why| lost(&why))?;
            let changes = chunk.iter().zip(values).map(|((handle, _), read)| Change {
                handle: *handle,
                observed: Some(observed(read)),
            });
            let readings = self.points.readings(changes.collect());
            self.send(readings).await?;
        }
        let again = self.points.message();
        self.send(again).await?;
        let now = Instant::now();
        let cycle = &mut self.cycles[at];
        let (due, missed) = following(cycle.due, cycle.every, now);
        cycle.due = due;
        self.missed += missed;
        Ok(())
    }

    /// Waits for room: that is the back-pressure, and it shows as missed cycles. Shutdown ends the wait.
    async fn send(&mut self, readings: Vec<Reading>) -> Result<(), SourceError> {
        if readings.is_empty() {
            return Ok(());
        }
        tokio::select! {
            () = self.ctx.shutdown.cancelled() => Ok(()),
            sent = self.ctx.readings.send(readings) => sent,
        }
    }
}

/// The next moment of a raster that is not over yet, and how many moments were over before anything could be done.
fn following(due: Instant, every: Duration, now: Instant) -> (Instant, u64) {
    let late = now.saturating_duration_since(due).as_nanos() / every.as_nanos().max(1);
    let missed = u32::try_from(late).unwrap_or(u32::MAX);
    match every.checked_mul(missed.saturating_add(1)) {
        Some(ahead) => (due + ahead, missed.into()),
        None => (now + every, missed.into()),
    }
}

/// A value that cannot be read is one of bad quality, as it would be in a subscription.
fn observed(read: Read) -> Observed {
    match read {
        Ok(value) => Observed {
            value: value.value,
            quality: value.quality,
            at: value.source_at.or(value.server_at),
            overflow: false,
        },
        Err(why) => Observed {
            value: Value::Null,
            quality: Quality::Bad(why.to_string().into()),
            at: None,
            overflow: false,
        },
    }
}

fn lost(why: &Status) -> SourceError {
    SourceError::Lost(format!("the server does not answer the cyclic read: {why}"))
}

#[cfg(test)]
mod tests;
