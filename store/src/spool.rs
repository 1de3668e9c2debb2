//! Bodies too large for a block: files named after their SHA-256, in their generation's directory, so that they are
//! counted, set aside and removed with it.
//!
//! ```text
//! gen-00000042/spool/1f…c0        the body, nothing else
//! gen-00000042/spool/1f…c0.part   one that was being written when the power went; it goes with the generation
//! ```
//! A file is written aside, synced, renamed, and the directory synced, before the commit whose block has its hash and
//! length. A reader checks both. What is wrong with a file costs the one record: the block knows the rest.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::{
    error::EngineError,
    findings::{CheckReport, advice},
    record::{Body, Missing, Record},
    segment::{allocated_bytes, sync_dir},
};

/// Bodies longer than this are spooled.
pub(crate) const OVER_BYTES: usize = 64 << 10;
const DIR: &str = "spool";

/// The SHA-256 of a body.
pub(crate) type Hash = [u8; 32];

/// A large body on its way into a file.
pub(crate) struct Spooled {
    /// Of the record, within its commit.
    index: usize,
    hash: Hash,
    bytes: Bytes,
}

/// Takes the large bodies out of records that are to be packed.
pub(crate) fn take_out(records: &mut [Record]) -> Vec<Spooled> {
    let mut bodies = Vec::new();
    for (index, record) in records.iter_mut().enumerate() {
        if let Body::Bytes(bytes) = &record.body
            && bytes.len() > OVER_BYTES
        {
            let (hash, bytes) = (hash_of(bytes), bytes.clone());
            record.body = Body::Missing(Missing::spooled(bytes.len(), hash));
            bodies.push(Spooled { index, hash, bytes });
        }
    }
    bodies
}

/// Puts them back into the same records.
pub(crate) fn put_back(records: &mut [Record], bodies: Vec<Spooled>) {
    for body in bodies {
        if let Some(record) = records.get_mut(body.index) {
            record.body = body.bytes.into();
        }
    }
}

/// Makes the bodies durable in a generation's directory; returns the bytes that this allocated.
pub(crate) fn write(generation: &Path, bodies: &[Spooled]) -> Result<u64, EngineError> {
    if bodies.is_empty() {
        return Ok(0);
    }
    let dir = generation.join(DIR);
    let mut allocated =
        make_dir(generation, &dir).map_err(|source| EngineError::disk("create", &dir, source))?;
    for body in bodies {
        let path = dir.join(name(&body.hash));
        allocated +=
            write_one(&path, body).map_err(|source| EngineError::disk("write", &path, source))?;
    }
    sync_dir(&dir).map_err(|source| EngineError::disk("sync", &dir, source))?;
    Ok(allocated)
}

/// Reads the body that a block only names. Errors of the disk itself, but that a place is unreadable, are worth a later try.
pub(crate) fn fetch(generation: &Path, record: &mut Record) -> Result<(), EngineError> {
    let Body::Missing(Missing {
        len,
        spooled: Some(hash),
        ..
    }) = &record.body
    else {
        return Ok(());
    };
    let path = generation.join(DIR).join(name(hash));
    record.body = match read(&path, *len, hash) {
        Ok(bytes) => Body::Bytes(bytes),
        Err(error) if is_its_own(&error) => {
            tracing::error!(path = %path.display(), %error, seq = record.seq.0, "a record's file in the queue is damaged");
            let why = format!("{}: {error}", path.display());
            Body::Missing(Missing::for_good(*len, why))
        }
        Err(error) => return Err(EngineError::disk("read", &path, error)),
    };
    Ok(())
}

/// Reads every body that these records only name, one after the other; how many there were.
pub(crate) fn check(
    generation: &Path,
    records: &mut [Record],
    report: &mut CheckReport,
) -> Result<u64, EngineError> {
    let mut there = 0;
    for record in records {
        if !matches!(&record.body, Body::Missing(missing) if missing.spooled.is_some()) {
            continue;
        }
        there += 1;
        fetch(generation, record)?;
        if let Body::Missing(missing) = &record.body {
            let what = format!("the body of record {}: {missing}", record.seq);
            report.find(generation.join(DIR), what, 1, advice::LETTER);
        }
        record.body = Body::Bytes(Bytes::new());
    }
    Ok(there)
}

/// Gives the bodies of one generation to another, which takes its place, too; durable when this returns.
pub(crate) fn link(from: &Path, to: &Path) -> Result<(), EngineError> {
    let (from, into) = (from.join(DIR), to.join(DIR));
    if !from.is_dir() {
        return Ok(());
    }
    let linked = || -> io::Result<()> {
        make_dir(to, &into)?;
        for file in fs::read_dir(&from)? {
            let file = file?;
            fs::hard_link(file.path(), into.join(file.file_name()))?;
        }
        sync_dir(&into)
    };
    linked().map_err(|source| EngineError::disk("link", &into, source))
}

/// Bytes allocated to a generation's spool.
pub(crate) fn disk_bytes(generation: &Path) -> u64 {
    allocated_bytes(&generation.join(DIR))
}

fn make_dir(generation: &Path, dir: &Path) -> io::Result<u64> {
    match fs::create_dir(dir) {
        Ok(()) => {
            sync_dir(generation)?;
            Ok(fs::metadata(dir)?.blocks() * 512)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(0),
        Err(error) => Err(error),
    }
}

/// A body that is there already, and whole, is not written twice.
fn write_one(path: &Path, body: &Spooled) -> io::Result<u64> {
    if read(path, body.bytes.len(), &body.hash).is_ok() {
        return Ok(0);
    }
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(&body.bytes)?;
    file.sync_all()?;
    let allocated = file.metadata()?.blocks() * 512;
    fs::rename(&part, path)?;
    Ok(allocated)
}

fn read(path: &Path, len: usize, hash: &Hash) -> io::Result<Bytes> {
    let found = fs::metadata(path)?.len();
    if found != len as u64 {
        let why = format!("the file has {found} bytes instead of {len}");
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    let bytes = fs::read(path)?;
    if hash_of(&bytes) != *hash {
        let why = "its checksum does not match its name";
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    Ok(bytes.into())
}

/// The error lies in this file; with another the disk may be well again.
fn is_its_own(error: &io::Error) -> bool {
    let kinds = [
        ErrorKind::NotFound,
        ErrorKind::InvalidData,
        ErrorKind::IsADirectory,
        ErrorKind::NotADirectory,
    ];
    kinds.contains(&error.kind()) || Errno::from_io_error(error) == Some(Errno::IO)
}

fn hash_of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

fn name(hash: &Hash) -> PathBuf {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.into()
}
