//! Random damage to a lane's files: a check tells what it costs, reading then loses exactly that, and all of it in one generation.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use fieldgate_store::{
    CheckReport, EngineKind, Entry, Lane, LaneOptions, RouteBit, RouteMask, Seq, Stamp, check,
};
use support::{
    acked, append, body, open, open_lane, options, read_all,
    shim::scratch,
    torture::{Progress, cases, figures},
};

const CASES: usize = 40;
const CONSUMERS: [&str; 3] = ["a", "b", "c"];
const SEED: u64 = 15;
/// A check, an open and a look at everything together.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip { byte: u64, bit: u8 },
    ZeroPage { at: u64 },
    Cut { to: u64 },
}

/// How far the consumers of a lane have come.
#[derive(Clone, Copy)]
enum Read {
    /// One of them has read nothing.
    Some,
    Much,
}

/// A lane in order, closed, and what is known of it.
struct Sound {
    dir: tempfile::TempDir,
    engine: EngineKind,
    first: u64,
    last: u64,
    /// The first record of each generation, by the name of its directory.
    firsts: BTreeMap<String, u64>,
    bits: [RouteBit; 3],
    acked: [u64; 3],
    files: Vec<PathBuf>,
}

// === impl Harm ===

impl Harm {
    fn choose(random: &mut fastrand::Rng, len: u64) -> Harm {
        let byte = random.u64(..len);
        match random.u8(..3) {
            0 => Harm::Flip {
                byte,
                bit: random.u8(..8),
            },
            1 => Harm::ZeroPage {
                at: byte / 4096 * 4096,
            },
            _ => Harm::Cut { to: byte },
        }
    }

    fn apply(self, file: &Path) {
        let open = OpenOptions::new().read(true).write(true).open(file);
        let file = open.unwrap();
        match self {
            Harm::Flip { byte, bit } => {
                let mut found = [0];
                file.read_exact_at(&mut found, byte).unwrap();
                file.write_all_at(&[found[0] ^ 1 << bit], byte).unwrap();
            }
            Harm::ZeroPage { at } => {
                let len = file.metadata().unwrap().len();
                let page = vec![0; (len - at).min(4096) as usize];
                file.write_all_at(&page, at).unwrap();
            }
            Harm::Cut { to } => file.set_len(to).unwrap(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Harm::Flip { .. } => "flips",
            Harm::ZeroPage { .. } => "zeroed_pages",
            Harm::Cut { .. } => "truncations",
        }
    }
}

// === the records ===

fn small(engine: EngineKind) -> LaneOptions {
    LaneOptions {
        generation_bytes: 1 << 20,
        tail_bytes: 0,
        ..options(engine)
    }
}

/// Now and then one that has a file of its own.
fn body_of(seq: u64) -> bytes::Bytes {
    match seq % 150 {
        0 => body(seq, 66_000 + seq as usize % 9000),
        _ => body(seq, 100 + seq as usize % 1500),
    }
}

/// Everything belongs to `a` and `b`, a third of it to `c`.
fn routes_of(seq: u64, bits: &[RouteBit; 3]) -> RouteMask {
    let own = |at: &usize| *at != 2 || seq.is_multiple_of(3);
    (0..3).filter(own).map(|at| bits[at]).collect()
}

fn count_of(consumer: usize, through: u64) -> u64 {
    match consumer {
        2 => through / 3,
        _ => through,
    }
}

// === impl Sound ===

impl Sound {
    /// Of five generations; the first has gone when all consumers have read much.
    async fn make(engine: EngineKind, read: Read) -> Sound {
        let dir = scratch();
        let lane = open(dir.path(), small(engine));
        let bits = CONSUMERS.map(|name| {
            lane.consumer(name).unwrap();
            lane.route_bit(&format!("r→{name}"), name).unwrap()
        });
        let mut last = 0;
        while lane.stats().generations < 5 {
            let entry = |seq| Entry {
                routes: routes_of(seq, &bits),
                at: Stamp::from_wall(seq as i64),
                body: body_of(seq),
            };
            (_, last) = append(&lane, (last + 1..last + 80).map(entry).collect()).await;
        }
        let acked_through = match read {
            Read::Some => [0, last / 3, last / 2],
            Read::Much => [last / 2, last * 9 / 10, last * 2 / 5],
        };
        for (at, through) in acked_through.into_iter().enumerate() {
            let tally = acked(bits[at], count_of(at, through));
            lane.ack(CONSUMERS[at], Seq(through), tally);
        }
        let much = matches!(read, Read::Much);
        let gone = || (lane.stats().first.0 > 1) == much;
        support::until("what everybody has read goes", gone).await;
        lane.close().await.unwrap();
        let report = check(dir.path(), engine).unwrap();
        assert_eq!(report.findings, []);
        Sound {
            firsts: (report.generations.iter())
                .map(|one| (one.name.clone(), one.first))
                .collect(),
            acked: [0, 1, 2].map(|at| count_of(at, acked_through[at])),
            files: files(dir.path()),
            first: report.generations[0].first,
            dir,
            engine,
            last,
            bits,
        }
    }

