//! Version 1, of 2026-11: a record knew only the wall clock, and only the cursors knew the routes.
//!
//! ```text
//! plain = count × (body length, accepted_at − previous, routes ^ previous; each a varint, the second zigzag) | bodies
//! ```

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    counts::Counts,
    manifest::{Cursors, GenerationInfo, Manifest, PerBit, RouteState},
    record::{Record, Stamp},
    types::{EvictedBy, RouteMask, Seq},
    varint,
};

/// The version byte of a block, and the version of the two documents.
pub(crate) const BLOCK: u8 = 1;
pub(crate) const DOCUMENT: u16 = 1;

#[derive(Deserialize)]
struct OldManifest {
    high_water: u64,
    next_id: u64,
    generations: Vec<OldGeneration>,
}

#[derive(Deserialize)]
struct OldGeneration {
    id: u64,
    first: u64,
    last: u64,
    sealed: bool,
    damaged: bool,
    records: u64,
    payload_bytes: u64,
    first_at_ms: i64,
    last_at_ms: i64,
    per_bit: PerBit,
    file_len: u64,
    disk_bytes: u64,
}

#[derive(Deserialize)]
struct OldCursors {
    durable: u64,
    consumers: Vec<(String, u64)>,
    routes: Vec<OldRoute>,
    next_bit: u8,
}

#[derive(Deserialize)]
struct OldRoute {
    key: String,
    bit: u8,
    consumer: String,
    retiring: bool,
    orphan: bool,
    accepted: u64,
    acked: u64,
    expired: u64,
    evicted: u64,
    dead_lettered: u64,
    lost_detected: u64,
}

/// The records of a block's plain bytes; `None` when they contradict themselves.
pub(crate) fn read_plain(first: Seq, count: usize, plain: Bytes) -> Option<Vec<Record>> {
    let mut heads = Vec::with_capacity(count);
    let (mut position, mut at, mut routes) = (0, 0i64, 0u64);
    for _ in 0..count {
        let len = usize::try_from(varint::read(&plain, &mut position)?).ok()?;
        at = at.wrapping_add(varint::read_signed(&plain, &mut position)?);
        routes ^= varint::read(&plain, &mut position)?;
        heads.push((len, at, routes));
    }
    let mut records = Vec::with_capacity(count);
    for (index, (len, at, routes)) in heads.into_iter().enumerate() {
        let end = position
            .checked_add(len)
            .filter(|end| *end <= plain.len())?;
        records.push(Record {
            seq: Seq(first.0.checked_add(index as u64)?),
            routes: RouteMask(routes),
            at: Stamp::from_wall(at),
            body: plain.slice(position..end).into(),
        });
        position = end;
    }
    (position == plain.len()).then_some(records)
}

/// The manifest; its route table is empty until the cursors, which had it, are saved anew.
pub(crate) fn manifest(payload: &[u8]) -> Option<Manifest> {
    let old: OldManifest = postcard::from_bytes(payload).ok()?;
    Some(Manifest {
        high_water: old.high_water,
        next_id: old.next_id,
        generations: old.generations.into_iter().map(generation).collect(),
        routes: Vec::new(),
    })
}

pub(crate) fn cursors(payload: &[u8]) -> Option<Cursors> {
    let old: OldCursors = postcard::from_bytes(payload).ok()?;
    Some(Cursors {
        durable: old.durable,
        consumers: old.consumers,
        routes: old.routes.into_iter().map(route).collect(),
        next_bit: old.next_bit,
        replays: Vec::new(),
        thinned_through: 0,
    })
}

fn generation(old: OldGeneration) -> GenerationInfo {
    GenerationInfo {
        id: old.id,
        first: old.first,
        last: old.last,
        sealed: old.sealed,
        damaged: old.damaged,
        records: old.records,
        payload_bytes: old.payload_bytes,
        first_at: Stamp::from_wall(old.first_at_ms),
        last_at: Stamp::from_wall(old.last_at_ms),
        per_bit: old.per_bit,
        file_len: old.file_len,
        disk_bytes: old.disk_bytes,
    }
}

fn route(old: OldRoute) -> RouteState {
    RouteState {
        key: old.key,
        bit: old.bit,
        consumer: old.consumer,
        retiring: old.retiring,
        orphan: old.orphan,
        counts: Counts {
            accepted: old.accepted,
            acked: old.acked,
            expired: old.expired,
            evicted_by: EvictedBy {
                full: old.evicted, // or removed with its consumer: version 1 did not tell
                ..EvictedBy::default()
            },
            dead_lettered: old.dead_lettered,
            lost_detected: old.lost_detected,
        },
    }
}
