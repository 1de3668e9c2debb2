//! WS-Discovery: who is there, asked for or overheard. Nothing is ever answered, and nothing is sent that was not asked for.

mod message;
mod network;
mod rows;

pub use message::{Announcement, Said};
#[cfg(any(test, feature = "sim"))]
pub(crate) use network::GROUP;
pub use network::{Listener, Networks, Overheard, PORT, Search, SearchError, Where, search};
pub use rows::{Findings, Found};

pub(crate) use message::endpoint_reference;
