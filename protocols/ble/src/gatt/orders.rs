//! Commands: what the rules of the settings allow, and carrying one out at the device.

use fieldgate_model::{Action, ActionKind, Answer, Command, Offer, PointId};
use tokio::sync::oneshot;

use super::{
    Gatt,
    ask::Ask,
    plan::{Plan, Rule, uuid_text},
};
use crate::clock;

const LATE: &str = "its time to live ran out while it waited for its turn";
/// What can be asked of a characteristic.
const KINDS: [ActionKind; 2] = [ActionKind::Read, ActionKind::Write];

// === impl Gatt ===

impl Gatt {
    /// What commands may do, by the rules of the settings.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        let plans = self.plans.iter();
        let rules = plans.flat_map(|plan| plan.rules.iter().map(move |rule| (&**plan, rule)));
        rules.filter_map(|(plan, rule)| offer(plan, rule)).collect()
    }

    /// Carries out one command within its time, and not at all when that is over before its turn. The device is connected
    /// for it if need be.
    pub async fn carry_out(&self, command: &Command) -> Answer {
        let kind = command.action.kind();
        let found = self.find(&command.target);
        let Some((plan, index, rule)) =
            found.filter(|(_, _, rule)| rule.allow.contains(&kind) && KINDS.contains(&kind))
        else {
            return Answer::refused(format!("{kind} is not allowed at {}", command.target));
        };
        // What does not fit is refused before anybody waits for it.
        if let Action::Write(value) = &command.action
            && let Err(why) = rule.bytes(value)
        {
            return Answer::refused(why);
        }
        if clock::now() > command.expires {
            return Answer::expired(LATE);
        }
        let (reply, answer) = oneshot::channel();
        let action = command.action.clone();
        self.desk.put(
            plan.address,
            Ask::Command(index, action, command.expires, reply),
        );
        match tokio::time::timeout(super::QUESTION, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => unknown(&command.action, "its connection ended"),
            Err(_) => unknown(&command.action, "the device cannot be connected in time"),
        }
    }

    fn find(&self, target: &PointId) -> Option<(&Plan, usize, &Rule)> {
        let device = target.device_id();
        let plan = self.plans.iter().find(|plan| plan.device == device)?;
        let mut rules = plan.rules.iter().enumerate();
        let named = |rule: &Rule| {
            plan.device
                .point(&rule.target())
                .is_ok_and(|id| id == *target)
        };
        let (index, rule) = rules.find(|(_, rule)| named(rule))?;
        Some((plan, index, rule))
    }
}

fn offer(plan: &Plan, rule: &Rule) -> Option<Offer> {
    let allow: Vec<_> = KINDS
        .into_iter()
        .filter(|kind| rule.allow.contains(kind))
        .collect();
    if allow.is_empty() {
        return None;
    }
    Some(Offer {
        target: plan.device.point(&rule.target()).ok()?,
        name: rule.target().to_string(),
        address: format!(
            "{} service {} characteristic {}",
            plan.address,
            uuid_text(rule.of.service),
            uuid_text(rule.of.characteristic)
        ),
        allow,
        data_type: Some(rule.type_name()),
        unit: rule.unit().map(|unit| unit.to_string()),
        inputs: Vec::new(),
        outputs: Vec::new(),
    })
}

fn unknown(action: &Action, why: &str) -> Answer {
    let words = match action {
        Action::Write(_) => {
            format!("{why}; whether it took effect is not known, so look before you repeat it")
        }
        _ => why.to_owned(),
    };
    Answer::failed(words)
}
