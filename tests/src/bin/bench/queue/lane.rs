//! The queue as the benches use it: one consumer, one route, appends that somebody waits for.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use fieldgate_store::{
    Entry, Exit, Lane, LaneOptions, LaneStats, OnFull, PeekLimits, RouteBit, Seq, Stamp, Tally,
    Urgency,
};

const CONSUMER: &str = "drain";
const MAX_BYTES: u64 = 8 << 30;

pub struct BenchLane {
    lane: Lane,
    bit: RouteBit,
}

impl BenchLane {
    pub fn open(folder: &Path) -> Result<Self> {
        let options = LaneOptions::new(MAX_BYTES, OnFull::RefuseNewest);
        let (lane, report) = Lane::open(&folder.join("lane"), options)?;
        anyhow::ensure!(report.findings.is_empty(), "damage: {:?}", report.findings);
        lane.consumer(CONSUMER)?;
        let bit = lane.route_bit("bench→drain", CONSUMER)?;
        Ok(Self { lane, bit })
    }

    /// Sends a batch on its way; what it returns resolves when the batch is durable.
    pub async fn append(
        &self,
        batch: Vec<Bytes>,
    ) -> Result<impl Future<Output = Result<()>> + use<>> {
        let entry = |body| Entry {
            routes: self.bit.into(),
            at: Stamp::default(),
            body,
        };
        let entries = batch.into_iter().map(entry).collect();
        let ticket = self.lane.append(entries, Urgency::Waiting).await?;
        Ok(async move { Ok(ticket.await.map(drop)?) })
    }

    /// Reads and acknowledges everything; returns how many readings that were.
    pub async fn drain(&self) -> Result<u64> {
        let limits = PeekLimits {
            records: 8000,
            bytes: 2 << 20,
        };
        let end = *self.lane.durable().borrow();
        let (mut at, mut count) = (self.lane.consumer(CONSUMER)?.through, 0);
        while at < end {
            let page = self.lane.peek(at, self.bit.into(), limits).await?;
            let records = page.records.len() as u64;
            let first = page.records.first().context("a page without readings")?;
            anyhow::ensure!(first.seq == at.next(), "record {} is missing", at.next());
            at = page.scanned_through;
            count += records;
            self.lane
                .ack(CONSUMER, at, Tally(vec![(self.bit, Exit::Acked, records)]));
        }
        Ok(count)
    }

    /// Reads the first record.
    pub async fn first(&self) -> Result<Seq> {
        let limits = PeekLimits {
            records: 1,
            bytes: 1,
        };
        let page = self.lane.peek(Seq(0), self.bit.into(), limits).await?;
        Ok(page.records.first().context("it is empty")?.seq)
    }

    pub fn stats(&self) -> LaneStats {
        self.lane.stats()
    }

    pub fn unaccounted(&self) -> i64 {
        self.lane
            .balance()
            .iter()
            .map(|route| route.unaccounted())
            .sum()
    }

    pub async fn close(self) -> Result<()> {
        Ok(self.lane.close().await?)
    }
}
