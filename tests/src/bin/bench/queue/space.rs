//! Bytes on the disk for each live byte: the whole folder of a lane that holds everything it was given.

use std::{collections::VecDeque, fs, path::Path};

use anyhow::Result;
use bytes::Bytes;
use fieldgate_tests::telemetry::{PLANT, Telemetry};

use super::{appends::OUTSTANDING, lane::BenchLane};
use crate::support;

/// Readings in a batch.
const BATCH: usize = 100;
/// Several of the queue's generations.
const PAYLOAD_BYTES: usize = 96 << 20;
const RANDOM_BODY_BYTES: usize = 200;

pub fn telemetry() -> Vec<Bytes> {
    Telemetry::new(PLANT, 2).frames(500_000)
}

pub fn random() -> Vec<Bytes> {
    let mut random = fastrand::Rng::with_seed(3);
    let body = |_| {
        let mut body = vec![0; RANDOM_BODY_BYTES];
        random.fill(&mut body);
        Bytes::from(body)
    };
    (0..200_000).map(body).collect()
}

/// Fills a lane, closes it, and compares its folder with what it holds.
pub fn disk_ratio(folder: &Path, frames: &[Bytes]) -> Result<f64> {
    let payload = support::single_thread()?.block_on(fill(folder, frames))?;
    let ratio = support::allocated_bytes(folder)? as f64 / payload as f64;
    fs::remove_dir_all(folder)?;
    Ok(ratio)
}

async fn fill(folder: &Path, frames: &[Bytes]) -> Result<usize> {
    let lane = BenchLane::open(folder)?;
    let mut waiting = VecDeque::new();
    let mut payload = 0;
    for batch in frames.chunks(BATCH).cycle() {
        if payload >= PAYLOAD_BYTES {
            break;
        }
        payload += batch.iter().map(Bytes::len).sum::<usize>();
        waiting.push_back(lane.append(batch.to_vec()).await?);
        if waiting.len() == OUTSTANDING
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.await?;
        }
    }
    for ticket in waiting {
        ticket.await?;
    }
    lane.close().await?;
    Ok(payload)
}
