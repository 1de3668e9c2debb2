//! Outages of destinations: since when, until when, and why; the longest that was ridden out is remembered on the disk.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use fieldgate_api::state::{Level, Status};
use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// Outages of one destination that are remembered.
const REMEMBERED: usize = 50;

/// A time without a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    pub from: Timestamp,
    /// None while it lasts.
    pub to: Option<Timestamp>,
    pub words: String,
}

/// The longest outage that ended with the destination coming back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Longest {
    version: u32,
    pub destination: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The outages since the start, and the longest ever.
pub struct Outages {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    of: BTreeMap<Arc<str>, VecDeque<Outage>>,
    longest: Option<Longest>,
}

// === impl Outages ===

impl Outages {
    /// Reads what is remembered; what cannot be read is begun anew, since nothing depends on it.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let longest = load(&path).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the longest outage is forgotten");
            None
        });
        Self {
            path,
            state: Mutex::new(State {
                longest,
                ..State::default()
            }),
        }
    }

    /// Looks at the destinations. Gives the longest outage when there is a longer one, to be saved.
    pub fn observe(&self, now: Timestamp, destinations: &[(Arc<str>, Status)]) -> Option<Longest> {
        let mut state = self.state();
        let mut longer = None;
        for (id, status) in destinations {
            let outages = state.of.entry(Arc::clone(id)).or_default();
            let Some(ended) = look(outages, now, status) else {
                continue;
            };
            let lasted = |from: Timestamp, to: Timestamp| to.nanos().saturating_sub(from.nanos());
            let before = state.longest.as_ref();
            if before.is_none_or(|before| lasted(before.from, before.to) < lasted(ended, now)) {
                let longest = Longest {
                    version: VERSION,
                    destination: id.to_string(),
                    from: ended,
                    to: now,
                };
                state.longest = Some(longest.clone());
                longer = Some(longest);
            }
        }
        state
            .of
            .retain(|id, _| destinations.iter().any(|(known, _)| known == id));
        longer
    }

    /// Writes the longest outage down. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, longest: &Longest) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(longest)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }

    /// A destination's outages, the newest first.
    #[must_use]
    pub fn of(&self, destination: &str) -> Vec<Outage> {
        let state = self.state();
        let outages = state.of.get(destination);
        outages.map_or_else(Vec::new, |outages| outages.iter().rev().cloned().collect())
    }

    #[must_use]
    pub fn longest(&self) -> Option<Longest> {
        self.state().longest.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

/// Begins or ends an outage. Gives the beginning of one that has just ended with a connection.
fn look(outages: &mut VecDeque<Outage>, now: Timestamp, status: &Status) -> Option<Timestamp> {
    let open = outages.back_mut().filter(|outage| outage.to.is_none());
    match (status.level, open) {
        (Level::Good, Some(outage)) => {
            outage.to = Some(now);
            Some(outage.from)
        }
        (Level::Warning | Level::Bad, Some(outage)) => {
            outage.words.clone_from(&status.words);
            None
        }
        (Level::Warning | Level::Bad, None) => {
            if outages.len() == REMEMBERED {
                outages.pop_front();
            }
            outages.push_back(Outage {
                from: now,
                to: None,
                words: status.words.clone(),
            });
            None
        }
        // Paused by a person: it was an outage until then, and nothing was ridden out.
        (Level::Idle, Some(outage)) if status.state == "paused" => {
            outage.to = Some(now);
            None
        }
        _ => None,
    }
}

fn load(path: &Path) -> io::Result<Option<Longest>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let longest: Longest = serde_json::from_slice(&text)?;
    match longest.version {
        VERSION => Ok(Some(longest)),
        other => Err(io::Error::other(format!("it has version {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1's text, so that a later change cannot make it unreadable.
    const GOLDEN: &str = r#"{"version":1,"destination":"broker","from":"1970-01-01T00:00:02.000Z","to":"1970-01-01T00:00:05.000Z"}"#;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn status(level: Level, words: &str) -> Status {
        Status {
            level,
            words: words.into(),
            ..Status::default()
        }
    }

    #[test]
    fn an_outage_lasts_until_it_is_connected_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outages.json");
        let outages = Outages::open(path.clone());
        let see = |seconds, level, words: &str| {
            let destinations = [("broker".into(), status(level, words))];
            outages.observe(at(seconds), &destinations)
        };
        assert_eq!(see(1, Level::Idle, "connecting"), None);
        assert_eq!(see(2, Level::Warning, "refused"), None);
        assert_eq!(see(3, Level::Bad, "unreachable"), None);
        assert_eq!(see(4, Level::Idle, "connecting"), None);
        let longest = see(5, Level::Good, "").unwrap();
        outages.save(&longest).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), GOLDEN);
        see(6, Level::Bad, "again");
        assert_eq!(see(7, Level::Good, ""), None, "it was a shorter one");
        let told: Vec<_> = outages
            .of("broker")
            .iter()
            .map(|outage| (outage.from, outage.to, outage.words.clone()))
            .collect();
        let expected = [
            (at(6), Some(at(7)), "again".to_owned()),
            (at(2), Some(at(5)), "unreachable".to_owned()),
        ];
        assert_eq!(told, expected);
        assert_eq!(Outages::open(path).longest(), Some(longest));
    }
}
