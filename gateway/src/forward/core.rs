//! The delivery core: from the durable queue to one destination, as a pure state machine.
//!
//! No clock, file, socket or task is in here: [`Core::step`] takes what happened and the time, and says what is to be
//! done. The shell around it (`attempt.rs`) does exactly that, and nothing of its own. So the tests run years of faults
//! in seconds (`core/tests.rs`).
//!
//! ```text
//! Durable, Page ─▶ track: ahead ─cut▶ segment ─▶ Send ─▶ Answered ─┬▶ acked ────────────────┐
//!                   (read-ahead)         ▲                         ├▶ refused: again, later  ├▶ done: the cursor moves over
//!                                        └─── again, in order ─────┴▶ refused for good: Bury ┘  a contiguous prefix (Move)
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `words` | inputs and outputs |
//! | `track` | one way's records: read ahead, cut into segments, sent again |
//! | `segment` | what became of each record of a run |
//! | `early` | what was delivered ahead of the cursor |
//! | `pace` | window, batch size, rate |
//! | `answer` | what an answer means |
//!
//! What it promises, given a sink that takes a batch in its order: every record is answered for exactly once in the
//! tallies; the cursor passes nothing that is open; readings leave in the order of their lane, and only what the far
//! side itself refused or postponed comes later than its neighbours; nothing is sent twice but batches of which something
//! was still open when the link was lost.

mod answer;
mod early;
mod pace;
mod segment;
#[cfg(test)]
mod tests;
mod track;
mod words;

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::{Batch, BatchLimits};
use fieldgate_model::Timestamp;
use fieldgate_store::{Page, RouteMask, Seq};

use early::{EARLY_MOST, Early, Piece};
use pace::{Bucket, Pace};
use segment::{Exits, Segment};
use track::{Part, Track};
pub use words::{Input, Look, Note, Now, Output, Read, Refused, Replay, Rules, Ticket, Way};

use crate::lanes::LaneKind;

/// Of so many turns every way of the queue gets at least one, so that alarms never starve telemetry.
const TURNS: u32 = 10;
/// Behind a backlog, how many batches are read at once.
const READ_AHEAD: usize = 8;
/// New telemetry overtakes when the destination is more than so many batches behind.
const BEHIND: u64 = 2;
/// From so many batches in flight on, one of them is kept free for the critical lane.
const RESERVE_FROM: usize = 4;
/// Of how many readings of a batch the delay is measured.
const SAMPLES: usize = 8;

/// The way to one destination. It outlives links.
#[derive(Debug)]
pub struct Core {
    limits: BatchLimits,
    critical: Lane,
    normal: Lane,
    replay: Option<Replaying>,
    /// The number of the next replay's first segment: late answers to an earlier one find nothing.
    replay_first: u64,
    pace: Pace,
    up: bool,
    flights: BTreeMap<Ticket, Flight>,
    burials: BTreeMap<u64, Part>,
    burial_ways: BTreeMap<u64, Way>,
    /// How often records were refused for their own sake. Only those that were.
    attempts: HashMap<(LaneKind, Seq), u32>,
    next_number: u64,
    wake: Option<Duration>,
}

#[derive(Debug)]
struct Lane {
    durable: Seq,
    /// What the queue was told.
    cursor: Seq,
    /// Everything up to here is done with; the cursor follows as soon as it stands in no piece.
    reached: Seq,
    /// The queue let go of everything up to here; what of it is under way is still answered for.
    evicted: Seq,
    held: Exits,
    main: Track,
    live: Option<Track>,
    live_routes: RouteMask,
    early: Early,
}

#[derive(Debug)]
struct Replaying {
    order: Replay,
    track: Track,
    bucket: Option<Bucket>,
    blocked_until: Duration,
}

/// A batch under way.
#[derive(Debug)]
struct Flight {
    way: Way,
    part: Part,
    sent: Duration,
    sampled: Vec<Timestamp>,
}

// === impl Core ===

impl Core {
    /// A destination whose cursors stand there.
    #[must_use]
    pub fn new(limits: BatchLimits, critical: Seq, normal: Seq) -> Self {
        Self {
            limits,
            critical: Lane::new(LaneKind::Critical, critical),
            normal: Lane::new(LaneKind::Normal, normal),
            replay: None,
            replay_first: 0,
            pace: Pace::new(&limits),
            up: false,
            flights: BTreeMap::new(),
            burials: BTreeMap::new(),
            burial_ways: BTreeMap::new(),
            attempts: HashMap::new(),
            next_number: 0,
            wake: None,
        }
    }

