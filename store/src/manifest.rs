//! The two documents of a lane: which generations there are, and how far its consumers have come.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    counts::Counts,
    migrate,
    record::{Record, Stamp},
    replay::ReplayState,
    slots::Document,
    types::{RouteBit, RouteMask, Seq},
};

/// The version of both documents.
const FORMAT: u16 = 2;

/// `MANIFEST.a/.b`: the generations in order; all are sealed but, at most, the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// No record with this number or a higher one was durable when this was written into a sealed generation.
    pub high_water: u64,
    pub next_id: u64,
    pub generations: Vec<GenerationInfo>,
    /// Who each bit belongs to, so that records can still be given to somebody when the cursors are damaged.
    pub routes: Vec<RouteName>,
}

/// One route, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteName {
    pub bit: u8,
    pub key: String,
    pub consumer: String,
}

/// What is known of one generation; of an unsealed one the counts are those at the time of writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GenerationInfo {
    pub id: u64,
    /// The first record it holds or will hold.
    pub first: u64,
    /// The last durable record; `first − 1` while there is none. What lies behind it was never accepted.
    pub last: u64,
    pub sealed: bool,
    /// Records are missing between `first` and `last`; they have been counted as lost.
    pub damaged: bool,
    /// Without the places of those that were thinned.
    pub records: u64,
    pub payload_bytes: u64,
    pub first_at: Stamp,
    pub last_at: Stamp,
    pub per_bit: PerBit,
    /// The length of the data file when it was sealed; a shorter one is suspicious.
    pub file_len: u64,
    pub disk_bytes: u64,
}

/// `CURSORS.a/.b`: consumers, routes and their counts, all as of one moment: when `durable` was the last durable record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursors {
    pub durable: u64,
    pub consumers: Vec<(String, u64)>,
    pub routes: Vec<RouteState>,
    pub next_bit: u8,
    pub replays: Vec<ReplayState>,
    /// What thinning took from the generations with an id up to this has been counted.
    pub thinned_through: u64,
}

/// One route as it is stored. `pending` is not: it is counted again at every open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteState {
    pub key: String,
    pub bit: u8,
    pub consumer: String,
    pub retiring: bool,
    /// Its consumer was dropped: what still arrives for it counts as evicted.
    pub orphan: bool,
    pub counts: Counts,
}

/// A count for each of the 64 route bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PerBit(Vec<u64>);

// === impl Manifest, Cursors ===

impl Document for Manifest {
    const NAME: &'static str = "MANIFEST";
    const MAGIC: [u8; 4] = *b"FGQM";
    const VERSION: u16 = FORMAT;

    fn decode(version: u16, payload: &[u8]) -> Option<Manifest> {
        match version {
            migrate::v1::DOCUMENT => migrate::v1::manifest(payload),
            _ => postcard::from_bytes(payload).ok(),
        }
    }
}

impl Document for Cursors {
    const NAME: &'static str = "CURSORS";
    const MAGIC: [u8; 4] = *b"FGQC";
    const VERSION: u16 = FORMAT;

    fn decode(version: u16, payload: &[u8]) -> Option<Cursors> {
        match version {
            migrate::v1::DOCUMENT => migrate::v1::cursors(payload),
            _ => postcard::from_bytes(payload).ok(),
        }
    }
}

impl Manifest {
    /// The directories of generations that it does not name.
    pub fn unnamed<'a>(
        &self,
        dirs: &'a [(u64, PathBuf)],
    ) -> impl Iterator<Item = &'a (u64, PathBuf)> {
        let named: BTreeSet<u64> = self.generations.iter().map(|info| info.id).collect();
        dirs.iter().filter(move |(id, _)| !named.contains(id))
    }
}

impl Cursors {
    /// What every consumer has passed; `None` without one.
    pub fn passed(&self) -> Option<u64> {
        self.consumers.iter().map(|(_, through)| *through).min()
    }

