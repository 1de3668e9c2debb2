//! Verifying a lane that is open: piece by piece between two commits, so that it holds nothing up.

use std::time::Instant;

use crate::{
    error::{EngineError, StoreError},
    findings::{CheckReport, advice},
    lane::Lane,
    manifest::{GenerationInfo, dir_name},
    shelf::Shelf,
    spool,
    thread::{Owner, locked},
    types::Seq,
    walk::Walk,
};

/// A piece ends after so many bytes of blocks, or after a block with a spooled body.
const PIECE_BYTES: usize = 1 << 20;

/// How far a verification has come. It travels between the handle that asks and the thread that reads.
#[derive(Default)]
pub(crate) struct Verifying {
    pub report: CheckReport,
    pub done: bool,
    /// The generations before this are done with.
    next_first: u64,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    info: GenerationInfo,
    walk: Walk,
    spooled: u64,
}

/// The check of an open lane under way. Each step takes its turn between two commits, so that nothing is held up.
pub struct Verification {
    lane: Lane,
    at: Verifying,
    started: Instant,
    /// How many records the lane retained when it began.
    pub records: u64,
}

// === impl Verification ===

impl Verification {
    pub(crate) fn new(lane: Lane) -> Verification {
        let stats = lane.stats();
        Verification {
            records: stats.records,
            lane,
            at: Verifying::default(),
            started: Instant::now(),
        }
    }

    /// Reads up to a megabyte more; how many records were read so far, `None` when that was the end.
    ///
    /// # Errors
    /// When the lane is closed, or its disk does not answer.
    pub async fn step(&mut self) -> Result<Option<u64>, StoreError> {
        if self.at.done {
            return Ok(None);
        }
        self.at = self.lane.verify_on(std::mem::take(&mut self.at)).await?;
        Ok(Some(self.at.read()))
    }

    /// What was found so far: everything once [`Verification::step`] said `None`.
    #[must_use]
    pub fn report(self) -> CheckReport {
        CheckReport {
            took: self.started.elapsed(),
            ..self.at.report
        }
    }
}

impl Owner {
    /// Reads a piece more.
    pub fn verify(&mut self, mut verifying: Verifying) -> Verifying {
        if verifying.under_way.is_none() && !verifying.begin(&self.shelf) {
            verifying.report.routes = locked(&self.shared.book).balance();
            verifying.done = true;
            return verifying;
        }
        if let Some(mut way) = verifying.under_way.take() {
            match way.read(&mut self.shelf, &mut verifying.report) {
                Ok(Goes::On) => verifying.under_way = Some(way),
                Ok(Goes::Gone) => {}
                Ok(Goes::Done) => way.end(&self.shelf, &mut verifying.report),
                Err(error) => way.failed(&self.shelf, &error, &mut verifying.report),
            }
        }
        verifying
    }
}

enum Goes {
    On,
    Done,
    /// It was delivered and removed meanwhile.
    Gone,
}

// === impl Verifying ===

impl Verifying {
    fn read(&self) -> u64 {
        let whole = self.report.generations.iter().map(|one| one.records);
        let part = self.under_way.as_ref();
        whole.sum::<u64>() + part.map_or(0, |way| way.walk.records())
    }

    fn begin(&mut self, shelf: &Shelf) -> bool {
        let infos = shelf.generations.iter().map(|generation| &generation.info);
        let Some(info) = infos.into_iter().find(|info| info.first >= self.next_first) else {
            return false;
        };
        self.next_first = info.first.max(info.last) + 1;
        self.under_way = Some(UnderWay {
            info: info.clone(),
            walk: Walk::new(info, Seq(info.last)),
            spooled: 0,
        });
        true
    }
}

// === impl UnderWay ===

impl UnderWay {
    fn read(&mut self, shelf: &mut Shelf, report: &mut CheckReport) -> Result<Goes, EngineError> {
        let place = self.info.dir(&shelf.dir);
        let mut bytes = 0;
        while bytes < PIECE_BYTES {
            let Some(block) = shelf.block_of(self.info.id, self.walk.want())? else {
                return Ok(Goes::Gone);
            };
            let Some(block) = block else {
                return Ok(Goes::Done);
            };
            bytes += block.bytes.len();
            let Some(mut records) = self.walk.take(&block) else {
                return Ok(Goes::Done);
            };
            let spooled = spool::check(&place, &mut records, report)?;
            self.spooled += spooled;
            if spooled > 0 {
                break;
            }
        }
        Ok(Goes::On)
    }

    fn end(self, shelf: &Shelf, report: &mut CheckReport) {
        let (place, last) = (self.info.dir(&shelf.dir), Seq(self.info.last));
        report.generation(
            place,
            &self.walk.end(),
            self.info.records,
            last,
            self.spooled,
        );
    }

    fn failed(self, shelf: &Shelf, error: &EngineError, report: &mut CheckReport) {
        let (lost, advice) = match error {
            EngineError::Damaged { .. } => (self.info.records, advice::RESTART),
            _ => (0, advice::DISK),
        };
        let what = format!("{}: {error}", dir_name(self.info.id));
        report.find(self.info.dir(&shelf.dir), what, lost, advice);
    }
}
