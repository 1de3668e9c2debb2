//! Where taught profiles are kept: a file each, no more than so many, and whole ones also after a power cut.

use std::{fs, io, path::Path};

/// Each one is parsed at every start and asked about every advertisement.
const MOST: usize = 256;

/// Keeps a profile; one with the same id is replaced. Blocks on the disk.
///
/// # Errors
/// In words, when there are too many, or it cannot be written.
pub fn keep(folder: &Path, id: &str, text: &str) -> Result<(), String> {
    let file = folder.join(format!("{id}.toml"));
    if !file.exists() && count(folder) >= MOST {
        return Err(format!(
            "{MOST} profiles were taught already, and there is no room for more; remove those that nobody needs from {}, or \
             teach one of them anew under its own title",
            folder.display()
        ));
    }
    write(folder, &file, text).map_err(|error| {
        format!(
            "cannot write the profile {}: {error}; is the disk full, or the folder read-only?",
            file.display()
        )
    })
}

fn write(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, file)
}

/// A folder that is not there yet has none.
fn count(folder: &Path) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter(|file| file.path().extension().is_some_and(|end| end == "toml"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_teaching_and_what_is_there_can_be_taught_anew() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("profiles");
        for number in 0..MOST {
            keep(&folder, &format!("taught-{number}"), "title = \"a\"").unwrap();
        }
        let no = keep(&folder, "taught-more", "").unwrap_err();
        assert!(no.contains("256 profiles"), "{no}");
        assert!(no.contains(&folder.display().to_string()), "{no}");
        keep(&folder, "taught-7", "title = \"b\"").unwrap();
        let text = fs::read_to_string(folder.join("taught-7.toml")).unwrap();
        assert_eq!(text, "title = \"b\"");
        fs::remove_file(folder.join("taught-0.toml")).unwrap();
        keep(&folder, "taught-more", "").unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), MOST);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let no = keep(&file, "taught-a", "").unwrap_err();
        assert!(no.contains("cannot write the profile"), "{no}");
    }
}
