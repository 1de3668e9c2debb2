//! Commands while it is looked up what is allowed, against a server that answers when the test lets it.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use fieldgate_kit::{Commands, Desk, Devices, DropCounters, Exploring, Health, Readings, Secrets};
use fieldgate_model::{Outcome, Timestamp, Value};
use futures::future::{pending, ready};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use super::*;
use crate::{
    connection::{
        Acknowledgement, Called, Direction, ItemRequest, ItemRevised, Limits, Neighbour,
        Notification, Published, Subscription, SubscriptionRequest,
    },
    twin::item,
};

/// Tells its namespaces once for each permit, and writes once for each.
struct Slow {
    tells: Semaphore,
    /// It tells none, whatever was permitted.
    is_busy: AtomicBool,
    writes: Semaphore,
    is_asked_to_write: Notify,
    has_written: AtomicBool,
}

impl Slow {
    fn new() -> Self {
        Self {
            tells: Semaphore::new(0),
            is_busy: AtomicBool::new(false),
            writes: Semaphore::new(0),
            is_asked_to_write: Notify::new(),
            has_written: AtomicBool::new(false),
        }
    }

    fn answers_once(&self) {
        self.tells.add_permits(1);
    }
}

impl Connection for Slow {
    fn namespaces(&self) -> Called<'_, Vec<String>> {
        Box::pin(async {
            if self.is_busy.load(Ordering::SeqCst) {
                return Err(Status::named("BadServerTooBusy"));
            }
            let permit = self
                .tells
                .acquire()
                .await
                .map_err(|_| Status::named("BadTimeout"))?;
            permit.forget();
            Ok(vec!["http://opcfoundation.org/UA/".to_owned()])
        })
    }

    fn limits(&self) -> Called<'_, Limits> {
        Box::pin(ready(Ok(Limits {
            per_read: 2,
            per_browse: 1,
            per_monitor: 1,
            per_history: 1,
            items_per_subscription: None,
            subscriptions: None,
            sessions: None,
        })))
    }

    fn data_types(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        Box::pin(ready(Ok(vec![None; nodes.len()])))
    }

    fn read_now(&self, node: NodeId) -> Called<'_, Answer> {
        Box::pin(ready(Ok(Answer::done(format!("{node:?} was read")))))
    }

    fn write(&self, _: NodeId, _: Value) -> Called<'_, Answer> {
        Box::pin(async {
            self.is_asked_to_write.notify_one();
            let permit = self.writes.acquire().await;
            permit.map_err(|_| Status::named("BadTimeout"))?.forget();
            self.has_written.store(true, Ordering::SeqCst);
            Ok(Answer::done("it was written"))
        })
    }

    fn browse(
        &self,
        _: Vec<NodeId>,
        _: Direction,
    ) -> Called<'_, Vec<Result<Vec<Neighbour>, Status>>> {
        Box::pin(pending())
    }

    fn exist(&self, _: Vec<NodeId>) -> Called<'_, Vec<Result<(), Status>>> {
        Box::pin(pending())
    }

    fn subscribe(&self, _: SubscriptionRequest) -> Called<'_, Subscription> {
        Box::pin(pending())
    }

    fn monitor(&self, _: u32, _: Vec<ItemRequest>) -> Called<'_, Vec<Result<ItemRevised, Status>>> {
        Box::pin(pending())
    }

    fn unmonitor(&self, _: u32, _: Vec<u32>) -> Called<'_, ()> {
        Box::pin(pending())
    }

    fn publish(&self, _: Vec<Acknowledgement>) -> Called<'static, Published> {
        Box::pin(pending())
    }

    fn republish(&self, _: u32, _: u32) -> Called<'_, Notification> {
        Box::pin(pending())
    }

    fn close(&self) -> Called<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

fn settings() -> Settings {
    let settings = json!({
        "endpoint": "opc.tcp://press:4840",
        "select": ["Objects/**"],
        "commands": [{ "node": "i=0", "allow": ["read", "write"] }, { "node": "i=1", "allow": ["read"] }],
    });
    serde_json::from_value(settings).unwrap()
}

fn ctx(commands: Commands) -> SourceCtx {
    SourceCtx {
        id: "s".into(),
        readings: Readings::channel(1, DropCounters::default()).0,
        devices: Devices::channel().0,
        health: Health::channel().0,
        shutdown: Default::default(),
        secrets: Secrets::new("/".into(), "/".into()),
        state_dir: "/".into(),
        commands,
        alarms: Default::default(),
        exploring: Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: Default::default(),
        memory: Default::default(),
        accepted: Default::default(),
        latest: fieldgate_kit::Latest::default(),
    }
}

fn items(count: usize) -> Arc<[Item]> {
    let mut items: Vec<Item> = (0..count).map(item).collect();
    for (at, item) in items.iter_mut().enumerate() {
        item.node = Some(NodeId::numeric(0, u32::try_from(at).unwrap()));
    }
    items.into()
}

fn read(point: &str) -> Command {
    Command {
        id: point.to_owned(),
        target: point.parse().unwrap(),
        action: Action::Read,
        issued: Timestamp::default(),
        expires: Timestamp::from_nanos(i64::MAX),
    }
}

