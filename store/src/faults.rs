//! An engine that fails on purpose: the n-th call, for every n, and all calls for a while.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::{
    AppendError, Entry, Lane, LaneOptions, OnFull, PeekLimits, Record, RouteMask, Seq, Stamp,
    Ticket, Tools, Urgency,
    block::Block,
    error::EngineError,
    plain::PlainStore,
    segment::{Segment, SegmentStore},
    tools::{Survey, Thin, Thinner},
};

/// Calls are counted from 1; those from `from` up to before `until` fail.
#[derive(Clone, Default)]
struct Plan {
    calls: Arc<AtomicU64>,
    from: Arc<AtomicU64>,
    until: Arc<AtomicU64>,
}

struct FaultyStore(Plan);

struct FaultySegment {
    plan: Plan,
    inner: Box<dyn Segment>,
}

impl Plan {
    fn fail(&self, from: u64, until: u64) {
        self.from.store(from, Ordering::SeqCst);
        self.until.store(until, Ordering::SeqCst);
    }

    fn call(&self, action: &'static str) -> Result<(), EngineError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if (self.from.load(Ordering::SeqCst)..self.until.load(Ordering::SeqCst)).contains(&call) {
            let source = io::Error::new(io::ErrorKind::StorageFull, "no space, says the test");
            return Err(EngineError::disk(action, Path::new("faulty"), source));
        }
        Ok(())
    }
}

impl SegmentStore for FaultyStore {
    fn create(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError> {
        self.0.call("create")?;
        Ok(Box::new(FaultySegment {
            plan: self.0.clone(),
            inner: PlainStore.create(dir)?,
        }))
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError> {
        PlainStore.open(dir)
    }

    fn data_file(&self) -> &'static str {
        PlainStore.data_file()
    }
}

impl Segment for FaultySegment {
    fn append(&mut self, blocks: &[Block]) -> Result<(), EngineError> {
        self.plan.call("write")?;
        self.inner.append(blocks)
    }

    /// Fails after the bytes are in place: what a failed sync left behind may or may not be on the disk.
    fn sync(&mut self) -> Result<(), EngineError> {
        self.inner.sync()?;
        self.plan.call("sync")
    }

    fn block_holding(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        self.inner.block_holding(seq)
    }

    fn block_from(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        self.inner.block_from(seq)
    }

