//! `fieldgate queue check`: reads every byte of the queue; exit code 1 when anything is not as it should be.
//!
//! A running gateway checks its open queue itself; without one the files are read, and none is changed.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use clap::Args as ClapArgs;
use fieldgate_api::queue::{CheckFinding, CheckLine, LaneCheck};
use fieldgate_store::EngineKind;

use crate::{
    checked::checked,
    cli::{
        client::Failure,
        output::{Remote, table},
    },
    lanes::{FOLDERS, QUEUE_FOLDER},
    web::QUEUE_CHECK_PATH,
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let lanes = match of_the_gateway(&args.remote) {
        Err(Failure::Silent { .. }) => of_the_files(&args.remote.state)?,
        other => other?,
    };
    args.remote.print(&lanes, |lanes| text(lanes))?;
    let clean = lanes
        .iter()
        .all(|lane| lane.findings.is_empty() && lane.unaccounted == 0);
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

// === by the gateway ===

fn of_the_gateway(remote: &Remote) -> Result<Vec<LaneCheck>, Failure> {
    let mut lines = Lines::default();
    remote.client()?.download(QUEUE_CHECK_PATH, &mut lines)?;
    lines.progress.clear();
    Ok(lines.results)
}

/// Takes the lines as they come, shows how far it is, and keeps the results.
#[derive(Default)]
struct Lines {
    unfinished: Vec<u8>,
    results: Vec<LaneCheck>,
    progress: Progress,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line: CheckLine = serde_json::from_slice(&self.unfinished)?;
                self.unfinished.clear();
                self.progress.show(&line.lane, line.read, line.of);
                self.results.extend(line.result);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One line on a terminal that is written over; nothing where nobody looks.
#[derive(Default)]
struct Progress;

impl Progress {
    fn show(&mut self, lane: &str, read: u64, of: u64) {
        if io::stderr().is_terminal() {
            eprint!("\r{lane}: {read} of {of} records\x1b[K");
        }
    }

    fn clear(&mut self) {
        if io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

// === by the files ===

fn of_the_files(state: &Path) -> Result<Vec<LaneCheck>, Failure> {
    let queue = state.join(QUEUE_FOLDER);
    let there = FOLDERS.into_iter().filter(|name| queue.join(name).is_dir());
    let lanes: Vec<LaneCheck> = there
        .map(|name| {
            let report = fieldgate_store::check(&queue.join(name), EngineKind::Sled);
            let report = report.map_err(|error| Failure::Usage(error.to_string()))?;
            Ok(checked(name, &report))
        })
        .collect::<Result<_, Failure>>()?;
    if lanes.is_empty() {
        return Err(Failure::Usage(format!(
            "there is no queue in {}; name the gateway's state folder with --state",
            queue.display()
        )));
    }
    Ok(lanes)
}

// === words ===

fn text(lanes: &[LaneCheck]) -> String {
    let row = |lane: &LaneCheck| {
        [
            lane.lane.clone(),
            lane.generations.to_string(),
            lane.records.to_string(),
            lane.spooled.to_string(),
            lane.lost.to_string(),
            lane.unaccounted.to_string(),
            format!("{:.1}", lane.seconds),
        ]
    };
    let titles = [
        "lane",
        "generations",
        "records",
        "files",
        "lost",
        "unaccounted",
        "seconds",
    ];
    let rows: Vec<_> = lanes.iter().map(row).collect();
    let findings: String = lanes
        .iter()
        .flat_map(|lane| lane.findings.iter().map(finding))
        .collect();
    let more: u64 = lanes.iter().map(|lane| lane.more_findings).sum();
    let more = match more {
        0 => String::new(),
        more => format!("And {more} findings more.\n"),
    };
    let verdict = match findings.is_empty() {
        true => "Every record can be read.\n",
        false => "",
    };
    format!("{}\n{verdict}{findings}{more}", table(titles, &rows))
}

fn finding(finding: &CheckFinding) -> String {
    format!(
        "{}\n  {}\n  {}\n",
        finding.place, finding.what, finding.advice
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_with_what_to_do() {
        let lane = LaneCheck {
            lane: "normal".into(),
            generations: 2,
            records: 10,
            lost: 3,
            findings: vec![CheckFinding {
                place: "/state/queue/normal/gen-00000001".into(),
                what: "3 of 8 records cannot be read".into(),
                lost: 3,
                advice: "check the disk".into(),
            }],
            more_findings: 1,
            seconds: 0.25,
            ..LaneCheck::default()
        };
        assert_eq!(
            text(&[lane]),
            "LANE    GENERATIONS  RECORDS  FILES  LOST  UNACCOUNTED  SECONDS\n\
             normal            2       10      0     3            0      0.2\n\n\
             /state/queue/normal/gen-00000001\n  3 of 8 records cannot be read\n  check the disk\nAnd 1 findings more.\n"
        );
    }
}
