//! Answers of a session: what people ask while they look around, and commands.

use std::collections::VecDeque;

use fieldgate_kit::ExploreError;
use fieldgate_model::{Action, Answer, Timestamp, Value};
use tokio::time::Instant;

use super::{ANSWER, Ended, NEEDED, Pairing, Question, Session, limited};
use crate::{
    Field, clock,
    gatt::{
        ask::{Ask, explained},
        look,
        pace::Cause,
        plan::Rule,
    },
    radio::{Characteristic, CharacteristicId, Connection, RadioError, Write},
};

const LATE: &str = "its time to live ran out before it was written; nothing was changed";

// === impl Session ===

impl Session<'_> {
    /// Answers one question. One that the device has to be connected anew for goes back to those that wait.
    pub(super) async fn answer(
        &mut self,
        connection: &dyn Connection,
        ask: Ask,
        waiting: &mut VecDeque<Ask>,
    ) -> Result<(), Ended> {
        if ask.is_stale() {
            return Ok(());
        }
        self.asked = Instant::now();
        self.watch.asked();
        self.turn.needed(self.asked + NEEDED);
        match ask {
            Ask::Services(reply) => {
                let _ = reply.send(Ok(look::tree(&connection.services())));
                Ok(())
            }
            Ask::Read(of, reply) => {
                let read = self.asking(connection, of, Question::Read).await;
                if self.anew {
                    return again(Ask::Read(of, reply), waiting);
                }
                if let Ok(value) = &read {
                    self.was_read(of, value).await;
                }
                let seen = |value: &Vec<u8>| {
                    look::value(self.address, of, self.rule_of(of), value, clock::now())
                };
                let _ = reply.send(self.told(read.as_ref().map(seen)));
                self.after(read.err())
            }
            Ask::Notify(of, on, reply) => {
                let done = self.notify(connection, of, on).await;
                if self.anew {
                    return again(Ask::Notify(of, on, reply), waiting);
                }
                let _ = reply.send(self.told(done.as_ref().map(|_| ())));
                self.after(done.err())
            }
            Ask::Disconnect(reply) => {
                let _ = reply.send(Ok(()));
                Err(Ended::Closed)
            }
            Ask::Pair(reply) => {
                // What was asked before may have needed it.
                let done = match self.pairing {
                    Pairing::Done => Ok(()),
                    Pairing::NotYet | Pairing::Tried => self.pair().await,
                };
                let _ = reply.send(self.told(done.as_ref().map(|()| self.is_paired())));
                if done.is_ok() && !self.is_alive(connection).await.unwrap_or(false) {
                    return Err(Ended::Paired);
                }
                self.phase(super::Phase::Connected, "connected");
                self.after(done.err())
            }
            Ask::Unpair(reply) => {
                let forget = self
                    .ctx
                    .radio
                    .forget(&self.route.adapter, self.route.address);
                let done = limited(ANSWER, "forgetting its bond", forget).await;
                let words = || {
                    format!(
                        "{}: its bond is forgotten; it can be paired anew",
                        self.address
                    )
                };
                let _ = reply.send(self.told(done.as_ref().map(|()| words())));
                Err(Ended::Closed)
            }
            Ask::Command(_, _, expires, reply) if clock::now() > expires => {
                let _ = reply.send(Answer::expired(LATE));
                Ok(())
            }
            Ask::Command(rule, action, expires, reply) => {
                let (answer, error) = self.command(connection, rule, &action, expires).await;
                if self.anew {
                    return again(Ask::Command(rule, action, expires, reply), waiting);
                }
                let _ = reply.send(answer);
                self.after(error)
            }
        }
    }

    /// Whoever waits for it to be paired is told that it is, whatever comes next.
    pub(super) fn answer_pairs(&self, waiting: &mut VecDeque<Ask>) {
        for ask in std::mem::take(waiting) {
            match ask {
                Ask::Pair(reply) => drop(reply.send(Ok(self.is_paired()))),
                other => waiting.push_back(other),
            }
        }
    }

    fn is_paired(&self) -> String {
        format!("{} is paired", self.address)
    }

    /// A refusal of one question leaves the connection as it is; everything else says that it is of no use any more.
    fn after(&self, error: Option<RadioError>) -> Result<(), Ended> {
        match error {
            None | Some(RadioError::Refused(_) | RadioError::Unpaired(_)) => Ok(()),
            Some(error) => Err(Ended::Lost(
                Cause::of(&error),
                format!("a question had no answer: {error}"),
            )),
        }
    }

    fn told<T>(&self, done: Result<T, &RadioError>) -> Result<T, ExploreError> {
        done.map_err(|error| explained(self.address, error))
    }

    /// What a rule of the settings reads stays subscribed when people do not want to see it any more.
    async fn notify(
        &mut self,
        connection: &dyn Connection,
        of: CharacteristicId,
        on: bool,
    ) -> Result<(), RadioError> {
        let kept = self.works.iter().any(|work| work.subscribes() == Some(of));
        if on {
            if !kept && !self.watched.contains(&of) {
                self.asking(connection, of, Question::Subscribe).await?;
            }
            self.watched.insert(of);
        } else if self.watched.remove(&of) && !kept {
            self.asking(connection, of, Question::Unsubscribe).await?;
        }
        Ok(())
    }

    pub(super) fn rule_of(&self, of: CharacteristicId) -> Option<&Rule> {
        self.plan?.rules.iter().find(|rule| rule.of == of)
    }

    async fn command(
        &mut self,
        connection: &dyn Connection,
        rule: usize,
        action: &Action,
        expires: Timestamp,
    ) -> (Answer, Option<RadioError>) {
        let Some(rule) = self.plan.and_then(|plan| plan.rules.get(rule)) else {
            return (
                Answer::refused("it is no characteristic of this device"),
                None,
            );
        };
        match action {
            Action::Read => match self.asking(connection, rule.of, Question::Read).await {
                Ok(value) => {
                    self.was_read(rule.of, &value).await;
                    (read(rule, &value), None)
                }
                Err(error) => (no_answer(&error, "it could not be read"), Some(error)),
            },
            Action::Write(value) => self.write(connection, rule, value, expires).await,
            other => {
                let words = format!("{} is nothing that a characteristic can do", other.kind());
                (Answer::refused(words), None)
            }
        }
    }

    async fn write(
        &mut self,
        connection: &dyn Connection,
        rule: &Rule,
        value: &Value,
        expires: Timestamp,
    ) -> (Answer, Option<RadioError>) {
        let bytes = match rule.bytes(value) {
            Ok(bytes) => bytes,
            Err(why) => return (Answer::refused(why), None),
        };
        let services = connection.services();
        let Some(has) = find(&services, rule.of) else {
            return (
                Answer::refused("the device has no such characteristic"),
                None,
            );
        };
        let how = match (rule.without_response, has.write, has.write_without_response) {
            (false, true, _) | (true, true, false) => Write::WithResponse,
            (_, _, true) => Write::WithoutResponse,
            (_, false, false) => {
                return (
                    Answer::refused("the characteristic cannot be written"),
                    None,
                );
            }
        };
        let mut old = None;
        if has.read {
            match self.asking(connection, rule.of, Question::Read).await {
                Ok(before) => {
                    old = rule
                        .fields(&before)
                        .ok()
                        .and_then(|fields| value_of(&fields))
                }
                // What may be written need not be readable just now.
                Err(RadioError::Refused(_)) => {}
                Err(error) => return (no_answer(&error, "nothing was changed"), Some(error)),
            }
        }
        // Reading the old value may have taken its time, and pairing for it that of a person.
        if clock::now() > expires {
            return (Answer::expired(LATE).old(old), None);
        }
        let mut done = limited(
            ANSWER,
            "writing",
            connection.write(rule.of, bytes.clone(), how),
        )
        .await;
        if let Err(RadioError::Unpaired(why)) = &done
            && self.may_pair()
        {
            done = match self.pair_connected(connection, why.clone()).await {
                Ok(()) if clock::now() > expires => {
                    return (Answer::expired(LATE).old(old), None);
                }
                Ok(()) => limited(ANSWER, "writing", connection.write(rule.of, bytes, how)).await,
                Err(error) => {
                    let words = "it wants to be paired first, so nothing was changed";
                    return (no_answer(&error, words).old(old), Some(error));
                }
            };
        }
        match done {
            Ok(()) => {
                let words = match how {
                    Write::WithResponse => "written, the device confirmed it",
                    Write::WithoutResponse => "written; the device does not say whether it took it",
                };
                (Answer::done(words).old(old), None)
            }
            Err(error @ (RadioError::Refused(_) | RadioError::Unpaired(_))) => (
                Answer::failed(format!("the device refused it: {error}")).old(old),
                Some(error),
            ),
            Err(error) => {
                let words = "whether it took effect is not known, so look before you repeat it";
                (no_answer(&error, words).old(old), Some(error))
            }
        }
    }
}