    fn disk_bytes(&self) -> u64 {
        self.inner.disk_bytes()
    }
}

fn options() -> LaneOptions {
    let window_max = Duration::from_millis(1);
    LaneOptions {
        window_max,
        reserve_bytes: 0,
        ..LaneOptions::new(64 << 20, OnFull::DropOldest)
    }
}

fn entry(number: u64) -> Entry {
    let body = Bytes::from(number.to_le_bytes().to_vec());
    Entry {
        routes: RouteMask(1),
        at: Stamp::default(),
        body,
    }
}

/// Appends ten single records with calls `from..until` failing; checks that exactly what was promised is there afterwards.
/// Returns how many appends failed.
async fn check(from: u64, until: u64) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::default();
    let (lane, _) = Lane::open_on(
        dir.path(),
        options(),
        Tools::default(),
        Box::new(FaultyStore(plan.clone())),
    )
    .unwrap();
    lane.consumer("a").unwrap();
    lane.route_bit("r→a", "a").unwrap();
    let base = plan.calls.load(Ordering::SeqCst);
    plan.fail(base + from, base + until);
    let (mut promised, mut refused) = (Vec::new(), 0);
    for number in 0..10 {
        let ticket = lane
            .append(vec![entry(number)], Urgency::Waiting)
            .await
            .unwrap();
        match ticket.await {
            Ok(appended) => promised.push((appended.first, number)),
            Err(AppendError::Disk { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    let same = |lane: Lane| {
        let promised = promised.clone();
        async move {
            let limits = PeekLimits {
                records: 100,
                bytes: 1 << 20,
            };
            let page = lane.peek(Seq(0), RouteMask::ALL, limits).await.unwrap();
            let found: Vec<(Seq, u64)> = page
                .records
                .iter()
                .map(|record| {
                    (
                        record.seq,
                        u64::from_le_bytes(record.body.bytes().unwrap()[..].try_into().unwrap()),
                    )
                })
                .collect();
            assert_eq!(found, promised, "calls {from}..{until} failed");
            let balance = &lane.balance()[0];
            assert_eq!(
                (balance.unaccounted(), balance.accepted),
                (0, promised.len() as u64)
            );
            lane.close().await.unwrap();
        }
    };
    same(lane).await;
    let (lane, report) = Lane::open(
        dir.path(),
        LaneOptions {
            engine: crate::EngineKind::PlainLog,
            ..options()
        },
    )
    .unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    same(lane).await;
    refused
}

#[tokio::test]
async fn one_failed_call_costs_nothing() {
    for call in 1..=20 {
        assert_eq!(check(call, call + 1).await, 0, "call {call}");
    }
}

#[tokio::test]
async fn a_disk_that_fails_for_a_while_refuses_and_recovers_by_itself() {
    for length in [2, 3, 4, 5, 8] {
        for call in 1..=12 {
            let refused = check(call, call + length).await;
            assert!(
                (1..10).contains(&refused) || length < 5,
                "{refused} refused by calls {call}..{}",
                call + length
            );
        }
    }
}

// === what nobody waits for ===

/// A lane whose disk refuses from now on.
fn refusing(dir: &Path, ring_bytes: usize) -> (Lane, Plan) {
    let plan = Plan::default();
    let store = FaultyStore(plan.clone());
    let options = LaneOptions {
        ring_bytes,
        ..options()
    };
    let (lane, _) = Lane::open_on(dir, options, Tools::default(), Box::new(store)).unwrap();
    lane.consumer("a").unwrap();
    lane.route_bit("r→a", "a").unwrap();
    plan.fail(plan.calls.load(Ordering::SeqCst) + 1, u64::MAX);
    (lane, plan)
}

/// Appends relaxed records, each of which the disk refuses before the next one comes.
async fn append_relaxed(lane: &Lane, count: u64) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for number in 0..count {
        let ticket = lane.append(vec![entry(number)], Urgency::Relaxed).await;
        let expected = COST * (number as usize + 1);
        tickets.push(ticket.unwrap());
        until(|| lane.stats().ring_bytes as usize == expected).await;
    }
    tickets
}

/// What one of these entries takes in the ring.
const COST: usize = 8 + 64 + 512;

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        let mut pause = tokio::time::interval(Duration::from_millis(1));
        while !holds() {
            pause.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    waited.expect("it holds in time");
}

#[tokio::test]
async fn relaxed_appends_outlast_a_disk_that_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, plan) = refusing(dir.path(), 16 << 20);
    let tickets = append_relaxed(&lane, 10).await;
    let waiting = lane
        .append(vec![entry(99)], Urgency::Waiting)
        .await
        .unwrap();
    let refused = waiting.await.unwrap_err().to_string();
    assert!(refused.contains("no space, says the test"), "{refused}");
    let trouble = lane.stats().trouble.unwrap();
    assert!(trouble.contains("no space, says the test"), "{trouble}");

    plan.fail(0, 0);
    for (ticket, seq) in tickets.into_iter().zip(1..) {
        assert_eq!(ticket.await.unwrap().first, Seq(seq), "in their order");
    }
    let stats = lane.stats();
    assert_eq!((stats.trouble, stats.ring_bytes), (None, 0));
    let balance = &lane.balance()[0];
    assert_eq!((balance.accepted, balance.unaccounted()), (10, 0));
    lane.close().await.unwrap();
    let left = std::fs::read_dir(dir.path()).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("gen-"));
    assert!(left.count() <= 2, "attempts leave nothing behind");
}

/// Who is patient is not refused, and goes for nobody.
#[tokio::test]
async fn patient_appends_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, plan) = refusing(dir.path(), 3 * COST);
    let relaxed = append_relaxed(&lane, 1).await.remove(0);
    let mut patient = Vec::new();
    for number in 1..=3 {
        let append = lane.append(vec![entry(number)], Urgency::Patient);
        patient.push(append.await.unwrap());
    }
    until(|| lane.stats().ring_bytes as usize == 3 * COST).await;
    let newest = lane.append(vec![entry(5)], Urgency::Relaxed).await.unwrap();
    assert!(matches!(relaxed.await, Err(AppendError::Disk { .. })));
    plan.fail(0, 0);
    for (ticket, seq) in patient.into_iter().chain([newest]).zip(1..) {
        assert_eq!(ticket.await.unwrap().first, Seq(seq), "in their order");
    }
    lane.close().await.unwrap();
}

/// Beyond the ring a patient append keeps its room, so that the next one has to wait.
#[tokio::test]
async fn patient_appends_push_back_when_the_ring_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, plan) = refusing(dir.path(), COST - 1);
    let large = || Entry {
        body: Bytes::from(vec![1; options().in_flight_bytes / 2]),
        ..entry(0)
    };
    let first = lane.append(vec![large()], Urgency::Patient).await.unwrap();
    let second = lane.append(vec![large()], Urgency::Patient);
    let moment = Duration::from_millis(50);
    assert!(tokio::time::timeout(moment, second).await.is_err());
    plan.fail(0, 0);
    first.await.unwrap();
    let second = lane.append(vec![large()], Urgency::Patient).await.unwrap();
    assert_eq!(second.await.unwrap().first, Seq(2));
    lane.close().await.unwrap();
}

