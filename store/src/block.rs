//! A commit's records packed into blocks, and blocks cut into values small enough that sled writes no blob (pure).
//!
//! ```text
//! block  = version u8 | codec u8 | reserved u16 | crc32c u32 | first u64 | count u32 | plain_len u32 | stored_len u32 | stored
//! value  = at most 4 KiB of a block under the key: first u64 BE | chunk u16 BE
//! ```
//! Integers are little-endian. The CRC covers everything of the block but itself. `stored` is the plain bytes (codec 0) or
//! one zstd frame of them (codec 1). What the plain bytes are is said in layout.rs for version 2, in migrate/v1.rs for
//! version 1.

use bytes::Bytes;

use crate::{layout, migrate, record::Record, types::Seq};

pub(crate) const MAX_VALUE_BYTES: usize = 4096;
pub(crate) const HEADER_BYTES: usize = 28;
const VERSION: u8 = 2;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// A block is closed at this size, so that a read unpacks little more than it needs.
const BLOCK_BYTES: usize = 256 << 10;
/// The largest block ever written: version 1 had bodies of up to 16 MiB in its blocks.
const MAX_PLAIN_BYTES: usize = 17 << 20;
/// Below this zstd's own header eats the gain.
const WORTH_COMPRESSING: usize = 128;

pub(crate) type Key = [u8; 10];

/// One block as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub first: Seq,
    pub bytes: Vec<u8>,
}

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBlock {
    #[error("it is cut short")]
    Short,
    #[error("its version or codec is unknown")]
    Unknown,
    #[error("its checksum does not match")]
    Checksum,
    #[error("its contents contradict its header")]
    Contents,
}

/// Packs records into blocks; keeps its buffers between commits.
pub(crate) struct Packer {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    plain: Vec<u8>,
}

// === impl Packer ===

impl Packer {
    pub fn new() -> Packer {
        // Without a compressor (out of memory at start) blocks are stored plain.
        Packer {
            compressor: zstd::bulk::Compressor::new(1).ok(),
            plain: Vec::new(),
        }
    }

    /// The blocks of consecutive `records`.
    pub fn pack(&mut self, records: &[Record]) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut rest = records;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(block_len(rest));
            blocks.push(self.pack_one(now));
            rest = later;
        }
        blocks
    }

    fn pack_one(&mut self, records: &[Record]) -> Block {
        self.plain.clear();
        layout::write(records, &mut self.plain);
        let mut bytes = vec![0; HEADER_BYTES];
        let codec = self.write_stored(&mut bytes);
        let stored_len = (bytes.len() - HEADER_BYTES) as u32;
        let first = records[0].seq;
        bytes[0] = VERSION;
        bytes[1] = codec;
        bytes[8..16].copy_from_slice(&first.0.to_le_bytes());
        bytes[16..20].copy_from_slice(&(records.len() as u32).to_le_bytes());
        bytes[20..24].copy_from_slice(&(self.plain.len() as u32).to_le_bytes());
        bytes[24..28].copy_from_slice(&stored_len.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        Block { first, bytes }
    }

    /// Appends the plain bytes, compressed when that saves at least an eighth.
    fn write_stored(&mut self, bytes: &mut Vec<u8>) -> u8 {
        if self.plain.len() >= WORTH_COMPRESSING
            && let Some(compressor) = &mut self.compressor
            && let Ok(packed) = compressor.compress(&self.plain)
            && packed.len() < self.plain.len() - self.plain.len() / 8
        {
            bytes.extend_from_slice(&packed);
            return ZSTD;
        }
        bytes.extend_from_slice(&self.plain);
        PLAIN
    }
}

/// How many of `records` go into the next block: all of one boot, and not too many.
fn block_len(records: &[Record]) -> usize {
    let mut bytes = 0;
    for (index, record) in records.iter().enumerate() {
        bytes += layout::body_bytes(record) + 8;
        if index > 0 && (bytes > BLOCK_BYTES || record.at.boot != records[0].at.boot) {
            return index;
        }
    }
    records.len()
}

// === blocks and values ===

/// The records of a block, or why it cannot be read. Never panics, whatever the bytes are.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<Record>, BadBlock> {
    let whole = stored_block_len(bytes).ok_or(BadBlock::Short)?;
    let bytes = bytes.get(..whole).ok_or(BadBlock::Short)?;
    if !(migrate::v1::BLOCK..=VERSION).contains(&bytes[0]) || bytes[1] > ZSTD {
        return Err(BadBlock::Unknown);
    }
    if read_u32(bytes, 4) != Some(checksum(bytes)) {
        return Err(BadBlock::Checksum);
    }
    let first = first_of(bytes).ok_or(BadBlock::Short)?;
    let count = read_u32(bytes, 16).ok_or(BadBlock::Short)? as usize;
    let plain_len = read_u32(bytes, 20).ok_or(BadBlock::Short)? as usize;
    if plain_len > MAX_PLAIN_BYTES || count > plain_len {
        return Err(BadBlock::Contents);
    }
    let stored = &bytes[HEADER_BYTES..];
    let plain = match bytes[1] {
        PLAIN => stored.to_vec(),
        _ => zstd::bulk::decompress(stored, plain_len).map_err(|_| BadBlock::Contents)?,
    };
    if plain.len() != plain_len {
        return Err(BadBlock::Contents);
    }
    let plain = Bytes::from(plain);
    let records = match bytes[0] {
        migrate::v1::BLOCK => migrate::v1::read_plain(first, count, plain),
        _ => layout::read(first, count, plain),
    };
    records.ok_or(BadBlock::Contents)
}