    /// Takes what happened; `out` gets what is to be done, in order.
    pub fn step(&mut self, input: Input, now: Now<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Durable(kind, durable) => {
                let lane = self.lane_mut(kind);
                lane.durable = lane.durable.max(durable);
            }
            Input::Page { way, page, rules } => self.take_page(way, page, rules),
            Input::Answered(ticket, answer) => self.answered(ticket, answer, now, out),
            Input::Buried(number) => self.buried(number),
            Input::LinkUp => self.up = true,
            Input::LinkLost => self.link_lost(),
            Input::Evicted(kind, through) => self.lane_mut(kind).evicted(kind, through, out),
            Input::Replay(order) => self.take_replay(order, now),
            Input::Tick => {}
        }
        self.advance(out);
        self.proceed(now, out);
    }

    /// When to tick next, if nothing happens before.
    #[must_use]
    pub fn wake(&self) -> Option<Duration> {
        self.wake
    }

    /// Batches under way, and burials.
    #[must_use]
    pub fn batches_under_way(&self) -> usize {
        self.flights.len() + self.burials.len()
    }

    /// Readings that the far side has and did not answer for yet.
    #[must_use]
    pub fn readings_under_way(&self) -> u64 {
        let flights = self.flights.values();
        flights.map(|flight| flight.part.picks.len() as u64).sum()
    }

    /// Sends and reads nothing more over this link; answers are still taken.
    pub fn stop(&mut self) {
        self.up = false;
    }

    fn lane_mut(&mut self, kind: LaneKind) -> &mut Lane {
        match kind {
            LaneKind::Critical => &mut self.critical,
            LaneKind::Normal => &mut self.normal,
        }
    }

    fn track(&self, way: Way) -> Option<&Track> {
        match way {
            Way::Critical => Some(&self.critical.main),
            Way::Normal => Some(&self.normal.main),
            Way::Live => self.normal.live.as_ref(),
            Way::Replay => self.replay.as_ref().map(|replay| &replay.track),
        }
    }

    fn track_mut(&mut self, way: Way) -> Option<&mut Track> {
        match way {
            Way::Critical => Some(&mut self.critical.main),
            Way::Normal => Some(&mut self.normal.main),
            Way::Live => self.normal.live.as_mut(),
            Way::Replay => self.replay.as_mut().map(|replay| &mut replay.track),
        }
    }

    fn segment(&mut self, way: Way, number: u64) -> Option<&mut Segment> {
        self.track_mut(way)?.segment(number)
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn take_page(&mut self, way: Way, page: Page, rules: Arc<Rules>) {
        let upto = self.span(way).and_then(|span| span.upto);
        if way == Way::Normal {
            self.normal.live_routes = rules.live;
        }
        if let Some(track) = self.track_mut(way).filter(|track| track.reading) {
            track.take_page(page, upto, rules);
        }
    }

    fn link_lost(&mut self) {
        self.up = false;
        self.flights.clear();
        self.burials.clear();
        self.burial_ways.clear();
        self.pace.link_lost();
        self.critical.link_lost();
        self.normal.link_lost();
        if let Some(replay) = &mut self.replay {
            replay.track.reset(replay.order.through);
        }
    }

    fn take_replay(&mut self, order: Option<Replay>, now: Now<'_>) {
        let running = self.replay.as_mut();
        let same = running.filter(|running| {
            let order = order.as_ref();
            order.is_some_and(|order| {
                running.order.id == order.id && running.order.lane == order.lane
            })
        });
        if let Some(running) = same {
            running.cap(order.map_or(0, |order| order.rate));
            return;
        }
        if let Some(mut ended) = self.replay.take() {
            ended.track.reset(Seq(0));
            self.replay_first = ended.track.next_segment();
        }
        self.replay = order.map(|order| Replaying {
            track: Track::starting(order.lane, order.through, self.replay_first),
            bucket: NonZeroU32::new(order.rate).map(Bucket::new),
            blocked_until: now.at,
            order,
        });
    }

    /// Moves the cursors over what is done.
    fn advance(&mut self, out: &mut Vec<Output>) {
        for kind in LaneKind::ALL {
            let lane = self.lane_mut(kind);
            let passed = lane.advance(kind, out);
            if let Some(cursor) = passed
                && !self.attempts.is_empty()
            {
                self.attempts
                    .retain(|(of, seq), _| *of != kind || *seq > cursor);
            }
        }
        if let Some(replay) = &mut self.replay {
            replay.advance(out);
        }
    }
}

// === impl Core: what is read and sent next ===

/// What a way may read.
struct Span {
    lane: LaneKind,
    unread: u64,
    upto: Option<Seq>,
    look: Look,
}

