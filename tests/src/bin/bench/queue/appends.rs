//! Durable appends a second: the same batches, as many of them on their way at once, for each contender.

use std::{
    collections::VecDeque,
    fmt, fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::Bytes;
use fieldgate_tests::telemetry::{PLANT, Telemetry};

use super::{
    lane::BenchLane,
    nats::{self, Message},
    plain_log::{PlainLog, Sync},
};
use crate::support;

/// Readings in a batch.
pub const SIZES: [usize; 4] = [1, 10, 100, 1000];
/// Batches on their way at once, for every contender: what may be grouped into one sync.
pub const OUTSTANDING: usize = 8;
/// Frames that are made before the clock runs; then they come again.
const POOL: usize = 200_000;

/// The size at which NATS is measured as well.
pub const USUAL: usize = 100;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The queue.
    Lane,
    /// A plain log that syncs after each append.
    Plain,
    /// A plain log with group commit.
    Grouped,
    /// NATS, a message a reading.
    NatsReadings,
    /// NATS, a message a batch.
    NatsBatches,
}

/// What one window showed.
#[derive(Clone, Copy)]
pub struct Rate {
    pub appends_per_s: f64,
    /// Bytes that this process had the kernel write for each payload byte.
    pub written_per_byte: f64,
}

/// One size in one round.
pub struct Round {
    pub size: usize,
    rates: Vec<(Contender, Rate)>,
}

pub fn frames() -> Vec<Bytes> {
    Telemetry::new(PLANT, 1).frames(POOL)
}

// === impl Contender ===

impl Contender {
    const ALL: [Self; 5] = [
        Self::Lane,
        Self::Plain,
        Self::Grouped,
        Self::NatsReadings,
        Self::NatsBatches,
    ];

    fn takes_part(self, size: usize) -> bool {
        size == USUAL || !matches!(self, Self::NatsReadings | Self::NatsBatches)
    }

    /// Appends batches of `size` readings for the time given, into nothing that was there before.
    fn measure(
        self,
        folder: &Path,
        server: &nats::Server,
        frames: &[Bytes],
        size: usize,
        window: Duration,
    ) -> Result<Rate> {
        let mut batches = Batches::new(frames, size);
        fs::create_dir_all(folder)?;
        let runtime = support::single_thread()?;
        let mut plain = |sync| runtime.block_on(plain_log(folder, sync, &mut batches, window));
        let rate = match self {
            Self::Plain => plain(Sync::EachAppend),
            Self::Grouped => plain(Sync::Group),
            Self::Lane => runtime.block_on(lane(folder, &mut batches, window)),
            Self::NatsReadings => server.appends(Message::Reading, &mut batches, window),
            Self::NatsBatches => server.appends(Message::Batch, &mut batches, window),
        };
        fs::remove_dir_all(folder)?;
        rate
    }
}

async fn lane(folder: &Path, batches: &mut Batches<'_>, window: Duration) -> Result<Rate> {
    let lane = BenchLane::open(folder)?;
    let rate = busy(batches, window, async |batch| lane.append(batch).await).await?;
    lane.close().await?;
    Ok(rate)
}

async fn plain_log(
    folder: &Path,
    sync: Sync,
    batches: &mut Batches<'_>,
    window: Duration,
) -> Result<Rate> {
    let log = PlainLog::create(&folder.join("log"), sync)?;
    let rate = busy(batches, window, async |batch| log.append(batch)).await?;
    log.close()?;
    Ok(rate)
}

/// Keeps [`OUTSTANDING`] batches on their way; counts those that became durable.
async fn busy<T: Future<Output = Result<()>>>(
    batches: &mut Batches<'_>,
    window: Duration,
    mut append: impl AsyncFnMut(Vec<Bytes>) -> Result<T>,
) -> Result<Rate> {
    let meter = Meter::start()?;
    let mut waiting = VecDeque::new();
    let mut durable = 0;
    while meter.started.elapsed() < window {
        if waiting.len() == OUTSTANDING
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.await?;
            durable += 1;
        }
        waiting.push_back(append(batches.next()).await?);
    }
    for ticket in waiting {
        ticket.await?;
        durable += 1;
    }
    meter.rate(durable, batches.bytes)
}

// === impl Batches ===

/// The pool of frames cut into batches, again and again.
pub struct Batches<'a> {
    frames: &'a [Bytes],
    size: usize,
    at: usize,
    /// Payload handed out so far.
    pub bytes: usize,
}

impl<'a> Batches<'a> {
    pub fn new(frames: &'a [Bytes], size: usize) -> Self {
        Self {
            frames,
            size,
            at: 0,
            bytes: 0,
        }
    }

    pub fn next(&mut self) -> Vec<Bytes> {
        if self.at + self.size > self.frames.len() {
            self.at = 0;
        }
        let batch = self.frames[self.at..self.at + self.size].to_vec();
        self.at += self.size;
        self.bytes += batch.iter().map(Bytes::len).sum::<usize>();
        batch
    }
}

// === impl Meter ===

/// Time and written bytes since the start of a window.
pub struct Meter {
    pub started: Instant,
    written: u64,
}

impl Meter {
    pub fn start() -> Result<Self> {
        Ok(Self {
            started: Instant::now(),
            written: support::written_bytes()?,
        })
    }

    pub fn rate(&self, appends: usize, payload_bytes: usize) -> Result<Rate> {
        let seconds = self.started.elapsed().as_secs_f64();
        Ok(Rate {
            appends_per_s: appends as f64 / seconds,
            written_per_byte: (support::written_bytes()? - self.written) as f64
                / payload_bytes as f64,
        })
    }
}

// === impl Round ===

impl Round {
    /// One window for each contender, one after another.
    pub fn measure(
        folder: &Path,
        server: &nats::Server,
        frames: &[Bytes],
        size: usize,
        window: Duration,
    ) -> Result<Self> {
        let measure = |contender: Contender| {
            let rate = contender.measure(folder, server, frames, size, window)?;
            Ok((contender, rate))
        };
        let contenders = Contender::ALL
            .into_iter()
            .filter(|contender| contender.takes_part(size));
        Ok(Self {
            size,
            rates: contenders.map(measure).collect::<Result<_>>()?,
        })
    }

    /// # Panics
    /// For one that does not take part at this size.
    pub fn of(&self, contender: Contender) -> Rate {
        let found = self.rates.iter().find(|(known, _)| *known == contender);
        found.expect("it takes part at this size").1
    }

    /// The queue's appends for each one of the other's.
    pub fn ratio(&self, other: Contender) -> f64 {
        self.of(Contender::Lane).appends_per_s / self.of(other).appends_per_s
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4} a batch, batches/s:", self.size)?;
        for (contender, rate) in &self.rates {
            write!(f, " {contender:?} {:.0}", rate.appends_per_s)?;
        }
        let written = self.of(Contender::Lane).written_per_byte;
        write!(f, "; {written:.2} bytes written a byte")
    }
}
