//! The crate against peers that lie, against its own restream, and over HTTP: everything on loopback, without real cameras.

mod http;
mod lying;
mod restream;
mod rig;
mod tls;
