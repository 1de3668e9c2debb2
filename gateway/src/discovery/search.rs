//! `Search`: one search while it runs and after it, with all that it found so far.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use fieldgate_kit::{Announcement, Discovered, SourceKind};
use futures::{StreamExt, stream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    mdns, scan,
    scope::{Asked, Scope},
};

/// Those that are asked at once who they are.
const ASKED_AT_ONCE: usize = 8;
/// What is found at most.
const MOST_FOUND: usize = 512;
/// However slowly everybody answers, a search ends after so long.
const LONGEST: Duration = Duration::from_secs(1800);

/// One search.
pub struct Search {
    pub number: u64,
    pub kind: SourceKind,
    pub scope: Scope,
    progress: Mutex<Progress>,
    stopped: CancellationToken,
}

/// How it stands with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Done,
    Stopped,
}

/// What was found, how far it is, and what went wrong.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub found: Vec<Discovered>,
    /// Where somebody listens, or announces itself, who does not answer as one of the kind; and why.
    pub silent: Vec<String>,
    pub done: u64,
    pub all: u64,
}

#[derive(Default)]
struct Progress {
    found: Found,
    ended: Option<State>,
}

// === impl Search ===

impl Search {
    pub(super) fn new(
        number: u64,
        kind: SourceKind,
        scope: Scope,
        stopped: CancellationToken,
    ) -> Self {
        let found = Found {
            all: scope.connections(),
            ..Found::default()
        };
        Self {
            number,
            kind,
            scope,
            progress: Mutex::new(Progress { found, ended: None }),
            stopped,
        }
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        self.lock().ended.is_none()
    }

    /// How it stands, and what was found so far.
    #[must_use]
    pub fn look(&self) -> (State, Found) {
        let progress = self.lock();
        (
            progress.ended.unwrap_or(State::Running),
            progress.found.clone(),
        )
    }

    /// Ends it; what was found stays.
    pub fn stop(&self) {
        self.stopped.cancel();
        self.end(State::Stopped);
    }

    pub(super) async fn run(&self) {
        tracing::info!(kind = self.kind.kind, scope = %self.scope.words(), "a search for devices begins, as a person asked for");
        let search = async {
            match &self.scope.asked {
                Asked::Service(service) => self.listen(service).await,
                Asked::Range { .. } => self.scan().await,
            }
        };
        tokio::select! {
            () = self.stopped.cancelled() => self.end(State::Stopped),
            in_time = timeout(LONGEST, search) => self.end(match in_time {
                Ok(()) => State::Done,
                Err(_) => State::Stopped,
            }),
        }
        let (state, found) = self.look();
        tracing::info!(
            kind = self.kind.kind,
            ?state,
            found = found.found.len(),
            "the search has ended"
        );
    }

    async fn scan(&self) {
        let places = scan::scan(self.scope.sockets());
        let answers = places.map(|(place, listens)| async move {
            if listens {
                self.ask(place.to_string()).await;
            }
            self.lock().found.done += 1;
        });
        answers
            .buffer_unordered(ASKED_AT_ONCE)
            .collect::<()>()
            .await;
    }

    async fn listen(&self, service: &str) {
        let heard = match mdns::ask(service, &self.stopped).await {
            Ok(heard) => heard,
            Err(why) => return self.lock().found.silent.push(why),
        };
        self.lock().found.all = heard.len() as u64;
        let answers = stream::iter(heard).map(|one| async move {
            self.ask_announced(&one).await;
            self.lock().found.done += 1;
        });
        answers
            .buffer_unordered(ASKED_AT_ONCE)
            .collect::<()>()
            .await;
    }

    /// Its addresses are tried one after another, until one answers.
    async fn ask_announced(&self, one: &Announcement) {
        let mut why = Vec::new();
        for at in &one.addresses {
            match self.kind.discover(self.kind.announced(one, *at)).await {
                Ok(found) => return self.take(found),
                Err(words) => why.push(words),
            }
        }
        let at = one
            .addresses
            .iter()
            .map(|at| self.kind.announced(one, *at))
            .collect();
        self.take(vec![Discovered {
            title: one.instance.clone(),
            identity: String::new(),
            product: one.host.clone(),
            addresses: at,
            ways: Vec::new(),
            silent: why.pop(),
        }]);
    }

    async fn ask(&self, address: String) {
        match self.kind.discover(address).await {
            Ok(found) => self.take(found),
            Err(words) => {
                let silent = &mut self.lock().found.silent;
                if silent.len() < MOST_FOUND {
                    silent.push(words);
                }
            }
        }
    }

    fn take(&self, found: Vec<Discovered>) {
        let all = &mut self.lock().found.found;
        for one in found {
            merge(all, one);
        }
    }

    fn end(&self, state: State) {
        self.lock().ended.get_or_insert(state);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress
            .lock()
            .expect("nothing panics while holding it")
    }
}

/// One that answered takes the place of what others told of it. Two that answer at different addresses are two, even with
/// one identity: small servers often have their maker's.
fn merge(all: &mut Vec<Discovered>, one: Discovered) {
    match all.iter().position(|known| is_same(known, &one)) {
        Some(at) if all[at].ways.is_empty() && !one.ways.is_empty() => all[at] = one,
        None if all.len() < MOST_FOUND => all.push(one),
        _ => {}
    }
}

fn is_same(known: &Discovered, one: &Discovered) -> bool {
    let ways = |of: &Discovered| {
        of.ways
            .iter()
            .map(|way| way.address.clone())
            .collect::<Vec<_>>()
    };
    let (mut old, mut new) = (ways(known), ways(one));
    // One of them is only told of.
    if old.is_empty() || new.is_empty() {
        old.extend(known.addresses.clone());
        new.extend(one.addresses.clone());
    }
    known.identity == one.identity && old.iter().any(|address| new.contains(address))
}

#[cfg(test)]
mod tests {
    use fieldgate_kit::Way;
    use serde_json::Value as Json;

    use super::*;

    fn one(identity: &str, at: Option<&str>) -> Discovered {
        let way = |address: &str| Way {
            address: address.to_owned(),
            words: String::new(),
            needs: None,
            settings: Json::Null,
        };
        Discovered {
            title: identity.to_owned(),
            identity: identity.to_owned(),
            product: String::new(),
            addresses: vec![format!("opc.tcp://{identity}")],
            ways: at.into_iter().map(way).collect(),
            silent: None,
        }
    }

    #[test]
    fn what_answers_counts_more_than_what_is_told() {
        let mut all = Vec::new();
        for found in [
            one("a", None),
            one("a", Some("10.0.0.1")),
            one("a", None),
            one("a", Some("10.0.0.1")),
            one("a", Some("10.0.0.2")),
            one("b", None),
            one("b", None),
        ] {
            merge(&mut all, found);
        }
        assert_eq!(
            all,
            [
                one("a", Some("10.0.0.1")),
                one("a", Some("10.0.0.2")),
                one("b", None)
            ]
        );
    }

    #[test]
    fn nobody_fills_the_memory() {
        let mut all = Vec::new();
        for number in 0..2 * MOST_FOUND {
            merge(&mut all, one(&number.to_string(), None));
        }
        assert_eq!(all.len(), MOST_FOUND);
    }
}
