//! The durable queue of a lane: framed bytes in generations of sled, synced before they count as accepted.
//!
//! # What it promises
//!
//! - **Accepted means durable.** A [`Ticket`] resolves when its batch is written, flushed and synced. From then on its
//!   records survive kill -9, a full disk and a power cut, on a disk that is honest about flushing. What is in flight
//!   before that is never counted as accepted: at most [`LaneOptions::window_waiting`] (5 ms) plus one commit for a
//!   waiting append, at most 50 ms plus one commit under load and [`LaneOptions::window_max`] (500 ms) on a trickle for a
//!   relaxed one.
//! - **At least once, in order, for each consumer on its own.** Sequence numbers are given once and never again. A cursor
//!   that was not saved yet costs duplicates (a second's worth, or 1000 acknowledgements), never records. One consumer's
//!   cursor never holds another's back.
//! - **Every record is accounted for, for each route:** `accepted = acked + pending + expired + evicted + dead-lettered +
//!   lost`. `pending` is counted on its own, so that [`RouteBalance::unaccounted`] is a real check.
//! - **The disk is bounded** by [`LaneOptions::max_bytes`], really allocated bytes. On full the oldest generation goes and
//!   what its consumers had not finished is counted as evicted; or appends are held back until there is room, and nobody
//!   is held back by a laggard for longer than [`LaneOptions::patience`]; or, from 80 % on, records that others tell go first, and each is counted as thinned for every route that still waited for it. Below
//!   [`LaneOptions::reserve_bytes`] of free space, and whenever the disk refuses, appends that somebody waits for fail in
//!   words; patient ones wait, and push back; relaxed ones stay in memory, the newest [`LaneOptions::ring_bytes`] of them, and are written once the disk lets
//!   them, tried each second. On a full disk what is delivered, and kept for a replay, makes room; then, in a lane that
//!   drops its oldest, those, while the lane takes over a quarter of the partition: what others filled costs no backlog.
//! - **Damaged documents cost duplicates only.** Without a manifest it is rebuilt from the generations, the cursors hold.
//!   Without cursors everybody starts again at the oldest retained record, with the routes that the manifest names.
//! - **What cannot be read is set aside and counted**, never skipped in silence, and never stops the lane.
//!
//! # What a power cut can lose
//!
//! Batches whose ticket has not resolved; nothing else. Counts and cursors fall back to the last save and are brought up to
//! date from the records themselves.
//!
//! # On the disk
//!
//! ```text
//! LOCK                        held by the one process that has the lane open
//! MANIFEST.a  MANIFEST.b      which generations exist: first, last, counts for each route bit;
//!                             and who each route bit belongs to                                   (A/B slots, see slots.rs)
//! CURSORS.a   CURSORS.b       consumers, routes, their counts, all as of one durable moment; and up
//!                             to which generation what was thinned has been counted               (A/B slots)
//! gen-00000041/               a sealed generation: a sled database that is only read
//! gen-00000042/               the generation that is written
//! gen-00000042/spool/         its bodies of over 64 KiB, each a file named after its SHA-256          (see spool.rs)
//! gen-00000042/THINNED.a      how far it was thinned, and what that took from it                (a slot, see thinned.rs)
//! BALLAST                     2 MiB that are given up when a document has to be written on a full disk
//! quarantine/                 the newest two directories that could not be read
//! ```
//! A commit is packed into blocks of at most 256 KiB (a longer record is a block of its own), compressed with zstd when that
//! pays, and cut into values of at most 4 KiB under the key `first record u64 BE | chunk u16 BE`, all in one sled batch.
//! Values that small never become sled blobs, which are not synced. block.rs and layout.rs have the bytes; every block has a
//! version and a CRC-32C of its own, because sled 0.34.7 can open a truncated database as an empty one.
//!
//! A record that was thinned leaves its place: its number, without routes and without a body. So numbers are without gaps
//! in a generation that is whole, and what is kept has the number and the bytes that it always had. The thinned generation
//! is a new directory with a later id, which the manifest names where it named the old one.
//!
//! The format is version 2. What version 1 wrote is read as it is (migrate/); the documents are in version 2 after the
//! first open, the old generations go when they have been delivered. A later version is refused. `tests/golden` has a
//! directory that each version wrote.
//!
//! # Invariants
//!
//! 1. One thread owns all files and all sled handles of a lane. No sled transaction, subscriber, merge or single removal.
//! 2. A number at or below [`Lane::durable`] has been synced: `flush()`, then `sync_data` on a handle of our own.
//! 3. After an error of a write or a sync that generation is never written again; the batch goes into a new one.
//! 4. A new generation is made durable, then the cursors are saved, then the manifest names it, then it is written: so a
//!    sealed generation is never newer than the saved counts.
//! 5. A generation is removed in this order: cursors saved beyond it, manifest without it, directory. A crash in between
//!    leaves an orphan that the next open removes.
//! 6. A cursor and the counts of what it passed change under one lock and are saved together.
//! 7. At most three generations of a lane are open at once, with 8 MiB of sled cache between them; four while one is thinned.
//! 8. A generation is thinned in this order: the new one written, synced and closed, manifest with it in the old one's
//!    place, what went counted and the cursors saved, old directory. A crash before the cursors leaves deliveries that are
//!    missing without damage, at most as many as THINNED tells in generations later than those the cursors know to be
//!    counted: the next open counts them as thinned.

mod age;
mod ballast;
mod block;
mod book;
mod check;
mod commit;
mod counts;
mod doubt;
mod engine;
mod error;
mod fair;
#[cfg(test)]
mod faults;
mod findings;
mod gather;
mod lane;
mod layout;
mod ledger;
mod manifest;
mod migrate;
mod open;
mod options;
mod plain;
mod range;
mod read;
mod record;
mod refuse;
mod replay;
mod retain;
mod ring;
mod runs;
mod segment;
mod shelf;
mod slots;
mod spool;
mod tail;
mod thin;
mod thinned;
mod thread;
mod tools;
mod types;
mod varint;
mod verify;
mod walk;

pub use check::check;
pub use error::{AppendError, Closed, OpenError, StoreError};
pub use findings::{CheckReport, CheckedGeneration, Finding};
pub use lane::{Lane, Ticket};
pub use open::OpenReport;
pub use options::{EngineKind, Keep, LaneOptions, MAX_BODY_BYTES, OnFull};
pub use record::{Body, Entry, Missing, Record, Stamp};
pub use replay::{Found, Replay, ReplayRequest, ReplayStatus};
pub use slots::{Document, Loaded, Slots};
pub use tools::{Ages, Survey, Thin, Thinner, Tools};
pub use types::{
    Appended, ConsumerStats, Cursor, EvictedBy, Exit, LaneStats, Page, PeekLimits, RouteBalance,
    RouteBit, RouteMask, Seq, Tally, Urgency,
};
pub use verify::Verification;
