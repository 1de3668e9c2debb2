//! `/api/v1/live`: the one WebSocket of a tab. The tab says what it shows; it is sent just that, at most four times a second.
//!
//! Nothing is stored for a slow tab: while it does not read, nothing is computed for it, and it gets the newest values
//! when it reads again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Payload, ServiceConfig},
};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use fieldgate_api::{
    camera::MAX_WATCHED,
    live::{MAX_POINTS, PATH, Update, Watch},
};
use fieldgate_model::PointId;
use futures::{
    StreamExt,
    stream::{BoxStream, SelectAll},
};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Shared, camera, error::Failure, overview::overview, value::live_value};
use crate::config::Loaded;

/// The longest message from a tab, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 << 10;
/// The most values in one message to a tab.
const MAX_VALUES: usize = 200;
const TICK: Duration = Duration::from_millis(250);
/// The overview goes with every so many ticks: once a second.
const OVERVIEW_TICKS: u64 = 4;
const PING: Duration = Duration::from_secs(15);
/// A tab that is not heard of for so long is gone.
const DEAD: Duration = Duration::from_secs(45);
/// A tab that does not read for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);

pub fn mount(config: &mut ServiceConfig) {
    config.route(PATH, web::get().to(open));
}

/// The guard has looked at the origin before.
async fn open(
    request: HttpRequest,
    body: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, actix_web::Error> {
    let permit = std::sync::Arc::clone(&shared.sockets)
        .try_acquire_owned()
        .map_err(|_| {
            Failure::Unavailable("too many tabs watch live values; close some of them".into())
        })?;
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    let messages = messages
        .max_frame_size(MAX_MESSAGE_BYTES)
        .aggregate_continuations()
        .max_continuation_size(MAX_MESSAGE_BYTES);
    let revision = shared.desired.watch();
    let tab = Tab {
        shared,
        session,
        shown: Shown::default(),
        pictures: SelectAll::new(),
        ticks: 0,
        heard: Instant::now(),
        _permit: permit,
    };
    actix_web::rt::spawn(tab.run(messages, revision));
    Ok(response)
}

/// One tab.
struct Tab {
    shared: Data<Shared>,
    session: Session,
    shown: Shown,
    /// The live views of the cameras that it shows. A tab that reads too slowly misses parts of them.
    pictures: SelectAll<BoxStream<'static, Vec<u8>>>,
    ticks: u64,
    heard: Instant,
    _permit: OwnedSemaphorePermit,
}

/// What a tab shows, and what it was sent of it.
#[derive(Default)]
struct Shown {
    overview: bool,
    /// Each point with the count of readings that its last update told of.
    points: HashMap<PointId, u64>,
    cameras: Vec<String>,
}

/// The tab is gone, or is to go for a reason.
struct Gone(Option<CloseReason>);

// === impl Tab ===

impl Tab {
    async fn run(
        mut self,
        mut messages: AggregatedMessageStream,
        mut revision: watch::Receiver<std::sync::Arc<Loaded>>,
    ) {
        let shutdown = self.shared.shutdown.clone();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pings = tokio::time::interval(PING);
        let Gone(reason) = loop {
            let step = tokio::select! {
                () = shutdown.cancelled() => break Gone(Some(CloseCode::Away.into())),
                message = messages.recv() => match message {
                    Some(Ok(message)) => self.take(message).await,
                    Some(Err(_)) => Err(Gone(Some(CloseCode::Size.into()))),
                    None => Err(Gone(None)),
                },
                Ok(()) = revision.changed() => {
                    let number = revision.borrow_and_update().config.revision;
                    self.send(&Update::Revision(number)).await
                }
                Some(part) = self.pictures.next() => limited(self.session.binary(part)).await,
                _ = ticks.tick() => self.tick().await,
                _ = pings.tick() => self.ping().await,
            };
            if let Err(gone) = step {
                break gone;
            }
        };
        // A tab that is gone already cannot be told so.
        let _ = tokio::time::timeout(TICK, self.session.close(reason)).await;
    }

    async fn take(&mut self, message: AggregatedMessage) -> Result<(), Gone> {
        self.heard = Instant::now();
        match message {
            AggregatedMessage::Text(text) => match watched(&text) {
                Ok(watch) => {
                    if self.shown.cameras != watch.cameras {
                        let views = watch.cameras.iter();
                        let views = views.map(|id| camera::live(&self.shared, id));
                        self.pictures = views.collect();
                    }
                    self.shown.replace(watch);
                    self.ticks = 0;
                    Ok(())
                }
                Err(words) => self.send(&Update::Refused(words)).await,
            },
            AggregatedMessage::Ping(bytes) => self.pong(&bytes).await,
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(reason) => Err(Gone(reason)),
            AggregatedMessage::Binary(_) => {
                let words = "binary messages are not understood; send JSON".to_owned();
                self.send(&Update::Refused(words)).await
            }
        }
    }

    async fn tick(&mut self) -> Result<(), Gone> {
        if self.shown.overview && self.ticks.is_multiple_of(OVERVIEW_TICKS) {
            let overview = overview(&self.shared);
            self.send(&Update::Overview(Box::new(overview))).await?;
        }
        self.ticks += 1;
        let mut values = Vec::new();
        for (id, sent) in &mut self.shown.points {
            let Some(point) = self.shared.gateway.live.find(id) else {
                continue;
            };
            // The count is read first: a reading in between is told of again, never missed.
            let count = point.count();
            if count != *sent
                && let Some(reading) = point.last()
            {
                *sent = count;
                values.push(live_value(&reading));
            }
        }
        while !values.is_empty() {
            let rest = values.split_off(values.len().min(MAX_VALUES));
            self.send(&Update::Values(std::mem::replace(&mut values, rest)))
                .await?;
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Gone> {
        if self.heard.elapsed() > DEAD {
            return Err(Gone(None));
        }
        limited(self.session.ping(b"")).await
    }

    async fn pong(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        limited(self.session.pong(bytes)).await
    }

    async fn send(&mut self, update: &Update) -> Result<(), Gone> {
        let text = serde_json::to_string(update).map_err(|error| {
            tracing::error!(%error, "a live update cannot be written");
            Gone(Some(CloseCode::Error.into()))
        })?;
        limited(self.session.text(text)).await
    }
}

// === impl Shown ===

impl Shown {
    /// What is shown on is not sent again before it changes.
    fn replace(&mut self, watch: Watch) {
        self.overview = watch.overview;
        self.cameras.clone_from(&watch.cameras);
        let mut before = std::mem::take(&mut self.points);
        let points = watch.points.iter().filter_map(|id| id.parse().ok());
        self.points = points
            .map(|id: PointId| {
                let sent = before.remove(&id).unwrap_or(0);
                (id, sent)
            })
            .collect();
    }
}

async fn limited(sending: impl Future<Output = Result<(), actix_ws::Closed>>) -> Result<(), Gone> {
    match tokio::time::timeout(SEND_LIMIT, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone(None)),
    }
}

/// What a tab asks for, or why it cannot be taken.
fn watched(text: &str) -> Result<Watch, String> {
    let watch: Watch = serde_json::from_str(text)
        .map_err(|error| format!("the message cannot be read: {error}"))?;
    if watch.points.len() > MAX_POINTS {
        return Err(format!(
            "{} points are too many; watch at most {MAX_POINTS} at once",
            watch.points.len()
        ));
    }
    if watch.cameras.len() > MAX_WATCHED {
        return Err(format!(
            "{} cameras are too many; watch at most {MAX_WATCHED} at once",
            watch.cameras.len()
        ));
    }
    Ok(watch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_replaces_the_one_before_and_keeps_what_was_sent() {
        let mut shown = Shown::default();
        shown.replace(watched(r#"{"overview":true,"points":["s/d/a","s/d/b","no id"]}"#).unwrap());
        assert!(shown.overview);
        assert_eq!(shown.points.len(), 2);
        let a: PointId = "s/d/a".parse().unwrap();
        shown.points.insert(a.clone(), 7);
        shown.replace(watched(r#"{"points":["s/d/a","s/d/c"]}"#).unwrap());
        assert!(!shown.overview);
        assert_eq!(shown.points.get(&a), Some(&7));
        assert_eq!(shown.points.len(), 2);
    }

    #[test]
    fn too_much_or_nonsense_is_refused_in_words() {
        let many = Watch {
            points: vec!["a/b/c".into(); MAX_POINTS + 1],
            ..Watch::default()
        };
        let refused = watched(&serde_json::to_string(&many).unwrap()).unwrap_err();
        assert!(refused.contains("at most 1000"), "{refused}");
        let cameras = Watch {
            cameras: vec!["gate".into(); MAX_WATCHED + 1],
            ..Watch::default()
        };
        assert!(watched(&serde_json::to_string(&cameras).unwrap()).is_err());
        assert!(watched("{").is_err());
        assert!(watched(r#"{"all":true}"#).is_err());
    }
}
