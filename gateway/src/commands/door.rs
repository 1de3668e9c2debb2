//! `DestinationDoor`: commands of one destination's far side, and the answers that it is still owed.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{
    Intake,
    command::{Door, Lost, Objection, Owed, Request, Taken, WhyNot, draft_of_json},
};
use fieldgate_model::{Action, Answer};
use futures::{FutureExt, future::BoxFuture};

use super::{Asked, Asker, Commands, Reply, Way};
use crate::gateway::Gateway;

/// Larger messages are no commands.
const MAX_BODY_BYTES: usize = 64 << 10;

struct DestinationDoor {
    gateway: Arc<Gateway>,
    id: Arc<str>,
}

/// Where this destination hands in commands.
#[must_use]
pub fn intake(gateway: &Arc<Gateway>, id: &Arc<str>) -> Intake {
    Intake::new(DestinationDoor {
        gateway: Arc::clone(gateway),
        id: Arc::clone(id),
    })
}

// === impl DestinationDoor ===

impl DestinationDoor {
    fn way(&self) -> Way {
        Way::Destination(self.id.to_string())
    }

    fn asker(&self, request: &Request) -> Asker {
        let says = request.asker.as_ref();
        let says = says.map_or_else(String::new, |asker| format!(", as {asker}"));
        Asker {
            who: format!("destination {}, {}{says}", self.id, request.through),
            way: self.way(),
            reply: Some(Reply {
                destination: self.id.to_string(),
                to: request.reply.clone(),
            }),
        }
    }

    /// Counts what is refused before anybody could read it as a command.
    fn refused(&self, id: Option<String>, why: WhyNot, words: String) -> Taken {
        let tally = &self.gateway.commands.tally;
        tally.received(&self.way());
        let answer = Answer::refused(words);
        tally.ended(&self.way(), answer.outcome, Some(why));
        Taken::answered(id, answer)
    }
}

impl Door for DestinationDoor {
    fn take(&self, request: Request) -> BoxFuture<'static, Taken> {
        let asked = match read(&request) {
            Ok(asked) => asked,
            Err((id, objection)) => {
                let taken = self.refused(id, objection.why, objection.words);
                return async { taken }.boxed();
            }
        };
        let (gateway, asker) = (Arc::clone(&self.gateway), self.asker(&request));
        async move { Commands::hand_in(&gateway, asked, asker).await }.boxed()
    }

    fn owed(&self) -> Vec<Owed> {
        let (owed, given_up) = self.gateway.commands.owed(&self.id);
        for id in given_up {
            tracing::warn!(destination = %self.id, id, "the answer to a command never reached its asker, and is given up");
            self.lost(Lost::Answer);
            self.told(&id);
        }
        owed
    }

    fn told(&self, id: &str) {
        let (gateway, id) = (Arc::clone(&self.gateway), id.to_owned());
        // Writing it down blocks; that it fails costs no more than an answer that comes twice.
        drop(tokio::task::spawn_blocking(move || {
            gateway.commands.told(&id);
        }));
    }

    fn lost(&self, lost: Lost) {
        self.gateway.commands.tally.lost(&self.way(), lost);
    }
}

/// What can be said without knowing any source; the id where there is one.
fn read(request: &Request) -> Result<Asked, (Option<String>, Objection)> {
    let no = |id: Option<String>, why, words: String| Err((id, Objection { why, words }));
    if let Some(objection) = &request.objection {
        let id = draft_of_json(&request.body).map_or_else(|error| error.id, |draft| draft.id);
        return Err((id, objection.clone()));
    }
    if request.body.len() > MAX_BODY_BYTES {
        return no(
            None,
            WhyNot::TooLarge,
            format!(
                "the message has {} bytes, and a command has no more than {MAX_BODY_BYTES}; send less",
                request.body.len()
            ),
        );
    }
    let draft = match draft_of_json(&request.body) {
        Ok(draft) => draft,
        Err(error) => return no(error.id.clone(), WhyNot::Malformed, error.to_string()),
    };
    if draft.id.is_none() && !matches!(draft.action, Action::Read) {
        return no(
            None,
            WhyNot::NoId,
            format!(
                "a {} without an `id` could be carried out twice when the message is repeated; \
                 give each command an id of its own, for instance a UUID",
                draft.action.kind()
            ),
        );
    }
    Ok(Asked {
        draft,
        waited: request.waited,
        lasts: request.lasts,
    })
}

impl Asked {
    /// By somebody who waits for the answer.
    #[must_use]
    pub fn now(draft: fieldgate_kit::command::Draft) -> Self {
        Self {
            draft,
            waited: Duration::ZERO,
            lasts: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value as Json, json};

    use super::*;

    fn request(body: impl Into<Bytes>, objection: Option<Objection>) -> Request {
        Request {
            body: body.into(),
            through: "topic t".into(),
            asker: None,
            reply: Json::Null,
            waited: Duration::from_millis(5),
            lasts: Some(Duration::from_secs(1)),
            objection,
        }
    }

    #[test]
    fn what_is_no_command_is_refused_by_its_reason() {
        let large = "x".repeat(MAX_BODY_BYTES + 1);
        let retained = Objection {
            why: WhyNot::Retained,
            words: "retained".into(),
        };
        let write = json!({ "id": "7", "point": "a/b/c", "action": "write", "value": 1 });
        for (body, objection, id, why, words) in [
            (
                large,
                None,
                None,
                WhyNot::TooLarge,
                "no more than 65536; send less",
            ),
            (
                "nonsense".into(),
                None,
                None,
                WhyNot::Malformed,
                "is no JSON",
            ),
            (
                json!({ "id": "7", "point": "a/b/c", "action": "erase" }).to_string(),
                None,
                Some("7"),
                WhyNot::Malformed,
                "`erase` is no action",
            ),
            (
                json!({ "point": "a/b/c", "action": "call" }).to_string(),
                None,
                None,
                WhyNot::NoId,
                "a call without an `id`",
            ),
            (
                write.to_string(),
                Some(retained),
                Some("7"),
                WhyNot::Retained,
                "retained",
            ),
        ] {
            let (found, objection) = read(&request(body, objection)).unwrap_err();
            assert_eq!((found.as_deref(), objection.why), (id, why));
            assert!(objection.words.contains(words), "{}", objection.words);
        }
        let asked = read(&request(write.to_string(), None)).unwrap();
        assert_eq!(asked.draft.id.as_deref(), Some("7"));
        assert_eq!(asked.lasts, Some(Duration::from_secs(1)));
        let reading = json!({ "point": "a/b/c", "action": "read" }).to_string();
        assert!(read(&request(reading, None)).is_ok());
    }
}
