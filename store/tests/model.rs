//! Random actions on a lane and on a model in memory: both engines must tell the same story, also after reopening.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{cell::RefCell, collections::BTreeMap};

use bytes::Bytes;
use fieldgate_store::{
    EngineKind, Entry, Exit, Lane, LaneOptions, OnFull, PeekLimits, RouteBit, RouteMask, Seq,
    Stamp, Tally, Urgency,
};
use proptest::{prelude::*, test_runner::TestRunner};
use support::{ENGINES, body, options, torture, until};

const NAMES: [&str; 3] = ["a", "b", "c"];
const AT: Stamp = Stamp {
    boot: 7,
    since_boot_ms: 11,
    wall_ms: -5,
};

#[derive(Clone, Debug)]
enum Action {
    /// Records with these masks (over the three routes) and this length, and whether a sink waits.
    Append(Vec<u8>, usize, bool),
    /// A consumer reads a page of this many records and lets go of this many of them, every `n`-th in another way.
    Consume(usize, usize, usize, Exit),
    Drop(usize),
    Purge(usize),
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    let exit = prop_oneof![
        Just(Exit::Expired),
        Just(Exit::DeadLettered),
        Just(Exit::Purged),
        Just(Exit::Acked)
    ];
    let length = prop_oneof![4 => 0usize..300, 1 => 3_000usize..9_000];
    prop_oneof![
        6 => (prop::collection::vec(0u8..8, 0..60), length, any::<bool>()).prop_map(|(m, l, w)| Action::Append(m, l, w)),
        6 => (0usize..3, 1usize..80, 0usize..80, exit).prop_map(|(c, r, t, e)| Action::Consume(c, r, t, e)),
        1 => (0usize..3).prop_map(Action::Drop),
        1 => (0usize..3).prop_map(Action::Purge),
        2 => Just(Action::Reopen),
    ]
}

/// What a lane should be.
#[derive(Default)]
struct Model {
    records: Vec<(RouteMask, Bytes)>,
    consumers: BTreeMap<usize, u64>,
    /// By route: accepted, exits.
    counts: [(u64, BTreeMap<&'static str, u64>); 3],
}

struct Run {
    lane: Option<Lane>,
    dir: tempfile::TempDir,
    options: LaneOptions,
    bits: [RouteBit; 3],
    model: Model,
}

fn exit_name(exit: Exit) -> &'static str {
    match exit {
        Exit::Acked => "acked",
        Exit::Expired => "expired",
        Exit::DeadLettered => "dead",
        Exit::Purged => "evicted",
    }
}

impl Run {
    fn new(engine: EngineKind) -> Run {
        let dir = tempfile::tempdir().unwrap();
        // Tails and generations so small that reads go to the disk and generations roll and go.
        let options = LaneOptions {
            tail_bytes: 4 << 10,
            generation_bytes: 1,
            on_full: OnFull::RefuseNewest,
            ..options(engine)
        };
        let mut run = Run {
            lane: None,
            dir,
            options,
            bits: [RouteBit(0); 3],
            model: Model::default(),
        };
        run.open();
        for index in 0..3 {
            run.register(index);
        }
        run
    }

    fn lane(&self) -> &Lane {
        self.lane.as_ref().unwrap()
    }

    fn open(&mut self) {
        let (lane, report) = Lane::open(self.dir.path(), self.options.clone()).unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
        self.lane = Some(lane);
    }

    fn register(&mut self, index: usize) {
        let lane = self.lane.as_ref().unwrap();
        let end = self.model.records.len() as u64;
        assert_eq!(
            lane.consumer(NAMES[index]).unwrap().through,
            Seq(*self.model.consumers.entry(index).or_insert(end))
        );
        self.bits[index] = lane
            .route_bit(&format!("r→{}", NAMES[index]), NAMES[index])
            .unwrap();
    }

    async fn step(&mut self, action: Action) {
        match action {
            Action::Append(masks, len, waiting) => self.append(masks, len, waiting).await,
            Action::Consume(consumer, records, take, exit) => {
                self.consume(consumer, records, take, exit).await
            }
            Action::Drop(index) => self.forget(index),
            Action::Purge(index) => self.purge(index).await,
            Action::Reopen => {
                self.lane.take().unwrap().close().await.unwrap();
                self.open();
            }
        }
        // After a purge the thread looks at what an acknowledgement covers before it counts.
        until("acknowledgements are settled", || self.is_settled()).await;
        self.check();
    }

    async fn append(&mut self, masks: Vec<u8>, len: usize, waiting: bool) {
        let first = self.model.records.len() as u64 + 1;
        let mut entries = Vec::new();
        for (at, mask) in masks.into_iter().enumerate() {
            let chosen = (0..3).filter(|index| mask & (1 << index) != 0);
            let routes: RouteMask = chosen.clone().map(|index| self.bits[index]).collect();
            chosen.for_each(|index| self.model.counts[index].0 += 1);
            let body = body(first + at as u64, len);
            self.model.records.push((routes, body.clone()));
            entries.push(Entry {
                routes,
                at: AT,
                body,
            });
        }
        let urgency = if waiting {
            Urgency::Waiting
        } else {
            Urgency::Relaxed
        };
        let appended = self
            .lane()
            .append(entries, urgency)
            .await
            .unwrap()
            .await
            .unwrap();
        assert_eq!(
            (appended.first.0, appended.last.0),
            (first, self.model.records.len() as u64)
        );
    }

