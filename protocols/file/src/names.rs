//! Which names are ours (pure): only those are ever removed, and only those are read.

use fieldgate_kit::path::from_compact;
use fieldgate_model::Timestamp;

/// What a file that is being written is called, until it has its name. Hidden, so that nobody takes it for a whole one.
pub(crate) const TEMPORARY: &str = ".fieldgate-";
/// What is put behind the name of a clip whose parts are not all there.
pub(crate) const PARTIAL: &str = ".partial";
/// What is put behind the name of a clip for the file that says what it is.
pub(crate) const ABOUT: &str = ".json";
/// How files of readings end.
pub(crate) const LINES: &str = ".jsonl";

/// The time in a name that [`file_name`](fieldgate_kit::path::file_name) made with one of this gateway's message ids: `None` for all other names.
#[must_use]
pub(crate) fn own_time(name: &str, gateway_id: &str) -> Option<Timestamp> {
    let (stem, extension) = name.split_once('.').and_then(|(seconds, rest)| {
        // The first dot is the one of the milliseconds.
        let (behind, extension) = rest.split_once('.')?;
        Some((format!("{seconds}.{behind}"), extension))
    })?;
    let mut parts = stem.split('-');
    let time = from_compact(parts.next()?)?;
    let [gateway, lane, seq] = [parts.next()?, parts.next()?, parts.next()?];
    let hex = seq.len() == 16 && seq.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ours = gateway == gateway_id && lane.len() == 1 && hex && parts.next().is_none();
    let plain = !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (ours && plain).then_some(time)
}

/// The clip's other name, where another file has its own: `gate.mp4` becomes `gate-c1.mp4`.
#[must_use]
pub(crate) fn beside(name: &str, clip: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}-{clip}.{extension}"),
        _ => format!("{name}-{clip}"),
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_kit::path::file_name;

    use super::*;

    #[test]
    fn only_names_with_an_id_of_this_gateway_are_ours() {
        let at = Timestamp::parse("2026-11-29T18:30:00.250Z").unwrap();
        for kind in ["image/jpeg", "application/x-ndjson", "x/y"] {
            let name = file_name(at, "a1b2c3d4-n-0000000000000007", kind);
            assert_eq!(own_time(&name, "a1b2c3d4"), Some(at), "{name}");
            assert_eq!(own_time(&name, "a1b2c3d5"), None, "{name}");
        }
        for name in [
            "",
            "photo.jpg",
            "20261129T183000.250Z-a1b2c3d4-n-0000000000000007",
            "20261129T183000.250Z-a1b2c3d4-n-000000000000000.jpg",
            "20261129T183000.250Z-a1b2c3d4-n-0000000000000007-x.jpg",
            "20261129T183000.250Z-a1b2c3d4-n-0000000000000007.tar.gz",
            "20261129T183000.250Z-a1b2c3d4-n-0000000000000007.jpg~",
            "x20261129T183000.250Z-a1b2c3d4-n-0000000000000007.jpg",
            "20261329T183000.250Z-a1b2c3d4-n-0000000000000007.jpg",
        ] {
            assert_eq!(own_time(name, "a1b2c3d4"), None, "{name}");
        }
    }

    #[test]
    fn another_name_keeps_its_ending() {
        assert_eq!(beside("gate.mp4", "c1"), "gate-c1.mp4");
        assert_eq!(beside("gate", "c1"), "gate-c1");
        assert_eq!(beside(".gate", "c1"), ".gate-c1");
    }
}
