//! Values of a session: from bytes to fields, and what is done when none come.

use std::time::Duration;

use tokio::time::Instant;

use super::{Ended, Question, Session, work::Work};
use crate::{
    clock,
    gatt::{Told, look, pace::Cause},
    radio::{CharacteristicId, Connection, Notification, RadioError},
};
use fieldgate_model::Timestamp;

/// Nobody is asked more often whether he is still there.
const SOONEST: Duration = Duration::from_secs(10);
const LATEST: Duration = Duration::from_secs(3_600);
/// BlueZ tells the value that was read as if it had been notified, at the same moment.
const ECHO: Duration = Duration::from_millis(500);
/// So many intervals between values make one that can be relied upon.
const ENOUGH: u32 = 5;
/// So many times the usual interval without a value: the link is half dead, though it says otherwise.
const DEAD: u32 = 20;
/// Problems that are kept in words.
const PROBLEMS: usize = 16;

/// When values came, and when the next one should.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    last: Instant,
    /// The mean of the intervals between values that came by themselves, and how many these were.
    usual: Duration,
    count: u32,
    /// How long it may be quiet.
    patience: Option<Duration>,
    /// The expectation before anything was learnt.
    every: Duration,
    told_by_itself: Option<Instant>,
    read: Option<(CharacteristicId, Vec<u8>, Instant)>,
    asked: bool,
}

// === impl Watch ===

impl Watch {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            last: now,
            usual: Duration::ZERO,
            count: 0,
            patience: None,
            every: LATEST,
            told_by_itself: None,
            read: None,
            asked: false,
        }
    }

    /// From now on values are expected.
    pub(super) fn begin(&mut self, works: &[Work]) {
        let now = Instant::now();
        (self.began, self.last) = (now, now);
        self.every = works.iter().map(Work::every).min().unwrap_or(LATEST);
        let expects = works.iter().any(|work| work.only_tells() || work.reads());
        self.patience = expects.then(|| (self.every * 3).clamp(SOONEST, LATEST));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.patience.map(|patience| self.last + patience)
    }

    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn asked(&mut self) {
        self.asked = true;
    }

    pub(super) fn was_asked(&self) -> bool {
        self.asked
    }

    /// A value came by itself: its interval is learnt.
    fn told(&mut self, now: Instant) {
        if let Some(before) = self.told_by_itself.replace(now) {
            let interval = now - before;
            self.count = self.count.saturating_add(1);
            let weight = self.count.min(16);
            self.usual = (self.usual * (weight - 1) + interval) / weight;
        }
        self.last = now;
        if self.patience.is_some() {
            let expected = match self.count {
                0 => self.every,
                _ => self.usual.min(self.every),
            };
            self.patience = Some((expected * 3).clamp(SOONEST, LATEST));
        }
    }

    /// It was quiet and is there all the same: next time it may be quiet twice as long.
    fn patient(&mut self) {
        self.patience = self.patience.map(|patience| (patience * 2).min(LATEST));
    }

    /// Values used to come regularly, and have not for much longer than that.
    fn is_dead(&self) -> bool {
        let quiet = self.told_by_itself.map(|told| told.elapsed());
        let usual = self.usual.max(Duration::from_secs(3));
        self.count >= ENOUGH && quiet.is_some_and(|quiet| quiet > usual * DEAD)
    }

    /// The same as was just read, told again.
    fn is_echo(&mut self, of: CharacteristicId, bytes: &[u8]) -> bool {
        match self.read.take() {
            Some((read, value, at)) if read == of => value == bytes && at.elapsed() < ECHO,
            other => {
                self.read = other;
                false
            }
        }
    }
}

// === impl Session ===

