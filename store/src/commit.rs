//! A commit: everything gathered becomes one write and one sync, or moves to a new generation, or is refused.

use std::{sync::Arc, time::Instant};

use crate::{
    block::Block,
    error::EngineError,
    record::{Body, Record},
    refuse::Drained,
    spool::{self, Spooled},
    thread::{Batch, Owner, locked, span},
    types::{Appended, Seq},
};

impl Owner {
    /// Commits what was gathered, after what is older and still in the ring.
    pub fn commit_gathered(&mut self) {
        if self.gather.is_empty() && self.ring.is_empty() {
            return;
        }
        let drained = self.drain_ring();
        if drained == Drained::Refused {
            let batches = self.gather.take(Instant::now());
            return self.refused(batches);
        }
        let room = match drained {
            Drained::HeldBack => Ok(false),
            _ if self.gather.is_empty() => Ok(true),
            _ => self.make_room(self.gather.bytes() as u64),
        };
        self.hold_back(matches!(room, Ok(false)));
        if self.held_back || self.gather.is_empty() {
            return;
        }
        let mut batches = self.gather.take(Instant::now());
        let outcome = room.and_then(|_| self.commit(&mut batches));
        match outcome {
            Ok(()) => self.committed(batches),
            Err(error) => {
                self.note_refusal(&error);
                self.refused(batches);
            }
        }
        self.gather
            .committed(Instant::now(), self.shared.under_way());
        self.roll_if_full();
    }

    fn hold_back(&mut self, held_back: bool) {
        self.held_back = held_back;
        self.fairness.hold(held_back, Instant::now());
        locked(&self.shared.figures).held_back = held_back;
        locked(&self.shared.book).wake_on_ack = held_back;
    }

    /// Tells who waits for a commit.
    pub fn committed(&mut self, batches: Vec<Batch>) {
        if self.trouble.commit.is_some() {
            self.disk_is_well();
        }
        release(batches, self.next);
    }

    /// Writes and counts the entries of `batches`. After a failure they have them still.
    pub fn commit(&mut self, batches: &mut [Batch]) -> Result<(), EngineError> {
        let started = Instant::now();
        let mut records = number(batches, self.next);
        let Some(last) = records.last().map(|record| record.seq) else {
            return Ok(());
        };
        let large = spool::take_out(&mut records);
        let blocks = self.packer.pack(&records);
        let written = self.write(&blocks, &large);
        spool::put_back(&mut records, large);
        if let Err(error) = written {
            give_back(batches, records);
            return Err(error);
        }
        let generation = self
            .shelf
            .writer()
            .expect("the blocks were just written to it");
        generation.info.count(&records);
        let (info, disk_bytes) = (span(&generation.info), self.shelf.disk_bytes());
        self.next = last.next();
        self.publish(records, last);
        let mut figures = locked(&self.shared.figures);
        if let Some(open) = figures.spans.last_mut() {
            *open = info;
        }
        figures.disk_bytes = disk_bytes;
        figures.commits += 1;
        figures.last_commit = started.elapsed();
        Ok(())
    }

    /// Into memory first, so that whoever hears of the new end finds it there.
    fn publish(&mut self, records: Vec<Record>, last: Seq) {
        let passed = {
            let mut book = locked(&self.shared.book);
            book.appended(&records);
            book.passed()
        };
        locked(&self.shared.tail).push(Arc::new(records), passed);
        self.shared.durable.send_replace(last);
    }

    /// Writes and syncs; after a failure once more into a new generation: what a failed sync left behind is not trusted.
    fn write(&mut self, blocks: &[Block], large: &[Spooled]) -> Result<(), EngineError> {
        if self.shelf.writer().is_none() {
            self.start_generation()?;
        }
        let Err(error) = self.write_once(blocks, large) else {
            return Ok(());
        };
        if self.trouble.commit.is_none() {
            tracing::warn!(dir = %self.shelf.dir.display(), %error, "a commit failed; it is tried again in a new generation");
        }
        self.retire_writer();
        self.start_generation()?;
        self.write_once(blocks, large)
            .inspect_err(|_| self.retire_writer())
    }

