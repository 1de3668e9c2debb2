//! `Intake`: where a destination hands in what its far side asks for; the answers find their way also after a broken link.
//!
//! ```text
//! far side ──Request──▶ take ──▶ Taken: written down, so the far side may forget it ──▶ Answer ──▶ far side ──▶ told
//!                                                next link, next start: owed ──Owed──▶ Answer ──▶ far side ──▶ told
//! ```

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_model::Answer;
use futures::{FutureExt, future::BoxFuture};
use serde_json::Value as Json;

use super::WhyNot;

/// What came to a destination for a device.
#[derive(Debug, Clone)]
pub struct Request {
    /// The command as JSON, as [`super::draft_of_json`] reads it. Empty where the destination objects to its size.
    pub body: Bytes,
    /// Where exactly it came from, for the record: `topic fieldgate/line-4/cmd`.
    pub through: String,
    /// Who asks, as the far side says; nobody has checked that.
    pub asker: Option<String>,
    /// Where the answer goes, in words that only the destination understands. It is kept with the command.
    pub reply: Json,
    /// How long it has waited here.
    pub waited: Duration,
    /// How long after it came the far side wants it begun at the latest.
    pub lasts: Option<Duration>,
    /// What the destination has against it: then it is refused.
    pub objection: Option<Objection>,
}

/// Why a destination does not want a command to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    pub why: WhyNot,
    /// For whoever asked: what is wrong, and what to do.
    pub words: String,
}

/// A command that is written down, or that nobody has to remember: the far side may be told that it arrived.
pub struct Taken {
    /// Its id, where it has one; the answer carries it.
    pub id: Option<String>,
    /// It is written down with its `reply`: once the far side has the answer, say so with [`Door::told`].
    pub written: bool,
    /// Resolves when it has ended. It is carried out to its end also when this is dropped.
    pub answer: BoxFuture<'static, Answer>,
}

/// An answer that the far side did not get by an earlier link.
pub struct Owed {
    pub id: String,
    pub reply: Json,
    pub answer: BoxFuture<'static, Answer>,
}

/// The gateway's side of an intake.
pub trait Door: Send + Sync {
    /// Takes a command; resolves as soon as it is written down, or refused.
    fn take(&self, request: Request) -> BoxFuture<'static, Taken>;

    /// What the far side is still to be told, the oldest first: of the last hour, also from before a restart.
    fn owed(&self) -> Vec<Owed>;

    /// The far side has the answer to the command with this id.
    fn told(&self, id: &str);

    /// An answer cannot be delivered, or a command could not even be looked at: it is counted under its reason.
    fn lost(&self, lost: Lost);
}

/// What is lost between a destination and the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// A command came on top of too many others, and nobody looked at it.
    Command,
    /// The link ended before anybody looked at a command.
    CommandOfLink,
    /// The far side does not take the answer, or nobody knows whether it did.
    Answer,
}

/// Where a destination hands in the commands of its far side. Cloning shares it.
#[derive(Clone)]
pub struct Intake(Arc<dyn Door>);

/// Refuses every command.
struct Closed;

// === impl Intake ===

impl Intake {
    #[must_use]
    pub fn new(door: impl Door + 'static) -> Self {
        Self(Arc::new(door))
    }
}

impl Deref for Intake {
    type Target = dyn Door;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Default for Intake {
    /// Refuses every command.
    fn default() -> Self {
        Self::new(Closed)
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Intake")
    }
}

// === impl Taken ===

impl Taken {
    /// What is answered at once, and not written down.
    #[must_use]
    pub fn answered(id: Option<String>, answer: Answer) -> Self {
        Self {
            id,
            written: false,
            answer: async { answer }.boxed(),
        }
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken")
            .field("id", &self.id)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

// === impl Owed ===

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owed")
            .field("id", &self.id)
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

// === impl Closed ===

impl Door for Closed {
    fn take(&self, _: Request) -> BoxFuture<'static, Taken> {
        let no = Answer::refused("commands are not taken here");
        async { Taken::answered(None, no) }.boxed()
    }

    fn owed(&self) -> Vec<Owed> {
        Vec::new()
    }

    fn told(&self, _: &str) {}

    fn lost(&self, _: Lost) {}
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Outcome;

    use super::*;

    #[tokio::test]
    async fn without_a_gateway_a_command_is_refused() {
        let request = Request {
            body: Bytes::new(),
            through: "topic t".into(),
            asker: None,
            reply: Json::Null,
            waited: Duration::ZERO,
            lasts: None,
            objection: None,
        };
        let intake = Intake::default();
        let taken = intake.take(request).await;
        assert!(!taken.written && intake.owed().is_empty());
        assert_eq!(taken.answer.await.outcome, Outcome::Refused);
    }
}
