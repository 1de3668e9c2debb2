//! Thinning: a generation is read twice and written anew with fewer records, a little at a time, before the lane is full.
//!
//! What goes leaves its number behind, without routes and without bytes, so that a gap is damage and nothing else. The new
//! generation is complete and synced before the manifest names it in place of the old one; then what went is counted and
//! the cursors are saved. A power cut before the manifest leaves the old one; one between the manifest and the cursors
//! leaves deliveries that are missing without damage: the open counts them as thinned, at most as many as the new
//! generation says that it lost (see thinned.rs).

use std::time::{Duration, Instant};

use crate::{
    counts::Gone,
    error::EngineError,
    manifest::{GenerationInfo, PerBit},
    options::OnFull,
    record::{Body, Record},
    runs::MaskRuns,
    segment::sync_dir,
    shelf::Generation,
    spool,
    thinned::Thinned,
    thread::{Owner, locked},
    tools::{Survey, Thin},
    types::{RouteMask, Seq},
};

/// A lane is thinned from this share of its limit on, in percent.
const FROM_PERCENT: u64 = 80;
/// A generation is written anew when at least this part of its records goes.
const WORTH_PART: u64 = 8;
/// The longest that appends and reads wait for it at once, and how long they have their turn then.
const SLICE: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(100);

/// What is being thinned.
#[derive(Default)]
pub(crate) struct Thinning {
    job: Option<Job>,
    /// Something changed since the lane was found to need nothing.
    pub due: bool,
    last_slice: Option<Instant>,
    /// What was under way ended with an error.
    failed: bool,
}

struct Job {
    /// The generation, by its id.
    of: u64,
    how: Thin,
    /// The record to read next.
    at: Seq,
    step: Step,
}

enum Step {
    Survey(Box<dyn Survey>),
    Write(Box<Rewrite>),
}

struct Rewrite {
    to: Generation,
    /// Those that may go, in order.
    gone: Vec<Seq>,
    /// Those that went, and for whom they were.
    removed: MaskRuns,
    per_bit: PerBit,
}

enum Progress {
    More,
    Done,
}

// === impl Thinning ===

impl Thinning {
    pub fn is_under_way(&self) -> bool {
        self.job.is_some()
    }

    /// There is something to do at once, when others let it.
    pub fn is_pressing(&self) -> bool {
        self.due || self.is_under_way()
    }
}

// === impl Owner: when ===

impl Owner {
    /// Chooses what is thinned next, when the lane fills up.
    pub fn plan_thinning(&mut self) {
        if !self.thinning.due || self.thinning.is_under_way() {
            return;
        }
        self.thinning.due = false;
        let filled = self.shelf.disk_bytes() * 100 >= self.options.max_bytes * FROM_PERCENT;
        if filled {
            self.thinning.job = self.next_to_thin();
        }
    }

    /// The gentlest that is still to be done, and of that the oldest.
    fn next_to_thin(&self) -> Option<Job> {
        let thinner = self.tools.thinner.as_ref();
        let thinner = thinner.filter(|_| self.options.on_full == OnFull::Thin)?;
        let passed = locked(&self.shared.book).passed();
        let wanted = |generation: &&Generation| {
            let info = &generation.info;
            let needed = info.last > passed.0
                || locked(&self.shared.book).needed_by_replay(info.first, info.last);
            info.sealed && !info.damaged && info.records > 0 && needed
        };
        let wanted = self.shelf.generations.iter().filter(wanted);
        let levels: Vec<_> = wanted
            .map(|generation| {
                let dir = generation.info.dir(&self.shelf.dir);
                (Thinned::of(&dir).level(), &generation.info)
            })
            .collect();
        Thin::ALL.into_iter().find_map(|how| {
            let next = levels.iter().find(|(level, _)| *level < Some(how));
            next.map(|(_, info)| Job {
                of: info.id,
                how,
                at: Seq(info.first),
                step: Step::Survey(thinner.survey(how)),
            })
        })
    }

    /// Goes on for a moment, unless others had too little time since.
    pub fn thin_a_little(&mut self, now: Instant, others_wait: bool) {
        let recent = self.thinning.last_slice.is_some_and(|at| now < at + PAUSE);
        if self.thinning.is_under_way() && !(others_wait && recent) {
            self.thin_until(now + SLICE);
            self.thinning.last_slice = Some(Instant::now());
        }
    }

