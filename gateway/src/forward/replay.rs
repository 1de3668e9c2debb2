//! A replay beside what is new: one page at a time, never faster than its rate, acknowledged to the replay's own cursor.

use std::time::{Duration, Instant};

use fieldgate_kit::{BoxSink, SinkError};
use fieldgate_store::{PeekLimits, Replay, Seq};
use futures::{FutureExt, future::BoxFuture};
use tokio::time;
use tower::ServiceExt;

use super::{
    Forwarder,
    attempt::{Answered, Driver, alongside, call},
    page::Sending,
};
use crate::{
    lanes::LaneKind,
    replays::{self, Name},
    supervisor::Cause,
    telemetry::now,
};

/// How often it is looked whether there is a replay.
const LOOK: Duration = Duration::from_secs(1);

/// The replay of one attempt.
pub struct Replaying {
    /// Nothing is sent before.
    next: Instant,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    id: String,
    answer: BoxFuture<'static, Answered>,
}

/// What the loop has to do for the replay.
pub enum Step {
    Look,
    Settle(String, Box<Answered>),
}

// === impl Replaying ===

impl Replaying {
    pub fn new() -> Self {
        Self {
            next: Instant::now(),
            under_way: None,
        }
    }

    /// Waits until it is time to look, or what is under way is answered. Can be given up at any point.
    pub async fn step(&mut self) -> Step {
        match &mut self.under_way {
            None => {
                time::sleep_until(self.next.into()).await;
                Step::Look
            }
            Some(under_way) => {
                let answered = (&mut under_way.answer).await;
                let id = std::mem::take(&mut under_way.id);
                self.under_way = None;
                Step::Settle(id, Box::new(answered))
            }
        }
    }

    /// Sends the next page of the first replay to this destination, if there is one.
    pub async fn send(
        &mut self,
        forwarder: &Forwarder,
        sink: &mut BoxSink,
        driver: &mut Driver,
    ) -> Result<(), Cause> {
        self.next = Instant::now() + LOOK;
        let Some((lane, replay)) = first(forwarder) else {
            return Ok(());
        };
        let rate = Name::parse(&replay.id).map_or(0, |name| name.rate);
        let store = forwarder.lanes.get(lane);
        let page = store.peek_replay(&replay.id, Seq(0), limits(forwarder, rate));
        let page = alongside(driver, page).await?;
        let page = page.map_err(|error| Cause::Lost(error.to_string()))?;
        if page.scanned_through <= replay.through {
            return Ok(());
        }
        // A person asked for exactly these: their age is no reason to leave one out.
        let (sending, batch) = Sending::new(lane, page, replay.routes, None, &forwarder.clock);
        self.next = Instant::now() + pause(sending.readings(), rate);
        let sent = Instant::now();
        let answer = match batch.readings.is_empty() {
            true => std::future::ready(Ok(fieldgate_kit::Receipt::default())).boxed(),
            false => {
                alongside(driver, sink.ready()).await??;
                call(sink, batch)
            }
        };
        let answered = move |answer| Answered {
            sending,
            sent,
            answer,
        };
        self.under_way = Some(UnderWay {
            id: replay.id,
            answer: answer.map(answered).boxed(),
        });
        Ok(())
    }
}

/// The far side has answered: keeps what it refused, and moves the replay's cursor.
pub async fn settle(
    forwarder: &Forwarder,
    driver: &mut Driver,
    id: &str,
    Answered {
        sending,
        sent,
        answer,
    }: Answered,
) -> Result<(), Cause> {
    let receipt = match answer {
        Ok(receipt) => match receipt.throttled {
            Some(throttle) => return Err(Cause::Refused(throttle.why)),
            None => receipt,
        },
        Err(SinkError::Rejected(why) | SinkError::TooLarge(why)) => sending.refused_whole(&why),
        Err(error) => return Err(error.into()),
    };
    let outcome = sending.outcome(&receipt, &forwarder.ctx.book, &forwarder.id, now());
    let lane = forwarder.lanes.get(sending.lane);
    if !outcome.letters.is_empty() {
        let burying = forwarder.lanes.dead.bury(lane, &outcome.letters);
        let buried = alongside(driver, burying).await?;
        buried.map_err(|error| Cause::Lost(error.to_string()))?;
    }
    lane.ack_replay(id, sending.through, outcome.tally);
    if sending.readings() > 0 {
        let stats = &forwarder.stats;
        stats.acknowledged(outcome.acked, now(), sent.elapsed());
    }
    Ok(())
}

/// The oldest replay that runs to this destination.
fn first(forwarder: &Forwarder) -> Option<(LaneKind, Replay)> {
    let all = replays::all(&forwarder.lanes).into_iter().rev();
    let mut ours = all
        .filter(|(_, replay)| replays::is_running(replay) && replay.destination == *forwarder.id);
    ours.next()
}

/// At most a second's worth.
fn limits(forwarder: &Forwarder, rate: u32) -> PeekLimits {
    let most = match rate {
        0 => usize::MAX,
        rate => rate as usize,
    };
    PeekLimits {
        records: forwarder.limits.readings.min(most),
        bytes: forwarder.limits.bytes,
    }
}

/// How long so many readings take at the rate.
fn pause(readings: u64, rate: u32) -> Duration {
    match rate {
        0 => Duration::ZERO,
        rate => Duration::from_secs(readings) / rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_by_pauses() {
        assert_eq!(pause(150, 150), Duration::from_secs(1));
        assert_eq!(pause(1, 4), Duration::from_millis(250));
        assert_eq!(pause(1000, 0), Duration::ZERO);
    }
}
