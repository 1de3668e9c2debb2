//! Looking around on a server: in the running source's session, or in one that is opened for it and closed again.
//!
//! One question at a time beside one test, so that the source's own calls never wait for more than one of ours; every question ends in
//! time, and what a server answers is taken in bounded parts.

pub(crate) mod asked;
mod children;
mod detail;
mod kept;
mod past;
mod permit;
mod search;
mod selection;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fieldgate_kit::{
    Explore, ExploreCtx, ExploreError, SourceError,
    explore::{
        About, ChildrenAsk, ChildrenPage, Explored, ExploredNode, Fact, HistoryAsk, LookAsk,
        NodeDetail, NodeKind, Past, Sample, SearchAsk, SearchPage, SelectionPreview,
    },
};
use fieldgate_model::escape_segment;
use serde_json::Value as Json;
use tokio::{
    sync::{OnceCell, Semaphore},
    time::timeout,
};

use self::{asked::Reference, children::Page, kept::Kept, search::Search};
use crate::{
    attempt::Attempt,
    connection::Connection,
    node_id::NodeId,
    profiles::{self, Profiles},
    room,
    session::Opened,
    settings::Settings,
    source,
    status::Status,
};

/// Where everything begins.
const OBJECTS: NodeId = NodeId::numeric(0, 85);
const OBJECTS_PATH: &str = "Objects";
/// How long a question waits for the one before it.
const TURN_LIMIT: Duration = Duration::from_secs(8);
/// How long the answer to one question may take; the console waits for 20 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(16);
/// The longest path that is spelled; each name of it is the server's.
const MAX_PATH_BYTES: usize = 4096;
/// The most type names that are remembered, the longest of their nodes' ids, and characters of a name.
const MAX_TYPES: usize = 1000;
const MAX_ID_BYTES: usize = 8_192;
const MAX_NAME: usize = 200;

/// A session that people ask.
pub(crate) struct Explorer {
    connection: Arc<dyn Connection>,
    settings: Arc<Settings>,
    source: Arc<str>,
    profiles: Arc<Profiles>,
    owner: Owner,
    namespaces: OnceCell<Vec<String>>,
    turn: Semaphore,
    /// A test takes seconds of waiting, in which others may ask.
    watching: Semaphore,
    pages: Mutex<Kept<Page>>,
    searches: Mutex<Kept<Search>>,
    types: Mutex<HashMap<NodeId, String>>,
}

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The running source's, which publishes in it.
    Source,
    /// Opened for looking around.
    Explorer,
}

/// A session for looking around, until shutdown or until it is lost.
pub(crate) async fn host(settings: Arc<Settings>, ctx: ExploreCtx) -> Result<(), SourceError> {
    if settings.reverse.is_some() {
        return Err(SourceError::Lost(
            "this server connects by itself, and is not here now; look around while its source is connected"
                .to_owned(),
        ));
    }
    let attempt = Attempt::new(&settings, &ctx.id, &ctx.secrets, &ctx.state_dir)?;
    let opened = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        opened = open(&attempt) => opened?,
    };
    let Opened {
        connection,
        mut driver,
        ..
    } = opened;
    let profiles = Profiles::of(&ctx.state_dir).await;
    let explorer = Explorer::new(
        Arc::clone(&connection),
        Arc::clone(&settings),
        Arc::clone(&ctx.id),
        profiles,
        Owner::Explorer,
    );
    let offer = ctx.exploring.offer(Arc::new(explorer));
    tokio::select! {
        why = &mut driver => return Err(attempt.lost(&why)),
        () = ctx.shutdown.cancelled() => {}
    }
    drop(offer);
    source::good_bye(&*connection, driver).await;
    Ok(())
}

/// Trust is judged as a test of the settings judges it: nothing of the server's is kept.
async fn open(attempt: &Attempt<'_>) -> Result<Opened, SourceError> {
    let way = attempt.dialled().await?;
    let endpoints = attempt.endpoints(&way).await?;
    let endpoint = attempt.choose(&endpoints)?;
    attempt.judge(endpoint)?;
    attempt.sign_in(&way, endpoint).await
}

// === impl Explorer ===

impl Explorer {
    pub(crate) fn new(
        connection: Arc<dyn Connection>,
        settings: Arc<Settings>,
        source: Arc<str>,
        profiles: Arc<Profiles>,
        owner: Owner,
    ) -> Self {
        Self {
            connection,
            settings,
            source,
            profiles,
            owner,
            namespaces: OnceCell::new(),
            turn: Semaphore::new(1),
            watching: Semaphore::new(1),
            pages: Mutex::new(Kept::new(8)),
            searches: Mutex::new(Kept::new(4)),
            types: Mutex::default(),
        }
    }

