//! `Receipts`: closes the hour when it is over, keeps what was closed, and makes the running hour's receipt on demand.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use fieldgate_api::{
    receipt::{self, Receipt, ReceiptLine, ReceiptLink},
    state::LedgerRow,
};
use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::{rows, total},
    chain::{File, sha256, verify},
};

const VERSION: u32 = 1;
const RUNNING: &str = "running.json";
const DAYS: u32 = 31;
const HOUR_MS: i64 = 3_600_000;

/// Who writes the receipts.
#[derive(Debug, Clone)]
pub struct Who {
    pub gateway_id: String,
    pub gateway: String,
}

/// The receipts' keeper.
pub struct Receipts {
    dir: PathBuf,
    running: Mutex<Running>,
}

/// The hour that runs, as on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    version: u32,
    hour: String,
    from: Timestamp,
    start: Vec<LedgerRow>,
    previous: Option<ReceiptLink>,
}

// === impl Receipts ===

impl Receipts {
    /// Goes on with the hour that ran when the gateway stopped; `ledger` is the balance now. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(dir: PathBuf, ledger: Vec<LedgerRow>, now: Timestamp) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let running = match load(&dir) {
            Ok(Some(running)) => running,
            Ok(None) => begin(&dir, ledger, now)?,
            Err(error) => {
                tracing::error!(%error, "the running hour's receipt cannot be read; it is set aside and a new one begins");
                fs::rename(dir.join(RUNNING), dir.join("running.json.unreadable"))?;
                begin(&dir, ledger, now)?
            }
        };
        Ok(Self {
            dir,
            running: Mutex::new(running),
        })
    }

    /// True when the running hour is over. A clock that was set back closes nothing.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        hour(now) > self.running().hour
    }

    /// Closes the running hour and begins the next. Blocks.
    ///
    /// # Errors
    /// When the disk refuses; the hour then goes on, and it is tried again.
    pub fn close_hour(&self, who: &Who, ledger: Vec<LedgerRow>, now: Timestamp) -> io::Result<()> {
        let mut running = self.running();
        let receipt = receipt(&running, who, &ledger, now, true);
        let bytes = text(&receipt)?;
        write(&self.dir.join(file_name(&receipt.hour)), &bytes)?;
        let next = Running {
            version: VERSION,
            hour: hour(now),
            from: now,
            start: ledger,
            previous: Some(ReceiptLink {
                hour: receipt.hour,
                sha256: sha256(&bytes),
            }),
        };
        save(&self.dir, &next)?;
        *running = next;
        drop(running);
        self.forget_old(now)
    }

    /// The running hour's receipt as of now.
    #[must_use]
    pub fn so_far(&self, who: &Who, ledger: &[LedgerRow], now: Timestamp) -> Receipt {
        receipt(&self.running(), who, ledger, now, false)
    }

    /// The bytes of a closed receipt; none when there is no such one. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, hour: &str) -> io::Result<Option<Vec<u8>>> {
        if !is_hour(hour) {
            return Ok(None);
        }
        match fs::read(self.dir.join(file_name(hour))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    /// All that is kept, and what is wrong with it. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> io::Result<receipt::Receipts> {
        // Nothing is closed while the files are looked at.
        let running = self.running();
        let files = self.files()?;
        let findings = verify(&files, running.previous.as_ref());
        drop(running);
        Ok(receipt::Receipts {
            receipts: files.iter().rev().filter_map(line).collect(),
            findings,
            days: DAYS,
        })
    }

    /// The closed receipts, the oldest first.
    fn files(&self) -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let hour = name.to_str().and_then(|name| name.strip_suffix(".json"));
            if let Some(hour) = hour.filter(|hour| is_hour(hour)) {
                let bytes = fs::read(self.dir.join(&name))?;
                files.push(File {
                    hour: hour.to_owned(),
                    bytes,
                });
            }
        }
        files.sort_by(|a, b| a.hour.cmp(&b.hour));
        Ok(files)
    }

    fn forget_old(&self, now: Timestamp) -> io::Result<()> {
        let oldest = now.millis() - i64::from(DAYS) * 24 * HOUR_MS;
        let oldest = hour(Timestamp::from_millis(oldest));
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let hour = name.to_str().and_then(|name| name.strip_suffix(".json"));
            if hour.is_some_and(|hour| is_hour(hour) && hour < &*oldest) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running
            .lock()
            .expect("nothing panics while holding it")
    }
}