impl Core {
    fn span(&self, way: Way) -> Option<Span> {
        let track = self.track(way)?;
        let (upto, end, look) = match way {
            Way::Critical => self.critical.main_span(),
            Way::Normal => self.normal.main_span(),
            Way::Live => (None, self.normal.durable, Look::Live),
            Way::Replay => {
                let order = &self.replay.as_ref()?.order;
                (Some(order.last), order.last, Look::Only(order.mask))
            }
        };
        let full = way == Way::Live && self.normal.early.readings() >= EARLY_MOST;
        Some(Span {
            lane: track.lane,
            unread: if full {
                0
            } else {
                end.0.saturating_sub(track.read.0)
            },
            upto,
            look,
        })
    }

    fn proceed(&mut self, now: Now<'_>, out: &mut Vec<Output>) {
        self.wake = None;
        if !self.up {
            return;
        }
        let full = self.pace.batch(self.limits.readings);
        self.normal.overtake(BEHIND * full as u64);
        loop {
            for way in Way::ALL {
                self.read(way, full, now.at, out);
            }
            if now.at < self.pace.hold_until() {
                self.wake_at(self.pace.hold_until(), now.at);
                break;
            }
            let Some(way) = self.choose(now.at) else {
                break;
            };
            if !self.send(way, full, now, out) {
                break;
            }
            self.advance(out);
        }
        for way in Way::ALL {
            let later = self.track(way).and_then(Track::next_later);
            self.wake_at(later.unwrap_or(now.at), now.at);
        }
    }

    fn wake_at(&mut self, at: Duration, now: Duration) {
        if at > now {
            self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        }
    }

    /// When what is new on a way may go.
    fn due(&mut self, way: Way, full: usize, now: Duration) -> Option<(Duration, Span)> {
        let span = self.span(way)?;
        let age = match way {
            Way::Replay => Duration::ZERO,
            _ => self.limits.age,
        };
        let spread = self.limits.in_flight * 4 + 4;
        let unread = span.unread;
        let track = self.track_mut(way)?;
        if track.spread() >= spread {
            return None;
        }
        track.due(now, unread, full, age).map(|due| (due, span))
    }

    fn read(&mut self, way: Way, full: usize, now: Duration, out: &mut Vec<Output>) {
        let Some((due, span)) = self.due(way, full, now) else {
            return;
        };
        self.wake_at(due, now);
        let (records, bytes) = (self.limits.readings, self.limits.bytes);
        let Some(track) = self.track_mut(way) else {
            return;
        };
        if due > now || track.reading || span.unread == 0 || track.ahead() >= full {
            return;
        }
        track.ask(span.upto);
        let lags = span.unread >= (records * READ_AHEAD) as u64;
        let batches = if lags { READ_AHEAD } else { 1 };
        out.push(Output::Read(Read {
            way,
            lane: span.lane,
            after: track.read,
            upto: span.upto,
            look: span.look,
            records: records * batches,
            bytes: bytes.saturating_mul(batches),
        }));
    }

    /// The way whose turn it is: the first that has something, but each way of the queue gets one of ten turns.
    fn choose(&mut self, now: Duration) -> Option<Way> {
        let full = self.pace.batch(self.limits.readings);
        let ready: Vec<Way> = Way::ALL
            .into_iter()
            .filter(|way| self.is_ready(*way, full, now))
            .collect();
        let starved = |way: &&Way| {
            **way != Way::Replay
                && self
                    .track(**way)
                    .is_some_and(|track| track.passed + 1 >= TURNS)
        };
        let way = *ready.iter().find(starved).or(ready.first())?;
        for other in ready {
            if let Some(track) = self.track_mut(other) {
                track.passed = if other == way { 0 } else { track.passed + 1 };
            }
        }
        Some(way)
    }

    fn is_ready(&mut self, way: Way, full: usize, now: Duration) -> bool {
        if !self.has_room(way) {
            return false;
        }
        if way == Way::Replay
            && self
                .replay
                .as_ref()
                .is_some_and(|replay| replay.blocked_until > now)
        {
            return false;
        }
        let Some(track) = self.track(way) else {
            return false;
        };
        if track.has_again(now) {
            return true;
        }
        let fresh = track.has_ahead() && (track.ahead() >= full || !track.reading);
        fresh && self.due(way, full, now).is_some_and(|(due, _)| due <= now)
    }

