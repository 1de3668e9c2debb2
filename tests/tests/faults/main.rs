//! The faults that the gateway promises to survive, each by its number: `tests/README.md` lists them.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod changes;
#[allow(dead_code, reason = "the store's tests use all of it")]
#[path = "../../../store/tests/support/crash.rs"]
mod crash;
mod disk;
mod fanout;
mod machine;
mod network;
mod opcua;
#[allow(dead_code, reason = "the store's tests use all of it")]
#[path = "../../../store/tests/support/oplog.rs"]
mod oplog;
mod plant;
mod redundant;
mod upstream;
