//! `Settings` of a file destination, and what their types cannot tell.

use std::{
    path::{Component, PathBuf},
    time::Duration,
};

use fieldgate_kit::{
    BatchLimits, Problem,
    path::{PathPlaceholder, PathTemplate, PathValues},
    settings::{ByteSize, Span},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where files are written, and how long they stay.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder, from the root (`/srv/fieldgate`). It has to be there, and the gateway's user has to be allowed to write in it.
    pub folder: PathBuf,
    /// In which folder below it readings are written, as files of JSON lines. Placeholders: `{gateway}`, `{source}`, `{device}`,
    /// `{dataset}` (`data` or `events`), `{point}`, `{date}`.
    #[serde(default = "default_readings")]
    pub readings: PathTemplate,
    /// When a file of readings is full.
    #[serde(default)]
    pub rotate: Rotate,
    /// Where below it pictures and clips are written. It ends with `/{name}`, which is made of the time and the message id, or is the
    /// clip's own name; the other placeholders are those of `readings`.
    #[serde(default = "default_files")]
    pub files: PathTemplate,
    /// How much of what was written stays. Only files that this gateway wrote there are ever removed.
    #[serde(default)]
    pub keep: Keep,
    /// How many readings go together: each batch is synced to the disk once.
    #[serde(default)]
    pub batch: BatchSettings,
    /// Readings that waited longer than this expire instead of being written. Left out: they never expire.
    #[serde(default)]
    pub max_age: Option<Span>,
}

/// When a file of readings is full, and the next one begins. The first limit that is reached counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// How large a file becomes, 64 KiB to 1 GiB.
    pub bytes: ByteSize,
    /// How long a file is added to.
    pub age: Span,
}

/// How much stays. The oldest go first; what is not set has no limit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// How many bytes all files may have together.
    pub bytes: Option<ByteSize>,
    /// How old a file may become.
    pub age: Option<Span>,
    /// How many files there may be.
    pub files: Option<u64>,
}

/// When a batch is full. The first limit that is reached counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSettings {
    /// How many readings a batch may have, 1 to 100000.
    #[schemars(range(min = 1, max = 100_000))]
    pub readings: usize,
    /// How many bytes of readings a batch may have.
    pub bytes: ByteSize,
    /// How long a reading waits for company.
    pub age: Span,
}

const MAX_BATCH_READINGS: usize = 100_000;
const MIN_BATCH_BYTES: u64 = 1024;
const MAX_BATCH_BYTES: u64 = 64 << 20;
const MIN_ROTATE_BYTES: u64 = 64 << 10;
const MAX_ROTATE_BYTES: u64 = 1 << 30;
/// A disk that takes longer to write a batch is one that hangs.
const PATIENCE: Duration = Duration::from_secs(600);

// === impl Settings ===

impl Settings {
    /// All that the types cannot tell.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.folder_problem());
        problems.extend(path_problem("readings", &self.readings));
        problems.extend(path_problem("files", &self.files));
        problems.extend(self.name_problems());
        problems.extend(self.number_problems());
        problems
    }

    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            readings: self.batch.readings,
            bytes: usize::try_from(self.batch.bytes.0).unwrap_or(usize::MAX),
            age: self.batch.age.0,
            // One after the other: so files have the order of the lane.
            in_flight: 1,
            max_age: self.max_age.map(|span| span.0),
            timeout: PATIENCE,
            attempts: BatchLimits::ATTEMPTS,
            rate_limit: None,
        }
    }

    fn folder_problem(&self) -> Option<Problem> {
        let example = "write it from the root, for instance \"/srv/fieldgate\"";
        if !self.folder.is_absolute() {
            let what = format!("`{}` does not say where it is", self.folder.display());
            return Some(Problem::new(["folder"], what, example));
        }
        let up = self
            .folder
            .components()
            .any(|part| part == Component::ParentDir);
        up.then(|| Problem::new(["folder"], "a folder's path has no `..`", example))
    }

    fn name_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let in_readings = |placeholder| self.readings.placeholders().any(|p| p == placeholder);
        if in_readings(PathPlaceholder::Name) {
            problems.push(Problem::new(
                ["readings"],
                "files of readings are named by the gateway",
                "take {name} out",
            ));
        }
        let names = self.files.placeholders();
        let names = names.filter(|p| *p == PathPlaceholder::Name).count();
        let last = self.files.as_str();
        if names != 1 || !(last == "{name}" || last.ends_with("/{name}")) {
            problems.push(Problem::new(
                ["files"],
                "a file is known as ours by its name, so the name stands alone",
                "end it with /{name}, and have {name} nowhere else",
            ));
        }
        problems
    }

    fn number_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |path: &[&str], good: bool, what: &str, remedy: &str| {
            if !good {
                problems.push(Problem::new(path.iter().copied(), what, remedy));
            }
        };
        check(
            &["batch", "readings"],
            (1..=MAX_BATCH_READINGS).contains(&self.batch.readings),
            "a batch has 1 to 100000 readings",
            "write for instance 1000",
        );
        check(
            &["batch", "bytes"],
            (MIN_BATCH_BYTES..=MAX_BATCH_BYTES).contains(&self.batch.bytes.0),
            "a batch has 1 KiB to 64 MiB",
            "write for instance \"1 MiB\"",
        );
        check(
            &["batch", "age"],
            self.batch.age.0 <= Duration::from_secs(3600),
            "a reading waits at most an hour for company",
            "write for instance \"1 s\"",
        );
        check(
            &["rotate", "bytes"],
            (MIN_ROTATE_BYTES..=MAX_ROTATE_BYTES).contains(&self.rotate.bytes.0),
            "a file of readings has 64 KiB to 1 GiB",
            "write for instance \"16 MiB\"",
        );
        check(
            &["rotate", "age"],
            self.rotate.age.0 >= Duration::from_secs(1),
            "a file of readings is added to for a second at least",
            "write for instance \"1 h\"",
        );
        let room = self
            .keep
            .bytes
            .is_none_or(|most| most.0 >= self.rotate.bytes.0);
        check(
            &["keep", "bytes"],
            room,
            "less stays than one file of readings may have",
            "make keep.bytes larger, or rotate.bytes smaller",
        );
        check(
            &["keep", "files"],
            self.keep.files != Some(0),
            "nothing would stay",
            "write how many files stay, or leave it out",
        );
        problems
    }
}

/// A path below the folder, whatever the values are.
fn path_problem(key: &str, template: &PathTemplate) -> Option<Problem> {
    let path = template.render(&PathValues::default(), |_, path| path.push('x'));
    let named = |level: &str| !matches!(level, "" | "." | "..") && !level.contains('\\');
    let hidden = path.split('/').any(|level| level.starts_with('.'));
    (!path.split('/').all(named) || hidden).then(|| {
        Problem::new(
            [key],
            format!("`{template}` is no path below the folder"),
            "write names with one / between them, none of them beginning with a dot",
        )
    })
}

impl Default for Rotate {
    fn default() -> Self {
        Self {
            bytes: ByteSize(16 << 20),
            age: Span(Duration::from_secs(3600)),
        }
    }
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            readings: 1000,
            bytes: ByteSize(1 << 20),
            age: Span(Duration::from_secs(1)),
        }
    }
}

fn default_readings() -> PathTemplate {
    "{source}/{device}/{dataset}"
        .parse()
        .expect("the default path is a template")
}

fn default_files() -> PathTemplate {
    "{source}/{device}/{point}/{name}"
        .parse()
        .expect("the default path is a template")
}

#[cfg(test)]
mod tests;
