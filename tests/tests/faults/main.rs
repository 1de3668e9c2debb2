//! The faults that the gateway promises to survive, each by its number: `tests/README.md` lists them.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod disk;
mod network;
mod plant;
mod upstream;
