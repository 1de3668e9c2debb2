//! Dead letters: readings that a destination refused for its own sake, kept with its words until a person decides.
//!
//! ```text
//! forwarder ──Refused──▶ bury ──▶ dead lane (64 MiB, the oldest makes room)      resolved.json: retried, purged
//!                                      └──▶ index, in memory ──▶ list, show, retry, export, purge
//! ```
//!
//! The lane's only consumer stands before the oldest letter that nobody has decided about, so that the lane keeps it.
//! Letters that were decided out of order are in a small document, which is replaced as a whole. Losing its last save
//! brings letters back that were retried already: receivers know them by their ids.

mod index;
mod letter;
mod ranges;
mod resolved;
mod retry;
mod shelf;

pub use index::{Choice, Group};
pub use letter::{Letter, Refused};
pub use retry::Retried;
pub use shelf::{Counts, DeadLetters, Kept, OpenError, Quota};
