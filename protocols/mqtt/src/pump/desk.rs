//! `Desk`: which acknowledgement belongs to which message, and which call is complete. No I/O and no clock of its own.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use fieldgate_kit::{Receipt, Refusal, Rejected, SinkError, Throttle};
use tokio::{sync::oneshot, time::Instant};

use super::{Call, Packet};
use crate::wire::{Answer, Happening};

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub waiting: VecDeque<(u64, Packet)>,
    unpaired: VecDeque<Flight>,
    unacked: HashMap<u16, Flight>,
    /// Of what was handed to the client and not answered yet.
    pub bytes_under_way: usize,
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
pub(crate) enum For {
    /// The gateway's own status.
    Status,
    Call(u64),
    /// The answer to a command, with its id where it is written down.
    Answer(Option<String>),
}

/// What an answer tells about the line.
#[derive(Debug)]
pub(crate) struct Echo {
    pub bytes: usize,
    pub since: Instant,
    /// With itself.
    pub under_way: usize,
    /// What was said to the answer to a command.
    pub answer: Option<(Option<String>, Answer)>,
}

#[derive(Debug)]
struct OpenCall {
    left: usize,
    receipt: Receipt,
    reply: oneshot::Sender<Result<Receipt, SinkError>>,
}

// === impl Desk ===

impl Desk {
    /// Messages that were handed to the client and not answered yet.
    pub fn under_way(&self) -> usize {
        self.unpaired.len() + self.unacked.len()
    }

    pub fn open(&mut self, call: Call) {
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

    pub fn note_sent(&mut self, whom: For, seqs: Vec<u64>, bytes: usize) {
        self.bytes_under_way += bytes;
        self.unpaired.push_back(Flight {
            whom,
            seqs,
            bytes,
            since: Instant::now(),
        });
    }

    pub fn take(&mut self, happening: Happening) -> Result<Option<Echo>, SinkError> {
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

    pub fn check_age(&self, now: Instant, timeout: Duration) -> Result<(), SinkError> {
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

    pub fn fail_all(&mut self, error: &SinkError) {
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
