//! The core's world: a queue that counts what it is told, and time. Every step is checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::{Batch, BatchLimits, Receipt, SinkError};
use fieldgate_model::{Reading, Timestamp};
use fieldgate_store::{Exit, Page, Record, RouteBit, RouteMask, Seq, Stamp, Tally};
use proptest::sample::Index;

use super::{
    super::{Core, Input, Look, Now, Output, Read, Replay, Rules, Ticket},
    far_side::{FarSide, Mood},
};
use crate::{
    clock::{Clock, SimulatedTime},
    lanes::LaneKind,
    pipeline::frame,
};

/// The destination's routes: one in order, one with `live_first`. Bit 5 is another destination's.
const ORDERED: RouteBit = RouteBit(0);
const LIVE: RouteBit = RouteBit(1);
const OTHERS: RouteBit = RouteBit(5);

#[derive(Debug, Clone)]
pub enum Action {
    Append {
        critical: bool,
        count: u64,
        seed: u64,
    },
    /// Something that was asked for ends well: a page, an answer, a burial.
    Finish(Index),
    AnswerBadly(Index, u64),
    AnswerUnknown(u64),
    Wait(u64),
    LoseLink,
    Crash,
    Evict {
        critical: bool,
        count: u64,
    },
    Replay {
        back: u64,
        rate: u32,
    },
}

enum Asked {
    Read(Read),
    Answer(Ticket, Batch),
    Bury(u64),
}

/// One lane of the queue, with its account of the destination's two routes.
#[derive(Default)]
struct Lane {
    records: Vec<Record>,
    cursor: u64,
    exits: BTreeMap<(u8, &'static str), u64>,
    /// Taken from under the destination, and not told of by it yet.
    contested: BTreeMap<u8, u64>,
    contested_until: u64,
}

pub struct World {
    core: Core,
    limits: BatchLimits,
    at: Duration,
    clock: Clock,
    _state: tempfile::TempDir,
    lanes: BTreeMap<char, Lane>,
    asked: Vec<Asked>,
    pub far: FarSide,
    live: bool,
    replay: Option<Replay>,
    replayed: u64,
    /// What was taken by the far side before the last crash may come twice.
    forgiven: BTreeSet<(char, u64)>,
    /// Of batches that were not taken as a whole.
    troubled: BTreeSet<(char, u64)>,
    first_sent: BTreeMap<char, u64>,
    seen: BTreeSet<(char, u64)>,
}

// === impl World ===

impl World {
    pub fn new(live: bool) -> Self {
        Self::with(limits(), live)
    }

    pub fn with(limits: BatchLimits, live: bool) -> Self {
        let state = tempfile::tempdir().unwrap();
        let time = Arc::new(SimulatedTime::boot(1, 1_700_000_000_000));
        let mut world = Self {
            core: Core::new(limits, Seq(0), Seq(0)),
            limits,
            at: Duration::ZERO,
            clock: Clock::open(state.path(), time).unwrap(),
            _state: state,
            lanes: BTreeMap::from([('c', Lane::default()), ('n', Lane::default())]),
            asked: Vec::new(),
            far: FarSide::default(),
            live,
            replay: None,
            replayed: 0,
            forgiven: BTreeSet::new(),
            troubled: BTreeSet::new(),
            first_sent: BTreeMap::new(),
            seen: BTreeSet::new(),
        };
        world.tell(Input::LinkUp);
        world
    }

    pub fn act(&mut self, action: Action) {
        match action {
            Action::Append {
                critical,
                count,
                seed,
            } => self.append(kind(critical), count, seed),
            Action::Finish(which) => self.finish(which, Mood::Well, 0),
            Action::AnswerBadly(which, seed) => {
                let moods = [
                    Mood::Mixed,
                    Mood::RefusesWhole,
                    Mood::TooLarge,
                    Mood::Throttles,
                ];
                self.finish(which, moods[(seed % 4) as usize], seed / 4);
            }
            Action::AnswerUnknown(number) => {
                let ticket = Ticket(1_000_000 + number);
                self.tell(Input::Answered(ticket, Ok(Receipt::default())));
            }
            Action::Wait(ms) => self.wait(Duration::from_millis(ms)),
            Action::LoseLink => self.lose_link(),
            Action::Crash => self.crash(),
            Action::Evict { critical, count } => self.evict(kind(critical), count),
            Action::Replay { back, rate } => self.start_replay(back, rate),
        }
    }

