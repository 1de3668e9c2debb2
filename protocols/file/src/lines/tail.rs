//! The end of files of readings: where their last whole line ends, and which readings are in it.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use fieldgate_kit::SinkError;

use crate::{folder, words::explain};

const FIRST_LOOK: u64 = 256 << 10;
/// No more of a file is looked at. What is sent again is what was on its way, and what was acknowledged within a second.
const LAST_LOOK: u64 = 64 << 20;
/// So many older readings in a row, and it is sure that what came again does not begin before them.
const OLDER_IN_A_ROW: usize = 100;
const BLOCK: u64 = 64 << 10;

/// How many bytes of a file are whole lines.
pub(super) fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        block.resize(usize::try_from(end - from).unwrap_or_default(), 0);
        file.read_exact_at(&mut block, from)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// The numbers, from `from` on, of a lane's readings that the files have, the newest file first.
pub(super) fn ids(
    files: &[PathBuf],
    gateway_id: &str,
    lane: char,
    from: u64,
) -> Result<HashSet<u64>, SinkError> {
    let mut found = HashSet::new();
    for path in files {
        let Some(mut file) = folder::open_if_there(path)? else {
            continue;
        };
        let older = look(&mut file, gateway_id, lane, from, &mut found);
        if older.map_err(|error| explain(&error, path))? {
            break;
        }
    }
    Ok(found)
}

/// Looks further and further back, until what is there is older; whether it was.
fn look(
    file: &mut File,
    gateway_id: &str,
    lane: char,
    from: u64,
    found: &mut HashSet<u64>,
) -> io::Result<bool> {
    let whole = file.metadata()?.len();
    let mut size = FIRST_LOOK;
    loop {
        let start = whole.saturating_sub(size);
        file.seek(SeekFrom::Start(start))?;
        let mut text = Vec::new();
        file.by_ref().take(size).read_to_end(&mut text)?;
        let lines = text.split(|byte| *byte == b'\n');
        // The first line of a part is most likely half a line.
        let lines = lines.skip(usize::from(start > 0));
        let seqs: Vec<u64> = lines
            .filter_map(|line| seq(line, gateway_id, lane))
            .collect();
        found.extend(seqs.iter().filter(|seq| **seq >= from));
        let oldest = &seqs[..seqs.len().min(OLDER_IN_A_ROW)];
        let older = !oldest.is_empty() && oldest.iter().all(|seq| *seq < from);
        if older || start == 0 || size >= LAST_LOOK {
            return Ok(older);
        }
        size *= 4;
    }
}

/// The number in a line that begins `{"id":"a1b2c3d4-n-0000000000000007"`.
fn seq(line: &[u8], gateway_id: &str, lane: char) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"id\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let id = std::str::from_utf8(&rest[..end]).ok()?;
    let mut parts = id.split('-');
    let ours = parts.next()? == gateway_id && parts.next()?.chars().eq([lane]);
    let seq = u64::from_str_radix(parts.next()?, 16).ok()?;
    ours.then_some(seq)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn line(lane: char, seq: u64) -> String {
        format!("{{\"id\":\"a1b2c3d4-{lane}-{seq:016x}\",\"value\":1}}\n")
    }

    #[test]
    fn a_half_line_is_found_however_long_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        for (text, whole) in [
            (String::new(), 0),
            ("half".to_owned(), 0),
            ("a\nb\n".to_owned(), 4),
            ("a\nb".to_owned(), 2),
            (format!("a\n{}", "x".repeat(200_000)), 2),
        ] {
            file.set_len(0).unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(whole_lines(&file).unwrap(), whole);
        }
    }

    #[test]
    fn it_looks_back_as_far_as_it_has_to_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = ["2", "1", "0"].map(|name| folder.path().join(name)).into();
        // 30,000 readings in three files, every tenth of another lane, and what is none.
        for (path, first) in files.iter().zip([20_000u64, 10_000, 0]) {
            let lines =
                (first..first + 10_000).map(|seq| line(if seq % 10 == 0 { 'c' } else { 'n' }, seq));
            let text: String = std::iter::once("nonsense\n".to_owned())
                .chain(lines)
                .collect();
            std::fs::write(path, text).unwrap();
        }
        for (lane, from, count) in [
            ('n', 30_000, 0),
            ('n', 29_990, 9),
            ('c', 29_990, 1),
            ('n', 15_000, 13_500),
            ('c', 0, 3_000),
            ('x', 0, 0),
        ] {
            let found = ids(&files, "a1b2c3d4", lane, from).unwrap();
            assert_eq!(found.len(), count, "{lane} {from}");
        }
        assert!(ids(&files, "other", 'n', 0).unwrap().is_empty());
        assert!(
            ids(&[folder.path().join("none")], "a1b2c3d4", 'n', 0)
                .unwrap()
                .is_empty()
        );
    }
}