    /// The large bodies first: a block never names a file that is not durable.
    fn write_once(&mut self, blocks: &[Block], large: &[Spooled]) -> Result<(), EngineError> {
        self.shelf.spool(large)?;
        let generation = self.shelf.writer().expect("the caller started one");
        let segment = generation
            .segment
            .as_mut()
            .expect("the generation that is written stays open");
        segment.commit(blocks)
    }

    /// Takes a writer out of use after a failure, and has the manifest say at once where its accepted records end: what a
    /// failed commit left behind them was refused. Should that fail too, refused records may turn up after a restart.
    fn retire_writer(&mut self) {
        let Some(generation) = self.shelf.writer() else {
            return;
        };
        generation.segment = None;
        if generation.info.is_empty() {
            return self.discard_writer();
        }
        self.shelf.seal_writer();
        if let Err(error) = self.shelf.write_manifest(self.next) {
            tracing::warn!(%error, "the end of a failed generation could not be written down");
        }
    }

    /// Removes a writer that holds nothing, so that a disk that refuses for hours does not fill with directories.
    fn discard_writer(&mut self) {
        let discarded = self.shelf.generations.pop();
        self.shelf.spooled_bytes = 0;
        match self.shelf.write_manifest(self.next) {
            Ok(()) => discarded
                .into_iter()
                .for_each(|empty| self.shelf.remove_dir(empty)),
            Err(error) => {
                tracing::debug!(%error, "an empty generation stays until the next start: the manifest names it")
            }
        }
    }

    /// Seals the writer, if there is one, and puts a new one behind it: directory, cursors, manifest, in this order.
    pub fn start_generation(&mut self) -> Result<(), EngineError> {
        let generation = self.shelf.create(self.next)?;
        self.shelf.seal_writer();
        self.shelf.generations.push(generation);
        if let Err(error) = self.persist_cursors() {
            let unnamed = self.shelf.generations.pop();
            unnamed
                .into_iter()
                .for_each(|unnamed| self.shelf.remove_dir(unnamed));
            return Err(error);
        }
        if let Err(error) = self.shelf.write_manifest(self.next) {
            self.shelf.generations.pop(); // its directory stays: the manifest may name it all the same
            return Err(error);
        }
        self.thinning.due = true;
        self.refresh_figures();
        Ok(())
    }

    pub fn roll_if_full(&mut self) {
        let (limit, spooled) = (self.options.generation_bytes, self.shelf.spooled_bytes);
        let is_full = self.shelf.writer().is_some_and(|open| {
            let allocated = open
                .segment
                .as_ref()
                .map_or(0, |segment| segment.disk_bytes());
            !open.info.is_empty() && allocated + spooled >= limit
        });
        if !is_full {
            return;
        }
        if let Err(error) = self.start_generation() {
            tracing::warn!(%error, "the next generation could not be started; the next commit tries again");
            return;
        }
        self.remove_delivered();
    }
}

/// Gives the entries of all batches their numbers.
fn number(batches: &mut [Batch], next: Seq) -> Vec<Record> {
    let mut records = Vec::with_capacity(batches.iter().map(|batch| batch.entries.len()).sum());
    let mut seq = next;
    for entry in batches
        .iter_mut()
        .flat_map(|batch| batch.entries.iter_mut())
    {
        let body = std::mem::take(&mut entry.body);
        records.push(Record {
            seq,
            routes: entry.routes,
            at: entry.at,
            body: body.into(),
        });
        seq = seq.next();
    }
    records
}

/// Puts the bodies of a commit that failed back into its entries.
fn give_back(batches: &mut [Batch], records: Vec<Record>) {
    let entries = batches
        .iter_mut()
        .flat_map(|batch| batch.entries.iter_mut());
    for (entry, record) in entries.zip(records) {
        if let Body::Bytes(bytes) = record.body {
            entry.body = bytes;
        }
    }
}

/// Resolves the tickets of a commit that ended just before `next`.
fn release(batches: Vec<Batch>, next: Seq) {
    let records: usize = batches.iter().map(|batch| batch.entries.len()).sum();
    let mut first = Seq(next.0 - records as u64);
    for batch in batches {
        let end = first.0 + batch.entries.len() as u64;
        drop(batch.reply.send(Ok(Appended {
            first,
            last: Seq(end - 1),
        }))); // who dropped the ticket does not want to know
        drop((batch.room, batch.crowd));
        first = Seq(end);
    }
}
