//! `Reviews`: what a source found at its far side that nobody decided on yet, and what a person decides about it.
//!
//! A source that follows its far side opens its desk while its attempt lasts: it tells its list there, and takes decisions
//! one after the other. When the attempt ends, the list stays to be seen, and a decision is refused in words.

use std::sync::Arc;

use fieldgate_model::{PointId, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

/// Decisions that wait for a source; one more is refused.
const WAITING: usize = 4;

/// A point that could be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    pub point: PointId,
    /// Where it is at the far side, in its protocol's words.
    pub address: String,
    /// In the protocol's words, `Double`; none where it is unknown.
    pub data_type: Option<String>,
    /// When it was found, or when it was declined.
    pub since: Timestamp,
}

/// What is to be decided, and what was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewList {
    /// How the far side is followed, in a sentence.
    pub words: String,
    /// What is new waits for a person; otherwise it is taken at once.
    pub asks: bool,
    /// Another one for each other list of those that wait.
    pub version: String,
    pub waiting: Vec<Newcomer>,
    pub declined: Vec<Newcomer>,
}

/// What a person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Read them from now on.
    Accept(Chosen),
    /// Leave them out, for ever or until they are accepted.
    Decline(Chosen),
    /// Look at the far side now.
    Look,
}

/// Which newcomers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// All that wait in the list of this version: what came since nobody has looked at.
    All(String),
    /// By their points' ids.
    Points(Vec<PointId>),
}

/// What came of a decision, or why nothing did, in words.
pub type Decided = Result<String, String>;

/// Where a source opens its desk for reviews. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Reviews(watch::Sender<Option<ReviewBoard>>);

/// A desk as the gateway sees it, open or closed.
#[derive(Debug, Clone)]
pub struct ReviewBoard {
    pub list: Arc<ReviewList>,
    decisions: mpsc::Sender<Asked>,
}

/// A source's desk for reviews, as long as it keeps this.
#[derive(Debug)]
pub struct ReviewDesk {
    board: Reviews,
    decisions: mpsc::Receiver<Asked>,
}

/// A decision, and who waits for what comes of it.
#[derive(Debug)]
pub struct Asked {
    pub decision: Decision,
    reply: oneshot::Sender<Decided>,
}

// === impl Reviews ===

impl Default for Reviews {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Reviews {
    /// Takes decisions until the result is dropped.
    #[must_use]
    pub fn open(&self, list: ReviewList) -> ReviewDesk {
        let (sender, decisions) = mpsc::channel(WAITING);
        self.0.send_replace(Some(ReviewBoard {
            list: Arc::new(list),
            decisions: sender,
        }));
        ReviewDesk {
            board: self.clone(),
            decisions,
        }
    }

    /// The desk; none before it was opened for the first time.
    #[must_use]
    pub fn board(&self) -> Option<ReviewBoard> {
        self.0.borrow().clone()
    }
}

// === impl ReviewBoard ===

impl ReviewBoard {
    /// The source is there to take decisions.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.decisions.is_closed()
    }

    /// Hands a decision over and waits for what comes of it.
    ///
    /// # Errors
    /// In words: the source is away, has too many to do, or does not do it.
    pub async fn decide(&self, decision: Decision) -> Decided {
        let away = || {
            "the source is not connected, so that nothing can be decided now; try again once it is"
                .to_owned()
        };
        let (reply, decided) = oneshot::channel();
        match self.decisions.try_send(Asked { decision, reply }) {
            Ok(()) => decided.await.unwrap_or_else(|_| Err(away())),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(away()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err("the source has other decisions to carry out; try again in a moment".to_owned())
            }
        }
    }
}

// === impl ReviewDesk ===

impl ReviewDesk {
    /// Tells a new list.
    pub fn tell(&self, list: ReviewList) {
        self.board.0.send_modify(|board| {
            if let Some(board) = board {
                board.list = Arc::new(list);
            }
        });
    }

    /// The next decision; never, when nobody can ask any more.
    pub async fn next(&mut self) -> Asked {
        match self.decisions.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

// === impl Asked ===

impl Asked {
    /// Whoever asked may have gone; then nobody needs the answer.
    pub fn answer(self, decided: Decided) {
        let _ = self.reply.send(decided);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_decision_reaches_its_source_and_the_list_outlives_it() {
        let reviews = Reviews::default();
        assert!(reviews.board().is_none());
        let mut desk = reviews.open(ReviewList::default());
        desk.tell(ReviewList {
            words: "one waits".to_owned(),
            ..ReviewList::default()
        });
        let board = reviews.board().unwrap();
        assert_eq!(
            (board.list.words.as_str(), board.is_open()),
            ("one waits", true)
        );
        let source = async {
            let asked = desk.next().await;
            assert_eq!(
                asked.decision,
                Decision::Accept(Chosen::All("v".to_owned()))
            );
            asked.answer(Ok("taken".to_owned()));
            desk
        };
        let (decided, desk) = tokio::join!(
            board.decide(Decision::Accept(Chosen::All("v".to_owned()))),
            source
        );
        assert_eq!(decided, Ok("taken".to_owned()));
        drop(desk);
        let board = reviews.board().unwrap();
        assert_eq!(board.list.words, "one waits");
        assert!(
            board
                .decide(Decision::Look)
                .await
                .unwrap_err()
                .contains("not connected")
        );
    }
}
