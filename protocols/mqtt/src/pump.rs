//! `Pump`: drives one connection and pairs each acknowledgement with the call that waits for it.
//!
//! ```text
//! sink ──Call──▶ waiting ──publish──▶ unpaired ──Sent(pkid)──▶ unacked ──Answered(pkid)──▶ reply to the call
//!                       (window)        FIFO                   by packet id
//! ```
//!
//! Commands come in through the same connection; the [`Inbox`] has them, and their answers go out through the same window, before
//! the readings.
//!
//! A call is answered once, when the broker answered for each of its messages. Whatever is unanswered when the connection
//! ends is answered `Unreachable` and sent again by the forwarder: at least once, never "probably".

mod desk;

use std::time::Duration;

use fieldgate_kit::{Receipt, Rejected, SinkError};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    inbox::Inbox,
    link::ACKS_WAITING,
    pacer::Pacer,
    status::Status,
    wire::{Happening, Publication, Wire},
};
pub(crate) use desk::{Desk, For};

/// How long the good-bye may take: what is under way, the offline status, the disconnect.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

/// How often the age of what is unacknowledged is looked at.
const AGE_CHECK: Duration = Duration::from_secs(1);

/// One batch on its way.
#[derive(Debug)]
pub(crate) struct Call {
    pub packets: Vec<Packet>,
    /// What was found unfit before sending.
    pub unfit: Vec<Rejected>,
    pub reply: oneshot::Sender<Result<Receipt, SinkError>>,
}

/// One message, and the readings inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub publication: Publication,
    pub seqs: Vec<u64>,
}

/// One connection at work.
pub(crate) struct Pump<W> {
    pub wire: W,
    /// Bounded by `in_flight`; when it is full the sink is not ready.
    pub calls: mpsc::Receiver<Call>,
    pub close: CancellationToken,
    /// How many messages may be under way.
    pub window: usize,
    /// How many bytes.
    pub pacer: Pacer,
    /// How long one of them may be.
    pub timeout: Duration,
    pub status: Status,
    pub desk: Desk,
    pub inbox: Inbox,
    /// Acknowledgements of commands that were handed to the client and not sent yet.
    pub acks_waiting: usize,
}

// === impl Pump ===

impl<W: Wire> Pump<W> {
    /// Until the connection is lost (an error), or closed in an orderly way.
    pub async fn run(mut self) -> Result<(), SinkError> {
        let ended = match self.work().await {
            Ok(()) => {
                self.say_goodbye().await;
                Ok(())
            }
            Err(error) => Err(error),
        };
        let error = ended.as_ref().err().cloned().unwrap_or_else(|| {
            SinkError::Unreachable("the link was closed before the broker acknowledged".to_owned())
        });
        self.desk.fail_all(&error);
        self.inbox.settle().await;
        ended
    }

    async fn work(&mut self) -> Result<(), SinkError> {
        // Its answer shows the pacer the way without a queue.
        self.say(self.status.birth())?;
        let mut age_check = interval(AGE_CHECK);
        age_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.inbox.hand_in(Instant::now());
            self.acknowledge()?;
            self.fill_window()?;
            tokio::select! {
                () = self.close.cancelled() => return Ok(()),
                happening = self.wire.next() => self.take(happening?)?,
                step = self.inbox.next() => self.inbox.take(step)?,
                call = self.calls.recv(), if self.desk.waiting.is_empty() => match call {
                    Some(call) => self.desk.open(call),
                    None => return Ok(()),
                },
                now = age_check.tick() => self.desk.check_age(now, self.timeout)?,
            }
        }
    }

    /// Tells the broker which commands are written down, so many at once that the client's channel is never full.
    fn acknowledge(&mut self) -> Result<(), SinkError> {
        while self.acks_waiting < ACKS_WAITING
            && let Some(packet_id) = self.inbox.next_ack()
        {
            self.wire.acknowledge(packet_id)?;
            self.acks_waiting += 1;
        }
        Ok(())
    }

    /// Somebody waits for an answer, and it is short: it goes before everything else.
    fn send_answers(&mut self) -> Result<(), SinkError> {
        while self.desk.under_way() < self.window
            && let Some(ready) = self.inbox.next_answer()
        {
            let bytes = ready.publication.longest_packet();
            self.wire.publish(ready.publication)?;
            self.desk
                .note_sent(For::Answer(ready.written), Vec::new(), bytes);
        }
        Ok(())
    }

    /// Hands messages to the client while the window has room, so its channel is never full.
    fn fill_window(&mut self) -> Result<(), SinkError> {
        self.send_answers()?;
        while self.desk.under_way() < self.window && self.pacer.has_room(self.desk.bytes_under_way)
        {
            let Some((call, packet)) = self.desk.waiting.pop_front() else {
                break;
            };
            let bytes = packet.publication.longest_packet();
            self.wire.publish(packet.publication)?;
            self.desk.note_sent(For::Call(call), packet.seqs, bytes);
        }
        Ok(())
    }

    fn take(&mut self, happening: Happening) -> Result<(), SinkError> {
        match happening {
            Happening::Asked(asked) => self.inbox.put(*asked, Instant::now()),
            Happening::AckSent => {
                self.acks_waiting = self.acks_waiting.saturating_sub(1);
                Ok(())
            }
            other => {
                if let Some(echo) = self.desk.take(other)? {
                    self.pacer
                        .acknowledged(echo.bytes, echo.under_way, echo.since, Instant::now());
                    if let Some((written, said)) = echo.answer {
                        self.inbox.delivered(written, said);
                    }
                }
                Ok(())
            }
        }
    }

    /// Publishes a status of the gateway.
    fn say(&mut self, publication: Publication) -> Result<(), SinkError> {
        let bytes = publication.longest_packet();
        self.wire.publish(publication)?;
        self.desk.note_sent(For::Status, Vec::new(), bytes);
        Ok(())
    }

    /// Lets the broker acknowledge what is under way, tells it that we are offline, and disconnects. What is asked for now is
    /// no longer taken; the answers that are not ready are owed. An error here is not
    /// told: the link was to end anyway, and what is unacknowledged stays in the queue.
    async fn say_goodbye(&mut self) {
        let deadline = Instant::now() + GOODBYE_LIMIT;
        let _ = timeout_at(deadline, async {
            self.acknowledge()?;
            self.send_answers()?;
            self.say(self.status.goodbye())?;
            while self.desk.under_way() > 0 {
                let happening = self.wire.next().await?;
                self.take(happening)?;
            }
            self.wire.disconnect();
            while self.wire.next().await? != Happening::Disconnected {}
            Ok::<(), SinkError>(())
        })
        .await;
    }
}

#[cfg(test)]
mod tests;
