//! `Track`: one way's readings between the queue and the far side: read, waiting, under way, done.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use fieldgate_store::{Page, Record, Seq};

use super::{
    segment::{Picks, Segment},
    words::Rules,
};
use crate::lanes::LaneKind;

/// What of a segment is sent next, or again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Counted from the track's first.
    pub segment: u64,
    pub picks: Picks,
}

/// Read and not yet cut into a batch.
#[derive(Debug)]
struct Chunk {
    records: VecDeque<Record>,
    from: Seq,
    through: Seq,
    rules: Arc<Rules>,
}

#[derive(Debug)]
pub struct Track {
    pub lane: LaneKind,
    /// Read through here.
    pub read: Seq,
    /// A page is on its way from the queue.
    pub reading: bool,
    /// It says nothing about what lies after this.
    asked_upto: Option<Seq>,
    /// Batches under way.
    pub flying: usize,
    /// Turns that others got while this one was ready.
    pub passed: u32,
    waiting_since: Option<Duration>,
    ahead: VecDeque<Chunk>,
    ahead_records: usize,
    /// In order; the first has number `first`.
    segments: VecDeque<Segment>,
    first: u64,
    /// To be sent before anything new, in order.
    again: BTreeMap<(u64, usize), Part>,
    /// To be sent again, each at its time.
    later: Vec<(Duration, Part)>,
}

// === impl Track: reading ===

impl Track {
    #[must_use]
    pub fn new(lane: LaneKind, read: Seq) -> Self {
        Self {
            lane,
            read,
            reading: false,
            asked_upto: None,
            flying: 0,
            passed: 0,
            waiting_since: None,
            ahead: VecDeque::new(),
            ahead_records: 0,
            segments: VecDeque::new(),
            first: 0,
            again: BTreeMap::new(),
            later: Vec::new(),
        }
    }

    /// One whose first segment has this number.
    #[must_use]
    pub fn starting(lane: LaneKind, read: Seq, first: u64) -> Self {
        Self {
            first,
            ..Self::new(lane, read)
        }
    }

    /// The number that the next segment gets.
    #[must_use]
    pub fn next_segment(&self) -> u64 {
        self.first + self.segments.len() as u64
    }

    /// Nothing is read, waiting or under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.segments.is_empty() && self.ahead.is_empty() && !self.reading
    }

    /// Records that were read and not yet cut.
    #[must_use]
    pub fn ahead(&self) -> usize {
        self.ahead_records
    }

    /// Where the first of what is not done begins.
    #[must_use]
    pub fn undone_from(&self) -> Seq {
        let segment = self.segments.front().map(|segment| segment.from);
        let chunk = self.ahead.front().map(|chunk| chunk.from);
        segment.or(chunk).unwrap_or(self.read)
    }

    /// Batches' worth of segments that wait for their turn to be passed.
    #[must_use]
    pub fn spread(&self) -> usize {
        self.segments.len()
    }

    /// A page is asked for, which looks for the same routes up to here.
    pub fn ask(&mut self, upto: Option<Seq>) {
        (self.reading, self.asked_upto) = (true, upto);
    }

    /// Takes a page; what lies after `upto`, or after what was asked for, is read again when its time comes.
    pub fn take_page(&mut self, page: Page, upto: Option<Seq>, rules: Arc<Rules>) {
        self.reading = false;
        let ends = [upto, self.asked_upto.take()].into_iter().flatten();
        let through = ends.fold(page.scanned_through, Seq::min);
        if through <= self.read {
            return;
        }
        let mut records = VecDeque::from(page.records);
        while records.back().is_some_and(|record| record.seq > through) {
            records.pop_back();
        }
        // What the queue let go of while the page was on its way.
        while records
            .front()
            .is_some_and(|record| record.seq <= self.read)
        {
            records.pop_front();
        }
        self.ahead_records += records.len();
        self.ahead.push_back(Chunk {
            records,
            from: self.read,
            through,
            rules,
        });
        self.read = through;
    }

    /// Forgets what lies up to here and is not under way: the queue no longer has it.
    pub fn skip_to(&mut self, through: Seq) {
        self.read = self.read.max(through);
        for chunk in &mut self.ahead {
            while chunk
                .records
                .front()
                .is_some_and(|record| record.seq <= through)
            {
                chunk.records.pop_front();
                self.ahead_records -= 1;
            }
        }
        self.ahead
            .retain(|chunk| chunk.through > through || !chunk.records.is_empty());
    }

    /// When what waits may go: at once if it makes a full batch, else when its oldest has waited for company long enough.
    /// `unread` are records that the queue has beyond what was read.
    pub fn due(
        &mut self,
        now: Duration,
        unread: u64,
        full: usize,
        age: Duration,
    ) -> Option<Duration> {
        let waiting = unread + self.ahead_records as u64;
        if waiting == 0 && self.ahead.is_empty() {
            self.waiting_since = None;
            return None;
        }
        let since = *self.waiting_since.get_or_insert(now);
        let enough = waiting >= full as u64 || waiting == 0;
        Some(if enough { since } else { since + age })
    }

    /// Cuts the next segment of at most so many records and bytes, but of at least one record if there is any.
    pub fn cut(&mut self, most: usize, bytes: usize) -> Option<u64> {
        let chunk = self.ahead.front_mut()?;
        let (mut count, mut sum) = (0, 0);
        for record in chunk.records.iter().take(most.max(1)) {
            sum += record.body.len();
            if count > 0 && sum > bytes {
                break;
            }
            count += 1;
        }
        let records: Vec<Record> = chunk.records.drain(..count).collect();
        self.ahead_records -= count;
        let (from, rules) = (chunk.from, Arc::clone(&chunk.rules));
        let through = match records.last() {
            Some(last) if !chunk.records.is_empty() => last.seq,
            _ => chunk.through,
        };
        chunk.from = through;
        if chunk.records.is_empty() {
            self.ahead.pop_front();
        }
        self.waiting_since = None;
        self.segments
            .push_back(Segment::new(from, through, records, rules));
        Some(self.next_segment() - 1)
    }

    /// True when a chunk is there, even one without records.
    #[must_use]
    pub fn has_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }
}