    async fn consume(&mut self, index: usize, limit: usize, take: usize, exit: Exit) {
        let mut through = self.model.consumers[&index];
        let limits = PeekLimits {
            records: limit,
            bytes: 50_000,
        };
        let page = self
            .lane()
            .peek(Seq(through), self.bits[index].into(), limits)
            .await
            .unwrap();
        let bit = self.bits[index];
        let wanted = self.model.records.iter().zip(1u64..).skip(through as usize);
        let wanted =
            wanted.filter(|((mask, _), seq)| mask.contains(bit) && *seq <= page.scanned_through.0);
        let wanted: Vec<_> = wanted
            .map(|((mask, body), seq)| (seq, *mask, body.clone()))
            .collect();
        let found: Vec<_> = page
            .records
            .iter()
            .map(|r| (r.seq.0, r.routes, r.body.bytes().unwrap().clone()))
            .collect();
        assert_eq!(found, wanted);
        let end = self.model.records.len() as u64;
        assert!(
            page.scanned_through.0 > through || through == end,
            "a page before the end moves on"
        );

        let (done, rest) = page.records.split_at(take.min(page.records.len()));
        through = if rest.is_empty() {
            page.scanned_through.0
        } else {
            done.last().map_or(through, |r| r.seq.0)
        };
        let mut tally = Tally::new();
        for (record, at) in done.iter().zip(0..) {
            let exit = if at % 3 == 0 { exit } else { Exit::Acked };
            tally.add_record(bit.into(), exit);
            *self.model.counts[index]
                .1
                .entry(exit_name(exit))
                .or_default() += 1;
            assert_eq!(record.at, AT);
        }
        self.lane().ack(NAMES[index], Seq(through), tally);
        self.model.consumers.insert(index, through);
    }

    async fn purge(&mut self, index: usize) {
        let pending = self.pending(index);
        assert_eq!(self.lane().purge(NAMES[index]).await.unwrap(), pending);
        *self.model.counts[index].1.entry("evicted").or_default() += pending;
        let end = self.model.records.len() as u64;
        self.model.consumers.insert(index, end);
    }

    /// Drops a consumer and registers it anew, which takes its route into use again.
    fn forget(&mut self, index: usize) {
        self.lane().drop_consumer(NAMES[index]);
        let pending = self.pending(index);
        *self.model.counts[index].1.entry("evicted").or_default() += pending;
        self.model.consumers.remove(&index);
        let fresh = self
            .lane()
            .balance()
            .iter()
            .all(|route| route.consumer != NAMES[index]);
        self.register(index);
        if fresh {
            self.model.counts[index] = Default::default();
        }
    }

    fn pending(&self, index: usize) -> u64 {
        let ahead = self
            .model
            .records
            .iter()
            .skip(self.model.consumers[&index] as usize);
        ahead
            .filter(|(mask, _)| mask.contains(self.bits[index]))
            .count() as u64
    }

    fn is_settled(&self) -> bool {
        let balance = self.lane().balance();
        NAMES.into_iter().zip(0..).all(|(name, index)| {
            let route = balance.iter().find(|route| route.consumer == name);
            route.is_some_and(|route| route.pending as u64 == self.pending(index))
        })
    }

    fn check(&self) {
        let balance = self.lane().balance();
        for (index, name) in NAMES.into_iter().enumerate() {
            let found = balance.iter().find(|route| route.consumer == name).unwrap();
            let (accepted, exits) = &self.model.counts[index];
            let exit = |name| exits.get(name).copied().unwrap_or(0);
            assert_eq!(found.accepted, *accepted, "{found:?}");
            assert_eq!(
                [found.acked, found.expired],
                [exit("acked"), exit("expired")],
                "{found:?}"
            );
            assert_eq!(
                [found.dead_lettered, found.evicted],
                [exit("dead"), exit("evicted")],
                "{found:?}"
            );
            assert_eq!(
                (found.pending as u64, found.unaccounted()),
                (self.pending(index), 0),
                "{found:?}"
            );
        }
        assert_eq!(self.lane().stats().blob_files, 0);
    }
}

async fn live(actions: &[Action], engine: EngineKind) {
    let mut run = Run::new(engine);
    for action in actions {
        run.step(action.clone()).await;
    }
    run.lane.take().unwrap().close().await.unwrap();
}

#[test]
fn a_lane_is_what_the_model_says_torture() {
    let cases = torture::cases(16);
    let config = ProptestConfig {
        cases: cases as u32,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let progress = RefCell::new((0, torture::Progress::new("lists of actions")));
    TestRunner::new(config)
        .run(&prop::collection::vec(action(), 1..50), |actions| {
            ENGINES
                .into_iter()
                .for_each(|engine| runtime.block_on(live(&actions, engine)));
            let (done, progress) = &mut *progress.borrow_mut();
            *done += 1;
            progress.at(*done, cases);
            Ok(())
        })
        .unwrap();
    let (done, progress) = progress.into_inner();
    torture::figures(&serde_json::json!({
        "harness": "model", "cases": done, "bad": 0, "seconds": progress.seconds(),
    }));
}
