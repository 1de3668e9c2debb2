//! `Client`: refreshing conditions, and acknowledging, confirming and commenting them.
//!
//! The methods hang on the condition's own node, which a server need not show: so they are called by the node ids that they
//! have on their types (OPC UA Part 9, 5.5.6, 5.5.7, 5.7.3, 5.7.4), and by the condition's own methods where it wants that.

use fieldgate_model::Answer;
use opcua::types::{
    ByteString, CallMethodRequest, LocalizedText, MethodId, NodeId as VendorNodeId, ObjectTypeId,
    StatusCode, Variant,
};

use super::{calls::Client, convert, within};
use crate::{
    connection::ConditionRemark, node_id::NodeId, settings::AlarmDeed, status::Status, value,
};

impl Client {
    /// BadRefreshInProgress is as good: its events come.
    pub(super) async fn refresh(&self, subscription: u32) -> Result<(), Status> {
        let code = self
            .call_one(CallMethodRequest {
                object_id: ObjectTypeId::ConditionType.into(),
                method_id: MethodId::ConditionType_ConditionRefresh.into(),
                input_arguments: Some(vec![Variant::UInt32(subscription)]),
            })
            .await?;
        match code.is_bad() && code != StatusCode::BadRefreshInProgress {
            true => Err(value::status(code)),
            false => Ok(()),
        }
    }

    /// Acknowledge, Confirm or AddComment with the EventId of the state that is meant.
    pub(super) async fn remark_on(
        &self,
        condition: &NodeId,
        remark: &ConditionRemark,
    ) -> Result<Answer, Status> {
        let Some(event) = ByteString::from_base64(&remark.event) else {
            return Ok(Answer::refused(
                "`event` is no Base64; take it from the alarm",
            ));
        };
        let request = |method: VendorNodeId| CallMethodRequest {
            object_id: convert::vendor_node_id(condition),
            method_id: method,
            input_arguments: Some(vec![
                Variant::ByteString(event.clone()),
                Variant::from(LocalizedText::new("", &remark.comment)),
            ]),
        };
        let (method, name) = method(remark.deed);
        let mut code = self.call_one(request(method.into())).await?;
        if is_of_another_method(code)
            && let Some(own) = self.own_method(condition, name).await?
        {
            code = self.call_one(request(own)).await?;
        }
        Ok(answer(remark.deed, code))
    }

    /// The condition's own method of this name.
    async fn own_method(
        &self,
        condition: &NodeId,
        name: &str,
    ) -> Result<Option<VendorNodeId>, Status> {
        let below = self.methods_below(std::slice::from_ref(condition)).await?;
        let methods = below.into_iter().next().and_then(Result::ok);
        let mut methods = methods.unwrap_or_default().into_iter();
        let own = methods.find(|method| method.name.name == name);
        Ok(own.map(|method| convert::vendor_node_id(&method.node)))
    }

    async fn call_one(&self, request: CallMethodRequest) -> Result<StatusCode, Status> {
        let results = within(self.session.call(vec![request])).await?;
        let result = results.into_iter().next();
        let result = result.ok_or(Status::named("BadUnknownResponse"))?;
        Ok(result.status_code)
    }
}

fn method(deed: AlarmDeed) -> (MethodId, &'static str) {
    match deed {
        AlarmDeed::Acknowledge => (
            MethodId::AcknowledgeableConditionType_Acknowledge,
            "Acknowledge",
        ),
        AlarmDeed::Confirm => (MethodId::AcknowledgeableConditionType_Confirm, "Confirm"),
        AlarmDeed::Comment => (MethodId::ConditionType_AddComment, "AddComment"),
    }
}

/// The server knows the method only by the condition's own node of it.
fn is_of_another_method(code: StatusCode) -> bool {
    [
        StatusCode::BadMethodInvalid,
        StatusCode::BadNodeIdUnknown,
        StatusCode::BadNodeIdInvalid,
        StatusCode::BadNotImplemented,
        StatusCode::BadNothingToDo,
    ]
    .contains(&code)
}

/// What the server says, in words (Part 9, 5.5.6 to 5.7.4: the result codes of the methods).
fn answer(deed: AlarmDeed, code: StatusCode) -> Answer {
    let status = value::status(code);
    if !code.is_bad() {
        let done = match deed {
            AlarmDeed::Acknowledge => "the alarm was acknowledged",
            AlarmDeed::Confirm => "the alarm was confirmed",
            AlarmDeed::Comment => "the remark was added",
        };
        return Answer::done(done).status(status.name());
    }
    let why = match code {
        StatusCode::BadEventIdUnknown => {
            "the alarm has changed meanwhile, look at it again".to_owned()
        }
        StatusCode::BadConditionBranchAlreadyAcked => "somebody acknowledged it before".to_owned(),
        StatusCode::BadConditionBranchAlreadyConfirmed => "somebody confirmed it before".to_owned(),
        StatusCode::BadUserAccessDenied | StatusCode::BadNotExecutable => {
            "the server does not let this user do that; sign in as another `user`".to_owned()
        }
        _ => status.to_string(),
    };
    Answer::refused(format!("the server refused: {why}")).status(status.name())
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Outcome;

    use super::*;

    #[test]
    fn what_the_server_says_is_told_in_words() {
        for (code, outcome, words) in [
            (StatusCode::Good, Outcome::Done, "was acknowledged"),
            (
                StatusCode::BadEventIdUnknown,
                Outcome::Refused,
                "changed meanwhile",
            ),
            (
                StatusCode::BadConditionBranchAlreadyAcked,
                Outcome::Refused,
                "before",
            ),
            (
                StatusCode::BadConditionDisabled,
                Outcome::Refused,
                "BadConditionDisabled",
            ),
        ] {
            let answer = answer(AlarmDeed::Acknowledge, code);
            assert_eq!(answer.outcome, outcome);
            assert!(answer.words.contains(words), "{}", answer.words);
        }
    }
}
