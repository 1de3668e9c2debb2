//! The shelves on disk, in the folder that all OPC UA sources share.
//!
//! ```text
//! trust/format           1
//! trust/trusted/         SHA256.der, the certificate; SHA256.json, for whom and why (a file without it is for all)
//! trust/issuers/         the same for authorities; SHA256.crl, what the authority has revoked
//! trust/waiting/         seen, and not decided
//! trust/rejected/
//! trust/distrust/        SOURCE.json, one for each server that does not trust us yet
//! trust/own/             see `own.rs`
//! ```
//!
//! What lies here is read for each connection, so that a file that an administrator puts there counts at once.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use fieldgate_kit::trust::Shelf;
use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::certificate::{self, Authority, Facts, Flaw, Revocations};

const FORMAT: &str = "1";
/// Servers can show a new certificate each time; of what was not decided, so many are kept for a server, and in all.
const WAITING_FOR_ONE: usize = 4;
const WAITING_IN_ALL: usize = 64;

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Store(PathBuf);

/// Held while something is changed; sources, tests and the console may do so at once.
pub(crate) struct Guard {
    _file: File,
}

/// A certificate on a shelf.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub facts: Facts,
    pub note: Note,
}

/// What is known of it beside itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Note {
    pub version: u32,
    /// For all sources, whatever the address.
    pub all: bool,
    pub bindings: Vec<Binding>,
    /// What was wrong with it when it was met.
    pub flaws: Vec<Flaw>,
    /// The flaws that a person has accepted.
    pub forgiven: Vec<Flaw>,
    /// Why it lies here.
    pub words: String,
    /// The certificate (SHA-256) that was trusted when this one was met.
    pub instead_of: Option<String>,
    pub since: Timestamp,
}

/// Where a certificate was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub source: String,
    pub address: String,
}

/// A server that does not trust us yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DistrustNote {
    pub version: u32,
    pub source: String,
    pub address: String,
    pub words: String,
    pub thumbprint: String,
    pub since: Timestamp,
    pub tried: Timestamp,
}

// === impl Store ===

impl Store {
    pub(crate) fn at(kind_dir: &Path) -> Self {
        Self(kind_dir.join("trust"))
    }

    pub(crate) fn own(&self) -> PathBuf {
        self.0.join("own")
    }

    pub(crate) fn folder(&self, shelf: Shelf) -> PathBuf {
        self.0.join(shelf.as_str())
    }

