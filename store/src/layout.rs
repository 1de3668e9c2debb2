//! The plain bytes of a block, version 2 (pure).
//!
//! ```text
//! plain = boot u64 | count × head | bodies; of a spooled record (see spool.rs) its SHA-256 in place of the body
//! head  = length × 2 + spooled, since_boot − previous, offset − previous, routes ^ previous; each a varint, the second
//!         and the third zigzag. offset is wall − since_boot: it hardly ever changes, and then takes one byte
//! ```
//! All records of a block are of one boot.

use bytes::Bytes;

use crate::{
    record::{Body, Missing, Record, Stamp},
    spool,
    types::{RouteMask, Seq},
    varint,
};

const BOOT_BYTES: usize = 8;
const HASH_BYTES: usize = size_of::<spool::Hash>();

/// What a head says, with the differences added up.
#[derive(Clone, Copy, Default)]
struct Head {
    len: usize,
    spooled: bool,
    at: Stamp,
    routes: u64,
}

/// Appends the plain bytes of `records`, which are of one boot.
pub(crate) fn write(records: &[Record], plain: &mut Vec<u8>) {
    let boot = records.first().map_or(0, |record| record.at.boot);
    plain.extend_from_slice(&boot.to_le_bytes());
    let (mut since_boot, mut offset, mut routes) = (0u64, 0i64, 0u64);
    for record in records {
        let at = record.at;
        let spooled = u64::from(hash(record).is_some());
        varint::write(plain, ((record.body.len() as u64) << 1) | spooled);
        varint::write_signed(plain, at.since_boot_ms.wrapping_sub(since_boot) as i64);
        varint::write_signed(plain, at.offset_ms().wrapping_sub(offset));
        varint::write(plain, record.routes.0 ^ routes);
        (since_boot, offset, routes) = (at.since_boot_ms, at.offset_ms(), record.routes.0);
    }
    for record in records {
        match (&record.body, hash(record)) {
            (Body::Bytes(bytes), _) => plain.extend_from_slice(bytes),
            (_, Some(hash)) => plain.extend_from_slice(hash),
            (Body::Missing(_), None) => {} // bytes that are gone for good are not written again
        }
    }
}

/// What a record takes among the bodies of its block.
pub(crate) fn body_bytes(record: &Record) -> usize {
    hash(record).map_or(record.body.len(), |hash| hash.len())
}

fn hash(record: &Record) -> Option<&spool::Hash> {
    match &record.body {
        Body::Bytes(_) => None,
        Body::Missing(missing) => missing.spooled.as_ref(),
    }
}

/// The records, numbered from `first`; `None` when the bytes contradict themselves.
pub(crate) fn read(first: Seq, count: usize, plain: Bytes) -> Option<Vec<Record>> {
    let mut head = Head::default();
    head.at.boot = u64::from_le_bytes(plain.get(..BOOT_BYTES)?.try_into().ok()?);
    let (mut position, mut offset) = (BOOT_BYTES, 0i64);
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        head = read_head(&plain, &mut position, head, &mut offset)?;
        heads.push(head);
    }
    let mut records = Vec::with_capacity(count);
    for (index, head) in heads.into_iter().enumerate() {
        let stored = if head.spooled { HASH_BYTES } else { head.len };
        let end = position.checked_add(stored)?;
        let bytes = (end <= plain.len()).then(|| plain.slice(position..end))?;
        let body = match head.spooled {
            true => Body::Missing(Missing::spooled(head.len, bytes[..].try_into().ok()?)),
            false => bytes.into(),
        };
        records.push(Record {
            seq: Seq(first.0.checked_add(index as u64)?),
            routes: RouteMask(head.routes),
            at: head.at,
            body,
        });
        position = end;
    }
    (position == plain.len()).then_some(records)
}

fn read_head(plain: &[u8], position: &mut usize, previous: Head, offset: &mut i64) -> Option<Head> {
    let len = varint::read(plain, position)?;
    let since_boot_ms = previous
        .at
        .since_boot_ms
        .wrapping_add(varint::read_signed(plain, position)? as u64);
    *offset = offset.wrapping_add(varint::read_signed(plain, position)?);
    let routes = previous.routes ^ varint::read(plain, position)?;
    let at = Stamp {
        boot: previous.at.boot,
        since_boot_ms,
        wall_ms: offset.wrapping_add(since_boot_ms as i64),
    };
    Some(Head {
        len: usize::try_from(len >> 1).ok()?,
        spooled: len & 1 != 0,
        at,
        routes,
    })
}
