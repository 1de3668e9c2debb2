//! `Marks`: how far each point's series is, written down, so that a gap over a restart of the gateway is known.
//!
//! One file, `history.jsonl` in the source's folder: a line that says what it is, then a line for each point with its id, the time and
//! the fingerprint of its last value (see `last.rs`), and what is missing before it. Times are nanoseconds since 1970.
//!
//! ```json
//! {"version":1,"endpoint":"opc.tcp://192.168.0.10:4840","saved":1795545600000000000}
//! ["press/Line/Temp",1795545599500000000,1234567890,[{"after":1795545000000000000,"before":1795545590000000000}]]
//! ```
//!
//! Written every half minute, when a gap opens, and at a stop, each time after everything in it is durable. What became
//! durable since then is asked of the queue itself, so that after a crash nothing is missing, and what is repeated is only
//! what the queue no longer has or never had under this name: what a route's steps renamed or held back.
//!
//! A file of another version, of another server, or that cannot be read, is as if there were none: then no gap is known.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use fieldgate_kit::{Accepted, SourceCtx};
use fieldgate_model::{PointId, Reading, Timestamp};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use tokio::time::timeout;

use super::{desk::Desk, gaps::Gap};
use crate::{last::Last, settings::Fill};

const VERSION: u32 = 1;
const FILE: &str = "history.jsonl";
/// Readings can be stamped a little before the snapshot that does not have them.
const MARGIN_NANOS: i64 = 2_000_000_000;
/// How long is waited for what the session before still writes, or for the file to be gone. What is read when that takes
/// longer is older, and as true.
const PATIENCE: Duration = Duration::from_secs(2);

/// A point's series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series {
    pub last: Option<Last>,
    pub gaps: Vec<Gap>,
}

/// All series of a source, as of a moment of the gateway's clock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Marks {
    pub endpoint: String,
    pub saved: Timestamp,
    pub points: HashMap<PointId, Series>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    endpoint: String,
    saved: i64,
}

#[derive(Serialize, Deserialize)]
struct Line(PointId, Option<i64>, u64, Vec<Written>);

#[derive(Serialize, Deserialize)]
struct Written {
    after: i64,
    before: Option<i64>,
}

// === impl Marks ===

impl Marks {
    /// What was written down of this server, and what the queue has of the source since; `None` when nothing was.
    pub(crate) async fn recall(ctx: &SourceCtx, endpoint: &str, fill: Fill) -> Option<Self> {
        let path = ctx.state_dir.join(FILE);
        let _in_time = timeout(PATIENCE, Desk::of(ctx).is_idle()).await;
        let read = tokio::task::spawn_blocking(move || fs::read_to_string(path)).await;
        let text = match read {
            Ok(Ok(text)) => text,
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return None,
            Ok(Err(error)) => {
                tracing::warn!(source = %ctx.id, %error, "what was written down of the history cannot be read; what was missed is not known");
                return None;
            }
            Err(_) => return None,
        };
        let mut marks = match Self::parse(&text) {
            Ok(marks) if marks.endpoint == endpoint => marks,
            Ok(_) => return None,
            Err(why) => {
                tracing::warn!(source = %ctx.id, why, "what was written down of the history makes no sense; what was missed is not known");
                return None;
            }
        };
        marks.catch_up(&ctx.accepted, fill).await;
        Some(marks)
    }