fn again(ask: Ask, waiting: &mut VecDeque<Ask>) -> Result<(), Ended> {
    waiting.push_front(ask);
    Err(Ended::Paired)
}

fn read(rule: &Rule, value: &[u8]) -> Answer {
    match rule.fields(value) {
        Ok(fields) => match value_of(&fields) {
            Some(value) => Answer::done("read").value(value),
            None => Answer::done("read; the device does not know the value").value(Value::Null),
        },
        Err(why) => Answer::failed(format!(
            "it was read, and its bytes do not fit its format: {why}"
        )),
    }
}

/// One value as it is, several by their names.
fn value_of(fields: &[Field]) -> Option<Value> {
    match fields {
        [] => None,
        [only] => Some(only.value.clone()),
        several => Some(Value::Struct(
            several
                .iter()
                .map(|field| (field.id.to_string(), field.value.clone()))
                .collect(),
        )),
    }
}

fn no_answer(error: &RadioError, so: &str) -> Answer {
    Answer::failed(format!("the device gave no answer: {error}; {so}"))
}

fn find(services: &[crate::radio::Service], of: CharacteristicId) -> Option<&Characteristic> {
    let service = services.iter().find(|service| service.uuid == of.service)?;
    let mut all = service.characteristics.iter();
    all.find(|has| has.uuid == of.characteristic)
}
