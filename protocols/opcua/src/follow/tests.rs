//! When a look is asked for, because what the server told may be missing.

use std::sync::Arc;

use fieldgate_kit::{
    Accepted, Commands, Devices, DropCounters, Exploring, Health, Memory, Readings, Reviews,
    Secrets,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{node_id::NodeId, twin::Script};

fn ctx(folder: &std::path::Path) -> SourceCtx {
    SourceCtx {
        id: "s".into(),
        readings: Readings::channel(1, DropCounters::default()).0,
        devices: Devices::channel().0,
        health: Health::channel().0,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: Reviews::default(),
        shutdown: CancellationToken::new(),
        secrets: Secrets::new("/".into(), "/".into()),
        state_dir: folder.to_owned(),
        memory: Memory::default(),
        accepted: Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    }
}

/// In subscription 7, with seven versions in calls of three.
#[tokio::test(start_paused = true)]
async fn a_look_is_asked_for_when_what_the_server_told_may_be_missing() {
    let script = Script::default();
    script.told(|told| told.room.per_call = 3);
    let made = Subscription {
        id: 7,
        publishing_ms: 500.0,
        keep_alive_count: 4,
    };
    let limits = Limits {
        per_read: 10,
        per_browse: 10,
        per_monitor: 3,
        per_history: 10,
        items_per_subscription: None,
        subscriptions: None,
        sessions: None,
    };
    let table = serde_json::json!({ "endpoint": "opc.tcp://h:4840", "select": ["Objects/**"] });
    let settings: Settings = fieldgate_kit::settings::read(table).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ctx = ctx(folder.path());
    let profiles: Arc<Profiles> = Profiles::of(folder.path()).await;
    let versions: Vec<NodeId> = (0..7).map(|id| NodeId::numeric(2, id)).collect();
    let begin = async || {
        let reviewing = Reviewing::open(&settings, &ctx).await.unwrap();
        let signals = Signals::listen(&script, &[made], &versions, limits.per_monitor).await;
        Following::new(&script, (&settings, &*profiles), &ctx, limits, reviewing)
            .with_signals(signals.unwrap())
    };
    let soon = || Instant::now() + Duration::from_secs(1);
    let mut following = begin().await;
    assert_eq!(script.told(|told| told.monitored), 7);
    following.missed(9);
    following.listen_again(9, made).await.unwrap();
    assert!(following.pace.due() > soon(), "it is of no concern here");
    following.missed(7);
    assert!(following.pace.due() <= soon());
    let mut following = begin().await;
    let another = Subscription { id: 8, ..made };
    following.listen_again(7, another).await.unwrap();
    assert!(following.pace.due() <= soon());
    assert_eq!(script.told(|told| told.monitored), 21);
    assert!(following.signals.is_in(8));
}
