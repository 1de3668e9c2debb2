//! The pipeline: a source's readings → routes → steps → records in the durable queue.

pub mod pattern;
pub mod steps;
