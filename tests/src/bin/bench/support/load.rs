//! The load generator, and the OPC UA client alone, each to be run as a process of its own.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fieldgate_kit::{
    Commands, Devices, DropCounters, Health, Readings, Secrets, Source, SourceCtx, settings,
};
use fieldgate_opcua::{OpcUa, sim};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

/// Serves so many nodes, all changed every so many milliseconds; prints the endpoint, then serves until it is ended.
pub fn serve(nodes: &str, every_ms: &str) -> Result<()> {
    serve_in_room(nodes, every_ms, None)
}

/// The same, in subscriptions of so many nodes at most: whoever reads all of them needs as many as that takes.
pub fn serve_divided(nodes: &str, every_ms: &str, per_subscription: &str) -> Result<()> {
    let room = sim::Room {
        sessions: 10,
        subscriptions_per_session: 100,
        items_per_subscription: per_subscription.parse()?,
    };
    serve_in_room(nodes, every_ms, Some(room))
}

fn serve_in_room(nodes: &str, every_ms: &str, room: Option<sim::Room>) -> Result<()> {
    let load = sim::Load {
        nodes: nodes.parse()?,
        every: Duration::from_millis(every_ms.parse()?),
    };
    let folder = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let options = sim::Options {
            load: Some(load),
            room,
            ..sim::Options::new(folder.path())
        };
        let server = sim::start(options).await?;
        println!("{}", server.endpoint);
        std::future::pending::<()>().await;
        server.stop().await;
        Ok(())
    })
}

/// Reads the same nodes with queue and broker taken out; prints readings a second over the time given.
pub fn ceiling(endpoint: &str, seconds: &str) -> Result<()> {
    let window = Duration::from_secs(seconds.parse()?);
    let folder = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let (readings, mut deliveries) = Readings::channel(64, DropCounters::default());
        let shutdown = CancellationToken::new();
        let ctx = context(readings, folder.path(), shutdown.clone());
        let settings = settings::read(source_settings(endpoint))
            .map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let source = tokio::spawn(OpcUa::run(Arc::new(settings), ctx));
        let mut count = 0;
        let mut since: Option<Instant> = None;
        while since.is_none_or(|since| since.elapsed() < window) {
            let delivery = deliveries.recv().await.context("the source ended early")?;
            // The first second is for warming up.
            let since = since.get_or_insert_with(|| Instant::now() + Duration::from_secs(1));
            if Instant::now() >= *since {
                count += delivery.readings.len();
            }
            if let Some(durable) = delivery.durable {
                // A source that no longer waits has ended, and the next receive tells.
                let _ = durable.send(Ok(()));
            }
        }
        println!("{}", count as f64 / window.as_secs_f64());
        shutdown.cancel();
        drop(deliveries);
        source.abort();
        Ok(())
    })
}

/// What both the gateway and the client alone are told to read.
fn source_settings(endpoint: &str) -> Json {
    serde_json::json!({
        "endpoint": endpoint,
        "security": { "policy": "None" },
        "select": ["Objects/Load/**"],
        "publishing_ms": 100,
        "sampling_ms": 0,
    })
}

/// The same as a section of a configuration file.
pub fn source(id: &str, endpoint: &str) -> String {
    let settings = source_settings(endpoint);
    let mut text = format!("\n[[source]]\nid = \"{id}\"\nkind = \"opcua\"\n");
    for (key, value) in settings.as_object().into_iter().flatten() {
        text.push_str(&format!("{key} = {}\n", inline(value)));
    }
    text
}

/// A JSON value as TOML writes it on one line.
fn inline(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let pairs: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", inline(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

pub fn context(readings: Readings, folder: &Path, shutdown: CancellationToken) -> SourceCtx {
    SourceCtx {
        id: "load".into(),
        readings,
        devices: Devices::channel().0,
        health: Health::channel().0,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: fieldgate_kit::Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown,
        secrets: Secrets::new(folder.into(), folder.into()),
        state_dir: folder.into(),
        memory: fieldgate_kit::Memory::default(),
        accepted: fieldgate_kit::Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    }
}

pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
