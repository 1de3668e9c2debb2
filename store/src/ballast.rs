//! Space on the disk that is given up when it is full, so that the documents can still be written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

const NAME: &str = "BALLAST";
const BYTES: u64 = 2 << 20;
/// It is not made on a disk with less free space than this: that would bring about what it is meant for.
const FREE_BYTES: u64 = 8 * BYTES;

/// The file of one lane.
#[derive(Debug)]
pub(crate) struct Ballast {
    path: PathBuf,
}

// === impl Ballast ===

impl Ballast {
    pub fn new(lane: &Path) -> Ballast {
        Ballast {
            path: lane.join(NAME),
        }
    }

    /// Makes it, really allocated, if it is not there and `free` bytes are enough. Without it the lane works too.
    pub fn make(&self, free: u64) {
        if free < FREE_BYTES || self.is_whole() {
            return;
        }
        if let Err(error) = allocate(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "there is no room for the ballast; it is tried again");
            self.give_up();
        }
    }

    /// Writes a document; on a full disk once more, after the ballast has made room.
    pub fn spare<T>(&self, write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.spare_when(|error| error.kind() == io::ErrorKind::StorageFull, write)
    }

    /// The same for what has errors of its own.
    pub fn spare_when<T, E>(
        &self,
        is_full: impl Fn(&E) -> bool,
        mut write: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        match write() {
            Err(error) if is_full(&error) && self.give_up() => write(),
            other => other,
        }
    }

    /// A power cut may have left less of it than was made.
    fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.blocks() * 512 >= BYTES)
    }

    /// Whether there was something to give up.
    fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

fn allocate(path: &Path) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
        Err(Errno::OPNOTSUPP) => file.write_all(&vec![0xb5; BYTES as usize]),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_makes_room_once() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(dir.path());
        ballast.make(FREE_BYTES - 1);
        assert!(!dir.path().join(NAME).exists(), "the disk is nearly full");
        fs::write(dir.path().join(NAME), b"").unwrap(); // what a power cut may leave
        ballast.make(FREE_BYTES);
        let allocated = crate::segment::allocated_bytes(dir.path());
        assert!(allocated >= BYTES, "{allocated} bytes are allocated");
        let mut tries = 0;
        let mut full = || -> io::Result<()> {
            tries += 1;
            Err(io::ErrorKind::StorageFull.into())
        };
        assert!(ballast.spare(&mut full).is_err());
        assert!(ballast.spare(&mut full).is_err());
        assert_eq!(tries, 3, "the second time there was nothing to give up");
        assert!(!dir.path().join(NAME).exists());
    }
}
