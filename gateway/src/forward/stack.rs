//! The tower stack around a destination's sink, the outermost layer first.
//!
//! There is no retry layer: the queue is the retry buffer, and two retry loops multiply. There is no rate-limit layer: it
//! would count batches, and the core's pace counts readings.

use fieldgate_kit::{Batch, BatchLimits, BoxSink, SinkError};
use tower::{BoxError, ServiceBuilder, ServiceExt, timeout::error::Elapsed, util::BoxService};

/// Wraps a sink.
pub fn stack(sink: BoxSink, limits: &BatchLimits) -> BoxSink {
    let timeout = limits.timeout;
    let service = ServiceBuilder::new()
        // Trace: one event for each batch at the finest level, never one for each reading.
        .map_request(|batch: Batch| {
            tracing::trace!(lane = %batch.lane, readings = batch.readings.len(), "batch under way");
            batch
        })
        // Timeout: an acknowledgement that does not come is a link that is lost, however alive it looks.
        .timeout(timeout)
        // Concurrency: the far side's window; `poll_ready` is pending while it is full.
        .concurrency_limit(limits.in_flight)
        .service(sink);
    BoxService::new(service.map_err(move |error| meaning(error, timeout)))
}

/// The sink's own error, or the timeout as one.
fn meaning(error: BoxError, timeout: std::time::Duration) -> SinkError {
    match error.downcast::<SinkError>() {
        Ok(error) => *error,
        Err(error) if error.is::<Elapsed>() => SinkError::Unreachable(format!(
            "no acknowledgement within {} s; the link looks alive but nothing comes back",
            timeout.as_secs()
        )),
        Err(error) => SinkError::Unreachable(error.to_string()),
    }
}