    /// Makes the folders, and waits until nobody else changes anything. Only for threads that may block.
    pub(crate) fn change(&self) -> Result<Guard, String> {
        private(&self.0)?;
        let file = self.0.join("lock");
        let locked = File::create(&file).and_then(|file| file.lock().map(|()| file));
        let guard = Guard {
            _file: locked.map_err(|error| failed(&self.0.join("lock"), &error))?,
        };
        let format = self.0.join("format");
        match fs::read_to_string(&format) {
            Ok(text) if text.trim() == FORMAT => {}
            Ok(text) => {
                return Err(format!(
                    "{} is in the format {}, and this program knows {FORMAT}; use the program that wrote it",
                    self.0.display(),
                    text.trim().escape_debug()
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write(&format, format!("{FORMAT}\n").as_bytes())?;
            }
            Err(error) => return Err(failed(&format, &error)),
        }
        for shelf in Shelf::ALL {
            private(&self.folder(shelf))?;
        }
        private(&self.0.join("distrust"))?;
        Ok(guard)
    }

    /// What lies on a shelf, the newest first. What cannot be read is left out, and said in the log.
    pub(crate) fn entries(&self, shelf: Shelf) -> Result<Vec<Entry>, String> {
        let folder = self.folder(shelf);
        let mut entries = Vec::new();
        for file in files(&folder, "der")? {
            let read = fs::read(&file).map_err(|error| failed(&file, &error));
            match read.and_then(|der| certificate::read(&der)) {
                Ok(facts) => {
                    let note = note(&file.with_extension("json"));
                    entries.push(Entry { facts, note });
                }
                Err(why) => {
                    tracing::warn!(file = %file.display(), why, "a certificate is left out");
                }
            }
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.note.since));
        Ok(entries)
    }

    /// The authorities, with what they have revoked.
    pub(crate) fn authorities(&self) -> Result<Vec<Authority>, String> {
        let entries = self.entries(Shelf::Issuers)?;
        let folder = self.folder(Shelf::Issuers);
        let with_list = |entry: Entry| {
            let file = folder.join(format!("{}.crl", entry.facts.shown.sha256));
            let list = match fs::read(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                // An unreadable list must not be taken for one that revokes nothing.
                Err(error) => return Err(failed(&file, &error)),
                Ok(der) => Some(
                    Revocations::read(&der)
                        .map_err(|why| format!("{}: {why}; import it again", file.display()))?,
                ),
            };
            Ok(Authority {
                facts: entry.facts,
                revocations: list,
            })
        };
        entries.into_iter().map(with_list).collect()
    }

    pub(crate) fn find(&self, shelf: Shelf, sha256: &str) -> Result<Option<Entry>, String> {
        let entries = self.entries(shelf)?;
        Ok(entries
            .into_iter()
            .find(|entry| entry.facts.shown.sha256 == sha256))
    }

    pub(crate) fn put(&self, shelf: Shelf, entry: &Entry) -> Result<(), String> {
        let shown = &entry.facts.shown;
        let file = self.folder(shelf).join(format!("{}.json", shown.sha256));
        let note = Note {
            version: 1,
            ..entry.note.clone()
        };
        // The note first: a certificate without one would be for all.
        write(&file, &json(&note)?)?;
        write(&file.with_extension("der"), &shown.der)
    }

    pub(crate) fn put_list(&self, authority: &Facts, list: &Revocations) -> Result<(), String> {
        let folder = self.folder(Shelf::Issuers);
        write(
            &folder.join(format!("{}.crl", authority.shown.sha256)),
            &list.der,
        )
    }

    pub(crate) fn remove(&self, shelf: Shelf, sha256: &str) -> Result<(), String> {
        for ending in ["der", "crl", "json"] {
            let file = self.folder(shelf).join(format!("{sha256}.{ending}"));
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(&file, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How many certificates wait.
    pub(crate) fn waiting(&self) -> usize {
        files(&self.folder(Shelf::Waiting), "der").map_or(0, |files| files.len())
    }

    /// Lets a certificate wait for a person. Of too many, the oldest go.
    pub(crate) fn wait(&self, entry: &Entry, binding: &Binding) -> Result<(), String> {
        let mut entry = entry.clone();
        let before = self.find(Shelf::Waiting, &entry.facts.shown.sha256)?;
        if let Some(before) = before {
            let (old, new) = (before.note, &entry.note);
            if old.words == new.words
                && old.instead_of == new.instead_of
                && old.bindings.contains(binding)
            {
                return Ok(());
            }
            entry.note.since = old.since;
            entry.note.bindings = old.bindings;
        }
        if !entry.note.bindings.contains(binding) {
            entry.note.bindings.push(binding.clone());
        }
        self.put(Shelf::Waiting, &entry)?;
        let waiting = self.entries(Shelf::Waiting)?;
        let mine = waiting
            .iter()
            .filter(|entry| entry.note.bindings.contains(binding));
        let too_many = mine.skip(WAITING_FOR_ONE);
        for gone in too_many.chain(waiting.iter().skip(WAITING_IN_ALL)) {
            self.remove(Shelf::Waiting, &gone.facts.shown.sha256)?;
        }
        Ok(())
    }

    /// Trusts a certificate where it was met, and no longer those that were trusted there before.
    pub(crate) fn trust(&self, entry: &Entry, bindings: &[Binding]) -> Result<(), String> {
        let sha256 = &entry.facts.shown.sha256;
        for mut other in self.entries(Shelf::Trusted)? {
            if other.facts.shown.sha256 == *sha256 {
                continue;
            }
            let before = other.note.bindings.len();
            other
                .note
                .bindings
                .retain(|bound| !bindings.contains(bound));
            if other.note.bindings.len() == before {
                continue;
            }
            match other.note.bindings.is_empty() && !other.note.all {
                true => self.remove(Shelf::Trusted, &other.facts.shown.sha256)?,
                false => self.put(Shelf::Trusted, &other)?,
            }
        }
        let mut entry = entry.clone();
        if let Some(before) = self.find(Shelf::Trusted, sha256)? {
            entry.note.all |= before.note.all;
            entry.note.bindings = before.note.bindings;
            entry.note.forgiven.extend(before.note.forgiven);
            entry.note.forgiven.sort_unstable();
            entry.note.forgiven.dedup();
        } else {
            entry.note.bindings = Vec::new();
        }
        for binding in bindings {
            if !entry.note.bindings.contains(binding) {
                entry.note.bindings.push(binding.clone());
            }
        }
        self.put(Shelf::Trusted, &entry)?;
        self.remove(Shelf::Waiting, sha256)
    }

    /// The servers that do not trust us yet.
    pub(crate) fn distrusting(&self) -> Result<Vec<DistrustNote>, String> {
        let files = files(&self.0.join("distrust"), "json")?;
        let mut notes: Vec<DistrustNote> =
            files.iter().filter_map(|file| read_json(file)).collect();
        notes.sort_by_key(|note| std::cmp::Reverse(note.since));
        Ok(notes)
    }

    /// A server did not let us in because of our certificate.
    pub(crate) fn distrusted(&self, mut note: DistrustNote) -> Result<(), String> {
        let file = self.distrust_file(&note.source);
        if let Some(before) = read_json::<DistrustNote>(&file)
            && before.address == note.address
        {
            note.since = before.since;
        }
        write(&file, &json(&note)?)
    }

    /// It did.
    pub(crate) fn trusts_us(&self, source: &str) -> Result<(), String> {
        let file = self.distrust_file(source);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&file, &error)),
            _ => Ok(()),
        }
    }

    fn distrust_file(&self, source: &str) -> PathBuf {
        self.0.join("distrust").join(format!("{source}.json"))
    }
}

/// Makes a folder that only we may look into.
pub(crate) fn private(path: &Path) -> Result<(), String> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| failed(path, &error))
}

/// Writes a file that is either there as a whole or not at all, and only for us.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    });
    written.map_err(|error| failed(path, &error))
}

pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(value).map_err(|error| error.to_string())
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = fs::read(path).ok()?;
    match serde_json::from_slice(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "a note is left out");
            None
        }
    }
}

pub(crate) fn failed(path: &Path, error: &io::Error) -> String {
    format!(
        "{}: {error}; make the folder readable and writable for the gateway's user",
        path.display()
    )
}

/// A certificate without a note was put there by an administrator, and is for all; one with an unreadable note is for none.
fn note(path: &Path) -> Note {
    match path.exists() {
        true => read_json(path).unwrap_or_default(),
        false => Note {
            all: true,
            words: "put there by hand".to_owned(),
            ..Note::default()
        },
    }
}

/// The files of a folder with this ending; none when there is no folder yet.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder, &error)),
    };
    let mut files = Vec::new();
    for file in listed {
        let path = file.map_err(|error| failed(folder, &error))?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
