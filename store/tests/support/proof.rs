//! Whether a lane kept what it promised, told from the marks of its writers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use fieldgate_store::{Lane, LaneOptions, OpenReport, Record, RouteBit, RouteMask, Seq, Urgency};

use super::{
    open_lane, read_all,
    writer::{CONSUMERS, bits, made, route_key, routes, told},
};
use crate::ensure;

/// The longest that an open may take.
const OPEN_LIMIT: Duration = Duration::from_secs(2);

/// What writers were promised up to some moment.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    durable: Vec<Durable>,
    last: u64,
    acking: BTreeMap<String, u64>,
    named: BTreeSet<String>,
    pub failed: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Durable {
    task: u64,
    from: u64,
    first: u64,
    last: u64,
}

/// What an open and a look at everything found.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    pub records: u64,
    pub open_ms: f64,
    pub report: OpenReport,
}

// === impl Promises ===

impl Promises {
    /// Adds everything that stands in a file of marks.
    pub fn read(&mut self, marks: &Path) {
        let text = std::fs::read(marks).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .for_each(|line| self.hear(line));
    }

    pub fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        match words[0] {
            "durable" => {
                let durable = Durable {
                    task: number(1),
                    from: number(2),
                    first: number(3),
                    last: number(4),
                };
                self.last = self.last.max(durable.last);
                self.durable.push(durable);
            }
            "acking" => *self.acking.entry(words[1].to_owned()).or_default() = number(2),
            "named" => {
                self.named.insert(words[1].to_owned());
                let acking = self.acking.entry(words[1].to_owned()).or_default();
                *acking = number(2).max(*acking);
            }
            "leaving" => self.named.retain(|name| name != words[1]),
            "failed" => self.failed.push(line.to_owned()),
            _ => {}
        }
    }

    pub fn count(&self) -> usize {
        self.durable.len()
    }

    /// Opens the lane and looks at everything in it; the lane is closed again, with one record more.
    pub async fn kept(&self, dir: &Path, options: LaneOptions) -> Result<Proof, String> {
        let started = Instant::now();
        let (lane, report) =
            open_lane(dir, options).map_err(|error| format!("it did not open: {error}"))?;
        let took = started.elapsed();
        ensure!(took < OPEN_LIMIT, "it took {took:?} to open");
        ensure!(
            report.findings.is_empty(),
            "findings: {:?}",
            report.findings
        );
        let records = self.look_at(&lane).await?;
        go_on(&lane).await?;
        lane.close()
            .await
            .map_err(|error| format!("it did not close: {error}"))?;
        Ok(Proof {
            records: records as u64,
            open_ms: took.as_secs_f64() * 1e3,
            report,
        })
    }

    /// Records, order, bytes, cursors and ledger of an open lane; returns how many records it retains.
    pub async fn look_at(&self, lane: &Lane) -> Result<usize, String> {
        let stats = lane.stats();
        ensure!(
            stats.last.0 >= self.last,
            "{} was promised, {} is the end",
            self.last,
            stats.last
        );
        ensure!(
            stats.blob_files == 0,
            "sled wrote {} blob files",
            stats.blob_files
        );
        let known = lane.consumers();
        for name in &self.named {
            ensure!(known.contains(name), "consumer {name} is forgotten");
        }
        let mut records = read_all(lane, Seq(stats.first.0 - 1), RouteMask::ALL).await;
        let first = lane.stats().first; // what everybody has passed may have gone meanwhile
        records.retain(|record| record.seq >= first);
        self.check_records(&records, first.0, stats.last.0)?;
        check_ledger(lane, &records, &self.acking)?;
        Ok(records.len())
    }

    fn check_records(&self, records: &[Record], first: u64, last: u64) -> Result<(), String> {
        let seqs = records.iter().map(|record| record.seq.0);
        ensure!(
            seqs.eq(first..=last),
            "{first}..={last} is not whole: {} records",
            records.len()
        );
        let mut counters: BTreeMap<u64, u64> = BTreeMap::new();
        for record in records {
            let Some((task, counter)) = told(record) else {
                return Err(format!("record {} is not what was appended", record.seq));
            };
            let before = counters.insert(task, counter);
            ensure!(
                before.is_none_or(|before| before < counter),
                "record {}: {task} {counter} after {before:?}",
                record.seq
            );
        }
        for durable in &self.durable {
            let from = durable.first.max(first);
            for seq in from..=durable.last {
                let wanted = (durable.task, durable.from + seq - durable.first);
                let found = told(&records[(seq - first) as usize]);
                ensure!(
                    found == Some(wanted),
                    "record {seq} was promised as {wanted:?}, it is {found:?}"
                );
            }
        }
        Ok(())
    }
}

/// Appends one record more: it gets a number that was never given.
async fn go_on(lane: &Lane) -> Result<(), String> {
    let Some(bits) = bits(lane) else {
        return Ok(()); // cut off before the routes were made
    };
    let last = lane.durable().borrow().0;
    let entry = made(u64::MAX, last, 16, &bits);
    let ticket = lane.append(vec![entry], Urgency::Waiting).await;
    let given = ticket.map_err(|error| error.to_string())?.await;
    let given = given.map_err(|error| error.to_string())?;
    ensure!(
        given.first.0 == last + 1,
        "after {last} came {}",
        given.first
    );
    Ok(())
}

fn check_ledger(
    lane: &Lane,
    records: &[Record],
    acking: &BTreeMap<String, u64>,
) -> Result<(), String> {
    let balance = lane.balance();
    for route in &balance {
        ensure!(route.unaccounted() == 0, "{route:?}");
    }
    let mut bits = Vec::new();
    for name in CONSUMERS
        .iter()
        .filter(|name| !lane.routes_of(name).is_empty())
    {
        let through = lane
            .consumer(name)
            .map_err(|error| error.to_string())?
            .through
            .0;
        let bit = lane.routes_of(name)[0].1;
        bits.push(bit);
        let route = balance
            .iter()
            .find(|route| route.key == route_key(name))
            .expect("it was found above");
        let ahead = records
            .iter()
            .filter(|record| record.seq.0 > through && record.routes.contains(bit))
            .count();
        ensure!(
            route.pending == ahead as i64,
            "{ahead} records lie before {name} at {through}: {route:?}"
        );
        let acking = acking.get(*name).copied().unwrap_or(0);
        ensure!(
            through <= acking || route.evicted > 0,
            "{name} stands at {through} and acknowledged {acking}"
        );
    }
    let Ok(bits) = <[RouteBit; 3]>::try_from(bits) else {
        return Ok(());
    };
    for record in records {
        let counter = told(record).map_or(0, |(_, counter)| counter);
        ensure!(
            record.routes == routes(counter, &bits),
            "record {} has the routes {:?}",
            record.seq,
            record.routes
        );
    }
    Ok(())
}
