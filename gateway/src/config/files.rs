//! Files: which ones make up the configuration, and their texts. The gateway never writes them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fieldgate_api::{
    config::{Layer, Origin},
    trouble::ConfigProblem,
};

use super::{layers::Text, problems::problem};

/// The administrator's folder.
const DEFAULT_FOLDER: &str = "/etc/fieldgate";

/// What was read, in order of precedence, the weakest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pub texts: Vec<Text>,
    /// What relative paths of secrets are taken from.
    pub folder: PathBuf,
}

/// Reads the named files and folders; without any name `/etc/fieldgate`, which may be missing.
///
/// A folder stands for its `fieldgate.toml` and `conf.d/*.toml`, or, when it has neither, for its `*.toml`, in name order.
///
/// # Errors
/// A problem for each file that is named but cannot be read.
pub(super) fn read(named: &[PathBuf]) -> Result<Files, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let mut texts = Vec::new();
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let places = match named {
        [] if !default[0].exists() => &[],
        [] => &default[..],
        named => named,
    };
    for path in places.iter().map(|place| listed(place)) {
        for path in path.unwrap_or_else(|(path, error)| refuse(&mut problems, &path, &error)) {
            match fs::read_to_string(&path) {
                Ok(text) => texts.push(Text {
                    layer: Layer::File,
                    name: path.display().to_string(),
                    text,
                }),
                Err(error) => {
                    refuse(&mut problems, &path, &error);
                }
            }
        }
    }
    let folder = places.first().unwrap_or(&default[0]);
    let folder = match folder.parent() {
        Some(parent) if !folder.is_dir() => parent,
        _ => folder,
    };
    match problems.is_empty() {
        true => Ok(Files {
            texts,
            folder: folder.to_owned(),
        }),
        false => Err(problems),
    }
}

fn refuse(problems: &mut Vec<ConfigProblem>, path: &Path, error: &io::Error) -> Vec<PathBuf> {
    let origin = Origin {
        layer: Layer::File,
        place: path.display().to_string(),
    };
    let what = format!("cannot be read: {error}");
    let remedy = "correct the name, or make it readable for the gateway's user";
    problems.push(problem("", &[], &origin, what, remedy));
    Vec::new()
}

/// The files that a name stands for.
fn listed(place: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let (main, more) = (place.join("fieldgate.toml"), place.join("conf.d"));
    if !main.exists() && !more.is_dir() {
        return in_folder(place);
    }
    let mut files: Vec<PathBuf> = main.exists().then_some(main).into_iter().collect();
    if more.is_dir() {
        files.extend(in_folder(&more)?);
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            // A hidden file is some editor's or package manager's own.
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
                && !hidden
            {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    };
    read().map_err(|error| (folder.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &Files) -> Vec<&str> {
        found
            .texts
            .iter()
            .map(|text| text.name.rsplit('/').next().unwrap())
            .collect()
    }

    #[test]
    fn a_folder_stands_for_its_files_in_name_order() {
        let folder = tempfile::tempdir().unwrap();
        let place = [folder.path().to_owned()];
        for name in ["b.toml", "a.toml", ".hidden.toml", "c.toml.bak"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names(&read(&place).unwrap()), ["a.toml", "b.toml"]);
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        for name in ["fieldgate.toml", "conf.d/20.toml", "conf.d/10.toml"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = read(&place).unwrap();
        assert_eq!(names(&found), ["fieldgate.toml", "10.toml", "20.toml"]);
        assert_eq!(found.folder, folder.path());
    }

    #[test]
    fn every_named_file_that_is_missing_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let named = ["x.toml", "y.toml"].map(|name| folder.path().join(name));
        let problems = read(&named).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(problems[1].origin.ends_with("y.toml"), "{problems:?}");
    }
}
