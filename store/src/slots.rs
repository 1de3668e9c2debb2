//! A/B slot files: two copies of a small document, written in turn and in place, so that one of them is always whole.
//!
//! ```text
//! slot = magic [u8;4] | version u16 | reserved u16 | counter u64 | len u32 | crc32c u32 | payload (postcard), little-endian
//! ```
//! The CRC covers everything but itself. The newer valid counter wins. A slot whose write or sync failed is written again
//! before the other is touched. The files are made 16 KiB long at once, so that a full disk does not stop the lane from
//! saying so: overwriting in place needs no new block.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    marker::PhantomData,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::segment::sync_dir;

const HEADER_BYTES: usize = 24;
const PREALLOCATED: usize = 16 << 10;

/// A small document that is kept in two slots.
pub trait Document: Serialize + Sized {
    /// The files are `NAME.a` and `NAME.b`.
    const NAME: &'static str;
    const MAGIC: [u8; 4];
    /// The version that is written. One that is higher is refused, a lower one read by [`Document::decode`].
    const VERSION: u16;

    /// The document as `version` wrote it; `None` when the payload is none.
    fn decode(version: u16, payload: &[u8]) -> Option<Self>;
}

/// What the two slots hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// Neither file is there.
    Missing,
    /// There are files, but neither is whole.
    Damaged,
    /// Written by a later version.
    Newer(u16),
    Valid(T),
}

/// The two files of one document.
#[derive(Debug)]
pub struct Slots<T> {
    paths: [PathBuf; 2],
    counter: u64,
    /// Which of the two is written next: the one that does not hold the newest valid document.
    next: usize,
    /// One that is there and was not whole when it was read: it may have held a newer document.
    torn: Option<usize>,
    document: PhantomData<fn(T)>,
}

// === impl Slots ===

impl<T: Document> Slots<T> {
    /// Reads the two files in `dir`.
    ///
    /// # Errors
    /// When a file is there but cannot be read.
    pub fn load(dir: &Path) -> io::Result<(Slots<T>, Loaded<T>)> {
        let name = T::NAME;
        let paths = [dir.join(format!("{name}.a")), dir.join(format!("{name}.b"))];
        let mut slots = Slots {
            paths,
            counter: 0,
            next: 0,
            torn: None,
            document: PhantomData,
        };
        let (mut newest, mut seen, mut newer) = (None, false, None);
        for index in 0..2 {
            let Some(bytes) = read_if_there(&slots.paths[index])? else {
                continue;
            };
            seen = true;
            match decode::<T>(&bytes) {
                Ok((counter, value)) if newest.is_none() || counter > slots.counter => {
                    (slots.counter, slots.next) = (counter, 1 - index);
                    newest = Some(value);
                }
                Ok(_) => {}
                Err(BadSlot::Newer(version)) => newer = Some(version),
                Err(BadSlot::Damaged) => slots.torn = Some(index),
            }
        }
        let loaded = match (newer, newest, seen) {
            (Some(version), _, _) => Loaded::Newer(version),
            (None, Some(value), _) => Loaded::Valid(value),
            (None, None, true) => Loaded::Damaged,
            (None, None, false) => Loaded::Missing,
        };
        Ok((slots, loaded))
    }

    /// Makes `value` the newest document; durable when this returns.
    ///
    /// # Errors
    /// When the disk refuses: then the document before is the newest still.
    pub fn store(&mut self, value: &T) -> io::Result<()> {
        let bytes = encode(self.counter + 1, value)?;
        let path = &self.paths[self.next];
        let (file, is_new) = open_slot(path)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_all()?;
        if is_new {
            sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        }
        self.counter += 1;
        self.next = 1 - self.next;
        Ok(())
    }

    /// A file that was there and not whole when they were read: the newest document may have been lost with it, by a write
    /// that the power cut tore or by damage.
    pub fn torn(&self) -> Option<&Path> {
        self.torn.map(|index| self.paths[index].as_path())
    }

    /// The file that the next [`Slots::store`] writes.
    pub fn next_path(&self) -> &Path {
        &self.paths[self.next]
    }
}

enum BadSlot {
    Damaged,
    Newer(u16),
}

fn encode<T: Document>(counter: u64, value: &T) -> io::Result<Vec<u8>> {
    let payload = postcard::to_stdvec(value).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&T::MAGIC);
    bytes.extend_from_slice(&T::VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&counter.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), &payload);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