    async fn in_turn<T>(
        &self,
        question: impl Future<Output = Result<T, ExploreError>>,
    ) -> Result<T, ExploreError> {
        let busy = || {
            ExploreError::Refused(
                "the session is busy with another question; ask again in a moment".to_owned(),
            )
        };
        let turn = timeout(TURN_LIMIT, self.turn.acquire()).await;
        let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        self.in_time(question).await
    }

    async fn in_time<T>(
        &self,
        question: impl Future<Output = Result<T, ExploreError>>,
    ) -> Result<T, ExploreError> {
        timeout(ANSWER_LIMIT, question).await.unwrap_or_else(|_| {
            Err(ExploreError::Refused(format!(
                "{} did not answer within {} s; ask for less, or ask again later",
                self.settings.endpoint,
                ANSWER_LIMIT.as_secs()
            )))
        })
    }

    async fn namespaces(&self) -> Result<&[String], ExploreError> {
        let read = self
            .namespaces
            .get_or_try_init(|| self.connection.namespaces());
        Ok(read.await?.as_slice())
    }

    /// The node behind an address; the beginning of everything behind none.
    async fn node(&self, address: &str) -> Result<NodeId, ExploreError> {
        if address.is_empty() {
            return Ok(OBJECTS);
        }
        let parsed = address.parse::<crate::node_id::NodeAddress>();
        let parsed = parsed.map_err(|error| ExploreError::Refused(error.to_string()))?;
        parsed.resolve(self.namespaces().await?).ok_or_else(|| {
            ExploreError::Refused(format!("the server has no namespace of `{address}`"))
        })
    }

    /// References as nodes for people, with the names of their types.
    async fn shown(
        &self,
        found: Vec<(Reference, String, bool)>,
    ) -> Result<Vec<ExploredNode>, ExploreError> {
        let namespaces = self.namespaces().await?;
        self.learn_types(
            found
                .iter()
                .filter_map(|(reference, ..)| reference.type_definition.as_ref()),
        )
        .await?;
        let types = lock(&self.types);
        let shown = |(reference, path, branch): (Reference, String, bool)| ExploredNode {
            address: reference.node.address(namespaces),
            path,
            name: reference.display,
            kind: reference.kind,
            type_name: reference
                .type_definition
                .and_then(|node| types.get(&node).cloned())
                .unwrap_or_default(),
            branch,
        };
        Ok(found.into_iter().map(shown).collect())
    }

    async fn learn_types(&self, types: impl Iterator<Item = &NodeId>) -> Result<(), ExploreError> {
        let mut unknown: Vec<NodeId> = Vec::new();
        {
            let known = lock(&self.types);
            for node in types {
                if !known.contains_key(node) && !unknown.contains(node) {
                    unknown.push(node.clone());
                }
            }
        }
        unknown.retain(|node| room::of_node(node) <= MAX_ID_BYTES);
        unknown.truncate(MAX_TYPES / 2);
        if unknown.is_empty() {
            return Ok(());
        }
        let names = self.connection.names(unknown.clone()).await?;
        let mut known = lock(&self.types);
        if known.len() + unknown.len() > MAX_TYPES {
            known.clear();
        }
        let named = unknown.into_iter().zip(names);
        let short = |name: String| name.chars().take(MAX_NAME).collect();
        known.extend(named.map(|(node, name)| (node, name.map_or_else(String::new, short))));
        Ok(())
    }

    fn user(&self) -> &str {
        match (&self.settings.user, &self.settings.user_certificate) {
            (Some(user), _) => &user.name,
            (None, Some(_)) => "the holder of a certificate",
            (None, None) => "anonymous",
        }
    }

    async fn about_it(&self) -> Result<About, ExploreError> {
        let limits = self.connection.limits().await?;
        let namespaces = self.namespaces().await?;
        let fact = |name: &str, text: String| Fact {
            name: name.to_owned(),
            text,
        };
        let whose = match self.owner {
            Owner::Source => "in the session of the running source",
            Owner::Explorer => "in a session of its own, which ends when nobody looks any more",
        };
        let per_browse = limits.per_browse;
        let spoken = profiles::spoken(&*self.connection, &self.profiles, namespaces, per_browse);
        let spoken = spoken.await?;
        Ok(About {
            offers: spoken.iter().map(|profile| profile.offer()).collect(),
            words: format!(
                "connected to {} as {}, {whose}",
                self.settings.endpoint,
                self.user()
            ),
            shared: self.owner == Owner::Source,
            facts: vec![
                fact("Nodes in one read", limits.per_read.to_string()),
                fact("Nodes in one browse", limits.per_browse.to_string()),
                fact(
                    "Monitored items in one call",
                    limits.per_monitor.to_string(),
                ),
                fact("Namespaces", namespaces.len().to_string()),
            ],
        })
    }
}

