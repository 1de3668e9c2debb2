//! `Search`: one search while it runs and after it, with all that it found so far.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use fieldgate_kit::{Announcement, Discovered, Question, SourceKind};
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
    /// Where each identity stands among what was found.
    places: HashMap<String, Vec<usize>>,
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
            progress: Mutex::new(Progress {
                found,
                ..Progress::default()
            }),
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
                Asked::Everybody(Question::Service(service)) => self.listen(service).await,
                Asked::Everybody(Question::Own { .. }) => self.seek().await,
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
        self.lock().found.all = heard.near.len() as u64;
        if heard.passed_over > 0 {
            let words = passed_over(heard.passed_over);
            self.lock().found.silent.push(words);
        }
        let answers = stream::iter(heard.near).map(|one| async move {
            self.ask_announced(&one).await;
            self.lock().found.done += 1;
        });
        answers
            .buffer_unordered(ASKED_AT_ONCE)
            .collect::<()>()
            .await;
    }

    async fn seek(&self) {
        match self.kind.seek().await {
            Ok(found) => {
                let all = found.len() as u64;
                self.take(found);
                let mut progress = self.lock();
                (progress.found.done, progress.found.all) = (all, all);
            }
            Err(words) => self.lock().found.silent.push(words),
        }
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
        let mut progress = self.lock();
        for one in found {
            progress.merge(one);
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

fn passed_over(count: usize) -> String {
    const WHY: &str = "to no network that this machine is in, or nowhere";
    match count {
        1 => format!("one announcement was passed over: it leads {WHY}"),
        count => format!("{count} announcements were passed over: they lead {WHY}"),
    }
}

// === impl Progress ===

impl Progress {
    /// One that answered takes the place of what others told of it. Two that answer at different addresses are two, even with
    /// one identity: small servers often have their maker's.
    fn merge(&mut self, one: Discovered) {
        let all = &mut self.found.found;
        let known = self.places.get(&one.identity).into_iter().flatten();
        let known = known.copied().find(|at| is_same(&all[*at], &one));
        match known {
            Some(at) if all[at].ways.is_empty() && !one.ways.is_empty() => all[at] = one,
            None if all.len() < MOST_FOUND => {
                let places = self.places.entry(one.identity.clone()).or_default();
                places.push(all.len());
                all.push(one);
            }
            _ => {}
        }
    }
}

/// Of two with one identity.
fn is_same(known: &Discovered, one: &Discovered) -> bool {
    let told: fn(&Discovered) -> Vec<&str> = match known.ways.is_empty() || one.ways.is_empty() {
        // One of them is only told of.
        true => addresses,
        false => ways,
    };
    let (old, new) = (told(known), told(one));
    old.iter().any(|address| new.contains(address))
}

/// Where it answers.
fn ways(of: &Discovered) -> Vec<&str> {
    of.ways.iter().map(|way| way.address.as_str()).collect()
}

/// Where it answers, and where it says that it is.
fn addresses(of: &Discovered) -> Vec<&str> {
    let said = of.addresses.iter().map(String::as_str);
    ways(of).into_iter().chain(said).collect()
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
        let mut progress = Progress::default();
        for found in [
            one("a", None),
            one("a", Some("10.0.0.1")),
            one("a", None),
            one("a", Some("10.0.0.1")),
            one("a", Some("10.0.0.2")),
            one("b", None),
            one("b", None),
        ] {
            progress.merge(found);
        }
        assert_eq!(
            progress.found.found,
            [
                one("a", Some("10.0.0.1")),
                one("a", Some("10.0.0.2")),
                one("b", None)
            ]
        );
    }

    #[test]
    fn nobody_fills_the_memory() {
        let mut progress = Progress::default();
        for number in 0..2 * MOST_FOUND {
            progress.merge(one(&number.to_string(), None));
        }
        assert_eq!(progress.found.found.len(), MOST_FOUND);
        assert!(progress.places.len() <= MOST_FOUND);
    }
}
