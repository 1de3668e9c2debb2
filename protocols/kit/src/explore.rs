//! `Explore`: looking around at the far side of a source: what is below a node, what is known of it, a search, what a selection means.
//!
//! A running source offers its own session, since sessions are scarce on small devices; for settings that do not run,
//! `Source::explore` opens a session for as long as somebody looks. Both stand behind the same trait object, which
//! answers one question at a time and nothing without bounds.

use std::{path::PathBuf, sync::Arc, time::Duration};

use fieldgate_model::{ActionKind, Quality, Timestamp, Value};
use futures::future::BoxFuture;
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Secrets;

/// What a question comes to.
pub type Explored<'a, T> = BoxFuture<'a, Result<T, ExploreError>>;

/// Why there is no answer, by what the caller does next. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExploreError {
    /// The session is over; a new one may answer.
    #[error("{0}")]
    Gone(String),
    /// Asking again changes nothing before somebody does something.
    #[error("{0}")]
    Refused(String),
}

/// One open session, asked by people. Every question ends within its limits.
pub trait Explore: Send + Sync {
    /// Where one is, and what the far side says of itself and its limits.
    fn about(&self) -> Explored<'_, About>;

    /// What is below a node, a page at a time, in the far side's order.
    fn children(&self, ask: ChildrenAsk) -> Explored<'_, ChildrenPage>;

    /// What is known of one node, with its value as it is now.
    fn look(&self, ask: LookAsk) -> Explored<'_, NodeDetail>;

    /// What a node's value was, as far as the far side itself keeps it.
    fn history(&self, _ask: HistoryAsk) -> Explored<'_, Past> {
        let none = "no history is kept there that could be read";
        Box::pin(async move { Err(ExploreError::Refused(none.to_owned())) })
    }

    /// Nodes below one whose name or address holds a text; a part of the way with each call.
    fn search(&self, ask: SearchAsk) -> Explored<'_, SearchPage>;

    /// What rules of a selection would mean, compared with those that are there already.
    fn preview(&self, rules: Vec<Json>, present: Vec<Json>) -> Explored<'_, SelectionPreview>;

    /// Watches what rules mean for a while: which points change, and how often.
    fn sample(&self, rules: Vec<Json>, time: Duration) -> Explored<'_, Sample>;
}

/// Where one is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// A sentence: who is asked, signed in as whom, in whose session.
    pub words: String,
    /// The running source's own session answers.
    pub shared: bool,
    /// What the far side says of its limits, in its protocol's words.
    pub facts: Vec<Fact>,
    /// Models of devices that it speaks, each with the rule that takes what is known of it.
    pub offers: Vec<Suggestion>,
}

/// A rule that suits a far side, since it speaks a model that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What the model is called.
    pub title: String,
    /// What the rule takes, in a few words.
    pub about: String,
    pub rule: Json,
}

/// A fact with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: String,
    pub text: String,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Holds others.
    Object,
    /// Has a value.
    Variable,
    /// Has a value that describes its parent.
    Property,
    /// Can be called.
    Method,
}

/// A node on the far side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExploredNode {
    /// Its address, in a form that survives the far side's restart where there is one.
    pub address: String,
    /// The way to it, as a rule of the selection writes it.
    pub path: String,
    /// Its name for people.
    pub name: String,
    pub kind: NodeKind,
    /// What it is an instance of; empty when unknown.
    pub type_name: String,
    /// There may be something below it that can be selected.
    pub branch: bool,
}

/// A question for what is below a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChildrenAsk {
    /// Its address; empty for where everything begins.
    pub node: String,
    /// The way to it, as it was told; empty for where everything begins.
    pub path: String,
    /// The mark of the page before, for the next one.
    pub more: Option<String>,
}

/// A page of children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChildrenPage {
    pub nodes: Vec<ExploredNode>,
    /// The mark for the next page; none when this was the last one.
    pub more: Option<String>,
    /// Why there is nothing, and what could be done, for an empty page.
    pub words: Option<String>,
}

/// A value as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub value: Value,
    pub quality: Quality,
    pub source_at: Option<Timestamp>,
    pub server_at: Option<Timestamp>,
}

/// A question for what is known of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookAsk {
    /// Its address; empty for where everything begins.
    pub node: String,
    /// The way by which it was found; empty when nobody knows.
    pub path: String,
}

