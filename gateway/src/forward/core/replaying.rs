//! `Replaying`: a replay beside what is new, with a cursor and a rate of its own.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use fieldgate_store::Seq;

use super::{
    pace::Bucket,
    segment::Exits,
    track::Track,
    words::{Output, Replay},
};

#[derive(Debug)]
pub struct Replaying {
    pub order: Replay,
    pub track: Track,
    pub bucket: Option<Bucket>,
    pub blocked_until: Duration,
    /// How often records were refused for their own sake. Only those that were.
    pub attempts: HashMap<Seq, u32>,
}

// === impl Replaying ===

impl Replaying {
    pub fn cap(&mut self, rate: u32) {
        if self.order.rate != rate {
            self.order.rate = rate;
            self.bucket = NonZeroU32::new(rate).map(Bucket::new);
        }
    }

    pub fn advance(&mut self, out: &mut Vec<Output>) {
        let before = self.order.through;
        let mut exits = Exits::default();
        while let Some(segment) = self.track.pass() {
            self.order.through = segment.through;
            exits.merge(segment.into_exits());
        }
        if self.order.through > before {
            let through = self.order.through;
            self.attempts.retain(|seq, _| *seq > through);
            out.push(Output::Replayed {
                id: Arc::clone(&self.order.id),
                lane: self.order.lane,
                through: self.order.through,
                tally: exits.tally(),
            });
        }
    }
}