    /// Nothing is known from now on: what is not kept up to date would be wrong one day.
    pub(crate) async fn discard(ctx: &SourceCtx) {
        let removing = Desk::of(ctx).hand_in(|folder| fs::remove_file(folder.join(FILE)));
        // What takes longer is done all the same, before anything is written again.
        if let Ok(Err(error)) = timeout(PATIENCE, removing).await
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(source = %ctx.id, %error, "what was written down of the history cannot be removed");
        }
    }

    /// Adds what became durable since.
    async fn catch_up(&mut self, accepted: &Accepted, fill: Fill) {
        let since = Timestamp::from_nanos(self.saved.nanos().saturating_sub(MARGIN_NANOS));
        let saved = self.saved;
        let mut add = |reading: Reading| self.add(&reading, saved, fill);
        accepted.since(since, &mut add).await;
    }

    /// One more reading that is durable. Those from before the snapshot are in it already.
    fn add(&mut self, reading: &Reading, saved: Timestamp, fill: Fill) {
        let Some(series) = self.points.get_mut(&reading.point) else {
            return;
        };
        if reading.backfilled {
            for gap in &mut series.gaps {
                if gap.misses(reading.at) {
                    gap.told(reading.at, fill);
                }
            }
            return;
        }
        // The gateway's own time says nothing of the source's series: a value that was sent again, or none.
        let is_known =
            reading.seen < saved && series.last.is_some_and(|last| last.at >= reading.at);
        if reading.at == reading.seen || is_known {
            return;
        }
        for gap in &mut series.gaps {
            if gap.before.is_none() {
                gap.before = Some(reading.at);
            }
        }
        series
            .gaps
            .retain(|gap| gap.before.is_none_or(|before| before > gap.after));
        series.last = Some(Last::of(reading));
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().unwrap_or_default())
            .map_err(|error| error.to_string())?;
        if head.version != VERSION {
            return Err(format!("its version is {}", head.version));
        }
        let mut points = HashMap::new();
        for line in lines {
            let Line(point, at, fingerprint, gaps) =
                serde_json::from_str(line).map_err(|error| error.to_string())?;
            let time = Timestamp::from_nanos;
            let last = at.map(|at| Last {
                at: time(at),
                fingerprint,
            });
            let gaps = gaps.into_iter().map(|gap| Gap {
                after: time(gap.after),
                before: gap.before.map(time),
            });
            let gaps = gaps.collect();
            points.insert(point, Series { last, gaps });
        }
        Ok(Self {
            endpoint: head.endpoint,
            saved: Timestamp::from_nanos(head.saved),
            points,
        })
    }

    /// Writes everything down, after all that was asked for before; whoever stops waiting does not know whether it is done.
    pub(crate) fn keep(self, ctx: &SourceCtx) -> BoxFuture<'static, io::Result<()>> {
        Desk::of(ctx).hand_in(move |folder| self.save(folder))
    }

    /// It is there, whole, or what was there before. Blocks.
    fn save(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let fresh = folder.join(format!("{FILE}.new"));
        let mut file = io::BufWriter::new(fs::File::create(&fresh)?);
        self.write(&mut file)?;
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&fresh, folder.join(FILE))?;
        fs::File::open(folder)?.sync_all()
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let head = Head {
            version: VERSION,
            endpoint: self.endpoint.clone(),
            saved: self.saved.nanos(),
        };
        serde_json::to_writer(&mut *out, &head)?;
        for (point, series) in &self.points {
            out.write_all(b"\n")?;
            let gaps = series.gaps.iter().map(|gap| Written {
                after: gap.after.nanos(),
                before: gap.before.map(Timestamp::nanos),
            });
            let line = Line(
                point.clone(),
                series.last.map(|last| last.at.nanos()),
                series.last.map_or(0, |last| last.fingerprint),
                gaps.collect(),
            );
            serde_json::to_writer(&mut *out, &line)?;
        }
        out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Value;

    use super::*;

    const GOLDEN: &str = r#"{"version":1,"endpoint":"opc.tcp://h:4840","saved":50000000000}
["s/d/p",20000000000,7,[{"after":5000000000,"before":9000000000},{"after":20000000000,"before":null}]]
"#;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn point() -> PointId {
        "s/d/p".parse().unwrap()
    }

    fn gap(after: i64, before: Option<i64>) -> Gap {
        Gap {
            after: at(after),
            before: before.map(at),
        }
    }

    #[test]
    fn version_1_stays_readable() {
        let marks = Marks::parse(GOLDEN).unwrap();
        let last = Last {
            at: at(20),
            fingerprint: 7,
        };
        let series = Series {
            last: Some(last),
            gaps: vec![gap(5, Some(9)), gap(20, None)],
        };
        assert_eq!(marks.points, HashMap::from([(point(), series)]));
        let mut written = Vec::new();
        marks.write(&mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), GOLDEN);
        let folder = tempfile::tempdir().unwrap();
        marks.save(&folder.path().join("new")).unwrap();
        let text = fs::read_to_string(folder.path().join("new").join(FILE)).unwrap();
        assert_eq!(text, GOLDEN);
    }

    #[test]
    fn what_makes_no_sense_says_why() {
        for text in [
            "",
            "{}",
            "{\"version\":2,\"endpoint\":\"\",\"saved\":0}",
            "{\"version\":1,\"endpoint\":\"\",\"saved\":0}\n[1]",
        ] {
            assert!(Marks::parse(text).is_err(), "{text}");
        }
    }

    /// After the golden file, these readings became durable: second, seen, whether it was backfilled.
    fn check(fill: Fill, readings: &[(i64, i64, bool)], last: i64, gaps: &[Gap]) {
        let mut marks = Marks::parse(GOLDEN).unwrap();
        let saved = marks.saved;
        for (second, seen, backfilled) in readings {
            let mut reading = Reading::new(point(), Value::Int(*second), at(*second));
            (reading.seen, reading.backfilled) = (at(*seen), *backfilled);
            marks.add(&reading, saved, fill);
        }
        let series = &marks.points[&point()];
        assert_eq!(series.last.unwrap().at, at(last), "{readings:?}");
        assert_eq!(series.gaps, gaps, "{readings:?}");
    }

    #[test]
    fn what_became_durable_since_is_neither_missing_nor_forgotten() {
        use Fill::{NewestFirst, OldestFirst};
        let first = gap(5, Some(9));
        check(OldestFirst, &[], 20, &[first, gap(20, None)]);
        // The first value after the gap says where it ends.
        check(
            OldestFirst,
            &[(60, 61, false), (62, 63, false)],
            62,
            &[first, gap(20, Some(60))],
        );
        check(
            OldestFirst,
            &[(6, 61, true), (7, 62, true)],
            20,
            &[gap(7, Some(9)), gap(20, None)],
        );
        check(
            NewestFirst,
            &[(8, 61, true), (7, 62, true)],
            20,
            &[gap(5, Some(7)), gap(20, None)],
        );
        // In the snapshot already; the gateway's own time.
        check(
            OldestFirst,
            &[(19, 49, false), (70, 70, false)],
            20,
            &[first, gap(20, None)],
        );
    }
}
