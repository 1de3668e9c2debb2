//! `Explorers`: sessions that are open because somebody looks around, each closed after a minute without a question.
//!
//! A configured source that runs is asked in its own session and needs none of these.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use fieldgate_kit::{Explore, ExploreCtx, Exploring, Secrets, SourceError, SourceKind};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::supervisor::companion;

/// Sessions at once; the one that was asked longest ago makes room.
const MAX_SESSIONS: usize = 4;
/// A session is closed when nobody asked for so long; servers have few of them.
const IDLE: Duration = Duration::from_secs(60);
/// How long opening one may take.
const OPEN_LIMIT: Duration = Duration::from_secs(12);
/// How long its good-bye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// What a session is for; the settings are not kept, they may hold a typed secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// What a session is opened with.
pub struct Opening {
    pub kind: SourceKind,
    pub settings: Json,
    pub id: Arc<str>,
    pub secrets: Secrets,
    pub state_dir: std::path::PathBuf,
    /// Kept until the session is closed: the typed secrets of settings that nobody saved.
    pub keep: Box<dyn Send>,
}

/// The open sessions. Dropping it closes all.
pub struct Explorers {
    open: Mutex<Vec<Open>>,
    shutdown: CancellationToken,
}

#[derive(Clone)]
struct Open {
    key: Key,
    exploring: Exploring,
    asked: Arc<Mutex<Instant>>,
    /// Why it ended, in words.
    ended: watch::Receiver<Option<String>>,
    shutdown: CancellationToken,
}

// === impl Key ===

impl Key {
    /// Two different lists of parts have different keys.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

// === impl Explorers ===

impl Explorers {
    /// Sessions that end with `shutdown` at the latest.
    #[must_use]
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            open: Mutex::default(),
            shutdown,
        }
    }

    /// The session for a key; opened when there is none.
    ///
    /// # Errors
    /// `opening`'s own, or in words why the session could not be opened.
    pub async fn session<E: From<String>>(
        &self,
        key: Key,
        opening: impl Future<Output = Result<Opening, E>>,
    ) -> Result<Arc<dyn Explore>, E> {
        let open = match self.find(key) {
            Some(open) => open,
            None => self.open(key, opening.await?),
        };
        *lock(&open.asked) = Instant::now();
        let mut ended = open.ended.clone();
        let session = tokio::select! {
            session = open.exploring.session() => Ok(session),
            why = ended.wait_for(Option::is_some) => Err(words(why.ok().as_deref())),
            () = tokio::time::sleep(OPEN_LIMIT) => Err("the server did not let anybody in within 12 s; is it busy?".to_owned()),
        };
        session.map_err(|words| {
            self.forget(key);
            E::from(words)
        })
    }

    /// Closes a session, for instance since it turned out to be lost.
    pub fn forget(&self, key: Key) {
        lock(&self.open).retain(|open| {
            let other = open.key != key;
            if !other {
                open.shutdown.cancel();
            }
            other
        });
    }

    fn find(&self, key: Key) -> Option<Open> {
        let mut open = lock(&self.open);
        open.retain(|open| open.ended.borrow().is_none());
        open.iter().find(|open| open.key == key).cloned()
    }

    fn open(&self, key: Key, opening: Opening) -> Open {
        let shutdown = self.shutdown.child_token();
        let (ended_sender, ended) = watch::channel(None);
        let open = Open {
            key,
            exploring: Exploring::default(),
            asked: Arc::new(Mutex::new(Instant::now())),
            ended,
            shutdown: shutdown.clone(),
        };
        let mut all = lock(&self.open);
        if all.len() >= MAX_SESSIONS
            && let Some(oldest) = (0..all.len()).min_by_key(|at| *lock(&all[*at].asked))
        {
            all.swap_remove(oldest).shutdown.cancel();
        }
        all.push(open.clone());
        drop(all);
        let ctx = ExploreCtx {
            id: Arc::clone(&opening.id),
            secrets: opening.secrets.clone(),
            state_dir: opening.state_dir.clone(),
            exploring: open.exploring.clone(),
            shutdown,
        };
        let asked = Arc::clone(&open.asked);
        // Nobody waits for it: it ends by itself, and at the latest with the web server's runtime.
        drop(companion(async move {
            let why = run(opening, ctx, asked).await;
            ended_sender.send_replace(Some(why));
        }));
        open
    }
}

/// A session until nobody asks any more; why it ended, in words.
async fn run(opening: Opening, ctx: ExploreCtx, asked: Arc<Mutex<Instant>>) -> String {
    let shutdown = ctx.shutdown.clone();
    let Opening {
        kind,
        settings,
        keep,
        ..
    } = opening;
    let session = kind.explore(settings, ctx);
    tokio::pin!(session);
    let ended = tokio::select! {
        ended = &mut session => Some(ended),
        () = idle(&asked) => None,
    };
    let why = match ended {
        Some(Err(
            SourceError::Lost(words)
            | SourceError::Refused(words)
            | SourceError::Misconfigured(words),
        )) => words,
        Some(Ok(())) => "the session was closed".to_owned(),
        None => {
            shutdown.cancel();
            let _in_time = timeout(CLOSE_LIMIT, session).await;
            "the session was closed, since nobody asked anything".to_owned()
        }
    };
    drop(keep);
    why
}

/// Resolves once nobody has asked for long.
async fn idle(asked: &Mutex<Instant>) {
    loop {
        let rest = IDLE.saturating_sub(lock(asked).elapsed());
        if rest.is_zero() {
            return;
        }
        tokio::time::sleep(rest).await;
    }
}

fn words(why: Option<&Option<String>>) -> String {
    why.cloned()
        .flatten()
        .unwrap_or_else(|| "the session was closed".to_owned())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("nothing panics while holding it")
}
