//! How long the disk takes to make 4 KiB durable at this moment: printed beside every round.

use std::{fs::File, io::Write, path::Path, time::Instant};

use anyhow::Result;

use super::median;

const SYNCS: usize = 41;

/// The median of an append of 4 KiB and its fdatasync, in milliseconds.
pub fn p50_ms(folder: &Path) -> Result<f64> {
    let path = folder.join("sync");
    let mut file = File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(path)?;
    Ok(median(took))
}
