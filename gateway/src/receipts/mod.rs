//! Hourly receipts of the ledger: `STATE/receipts/2026-11-25T20.json`, each with the SHA-256 of the one before.
//!
//! ```text
//! running.json         the hour that runs: the balance at its start, and the last receipt's hash
//! 2026-11-25T19.json   a closed hour; 31 days are kept
//! ```
//!
//! A receipt that was changed no longer has the hash that its successor names, and a removed one leaves a name without a
//! file. Who can write the whole folder can write the whole chain anew: keep a receipt elsewhere to prove it.

mod account;
mod chain;
mod keeper;

pub use keeper::{Receipts, Who};
