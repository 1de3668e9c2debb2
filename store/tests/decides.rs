//! Random lives of a lane that decides by itself: it thins, lets age go, drops its oldest, keeps what was delivered; and a
//! person empties queues and has ranges sent once more. What is not there was counted, and nothing else is missing.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use fieldgate_store::{
    Ages, EngineKind, Entry, Exit, Keep, Lane, LaneOptions, OnFull, PeekLimits, Record,
    ReplayRequest, ReplayStatus, RouteBit, RouteMask, Seq, Stamp, StoreError, Survey, Tally, Thin,
    Thinner, Tools,
};
use proptest::{prelude::*, test_runner::TestRunner};
use support::{ENGINES, append, body, options, read_all, torture, until};

const NAMES: [&str; 2] = ["a", "b"];
const MAX_AGE_MS: i64 = 160;
/// Every so many-th record is never thinned.
const STAYS: u64 = 16;

#[derive(Clone, Debug)]
enum Action {
    /// So many records of this length, for one consumer, the other or both.
    Append(u64, usize, u8),
    /// Reads a page of so many records and lets go of so many of them, some as dead letters.
    Consume(usize, usize, usize),
    Purge(usize),
    /// From and to this part of what is there, in 256ths.
    Replay(u8, u8),
    /// The clock goes on, or is not believed for now.
    Pass(i64),
    Disbelieve,
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1u64..150, 200usize..9_000, 1u8..4).prop_map(|(n, l, m)| Action::Append(n, l, m)),
        1 => (1u64..3, 70_000usize..90_000, 1u8..4).prop_map(|(n, l, m)| Action::Append(n, l, m)),
        6 => (0usize..2, 1usize..300, 0usize..300).prop_map(|(c, r, t)| Action::Consume(c, r, t)),
        1 => (0usize..2).prop_map(Action::Purge),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Action::Replay(from, to)),
        1 => (0..MAX_AGE_MS / 2).prop_map(Action::Pass),
        1 => Just(Action::Disbelieve),
        1 => Just(Action::Reopen),
    ]
}

/// The clock of a test; below 0 it is not believed.
#[derive(Default)]
struct Clock(AtomicI64);

impl Ages for Clock {
    fn age(&self, at: Stamp) -> Option<Duration> {
        let now_ms = self.0.load(Ordering::SeqCst);
        (now_ms >= 0).then(|| Duration::from_millis((now_ms - at.wall_ms).max(0) as u64))
    }
}

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

struct Life {
    lane: Option<Lane>,
    dir: tempfile::TempDir,
    options: LaneOptions,
    clock: Arc<Clock>,
    now_ms: i64,
    bits: [RouteBit; 2],
    /// Each record's routes and length.
    records: Vec<(RouteMask, usize)>,
    /// By consumer: delivered, and dead letters.
    exits: [(u64, u64); 2],
    replays: u64,
}

impl Life {
    fn new(engine: EngineKind) -> Life {
        let options = LaneOptions {
            max_bytes: 4 << 20,
            generation_bytes: 512 << 10,
            tail_bytes: 64 << 10,
            on_full: OnFull::Thin,
            max_age: Some(Duration::from_millis(MAX_AGE_MS as u64)),
            keep_delivered: Keep {
                bytes: 1 << 20,
                age: Duration::MAX,
            },
            ..options(engine)
        };
        let mut life = Life {
            lane: None,
            dir: tempfile::tempdir().unwrap(),
            options,
            clock: Arc::default(),
            now_ms: 0,
            bits: [RouteBit(0); 2],
            records: Vec::new(),
            exits: [(0, 0); 2],
            replays: 0,
        };
        life.open(OnFull::Thin);
        for (index, name) in NAMES.into_iter().enumerate() {
            life.lane().consumer(name).unwrap();
            life.bits[index] = life.lane().route_bit(&format!("r→{name}"), name).unwrap();
        }
        life
    }

    fn lane(&self) -> &Lane {
        self.lane.as_ref().unwrap()
    }

    fn open(&mut self, on_full: OnFull) {
        let thins = on_full == OnFull::Thin;
        let options = LaneOptions {
            on_full,
            max_age: self.options.max_age.filter(|_| thins),
            ..self.options.clone()
        };
        let tools = Tools {
            ages: self.clock.clone(),
            thinner: Some(Arc::new(Decimate)),
        };
        let (lane, report) = Lane::open_with(self.dir.path(), options, tools).unwrap();
        assert_eq!((report.findings, report.lost_detected), (Vec::new(), 0));
        self.lane = Some(lane);
    }

