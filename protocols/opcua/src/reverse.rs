//! Reverse connect (OPC UA Part 6, 7.1.3): a server behind a firewall connects to us and says who it is; then everything goes
//! on as if we had connected to it.
//!
//! A name that a stranger could say as well proves nothing: the server's certificate does, as ever.

mod hello;
mod port;
mod seats;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fieldgate_kit::{Memory, SourceCtx};
use fieldgate_model::Timestamp;
use tokio::{
    sync::watch,
    time::{interval, timeout},
};

use self::{
    hello::Expected,
    port::{Entrance, Guest, Ports},
    seats::Peer,
};
use crate::{
    dial::Line,
    publish::now,
    settings::{Reverse, Settings},
};

/// How long an attempt waits for the server; then it says that nobody came.
const WAIT: Duration = Duration::from_secs(20);
/// The same for a test of settings, which has ten seconds for everything.
const TEST_WAIT: Duration = Duration::from_secs(7);
/// How often it is told how many strangers came.
const TELL: Duration = Duration::from_secs(5);

/// The source's place at its port, kept from one attempt to the next, so that a server that connects meanwhile finds it.
struct Kept {
    entrance: Arc<Entrance>,
    since: Timestamp,
}

/// Where a server is awaited, for one attempt.
pub(crate) struct Waiting {
    entrance: Arc<Entrance>,
    /// Since when nobody comes.
    since: Timestamp,
    patience: Duration,
    /// Whose connection came first: what it says holds for the next one only when that is its own, too.
    began_with: Mutex<Option<Peer>>,
}

/// The place of a source that runs.
///
/// # Errors
/// In words, when the port cannot be had.
pub(crate) fn enter(
    settings: &Settings,
    reverse: &Reverse,
    ctx: &SourceCtx,
) -> Result<Waiting, String> {
    let kept = ctx.memory.take::<Kept>();
    let kept = match kept {
        Some(kept) => kept,
        None => Kept {
            entrance: Arc::new(at(settings, reverse, &ctx.memory, Guest::Stays)?),
            since: now(),
        },
    };
    let waiting = Waiting {
        entrance: Arc::clone(&kept.entrance),
        since: kept.since,
        patience: WAIT,
        began_with: Mutex::default(),
    };
    ctx.memory.keep(kept);
    Ok(waiting)
}

/// The place of a test, at the port of the sources that have it already.
///
/// # Errors
/// In words, when the port cannot be had.
pub(crate) fn try_out(
    settings: &Settings,
    reverse: &Reverse,
    common: &Memory,
) -> Result<Waiting, String> {
    let entrance = at(settings, reverse, common, Guest::TriesOut)?;
    Ok(Waiting {
        entrance: Arc::new(entrance),
        since: now(),
        patience: TEST_WAIT,
        began_with: Mutex::default(),
    })
}

fn at(
    settings: &Settings,
    reverse: &Reverse,
    memory: &Memory,
    guest: Guest,
) -> Result<Entrance, String> {
    let listen = reverse
        .address()
        .ok_or_else(|| format!("`{}` is no address to listen at", reverse.listen))?;
    let expected = Expected {
        server_uri: reverse.server_uri.clone(),
        endpoint: settings.endpoint.clone(),
    };
    let ports = memory.common::<Ports>();
    ports.enter(listen, expected, guest)
}

/// The server is here; when this is dropped, the time begins in which nobody comes.
pub(crate) struct Here<'a>(&'a Memory);

// === impl Here ===

impl<'a> Here<'a> {
    pub(crate) fn until_dropped(memory: &'a Memory) -> Self {
        Self(memory)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        if let Some(kept) = self.0.take::<Kept>() {
            self.0.keep(Kept {
                since: now(),
                ..kept
            });
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// `waits for the server urn:press to connect to port 48400, since …`
    pub(crate) fn words(&self) -> String {
        format!(
            "waits for {} to connect to {}, since {}{}",
            self.entrance.expected.words(),
            self.entrance.listen,
            self.since,
            self.entrance.strangers()
        )
    }

    /// The server's next connection. Where two say its name, one attempt is for one of them.
    pub(crate) async fn connect(&self) -> Result<Line, String> {
        let began_with = *self.began_with();
        // Only a server with several addresses comes from another one now.
        let same = timeout(self.patience / 2, self.entrance.next(began_with));
        let came = match same.await {
            Ok(came) => Ok(came),
            Err(_) => timeout(self.patience / 2, self.entrance.next(None)).await,
        };
        match came {
            Ok((peer, stream, url)) => {
                self.began_with().get_or_insert(peer);
                Ok(Line {
                    stream,
                    url: Some(url),
                })
            }
            Err(_) if self.entrance.is_shared() => Err(format!(
                "{}; a source that runs waits for the same server, and has its connection where the server makes only one: then pause the source to test its settings",
                self.words()
            )),
            Err(_) => Err(format!(
                "{}; let it connect to this gateway's address and that port, and check that a firewall lets it through",
                self.words()
            )),
        }
    }

    fn began_with(&self) -> std::sync::MutexGuard<'_, Option<Peer>> {
        self.began_with
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends strangers away while the session goes on, and tells how many there were.
    pub(crate) async fn tend(&self, tell: watch::Sender<String>) -> Infallible {
        let mut turns = interval(TELL);
        loop {
            tokio::select! {
                never = self.entrance.tend() => match never {},
                _ = turns.tick() => {}
            }
            let words = format!(
                "it connected by itself, to {}{}",
                self.entrance.listen,
                self.entrance.strangers()
            );
            tell.send_if_modified(|told| std::mem::replace(told, words.clone()) != words);
        }
    }
}
