//! A far side that remembers all that it was sent, and says no in every way there is.

use std::{collections::BTreeMap, time::Duration};

use fieldgate_kit::{Batch, Origin, Receipt, Refusal, Rejected, SinkError, Throttle};

/// What has arrived, in order.
#[derive(Debug, Default)]
pub struct FarSide {
    pub arrived: Vec<(char, u64, Origin)>,
    /// Of each lane and number: how often it was taken for good.
    pub taken: BTreeMap<(char, u64), u32>,
}

/// Ways to answer a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Refuses, postpones and takes readings of one batch.
    Mixed,
    RefusesWhole,
    TooLarge,
    Throttles,
}

// === impl FarSide ===

impl FarSide {
    pub fn arrive(&mut self, batch: &Batch) {
        let readings = batch.readings.iter();
        let arrived = readings.map(|sent| (batch.lane, sent.seq, sent.origin));
        self.arrived.extend(arrived);
    }

    pub fn answer(&mut self, batch: &Batch, mood: Mood, seed: u64) -> Result<Receipt, SinkError> {
        let mut receipt = Receipt::default();
        match mood {
            Mood::Well => {}
            Mood::RefusesWhole => return Err(SinkError::Rejected("malformed".into())),
            Mood::TooLarge => return Err(SinkError::TooLarge("413".into())),
            Mood::Throttles => {
                let retry_after =
                    (seed.is_multiple_of(2)).then(|| Duration::from_millis(seed % 5_000));
                let why = "429".into();
                return Err(SinkError::Throttled(Throttle { retry_after, why }));
            }
            Mood::Mixed => mix(batch, seed, &mut receipt),
        }
        for sent in batch.readings.iter() {
            let refused = receipt.rejected.iter().any(|no| no.seq == sent.seq);
            if !refused && !receipt.postponed.contains(&sent.seq) {
                *self.taken.entry((batch.lane, sent.seq)).or_default() += 1;
            }
        }
        Ok(receipt)
    }
}

fn mix(batch: &Batch, seed: u64, receipt: &mut Receipt) {
    for sent in batch.readings.iter() {
        match (sent.seq ^ seed) % 7 {
            0 | 1 => receipt.rejected.push(Rejected {
                seq: sent.seq,
                why: "not allowed".into(),
                refusal: if seed.is_multiple_of(3) {
                    Refusal::Final
                } else {
                    Refusal::MayPass
                },
            }),
            2 => receipt.postponed.push(sent.seq),
            _ => {}
        }
    }
    if !receipt.postponed.is_empty() {
        receipt.throttled = Some(Throttle {
            retry_after: None,
            why: "quota".into(),
        });
    }
}
