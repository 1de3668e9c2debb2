//! Clips: parts are put in their places in `name.mp4.partial`; with the last one the whole is verified and gets its name.
//!
//! `name.mp4.json` beside it says what it is. It is how a part knows that the file is its clip's, and how a later sweep knows that
//! the file is ours.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use fieldgate_kit::{AddressBook, ClipPart, Sequenced, SinkError, path::level};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    folder::{self, Folder},
    names::{ABOUT, PARTIAL, beside},
    settings::Settings,
    words::explain,
    writer::place,
};

/// No such file of ours is larger.
const MOST_ABOUT_BYTES: u64 = 64 << 10;

/// What stands beside a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    /// `fieldgate`.
    pub by: String,
    /// The id of the gateway, as in message ids.
    pub gateway: String,
    pub clip: String,
    pub name: String,
    pub media_type: String,
    pub bytes: u64,
    pub sha256: String,
    pub point: String,
    pub at: String,
}

/// Where a clip is on the disk.
struct Place {
    folder: PathBuf,
    name: String,
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Taken,
    /// It can never be put in its place, in words.
    Refused(String),
}

/// Puts a part in its place. The same part once more changes nothing.
pub(crate) fn write(
    to: &Folder,
    settings: &Settings,
    book: &AddressBook,
    sequenced: &Sequenced,
    part: &ClipPart,
) -> Result<Put, SinkError> {
    let about = About {
        by: "fieldgate".to_owned(),
        gateway: book.gateway_id.to_string(),
        clip: part.clip.clone(),
        name: part.name.clone(),
        media_type: part.media_type.clone(),
        bytes: part.bytes,
        sha256: part.sha256.to_ascii_lowercase(),
        point: sequenced.reading.point.to_string(),
        at: sequenced.reading.at.to_string(),
    };
    let id = book.message_id(sequenced.origin);
    for name in [part.name.clone(), beside(&part.name, &part.clip)] {
        let (below, name) = place(settings, book, sequenced, &level(&name));
        let place = Place {
            folder: to.make(&below)?,
            name,
        };
        if place.claim(&about, &id)? {
            return place.put(part, &about.sha256);
        }
    }
    Ok(Put::Refused(format!(
        "other files have the names {} and {}; move them away",
        part.name,
        beside(&part.name, &part.clip)
    )))
}

/// What stands in a file beside a clip, if it is one of this gateway's.
pub(crate) fn about(path: &Path, gateway_id: &str) -> Result<Option<About>, SinkError> {
    let Some(file) = folder::open_if_there(path)? else {
        return Ok(None);
    };
    let mut text = String::new();
    match file.take(MOST_ABOUT_BYTES).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
        Err(error) => return Err(explain(&error, path)),
    }
    let about: Option<About> = serde_json::from_str(&text).ok();
    Ok(about.filter(|about| about.by == "fieldgate" && about.gateway == gateway_id))
}

// === impl Place ===

impl Place {
    fn path(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}{end}", self.name))
    }

    /// Whether the name is this clip's, or nobody's: then it is the clip's from now on.
    fn claim(&self, about: &About, id: &str) -> Result<bool, SinkError> {
        let taken = |end| self.path(end).symlink_metadata().is_ok();
        if taken(ABOUT) {
            let there = self::about(&self.path(ABOUT), &about.gateway)?;
            return Ok(there.is_some_and(|there| there.clip == about.clip));
        }
        if taken("") || taken(PARTIAL) {
            return Ok(false);
        }
        let text = serde_json::to_vec(about).unwrap_or_default();
        folder::replace(&self.folder, &format!("{}{ABOUT}", self.name), id, &text)?;
        Ok(true)
    }

    fn put(&self, part: &ClipPart, sha256: &str) -> Result<Put, SinkError> {
        let (whole, partial) = (self.path(""), self.path(PARTIAL));
        // The whole got its name, and the word of it was lost: what comes again is in it.
        if let Some(file) = folder::open_if_there(&whole)?
            && hash(&file).map_err(|error| explain(&error, &whole))? == sha256
        {
            return Ok(Put::Taken);
        }
        let file = folder::open(&partial)?;
        let failed = |error: io::Error| explain(&error, &partial);
        let there = file.metadata().map_err(failed)?.len();
        if there < part.offset {
            return Ok(Put::Refused(format!(
                "part {} of {} begins at byte {}, and {} has only {there}: a part before it is missing",
                part.part + 1,
                part.parts,
                part.offset,
                partial.display()
            )));
        }
        file.write_all_at(&part.data, part.offset).map_err(failed)?;
        if part.is_last() {
            // An older clip that was given up may have been longer.
            file.set_len(part.bytes).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        if there == 0 {
            folder::sync(&self.folder)?;
        }
        if !part.is_last() {
            return Ok(Put::Taken);
        }
        let found = hash(&file).map_err(failed)?;
        if found != sha256 {
            return Ok(Put::Refused(format!(
                "all parts of {} are there, but their SHA-256 is {found} and should be {sha256}: one is damaged or missing; they are kept as {}",
                part.name,
                partial.display()
            )));
        }
        fs::rename(&partial, &whole).map_err(failed)?;
        folder::sync(&self.folder)?;
        Ok(Put::Taken)
    }
}

/// SHA-256 of a file, in hexadecimal digits.
fn hash(mut file: &File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
