//! A commit: everything gathered becomes one write and one sync, or moves to a new generation, or is refused.

use std::{sync::Arc, time::Instant};

use crate::{
    block::Block,
    error::{AppendError, EngineError},
    record::Record,
    spool::{self, Spooled},
    thread::{Batch, Owner, locked, span},
    types::{Appended, Seq},
};

impl Owner {
    pub fn commit_gathered(&mut self) {
        if self.gather.is_empty() {
            return;
        }
        let room = self.make_room(self.gather.bytes() as u64);
        self.held_back = matches!(room, Ok(false));
        locked(&self.shared.figures).held_back = self.held_back;
        locked(&self.shared.book).wake_on_ack = self.held_back;
        if self.held_back {
            return;
        }
        let mut batches = self.gather.take(Instant::now());
        let outcome = room.and_then(|_| self.commit(&mut batches));
        self.gather
            .committed(Instant::now(), self.shared.under_way());
        match outcome {
            Ok(()) => release(batches, self.next),
            Err(error) => refuse(batches, &error),
        }
        self.roll_if_full();
    }

    fn commit(&mut self, batches: &mut [Batch]) -> Result<(), EngineError> {
        let started = Instant::now();
        let mut records = number(batches, self.next);
        let Some(last) = records.last().map(|record| record.seq) else {
            return Ok(());
        };
        let large = spool::take_out(&mut records);
        let blocks = self.packer.pack(&records);
        self.write(&blocks, &large)?;
        spool::put_back(&mut records, large);
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
        tracing::warn!(dir = %self.shelf.dir.display(), %error, "a commit failed; it is tried again in a new generation");
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
        segment.append(blocks)?;
        segment.sync()
    }

    /// Takes a writer out of use after a failure, and has the manifest say at once where its accepted records end: what a
    /// failed commit left behind them was refused. Should that fail too, refused records may turn up after a restart.
    fn retire_writer(&mut self) {
        let Some(generation) = self.shelf.writer() else {
            return;
        };
        generation.segment = None;
        if generation.info.is_empty() {
            self.shelf.generations.pop(); // its directory is removed at the next open
            self.shelf.spooled_bytes = 0;
        } else {
            self.shelf.seal_writer();
        }
        if let Err(error) = self.shelf.write_manifest(self.next) {
            tracing::warn!(%error, "the end of a failed generation could not be written down");
        }
    }

    /// Seals the writer, if there is one, and puts a new one behind it: directory, cursors, manifest, in this order.
    pub fn start_generation(&mut self) -> Result<(), EngineError> {
        let generation = self.shelf.create(self.next)?;
        self.shelf.seal_writer();
        self.shelf.generations.push(generation);
        let stored = self
            .persist_cursors()
            .and_then(|()| self.shelf.write_manifest(self.next));
        if let Err(error) = stored {
            self.shelf.generations.pop();
            return Err(error);
        }
        self.refresh_figures();
        Ok(())
    }

    fn roll_if_full(&mut self) {
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

fn refuse(batches: Vec<Batch>, error: &EngineError) {
    tracing::error!(%error, "a commit failed");
    let refusal = match error {
        EngineError::Disk { path, source, .. } => AppendError::Disk {
            path: path.clone(),
            reason: source.to_string(),
        },
        EngineError::Damaged { path, reason, .. } => AppendError::Disk {
            path: path.clone(),
            reason: reason.clone(),
        },
        EngineError::Locked { path } => AppendError::Disk {
            path: path.clone(),
            reason: "it is locked".into(),
        },
    };
    for batch in batches {
        drop(batch.reply.send(Err(refusal.clone())));
    }
}
