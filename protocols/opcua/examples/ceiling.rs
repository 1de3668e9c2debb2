//! Runs the source with the queue and the broker taken out, and prints each second how many values came, and its health.
//!
//! `cargo run -p fieldgate-opcua --features sim --example ceiling -- [SECONDS] [NODES EVERY_MS | SETTINGS.json]`; without
//! settings, a simulated server runs in the same process, with 5,000 nodes that change every 50 ms.

use std::time::{Duration, Instant};

use fieldgate_kit::{
    Commands, Delivery, Devices, DropCounters, Health, Readings, Secrets, SourceCtx, SourceKind,
};
use fieldgate_opcua::{OpcUa, sim};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

const NODES: u32 = 5_000;
const EVERY_MS: u64 = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let folder = std::env::temp_dir().join(format!("fieldgate-ceiling-{}", std::process::id()));
    let (first, second) = (arguments.next(), arguments.next());
    let (settings, server) = match (first, second) {
        (Some(file), None) => (serde_json::from_str(&std::fs::read_to_string(file)?)?, None),
        (nodes, every_ms) => {
            let nodes = nodes.map_or(Ok(NODES), |text| text.parse())?;
            let every = Duration::from_millis(every_ms.map_or(Ok(EVERY_MS), |text| text.parse())?);
            let load = Some(sim::Load { nodes, every });
            let server = sim::start(sim::Options {
                load,
                ..sim::Options::new(&folder)
            })
            .await?;
            (load_settings(&server.endpoint), Some(server))
        }
    };
    measure(settings, &folder, Duration::from_secs(seconds)).await;
    if let Some(server) = server {
        server.stop().await;
    }
    // Certificates of a run that is over; when the folder was never made, there is nothing to remove.
    std::fs::remove_dir_all(folder).ok();
    Ok(())
}

fn load_settings(endpoint: &str) -> Json {
    json!({
        "endpoint": endpoint,
        "security": { "policy": "None" },
        "select": ["Objects/Load/*"],
        "publishing_ms": 100,
        "sampling_ms": 0,
    })
}

async fn measure(settings: Json, folder: &std::path::Path, time: Duration) {
    let drops = DropCounters::default();
    let (readings, mut received) = Readings::channel(16, drops.clone());
    let (devices, announced) = Devices::channel();
    let (health, report) = Health::channel();
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: "bench".into(),
        readings,
        devices,
        health,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: fieldgate_kit::Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new(folder.into(), folder.into()),
        state_dir: folder.join("state"),
        memory: fieldgate_kit::Memory::default(),
        accepted: fieldgate_kit::Accepted::default(),
        latest: Default::default(),
    };
    let running = tokio::spawn(async move { SourceKind::of::<OpcUa>().run(settings, ctx).await });
    let (begin, mut second, mut values) = (Instant::now(), Instant::now(), 0);
    while let Some(Delivery { readings, durable }) = received.recv().await {
        values += readings.len();
        if let Some(durable) = durable {
            // The source may have ended meanwhile.
            durable.send(Ok(())).ok();
        }
        if second.elapsed() >= Duration::from_secs(1) {
            let problems: Vec<String> = announced
                .borrow()
                .iter()
                .flat_map(|device| device.points.clone())
                .filter_map(|point| Some(format!("{}: {}", point.id, point.problem?)))
                .collect();
            let rate = values as f64 / second.elapsed().as_secs_f64();
            let words = report.borrow().words.clone();
            println!(
                "{rate:.0} values/s; {words}; {problems:?}; {:?}",
                drops.snapshot()
            );
            (second, values) = (Instant::now(), 0);
        }
        if begin.elapsed() >= time {
            shutdown.cancel();
        }
    }
    println!("{:?}", running.await);
}