    async fn step(&mut self, action: Action) {
        match action {
            Action::Append(count, len, mask) => self.append(count, len, mask).await,
            Action::Consume(index, limit, take) => self.consume(index, limit, take).await,
            Action::Purge(index) => drop(self.lane().purge(NAMES[index]).await.unwrap()),
            Action::Replay(from, to) => self.replay(from, to).await,
            Action::Pass(ms) => {
                self.now_ms += ms;
                self.clock.0.store(self.now_ms, Ordering::SeqCst);
            }
            Action::Disbelieve => self.clock.0.store(-1, Ordering::SeqCst),
            Action::Reopen => self.check_whole().await,
        }
        self.check();
    }

    async fn append(&mut self, count: u64, len: usize, mask: u8) {
        let first = self.records.len() as u64 + 1;
        let chosen = (0..2).filter(|index| mask & (1 << index) != 0);
        let routes: RouteMask = chosen.map(|index| self.bits[index]).collect();
        let entry = |seq| Entry {
            routes,
            at: Stamp::from_wall(self.now_ms),
            body: body(seq, len),
        };
        let entries = (first..first + count).map(entry).collect();
        assert_eq!(append(self.lane(), entries).await.0, first);
        self.records.extend((0..count).map(|_| (routes, len)));
    }

    /// What was read is what was appended under its number.
    fn is_as_appended(&self, records: &[Record]) {
        for record in records {
            let (routes, len) = self.records[record.seq.0 as usize - 1];
            assert_eq!((record.routes, record.body.len()), (routes, len));
            assert_eq!(record.body, body(record.seq.0, len));
        }
        assert!(records.is_sorted_by(|a, b| a.seq < b.seq));
    }

    async fn consume(&mut self, index: usize, limit: usize, take: usize) {
        let limits = PeekLimits {
            records: limit,
            bytes: 300_000,
        };
        let (name, bit) = (NAMES[index], self.bits[index]);
        let through = self.lane().cursor(name).unwrap();
        let page = self.lane().peek(through, bit.into(), limits).await.unwrap();
        self.is_as_appended(&page.records);
        let (done, rest) = page.records.split_at(take.min(page.records.len()));
        let through = match (rest.is_empty(), done.last()) {
            (true, _) => page.scanned_through,
            (false, Some(last)) => last.seq,
            (false, None) => through,
        };
        let mut tally = Tally::new();
        for (record, at) in done.iter().zip(0..) {
            let dead = at % 5 == 4;
            let exit = if dead {
                Exit::DeadLettered
            } else {
                Exit::Acked
            };
            tally.add_record(bit.into(), exit);
            self.exits[index].0 += u64::from(!dead);
            self.exits[index].1 += u64::from(dead);
            assert_eq!(record.at.boot, 0);
        }
        self.lane().ack(name, through, tally);
    }

    /// Sends a range once more, to its end, which the lane may cut short.
    async fn replay(&mut self, from: u8, to: u8) {
        let stats = self.lane().stats();
        let at =
            |part: u8| stats.first.0 + (stats.last.0 + 1 - stats.first.0) * u64::from(part) / 256;
        self.replays += 1;
        let id = format!("replay {}", self.replays);
        let request = ReplayRequest {
            id: id.clone(),
            destination: "c".into(),
            routes: self.bits.into_iter().collect(),
            first: Seq(at(from.min(to)).max(1)),
            last: Seq(at(from.max(to))),
            per_s: 0,
        };
        let started = match self.lane().start_replay(request).await {
            Err(StoreError::NothingToReplay) => return,
            started => started.unwrap(),
        };
        let mut at = started.through;
        let limits = PeekLimits {
            records: 200,
            bytes: 300_000,
        };
        loop {
            let replays = self.lane().replays();
            let now = replays.iter().find(|replay| replay.id == id).unwrap();
            if now.status != ReplayStatus::Running {
                break;
            }
            let page = self.lane().peek_replay(&id, at, limits).await.unwrap();
            self.is_as_appended(&page.records);
            let mut tally = Tally::new();
            for record in &page.records {
                tally.add_record(record.routes, Exit::Acked);
            }
            at = page.scanned_through;
            self.lane().ack_replay(&id, at, tally);
        }
    }

