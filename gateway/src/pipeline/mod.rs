//! The pipeline: a source's readings → routes → steps → records in the durable queue.

pub mod frame;
pub mod plan;
pub mod routes;
pub mod run;
pub mod steps;
pub mod thin;
