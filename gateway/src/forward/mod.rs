//! The forwarder: from the durable queue to one destination, at least once, in order, counted only when acknowledged.

mod attempt;
mod core;
mod rules;
mod stack;
mod stats;
mod timely;

pub use attempt::{Forwarder, Memory};
pub use stats::{ForwardStats, catch_up};
