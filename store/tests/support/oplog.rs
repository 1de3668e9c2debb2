//! What the shim wrote down: the file system calls of a process in the order in which they took effect.

use std::{fs, path::Path, rc::Rc};

/// One call, and the path below the root that it was about, `""` for the root itself.
#[derive(Clone, Debug)]
pub struct Op {
    pub path: String,
    pub call: Call,
}

#[derive(Clone, Debug)]
pub enum Call {
    Create,
    Truncate(u64),
    /// The file was made at least this long.
    Extend(u64),
    Write(u64, Rc<[u8]>),
    Sync,
    Rename(String),
    Remove,
    MakeDir,
    /// What the writer said, see [`super::writer`].
    Mark(String),
}

const HEADER_BYTES: usize = 24;

/// Reads a log; one that ends in the middle of a record (its writer was killed) ends before it.
pub fn read(log: &Path) -> Vec<Op> {
    let bytes = fs::read(log).unwrap();
    let (mut ops, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((op, after)) = one(rest) {
        ops.push(op);
        rest = after;
    }
    ops
}

fn one(bytes: &[u8]) -> Option<(Op, &[u8])> {
    let header = bytes.get(..HEADER_BYTES)?;
    let len = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap()) as usize;
    let offset = u64::from_ne_bytes(header[16..24].try_into().unwrap());
    let (path_end, end) = (HEADER_BYTES + len(4), HEADER_BYTES + len(4) + len(8));
    let path = String::from_utf8(bytes.get(HEADER_BYTES..path_end)?.to_vec()).unwrap();
    let data = bytes.get(path_end..end)?;
    let text = || String::from_utf8(data.to_vec()).unwrap();
    let call = match header[0] {
        b'C' => Call::Create,
        b'T' => Call::Truncate(offset),
        b'A' => Call::Extend(offset),
        b'W' => Call::Write(offset, data.into()),
        b'S' => Call::Sync,
        b'R' => Call::Rename(text()),
        b'U' => Call::Remove,
        b'D' => Call::MakeDir,
        b'M' => Call::Mark(text()),
        other => panic!("the shim wrote an unknown call {other}"),
    };
    Some((Op { path, call }, &bytes[end..]))
}
