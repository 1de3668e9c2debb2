//! What an answer of the far side means for the readings that it is about.

use std::{collections::HashMap, time::Duration};

use fieldgate_kit::{Receipt, Refusal, SinkError, Throttle};
use fieldgate_store::Exit;

use super::{
    Core, Flight,
    segment::{Picks, origin},
    track::Part,
    words::{Note, Now, Output, Refused, Ticket, Way},
};

/// A refused reading waits this long for its second attempt, twice as long for each further one.
const FIRST_AGAIN: Duration = Duration::from_millis(100);

impl Core {
    /// An answer to something that is not under way is none: nothing is counted twice.
    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        answer: Result<Receipt, SinkError>,
        now: Now<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(flight) = self.flights.remove(&ticket) else {
            return;
        };
        if let Some(track) = self.track_mut(flight.way) {
            track.flying = track.flying.saturating_sub(1);
        }
        match answer {
            Ok(receipt) => self.receipt(flight, receipt, now.at, out),
            Err(SinkError::Rejected(why)) => self.refused_whole(&flight, why, now.at, out),
            Err(SinkError::TooLarge(why)) => self.too_large(&flight, why, out),
            Err(SinkError::Throttled(throttle)) => {
                self.throttle(&flight, &throttle, now.at, out);
                self.again(flight.way, flight.part);
            }
            Err(error) => {
                self.again(flight.way, flight.part);
                self.up = false;
                out.push(Output::Fail(error));
            }
        }
    }

    /// Letters are durable: their records are done with.
    pub(super) fn buried(&mut self, number: u64) {
        let (Some(part), Some(way)) = (
            self.burials.remove(&number),
            self.burial_ways.remove(&number),
        ) else {
            return;
        };
        self.settle(way, &part, Exit::DeadLettered);
    }

    fn receipt(&mut self, flight: Flight, receipt: Receipt, now: Duration, out: &mut Vec<Output>) {
        let Flight {
            way, part, sent, ..
        } = &flight;
        let (way, sent) = (*way, *sent);
        match &receipt.throttled {
            Some(throttle) => self.throttle(&flight, throttle, now, out),
            None => self.pace.acknowledged(now, sent),
        }
        if receipt.unheard > 0 {
            out.push(Output::Note(Note::Unheard {
                readings: receipt.unheard,
            }));
        }
        let acked = if receipt.rejected.is_empty() && receipt.postponed.is_empty() {
            part.picks.clone()
        } else {
            self.take_exceptions(way, part, receipt, now, out)
        };
        let acked = Part {
            segment: part.segment,
            picks: acked,
        };
        self.settle(way, &acked, Exit::Acked);
        if !acked.picks.is_empty() {
            out.push(Output::Note(Note::Acknowledged {
                readings: acked.picks.len() as u64,
                took: now.saturating_sub(sent),
                sampled: flight.sampled,
            }));
        }
    }

    /// Deals with what was refused or postponed; returns the rest.
    fn take_exceptions(
        &mut self,
        way: Way,
        part: &Part,
        receipt: Receipt,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Picks {
        let mut refused: HashMap<u64, (String, Refusal)> = receipt
            .rejected
            .into_iter()
            .map(|no| (no.seq, (no.why, no.refusal)))
            .collect();
        let postponed = receipt.postponed;
        let Some(segment) = self.segment(way, part.segment) else {
            return Picks::Run(0..0);
        };
        let (mut acked, mut again, mut no) = (Vec::new(), Vec::new(), Vec::new());
        for index in part.picks.iter() {
            let seq = segment.record(index).seq.0;
            match refused.remove(&seq) {
                Some((why, refusal)) => no.push((index, why, refusal)),
                None if postponed.contains(&seq) => again.push(index),
                None => acked.push(index),
            }
        }
        self.again(
            way,
            Part {
                segment: part.segment,
                picks: Picks::of(again),
            },
        );
        self.refused(way, part.segment, no, now, out);
        Picks::of(acked)
    }

    /// Refused for its own sake: another attempt, or the dead letters.
    fn refused(
        &mut self,
        way: Way,
        segment: u64,
        no: Vec<(usize, String, Refusal)>,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let most = self.limits.attempts.max(1);
        let mut dead = Vec::new();
        let mut again: Vec<(u32, Vec<usize>)> = Vec::new();
        let suspects = no.iter().filter(|(.., no)| *no == Refusal::OneOfThese);
        let halved = suspects.count() > 1;
        let mut suspected = Vec::new();
        for (index, why, refusal) in no {
            if halved && refusal == Refusal::OneOfThese {
                suspected.push(index);
                continue;
            }
            let made = self.attempt(way, segment, index);
            if refusal == Refusal::Final || made >= most {
                dead.push((index, why));
                continue;
            }
            match again.iter_mut().find(|(attempts, _)| *attempts == made) {
                Some((_, indices)) => indices.push(index),
                None => again.push((made, vec![index])),
            }
        }
        self.halve(way, segment, &Picks::of(suspected), out);
        for (made, indices) in again {
            out.push(Output::Note(Note::Again {
                readings: indices.len() as u64,
            }));
            let wait = FIRST_AGAIN * (1 << (made - 1).min(8));
            let part = Part {
                segment,
                picks: Picks::of(indices),
            };
            if let Some(track) = self.track_mut(way) {
                track.later(now + wait, part);
            }
        }
        self.bury(way, segment, dead, out);
    }

    /// Counts an attempt of a record; returns how many were made.
    fn attempt(&mut self, way: Way, segment: u64, index: usize) -> u32 {
        let Some(track) = self.track_mut(way) else {
            return 0;
        };
        let lane = track.lane;
        let Some(seq) = track
            .segment(segment)
            .map(|segment| segment.record(index).seq)
        else {
            return 0;
        };
        // What is replayed has a life of its own: its numbers lie below the cursor.
        let made = match (way, &mut self.replay) {
            (Way::Replay, Some(replay)) => replay.attempts.entry(seq).or_insert(0),
            _ => self.attempts.entry((lane, seq)).or_insert(0),
        };
        *made += 1;
        *made
    }

    /// A batch that is refused as a whole is halved until the reading is found; a batch of one is an attempt of it.
    fn refused_whole(
        &mut self,
        flight: &Flight,
        why: String,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if flight.part.picks.len() == 1 {
            let no = vec![(flight.part.picks.first(), why, Refusal::MayPass)];
            self.refused(flight.way, flight.part.segment, no, now, out);
        } else {
            self.halve(flight.way, flight.part.segment, &flight.part.picks, out);
        }
    }

    /// No attempt of anything: halves, and smaller batches from now on. One reading that is too large can never pass.
    fn too_large(&mut self, flight: &Flight, why: String, out: &mut Vec<Output>) {
        if flight.part.picks.len() == 1 {
            let dead = vec![(flight.part.picks.first(), why)];
            self.bury(flight.way, flight.part.segment, dead, out);
        } else {
            self.pace.smaller();
            self.halve(flight.way, flight.part.segment, &flight.part.picks, out);
        }
    }

    fn halve(&mut self, way: Way, segment: u64, picks: &Picks, out: &mut Vec<Output>) {
        if picks.is_empty() {
            return;
        }
        out.push(Output::Note(Note::Halved));
        for picks in picks.halves() {
            self.again(way, Part { segment, picks });
        }
    }

    fn throttle(
        &mut self,
        flight: &Flight,
        throttle: &Throttle,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let until = self.pace.throttled(now, flight.sent, throttle);
        out.push(Output::Note(Note::Throttled {
            why: throttle.why.clone(),
            until,
        }));
    }

    fn again(&mut self, way: Way, part: Part) {
        if let Some(track) = self.track_mut(way) {
            track.again(part);
        }
    }

    /// Asks for dead letters. What is replayed has left the queue before, and is only counted.
    pub(super) fn bury(
        &mut self,
        way: Way,
        segment: u64,
        dead: Vec<(usize, String)>,
        out: &mut Vec<Output>,
    ) {
        if dead.is_empty() {
            return;
        }
        let part = Part {
            segment,
            picks: Picks::of(dead.iter().map(|(index, _)| *index).collect()),
        };
        if way == Way::Replay {
            self.settle(way, &part, Exit::DeadLettered);
            let notes = dead
                .into_iter()
                .map(|(_, why)| Output::Note(Note::ReplayRefused { why }));
            out.extend(notes);
            return;
        }
        let letters = self.letters(way, segment, dead);
        for letter in &letters {
            out.push(Output::Note(Note::DeadLettered {
                why: letter.why.clone(),
            }));
        }
        let number = self.number();
        self.burials.insert(number, part);
        self.burial_ways.insert(number, way);
        out.push(Output::Bury(number, letters));
    }

    fn letters(&mut self, way: Way, segment: u64, dead: Vec<(usize, String)>) -> Vec<Refused> {
        let Some(track) = self.track_mut(way) else {
            return Vec::new();
        };
        let lane = track.lane;
        let Some(segment) = track.segment(segment) else {
            return Vec::new();
        };
        let letter = |(index, why)| {
            let record = segment.record(index).clone();
            Refused {
                origin: origin(&record, lane),
                record,
                lane,
                why,
            }
        };
        dead.into_iter().map(letter).collect()
    }

    fn settle(&mut self, way: Way, part: &Part, exit: Exit) {
        if let Some(segment) = self.segment(way, part.segment) {
            segment.settle(&part.picks, exit);
            segment.slim();
        }
    }
}
