//! What people decided about letters, as one small document that is replaced as a whole.

use std::{
    collections::VecDeque,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::ranges::Ranges;

const VERSION: u32 = 1;
/// Retries whose number of attempts is remembered; of an older one only that there was one.
const REMEMBERED: usize = 10_000;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    version: u32,
    /// Letters that went back into the queue, of those that lie after the cursor.
    pub retried: Ranges,
    /// Letters that were thrown away, likewise.
    pub purged: Ranges,
    /// How many, since the queue was made.
    pub retried_total: u64,
    pub purged_total: u64,
    /// Letters that made room.
    pub displaced_total: u64,
    again: VecDeque<Again>,
}

/// A letter that went back into the queue, so that a second refused is known as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    message_id: String,
    destination: String,
    attempts: u32,
    first_refused_at: Timestamp,
}

impl Default for Resolved {
    fn default() -> Self {
        Self {
            version: VERSION,
            retried: Ranges::default(),
            purged: Ranges::default(),
            retried_total: 0,
            purged_total: 0,
            displaced_total: 0,
            again: VecDeque::new(),
        }
    }
}

impl Resolved {
    /// Reads the document; a new one when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is of a newer version.
    pub fn load(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text?,
        };
        let resolved: Self = serde_json::from_str(&text)?;
        if resolved.version != VERSION {
            return Err(io::Error::other(format!(
                "it has version {}, this gateway reads version {VERSION}; was it written by a newer one?",
                resolved.version
            )));
        }
        Ok(resolved)
    }

    /// Replaces the document, synced. After a crash in between the former one is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let fresh = fresh_name(path);
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        match path.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Remembers that a letter goes back into the queue.
    pub fn remember(
        &mut self,
        message_id: &str,
        destination: &str,
        attempts: u32,
        first: Timestamp,
    ) {
        if self.again.len() == REMEMBERED {
            self.again.pop_front();
        }
        self.again.push_back(Again {
            message_id: message_id.to_owned(),
            destination: destination.to_owned(),
            attempts,
            first_refused_at: first,
        });
    }

    /// How often a record was refused before, and when first; forgets it.
    pub fn recall(&mut self, message_id: &str, destination: &str) -> Option<(u32, Timestamp)> {
        let known =
            |again: &Again| again.message_id == message_id && again.destination == destination;
        let at = self.again.iter().rposition(known)?;
        let again = self.again.remove(at)?;
        Some((again.attempts, again.first_refused_at))
    }
}

fn fresh_name(path: &Path) -> PathBuf {
    path.with_extension("json.new")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1's text, so that a later change cannot make old documents unreadable.
    const GOLDEN: &str = r#"{"version":1,"retried":[[3,4]],"purged":[[6,6]],"retried_total":2,"purged_total":1,"displaced_total":0,"again":[{"message_id":"g-n-07","destination":"broker","attempts":1,"first_refused_at":"1970-01-01T00:00:00.001Z"}]}"#;

    #[test]
    fn version_1_stays_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolved.json");
        assert_eq!(Resolved::load(&path).unwrap(), Resolved::default());
        let mut resolved = Resolved {
            retried_total: 2,
            purged_total: 1,
            ..Resolved::default()
        };
        resolved.retried.insert(3);
        resolved.retried.insert(4);
        resolved.purged.insert(6);
        resolved.remember("g-n-07", "broker", 1, Timestamp::from_millis(1));
        resolved.save(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), GOLDEN);
        assert_eq!(Resolved::load(&path).unwrap(), resolved);
        fs::write(&path, GOLDEN.replace("\"version\":1", "\"version\":9")).unwrap();
        assert!(
            Resolved::load(&path)
                .unwrap_err()
                .to_string()
                .contains("version 9")
        );
    }

    #[test]
    fn a_second_refusal_is_known_once() {
        let mut resolved = Resolved::default();
        resolved.remember("g-n-07", "broker", 2, Timestamp::from_millis(1));
        assert_eq!(resolved.recall("g-n-07", "other"), None);
        let known = resolved.recall("g-n-07", "broker");
        assert_eq!(known, Some((2, Timestamp::from_millis(1))));
        assert_eq!(resolved.recall("g-n-07", "broker"), None);
    }
}