    /// At every moment nothing is unaccounted for, and what was delivered counts as that.
    fn check(&self) {
        for (route, index) in self.lane().balance().into_iter().zip(0..) {
            let accepted = self.records.iter();
            let accepted = accepted.filter(|(routes, _)| routes.contains(self.bits[index]));
            assert_eq!(route.accepted, accepted.count() as u64, "{route:?}");
            assert_eq!(route.lost_detected, 0, "{route:?}");
        }
    }

    /// At rest: what is pending is there, and so is what the lane may not have let go of.
    async fn check_whole(&mut self) {
        self.lane.take().unwrap().close().await.unwrap();
        self.open(OnFull::RefuseNewest);
        let lane = self.lane().clone();
        let oldest = lane.stats().first;
        for (index, name) in NAMES.into_iter().enumerate() {
            let (bit, through) = (self.bits[index], lane.cursor(name).unwrap());
            let found = read_all(&lane, through, bit.into()).await;
            self.is_as_appended(&found);
            let must = (through.next().max(oldest).0..=self.records.len() as u64)
                .filter(|seq| {
                    seq.is_multiple_of(STAYS) || self.records[*seq as usize - 1].1 > 65_536
                })
                .filter(|seq| self.records[*seq as usize - 1].0.contains(bit));
            let mut there = found.iter().map(|record| record.seq.0);
            for seq in must {
                assert!(there.any(|found| found == seq), "record {seq} is missing");
            }
            let counted = |lane: &Lane| {
                let route = lane.balance().swap_remove(index);
                assert_eq!(route.unaccounted(), 0, "{route:?}");
                (route.acked, route.dead_lettered)
            };
            until("acknowledgements are settled", || {
                counted(&lane) == self.exits[index]
            })
            .await;
            let route = lane.balance().swap_remove(index);
            assert_eq!(route.pending, found.len() as i64, "{route:?}");
        }
        for replay in lane.replays() {
            assert_eq!(replay.unaccounted(), 0, "{replay:?}");
        }
        drop(lane);
        self.lane.take().unwrap().close().await.unwrap();
        let report = fieldgate_store::check(self.dir.path(), self.options.engine).unwrap();
        assert!(report.findings.is_empty(), "{report:?}");
        self.open(OnFull::Thin);
    }
}

/// What became of deliveries, over all lives.
#[derive(Default)]
struct Sums {
    lives: usize,
    thinned: u64,
    evicted: u64,
    expired: u64,
}

/// Lives once.
async fn live(actions: &[Action], engine: EngineKind) -> Sums {
    let mut life = Life::new(engine);
    for action in actions {
        life.step(action.clone()).await;
    }
    life.check_whole().await;
    let balance = life.lane().balance();
    life.lane.take().unwrap().close().await.unwrap();
    Sums {
        lives: 1,
        thinned: balance.iter().map(|route| route.evicted_by.thinned).sum(),
        evicted: balance.iter().map(|route| route.evicted_by.full).sum(),
        expired: balance.iter().map(|route| route.expired).sum(),
    }
}

#[test]
fn torture() {
    let cases = torture::cases(3);
    let config = ProptestConfig {
        cases: cases as u32,
        max_shrink_iters: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let lives = prop::collection::vec(action(), 1..80);
    let so_far = RefCell::new((Sums::default(), torture::Progress::new("lives")));
    TestRunner::new(config)
        .run(&lives, |actions| {
            for engine in ENGINES {
                let one = runtime.block_on(live(&actions, engine));
                let (sums, progress) = &mut *so_far.borrow_mut();
                sums.lives += one.lives;
                sums.thinned += one.thinned;
                sums.evicted += one.evicted;
                sums.expired += one.expired;
                progress.at(sums.lives, 2 * cases);
            }
            Ok(())
        })
        .unwrap();
    let (sums, progress) = so_far.into_inner();
    torture::figures(&serde_json::json!({
        "harness": "decides", "lives": sums.lives, "bad": 0, "thinned": sums.thinned, "evicted": sums.evicted,
        "expired": sums.expired, "seconds": progress.seconds(),
    }));
}
