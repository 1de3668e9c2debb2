//! The crate against peers that lie, against its own restream, and over HTTP: everything on loopback, without real cameras.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod http;
mod lying;
mod restream;
mod rig;
mod tls;
