//! A server whose lists of children have no end and names as long as they can be: what is kept of them is bounded in bytes,
//! not only in number, and the cause is told.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

#[allow(dead_code, reason = "other tests tell other lies")]
mod tamper;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fieldgate_kit::{
    Commands, Devices, DropCounters, Exploring, Health, Readings, Secrets, SourceCtx, SourceError,
    SourceKind,
};
use fieldgate_opcua::{
    OpcUa,
    sim::{self, Options},
};
use serde_json::json;
use tokio::time::timeout;

use self::tamper::{Answer, Evil, Kind, Tamper};

const PATIENCE: Duration = Duration::from_secs(120);
const NAME_BYTES: usize = 1_000_000;
/// 64 MiB of such names, and some that are under way.
const MOST_ANSWERS: usize = 80;

#[tokio::test]
async fn f47_a_list_of_long_names_without_end_ends_before_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = sim::start(Options::new(folder.path().join("server")))
        .await
        .unwrap();
    let answers = Arc::new(AtomicUsize::new(0));
    let (count, name) = (Arc::clone(&answers), "x".repeat(NAME_BYTES));
    let tamper = Tamper::start(&server.endpoint, move |answer: &Answer| {
        let browse = matches!(answer.kind, Kind::Browse | Kind::BrowseNext);
        browse.then(|| {
            count.fetch_add(1, Ordering::SeqCst);
            Evil::Body(answer.with_child(&name, true))
        })
    })
    .await;
    let ctx = SourceCtx {
        id: "press".into(),
        readings: Readings::channel(4, DropCounters::default()).0,
        devices: Devices::channel().0,
        health: Health::channel().0,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown: Default::default(),
        secrets: Secrets::new(folder.path().into(), folder.path().into()),
        state_dir: folder.path().join("state"),
        memory: fieldgate_kit::Memory::default(),
        accepted: fieldgate_kit::Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let settings = json!({
        "endpoint": format!("opc.tcp://127.0.0.1:{}", tamper.port),
        "security": { "policy": "None" },
        "select": ["Objects/Demo/**"],
    });
    let kind = SourceKind::of::<OpcUa>();
    let ended = timeout(PATIENCE, kind.run(settings, ctx))
        .await
        .expect("an end in time");
    let Err(SourceError::Lost(why)) = ended else {
        panic!("expected a loss, got {ended:?}");
    };
    let cause = "the children of Objects could not be read to their end";
    assert!(why.contains(cause), "{why}");
    let answers = answers.load(Ordering::SeqCst);
    assert!(answers < MOST_ANSWERS, "{answers} answers were taken");
    server.stop().await;
}
