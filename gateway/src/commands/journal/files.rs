//! `Files`: lines on the disk that are only added to, in files that are bounded, each line synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Line;

const FORMAT: &str = "fieldgate-commands";
const VERSION: u32 = 1;
/// A file of this size is full.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// The files of one name.
pub(super) struct Files {
    folder: PathBuf,
    stem: &'static str,
    /// So many full files are kept beside the one that is written.
    kept: usize,
    pub(super) file: File,
    pub(super) bytes: u64,
    /// A line may stand half in the file.
    pub(super) is_torn: bool,
}

// === impl Files ===

impl Files {
    /// With all lines that are there, the oldest first, each with its size.
    ///
    /// # Errors
    /// When the folder cannot be used, or a file is of a version that this program does not know.
    pub(super) fn open(
        folder: &Path,
        stem: &'static str,
        kept: usize,
    ) -> io::Result<(Self, Vec<(Line, u64)>)> {
        fs::create_dir_all(folder)?;
        let file = append(&path(folder, stem, 0))?;
        let mut files = Self {
            bytes: file.metadata()?.len(),
            folder: folder.to_owned(),
            stem,
            kept,
            file,
            is_torn: false,
        };
        let mut lines = Vec::new();
        for number in (0..=kept).rev() {
            match fs::read(path(folder, stem, number)) {
                Ok(bytes) => files.read(&bytes, &mut lines)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if files.bytes == 0 {
            files.head()?;
        } else {
            // What a torn line left is closed, so that the next one is whole.
            files.write(b"\n")?;
        }
        Ok((files, lines))
    }

    /// The line's size.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn append(&mut self, line: &Line) -> io::Result<u64> {
        if self.bytes >= MAX_FILE_BYTES {
            self.rotate()?;
        } else if self.bytes == 0 {
            self.head()?;
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.write(&text)?;
        Ok(text.len() as u64)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.is_torn = false;
        }
        let written = self.file.write_all(bytes);
        let written = written.and_then(|()| self.file.sync_data());
        self.is_torn = written.is_err();
        written?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn head(&mut self) -> io::Result<()> {
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
        };
        let mut text = serde_json::to_vec(&head)?;
        text.push(b'\n');
        self.write(&text)?;
        File::open(&self.folder)?.sync_all()
    }

    fn rotate(&mut self) -> io::Result<()> {
        let at = |number| path(&self.folder, self.stem, number);
        for number in (0..self.kept).rev() {
            match fs::rename(at(number), at(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = append(&at(0))?;
        (self.bytes, self.is_torn) = (0, false);
        self.head()
    }

    fn read(&self, bytes: &[u8], into: &mut Vec<(Line, u64)>) -> io::Result<()> {
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let Some(first) = lines.next() else {
            return Ok(());
        };
        let head: Result<Head, _> = serde_json::from_slice(first);
        // Where the disk refused the head, a line of commands stands first.
        let first = head.is_err().then_some(first);
        if let Ok(head) = &head
            && (head.format != FORMAT || head.version != VERSION)
        {
            return Err(io::Error::other(format!(
                "{} is of the format {} {}, which this program does not know",
                self.folder.display(),
                head.format,
                head.version
            )));
        }
        for line in first.into_iter().chain(lines) {
            match serde_json::from_slice(line) {
                Ok(read) => into.push((read, line.len() as u64 + 1)),
                Err(error) => {
                    tracing::warn!(%error, "a line of the journal of commands is passed over")
                }
            }
        }
        Ok(())
    }
}

pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

pub(super) fn path(folder: &Path, stem: &str, number: usize) -> PathBuf {
    folder.join(match number {
        0 => format!("{stem}.jsonl"),
        number => format!("{stem}.{number}.jsonl"),
    })
}