/// The desk as soon as it is as expected.
async fn desk(gateway: &mut watch::Receiver<Option<Desk>>, is: impl Fn(&Desk) -> bool) -> Desk {
    let found = gateway.wait_for(|desk| desk.as_ref().is_some_and(&is));
    let found = tokio::time::timeout(Duration::from_secs(5), found).await;
    found
        .expect("the desk becomes so")
        .unwrap()
        .clone()
        .unwrap()
}

#[tokio::test]
async fn the_desk_stays_open_while_it_is_looked_up_what_is_allowed() {
    let (commands, mut gateway) = Commands::channel();
    let (server, settings, ctx) = (Slow::new(), settings(), ctx(commands));
    let (points, seen) = watch::channel(items(1));
    let asking = async {
        let first = desk(&mut gateway, Desk::is_open).await;
        let why = first.unknown.expect("nothing was looked up yet");
        assert!(why.contains("try again in a few seconds"), "{why}");
        server.answers_once();
        let offers = |count: usize| move |desk: &Desk| desk.offers.len() == count;
        let before = desk(&mut gateway, offers(1)).await;
        assert!(before.unknown.is_none());
        // Points become others, and the server takes its time to say what is allowed now.
        points.send_replace(items(2));
        for _ in 0..3 {
            let answer = before.order(read("s/d/p0")).unwrap().await.unwrap();
            assert_eq!(answer.outcome, Outcome::Done, "{}", answer.words);
        }
        let new = before.order(read("s/d/p1")).unwrap().await.unwrap();
        assert_eq!(new.outcome, Outcome::Refused);
        server.answers_once();
        let after = desk(&mut gateway, offers(2)).await;
        assert!(before.is_open(), "it is the same one");
        let new = after.order(read("s/d/p1")).unwrap().await.unwrap();
        assert_eq!(new.outcome, Outcome::Done);
        // It cannot be looked up any more: what was allowed stays.
        server.tells.close();
        points.send_replace(items(1));
        let answer = after.order(read("s/d/p1")).unwrap().await.unwrap();
        assert_eq!(answer.outcome, Outcome::Done);
    };
    tokio::select! {
        never = serve(&server, &settings, &ctx, seen) => never_ends(never),
        () = asking => {}
    }
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_told_to_whoever_asks() {
    let (commands, mut gateway) = Commands::channel();
    let (server, settings, ctx) = (Slow::new(), settings(), ctx(commands));
    server.tells.close();
    let (_points, seen) = watch::channel(items(1));
    let asking = async {
        let told = |desk: &Desk| {
            let why = desk.unknown.as_deref();
            why.is_some_and(|why| {
                why.contains("could not be looked up") && why.contains("BadTimeout")
            })
        };
        assert!(desk(&mut gateway, told).await.is_open());
    };
    tokio::select! {
        never = serve(&server, &settings, &ctx, seen) => never_ends(never),
        () = asking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_looked_up_is_looked_up_again() {
    let (commands, mut gateway) = Commands::channel();
    let (server, settings, ctx) = (Slow::new(), settings(), ctx(commands));
    server.is_busy.store(true, Ordering::SeqCst);
    let (points, seen) = watch::channel(items(1));
    let asking = async {
        let told = |desk: &Desk| {
            let why = desk.unknown.as_deref();
            why.is_some_and(|why| why.contains("BadServerTooBusy") && why.contains("by itself"))
        };
        desk(&mut gateway, told).await;
        server.is_busy.store(false, Ordering::SeqCst);
        server.answers_once();
        desk(&mut gateway, |desk| desk.offers.len() == 1).await;
        // And so it is where something was allowed before.
        server.is_busy.store(true, Ordering::SeqCst);
        points.send_replace(items(2));
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.is_busy.store(false, Ordering::SeqCst);
        server.answers_once();
        desk(&mut gateway, |desk| desk.offers.len() == 2).await;
    };
    tokio::select! {
        never = serve(&server, &settings, &ctx, seen) => never_ends(never),
        () = asking => {}
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_let_go() {
    let (commands, mut gateway) = Commands::channel();
    let (server, settings, ctx) = (Slow::new(), settings(), ctx(commands));
    let (_points, seen) = watch::channel(items(1));
    let asking = async {
        server.answers_once();
        let desk = desk(&mut gateway, |desk| desk.offers.len() == 1).await;
        let write = Command {
            action: Action::Write(Value::Int(7)),
            ..read("s/d/p0")
        };
        let answer = desk.order(write).unwrap();
        server.is_asked_to_write.notified().await;
        drop(answer);
        let next = desk.order(read("s/d/p0")).unwrap();
        let next = tokio::time::timeout(Duration::from_secs(5), next).await;
        assert_eq!(next.expect("in time").unwrap().outcome, Outcome::Done);
        server.writes.add_permits(1);
        tokio::task::yield_now().await;
        assert!(!server.has_written.load(Ordering::SeqCst));
    };
    tokio::select! {
        never = serve(&server, &settings, &ctx, seen) => never_ends(never),
        () = asking => {}
    }
}

fn never_ends(never: Infallible) {
    match never {}
}