    /// Everybody of whom `routes` tell, at `through`, with nothing counted yet.
    pub fn restarted(routes: &[RouteName], through: u64) -> Cursors {
        let names: BTreeSet<&str> = routes.iter().map(|route| route.consumer.as_str()).collect();
        let state = |route: &RouteName| RouteState {
            key: route.key.clone(),
            bit: route.bit,
            consumer: route.consumer.clone(),
            retiring: false,
            orphan: false,
            counts: Counts::default(),
        };
        let last_bit = routes.iter().map(|route| route.bit).max();
        Cursors {
            durable: through,
            consumers: names
                .into_iter()
                .map(|name| (name.to_owned(), through))
                .collect(),
            routes: routes.iter().map(state).collect(),
            next_bit: last_bit.map_or(0, |bit| (bit + 1) % 64),
            replays: Vec::new(),
            thinned_through: 0,
        }
    }

    /// The routes as the manifest names them.
    pub fn route_names(&self) -> Vec<RouteName> {
        let name = |route: &RouteState| RouteName {
            bit: route.bit,
            key: route.key.clone(),
            consumer: route.consumer.clone(),
        };
        self.routes.iter().map(name).collect()
    }
}

// === impl GenerationInfo ===

impl GenerationInfo {
    pub fn new(id: u64, first: Seq) -> GenerationInfo {
        GenerationInfo {
            id,
            first: first.0,
            last: first.0 - 1,
            sealed: false,
            damaged: false,
            records: 0,
            payload_bytes: 0,
            first_at: Stamp::default(),
            last_at: Stamp::default(),
            per_bit: PerBit::default(),
            file_len: 0,
            disk_bytes: 0,
        }
    }

    /// It holds no record, not even the place of one.
    pub fn is_empty(&self) -> bool {
        self.last < self.first
    }

    /// Counts records that became durable, or that were found.
    pub fn count(&mut self, records: &[Record]) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        if self.records == 0 {
            self.first_at = first.at;
        }
        self.last_at = last.at;
        self.last = last.seq.0;
        let there = records.iter().filter(|record| !record.is_place());
        self.records += there.count() as u64;
        self.payload_bytes += records
            .iter()
            .map(|record| record.body.len() as u64)
            .sum::<u64>();
        self.per_bit.count(records);
    }

    /// What the wall clock said when its first and its last record were accepted.
    pub fn accepted_between_ms(&self) -> (i64, i64) {
        (self.first_at.wall_ms, self.last_at.wall_ms)
    }

    pub fn dir(&self, lane: &Path) -> PathBuf {
        lane.join(dir_name(self.id))
    }
}

// === directories ===

pub(crate) fn dir_name(id: u64) -> String {
    format!("gen-{id:08}")
}

/// The generations that stand in a lane's directory, by id, in order.
pub(crate) fn generation_dirs(lane: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(lane)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name
            .to_str()
            .and_then(|name| name.strip_prefix("gen-"))
            .and_then(|id| id.parse().ok());
        if let Some(id) = id {
            found.push((id, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

// === impl PerBit ===

impl Default for PerBit {
    fn default() -> PerBit {
        PerBit(vec![0; 64])
    }
}

impl PerBit {
    pub fn get(&self, bit: u8) -> u64 {
        self.0.get(usize::from(bit)).copied().unwrap_or(0)
    }

    pub fn add(&mut self, mask: RouteMask, count: u64) {
        for RouteBit(bit) in mask.iter() {
            if let Some(counter) = self.0.get_mut(usize::from(bit)) {
                *counter += count;
            }
        }
    }

    pub fn count(&mut self, records: &[Record]) {
        for run in records.chunk_by(|a, b| a.routes == b.routes) {
            self.add(run[0].routes, run.len() as u64);
        }
    }

    pub fn add_all(&mut self, other: &PerBit) {
        for (counter, more) in self.0.iter_mut().zip(&other.0) {
            *counter += more;
        }
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// `self − other`, never below 0.
    pub fn without(&self, other: &PerBit) -> PerBit {
        PerBit(
            self.0
                .iter()
                .zip(&other.0)
                .map(|(all, some)| all.saturating_sub(*some))
                .collect(),
        )
    }

    /// Every count times `part / whole`.
    pub fn share(&self, part: u64, whole: u64) -> PerBit {
        let scale =
            |count: &u64| (u128::from(*count) * u128::from(part) / u128::from(whole.max(1))) as u64;
        PerBit(self.0.iter().map(scale).collect())
    }

    pub fn take_up_to(&mut self, bit: u8, most: u64) -> u64 {
        let Some(counter) = self.0.get_mut(usize::from(bit)) else {
            return 0;
        };
        let taken = most.min(*counter);
        *counter -= taken;
        taken
    }
}
