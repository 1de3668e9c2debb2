//! Somebody on the way who leaves the better endpoints out of what the server offers: refused in words, and never signed in.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the proxy counts in small numbers"
)]

#[allow(dead_code, reason = "other tests tell other lies")]
mod tamper;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use fieldgate_kit::{
    Commands, Devices, DropCounters, Exploring, Health, Memory, Readings, Secrets, SourceCtx,
    SourceError, SourceKind,
};
use fieldgate_opcua::{OpcUa, sim};
use serde_json::json;
use tamper::{Evil, Kind, Tamper};
use tokio_util::sync::CancellationToken;

/// Which endpoints are let through, by policy and mode (1 None, 2 Sign, 3 SignAndEncrypt).
type Seen = fn(&str, i32) -> bool;

/// Runs the source until it is connected, or why it is not.
async fn attempt(folder: &Path, port: u16) -> Result<(), SourceError> {
    let (health, mut told) = Health::channel();
    let (readings, mut taken) = Readings::channel(4, DropCounters::default());
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: "press".into(),
        readings,
        devices: Devices::channel().0,
        health,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new(folder.into(), folder.into()),
        state_dir: folder.join("state"),
        memory: Memory::default(),
        accepted: Default::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let settings = json!({
        "endpoint": format!("opc.tcp://127.0.0.1:{port}"),
        "select": ["Objects/Demo/Press/Temperature"],
    });
    let kind = SourceKind::of::<OpcUa>();
    let running = kind.run(settings, ctx);
    tokio::pin!(running);
    // Nobody says that they are durable, and nobody that they are not.
    let mut held = Vec::new();
    let hold = async {
        while let Some(delivery) = taken.recv().await {
            held.push(delivery);
        }
    };
    let connected = async {
        tokio::select! {
            _ = told.wait_for(|report| report.connected) => {}
            () = hold => {}
        }
    };
    tokio::select! {
        outcome = &mut running => return outcome,
        () = connected => shutdown.cancel(),
    }
    running.await
}

#[tokio::test]
async fn who_hides_the_better_endpoints_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = sim::start(sim::Options {
        every_policy: true,
        ..sim::Options::new(folder.path().join("server"))
    })
    .await
    .unwrap();
    let all: Seen = |_, _| true;
    let seen = Arc::new(Mutex::new(all));
    let shown = Arc::clone(&seen);
    let attacker = Tamper::start(&server.endpoint, move |answer| {
        let seen = *shown.lock().unwrap();
        let forgeable = answer.kind == Kind::GetEndpoints && !answer.is_signed();
        forgeable.then(|| Evil::Body(answer.without_endpoints(seen)))
    })
    .await;
    let port = attacker.port;
    let refused = async |to_see: Seen, part: &str| {
        *seen.lock().unwrap() = to_see;
        match attempt(folder.path(), port).await {
            Err(SourceError::Refused(words)) => assert!(words.contains(part), "{words}"),
            other => panic!("`{part}` was expected, and not {other:?}"),
        }
    };
    let nothing_safe: Seen = |policy, _| policy == "None";
    // Before it was ever seen with security, nobody can know better; without security it is not used all the same.
    refused(nothing_safe, "None").await;
    let connected = async {
        *seen.lock().unwrap() = all;
        attempt(folder.path(), port).await
    };
    connected.await.unwrap();
    refused(nothing_safe, "somebody may stand between").await;
    refused(
        |policy, mode| policy == "Basic256Sha256" && mode == 2,
        "somebody between it and this gateway left that out",
    )
    .await;
    let words = "offers Aes256_Sha256_RsaPss SignAndEncrypt";
    refused(|policy, _| policy == "Basic256Sha256", words).await;
    refused(
        |policy, _| policy == "Basic128Rsa15",
        "somebody may stand between",
    )
    .await;
    server.stop().await;
}
