//! The forwarder: from the durable queue to one destination, at least once, in order, counted only when acknowledged.

mod attempt;
mod page;
mod replay;
mod stack;
mod stats;
mod timely;

pub use attempt::Forwarder;
pub use stats::ForwardStats;