    /// With a far side that is well, everything is delivered, and the queue's account is exact.
    pub fn drain(&mut self) {
        for _ in 0..200_000 {
            if self.is_drained() {
                break;
            }
            match self.asked.is_empty() {
                false => self.finish_at(0, Mood::Well, 0),
                true => self.wait(Duration::from_millis(200)),
            }
        }
        assert!(
            self.is_drained(),
            "the core does not drain: {:?}",
            self.core
        );
        for (letter, lane) in &self.lanes {
            for bit in [ORDERED, LIVE] {
                let accepted = lane.carrying(bit, 0, u64::MAX);
                let exits: u64 = lane
                    .exits
                    .iter()
                    .filter(|((of, _), _)| *of == bit.0)
                    .map(|(_, count)| count)
                    .sum();
                assert_eq!(
                    exits, accepted,
                    "lane {letter}, route {bit:?}: {:?}",
                    lane.exits
                );
            }
        }
    }

    fn is_drained(&self) -> bool {
        let there = |lane: &Lane| lane.cursor == lane.records.len() as u64;
        self.lanes.values().all(there) && self.replay.is_none() && self.asked.is_empty()
    }

    pub fn append(&mut self, kind: LaneKind, count: u64, seed: u64) {
        let stamp = self.clock.stamp();
        let lane = lane(&mut self.lanes, kind.letter());
        for _ in 0..count {
            let seq = lane.records.len() as u64 + 1;
            let masks = [0b1, 0b10, 0b11, 0b10_0000, 0b10_0001];
            let mask = masks[((seed ^ seq.wrapping_mul(0x9e37_79b9)) % 5) as usize];
            lane.records.push(record(seq, mask, stamp));
        }
        let end = Seq(lane.records.len() as u64);
        self.tell(Input::Durable(kind, end));
    }

    fn wait(&mut self, time: Duration) {
        let until = self.at + time;
        while let Some(wake) = self.core.wake().filter(|wake| *wake <= until) {
            assert!(wake > self.at, "it wakes in the past");
            self.at = wake;
            self.tell(Input::Tick);
        }
        self.at = until;
        self.tell(Input::Tick);
    }

    fn finish(&mut self, which: Index, mood: Mood, seed: u64) {
        if !self.asked.is_empty() {
            self.finish_at(which.index(self.asked.len()), mood, seed);
        }
    }

    pub fn finish_at(&mut self, index: usize, mood: Mood, seed: u64) {
        self.at += Duration::from_millis(1);
        match self.asked.remove(index) {
            Asked::Read(read) => {
                let (page, rules) = self.page(&read);
                let way = read.way;
                self.tell(Input::Page { way, page, rules });
            }
            Asked::Answer(ticket, batch) => {
                if mood != Mood::Well {
                    let readings = batch.readings.iter();
                    self.troubled
                        .extend(readings.map(|sent| (batch.lane, sent.seq)));
                }
                let answer = self.far.answer(&batch, mood, seed);
                self.tell(Input::Answered(ticket, answer));
                // A second answer to the same says nothing.
                self.tell(Input::Answered(ticket, Ok(Receipt::default())));
            }
            Asked::Bury(number) => self.tell(Input::Buried(number)),
        }
    }

    /// The batches under way, the oldest first.
    pub fn under_way(&self) -> Vec<&Batch> {
        let batches = self.asked.iter().filter_map(|asked| match asked {
            Asked::Answer(_, batch) => Some(batch),
            _ => None,
        });
        batches.collect()
    }

    pub fn answer_oldest(&mut self, answer: impl FnOnce(&Batch) -> Result<Receipt, SinkError>) {
        let index = self
            .asked
            .iter()
            .position(|asked| matches!(asked, Asked::Answer(..)))
            .expect("something is under way");
        if let Asked::Answer(ticket, batch) = self.asked.remove(index) {
            self.tell(Input::Answered(ticket, answer(&batch)));
        }
    }

    /// The link is lost while the oldest batch is answered for: what the core asks for, which nobody does.
    pub fn fail_oldest(&mut self) -> Vec<Output> {
        let answered = self.asked.iter().find_map(|asked| match asked {
            Asked::Answer(ticket, _) => Some(*ticket),
            _ => None,
        });
        let ticket = answered.expect("something is under way");
        let (clock, mut out) = (self.clock.clone(), Vec::new());
        let now = Now {
            at: self.at,
            clock: &clock,
        };
        let lost = Err(SinkError::Unreachable("silence".into()));
        self.core.step(Input::Answered(ticket, lost), now, &mut out);
        out
    }

    /// Reads and burials, until only answers are waited for.
    pub fn serve_the_queue(&mut self) {
        while let Some(index) = self
            .asked
            .iter()
            .position(|asked| !matches!(asked, Asked::Answer(..)))
        {
            self.finish_at(index, Mood::Well, 0);
        }
    }

