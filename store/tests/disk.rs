//! A small file system is filled and freed again and again under load, with each policy: it balances, nothing accepted is lost.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fieldgate_store::{
    EngineKind, Exit, Lane, LaneOptions, OnFull, OpenError, Record, RouteBit, RouteMask, Seq,
    StoreError, Survey, Tally, Thin, Thinner, Ticket, Tools, Urgency, check,
};
use support::{
    LIMITS, LONG,
    disk::{FileSystem, Filler, Full},
    options, read_all,
    shim::wait,
    torture::{Progress, cases, figures, is_torture},
    until,
    writer::{CONSUMERS, made, route_key, routes, told},
};

/// Times that each disk is filled and freed.
const CYCLES: usize = 1;
const DISK_MIB: u32 = 48;
const MIB: u64 = 1 << 20;
/// One child with all its cycles.
const LIMIT: Duration = Duration::from_secs(180);
/// From the moment that there is room to the first append that is durable: tried each second, on a busy machine.
const RECOVERY: Duration = Duration::from_secs(5);
/// Relaxed appends that one task has on their way.
const ON_THEIR_WAY: usize = 32;

// === the lane ===

/// The lane's own limit is reached, or the disk ends before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Lane,
    Disk,
}

fn sized(on_full: OnFull, limit: Limit) -> LaneOptions {
    let (max_bytes, reserve_bytes) = match limit {
        Limit::Lane => (10 * MIB, 4 * MIB),
        Limit::Disk => (1 << 30, 0),
    };
    LaneOptions {
        max_bytes,
        reserve_bytes,
        on_full,
        generation_bytes: MIB,
        tail_bytes: 64 << 10,
        ring_bytes: 256 << 10,
        ..options(EngineKind::Sled)
    }
}

/// Lets go of all but every second, fourth, eighth, sixteenth record.
struct Decimate;

struct Decimation(u64, Vec<Seq>);

impl Thinner for Decimate {
    fn survey(&self, how: Thin) -> Box<dyn Survey> {
        Box::new(Decimation(2 << how as u64, Vec::new()))
    }
}

impl Survey for Decimation {
    fn look(&mut self, record: &Record) {
        if !record.seq.0.is_multiple_of(self.0) {
            self.1.push(record.seq);
        }
    }

    fn gone(self: Box<Self>) -> Vec<Seq> {
        self.1
    }
}

fn open(dir: &Path, options: &LaneOptions) -> Result<(Lane, [RouteBit; 3]), OpenError> {
    let tools = Tools {
        thinner: Some(Arc::new(Decimate)),
        ..Tools::default()
    };
    let (lane, report) = Lane::open_with(dir, options.clone(), tools)?;
    assert_eq!(report.findings, Vec::<String>::new());
    let bits = CONSUMERS.map(|name| {
        lane.consumer(name).unwrap();
        lane.route_bit(&route_key(name), name).unwrap()
    });
    Ok((lane, bits))
}

// === the load ===

/// What was promised: counter `from` of a task has the number `first`, and so on up to `last`.
#[derive(Clone, Copy)]
struct Promise {
    task: u64,
    from: u64,
    first: u64,
    last: u64,
}

#[derive(Default)]
struct Seen {
    promises: Mutex<Vec<Promise>>,
    promised: AtomicU64,
    refused: AtomicU64,
    /// Pages that were not there while the disk was full: sled mends what a write that failed has left, as it opens.
    reads_put_off: AtomicU64,
    stop: AtomicBool,
    /// The consumers go on until every append was answered: a full lane may wait for them.
    all_answered: AtomicBool,
    /// Whether the slow consumers read too.
    drains: AtomicBool,
}

struct Load {
    seen: Arc<Seen>,
    appending: Vec<tokio::task::JoinHandle<()>>,
    reading: Vec<tokio::task::JoinHandle<()>>,
}

