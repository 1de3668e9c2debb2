//! `Work`: what is done with one characteristic of a connected device. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    How,
    gatt::{
        characteristic_name,
        plan::{Plan, Rule, uuid_text},
    },
    radio::{CharacteristicId, Service},
};

/// One rule at work.
#[derive(Debug)]
pub(super) struct Work {
    /// Which of the plan's rules.
    pub(super) rule: usize,
    pub(super) of: CharacteristicId,
    notifies: bool,
    reads: bool,
    /// Only what cannot notify is asked again and again; everything that can be read is asked once.
    polls: bool,
    every: Duration,
    due: Option<Instant>,
    /// A value came, or it cannot come.
    satisfied: bool,
}

/// What there is to be done, and why some of the rules cannot be followed.
pub(super) fn works(plan: &Plan, services: &[Service]) -> (Vec<Work>, Vec<String>) {
    let (mut works, mut problems) = (Vec::new(), Vec::new());
    for (index, rule) in plan.rules.iter().enumerate() {
        match Work::new(index, rule, services) {
            Ok(work) => works.push(work),
            Err(why) => problems.push(why),
        }
    }
    (works, problems)
}

/// As people call a characteristic.
pub(super) fn name(of: CharacteristicId) -> String {
    let uuid = uuid_text(of.characteristic);
    match characteristic_name(of.characteristic) {
        Some(name) => format!("{uuid} ({name})"),
        None => uuid,
    }
}

// === impl Work ===

impl Work {
    fn new(index: usize, rule: &Rule, services: &[Service]) -> Result<Self, String> {
        let service = services
            .iter()
            .find(|service| service.uuid == rule.of.service);
        let service = service.ok_or_else(|| {
            format!(
                "it has no service {}, where characteristic {} should be",
                uuid_text(rule.of.service),
                name(rule.of)
            )
        })?;
        let mut all = service.characteristics.iter();
        let has = all.find(|has| has.uuid == rule.of.characteristic);
        let has = has.ok_or_else(|| {
            format!(
                "its service {} has no characteristic {}",
                uuid_text(rule.of.service),
                name(rule.of)
            )
        })?;
        let can_tell = has.notify || has.indicate;
        let notifies = can_tell && rule.how != Some(How::Read);
        let writes = has.write || has.write_without_response;
        if !notifies && !has.read && !writes {
            return Err(format!(
                "characteristic {} can neither be read nor notify",
                name(rule.of)
            ));
        }
        if rule.how == Some(How::Notify) && !can_tell && !has.read {
            return Err(format!("characteristic {} cannot notify", name(rule.of)));
        }
        Ok(Self {
            rule: index,
            of: rule.of,
            notifies,
            reads: has.read,
            polls: has.read && !notifies,
            every: rule.every,
            due: has.read.then(Instant::now),
            satisfied: !notifies && !has.read,
        })
    }

    /// What is to be subscribed to.
    pub(super) fn subscribes(&self) -> Option<CharacteristicId> {
        self.notifies.then_some(self.of)
    }

    /// It refused to notify: it is asked, where it can be.
    pub(super) fn poll_instead(&mut self) {
        self.notifies = false;
        self.polls = self.reads;
    }

    /// Something comes of it, or a command may write it.
    pub(super) fn is_of_use(&self) -> bool {
        self.notifies || self.reads || self.satisfied
    }

    /// When it is to be read.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It was read, or will not be.
    pub(super) fn was_read(&mut self, now: Instant) {
        self.due = self.polls.then(|| now + self.every);
    }

    pub(super) fn gave(&mut self) {
        self.satisfied = true;
    }

    pub(super) fn is_satisfied(&self) -> bool {
        self.satisfied
    }

    pub(super) fn every(&self) -> Duration {
        self.every
    }

    pub(super) fn reads(&self) -> bool {
        self.reads
    }

    /// Values come by themselves only.
    pub(super) fn only_tells(&self) -> bool {
        self.notifies && !self.polls
    }
}
