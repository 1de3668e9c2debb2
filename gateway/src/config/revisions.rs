//! Revisions: `STATE/config/00000007.toml`, what the console configured, each change a new file, written atomically.
//!
//! The first line of a file says what it is: `# fieldgate configuration 1: {"number":7,"at":…,"who":…,"what":…,"bytes":…}`.
//! The rest is the text, of so many bytes. The highest whole revision is the current one; there is no separate
//! pointer that could say otherwise. A power cut leaves the old or the new revision, never a half. A file without the
//! first line was written by a person, for instance to get a gateway going that an update made refuse its configuration.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use fieldgate_api::{
    config::{Layer, Origin, Revision},
    trouble::ConfigProblem,
};
use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, TomlError};

use super::problems::problem;

/// What the first line begins with; the number is the format's version.
const HEAD: &str = "# fieldgate configuration 1: ";
/// What it begins with in every version.
const ANY_HEAD: &str = "# fieldgate configuration ";
/// How many revisions are kept, so that at least the last fifty can be gone back to.
const KEPT: usize = 100;

/// The folder of revisions.
#[derive(Debug)]
pub(super) struct Revisions {
    folder: PathBuf,
}

/// One revision. Number 0, without text, stands for a console that never changed anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub number: u64,
    pub at: Timestamp,
    pub who: String,
    pub what: String,
    pub text: String,
}

/// Why a revision cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("there is no revision {0}; list the revisions to see which ones are kept")]
    NotFound(u64),
    #[error("revision {0} is damaged ({1}); choose another one")]
    Damaged(u64, String),
    #[error("cannot read revision {0}: {1}; look at the disk and the rights of the state folder")]
    Io(u64, io::Error),
}

/// The first line's data.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    number: u64,
    at: Timestamp,
    who: String,
    what: String,
    bytes: usize,
}

// === impl Revisions ===

impl Revisions {
    /// Opens the folder, making it when it is missing, and clears away what an interrupted write left.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { folder })
    }

    /// The current revision, and a problem for each newer one that is damaged.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn current(&self) -> io::Result<(Stored, Vec<ConfigProblem>)> {
        let mut problems = Vec::new();
        for number in self.numbers()?.into_iter().rev() {
            match self.read(number) {
                Ok(stored) => return Ok((stored, problems)),
                Err(error) => {
                    let place = self.path(number).display().to_string();
                    let origin = Origin {
                        layer: Layer::Console,
                        place,
                    };
                    let remedy = "the revision before it is in force; look through it and save once to go on from there";
                    problems.push(problem("", &[], &origin, error.to_string(), remedy));
                }
            }
        }
        Ok((Stored::default(), problems))
    }

    /// All whole revisions, the newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<Stored>> {
        let numbers = self.numbers()?;
        Ok(numbers
            .into_iter()
            .rev()
            .filter_map(|number| self.read(number).ok())
            .collect())
    }

    /// One revision; 0 is always there and empty.
    ///
    /// # Errors
    /// When it is not kept, or not whole.
    pub fn read(&self, number: u64) -> Result<Stored, ReadError> {
        if number == 0 {
            return Ok(Stored::default());
        }
        let text = match fs::read(self.path(number)) {
            Ok(bytes) => String::from_utf8(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ReadError::NotFound(number));
            }
            Err(error) => return Err(ReadError::Io(number, error)),
        };
        text.map_err(|error| error.to_string())
            .and_then(|text| whole(number, &text))
            .map_err(|why| ReadError::Damaged(number, why))
    }

    /// The number that the next revision gets.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn next_number(&self) -> io::Result<u64> {
        Ok(self.numbers()?.last().copied().unwrap_or(0) + 1)
    }

    /// Writes a revision, and takes away those beyond the last hundred, which it returns.
    ///
    /// # Errors
    /// When it is not on the disk for certain; then nothing has changed.
    pub fn commit(
        &self,
        number: u64,
        text: &str,
        who: &str,
        what: &str,
    ) -> io::Result<(Stored, Vec<Stored>)> {
        let stored = Stored {
            number,
            at: now(),
            who: who.to_owned(),
            what: what.to_owned(),
            text: text.to_owned(),
        };
        let path = self.path(number);
        write_atomically(&path, stored.file().as_bytes()).inspect_err(|_| {
            // It may have got its name already. If it cannot be removed, its folder is beyond our help.
            let _ = fs::remove_file(&path);
        })?;
        let pruned = self.prune().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot remove old revisions of the configuration");
            Vec::new()
        });
        Ok((stored, pruned))
    }

    fn prune(&self) -> io::Result<Vec<Stored>> {
        let numbers = self.numbers()?;
        let beyond = &numbers[..numbers.len().saturating_sub(KEPT)];
        let mut pruned = Vec::new();
        for number in beyond {
            pruned.extend(self.read(*number).ok());
            fs::remove_file(self.path(*number))?;
        }
        Ok(pruned)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.toml"))
    }

    /// The numbers of all files, whole or not, in order.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".toml"));
            numbers.extend(
                number
                    .and_then(|number| number.parse::<u64>().ok())
                    .filter(|number| *number > 0),
            );
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

// === impl Stored ===

impl Stored {
    /// As the API tells it.
    pub fn revision(&self, current: u64) -> Revision {
        Revision {
            number: self.number,
            at: self.at,
            who: self.who.clone(),
            what: self.what.clone(),
            current: self.number == current,
        }
    }

