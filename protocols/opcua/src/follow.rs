//! `Following`: how a running source follows its server's address space: when it looks, what the looks come to, and what
//! people decide about what is new.
//!
//! ```text
//! model change events, NodeVersion ─▶ pace ─▶ look ─▶ book (taken, waiting, declined) ─▶ difference ─▶ whoever reads
//! an interval, a person ────────────────┘        ▲ decisions of people
//! ```

mod book;
mod difference;
mod file;
mod pace;
mod reviewing;
mod signals;

use std::time::Duration;

use fieldgate_kit::{
    SourceCtx, SourceError,
    review::{Asked, Decision},
};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use self::pace::Pace;
pub(crate) use self::{
    difference::{Difference, Known, difference, keep_names},
    reviewing::Reviewing,
    signals::Signals,
};
use crate::{
    connection::{Connection, Limits, Notification, Subscription},
    look::{self, Look},
    profiles::Profiles,
    publish::Points,
    select,
    settings::Settings,
    status::Status,
};

/// Follows one server's address space as long as an attempt lasts.
pub(crate) struct Following<'a> {
    connection: &'a dyn Connection,
    settings: &'a Settings,
    profiles: &'a Profiles,
    ctx: &'a SourceCtx,
    pub(crate) limits: Limits,
    pace: Pace,
    looking: Option<BoxFuture<'a, Result<Look, SourceError>>>,
    signals: Signals,
    reviewing: Reviewing,
    /// What is to be done before anything else.
    first: Option<Changed>,
    /// The last look saw everything.
    whole: bool,
    /// Why the last look failed.
    trouble: Option<String>,
}

/// Something to be done.
pub(crate) enum Step {
    Due,
    Known(Changed),
    Looked(Box<Result<Look, SourceError>>),
    Asked(Asked),
}

/// What differs, and how much can be said of what was not found.
pub(crate) struct Changed {
    pub difference: Difference,
    /// Everything was seen: what is missing is not meant any more, even where its node exists.
    pub whole: bool,
    /// There is room for all of it; otherwise the source begins anew, without what came and went meanwhile.
    pub fits: bool,
}

/// Why the source begins anew.
pub(crate) const TOO_MANY: &str =
    "more nodes came and went than a source can have; it begins anew with those that are there";

// === impl Following ===

impl<'a> Following<'a> {
    pub(crate) fn new(
        connection: &'a dyn Connection,
        (settings, profiles): (&'a Settings, &'a Profiles),
        ctx: &'a SourceCtx,
        limits: Limits,
        reviewing: Reviewing,
    ) -> Self {
        let every = Duration::from_secs(settings.rebrowse_s);
        let following = Self {
            connection,
            settings,
            profiles,
            ctx,
            limits,
            pace: Pace::new(every, Instant::now()),
            looking: None,
            signals: Signals::default(),
            reviewing,
            first: None,
            whole: true,
            trouble: None,
        };
        following.tell();
        following
    }

    /// With what the server tells by itself.
    pub(crate) fn with_signals(self, signals: Signals) -> Self {
        let following = Self { signals, ..self };
        following.tell();
        following
    }

    /// With what is known to differ already, which is done first.
    pub(crate) fn with_change(self, change: Changed) -> Self {
        Self {
            first: Some(change),
            ..self
        }
    }

    /// What the next attempt has to know.
    pub(crate) fn leave(&mut self) -> Signals {
        std::mem::take(&mut self.signals)
    }

    /// Takes the server's own signals out of a message.
    pub(crate) fn hear(&mut self, notification: &mut Notification) {
        if self.signals.hear(notification) {
            self.pace.told(Instant::now());
        }
    }

    /// Messages of the subscription of this number are missing. What the server told in them, a look will show.
    pub(crate) fn missed(&mut self, subscription: u32) {
        if self.signals.is_in(subscription) {
            self.pace.told(Instant::now());
        }
    }

    /// The subscription of this number was made anew. What changed meanwhile nobody told, so that a look is asked for.
    ///
    /// # Errors
    /// When the server breaks off.
    pub(crate) async fn listen_again(
        &mut self,
        former: u32,
        made: Subscription,
    ) -> Result<(), Status> {
        if self.signals.is_in(former) {
            let versions = self.signals.take_versions();
            let most = self.limits.per_monitor;
            self.signals = Signals::listen(self.connection, &[made], &versions, most).await?;
            self.pace.told(Instant::now());
        }
        Ok(())
    }

    /// A node is back under its number, perhaps as something else: a look will say. False when looks do not see everything.
    pub(crate) fn suspect(&mut self) -> bool {
        if self.whole {
            self.pace.told(Instant::now());
        }
        self.whole
    }

    /// What is to be done next. Nothing is lost when this is dropped while it waits.
    pub(crate) async fn next(&mut self) -> Step {
        if let Some(change) = self.first.take() {
            return Step::Known(change);
        }
        let due = self.pace.due();
        tokio::select! {
            looked = under_way(&mut self.looking) => {
                self.looking = None;
                Step::Looked(Box::new(looked))
            }
            () = sleep_until(due), if self.looking.is_none() => Step::Due,
            asked = self.reviewing.desk.next() => Step::Asked(asked),
        }
    }