impl Explore for Explorer {
    fn about(&self) -> Explored<'_, About> {
        Box::pin(self.in_turn(self.about_it()))
    }

    fn children(&self, ask: ChildrenAsk) -> Explored<'_, ChildrenPage> {
        Box::pin(self.in_turn(self.children_page(ask)))
    }

    fn look(&self, ask: LookAsk) -> Explored<'_, NodeDetail> {
        Box::pin(self.in_turn(self.detail(ask)))
    }

    fn history(&self, ask: HistoryAsk) -> Explored<'_, Past> {
        Box::pin(self.in_turn(self.past(ask)))
    }

    fn search(&self, ask: SearchAsk) -> Explored<'_, SearchPage> {
        Box::pin(self.in_turn(self.search_on(ask)))
    }

    fn preview(&self, rules: Vec<Json>, present: Vec<Json>) -> Explored<'_, SelectionPreview> {
        Box::pin(self.in_turn(self.previewed(rules, present)))
    }

    fn sample(&self, rules: Vec<Json>, time: Duration) -> Explored<'_, Sample> {
        Box::pin(async move {
            let Ok(_only) = self.watching.try_acquire() else {
                return Err(ExploreError::Refused(
                    "another test is under way; try again in some seconds".to_owned(),
                ));
            };
            self.in_time(self.sampled(rules, time)).await
        })
    }
}

/// The way to a child, as a rule of the selection writes it; `None` when it gets too long to be spelled.
fn path_of(parent: &str, name: &str) -> Option<String> {
    let mut name = escape_segment(name);
    // A name that looks like a pinned namespace would be read as one.
    if name.starts_with("nsu=") {
        name.replace_range(..1, "%6E");
    }
    let parent = if parent.is_empty() {
        OBJECTS_PATH
    } else {
        parent
    };
    (!name.is_empty() && parent.len() + name.len() < MAX_PATH_BYTES)
        .then(|| format!("{parent}/{name}"))
}

/// What cannot have anything below it that has a value of its own.
fn may_lead_on(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Object | NodeKind::Variable)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Status> for ExploreError {
    fn from(why: Status) -> Self {
        match why.name() {
            "BadConnectionClosed"
            | "BadSecureChannelClosed"
            | "BadSessionClosed"
            | "BadSessionIdInvalid"
            | "BadSecureChannelIdInvalid"
            | "BadServerNotConnected"
            | "BadNotConnected" => Self::Gone(format!("the session on the server is over ({why})")),
            "BadNodeIdUnknown" | "BadNodeIdInvalid" => Self::Refused(format!(
                "the server does not have this node ({why}); open the folder above it again"
            )),
            "BadHistoryOperationUnsupported"
            | "BadHistoryOperationInvalid"
            | "BadServiceUnsupported" => Self::Refused(format!(
                "the server does not do this ({why}); it may keep no history of this node"
            )),
            "BadUserAccessDenied" => Self::Refused(format!(
                "the server does not let this user look there ({why}); sign in as another user"
            )),
            "BadNoContinuationPoints" => Self::Refused(format!(
                "the server has no room to go on from here ({why}); ask again in a moment"
            )),
            "BadContinuationPointInvalid" => Self::Refused(format!(
                "the server has forgotten where it was ({why}); open the folder again"
            )),
            _ => Self::Refused(format!("the server answers {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::Glob;

    #[test]
    fn a_path_is_a_rule_that_means_its_node() {
        for name in [
            "Temp",
            "a/b",
            "50%",
            "a*b",
            "\"DB\".\"x\"",
            "nsu=urn:x;y",
            "größe",
            "$x+#",
        ] {
            let path = path_of("", name).unwrap();
            let glob: Glob = path.parse().unwrap();
            let end = glob.step(glob.step(glob.start(), "", "Objects"), "urn:any", name);
            assert!(glob.matched(end), "{path}");
        }
        assert_eq!(path_of("Objects", ""), None);
        assert_eq!(path_of("Objects", &"x".repeat(MAX_PATH_BYTES)), None);
    }
}