/// The length of the block that starts at `bytes`, as its header says.
pub(crate) fn stored_block_len(bytes: &[u8]) -> Option<usize> {
    Some(HEADER_BYTES + read_u32(bytes, 24)? as usize)
}

/// The first sequence number of the block that starts at `bytes`, as its header says.
pub(crate) fn first_of(bytes: &[u8]) -> Option<Seq> {
    Some(Seq(u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?)))
}

/// The values of a block with their keys.
pub(crate) fn values(block: &Block) -> impl Iterator<Item = (Key, &[u8])> {
    let first = block.first;
    block
        .bytes
        .chunks(MAX_VALUE_BYTES)
        .enumerate()
        .map(move |(chunk, value)| {
            let chunk =
                u16::try_from(chunk).expect("MAX_PLAIN_BYTES keeps a block under 65,536 values");
            (key(first, chunk), value)
        })
}

pub(crate) fn key(first: Seq, chunk: u16) -> Key {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&first.0.to_be_bytes());
    key[8..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// The parts of a key; `None` for a key that is not ours.
pub(crate) fn parse_key(key: &[u8]) -> Option<(Seq, u16)> {
    let key: Key = key.try_into().ok()?;
    let first = u64::from_be_bytes(key[..8].try_into().ok()?);
    Some((Seq(first), u16::from_be_bytes([key[8], key[9]])))
}

fn checksum(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..4]), &block[8..])
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{record::Stamp, types::RouteMask};

    fn record(seq: u64, routes: u64, at: Stamp, body: Vec<u8>) -> Record {
        Record {
            seq: Seq(seq),
            routes: RouteMask(routes),
            at,
            body: body.into(),
        }
    }

    fn stamp() -> impl Strategy<Value = Stamp> {
        let boot = prop_oneof![3 => Just(7), 1 => any::<u64>()];
        (boot, any::<u64>(), any::<i64>()).prop_map(|(boot, since_boot_ms, wall_ms)| Stamp {
            boot,
            since_boot_ms,
            wall_ms,
        })
    }

    fn through_values(block: &Block) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (chunk, (key, value)) in values(block).enumerate() {
            assert_eq!(parse_key(&key), Some((block.first, chunk as u16)));
            assert!(value.len() <= MAX_VALUE_BYTES);
            bytes.extend_from_slice(value);
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_packed_is_unpacked(
            first in 1u64..u64::MAX / 2,
            heads in prop::collection::vec((any::<u64>(), stamp(), 0usize..70_000, any::<u8>()), 1..20),
        ) {
            let records: Vec<Record> = (first..)
                .zip(heads)
                .map(|(seq, (routes, at, len, byte))| record(seq, routes, at, vec![byte; len]))
                .collect();
            let blocks = Packer::new().pack(&records);
            let unpacked: Vec<Record> =
                blocks.iter().flat_map(|block| unpack(&through_values(block)).unwrap()).collect();
            prop_assert_eq!(unpacked, records);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(unpack(&bytes).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for body in [vec![7; 400], (0..60).collect()] {
            let block =
                &Packer::new().pack(&[record(9, 3, Stamp::from_wall(1_700_000_000_000), body)])[0];
            assert!(unpack(&block.bytes).is_ok());
            for bit in 0..block.bytes.len() * 8 {
                let mut flipped = block.bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(unpack(&flipped).is_err(), "bit {bit}");
            }
            for cut in 0..block.bytes.len() {
                assert!(unpack(&block.bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn the_format_is_the_one_written_down() {
        let at = |since_boot_ms, wall_ms| Stamp {
            boot: 0x0102,
            since_boot_ms,
            wall_ms,
        };
        let records = [
            record(258, 5, at(3, 5), b"ab".to_vec()),
            record(259, 4, at(2, 3), b"c".to_vec()),
        ];
        let block = &Packer::new().pack(&records)[0];
        let header = [
            &[2, 1, 0, 0, 0, 0, 0, 0][..],
            &[2, 0, 0, 0],
            &[19, 0, 0, 0],
            &[19, 0, 0, 0],
        ]
        .concat();
        assert_eq!(block.bytes[..4], [2, 0, 0, 0]);
        assert_eq!(block.bytes[8..28], header);
        let plain = [
            &[2, 1, 0, 0, 0, 0, 0, 0][..],
            &[4, 6, 4, 5],
            &[2, 1, 1, 1],
            b"abc",
        ]
        .concat();
        assert_eq!(block.bytes[28..], plain);
    }
}
