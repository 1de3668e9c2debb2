//! The floor: append and fdatasync of the same uncompressed bytes in a plain file.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::mpsc::{self, Receiver, SyncSender},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::appends::OUTSTANDING;

/// What one sync is for.
#[derive(Clone, Copy)]
pub enum Sync {
    /// One append: what a program does that writes a batch, syncs, and goes on.
    EachAppend,
    /// All that came while the last sync ran: group commit, and nothing else.
    Group,
}

pub struct PlainLog {
    jobs: SyncSender<Job>,
    thread: JoinHandle<Result<()>>,
}

struct Job {
    batch: Vec<Bytes>,
    durable: oneshot::Sender<()>,
}

// === impl PlainLog ===

impl PlainLog {
    pub fn create(path: &Path, sync: Sync) -> Result<Self> {
        let file = File::create(path)?;
        // Nobody sends more than so many without waiting.
        let (jobs, received) = mpsc::sync_channel(OUTSTANDING);
        let thread = thread::spawn(move || write(file, sync, &received));
        Ok(Self { jobs, thread })
    }

    pub fn append(&self, batch: Vec<Bytes>) -> Result<impl Future<Output = Result<()>> + use<>> {
        let (durable, answer) = oneshot::channel();
        self.jobs
            .send(Job { batch, durable })
            .ok()
            .context("the log has ended")?;
        Ok(async { answer.await.context("the log has ended") })
    }

    pub fn close(self) -> Result<()> {
        drop(self.jobs);
        self.thread.join().expect("the log does not panic")
    }
}

fn write(mut file: File, sync: Sync, jobs: &Receiver<Job>) -> Result<()> {
    let mut bytes = Vec::new();
    let others = match sync {
        Sync::EachAppend => 0,
        Sync::Group => OUTSTANDING,
    };
    while let Ok(job) = jobs.recv() {
        let group: Vec<Job> = std::iter::once(job)
            .chain(jobs.try_iter().take(others))
            .collect();
        bytes.clear();
        for frame in group.iter().flat_map(|job| &job.batch) {
            bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            bytes.extend_from_slice(frame);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        for job in group {
            // At the end of a window nobody waits for the last ones.
            let _ = job.durable.send(());
        }
    }
    Ok(())
}
