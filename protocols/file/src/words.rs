//! What went wrong on the disk, in words that say what to do, and whether it may be well again by itself.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use fieldgate_kit::SinkError;

/// `ELOOP` for a link where none is followed; the standard library has no stable name for it.
const LOOP: i32 = 40;

/// Explains an error of doing something with `path`.
pub(crate) fn explain(error: &io::Error, path: &Path) -> SinkError {
    let place = path.display();
    match error.kind() {
        ErrorKind::StorageFull => SinkError::Unreachable(format!(
            "the disk with {place} is full; make room, or set keep so that old files go"
        )),
        ErrorKind::QuotaExceeded => SinkError::Unreachable(format!(
            "the quota of the gateway's user for {place} is used up; make room, or raise it"
        )),
        ErrorKind::PermissionDenied => SinkError::Denied(format!(
            "the gateway's user may not write to {place}; change its owner or its rights"
        )),
        ErrorKind::ReadOnlyFilesystem => SinkError::Denied(format!(
            "{place} is on a disk that is read-only; look why, and mount it for writing"
        )),
        ErrorKind::NotFound => {
            SinkError::Unreachable(format!("{place} is not there; is its disk mounted"))
        }
        ErrorKind::NotADirectory => SinkError::Denied(format!(
            "{place} is no folder, or below one that is none; move away what is there"
        )),
        ErrorKind::IsADirectory => SinkError::Denied(format!(
            "{place} is a folder where a file belongs; move it away"
        )),
        _ if error.raw_os_error() == Some(LOOP) => link(path),
        _ => SinkError::Unreachable(format!("the disk does not take {place}: {error}")),
    }
}

/// A link below the folder could lead anywhere.
pub(crate) fn link(path: &Path) -> SinkError {
    SinkError::Denied(format!(
        "{} is a symbolic link, and none is followed below the folder; replace it by what it stands for",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_a_person_must_do_is_told() {
        for (code, words, denied) in [
            (28, "is full", false),
            (122, "quota", false),
            (13, "may not write", true),
            (1, "may not write", true),
            (30, "read-only", true),
            (2, "mounted", false),
            (20, "is no folder", true),
            (21, "is a folder", true),
            (40, "symbolic link", true),
            (5, "does not take", false),
        ] {
            let error = explain(&io::Error::from_raw_os_error(code), Path::new("/srv/x"));
            let text = error.to_string();
            assert!(
                text.contains(words) && text.contains("/srv/x"),
                "{code}: {text}"
            );
            assert_eq!(
                matches!(error, SinkError::Denied(_)),
                denied,
                "{code}: {text}"
            );
        }
    }
}