fn decode<T: Document>(bytes: &[u8]) -> Result<(u64, T), BadSlot> {
    let header = bytes.get(..HEADER_BYTES).ok_or(BadSlot::Damaged)?;
    let len = u32::from_le_bytes(header[16..20].try_into().expect("4 of 24 bytes")) as usize;
    let crc = u32::from_le_bytes(header[20..24].try_into().expect("4 of 24 bytes"));
    let end = HEADER_BYTES.checked_add(len).ok_or(BadSlot::Damaged)?;
    let payload = bytes.get(HEADER_BYTES..end).ok_or(BadSlot::Damaged)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..20]), payload);
    if header[..4] != T::MAGIC || crc != sum {
        return Err(BadSlot::Damaged);
    }
    let version = u16::from_le_bytes([header[4], header[5]]);
    if version > T::VERSION {
        return Err(BadSlot::Newer(version));
    }
    let counter = u64::from_le_bytes(header[8..16].try_into().expect("8 of 24 bytes"));
    T::decode(version, payload)
        .map(|value| (counter, value))
        .ok_or(BadSlot::Damaged)
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(mut file) => file.read_to_end(&mut bytes).map(|_| Some(bytes)),
    }
}

fn open_slot(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            file.write_all(&[0; PREALLOCATED])?;
            Ok((file, true))
        }
        other => other.map(|file| (file, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Document for u32 {
        const NAME: &'static str = "DOC";
        const MAGIC: [u8; 4] = *b"TEST";
        const VERSION: u16 = 3;

        fn decode(version: u16, payload: &[u8]) -> Option<u32> {
            let value: u32 = postcard::from_bytes(payload).ok()?;
            Some(if version < 3 { value + 1000 } else { value })
        }
    }

    fn load(dir: &Path) -> (Slots<u32>, Loaded<u32>) {
        Slots::load(dir).unwrap()
    }

    /// A slot of another version, its checksum right.
    fn of_version(version: u16, counter: u64, value: u32) -> Vec<u8> {
        let mut bytes = encode(counter, &value).unwrap();
        bytes[4..6].copy_from_slice(&version.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..20]), &bytes[24..]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn an_older_version_is_read_as_such_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("DOC.a"), of_version(2, 1, 5)).unwrap();
        let (mut slots, loaded) = load(dir.path());
        assert_eq!(loaded, Loaded::Valid(1005));
        slots.store(&6).unwrap();
        assert_eq!(load(dir.path()).1, Loaded::Valid(6));
        std::fs::write(dir.path().join("DOC.a"), of_version(4, 9, 5)).unwrap();
        assert_eq!(load(dir.path()).1, Loaded::Newer(4));
    }

    #[test]
    fn the_newest_whole_slot_wins() {
        let dir = tempfile::tempdir().unwrap();
        let (mut slots, loaded) = load(dir.path());
        assert_eq!(loaded, Loaded::Missing);
        for value in 1..=5u32 {
            slots.store(&value).unwrap();
            assert_eq!(load(dir.path()).1, Loaded::Valid(value));
        }
        std::fs::write(dir.path().join("DOC.a"), b"torn").unwrap();
        assert_eq!(load(dir.path()).1, Loaded::Valid(4), "5 stood in a, 4 in b");
        let (mut slots, _) = load(dir.path());
        assert_eq!(slots.torn(), Some(dir.path().join("DOC.a").as_path()));
        slots.store(&6u32).unwrap();
        assert_eq!(
            load(dir.path()).1,
            Loaded::Valid(6),
            "the damaged slot was the one written over"
        );
        std::fs::write(dir.path().join("DOC.a"), b"").unwrap();
        std::fs::write(dir.path().join("DOC.b"), b"").unwrap();
        assert_eq!(load(dir.path()).1, Loaded::Damaged);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let bytes = encode(7, &0xdead_beef_u32).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<u32>(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_format_is_the_one_written_down() {
        let bytes = encode(7, &300u32).unwrap();
        let golden = [
            b"TEST".as_slice(),
            &[3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
        ]
        .concat();
        assert_eq!(bytes[..20], golden);
        assert_eq!(bytes[24..], [0xac, 0x02]);
    }
}
