//! `Folder`: the only way to the disk. Nothing is written outside of it, no link below it is followed, and what is there is synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use fieldgate_kit::SinkError;
use rustix::fs::OFlags;

use crate::{
    names::TEMPORARY,
    words::{explain, link},
};

/// The folder of the settings.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

/// One level as it stands in a path of a folder: never hidden, so that it is neither overlooked nor taken for what is being written.
pub(crate) fn plain(level: &str, path: &mut String) {
    match level.strip_prefix('.') {
        Some(rest) => {
            path.push_str("%2E");
            path.push_str(rest);
        }
        None => path.push_str(level),
    }
}

// === impl Folder ===

impl Folder {
    /// A folder that is there, and that can be written to.
    pub fn open(root: &Path) -> Result<Self, SinkError> {
        let folder = Self::unchecked(root);
        folder.is_there()?;
        folder.try_to_write()?;
        Ok(folder)
    }

    /// One of which nothing is known yet.
    pub fn unchecked(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub fn is_there(&self) -> Result<(), SinkError> {
        match fs::metadata(&self.root) {
            Ok(root) if root.is_dir() => Ok(()),
            Ok(_) => Err(explain(&ErrorKind::NotADirectory.into(), &self.root)),
            Err(error) => Err(explain(&error, &self.root)),
        }
    }

    pub fn try_to_write(&self) -> Result<(), SinkError> {
        let file = self.root.join(format!("{TEMPORARY}test.tmp"));
        let tried = File::create(&file).and_then(|mut file| file.write_all(b"test"));
        tried.map_err(|error| explain(&error, &self.root))?;
        fs::remove_file(&file).map_err(|error| explain(&error, &self.root))
    }

    /// The bytes that are free for this user.
    pub fn free_bytes(&self) -> Result<u64, SinkError> {
        let of_disk = rustix::fs::statvfs(&self.root);
        let of_disk = of_disk.map_err(|error| explain(&error.into(), &self.root))?;
        Ok(of_disk.f_bavail.saturating_mul(of_disk.f_frsize))
    }

    /// A folder below, made if it is not there, level by level.
    pub fn make(&self, below: &str) -> Result<PathBuf, SinkError> {
        self.is_there()?;
        let mut path = self.root.clone();
        for level in below.split('/').filter(|level| !level.is_empty()) {
            let parent = path.clone();
            path.push(level);
            match fs::symlink_metadata(&path) {
                Ok(there) if there.is_dir() => {}
                Ok(there) if there.is_symlink() => return Err(link(&path)),
                Ok(_) => return Err(explain(&ErrorKind::NotADirectory.into(), &path)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    fs::create_dir(&path).map_err(|error| explain(&error, &path))?;
                    sync(&parent)?;
                }
                Err(error) => return Err(explain(&error, &path)),
            }
        }
        Ok(path)
    }
}

/// Has the names in a folder on the disk.
pub(crate) fn sync(folder: &Path) -> Result<(), SinkError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| explain(&error, folder))
}

/// Opens a file for reading and writing, where a link is an error; made if it is not there.
pub(crate) fn open(path: &Path) -> Result<File, SinkError> {
    let opened = no_link()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    opened.map_err(|error| explain(&error, path))
}

/// Opens a file for adding to it, likewise.
pub(crate) fn open_to_append(path: &Path) -> Result<File, SinkError> {
    let opened = no_link().append(true).create(true).open(path);
    opened.map_err(|error| explain(&error, path))
}

/// Opens a file that is there; `None` when it is not.
pub(crate) fn open_if_there(path: &Path) -> Result<Option<File>, SinkError> {
    match no_link().read(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(explain(&error, path)),
    }
}

/// A whole file under its name, or nothing: written aside, synced, renamed. What had the name before is gone.
pub(crate) fn replace(folder: &Path, name: &str, id: &str, bytes: &[u8]) -> Result<(), SinkError> {
    let aside = folder.join(format!("{TEMPORARY}{id}.tmp"));
    let path = folder.join(name);
    write_aside(&aside, bytes).map_err(|error| {
        // Half a file would only take room.
        let _ = fs::remove_file(&aside);
        explain(&error, &path)
    })?;
    fs::rename(&aside, &path).map_err(|error| explain(&error, &path))?;
    sync(folder)
}

fn write_aside(aside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = no_link()
        .write(true)
        .create(true)
        .truncate(true)
        .open(aside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn no_link() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.custom_flags(flags);
    options
}
