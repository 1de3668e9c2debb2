//! `Sink`: the tower service that divides a batch among the shards, and resolves when each of them has told what became of it.

use std::task::{Context, Poll};

use fieldgate_kit::{Batch, Receipt, Sequenced, SinkError, Throttle, path::fnv1a};
use futures::future::{BoxFuture, join_all};
use tokio::sync::oneshot;
use tower::Service;

use crate::worker::{Outcome, Shard};

/// One link's way in.
pub(crate) struct Sink {
    shards: Vec<Shard>,
    /// Resolves when the batch before has been answered for.
    before: Option<oneshot::Receiver<()>>,
}

// === impl Sink ===

impl Sink {
    pub fn new(shards: Vec<Shard>) -> Self {
        Self {
            shards,
            before: None,
        }
    }

    /// The readings of each shard, in their order. A device is always in the same one.
    fn divide(&self, batch: &Batch) -> Vec<Vec<Sequenced>> {
        let mut parts = vec![Vec::new(); self.shards.len()];
        let count = parts.len() as u64;
        for sequenced in batch.readings.iter() {
            let device = fnv1a(sequenced.reading.point.device_path().as_bytes());
            let shard = usize::try_from(device % count).unwrap_or_default();
            parts[shard].push(sequenced.clone());
        }
        parts
    }
}

impl Service<Batch> for Sink {
    type Response = Receipt;
    type Error = SinkError;
    type Future = BoxFuture<'static, Result<Receipt, SinkError>>;

    /// Always: the stack above lets no more batches in than the shards have room for.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        Poll::Ready(Ok(()))
    }

    /// Batches are answered in the order in which they came: what was postponed of two of them comes again in that order.
    fn call(&mut self, batch: Batch) -> Self::Future {
        let parts = self.divide(&batch).into_iter().zip(&self.shards);
        let jobs = parts.filter(|(readings, _)| !readings.is_empty());
        let replies: Result<Vec<_>, SinkError> = jobs
            .map(|(readings, shard)| shard.hand_in(readings))
            .collect();
        let (done, next) = oneshot::channel();
        let before = self.before.replace(next);
        Box::pin(async move {
            let outcomes = join_all(replies?).await;
            if let Some(before) = before {
                // One that was given up is dropped, which is an answer, too.
                let _ = before.await;
            }
            let receipt = merged(outcomes);
            let _ = done.send(());
            receipt
        })
    }
}

/// The answer to a batch. What stops one shard ends the link for all.
fn merged(outcomes: Vec<Result<Outcome, oneshot::error::RecvError>>) -> Result<Receipt, SinkError> {
    let mut receipt = Receipt::default();
    for outcome in outcomes {
        let outcome = outcome
            .map_err(|_| SinkError::Unreachable("the link to the server has ended".to_owned()))?;
        let of_shard = outcome.receipt?;
        receipt.rejected.extend(of_shard.rejected);
        receipt.postponed.extend(of_shard.postponed);
        receipt.throttled = longer(receipt.throttled, of_shard.throttled);
    }
    receipt.postponed.sort_unstable();
    Ok(receipt)
}

fn longer(one: Option<Throttle>, other: Option<Throttle>) -> Option<Throttle> {
    match (one, other) {
        (Some(one), Some(other)) if other.retry_after > one.retry_after => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}
