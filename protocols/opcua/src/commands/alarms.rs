//! Commands about alarms: which state is meant, and saying it to the server.

use std::str::FromStr;

use fieldgate_kit::Alarms;
use fieldgate_model::{Action, Alarm, Answer, PointId, Remark};

use crate::{
    connection::{ConditionRemark, Connection},
    node_id::NodeAddress,
    settings::AlarmDeed,
    status::Status,
};

/// What is to be said, when the action is about an alarm.
pub(super) fn deed(action: &Action) -> Option<(AlarmDeed, &Remark)> {
    match action {
        Action::Acknowledge(remark) => Some((AlarmDeed::Acknowledge, remark)),
        Action::Confirm(remark) => Some((AlarmDeed::Confirm, remark)),
        Action::Comment(remark) => Some((AlarmDeed::Comment, remark)),
        Action::Read | Action::Write(_) | Action::Call(_) => None,
    }
}

/// Says it about the state that was looked at.
///
/// # Errors
/// When the connection fails under way.
pub(super) async fn say(
    connection: &dyn Connection,
    alarms: &Alarms,
    target: &PointId,
    deed: AlarmDeed,
    remark: &Remark,
) -> Result<Answer, Status> {
    let alarm = match meant(alarms.of(target), deed, remark) {
        Ok(alarm) => alarm,
        Err(why) => return Ok(Answer::refused(why)),
    };
    let namespaces = connection.namespaces().await?;
    let address = NodeAddress::from_str(&alarm.condition).ok();
    let Some(condition) = address.and_then(|address| address.resolve(&namespaces)) else {
        return Ok(Answer::refused(
            "the server does not say which node the condition is, so that nothing can be said about it",
        ));
    };
    let remark = ConditionRemark {
        deed,
        event: alarm.event,
        comment: remark.text.clone(),
    };
    connection.remark(condition, remark).await
}

/// The one alarm of these that is meant; a state that is no longer there is not.
fn meant(open: Vec<Alarm>, deed: AlarmDeed, remark: &Remark) -> Result<Alarm, String> {
    let all = open.len();
    let named = |alarm: &Alarm| {
        let event = remark.event.as_ref();
        event.is_none_or(|event| *event == alarm.event)
    };
    let mut meant: Vec<Alarm> = open.into_iter().filter(named).collect();
    let Some(alarm) = meant.pop() else {
        return Err(match all {
            0 => "the alarm is over".to_owned(),
            _ => "the alarm has changed meanwhile, look at it again".to_owned(),
        });
    };
    if !meant.is_empty() {
        return Err(format!(
            "there are {all} open alarms at this point; say by `event` which one is meant"
        ));
    }
    match alarm.allow.contains(&deed.into()) {
        true => Ok(alarm),
        false => Err("the rule of `events` that the alarm came by does not allow this".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{ActionKind, Timestamp};

    use super::*;

    fn alarm(event: &str) -> Alarm {
        Alarm {
            point: "s/Server/Press.Overheat".parse().unwrap(),
            condition: "nsu=urn:plant;s=Overheat".to_owned(),
            branch: None,
            event: event.to_owned(),
            name: "Overheat".to_owned(),
            source: "Press".to_owned(),
            kind: "AlarmConditionType".to_owned(),
            severity: 700,
            message: String::new(),
            active: Some(true),
            acked: Some(false),
            confirmed: None,
            suppressed: None,
            shelving: None,
            quality: None,
            comment: None,
            user: None,
            since: Timestamp::default(),
            at: Timestamp::default(),
            allow: vec![ActionKind::Acknowledge],
        }
    }

    #[test]
    fn only_the_state_that_was_looked_at_is_meant() {
        let check = |events: &[&str], deed, event: Option<&str>, expected: &str| {
            let open = events.iter().map(|event| alarm(event)).collect();
            let remark = Remark {
                event: event.map(str::to_owned),
                text: String::new(),
            };
            let said = match meant(open, deed, &remark) {
                Ok(alarm) => alarm.event,
                Err(why) => why,
            };
            assert!(said.contains(expected), "{events:?} {event:?}: {said}");
        };
        use AlarmDeed::{Acknowledge, Confirm};
        check(&["A"], Acknowledge, None, "A");
        check(&["A", "B"], Acknowledge, Some("B"), "B");
        check(&["A", "B"], Acknowledge, None, "2 open alarms");
        check(&["A"], Acknowledge, Some("B"), "changed meanwhile");
        check(&[], Acknowledge, None, "is over");
        check(&["A"], Confirm, None, "does not allow");
    }
}