impl Seen {
    async fn keep(&self, task: u64, from: u64, ticket: Ticket) {
        match ticket.await {
            Ok(given) => {
                let (first, last) = (given.first.0, given.last.0);
                let promise = Promise {
                    task,
                    from,
                    first,
                    last,
                };
                self.promises.lock().unwrap().push(promise);
                self.promised.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => drop(self.refused.fetch_add(1, Ordering::SeqCst)),
        }
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl Load {
    /// Two tasks that wait for each append, one that does not; one consumer that keeps up, two that drain when they are told.
    fn start(lane: &Lane, bits: [RouteBit; 3], seen: &Arc<Seen>, run: u64) -> Load {
        seen.stop.store(false, Ordering::SeqCst);
        seen.all_answered.store(false, Ordering::SeqCst);
        let appending = (0..3)
            .map(|task| {
                let urgency = [Urgency::Waiting, Urgency::Waiting, Urgency::Relaxed][task as usize];
                tokio::spawn(appends(
                    lane.clone(),
                    bits,
                    seen.clone(),
                    run << 8 | task,
                    urgency,
                ))
            })
            .collect();
        let reading = CONSUMERS
            .into_iter()
            .zip(bits)
            .map(|(name, bit)| tokio::spawn(reads(lane.clone(), name, bit, seen.clone())))
            .collect();
        Load {
            seen: seen.clone(),
            appending,
            reading,
        }
    }

    async fn stop(self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        ended(self.appending).await;
        self.seen.all_answered.store(true, Ordering::SeqCst);
        ended(self.reading).await;
    }
}

async fn ended(tasks: Vec<tokio::task::JoinHandle<()>>) {
    for task in tasks {
        let ended = tokio::time::timeout(LONG, task).await;
        ended.expect("the load hangs").unwrap();
    }
}

async fn appends(lane: Lane, bits: [RouteBit; 3], seen: Arc<Seen>, task: u64, urgency: Urgency) {
    let (mut random, mut counter) = (fastrand::Rng::with_seed(task), 0);
    let mut on_their_way = tokio::task::JoinSet::new();
    let most = match urgency {
        Urgency::Waiting => 1,
        Urgency::Relaxed | Urgency::Patient => ON_THEIR_WAY,
    };
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    while !seen.stops() {
        pace.tick().await; // as devices do, and not all at once when the disk refuses
        while on_their_way.len() >= most {
            on_their_way.join_next().await.unwrap().unwrap();
        }
        let count = random.u64(1..30);
        let length = |random: &mut fastrand::Rng| match random.u16(..800) {
            0 => random.usize(65_000..80_000),
            _ => random.usize(16..1500),
        };
        let entries = (counter..counter + count)
            .map(|at| made(task, at, length(&mut random), &bits))
            .collect();
        let Ok(ticket) = lane.append(entries, urgency).await else {
            break;
        };
        let (seen, from) = (seen.clone(), counter);
        on_their_way.spawn(async move { seen.keep(task, from, ticket).await });
        counter += count;
    }
    while let Some(kept) = on_their_way.join_next().await {
        kept.unwrap();
    }
}

async fn reads(lane: Lane, name: &'static str, bit: RouteBit, seen: Arc<Seen>) {
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    let mut through = Seq(0);
    while !seen.all_answered.load(Ordering::SeqCst) {
        pace.tick().await;
        if name != CONSUMERS[0] && !seen.drains.load(Ordering::SeqCst) {
            continue;
        }
        through = lane.cursor(name).unwrap().max(through);
        let page = match lane.peek(through, bit.into(), LIMITS).await {
            Ok(page) => page,
            Err(StoreError::Closed) => return,
            Err(StoreError::Disk { .. }) => {
                seen.reads_put_off.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            Err(error) => panic!("{name} cannot read: {error}"),
        };
        if page.scanned_through > through {
            let mut tally = Tally::new();
            for _ in &page.records {
                tally.add_record(bit.into(), Exit::Acked);
            }
            through = page.scanned_through;
            lane.ack(name, through, tally);
        }
    }
}

// === what has to hold ===

/// The ledger, and every promise whose record is retained; how many records those are.
async fn verify(lane: &Lane, bits: [RouteBit; 3], seen: &Seen, on_full: OnFull) -> usize {
    let from = lane.stats().first.0;
    let found = read_all(lane, Seq(from - 1), RouteMask::ALL).await;
    let found: BTreeMap<u64, Record> = found.into_iter().map(|one| (one.seq.0, one)).collect();
    let first = lane.stats().first.0; // what everybody has passed may have gone meanwhile
    let promises = seen.promises.lock().unwrap().clone();
    let mut accepted = [0; 3];
    for promise in promises {
        for seq in promise.first..=promise.last {
            let counter = promise.from + seq - promise.first;
            let mask = routes(counter, &bits);
            (0..3).for_each(|at| accepted[at] += u64::from(mask.contains(bits[at])));
            match found.get(&seq) {
                Some(record) => {
                    let what = (told(record), record.routes);
                    assert_eq!(what, (Some((promise.task, counter)), mask), "record {seq}");
                }
                None => assert!(seq < first || on_full == OnFull::Thin, "{seq} is lost"),
            }
        }
    }
    for (at, name) in CONSUMERS.into_iter().enumerate() {
        let balance = lane.balance();
        let route = balance.iter().find(|route| route.consumer == name).unwrap();
        assert_eq!(
            (route.unaccounted(), route.lost_detected, route.accepted),
            (0, 0, accepted[at]),
            "{route:?}"
        );
        let by = &route.evicted_by;
        assert!(
            on_full != OnFull::RefuseNewest || route.evicted == 0,
            "{route:?}"
        );
        assert_eq!(route.evicted, by.full + by.thinned, "{route:?}");
        let cursor = lane.cursor(name).unwrap().0;
        let ahead = found.range(cursor + 1..).map(|(_, record)| record);
        let ahead = ahead.filter(|record| record.routes.contains(bits[at]));
        assert_eq!(route.pending as usize, ahead.count(), "{route:?}");
    }
    found.len()
}

/// The lane feels that it is full: it refuses, holds back or lets go.
fn feels(lane: &Lane, seen: &Seen, refused: u64, evicted: u64) -> bool {
    let evicted = lane.balance().iter().any(|route| route.evicted > evicted);
    let stats = lane.stats();
    seen.refused.load(Ordering::SeqCst) > refused + 5 || stats.held_back || evicted
}

// === the child ===

/// What one disk went through.
#[derive(Default)]
struct Told {
    refused: u64,
    promised: u64,
    recovery: Duration,
    opens_refused: u64,
    reads_put_off: u64,
}

struct Case {
    disk: PathBuf,
    on_full: OnFull,
    limit: Limit,
    told: Told,
}

impl Case {
    async fn run(&mut self, cycles: usize) {
        let (dir, options) = (self.disk.join("lane"), sized(self.on_full, self.limit));
        let seen = Arc::new(Seen::default());
        for cycle in 0..cycles {
            self.cycle(&dir, &options, &seen, cycle).await;
        }
        let report = check(&dir, EngineKind::Sled).unwrap();
        assert!(report.is_clean(), "{report:?}");
        let (lane, bits) = open(&dir, &options).unwrap();
        verify(&lane, bits, &seen, self.on_full).await;
        lane.close().await.unwrap();
        self.told.refused += seen.refused.load(Ordering::SeqCst);
        self.told.reads_put_off += seen.reads_put_off.load(Ordering::SeqCst);
        self.told.promised += seen.promised.load(Ordering::SeqCst);
        fs::remove_dir_all(&dir).unwrap();
    }

    async fn cycle(&mut self, dir: &Path, options: &LaneOptions, seen: &Arc<Seen>, cycle: usize) {
        let what =
            |when: &str| format!("cycle {cycle} {:?} {:?}: {when}", self.on_full, self.limit);
        let full = [Full::Bytes, Full::Bytes, Full::Inodes][cycle % 3];
        seen.drains.store(false, Ordering::SeqCst);
        let (mut lane, mut bits) = open(dir, options).unwrap();
        let mut load = Load::start(&lane, bits, seen, 2 * cycle as u64 + 1);
        let promised = || seen.promised.load(Ordering::SeqCst);
        let before = promised();
        until(&what("it starts"), || promised() > before + 10).await;

        let refused = seen.refused.load(Ordering::SeqCst);
        let evicted = lane.balance()[2].evicted;
        let mut filler = Filler::start(&self.disk, full);
        until(&what("it feels the end"), || {
            feels(&lane, seen, refused, evicted)
        })
        .await;
        if cycle % 2 == 1 {
            // A stop and a start while there is no room: each works, or says in words why not.
            seen.stop.store(true, Ordering::SeqCst);
            filler.rest();
            drop(lane.close().await);
            load.stop().await;
            let again = open(dir, options);
            self.told.opens_refused += u64::from(again.is_err());
            drop(filler);
            (lane, bits) = again.unwrap_or_else(|_| open(dir, options).unwrap());
            load = Load::start(&lane, bits, seen, 2 * cycle as u64 + 2);
        } else {
            drop(filler);
        }
        let (freed, before) = (Instant::now(), promised());
        seen.drains.store(true, Ordering::SeqCst);
        until(&what("it recovers"), || promised() > before).await;
        let recovery = freed.elapsed();
        assert!(recovery < RECOVERY, "{}: {recovery:?}", what("recovery"));
        until(&what("no trouble is left"), || {
            let stats = lane.stats();
            stats.trouble.is_none() && stats.ring_bytes == 0
        })
        .await;
        load.stop().await;
        verify(&lane, bits, seen, self.on_full).await;
        lane.close().await.unwrap();
        self.told.recovery = self.told.recovery.max(recovery);
    }
}

/// Runs in a child, on a file system of its own; without one it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_disk() {
    let Some(disk) = std::env::var_os("FIELDGATE_MOUNT") else {
        return;
    };
    let out = std::env::var("FIELDGATE_DISK_OUT").unwrap();
    let mut told = Told::default();
    for on_full in [OnFull::DropOldest, OnFull::RefuseNewest, OnFull::Thin] {
        for limit in [Limit::Lane, Limit::Disk] {
            let (disk, told_before) = (disk.clone().into(), std::mem::take(&mut told));
            let mut case = Case {
                disk,
                on_full,
                limit,
                told: told_before,
            };
            case.run(cases(CYCLES)).await;
            told = case.told;
        }
    }
    let told = serde_json::json!({
        "appends_refused": told.refused, "promises_kept": told.promised, "opens_refused": told.opens_refused,
        "reads_put_off": told.reads_put_off, "slowest_recovery_ms": told.recovery.as_millis() as u64,
    });
    fs::write(out, told.to_string()).unwrap();
}

#[tokio::test]
async fn f08_a_disk_that_is_filled_and_freed_torture() {
    let (progress, dir) = (Progress::new("disks"), tempfile::tempdir().unwrap());
    let mut all = serde_json::Map::new();
    let systems = match is_torture() {
        true => FileSystem::all(),
        false => vec![FileSystem::Tmpfs],
    };
    for system in systems {
        let [mount, out] =
            ["disk", "out"].map(|name| dir.path().join(format!("{system:?}-{name}")));
        fs::create_dir(&mount).unwrap();
        let mut child = system.child("on_a_small_disk", DISK_MIB, &mount);
        let stderr = dir.path().join("stderr");
        child
            .env("FIELDGATE_DISK_OUT", &out)
            .stderr(fs::File::create(&stderr).unwrap());
        let cycles = cases(CYCLES) as u32;
        let status = wait(&mut child.spawn().unwrap(), LIMIT * cycles).unwrap();
        let said = fs::read_to_string(&stderr).unwrap();
        assert!(status.success(), "{system:?}: {said}");
        let told = fs::read_to_string(&out).unwrap();
        all.insert(format!("{system:?}"), serde_json::from_str(&told).unwrap());
    }
    figures(&serde_json::json!({
        "harness": "disk", "cycles": cases(CYCLES), "lanes": 6, "bad": 0, "file_systems": all, "seconds": progress.seconds(),
    }));
}
