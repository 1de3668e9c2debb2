//! Retention: of what this gateway wrote, what is too old or too much goes, the oldest first. Nothing else is ever touched.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    clips,
    names::{ABOUT, PARTIAL, TEMPORARY, own_time},
    settings::Keep,
};

/// A clip whose parts stopped coming is kept for so long, whatever the limits say: the rest may be on its way.
const PARTIAL_FOR: Duration = Duration::from_secs(24 * 3600);
/// What a crash left aside.
const TEMPORARY_FOR: Duration = Duration::from_secs(3600);
/// Folders are not followed deeper.
const DEEPEST: usize = 40;

/// Something of ours: a file, or a clip with what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    pub age: Duration,
    /// It is only removed when it is older than this.
    pub for_at_least: Duration,
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub files: u64,
    pub bytes: u64,
}

/// Removes what is too much. What cannot be looked at or removed is passed over; the first such error is told.
pub(crate) fn sweep(
    root: &Path,
    keep: &Keep,
    gateway_id: &str,
    in_use: &HashSet<PathBuf>,
) -> (Swept, Option<io::Error>) {
    let mut walk = Walk {
        gateway_id,
        in_use,
        now: SystemTime::now(),
        items: Vec::new(),
        error: None,
    };
    walk.folder(root, 0);
    let mut swept = Swept::default();
    let Walk {
        items, mut error, ..
    } = walk;
    for item in too_much(items, keep) {
        for file in &item.files {
            match fs::remove_file(file) {
                Ok(()) => swept.files += 1,
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(why) => error = error.or(Some(why)),
            }
        }
        swept.bytes += item.bytes;
    }
    (swept, error)
}

/// What has to go, the oldest first. Pure.
pub(crate) fn too_much(mut items: Vec<Item>, keep: &Keep) -> Vec<Item> {
    items.sort_by(|one, other| {
        other
            .age
            .cmp(&one.age)
            .then_with(|| one.files.cmp(&other.files))
    });
    let mut bytes: u64 = items.iter().map(|item| item.bytes).sum();
    let mut files = items.len() as u64;
    let mut going = Vec::new();
    for item in items {
        let too_old = keep.age.is_some_and(|most| item.age > most.0);
        let too_many = keep.files.is_some_and(|most| files > most);
        let too_large = keep.bytes.is_some_and(|most| bytes > most.0);
        if (too_old || too_many || too_large) && item.age >= item.for_at_least {
            bytes -= item.bytes;
            files -= 1;
            going.push(item);
        }
    }
    going
}

/// A look at everything in the folder.
struct Walk<'a> {
    gateway_id: &'a str,
    in_use: &'a HashSet<PathBuf>,
    now: SystemTime,
    items: Vec<Item>,
    error: Option<io::Error>,
}

// === impl Walk ===

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.error.get_or_insert(error);
                return;
            }
        };
        for entry in entries.filter_map(Result::ok) {
            // Of the entry itself: a link is neither a folder nor a file.
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && depth < DEEPEST {
                self.folder(&entry.path(), depth + 1);
            } else if kind.is_file() && !self.in_use.contains(&entry.path()) {
                self.file(&entry.path());
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return;
        };
        if own_time(name, self.gateway_id).is_some() {
            self.item(vec![path.to_owned()], Duration::ZERO);
        } else if name
            .strip_prefix(TEMPORARY)
            .is_some_and(|id| self.is_own_id(id))
        {
            self.item(vec![path.to_owned()], TEMPORARY_FOR);
        } else if let Some(clip) = name.strip_suffix(ABOUT) {
            self.clip(path, clip);
        }
    }

    /// `a1b2c3d4-n-0000000000000007.tmp`.
    fn is_own_id(&self, id: &str) -> bool {
        let id = id
            .strip_suffix(".tmp")
            .and_then(|id| id.strip_prefix(self.gateway_id));
        id.is_some_and(|rest| rest.starts_with('-'))
    }

    /// A file that says that it stands beside a clip of ours.
    fn clip(&mut self, about: &Path, name: &str) {
        if !matches!(clips::about(about, self.gateway_id), Ok(Some(_))) {
            return;
        }
        let whole = about.with_file_name(name);
        let partial = about.with_file_name(format!("{name}{PARTIAL}"));
        let is_file = |path: &Path| path.symlink_metadata().is_ok_and(|there| there.is_file());
        let at_least = match is_file(&whole) {
            true => Duration::ZERO,
            false => PARTIAL_FOR,
        };
        let files = [whole, partial, about.to_owned()];
        let files = files.into_iter().filter(|path| is_file(path)).collect();
        self.item(files, at_least);
    }

    fn item(&mut self, files: Vec<PathBuf>, for_at_least: Duration) {
        let (mut bytes, mut age) = (0, None);
        for file in &files {
            let Ok(there) = file.symlink_metadata() else {
                continue;
            };
            bytes += there.len();
            let changed = there.modified().unwrap_or(self.now);
            let old = self.now.duration_since(changed).unwrap_or_default();
            // A clip is as old as the last thing that was written of it.
            age = Some(age.map_or(old, |age: Duration| age.min(old)));
        }
        self.items.push(Item {
            files,
            bytes,
            age: age.unwrap_or_default(),
            for_at_least,
        });
    }
}