/// What people could do to a node, where the settings allow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Permit {
    pub actions: Vec<ActionKind>,
    /// The rule of the setting `commands` that allows them at this node, and nowhere else.
    pub rule: Json,
    /// Why the far side would refuse some of it all the same.
    pub against: Option<String>,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeDetail {
    pub node: ExploredNode,
    pub description: String,
    /// None for what has no value.
    pub value: Option<Observation>,
    pub unit: Option<String>,
    /// The range of its values, low and high.
    pub range: Option<(f64, f64)>,
    /// Everything else, in the protocol's words: data type, access level, sampling interval.
    pub facts: Vec<Fact>,
    /// The far side keeps what its value was, and lets it be read.
    pub history: bool,
    /// None for what nothing can be done to.
    pub permit: Option<Permit>,
}

/// A question for what a node's value was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryAsk {
    pub node: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Of more values the newest are told.
    pub most: u32,
}

/// Values of the past, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    pub values: Vec<Observation>,
    /// There are older ones in the time that was asked for.
    pub more: bool,
}

/// A question for nodes by name or address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchAsk {
    /// Where to begin; empty for where everything begins.
    pub node: String,
    pub path: String,
    /// Part of a name, in any case, or an address.
    pub text: String,
    /// The mark of the call before, to go on from there.
    pub more: Option<String>,
}

/// How far a search came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// Found by this call.
    pub nodes: Vec<ExploredNode>,
    /// Nodes that were looked at so far.
    pub looked_at: u64,
    /// The mark to go on with; none when it is over. Who does not go on has stopped it.
    pub more: Option<String>,
    /// Why it ended before everything was looked at.
    pub cut: Option<String>,
}

/// What rules mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SelectionPreview {
    /// Points that the rules mean.
    pub points: u64,
    /// Of these, how many the present rules mean already.
    pub covered: u64,
    /// Points that the present rules mean.
    pub before: u64,
    /// The most values a second that the new points can give, by their sampling interval.
    pub at_most_per_s: f64,
    /// The first of the new points.
    pub first: Vec<String>,
    /// Why the rules mean less than they say.
    pub cut: Option<String>,
}

/// What was seen of points while they were watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    pub seconds: f64,
    /// How it was looked at, in a sentence.
    pub words: String,
    /// Points that the rules mean; not all of them need be watched.
    pub points: u64,
    /// Those that were watched, the busiest first.
    pub watched: Vec<Watched>,
}

/// One point that was watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    pub point: String,
    /// How often it got another value.
    pub changes: u64,
    /// The last one; none when none came.
    pub last: Option<Observation>,
    /// Why it cannot be read.
    pub trouble: Option<String>,
}

/// Where a session is offered to whoever wants to look around.
#[derive(Clone)]
pub struct Exploring(watch::Sender<Option<Arc<dyn Explore>>>);

/// A session while it is offered; dropping this withdraws it.
pub struct Offer(Exploring);

/// All that a session for looking around may touch.
#[derive(Debug, Clone)]
pub struct ExploreCtx {
    pub id: Arc<str>,
    pub secrets: Secrets,
    pub state_dir: PathBuf,
    pub exploring: Exploring,
    /// Nobody looks any more.
    pub shutdown: CancellationToken,
}

// === impl Exploring ===

impl Default for Exploring {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Exploring {
    /// Offers a session until what it returns is dropped.
    #[must_use]
    pub fn offer(&self, session: Arc<dyn Explore>) -> Offer {
        self.0.send_replace(Some(session));
        Offer(self.clone())
    }

    /// The session that is offered right now.
    #[must_use]
    pub fn offered(&self) -> Option<Arc<dyn Explore>> {
        self.0.borrow().clone()
    }

    /// Waits for one.
    pub async fn session(&self) -> Arc<dyn Explore> {
        let mut offers = self.0.subscribe();
        loop {
            if let Some(session) = offers.borrow_and_update().clone() {
                return session;
            }
            if offers.changed().await.is_err() {
                // We hold a sender ourselves, so that this never comes.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl std::fmt::Debug for Exploring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offered = self.0.borrow().is_some();
        f.debug_tuple("Exploring").field(&offered).finish()
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.0.0.send_replace(None);
    }
}
