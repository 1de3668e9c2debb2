//! The book of reviews on disk: `review.json` in the source's own folder, written whole and renamed into place.

use std::{fs, io, path::Path};

use super::book::{Kept, VERSION};

const NAME: &str = "review.json";

/// What was kept; nothing, when there is no file.
///
/// # Errors
/// In words, when there is one that cannot be read: what was declined is not known then, and must not be taken for new.
pub(super) fn load(folder: &Path) -> Result<Kept, String> {
    let path = folder.join(NAME);
    let why = |why: String| {
        format!(
            "what was reviewed stands in {} and cannot be read: {why}; put it right, or remove it to begin anew",
            path.display()
        )
    };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(why(error.to_string())),
    };
    let kept: Kept = serde_json::from_slice(&text).map_err(|error| why(error.to_string()))?;
    match kept.version {
        VERSION => Ok(kept),
        other => Err(why(format!(
            "it has the version {other}, and this gateway knows {VERSION}"
        ))),
    }
}

pub(super) fn save(folder: &Path, kept: &Kept) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (path, fresh) = (folder.join(NAME), folder.join("review.json.new"));
    fs::write(&fresh, serde_json::to_vec(kept).map_err(io::Error::other)?)?;
    fs::File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, &path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nonsense_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("source-press");
        assert_eq!(load(&place), Ok(Kept::default()));
        let kept = Kept {
            version: VERSION,
            taken: ["s/d/p1".parse().unwrap()].into(),
            ..Kept::default()
        };
        save(&place, &kept).unwrap();
        assert_eq!(load(&place), Ok(kept));
        for text in [
            "",
            "{}",
            "{\"version\":",
            r#"{"version":2,"rules":[],"taken":[],"waiting":{},"declined":{}}"#,
        ] {
            fs::write(place.join(NAME), text).unwrap();
            let why = load(&place).unwrap_err();
            assert!(why.contains(NAME) && why.contains("remove it"), "{why}");
        }
    }
}
