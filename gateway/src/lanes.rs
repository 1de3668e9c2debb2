//! The lanes of the queue: telemetry, what overtakes it, and what was refused.

use std::path::Path;

use fieldgate_model::Class;
use fieldgate_store::{Lane, LaneOptions, OnFull, OpenError, OpenReport};

use crate::{
    config::{Full, LaneSettings, QueueSettings},
    dead::{self, DeadLetters, Quota},
};

/// How much of what was refused is kept.
const DEAD: Quota = Quota {
    bytes: 64 << 20,
    letters: 200_000,
};

/// Where the queue is, in the state folder.
pub const QUEUE_FOLDER: &str = "queue";
/// The folders of the lanes, below the queue's.
pub const FOLDERS: [&str; 3] = ["normal", "critical", "dead"];

/// Which lane a reading goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneKind {
    Normal,
    Critical,
}

/// Why the queue cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LanesError {
    #[error(transparent)]
    Lane(#[from] OpenError),
    #[error("cannot open the dead letters: {0}")]
    Dead(#[from] dead::OpenError),
}

/// What opening each lane found to tell.
pub type OpenReports = Vec<(&'static str, OpenReport)>;

/// The open lanes. Cloning shares them.
#[derive(Clone)]
pub struct Lanes {
    pub normal: Lane,
    pub critical: Lane,
    /// What destinations refused for its own sake; the oldest makes room.
    pub dead: DeadLetters,
}

// === impl LaneKind ===

impl LaneKind {
    pub const ALL: [Self; 2] = [Self::Normal, Self::Critical];

    /// The lane that a reading of this class goes by.
    #[must_use]
    pub fn of(class: Class) -> Self {
        match class {
            Class::Telemetry => Self::Normal,
            Class::Event => Self::Critical,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Critical => "critical",
        }
    }

    /// The lane's letter in message ids.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Normal => 'n',
            Self::Critical => 'c',
        }
    }

    /// The lane of a letter in message ids.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

// === impl Lanes ===

impl Lanes {
    /// Opens the lanes below `dir`, and what opening found to tell. Blocks.
    ///
    /// # Errors
    /// When a lane's folder cannot be used at all.
    pub fn open(dir: &Path, settings: &QueueSettings) -> Result<(Self, OpenReports), LanesError> {
        let (normal, normal_report) = Lane::open(&dir.join("normal"), options(&settings.normal))?;
        let (critical, critical_report) =
            Lane::open(&dir.join("critical"), options(&settings.critical))?;
        let dead_settings = LaneOptions::new(DEAD.bytes, OnFull::DropOldest);
        let (dead, dead_report) = Lane::open(&dir.join("dead"), dead_settings)?;
        let dead = DeadLetters::open(dead, dir.join("dead-letters.json"), DEAD)?;
        let reports = vec![
            ("normal", normal_report),
            ("critical", critical_report),
            ("dead", dead_report),
        ];
        Ok((
            Self {
                normal,
                critical,
                dead,
            },
            reports,
        ))
    }

    /// Every lane by the name of its folder.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &Lane); 3] {
        let [normal, critical, dead] = FOLDERS;
        [
            (normal, &self.normal),
            (critical, &self.critical),
            (dead, self.dead.lane()),
        ]
    }

    #[must_use]
    pub fn get(&self, kind: LaneKind) -> &Lane {
        match kind {
            LaneKind::Normal => &self.normal,
            LaneKind::Critical => &self.critical,
        }
    }
}

fn options(settings: &LaneSettings) -> LaneOptions {
    let on_full = match settings.on_full {
        Full::DropOldest => OnFull::DropOldest,
        Full::RefuseNewest => OnFull::RefuseNewest,
    };
    LaneOptions::new(settings.max_bytes.0, on_full)
}