    /// Finishes what is under way, or a whole generation; whether there was any, and the disk let it.
    pub fn thin_one(&mut self) -> bool {
        if !self.thinning.is_under_way() {
            self.thinning.job = self.next_to_thin();
        }
        let any = self.thinning.is_under_way();
        self.thinning.failed = false;
        while self.thinning.is_under_way() {
            self.thin_until(Instant::now() + SLICE);
        }
        any && !self.thinning.failed
    }

    /// Room on the disk that is left for the generation that takes the place of another.
    pub fn room_to_thin(&self) -> u64 {
        if self.options.on_full != OnFull::Thin {
            return 0;
        }
        let generations = self.shelf.generations.iter();
        let largest = generations.map(|generation| generation.info.disk_bytes);
        largest.max().unwrap_or(0)
    }

    /// Leaves it; the next time it begins anew.
    pub fn stop_thinning(&mut self) {
        if let Some(Job {
            step: Step::Write(rewrite),
            ..
        }) = self.thinning.job.take()
        {
            self.shelf.remove_dir(rewrite.to);
        }
        self.shelf.beside_bytes = 0;
    }
}

// === impl Owner: how ===

impl Owner {
    fn thin_until(&mut self, end: Instant) {
        loop {
            match self.thin_step() {
                Ok(Progress::More) if Instant::now() < end => {}
                Ok(Progress::More) => return,
                Ok(Progress::Done) => {
                    self.thinning.due = true;
                    return self.stop_thinning();
                }
                Err(error) => {
                    tracing::warn!(dir = %self.shelf.dir.display(), %error, "a generation could not be thinned");
                    self.thinning.failed = true;
                    return self.stop_thinning();
                }
            }
        }
    }

    /// Reads one block, or turns to what comes next.
    fn thin_step(&mut self) -> Result<Progress, EngineError> {
        let Some(Job { of, at, .. }) = self.thinning.job else {
            return Ok(Progress::Done);
        };
        let Some(index) = self.shelf.index_of(of) else {
            return Ok(Progress::Done); // it went, or was set aside
        };
        match self.shelf.block_after(index, at) {
            Ok(Some(records)) => self.thin_block(records),
            Ok(None) => self.thin_turn(index),
            Err(error @ EngineError::Damaged { .. }) => {
                // Those that cannot be read are counted, and a damaged generation is never thinned.
                self.repair(index, error).map_err(|error| {
                    EngineError::damaged("repair", &self.shelf.dir, error.to_string())
                })?;
                Ok(Progress::Done)
            }
            Err(error) => Err(error),
        }
    }

    fn thin_block(&mut self, records: Vec<Record>) -> Result<Progress, EngineError> {
        let (Some(job), Some(last)) = (&mut self.thinning.job, records.last()) else {
            return Ok(Progress::Done);
        };
        job.at = last.seq.next();
        match &mut job.step {
            Step::Survey(survey) => records.iter().for_each(|record| survey.look(record)),
            Step::Write(rewrite) => {
                let thinned = rewrite.thin(records);
                let blocks = self.packer.pack(&thinned);
                if let Some(segment) = &mut rewrite.to.segment {
                    segment.append(&blocks)?;
                    self.shelf.beside_bytes = segment.disk_bytes();
                }
                rewrite.to.info.count(&thinned);
            }
        }
        Ok(Progress::More)
    }

    /// Everything was read: the survey is followed by the writing, the writing by the exchange.
    fn thin_turn(&mut self, index: usize) -> Result<Progress, EngineError> {
        let Some(job) = self.thinning.job.take() else {
            return Ok(Progress::Done);
        };
        match job.step {
            Step::Survey(survey) => self.begin_rewrite(index, job.of, job.how, survey),
            Step::Write(rewrite) => {
                self.exchange(index, job.how, *rewrite)?;
                Ok(Progress::Done)
            }
        }
    }

    fn begin_rewrite(
        &mut self,
        index: usize,
        of: u64,
        how: Thin,
        survey: Box<dyn Survey>,
    ) -> Result<Progress, EngineError> {
        let mut gone = survey.gone();
        gone.sort_unstable();
        let info = &self.shelf.generations[index].info;
        let (first, dir) = (Seq(info.first), info.dir(&self.shelf.dir));
        if gone.is_empty() || (gone.len() as u64) * WORTH_PART < info.records {
            Thinned::of(&dir).mark(&dir, how)?;
            return Ok(Progress::Done);
        }
        let to = self.shelf.create(first)?;
        let rewrite = Rewrite {
            to,
            gone,
            removed: MaskRuns::default(),
            per_bit: PerBit::default(),
        };
        self.thinning.job = Some(Job {
            of,
            how,
            at: first,
            step: Step::Write(Box::new(rewrite)),
        });
        Ok(Progress::More)
    }

