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

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use fieldgate_kit::{Receipt, Refusal, Rejected, SinkError, Throttle};
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
    wire::{Answer, Happening, Publication, Wire},
};

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

/// Who waits for what. No I/O and no clock of its own.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    waiting: VecDeque<(u64, Packet)>,
    unpaired: VecDeque<Flight>,
    unacked: HashMap<u16, Flight>,
    /// Of what was handed to the client and not answered yet.
    bytes_under_way: usize,
    calls: HashMap<u64, OpenCall>,
    next_call: u64,
}

#[derive(Debug)]
struct Flight {
    whom: For,
    seqs: Vec<u64>,
    bytes: usize,
    since: Instant,
}

/// Who wants to know what the broker says to a message.
#[derive(Debug)]
enum For {
    /// The gateway's own status.
    Status,
    Call(u64),
    /// The answer to a command, with its id where it is written down.
    Answer(Option<String>),
}

/// What an answer tells about the line.
#[derive(Debug)]
struct Echo {
    bytes: usize,
    since: Instant,
    /// With itself.
    under_way: usize,
    /// What was said to the answer to a command.
    answer: Option<(Option<String>, Answer)>,
}

#[derive(Debug)]
struct OpenCall {
    left: usize,
    receipt: Receipt,
    reply: oneshot::Sender<Result<Receipt, SinkError>>,
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

// === impl Desk ===

impl Desk {
    /// Messages that were handed to the client and not answered yet.
    fn under_way(&self) -> usize {
        self.unpaired.len() + self.unacked.len()
    }

    fn open(&mut self, call: Call) {
        let number = self.next_call;
        self.next_call += 1;
        let open = OpenCall {
            left: call.packets.len(),
            receipt: Receipt {
                rejected: call.unfit,
                ..Receipt::default()
            },
            reply: call.reply,
        };
        self.waiting
            .extend(call.packets.into_iter().map(|packet| (number, packet)));
        self.calls.insert(number, open);
        self.answer_if_complete(number);
    }

    fn note_sent(&mut self, whom: For, seqs: Vec<u64>, bytes: usize) {
        self.bytes_under_way += bytes;
        self.unpaired.push_back(Flight {
            whom,
            seqs,
            bytes,
            since: Instant::now(),
        });
    }

    fn take(&mut self, happening: Happening) -> Result<Option<Echo>, SinkError> {
        match happening {
            Happening::Sent(pkid) => self.pair(pkid).map(|()| None),
            Happening::Answered(pkid, answer) => self.settle(pkid, answer).map(Some),
            Happening::Asked(_)
            | Happening::AckSent
            | Happening::Disconnected
            | Happening::Other => Ok(None),
        }
    }

    fn pair(&mut self, pkid: u16) -> Result<(), SinkError> {
        let flight = self.unpaired.pop_front().ok_or_else(|| {
            SinkError::Unreachable(format!(
                "a message with packet id {pkid} was sent that nobody published"
            ))
        })?;
        match self.unacked.insert(pkid, flight) {
            None => Ok(()),
            Some(_) => Err(SinkError::Unreachable(format!(
                "packet id {pkid} was used again before the broker acknowledged it"
            ))),
        }
    }

    fn settle(&mut self, pkid: u16, answer: Answer) -> Result<Echo, SinkError> {
        let flight = self.unacked.remove(&pkid).ok_or_else(|| {
            SinkError::Unreachable(format!(
                "the broker acknowledged packet id {pkid}, which is not under way"
            ))
        })?;
        if let Answer::NotNow(error) = answer {
            // Back, so that its call fails like all others.
            self.unacked.insert(pkid, flight);
            return Err(error);
        }
        let mut echo = Echo {
            bytes: flight.bytes,
            since: flight.since,
            under_way: self.bytes_under_way,
            answer: None,
        };
        self.bytes_under_way -= flight.bytes;
        match flight.whom {
            For::Answer(written) => echo.answer = Some((written, answer)),
            For::Call(number) => {
                if let Some(call) = self.calls.get_mut(&number) {
                    call.left -= 1;
                    note(&mut call.receipt, flight.seqs, answer);
                    self.answer_if_complete(number);
                }
            }
            For::Status => {
                if let Answer::Refused(why) | Answer::RefusedPayload(why) | Answer::Postponed(why) =
                    answer
                {
                    tracing::warn!(%why, "the broker refuses the gateway's status; its last will may be refused too");
                }
            }
        }
        Ok(echo)
    }

    fn answer_if_complete(&mut self, number: u64) {
        if self.calls.get(&number).is_some_and(|call| call.left == 0)
            && let Some(mut call) = self.calls.remove(&number)
        {
            call.receipt.rejected.sort_unstable_by_key(|no| no.seq);
            call.receipt.postponed.sort_unstable();
            // A caller that gave up meanwhile sends again; the far side tells it by the message ids.
            let _ = call.reply.send(Ok(call.receipt));
        }
    }

    fn check_age(&self, now: Instant, timeout: Duration) -> Result<(), SinkError> {
        let oldest = self
            .unpaired
            .front()
            .into_iter()
            .chain(self.unacked.values())
            .map(|flight| flight.since)
            .min();
        match oldest {
            Some(since) if now.saturating_duration_since(since) > timeout => {
                Err(SinkError::Unreachable(format!(
                    "the broker has not acknowledged a message for {} s; is it overloaded, or the network broken",
                    timeout.as_secs()
                )))
            }
            _ => Ok(()),
        }
    }

    fn fail_all(&mut self, error: &SinkError) {
        for (_, call) in self.calls.drain() {
            let _ = call.reply.send(Err(error.clone()));
        }
    }
}

/// Writes down what the broker said to one message.
fn note(receipt: &mut Receipt, seqs: Vec<u64>, answer: Answer) {
    match answer {
        Answer::Accepted | Answer::NotNow(_) => {}
        Answer::Unheard => receipt.unheard += seqs.len() as u64,
        Answer::Refused(why) => reject(receipt, seqs, &why, Refusal::MayPass),
        Answer::RefusedPayload(why) => reject(receipt, seqs, &why, Refusal::OneOfThese),
        Answer::Postponed(why) => {
            receipt.postponed.extend(seqs);
            receipt.throttled = Some(Throttle {
                retry_after: None,
                why,
            });
        }
    }
}

fn reject(receipt: &mut Receipt, seqs: Vec<u64>, why: &str, refusal: Refusal) {
    let rejected = |seq| Rejected {
        seq,
        why: why.to_owned(),
        refusal,
    };
    receipt.rejected.extend(seqs.into_iter().map(rejected));
}

#[cfg(test)]
mod tests;