    /// Any file; every fourth time one of the few that belong to no generation.
    fn choose(&self, random: &mut fastrand::Rng) -> &Path {
        let of_the_lane = |file: &&PathBuf| file.components().count() == 1;
        let few: Vec<&PathBuf> = self.files.iter().filter(of_the_lane).collect();
        match random.u8(..4) {
            0 => few[random.usize(..few.len())],
            _ => &self.files[random.usize(..self.files.len())],
        }
    }

    /// The records of the generation that a file belongs to; none when it belongs to none.
    fn generation(&self, file: &Path) -> (String, std::ops::Range<u64>) {
        let name = file.iter().next().unwrap().to_str().unwrap().to_owned();
        let Some(first) = self.firsts.get(&name) else {
            return (name, 0..0);
        };
        let next = self.firsts.values().filter(|other| *other > first).min();
        (name, *first..next.copied().unwrap_or(self.last + 1))
    }
}

/// Every file below a directory that is not empty, by its path from there.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut below) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = below.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            match about.is_dir() {
                true => below.push(entry.path()),
                false if about.len() == 0 => {}
                false => found.push(entry.path().strip_prefix(root).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

// === one case ===

/// The numbers that reading did not give, and those whose body cannot be had.
struct Lost {
    records: BTreeSet<u64>,
    bodies: BTreeSet<u64>,
}

async fn read(sound: &Sound, lane: &Lane) -> Result<Lost, String> {
    let mut lost = Lost {
        records: (sound.first..=sound.last).collect(),
        bodies: BTreeSet::new(),
    };
    for record in read_all(lane, Seq(sound.first - 1), RouteMask::ALL).await {
        let seq = record.seq.0;
        ensure!(lost.records.remove(&seq), "record {seq} came twice");
        let routes = routes_of(seq, &sound.bits);
        ensure!(record.routes == routes, "record {seq}: {:?}", record.routes);
        match record.body.bytes() {
            Ok(bytes) => ensure!(*bytes == body_of(seq), "record {seq} is another"),
            Err(_) => drop(lost.bodies.insert(seq)),
        }
    }
    Ok(lost)
}

/// What is lost lies in the generation whose file was harmed, and the check has named it.
fn contained(sound: &Sound, file: &Path, lost: &Lost, told: &CheckReport) -> Result<(), String> {
    let (name, range) = sound.generation(file);
    for seq in lost.records.iter().chain(&lost.bodies) {
        ensure!(range.contains(seq), "record {seq} is lost with {name}");
    }
    let count = (lost.records.len() + lost.bodies.len()) as u64;
    ensure!(
        told.lost_records == count,
        "{count} are lost; the check told {:?}",
        told.findings
    );
    for finding in told.findings.iter().filter(|finding| finding.lost > 0) {
        let place = finding.place.to_string_lossy();
        ensure!(place.contains(&name), "the check names {place}");
    }
    Ok(())
}

/// The balance of each route has exactly what its consumer can no longer get.
fn counted(sound: &Sound, lane: &Lane, lost: &Lost) -> Result<(), String> {
    for (at, name) in CONSUMERS.iter().enumerate() {
        let balance = lane.balance();
        let route = balance.iter().find(|route| route.consumer == *name);
        let route = route.ok_or_else(|| format!("{name} has no route"))?;
        let cursor = lane.cursor(name).unwrap_or_default().0;
        let gone = lost
            .records
            .iter()
            .filter(|seq| **seq > cursor && routes_of(**seq, &sound.bits).contains(sound.bits[at]));
        let gone = gone.count() as u64;
        ensure!(route.unaccounted() == 0, "{route:?}");
        ensure!(
            route.accepted == count_of(at, sound.last) && route.lost_detected == gone,
            "{gone} of {name} are lost after {cursor}: {route:?}"
        );
        ensure!(
            route.acked == sound.acked[at] && route.evicted == 0,
            "{} were acknowledged: {route:?}",
            sound.acked[at]
        );
    }
    Ok(())
}

/// Harms one file of a copy, and looks at what comes of it; how many records that cost.
async fn run(sound: &Sound, file: &Path, harm: Harm) -> Result<usize, String> {
    let (dir, started) = (scratch(), Instant::now());
    copy(sound.dir.path(), dir.path());
    harm.apply(&dir.path().join(file));
    let words = |error: &dyn std::error::Error| error.to_string();
    let told = check(dir.path(), sound.engine).map_err(|error| words(&error))?;
    let opened = open_lane(dir.path(), small(sound.engine));
    let (lane, _) = opened.map_err(|error| words(&error))?;
    let lost = read(sound, &lane).await?;
    contained(sound, file, &lost, &told)?;
    counted(sound, &lane, &lost)?;
    let next = append(&lane, vec![support::entry(RouteMask::ALL, body(0, 10))]).await;
    ensure!(next.0 > sound.last, "number {} was given before", next.0);
    lane.close().await.map_err(|error| words(&error))?;
    let again = open_lane(dir.path(), small(sound.engine));
    let (lane, report) = again.map_err(|error| words(&error))?;
    ensure!(report.findings.is_empty(), "told again: {report:?}");
    lane.close().await.map_err(|error| words(&error))?;
    ensure!(started.elapsed() < LIMIT, "it took {:?}", started.elapsed());
    Ok(lost.records.len() + lost.bodies.len())
}

#[tokio::test]
async fn f15_random_damage_torture() {
    let (cases, mut random) = (cases(CASES), fastrand::Rng::with_seed(SEED));
    let mut sounds = Vec::new();
    for read in [Read::Some, Read::Much] {
        for engine in [EngineKind::Sled, EngineKind::PlainLog, EngineKind::Sled] {
            sounds.push(Sound::make(engine, read).await);
        }
    }
    let (mut bad, mut kinds) = (Vec::new(), BTreeMap::<&str, usize>::new());
    let (mut costly, mut lost) = (0, 0);
    let mut progress = Progress::new("damages");
    for case in 0..cases {
        let sound = &sounds[case % sounds.len()];
        let file = sound.choose(&mut random);
        let len = fs::metadata(sound.dir.path().join(file)).unwrap().len();
        let harm = Harm::choose(&mut random, len);
        *kinds.entry(harm.name()).or_default() += 1;
        match run(sound, file, harm).await {
            Ok(0) => {}
            Ok(records) => (costly, lost) = (costly + 1, lost + records),
            Err(what) => bad.push(format!(
                "{:?} {} {harm:?}: {what}",
                sound.engine,
                file.display()
            )),
        }
        progress.at(case + 1, cases);
    }
    for bad in bad.iter().take(40) {
        eprintln!("bad: {bad}");
    }
    figures(&serde_json::json!({
        "harness": "damage", "cases": cases, "bad": bad.len(), "kinds": kinds, "cost_something": costly,
        "records_lost_and_named": lost, "seconds": progress.seconds(),
    }));
    assert!(bad.is_empty(), "{} of {cases} are bad", bad.len());
}
