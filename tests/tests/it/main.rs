//! The gateway between real peers: one module a promise.

#![expect(clippy::unwrap_used, reason = "tests may")]

mod flow;
mod line;
