//! `Inbox`: messages from the command topic on their way to the gateway, and the answers on their way back.
//!
//! ```text
//! broker ──Asked──▶ waiting ──▶ under way: taken ──▶ acknowledged; answer ──▶ answers ──publish──▶ broker ──▶ told
//!                                    ▲ owed: answers that an earlier link did not deliver
//! ```
//!
//! A message is acknowledged to the broker once its command is written down. Everything here is bounded: beyond that a message
//! is acknowledged and counted as one too many, without an answer. What the end of the link leaves behind is counted, too.

mod place;

use std::{collections::VecDeque, future::pending, time::Duration};

use fieldgate_kit::{
    Intake, SinkError,
    command::{Lost, Owed, Request, Taken, WhyNot, answer_json},
};
use fieldgate_model::Answer as Outcome;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;

pub(crate) use place::{Place, Reply, asker};

use crate::{
    wire::{Answer, Asked, Publication},
    words,
};

/// Messages that came and were not looked at; one more is too many.
const WAITING: usize = 64;
/// Commands that were handed in and are not answered.
const UNDER_WAY: usize = 32;
/// With so many answers waiting for the line, no further command is handed in.
const ANSWERS: usize = 64;
/// How long the gateway may take at the end of the link to write down what was handed in.
const SETTLING: Duration = Duration::from_secs(1);
/// Acknowledgements that wait for the line; beyond that the broker keeps to no limit at all.
const ACKS: usize = 4096;

/// The commands of one connection.
pub(crate) struct Inbox {
    intake: Intake,
    /// None where no commands are taken.
    place: Option<Place>,
    /// The largest packet that the broker takes.
    packet_bytes: usize,
    waiting: VecDeque<(Asked, Instant)>,
    owed: VecDeque<Owed>,
    under_way: FuturesUnordered<BoxFuture<'static, Step>>,
    /// Those of them that are not written down yet.
    handing_in: usize,
    /// Those of them whose answers are owed to nobody once the link ends.
    unwritten: usize,
    /// Somebody wanted an answer where none goes, and that was told.
    told_of_topic: bool,
    answers: VecDeque<Ready>,
    /// Answers on their way to the broker that are owed to nobody once the link ends.
    on_the_line: usize,
    acks: VecDeque<u16>,
}

/// How far a command came.
pub(crate) enum Step {
    Taken(u16, Taken, Reply),
    Answered(Ready),
}

/// An answer that can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The command's id, where the gateway wants to know that the answer was delivered.
    pub written: Option<String>,
    pub publication: Publication,
}

// === impl Inbox ===

impl Inbox {
    /// With what the far side is still owed, if commands are taken.
    pub fn new(intake: Intake, place: Option<Place>, packet_bytes: usize) -> Self {
        let owed = match place {
            Some(_) => intake.owed(),
            None => Vec::new(),
        };
        Self {
            intake,
            place,
            packet_bytes,
            waiting: VecDeque::new(),
            owed: owed.into(),
            under_way: FuturesUnordered::new(),
            handing_in: 0,
            unwritten: 0,
            told_of_topic: false,
            answers: VecDeque::new(),
            on_the_line: 0,
            acks: VecDeque::new(),
        }
    }

    /// A message came.
    ///
    /// # Errors
    /// When the broker sends without any limit.
    pub fn put(&mut self, asked: Asked, now: Instant) -> Result<(), SinkError> {
        if self.place.is_none() {
            return Ok(());
        }
        if self.waiting.len() >= WAITING {
            self.intake.lost(Lost::Command);
            return self.acknowledge(asked.packet_id);
        }
        self.waiting.push_back((asked, now));
        Ok(())
    }

    /// Hands in what waits, as far as there is room; new commands before old answers.
    pub fn hand_in(&mut self, now: Instant) {
        while self.under_way.len() < UNDER_WAY && self.answers.len() < ANSWERS {
            if let Some((asked, came)) = self.waiting.pop_front() {
                self.hand_in_one(asked, now.saturating_duration_since(came));
            } else if let Some(owed) = self.owed.pop_front() {
                self.deliver(owed);
            } else {
                return;
            }
        }
    }

    /// What happened next; never, when nothing is under way.
    pub async fn next(&mut self) -> Step {
        match self.under_way.next().await {
            Some(step) => step,
            None => pending().await,
        }
    }

    /// # Errors
    /// When the broker sends without any limit.
    pub fn take(&mut self, step: Step) -> Result<(), SinkError> {
        match step {
            Step::Answered(ready) => {
                if ready.written.is_none() {
                    self.unwritten -= 1;
                }
                self.ready(ready);
                Ok(())
            }
            Step::Taken(packet_id, taken, reply) => {
                let (id, bytes) = (taken.id, self.packet_bytes);
                let written = id.clone().filter(|_| taken.written);
                self.handing_in -= 1;
                if written.is_none() {
                    self.unwritten += 1;
                }
                let answer = taken.answer;
                let answered = async move {
                    let publication = publication(&reply, id.as_deref(), answer.await, bytes);
                    Step::Answered(Ready {
                        written,
                        publication,
                    })
                };
                self.under_way.push(answered.boxed());
                self.acknowledge(packet_id)
            }
        }
    }

    /// The next acknowledgement for the broker.
    pub fn next_ack(&mut self) -> Option<u16> {
        self.acks.pop_front()
    }