    /// Puts the new generation in place of the old one, counts what went, and removes the old one.
    fn exchange(&mut self, index: usize, how: Thin, rewrite: Rewrite) -> Result<(), EngineError> {
        let Rewrite {
            mut to,
            removed,
            per_bit,
            ..
        } = rewrite;
        if let Err(error) = self.complete(index, how, per_bit, &mut to) {
            self.shelf.remove_dir(to);
            return Err(error);
        }
        let (first, last, records) = (to.info.first, Seq(to.info.last), to.info.records);
        let of = self.shelf.generations[index].info.id;
        let damaged = self.damaged_generations();
        self.shelf.name_instead(index, &mut to, self.next)?;
        // Acknowledgements that came before this are told from the old one, those that come later from the new one.
        let Some(index) = self.count_thinned(of, &to.info, &removed) else {
            return Ok(()); // it turned out to be damaged: that was counted, and the manifest names what is left of it
        };
        let old = std::mem::replace(&mut self.shelf.generations[index], to);
        if self.damaged_generations() != damaged {
            self.shelf.write_manifest(self.next)?; // another was, and the manifest has the old one again
        }
        tracing::info!(dir = %self.shelf.dir.display(), first, through = last.0, before = old.info.records, after = records, ?how, "the queue fills up: readings were thinned and counted");
        self.persist_cursors()?; // if it fails, the old directory waits for the next open
        self.shelf.remove_dir(old);
        self.shelf.beside_bytes = 0;
        self.refresh_figures();
        Ok(())
    }

    /// Makes the new generation durable, whole and closed.
    fn complete(
        &mut self,
        index: usize,
        how: Thin,
        per_bit: PerBit,
        to: &mut Generation,
    ) -> Result<(), EngineError> {
        let dir = to.info.dir(&self.shelf.dir);
        let from = self.shelf.generations[index].info.dir(&self.shelf.dir);
        if let Some(segment) = &mut to.segment {
            segment.sync()?;
        }
        spool::link(&from, &dir)?;
        Thinned::by(how, per_bit).mark(&dir, how)?;
        sync_dir(&dir).map_err(|source| EngineError::disk("sync", &dir, source))?;
        self.shelf.close(to);
        Ok(())
    }

    fn damaged_generations(&self) -> u64 {
        locked(&self.shared.figures).damaged_generations
    }

    /// Counts what went of the generation `of` when `to` was written in its place; where it stands, if it is whole.
    fn count_thinned(&mut self, of: u64, to: &GenerationInfo, removed: &MaskRuns) -> Option<usize> {
        let last = Seq(to.last);
        loop {
            self.settle();
            let index = self.shelf.index_of(of)?;
            let info = &self.shelf.generations[index].info;
            if info.damaged {
                return None;
            }
            let first = info.first;
            let mut tail = locked(&self.shared.tail);
            let mut book = locked(&self.shared.book);
            if book.has_unsettled() {
                continue; // an acknowledgement came in between
            }
            tail.trim(last); // from here on it is read from the new generation
            let counts = |after: Seq, until: Seq| removed.count_between(after.0, until.0);
            let read = |bit| tail.read_through(bit);
            book.write_off(Gone::Thinned, first, last, read, counts);
            book.thinned_through = to.id;
            return Some(index);
        }
    }
}

// === impl Rewrite ===

impl Rewrite {
    /// The same numbers, of which those that go are left empty. Bodies in files of their own stay.
    fn thin(&mut self, mut records: Vec<Record>) -> Vec<Record> {
        let mut previous = None;
        for record in &mut records {
            let goes = self.gone.binary_search(&record.seq).is_ok()
                && matches!(record.body, Body::Bytes(_))
                && !record.routes.is_empty();
            if goes {
                self.removed.push(std::slice::from_ref(record));
                self.per_bit.add(record.routes, 1);
                record.at = previous.unwrap_or(record.at); // so that it takes next to no room
                (record.routes, record.body) = (RouteMask::EMPTY, Vec::new().into());
            }
            previous = Some(record.at);
        }
        records
    }
}