impl Session<'_> {
    /// A value that came by itself.
    pub(super) async fn came(&mut self, notification: Notification) -> Result<(), Ended> {
        let Notification {
            characteristic,
            at,
            value,
        } = notification;
        if self.watch.is_echo(characteristic, &value) {
            return Ok(());
        }
        self.watch.told(Instant::now());
        if self.watched.contains(&characteristic) {
            let rule = self.rule_of(characteristic);
            let looked = look::value(self.address, characteristic, rule, &value, at);
            self.tell(Told::Looked(self.address, looked)).await;
        }
        self.take(characteristic, &value, at).await;
        Ok(())
    }

    /// Reads what is due.
    pub(super) async fn poll(
        &mut self,
        connection: &dyn Connection,
        index: usize,
    ) -> Result<(), Ended> {
        let of = self.works[index].of;
        let read = self.asking(connection, of, Question::Read).await;
        self.works[index].was_read(Instant::now());
        match read {
            Ok(value) => self.was_read(of, &value).await,
            Err(RadioError::Refused(why)) => {
                self.works[index].gave();
                self.problem(format!(
                    "characteristic {} cannot be read: {why}",
                    super::work::name(of)
                ));
            }
            Err(error) => {
                let words = format!("characteristic {} had no answer", super::work::name(of));
                return Err(self.lost(&words, &error));
            }
        }
        Ok(())
    }

    /// A value that was asked for.
    pub(super) async fn was_read(&mut self, of: CharacteristicId, value: &[u8]) {
        let now = Instant::now();
        self.watch.last = now;
        self.watch.read = Some((of, value.to_vec(), now));
        self.take(of, value, clock::now()).await;
    }

    /// Nothing came for long: is it still there?
    pub(super) async fn quiet(&mut self, connection: &dyn Connection) -> Result<(), Ended> {
        let quiet = self.watch.last.elapsed().as_secs();
        let gone = |why: String| Err(Ended::Lost(Cause::Broken, why));
        match self.is_alive(connection).await {
            Ok(true) => {}
            Ok(false) => return gone(format!("nothing came for {quiet} s, and its link is gone")),
            Err(error) => return Err(self.lost(&format!("nothing came for {quiet} s"), &error)),
        }
        if self.watch.is_dead() {
            let usual = self.watch.usual.as_secs_f64();
            return gone(format!(
                "nothing came for {quiet} s, though a value usually comes every {usual:.1} s; it is connected anew"
            ));
        }
        // A link that says it is there may be half dead: reading is the proof, where it can be read.
        if let Some(work) = self.works.iter().position(Work::reads) {
            self.poll(connection, work).await?;
        }
        self.watch.last = Instant::now();
        self.watch.patient();
        Ok(())
    }

    /// From bytes to fields, by every rule that means this characteristic. What does not fit is told as a problem and ends nothing.
    async fn take(&mut self, of: CharacteristicId, value: &[u8], at: Timestamp) {
        let Some(plan) = self.plan else { return };
        for index in 0..self.works.len() {
            let work = &mut self.works[index];
            if work.of != of {
                continue;
            }
            work.gave();
            let rule = work.rule;
            match plan.rules[rule].fields(value) {
                Ok(fields) => {
                    self.gave = true;
                    self.fits(of);
                    let told = Told::Values {
                        address: self.address,
                        device: plan.device.clone(),
                        rule,
                        fields,
                        at,
                    };
                    self.tell(told).await;
                }
                Err(why) => {
                    self.problem(format!("characteristic {}: {why}", super::work::name(of)))
                }
            }
        }
        self.desk
            .tell(self.address, |status| status.last = Some(at));
        if self.works.iter().all(Work::is_satisfied) {
            self.turn.satisfied();
        }
    }

    /// Waits for room, which holds up this device alone.
    async fn tell(&self, told: Told) {
        // Nobody listens any more: the source is ending, and so is this.
        let _ = self.ctx.told.send(told).await;
    }

    fn problem(&self, words: String) {
        self.desk.tell(self.address, |status| {
            let begin = words.split(':').next().unwrap_or_default();
            status
                .problems
                .retain(|problem| problem.split(':').next() != Some(begin));
            if status.problems.len() < PROBLEMS {
                status.problems.push(words);
            }
        });
    }

    /// What was wrong with its values is so no longer.
    fn fits(&self, of: CharacteristicId) {
        let begin = format!("characteristic {}:", super::work::name(of));
        self.desk.tell(self.address, |status| {
            status
                .problems
                .retain(|problem| !problem.starts_with(&begin));
        });
    }
}