    pub fn pass(&mut self, ms: u64) {
        self.wait(Duration::from_millis(ms));
    }

    pub fn exits(&self, kind: LaneKind, exit: Exit) -> u64 {
        let lane = &self.lanes[&kind.letter()];
        let exits = lane.exits.iter();
        exits
            .filter(|((_, name), _)| *name == exit_name(exit))
            .map(|(_, count)| count)
            .sum()
    }

    fn lose_link(&mut self) {
        self.asked.clear();
        self.forgiven.append(&mut self.troubled);
        self.tell(Input::LinkLost);
        self.asked.clear();
        self.tell(Input::LinkUp);
    }

    /// The process dies: only what the queue was told is left.
    fn crash(&mut self) {
        self.asked.clear();
        self.forgiven.extend(self.far.taken.keys().copied());
        let cursor = |letter| Seq(self.lanes[&letter].cursor);
        self.core = Core::new(self.limits, cursor('c'), cursor('n'));
        for kind in LaneKind::ALL {
            let end = Seq(self.lanes[&kind.letter()].records.len() as u64);
            self.tell(Input::Durable(kind, end));
        }
        self.tell(Input::LinkUp);
        self.tell(Input::Replay(self.replay.clone()));
    }

    fn evict(&mut self, kind: LaneKind, count: u64) {
        let lane = lane(&mut self.lanes, kind.letter());
        let through = (lane.cursor + count).min(lane.records.len() as u64);
        for bit in [ORDERED, LIVE] {
            let gone = lane.carrying(bit, lane.cursor, through);
            *lane.contested.entry(bit.0).or_default() += gone;
            *lane.exits.entry((bit.0, "evicted")).or_default() += gone;
        }
        lane.cursor = through;
        lane.contested_until = through;
        self.tell(Input::Evicted(kind, Seq(through)));
    }

    fn start_replay(&mut self, back: u64, rate: u32) {
        let lane = &self.lanes[&'n'];
        if self.replay.is_some() || lane.cursor == 0 {
            return;
        }
        self.replayed += 1;
        self.replay = Some(Replay {
            id: format!("replay {}", self.replayed).into(),
            lane: LaneKind::Normal,
            through: Seq(lane.cursor.saturating_sub(back)),
            last: Seq(lane.cursor),
            mask: RouteMask::from(ORDERED),
            rate,
        });
        self.tell(Input::Replay(self.replay.clone()));
    }
}

// === impl World: what the core asks for ===

impl World {
    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        let clock = self.clock.clone();
        let now = Now {
            at: self.at,
            clock: &clock,
        };
        self.core.step(input, now, &mut out);
        for output in out {
            self.obey(output);
        }
        assert!(
            self.under_way().len() <= self.limits.in_flight,
            "the window is kept"
        );
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Read(read) => self.asked.push(Asked::Read(read)),
            Output::Send(ticket, batch) => {
                self.check_sent(&batch);
                self.far.arrive(&batch);
                self.asked.push(Asked::Answer(ticket, batch));
            }
            Output::Move {
                lane: kind,
                through,
                tally,
            } => lane(&mut self.lanes, kind.letter()).ack(through.0, &tally),
            Output::Bury(number, refused) => {
                assert!(!refused.is_empty());
                self.asked.push(Asked::Bury(number));
            }
            Output::Replayed {
                id, through, tally, ..
            } => self.replayed_to(&id, through, &tally),
            Output::Fail(error) => panic!("the link was well: {error}"),
            Output::Note(_) => {}
        }
    }

    fn replayed_to(&mut self, id: &str, through: Seq, tally: &Tally) {
        let replay = self.replay.as_mut().expect("it was asked for");
        assert_eq!(&*replay.id, id);
        let sent = self.lanes[&'n'].carrying(ORDERED, replay.through.0, through.0);
        let told: u64 = tally.iter().map(|(_, _, count)| count).sum();
        assert_eq!(told, sent, "a replay answers for each of its records once");
        replay.through = through;
        if through >= replay.last {
            self.replay = None;
            self.tell(Input::Replay(None));
        }
    }

    fn check_sent(&mut self, batch: &Batch) {
        assert!(!batch.readings.is_empty());
        let replay = self
            .replay
            .as_ref()
            .map(|replay| (replay.through.0, replay.last.0));
        let ascending = batch
            .readings
            .windows(2)
            .all(|pair| pair[0].seq < pair[1].seq);
        assert!(ascending, "a batch is in order");
        for sent in batch.readings.iter() {
            let key = (batch.lane, sent.seq);
            assert_eq!((sent.origin.lane, sent.origin.seq), key, "the id stays");
            let replayed = batch.lane == 'n'
                && replay.is_some_and(|(from, last)| from < sent.seq && sent.seq <= last);
            let fresh = self.seen.insert(key);
            if fresh && !self.live {
                let before = self.first_sent.insert(batch.lane, sent.seq).unwrap_or(0);
                assert!(
                    before < sent.seq || replayed,
                    "{key:?} was overtaken by {before}"
                );
            }
            let taken = self.far.taken.contains_key(&key) && !self.forgiven.contains(&key);
            assert!(
                !taken || replayed || self.live,
                "{key:?} comes again though it was acknowledged"
            );
        }
    }

    fn page(&self, read: &Read) -> (Page, Arc<Rules>) {
        let own = RouteMask::from_iter([ORDERED, LIVE]);
        let live = if self.live {
            RouteMask::from(LIVE)
        } else {
            RouteMask::EMPTY
        };
        let (mask, live) = match read.look {
            Look::AllBut(done) => (RouteMask(own.0 & !done.0), live),
            Look::Live => (live, live),
            Look::Only(mask) => (mask, RouteMask::EMPTY),
        };
        let lane = &self.lanes[&read.lane.letter()];
        let mut scanned_through = read.after;
        let mut records = Vec::new();
        for record in lane.records.iter().skip(read.after.0 as usize) {
            if records.len() == read.records {
                break;
            }
            scanned_through = record.seq;
            if record.routes.intersects(mask) {
                records.push(record.clone());
            }
        }
        let page = Page {
            records,
            scanned_through,
        };
        let rules = Rules {
            mask,
            live,
            max_ages: Vec::new(),
        };
        (page, Arc::new(rules))
    }
}

