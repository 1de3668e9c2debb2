//! The HTTP API over a real socket: the contract, the guard, live values, metrics, and the golden OpenAPI document.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on is a failed test"
)]

mod client;
mod contract;
mod dead;
mod guard;
mod live;
mod metrics;
mod openapi;
mod queue;
mod receipts;
mod rig;
mod scanner;
mod secrets;
mod trust;