    /// What a step comes to; `None` when nothing is to be done.
    ///
    /// # Errors
    /// When the server broke off.
    pub(crate) async fn turn(&mut self, step: Step, points: &Points<'_>) -> Option<Changed> {
        match step {
            Step::Known(change) => Some(change),
            Step::Due => {
                self.look(points);
                None
            }
            Step::Asked(asked) => {
                let decided = self.reviewing.decide(&asked.decision).await;
                if decided.is_ok() && !matches!(asked.decision, Decision::Decline(_)) {
                    self.pace.asked(Instant::now());
                }
                // First the list, so that whoever asked sees what came of it.
                self.tell();
                asked.answer(decided);
                None
            }
            Step::Looked(looked) => {
                let looked = self.looked(*looked, points).await;
                self.tell();
                looked
            }
        }
    }

    /// Begins a look.
    fn look(&mut self, points: &Points<'_>) {
        self.pace.begins();
        let (connection, settings, source) = (self.connection, self.settings, &*self.ctx.id);
        let profiles = self.profiles;
        let known = select::known_paths(points.items());
        self.looking = Some(Box::pin(async move {
            look::look(connection, settings, profiles, source, &known).await
        }));
    }

    async fn looked(
        &mut self,
        looked: Result<Look, SourceError>,
        points: &Points<'_>,
    ) -> Option<Changed> {
        let now = Instant::now();
        let Look {
            selection,
            types,
            took,
        } = match looked {
            Ok(look) => look,
            Err(why) => {
                tracing::warn!(source = %self.ctx.id, %why, "what changed on the server is not known; it is looked at again");
                self.trouble = Some(why.to_string());
                self.pace.ended(Duration::ZERO, false, now);
                return None;
            }
        };
        self.trouble = None;
        (self.whole, self.limits) = (selection.whole, selection.limits);
        self.pace.ended(took, true, now);
        let found = selection.items.into_iter().zip(types).collect();
        let found = keep_names(points.items(), found);
        let read = self.reviewing.sort(found, selection.whole).await;
        let mut difference = difference(points.known(), read);
        self.remake_touched(&mut difference, points);
        let fits = difference.fit(points.items().len(), selection.whole);
        tracing::debug!(source = %self.ctx.id, ?took, added = difference.added.len(), remade = difference.remade.len(), missing = difference.missing.len(), "looked at the address space");
        Some(Changed {
            difference,
            whole: selection.whole,
            fits,
        })
    }

    /// A node that went and came under the same number takes its monitored item with it, on many servers without a word.
    fn remake_touched(&mut self, difference: &mut Difference, points: &Points<'_>) {
        let touched = self.signals.take_touched();
        if touched.is_empty() {
            return;
        }
        let is_told = |at: usize, difference: &Difference| {
            difference.remade.iter().any(|(told, _)| *told == at)
                || difference.missing.contains(&at)
        };
        for (at, item) in points.items().iter().enumerate() {
            let came = item
                .node
                .as_ref()
                .is_some_and(|node| touched.contains(node));
            if came && !is_told(at, difference) {
                difference.remade.push((at, item.clone()));
            }
        }
    }

    /// What of the following is said in the source's own sentence; nothing while all is well.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        match self.reviewing.book.waiting() {
            0 => {}
            1 => words.push_str("; 1 new node waits for review"),
            waiting => words.push_str(&format!("; {waiting} new nodes wait for review")),
        }
        if let Some(trouble) = &self.trouble {
            words.push_str(&format!("; changes of its nodes are not seen: {trouble}"));
        }
        words
    }

    fn tell(&self) {
        let every = self.settings.rebrowse_s;
        let mut words = match self.signals.words() {
            Some(signals) => format!(
                "{signals} of the server are listened to, and it is looked at every {every} s"
            ),
            None => {
                format!("the server tells no changes of its nodes; it is looked at every {every} s")
            }
        };
        if let Some(trouble) = &self.trouble {
            words.push_str(&format!("; the last look failed: {trouble}"));
        }
        self.reviewing.desk.tell(self.reviewing.book.list(words));
    }

    /// Whether the nodes of points that were not found exist, in their order.
    ///
    /// # Errors
    /// When the server breaks off.
    pub(crate) async fn exist(
        &mut self,
        points: &Points<'_>,
        missing: &[usize],
    ) -> Result<Vec<(usize, Result<(), Status>)>, Status> {
        let mut answers = Vec::with_capacity(missing.len());
        for chunk in missing.chunks(self.limits.per_read.max(1)) {
            let asked = |at: &usize| Some((*at, points.items()[*at].node.clone()?));
            let (places, nodes): (Vec<usize>, Vec<_>) = chunk.iter().filter_map(asked).unzip();
            answers.extend(places.into_iter().zip(self.connection.exist(nodes).await?));
        }
        Ok(answers)
    }
}

/// The next step of the following; never, where nobody follows.
pub(crate) async fn next(following: &mut Option<Following<'_>>) -> Step {
    match following {
        Some(following) => following.next().await,
        None => std::future::pending().await,
    }
}

/// The look that is under way; never, when there is none.
async fn under_way(
    looking: &mut Option<BoxFuture<'_, Result<Look, SourceError>>>,
) -> Result<Look, SourceError> {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
