//! The gateway: sources, pipeline, durable queue, forwarders and the console, in one process.

pub mod cli;
pub mod config;
pub mod pipeline;
pub mod registry;