fn load(dir: &Path) -> io::Result<Option<Running>> {
    let text = match fs::read(dir.join(RUNNING)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let running: Running = serde_json::from_slice(&text)?;
    if running.version != VERSION {
        return Err(io::Error::other(format!(
            "it has version {}, this gateway reads version {VERSION}",
            running.version
        )));
    }
    Ok(Some(running))
}

fn begin(dir: &Path, start: Vec<LedgerRow>, now: Timestamp) -> io::Result<Running> {
    let running = Running {
        version: VERSION,
        hour: hour(now),
        from: now,
        start,
        previous: None,
    };
    save(dir, &running)?;
    Ok(running)
}

fn save(dir: &Path, running: &Running) -> io::Result<()> {
    write(&dir.join(RUNNING), &text(running)?)
}

/// Replaces a file as a whole, synced.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn text<T: Serialize>(document: &T) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(text)
}

fn receipt(
    running: &Running,
    who: &Who,
    ledger: &[LedgerRow],
    now: Timestamp,
    closed: bool,
) -> Receipt {
    let rows = rows(&running.start, ledger);
    Receipt {
        version: VERSION,
        gateway_id: who.gateway_id.clone(),
        gateway: who.gateway.clone(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        hour: running.hour.clone(),
        from: running.from,
        to: now,
        closed,
        total: total(&rows),
        rows,
        previous: running.previous.clone(),
    }
}

fn line(file: &File) -> Option<ReceiptLine> {
    let receipt: Receipt = serde_json::from_slice(&file.bytes).ok()?;
    Some(ReceiptLine {
        hour: file.hour.clone(),
        change: receipt.total,
        sha256: sha256(&file.bytes),
    })
}

/// `2026-11-25T20`
fn hour(at: Timestamp) -> String {
    at.to_string().chars().take(13).collect()
}

fn file_name(hour: &str) -> String {
    format!("{hour}.json")
}

fn is_hour(text: &str) -> bool {
    let shape = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 13 && text.bytes().enumerate().all(shape)
}

#[cfg(test)]
mod tests {
    use fieldgate_api::{receipt::ReceiptFinding, state::LedgerSum};

    use super::*;

    /// Version 1's bytes, so that a later change cannot make old receipts unreadable.
    const GOLDEN: &str = include_str!("golden-v1.json");

    fn ledger(accepted: u64, acked: u64) -> Vec<LedgerRow> {
        vec![LedgerRow {
            lane: "normal".into(),
            route: "all".into(),
            destination: "broker".into(),
            sum: LedgerSum {
                accepted,
                acked,
                pending: accepted - acked,
                ..LedgerSum::default()
            },
        }]
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn who() -> Who {
        Who {
            gateway_id: "00c0ffee".into(),
            gateway: "line-4".into(),
        }
    }

    fn words(findings: &[ReceiptFinding]) -> Vec<String> {
        let words = findings.iter();
        words
            .map(|finding| format!("{}: {}", finding.hour, finding.words))
            .collect()
    }

    /// Three closed hours, the second of them twice as long since the gateway was away.
    fn three(dir: &Path) -> Receipts {
        let receipts =
            Receipts::open(dir.to_owned(), ledger(0, 0), at("2026-11-25T18:59:00.000Z")).unwrap();
        assert!(!receipts.is_due(at("2026-11-25T18:59:59Z")));
        for (moment, accepted, acked) in [
            ("2026-11-25T19:00:00.000Z", 10, 4),
            ("2026-11-25T21:00:00Z", 20, 20),
            ("2026-11-25T22:00:00Z", 21, 20),
        ] {
            assert!(receipts.is_due(at(moment)));
            receipts
                .close_hour(&who(), ledger(accepted, acked), at(moment))
                .unwrap();
        }
        receipts
    }

    #[test]
    fn hours_follow_on_each_other_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        drop(three(dir.path()));
        let receipts = Receipts::open(
            dir.path().to_owned(),
            ledger(99, 99),
            at("2026-11-25T22:30:00Z"),
        )
        .unwrap();
        let list = receipts.list().unwrap();
        assert_eq!(words(&list.findings), [""; 0]);
        let told: Vec<_> = list
            .receipts
            .iter()
            .map(|line| {
                (
                    line.hour.as_str(),
                    line.change.accepted,
                    line.change.pending,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("2026-11-25T21", 1, 1),
                ("2026-11-25T19", 10, -6),
                ("2026-11-25T18", 10, 6)
            ]
        );
        let so_far = receipts.so_far(&who(), &ledger(30, 30), at("2026-11-25T22:31:00Z"));
        assert_eq!((so_far.total.accepted, so_far.closed), (9, false));
        assert!(
            !receipts.is_due(at("2026-11-25T21:10:00Z")),
            "the clock was set back"
        );
    }

    #[test]
    fn what_was_changed_or_removed_shows() {
        let dir = tempfile::tempdir().unwrap();
        let receipts = three(dir.path());
        let middle = dir.path().join("2026-11-25T19.json");
        let text = fs::read_to_string(&middle).unwrap();
        for (changed, expected) in [
            (
                Some(text.replace("\"gateway\": \"line-4\"", "\"gateway\": \"line-5\"")),
                "2026-11-25T19: it was changed",
            ),
            (
                Some(text.replace("\"accepted\": 10", "\"accepted\": 11")),
                "2026-11-25T19: it does not balance",
            ),
            (Some("{}".into()), "2026-11-25T19: it cannot be read"),
            (
                None,
                "2026-11-25T19: it is missing: 2026-11-25T21 follows on it",
            ),
        ] {
            match changed {
                Some(changed) => fs::write(&middle, changed).unwrap(),
                None => fs::remove_file(&middle).unwrap(),
            }
            let findings = words(&receipts.list().unwrap().findings);
            assert!(
                findings.iter().any(|words| words.starts_with(expected)),
                "{findings:?}"
            );
        }
        fs::write(&middle, text).unwrap();
        assert!(receipts.list().unwrap().findings.is_empty());
        fs::remove_file(dir.path().join("2026-11-25T21.json")).unwrap();
        let findings = words(&receipts.list().unwrap().findings);
        assert_eq!(
            findings,
            ["2026-11-25T21: it is missing: the running hour follows on it"]
        );
    }

    #[test]
    fn what_is_too_old_goes_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let receipts = three(dir.path());
        let later = at("2026-12-26T21:30:00Z");
        receipts.close_hour(&who(), ledger(30, 30), later).unwrap();
        let list = receipts.list().unwrap();
        let hours: Vec<_> = list
            .receipts
            .iter()
            .map(|line| line.hour.as_str())
            .collect();
        assert_eq!(hours, ["2026-11-25T22", "2026-11-25T21"]);
        assert!(list.findings.is_empty(), "{:?}", list.findings);
    }

    #[test]
    fn version_1_stays_readable() {
        let receipt: Receipt = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(String::from_utf8(text(&receipt).unwrap()).unwrap(), GOLDEN);
        assert_eq!((receipt.version, receipt.total.accepted), (1, 10));
        assert!(is_hour(&receipt.hour) && !is_hour("../../etc/pwd") && !is_hour("running"));
    }
}
