//! Secrets typed into the console: taken out of drafts, kept in files of their own, referred to by name.
//!
//! A draft of the console may hold `{ typed }`, `{ secret }` or `{ credential }`. It may not hold `{ file }` or `{ env }`:
//! whoever may use the console could have any file of the gateway's user sent to a server of his.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use fieldgate_kit::{Problem, Secret};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// What the names of secrets begin with that are only there while settings are tested.
const TEST_PREFIX: &str = "test-";
/// The longest name without its random end, in bytes.
const MAX_STEM_LEN: usize = 120;

/// Settings with references in place of the secrets, and the secrets that they refer to, still in memory.
#[derive(Debug)]
pub(super) struct Stashed {
    pub settings: Json,
    secrets: Vec<(String, Secret)>,
}

/// Secrets on the disk that are removed again when this is dropped, unless they are kept.
#[derive(Debug)]
pub(super) struct Written(Vec<PathBuf>);

/// Takes typed secrets out of an item's settings. `stem` is what their names begin with: `source-press`.
pub(super) fn stash(mut settings: Json, stem: &str) -> Stashed {
    let mut secrets = Vec::new();
    take(&mut settings, stem, &mut secrets);
    Stashed { settings, secrets }
}

/// The stem for settings that are only tested.
pub(super) fn test_stem(stem: &str) -> String {
    format!("{TEST_PREFIX}{stem}")
}

/// The references that a draft of the console may not make. `may_use` tells which kept secrets are the item's own.
pub(super) fn forbidden(settings: &Json, may_use: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(settings, &mut Vec::new(), &mut |path, key, value| {
        let name = value.as_str().unwrap_or_default();
        let (what, remedy) = match key {
            "file" | "env" => (
                format!("the console cannot refer to {{ {key} = … }}"),
                "type the secret, or set this value in a file below /etc/fieldgate".to_owned(),
            ),
            "secret" if !may_use(name) => (
                format!("there is no secret `{}` of this item", name.escape_debug()),
                "type the secret again".to_owned(),
            ),
            _ => return,
        };
        problems.push(Problem {
            path: path.to_vec(),
            what,
            remedy,
        });
    });
    problems
}

/// The names of the kept secrets that settings refer to.
pub(super) fn references(settings: &Json) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    walk(settings, &mut Vec::new(), &mut |_, key, value| {
        if let (true, Some(name)) = (key == "secret", value.as_str()) {
            names.insert(name.to_owned());
        }
    });
    names
}

/// Removes what a test of settings left behind when the process was killed.
pub(super) fn clear_tests(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEST_PREFIX) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

// === impl Stashed ===

impl Stashed {
    /// Settings that hold no secrets, whatever their keys look like.
    pub fn plain(settings: Json) -> Self {
        Self {
            settings,
            secrets: Vec::new(),
        }
    }

    /// Writes the secrets, readable for the gateway's user alone, synced.
    ///
    /// # Errors
    /// When one of them cannot be written; then none is left.
    pub fn write(self, folder: &Path) -> io::Result<Written> {
        let mut written = Written(Vec::new());
        if self.secrets.is_empty() {
            return Ok(written);
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        for (name, secret) in &self.secrets {
            let path = folder.join(name);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            written.0.push(path);
            file.write_all(secret.reveal().as_bytes())?;
            file.sync_all()?;
        }
        File::open(folder)?.sync_all()?;
        Ok(written)
    }
}

// === impl Written ===

impl Written {
    /// Leaves them on the disk.
    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a secret that is not needed");
            }
        }
    }
}

fn take(value: &mut Json, stem: &str, secrets: &mut Vec<(String, Secret)>) {
    match value {
        Json::Object(map) => {
            let typed = match map.get("typed") {
                Some(Json::String(text)) if map.len() == 1 => Some(Secret::new(text.as_str())),
                _ => None,
            };
            if let Some(secret) = typed {
                let name = name(stem);
                *value = json!({ "secret": name });
                secrets.push((name, secret));
                return;
            }
            for (key, value) in map {
                take(value, &format!("{stem}-{key}"), secrets);
            }
        }
        Json::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                take(value, &format!("{stem}-{index}"), secrets);
            }
        }
        _ => {}
    }
}

/// A name that no other secret has, made of what a file name may hold.
fn name(stem: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') {
            c
        } else {
            '-'
        }
    };
    let stem: String = stem.chars().map(plain).take(MAX_STEM_LEN).collect();
    let random = Uuid::new_v4().simple().to_string();
    format!("{stem}-{}", &random[..12])
}

/// Visits every table of one key, which is what a reference to a secret looks like.
fn walk(value: &Json, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &str, &Json)) {
    match value {
        Json::Object(map) => {
            if let (1, Some((key, value))) = (map.len(), map.iter().next()) {
                visit(path, key, value);
            }
            for (key, value) in map {
                path.push(key.clone());
                walk(value, path, visit);
                path.pop();
            }
        }
        Json::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                path.push(index.to_string());
                walk(value, path, visit);
                path.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn typed_secrets_go_to_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("secrets");
        let draft = json!({ "user": { "name": "x", "password": { "typed": "hunter2" } }, "list": [{ "typed": "" }] });
        let stashed = stash(draft, "source-../press");
        assert!(!format!("{stashed:?}").contains("hunter2"));
        let name = stashed.settings["user"]["password"]["secret"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(name.starts_with("source-..-press-user-password-"), "{name}");
        assert_eq!(references(&stashed.settings).len(), 2);

        let written = stashed.write(&folder).unwrap();
        let path = folder.join(&name);
        assert_eq!(fs::read_to_string(&path).unwrap(), "hunter2");
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        drop(written);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn what_a_test_left_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        for stem in ["source-press", "test-source-press"] {
            stash(json!({ "p": { "typed": "x" } }), stem)
                .write(folder.path())
                .unwrap()
                .keep();
        }
        clear_tests(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        clear_tests(&folder.path().join("missing")).unwrap();
    }

    #[test]
    fn a_draft_cannot_reach_for_files() {
        let draft = json!({
            "a": { "file": "/etc/shadow" }, "b": [{ "env": "HOME" }], "c": { "secret": "another's" },
            "d": { "secret": "own" }, "e": { "credential": "x" }, "f": { "file": "x", "more": 1 },
        });
        let problems = forbidden(&draft, &|name| name == "own");
        let paths: Vec<String> = problems
            .iter()
            .map(|problem| problem.path.join("."))
            .collect();
        assert_eq!(paths, ["a", "b.0", "c"]);
    }
}
