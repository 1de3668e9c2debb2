//! The profiles that come with the program, and those of folders.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Profile, Profiles};

/// Names and texts, which `build.rs` took from `profiles/`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/profiles.rs"));
/// In all folders together: a folder with more is not one of profiles.
const MOST_FILES: usize = 1000;
const LONGEST_BYTES: u64 = 256 * 1024;

/// A test shows that none of them is left out.
pub(super) fn bundled() -> Vec<Arc<Profile>> {
    let parsed = FILES.iter().map(|(id, text)| Profile::parse(id, text));
    parsed.filter_map(Result::ok).map(Arc::new).collect()
}

#[cfg(test)]
pub(super) fn files() -> &'static [(&'static str, &'static str)] {
    FILES
}

pub(super) fn with_folders(folders: &[PathBuf]) -> (Profiles, Vec<String>) {
    let mut problems = Vec::new();
    let mut own: BTreeMap<String, (PathBuf, Arc<Profile>)> = BTreeMap::new();
    for path in folders
        .iter()
        .flat_map(|folder| files_of(folder, &mut problems))
        .collect::<Vec<_>>()
    {
        match read(&path) {
            Ok(profile) => {
                own.insert(profile.id().to_owned(), (path, Arc::new(profile)));
            }
            Err(errors) => problems.extend(located(&path, &errors)),
        }
    }
    // A profile that contradicts its own examples is a mistake, too.
    loop {
        let profiles = join(&own);
        let wrong: Vec<_> = own
            .values()
            .filter_map(|(path, profile)| {
                let errors = profile.check(&profiles);
                (!errors.is_empty()).then(|| (profile.id().to_owned(), path.clone(), errors))
            })
            .collect();
        if wrong.is_empty() {
            return (profiles, problems);
        }
        for (id, path, errors) in wrong {
            problems.extend(located(&path, &errors.join("\n")));
            own.remove(&id);
        }
    }
}

fn join(own: &BTreeMap<String, (PathBuf, Arc<Profile>)>) -> Profiles {
    let bundled = bundled();
    let others = bundled
        .into_iter()
        .filter(|profile| !own.contains_key(profile.id()));
    let all = own.values().map(|(_, profile)| Arc::clone(profile));
    Profiles::of(all.chain(others).collect(), own.len())
}

/// Sorted, so that the same folder always comes out the same. A folder that is not there is no problem.
fn files_of(folder: &Path, problems: &mut Vec<String>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                problems.push(format!("{}: {error}", folder.display()));
            }
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .take(MOST_FILES)
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<Profile, String> {
    // A pipe of that name would be waited for, and a disk image read whole.
    let facts = fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() || facts.len() > LONGEST_BYTES {
        return Err("is no file, or too long for a profile".to_owned());
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    Profile::parse(&id, &text)
}

/// `file:line: what`.
fn located(path: &Path, errors: &str) -> Vec<String> {
    let path = path.display();
    let locate = |error: &str| match error.strip_prefix("line ") {
        Some(rest) => format!("{path}:{rest}"),
        None => format!("{path}: {error}"),
    };
    errors.lines().map(locate).collect()
}
