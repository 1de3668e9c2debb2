//! A server that connects to us by itself (reverse connect), and strangers that do.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

use std::{net::SocketAddr, path::Path, time::Duration};

use fieldgate_kit::{
    AddressBook, Commands, Delivery, Devices, DropCounters, Exploring, Health, Memory, ProbeCtx,
    Readings, RungState, Secrets, SourceCtx, SourceKind,
};
use fieldgate_opcua::{OpcUa, sim};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const ENDPOINT: &str = "opc.tcp://demo:4840";
const SERVER: &str = "urn:fieldgate:demo:server";

/// A source that waits for its server.
struct Rig {
    readings: mpsc::Receiver<Delivery>,
    health: watch::Receiver<fieldgate_kit::HealthReport>,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), fieldgate_kit::SourceError>>,
}

fn settings(listen: SocketAddr, server_uri: Option<&str>) -> Json {
    json!({
        "endpoint": ENDPOINT,
        "security": { "policy": "None" },
        "reverse": { "listen": listen, "server_uri": server_uri, "proof": "name" },
        "select": ["Objects/Demo/Press/Temperature"],
        "publishing_ms": 100,
    })
}

fn start(folder: &Path, id: &str, memory: &Memory, settings: Json) -> Rig {
    let (sender, readings) = Readings::channel(4, DropCounters::default());
    let (health_sender, health) = Health::channel();
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: id.into(),
        readings: sender,
        devices: Devices::channel().0,
        health: health_sender,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new(folder.into(), folder.into()),
        state_dir: folder.join(id),
        memory: memory.beside(),
        accepted: Default::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let running = tokio::spawn(async move { SourceKind::of::<OpcUa>().run(settings, ctx).await });
    Rig {
        readings,
        health,
        shutdown,
        running,
    }
}

impl Rig {
    async fn says(&mut self, part: &str) -> String {
        let says = self.health.wait_for(|report| report.words.contains(part));
        let report = timeout(PATIENCE, says).await.expect("in time");
        report.expect("it runs").words.clone()
    }

    async fn reading(&mut self) {
        let delivery = timeout(PATIENCE, self.readings.recv())
            .await
            .expect("in time");
        let Some(delivery) = delivery else {
            panic!("the source ended: {:?}", (&mut self.running).await);
        };
        if let Some(durable) = delivery.durable {
            durable.send(Ok(())).unwrap();
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

async fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn servers_connect_to_one_port_and_each_source_gets_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (memory, listen) = (Memory::default(), free().await);
    let by_uri = settings(listen, Some(SERVER));
    let mut press = start(folder.path(), "press", &memory, by_uri);
    let words = press
        .says("waits for the server urn:fieldgate:demo:server")
        .await;
    assert!(
        words.contains(&format!("to connect to {listen}, since 20")),
        "{words}"
    );
    let other = settings(listen, Some("urn:other"));
    let mut oven = start(folder.path(), "oven", &memory, other);
    oven.says("waits for the server urn:other").await;

    let mut stranger = TcpStream::connect(listen).await.unwrap();
    stranger.write_all(b"HELF\x20\0\0\0").await.unwrap();
    let mut told = Vec::new();
    timeout(PATIENCE, stranger.read_to_end(&mut told))
        .await
        .unwrap()
        .unwrap();
    assert!(told.starts_with(b"ERRF"), "{told:?}");

    let server = sim::start(sim::Options::new(folder.path().join("server")))
        .await
        .unwrap();
    server.connect_to(listen, ENDPOINT);
    press.reading().await;
    let words = press.says("connected by itself").await;
    assert!(
        words.contains("another one was sent away: from 127.0.0.1"),
        "{words}"
    );
    press.reading().await;
    assert!(oven.readings.try_recv().is_err());
    press.stop().await;
    oven.shutdown.cancel();
    timeout(PATIENCE, oven.running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    server.stop().await;
}

fn probe_ctx(folder: &Path, memory: &Memory) -> ProbeCtx {
    ProbeCtx {
        id: "press".into(),
        secrets: Secrets::new(folder.into(), folder.into()),
        state_dir: folder.join("state"),
        common: memory.beside(),
        book: AddressBook {
            gateway: "line-4".into(),
            gateway_id: "00000000".into(),
            version: "0".into(),
            config_revision: 0,
        },
    }
}

#[tokio::test]
async fn a_test_of_settings_waits_for_the_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let listen = free().await;
    let server = sim::start(sim::Options::new(folder.path().join("server")))
        .await
        .unwrap();
    server.connect_to(listen, ENDPOINT);
    // Without a URI it is the endpoint that says who it is.
    let rungs = SourceKind::of::<OpcUa>()
        .probe(
            settings(listen, None),
            probe_ctx(folder.path(), &Memory::default()),
        )
        .await;
    assert!(
        rungs.iter().all(|rung| rung.state == RungState::Ok),
        "{rungs:#?}"
    );
    assert!(
        rungs[0]
            .words
            .contains("waits for the server of opc.tcp://demo:4840"),
        "{rungs:#?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_test_of_settings_works_beside_the_source_that_runs_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let (memory, listen) = (Memory::default(), free().await);
    let server = sim::start(sim::Options::new(folder.path().join("server")))
        .await
        .unwrap();
    server.connect_to(listen, ENDPOINT);
    let mut running = start(folder.path(), "running", &memory, settings(listen, None));
    running.reading().await;
    let kind = SourceKind::of::<OpcUa>();
    let probe = || kind.probe(settings(listen, None), probe_ctx(folder.path(), &memory));
    // This server has one connection, and the source has it.
    let rungs = probe().await;
    let last = rungs.last().unwrap();
    assert!(
        last.state == RungState::Failed && last.words.contains("pause the source"),
        "{rungs:#?}"
    );
    // This one keeps another one in reserve.
    server.connect_to(listen, "opc.tcp://DEMO:4840");
    let rungs = probe().await;
    assert!(
        rungs.iter().all(|rung| rung.state == RungState::Ok),
        "{rungs:#?}"
    );
    running.reading().await;
    running.stop().await;
    server.stop().await;
}