    /// The next answer for the broker.
    pub fn next_answer(&mut self) -> Option<Ready> {
        let ready = self.answers.pop_front()?;
        if ready.written.is_none() {
            self.on_the_line += 1;
        }
        Some(ready)
    }

    /// What the broker said to an answer.
    pub fn delivered(&mut self, written: Option<String>, said: Answer) {
        if written.is_none() {
            self.on_the_line = self.on_the_line.saturating_sub(1);
        }
        match said {
            Answer::Accepted | Answer::Unheard => {}
            // It is owed until the next link.
            Answer::Postponed(_) | Answer::NotNow(_) if written.is_some() => return,
            Answer::Refused(why) | Answer::RefusedPayload(why) | Answer::Postponed(why) => {
                tracing::warn!(%why, "the broker does not take the answer to a command");
                self.intake.lost(Lost::Answer);
            }
            Answer::NotNow(_) => self.intake.lost(Lost::Answer),
        }
        if let Some(id) = written {
            self.intake.told(&id);
        }
    }

    /// The link has ended: the gateway gets a moment to write down what was handed in, so that the answers are owed.
    pub async fn settle(&mut self) {
        let settling = async {
            while self.handing_in > 0 {
                let step = self.next().await;
                // There is nobody left to acknowledge it to.
                let _ = self.take(step);
            }
        };
        let _in_time = tokio::time::timeout(SETTLING, settling).await;
    }

    fn hand_in_one(&mut self, asked: Asked, waited: Duration) {
        let Some(place) = &self.place else {
            return;
        };
        let (reply, objection) = place.judge(&asked);
        let of_topic = objection.as_ref().filter(|no| no.why == WhyNot::ReplyTo);
        if let Some(no) = of_topic.filter(|_| !self.told_of_topic) {
            // The first of a link: the others are counted.
            tracing::warn!(topic = place.topic, why = no.words, "a command is refused");
            self.told_of_topic = true;
        }
        let request = Request {
            body: asked.payload,
            through: format!("topic {}", place.topic),
            asker: asked.asker,
            reply: reply.to_json(),
            waited,
            lasts: asked.lasts,
            objection,
        };
        let taken = self.intake.take(request);
        let taken = taken.map(move |taken| Step::Taken(asked.packet_id, taken, reply));
        self.under_way.push(taken.boxed());
        self.handing_in += 1;
    }

    fn deliver(&mut self, owed: Owed) {
        let Owed { id, reply, answer } = owed;
        let Some(reply) = Reply::of_json(&reply) else {
            self.intake.lost(Lost::Answer);
            self.intake.told(&id);
            return;
        };
        let bytes = self.packet_bytes;
        let answered = async move {
            let publication = publication(&reply, Some(&id), answer.await, bytes);
            Step::Answered(Ready {
                written: Some(id),
                publication,
            })
        };
        self.under_way.push(answered.boxed());
    }

    /// A broker that takes hardly anything gets no answer.
    fn ready(&mut self, ready: Ready) {
        if ready.publication.longest_packet() <= self.packet_bytes {
            return self.answers.push_back(ready);
        }
        let bytes = self.packet_bytes;
        self.on_the_line += usize::from(ready.written.is_none());
        tracing::warn!(
            bytes,
            "the answer to a command is larger than the broker takes"
        );
        self.delivered(ready.written, Answer::Refused("too large".to_owned()));
    }

    fn acknowledge(&mut self, packet_id: u16) -> Result<(), SinkError> {
        if packet_id == 0 {
            return Ok(());
        }
        if self.acks.len() >= ACKS {
            return Err(words::flooded("the broker"));
        }
        self.acks.push_back(packet_id);
        Ok(())
    }
}

/// What the link takes with it, since the broker keeps nothing for us, is counted; what is written down is owed by the next one.
impl Drop for Inbox {
    fn drop(&mut self) {
        let ready = self.answers.iter().filter(|ready| ready.written.is_none());
        let answers = ready.count() + self.unwritten + self.on_the_line;
        let commands = self.waiting.len();
        if answers == 0 && commands == 0 {
            return;
        }
        tracing::warn!(
            commands,
            answers,
            "the link ended before these commands were looked at, and before the broker had these answers"
        );
        for _ in 0..commands {
            self.intake.lost(Lost::CommandOfLink);
        }
        for _ in 0..answers {
            self.intake.lost(Lost::Answer);
        }
    }
}

/// An answer as a message; without its values when the broker takes no message that large.
fn publication(reply: &Reply, id: Option<&str>, answer: Outcome, bytes: usize) -> Publication {
    let whole = message(reply, id, &answer);
    if whole.longest_packet() <= bytes {
        return whole;
    }
    let words = format!(
        "{}; its values are left out, since the broker takes no message of {} bytes",
        answer.words,
        whole.payload.len()
    );
    let short = Outcome {
        words,
        value: None,
        old: None,
        ..answer
    };
    message(reply, id, &short)
}

fn message(reply: &Reply, id: Option<&str>, answer: &Outcome) -> Publication {
    Publication {
        topic: reply.topic.clone(),
        retain: false,
        payload: answer_json(id, answer).to_string().into(),
        content_type: "application/json",
        correlation: reply.correlation.clone(),
        attributes: Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