    /// Whether the window has room for a batch of this way. While live readings overtake, or a replay runs, the rest
    /// leaves them a fifth of what the far side takes.
    fn has_room(&self, way: Way) -> bool {
        let (hard, window) = (self.limits.in_flight.max(1), self.pace.window());
        let under_way = self.flights.len();
        let room = if hard >= RESERVE_FROM {
            window.min(hard - 1)
        } else {
            window
        };
        let share = (room * 4 / 5).max(1);
        let flying = self.track(way).map_or(0, |track| track.flying);
        // The place that is kept for alarms is kept from telemetry alone: many alarms must not shut it out.
        let telemetry = under_way.saturating_sub(self.critical.main.flying);
        let fits = under_way < hard && telemetry < room;
        match way {
            Way::Critical => under_way < hard,
            Way::Live => fits,
            Way::Normal => fits && (self.normal.live.is_none() || flying < share),
            Way::Replay => fits && flying < share,
        }
    }

    /// Sends the next batch of a way; false when the rate limit says: not yet.
    fn send(&mut self, way: Way, full: usize, now: Now<'_>, out: &mut Vec<Output>) -> bool {
        let again = self
            .track_mut(way)
            .and_then(|track| track.next_again(now.at));
        let part = match again {
            Some(part) => Some(part),
            None => match self.cut(way, full, now.at) {
                Ok(part) => part,
                Err(at) => {
                    self.wake_at(at, now.at);
                    // The cap of a replay holds nothing else up.
                    return way == Way::Replay && self.pace_allows(now.at);
                }
            },
        };
        if let Some(part) = part {
            self.dispatch(way, part, now, out);
        }
        true
    }

    fn pace_allows(&mut self, now: Duration) -> bool {
        self.pace.allowance(now, 1).is_ok()
    }

    fn cut(&mut self, way: Way, full: usize, now: Duration) -> Result<Option<Part>, Duration> {
        let ahead = self.track(way).map_or(0, Track::ahead);
        let mut most = full.min(ahead.max(1));
        if ahead > 0 {
            most = self.pace.allowance(now, most)?;
        }
        if way == Way::Replay
            && ahead > 0
            && let Some(replay) = &mut self.replay
            && let Some(bucket) = &mut replay.bucket
        {
            let allowed = bucket.allowance(now, most);
            replay.blocked_until = allowed.err().unwrap_or(replay.blocked_until);
            most = allowed?;
        }
        let bytes = self.pace.batch(self.limits.bytes);
        let Some(track) = self.track_mut(way) else {
            return Ok(None);
        };
        let cut = track.cut(most, bytes);
        let part = cut.and_then(|number| {
            let picks = track.segment(number)?.everything();
            Some(Part {
                segment: number,
                picks,
            })
        });
        Ok(part)
    }

    /// Puts a part under way. What of it is too old, or cannot be read, is dealt with here.
    fn dispatch(&mut self, way: Way, part: Part, now: Now<'_>, out: &mut Vec<Output>) {
        let Some(lane) = self.track(way).map(|track| track.lane) else {
            return;
        };
        let Some(segment) = self.segment(way, part.segment) else {
            return;
        };
        let prepared = segment.prepare(lane, &part.picks, now);
        if prepared.expired > 0 {
            out.push(Output::Note(Note::Expired {
                readings: prepared.expired,
            }));
        }
        self.bury(way, part.segment, prepared.unreadable, out);
        let count = prepared.readings.len();
        if count == 0 {
            return;
        }
        let stride = count.div_ceil(SAMPLES).max(1);
        let sampled = prepared.readings.iter().step_by(stride);
        let flight = Flight {
            way,
            part: Part {
                picks: segment::Picks::of(prepared.picks),
                ..part
            },
            sent: now.at,
            sampled: sampled.map(|sent| sent.reading.at).collect(),
        };
        let ticket = Ticket(self.number());
        self.flights.insert(ticket, flight);
        self.pace.sent(count);
        let cap = self.replay.as_mut().filter(|_| way == Way::Replay);
        if let Some(bucket) = cap.and_then(|replay| replay.bucket.as_mut()) {
            bucket.spend(count);
        }
        if let Some(track) = self.track_mut(way) {
            track.flying += 1;
        }
        let batch = Batch {
            lane: lane.letter(),
            readings: prepared.readings.into(),
        };
        out.push(Output::Send(ticket, batch));
    }
}

// === impl Lane ===

impl Lane {
    fn new(kind: LaneKind, cursor: Seq) -> Self {
        Self {
            durable: cursor,
            cursor,
            reached: cursor,
            evicted: cursor,
            held: Exits::default(),
            main: Track::new(kind, cursor),
            live: None,
            live_routes: RouteMask::EMPTY,
            early: Early::default(),
        }
    }

