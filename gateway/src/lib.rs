//! The gateway: sources, pipeline, durable queue, forwarders and the console, in one process.
//!
//! ```text
//! data     source ──Reading──▶ pipeline ──Record──▶ lanes ──Batch──▶ forward ──▶ sink
//! control  config (desired state) ──▶ supervisor ──starts, stops──▶ units ──▶ board ──▶ web
//! ```

pub mod accepted;
pub mod checked;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod dead;
#[cfg(feature = "demo")]
mod demo;
pub mod discovery;
pub mod explorers;
pub mod filling;
pub mod forward;
pub mod gateway;
pub mod histogram;
pub mod lanes;
pub mod ledger;
pub mod live;
pub mod meter;
pub mod metrics;
pub mod outages;
pub mod own_health;
pub mod pipeline;
pub mod receipts;
pub mod registry;
pub mod replays;
pub mod rules;
pub mod selection;
pub mod supervisor;
pub mod telemetry;
pub mod web;
