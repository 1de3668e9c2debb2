//! What is read and sent next: alarms first, telemetry never starved, nothing faster than the far side takes.

use std::time::Duration;

use fieldgate_kit::Batch;
use fieldgate_store::Seq;

use super::{
    Core, Flight,
    early::EARLY_MOST,
    segment::Picks,
    track::{Part, Track},
    words::{Look, Note, Now, Output, Read, Ticket, Way},
};
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

/// What a way may read.
pub(super) struct Span {
    lane: LaneKind,
    unread: u64,
    pub(super) upto: Option<Seq>,
    look: Look,
}

impl Core {
    pub(super) fn span(&self, way: Way) -> Option<Span> {
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

    pub(super) fn proceed(&mut self, now: Now<'_>, out: &mut Vec<Output>) {
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
                picks: Picks::of(prepared.picks),
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