// === impl Track: sending ===

impl Track {
    /// A segment that is not passed yet.
    pub fn segment(&mut self, number: u64) -> Option<&mut Segment> {
        let index = number.checked_sub(self.first)?;
        self.segments.get_mut(usize::try_from(index).ok()?)
    }

    /// Everything that has to be sent again before anything new, with what is due now.
    pub fn next_again(&mut self, now: Duration) -> Option<Part> {
        let due: Vec<Part> = {
            let (due, later) = std::mem::take(&mut self.later)
                .into_iter()
                .partition(|(at, _): &(Duration, Part)| *at <= now);
            self.later = later;
            due.into_iter()
                .map(|(_, part): (Duration, Part)| part)
                .collect()
        };
        due.into_iter().for_each(|part| self.again(part));
        self.again.pop_first().map(|(_, part)| part)
    }

    #[must_use]
    pub fn has_again(&self, now: Duration) -> bool {
        !self.again.is_empty() || self.later.iter().any(|(at, _)| *at <= now)
    }

    /// When the next of what waits for its time is due.
    #[must_use]
    pub fn next_later(&self) -> Option<Duration> {
        self.later.iter().map(|(at, _)| *at).min()
    }

    pub fn again(&mut self, part: Part) {
        if !part.picks.is_empty() {
            self.again.insert((part.segment, part.picks.first()), part);
        }
    }

    pub fn later(&mut self, at: Duration, part: Part) {
        if !part.picks.is_empty() {
            self.later.push((at, part));
        }
    }

    /// Takes the first segment if nothing of it is open.
    pub fn pass(&mut self) -> Option<Segment> {
        let done = self.segments.front()?.is_done();
        let segment = done.then(|| self.segments.pop_front())??;
        self.first += 1;
        Some(segment)
    }

    /// Nothing is under way any more. Returns the segments that were done; all else is read again from `read`.
    pub fn reset(&mut self, read: Seq) -> Vec<Segment> {
        // The page that is on its way belongs to what was before, as do late answers.
        let fresh = Self::starting(self.lane, read, self.next_segment());
        let segments = std::mem::replace(self, fresh).segments;
        segments.into_iter().filter(Segment::is_done).collect()
    }
}