// === impl Lane ===

impl Lane {
    fn carrying(&self, bit: RouteBit, after: u64, through: u64) -> u64 {
        let between = self
            .records
            .iter()
            .filter(|record| after < record.seq.0 && record.seq.0 <= through);
        between.filter(|record| record.routes.contains(bit)).count() as u64
    }

    /// As the queue does: what lies behind the cursor is counted as it is told, what was evicted under it is regained.
    fn ack(&mut self, through: u64, tally: &Tally) {
        for bit in [ORDERED, LIVE] {
            let told: u64 = tally
                .iter()
                .filter(|(of, _, _)| *of == bit)
                .map(|(_, _, count)| count)
                .sum();
            let fresh = self.carrying(bit, self.cursor, through);
            let contested = self.contested.entry(bit.0).or_default();
            assert!(
                fresh <= told && told <= fresh + *contested,
                "{bit:?} through {through}: told {told}, {fresh} new, {contested} evicted"
            );
            *contested -= told - fresh;
            *self.exits.entry((bit.0, "evicted")).or_default() -= told - fresh;
        }
        assert!(
            tally.iter().all(|(bit, _, _)| bit != OTHERS),
            "another's route"
        );
        for (RouteBit(bit), exit, count) in tally.iter() {
            *self.exits.entry((bit, exit_name(exit))).or_default() += count;
        }
        self.cursor = self.cursor.max(through);
        if self.cursor > self.contested_until {
            self.contested.clear();
        }
    }
}

fn lane(lanes: &mut BTreeMap<char, Lane>, letter: char) -> &mut Lane {
    lanes.get_mut(&letter).expect("there are two")
}

pub fn limits() -> BatchLimits {
    BatchLimits {
        readings: 10,
        bytes: 10_000,
        age: Duration::from_millis(100),
        in_flight: 8,
        max_age: None,
        timeout: Duration::from_secs(30),
        attempts: 3,
        rate_limit: NonZeroU32::new(0),
    }
}

fn record(seq: u64, mask: u64, at: Stamp) -> Record {
    let point = format!("s/device {}/p", seq % 3).parse().unwrap();
    let reading = Reading::new(point, seq, Timestamp::default());
    Record {
        seq: Seq(seq),
        routes: RouteMask(mask),
        at,
        body: frame::encode(&reading, Vec::new()).into(),
    }
}

fn kind(critical: bool) -> LaneKind {
    if critical {
        LaneKind::Critical
    } else {
        LaneKind::Normal
    }
}

fn exit_name(exit: Exit) -> &'static str {
    match exit {
        Exit::Acked => "acked",
        Exit::Expired => "expired",
        Exit::DeadLettered => "dead",
        Exit::Purged => "purged",
    }
}