    /// How far the way in order may read, and what for.
    fn main_span(&self) -> (Option<Seq>, Seq, Look) {
        let zone = self.early.zone(self.main.read);
        let live = self.live.as_ref().map(Track::undone_from);
        let upto = match (zone.upto, live) {
            (Some(zone), Some(live)) => Some(zone.min(live)),
            (zone, live) => zone.or(live),
        };
        let end = upto.map_or(self.durable, |upto| upto.min(self.durable));
        (upto, end, Look::AllBut(zone.covered))
    }

    /// Begins to send what is new ahead of the rest, or stops when there is nothing to overtake any more.
    fn overtake(&mut self, behind: u64) {
        if let Some(live) = &self.live {
            let caught_up = self.main.read >= live.read;
            let enough = self.early.readings() >= EARLY_MOST;
            if live.is_idle() && (caught_up || enough) {
                self.live = None;
            }
            return;
        }
        let waiting = self.durable.0.saturating_sub(self.main.read.0) + self.main.ahead() as u64;
        let room = self.early.readings() < EARLY_MOST / 2;
        if !self.live_routes.is_empty() && waiting > behind && room {
            self.live = Some(Track::new(self.main.lane, self.durable));
        }
    }

    /// Moves the cursor over what is done; returns where it stands if it moved.
    fn advance(&mut self, kind: LaneKind, out: &mut Vec<Output>) -> Option<Seq> {
        while let Some(segment) = self.live.as_mut().and_then(Track::pass) {
            let covered = segment.rules().live;
            self.early.add(Piece::of(segment, covered));
        }
        while let Some(segment) = self.main.pass() {
            self.reached = segment.through;
            self.held.merge(segment.into_exits());
        }
        if self.reached <= self.cursor && self.held.is_empty() {
            return None;
        }
        if self.early.straddles(self.reached) {
            return None;
        }
        let mut exits = std::mem::take(&mut self.held);
        while let Some(piece) = self.early.pass(self.reached) {
            exits.merge(piece.exits);
        }
        self.cursor = self.cursor.max(self.reached);
        out.push(Output::Move {
            lane: kind,
            through: self.reached,
            tally: exits.tally(),
        });
        Some(self.cursor)
    }

    /// Begins again at the cursor. What was done beyond it is remembered.
    fn link_lost(&mut self) {
        if let Some(mut live) = self.live.take() {
            for segment in live.reset(Seq(0)) {
                let covered = segment.rules().live;
                self.early.add(Piece::of(segment, covered));
            }
        }
        // A cursor that stands within a piece was never told to the queue.
        self.held = Exits::default();
        self.cursor = self.cursor.max(self.evicted);
        self.reached = self.cursor;
        for segment in self.main.reset(self.cursor) {
            if self.early.is_clear(segment.from, segment.through) {
                let covered = segment.rules().mask;
                self.early.add(Piece::of(segment, covered));
            }
        }
    }

    /// The queue let go of everything up to `through`. What was delivered of it all the same is told, and regained.
    fn evicted(&mut self, kind: LaneKind, through: Seq, out: &mut Vec<Output>) {
        self.evicted = self.evicted.max(through);
        self.main.skip_to(through);
        if let Some(live) = &mut self.live {
            live.skip_to(through);
        }
        while let Some(piece) = self.early.pass(through) {
            out.push(Output::Move {
                lane: kind,
                // Below the end of what was evicted, so that more can follow.
                through: piece.through.min(Seq(through.0.saturating_sub(1))),
                tally: piece.exits.tally(),
            });
        }
        if self.main.spread() == 0 {
            self.reached = self.reached.max(through);
            self.cursor = self.cursor.max(through);
        }
    }
}

// === impl Replaying ===

impl Replaying {
    fn cap(&mut self, rate: u32) {
        if self.order.rate != rate {
            self.order.rate = rate;
            self.bucket = NonZeroU32::new(rate).map(Bucket::new);
        }
    }

    fn advance(&mut self, out: &mut Vec<Output>) {
        let before = self.order.through;
        let mut exits = Exits::default();
        while let Some(segment) = self.track.pass() {
            self.order.through = segment.through;
            exits.merge(segment.into_exits());
        }
        if self.order.through > before {
            out.push(Output::Replayed {
                id: Arc::clone(&self.order.id),
                lane: self.order.lane,
                through: self.order.through,
                tally: exits.tally(),
            });
        }
    }
}

// === impl Piece ===

impl Piece {
    fn of(segment: Segment, covered: RouteMask) -> Self {
        Self {
            from: segment.from,
            through: segment.through,
            covered,
            exits: segment.into_exits(),
        }
    }
}