#[tokio::test]
async fn the_oldest_relaxed_appends_go_when_the_ring_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, plan) = refusing(dir.path(), 3 * COST);
    let mut tickets = append_relaxed(&lane, 3).await;
    for number in 3..10 {
        let oldest = tickets.remove(0);
        let newest = lane.append(vec![entry(number)], Urgency::Relaxed).await;
        tickets.push(newest.unwrap());
        assert!(matches!(oldest.await, Err(AppendError::Disk { .. })));
    }
    plan.fail(0, 0);
    for (ticket, seq) in tickets.into_iter().zip(1..) {
        assert_eq!(ticket.await.unwrap().first, Seq(seq));
    }
    assert_eq!(
        lane.balance()[0].accepted,
        3,
        "what went was never accepted"
    );
    lane.close().await.unwrap();
}

#[tokio::test]
async fn closing_tries_once_more_and_then_says_so() {
    for healed in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (lane, plan) = refusing(dir.path(), 16 << 20);
        let tickets = append_relaxed(&lane, 3).await;
        if healed {
            plan.fail(0, 0);
        }
        lane.close().await.unwrap();
        for ticket in tickets {
            let outcome = ticket.await;
            match healed {
                true => drop(outcome.unwrap()),
                false => assert!(matches!(outcome, Err(AppendError::Closed))),
            }
        }
    }
}

#[tokio::test]
async fn the_trouble_is_over_when_the_disk_is_well_even_if_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (lane, plan) = refusing(dir.path(), 16 << 20);
    let refused = lane.append(vec![entry(0)], Urgency::Waiting).await.unwrap();
    assert!(matches!(refused.await, Err(AppendError::Disk { .. })));
    assert!(lane.stats().trouble.is_some());
    plan.fail(0, 0);
    until(|| lane.stats().trouble.is_none()).await;
    lane.close().await.unwrap();
}

// === thinning ===

/// Lets go of every second record.
struct Halve;

struct Halving(Vec<Seq>);

impl Thinner for Halve {
    fn survey(&self, _: Thin) -> Box<dyn Survey> {
        Box::new(Halving(Vec::new()))
    }
}

impl Survey for Halving {
    fn look(&mut self, record: &Record) {
        if !record.seq.0.is_multiple_of(2) {
            self.0.push(record.seq);
        }
    }

    fn gone(self: Box<Self>) -> Vec<Seq> {
        self.0
    }
}

/// A record of 20 KB that does not compress.
fn large(number: u64) -> Entry {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    Entry {
        body: std::iter::repeat_with(next).take(20_000).collect(),
        ..entry(number)
    }
}

/// Fills a lane that thins, with one failing call; whether the lane was thinned in the end.
async fn thin_with_a_failing_call(failing: u64) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::default();
    let options = LaneOptions {
        on_full: OnFull::Thin,
        tail_bytes: 0,
        ..LaneOptions {
            max_bytes: 4 << 20,
            ..options()
        }
    };
    let tools = Tools {
        thinner: Some(Arc::new(Halve)),
        ..Tools::default()
    };
    let engine = Box::new(FaultyStore(plan.clone()));
    let (lane, _) = Lane::open_on(dir.path(), options.clone(), tools, engine).unwrap();
    lane.consumer("a").unwrap();
    lane.route_bit("r→a", "a").unwrap();
    plan.fail(failing, failing + 1);
    for number in 0..25 {
        let batch = (0..10).map(|at| large(10 * number + at)).collect();
        let ticket = lane.append(batch, Urgency::Waiting).await.unwrap();
        drop(ticket.await); // one may be refused
    }
    lane.close().await.unwrap();
    let engine = Box::new(PlainStore);
    let (lane, report) = Lane::open_on(dir.path(), options, Tools::default(), engine).unwrap();
    assert_eq!((report.lost_detected, report.findings), (0, vec![]));
    let balance = lane.balance().remove(0);
    assert_eq!(balance.unaccounted(), 0, "{failing}: {balance:?}");
    lane.close().await.unwrap();
    balance.evicted_by.thinned > 0
}

#[tokio::test]
async fn one_failed_call_while_thinning_costs_nothing() {
    let mut thinned = 0;
    for failing in (1..=120).step_by(11) {
        thinned += u32::from(thin_with_a_failing_call(failing).await);
    }
    assert!(thinned >= 9, "{thinned} of 11 were thinned");
}