    fn file(&self) -> String {
        let head = Head {
            number: self.number,
            at: self.at,
            who: self.who.clone(),
            what: self.what.clone(),
            bytes: self.text.len(),
        };
        let head = serde_json::to_string(&head).expect("numbers and texts can be written");
        format!("{HEAD}{head}\n{}", self.text)
    }
}

/// Reads a file's whole text, or says why it is not whole.
fn whole(number: u64, file: &str) -> Result<Stored, String> {
    let (first, text) = file.split_once('\n').unwrap_or((file, ""));
    let Some(head) = first.strip_prefix(HEAD) else {
        return match first.strip_prefix(ANY_HEAD) {
            None => by_hand(number, file),
            Some(_) => Err("a newer program wrote it; run that one again".to_owned()),
        };
    };
    let head: Head = serde_json::from_str(head).map_err(|error| error.to_string())?;
    if head.number != number {
        return Err(format!("it says that it is revision {}", head.number));
    }
    if head.bytes != text.len() {
        return Err(format!(
            "{} of {} bytes are there; who changes it by hand removes the first line",
            text.len(),
            head.bytes
        ));
    }
    parsed(text)?;
    Ok(Stored {
        number,
        at: head.at,
        who: head.who,
        what: head.what,
        text: text.to_owned(),
    })
}

/// A person's own text; without any key it is rather the rest of a damaged file.
fn by_hand(number: u64, text: &str) -> Result<Stored, String> {
    if parsed(text)?.is_empty() {
        return Err("nothing is in it".to_owned());
    }
    Ok(Stored {
        number,
        at: Timestamp::default(),
        who: "by hand".to_owned(),
        what: "write a revision by hand".to_owned(),
        text: text.to_owned(),
    })
}

fn parsed(text: &str) -> Result<DocumentMut, String> {
    text.parse()
        .map_err(|error: TomlError| error.message().to_owned())
}

/// Writes beside, syncs, renames, and syncs the folder, so that the name stands for all bytes or none.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revisions() -> (tempfile::TempDir, Revisions) {
        let folder = tempfile::tempdir().unwrap();
        let revisions = Revisions::open(folder.path().join("config")).unwrap();
        (folder, revisions)
    }

    fn commit(revisions: &Revisions, text: &str, who: &str, what: &str) -> (Stored, Vec<Stored>) {
        let number = revisions.next_number().unwrap();
        revisions.commit(number, text, who, what).unwrap()
    }

    #[test]
    fn what_was_committed_is_current_and_can_be_read() {
        let (_folder, revisions) = revisions();
        assert_eq!(revisions.current().unwrap(), (Stored::default(), vec![]));
        for text in ["", "a = 1\n", "a = 2 # two\n"] {
            let (stored, _) = commit(&revisions, text, "me\n", "set \"a\"");
            assert_eq!(revisions.current().unwrap(), (stored.clone(), vec![]));
            assert_eq!(revisions.read(stored.number).unwrap(), stored);
        }
        let numbers: Vec<u64> = revisions
            .list()
            .unwrap()
            .iter()
            .map(|stored| stored.number)
            .collect();
        assert_eq!(numbers, [3, 2, 1]);
        assert!(matches!(revisions.read(4), Err(ReadError::NotFound(4))));
    }

    #[test]
    fn a_damaged_revision_is_passed_over_and_reported() {
        let damages: [fn(&mut Vec<u8>); 6] = [
            |file| file.clear(),
            |file| file.truncate(file.len() - 1),
            |file| file.truncate(20),
            |file| file[HEAD.len() + 2] ^= 1,
            |file| file.push(b'\n'),
            |file| *file.last_mut().unwrap() = 0xff,
        ];
        for damage in damages {
            let (_folder, revisions) = revisions();
            commit(&revisions, "a = 1\n", "me", "one");
            commit(&revisions, "a = 2\n", "me", "two");
            let mut file = fs::read(revisions.path(2)).unwrap();
            damage(&mut file);
            fs::write(revisions.path(2), file).unwrap();
            let (current, problems) = revisions.current().unwrap();
            assert_eq!((current.number, problems.len()), (1, 1));
            assert_eq!(commit(&revisions, "a = 3\n", "me", "three").0.number, 3);
            assert_eq!(revisions.current().unwrap().0.number, 3);
        }
    }

    #[test]
    fn a_person_may_write_one() {
        let (_folder, revisions) = revisions();
        fs::write(revisions.path(7), "# mine\na = 1\n").unwrap();
        let (current, problems) = revisions.current().unwrap();
        assert_eq!(
            (current.number, current.text.as_str()),
            (7, "# mine\na = 1\n")
        );
        assert_eq!((current.who.as_str(), problems), ("by hand", vec![]));
    }

    #[test]
    fn the_last_hundred_are_kept_and_left_overs_cleared() {
        let (_folder, revisions) = revisions();
        for number in 1..=103 {
            let (_, pruned) = commit(&revisions, "", "me", "again");
            assert_eq!(pruned.len(), usize::from(number > KEPT));
        }
        assert_eq!(revisions.list().unwrap().len(), KEPT);
        fs::write(revisions.path(104).with_extension("new"), "half").unwrap();
        let revisions = Revisions::open(revisions.folder.clone()).unwrap();
        assert_eq!(fs::read_dir(&revisions.folder).unwrap().count(), KEPT);
    }
}
