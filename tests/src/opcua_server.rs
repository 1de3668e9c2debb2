//! `OpcUaServer`: asyncua with a line of points, each value of which can be computed from its source timestamp.

use std::process::Command;

use fieldgate_model::Timestamp;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{gateway::folder, peers, port, process::Process};

/// What the server serves, and whom. `tests/peers/opcua_server.py` says what each means.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    pub nodes: usize,
    pub period_ms: i64,
    pub first_id: u32,
    pub namespaces_before: u32,
    /// Basic256Sha256 with SignAndEncrypt, instead of no security.
    pub secure: bool,
    /// Another name is another certificate.
    pub certificate: &'static str,
    /// The certificate ended a year ago.
    pub expired: bool,
    pub user: Option<User>,
    /// Subscriptions go on in another session, which plain asyncua gets wrong.
    pub transfers: bool,
    /// Every value is kept, and one answer has so many of them.
    pub history: Option<u32>,
    /// Publishing intervals after which a subscription ends that nobody asks.
    pub lifetime_count: Option<u32>,
    /// Its application URI.
    pub application: String,
    /// The others of its set of redundant servers.
    pub set: Vec<Other>,
    /// Tells changes of its nodes by model change events.
    pub tells: bool,
}

/// Another server of a redundant set.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    pub uri: String,
    pub url: String,
}

/// The one that may sign in.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    pub name: &'static str,
    pub password: &'static str,
}

/// A running server.
#[derive(Debug)]
pub struct OpcUaServer {
    process: Process,
    folder: TempDir,
    options: Options,
    port: u16,
}

/// How the server is.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Look {
    /// The last that was written.
    pub tick: i64,
    /// Those of its clients.
    pub subscriptions: usize,
}

/// What happens to nodes of a running server, all at once.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Changes {
    pub delete: Vec<i64>,
    /// Nodes and the numbers that they get.
    pub add: Vec<(i64, u32)>,
    /// Nodes that hold strings from now on.
    pub retype: Vec<i64>,
}

/// The ticks that were written before a hold: each point has one value for each of them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Ticks {
    /// The value that was there before anybody subscribed.
    pub first: i64,
    pub last: i64,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 500,
            period_ms: 500,
            first_id: 1000,
            namespaces_before: 0,
            secure: false,
            certificate: "server",
            expired: false,
            user: None,
            transfers: true,
            history: None,
            lifetime_count: None,
            application: "urn:fieldgate:test:server".to_owned(),
            set: Vec::new(),
            tells: false,
        }
    }
}

// === impl OpcUaServer ===

impl OpcUaServer {
    /// A server on a free port that answers when this returns.
    #[track_caller]
    #[must_use]
    pub fn start(options: Options) -> Self {
        Self::start_at(port::free(), options)
    }

    /// As [`Self::start`], on a port that was free a moment ago.
    #[track_caller]
    #[must_use]
    pub fn start_at(port: u16, options: Options) -> Self {
        let folder = folder();
        Self {
            process: launch(&options, &folder, port),
            folder,
            options,
            port,
        }
    }

    /// `opc.tcp://127.0.0.1:port`
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("opc.tcp://127.0.0.1:{}", self.port)
    }

    /// `kill -9`, and another server on the same port.
    #[track_caller]
    pub fn restart(&mut self, options: Options) {
        self.process.kill();
        self.process = launch(&options, &self.folder, self.port);
        self.options = options;
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The port that it listens at.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGSTOP: it stands still, and its connections stay.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Answers every request of a service, such as `CreateSession`, with this status from now on.
    #[track_caller]
    pub fn refuse(&mut self, service: &str, status: &str) {
        let _: Json =
            self.command(&json!({ "do": "refuse", "service": service, "status": status }));
    }

    /// Answers a service again.
    #[track_caller]
    pub fn serve(&mut self, service: &str) {
        let _: Json = self.command(&json!({ "do": "refuse", "service": service, "status": null }));
    }

    /// Writes no more values.
    #[track_caller]
    pub fn hold(&mut self) -> Ticks {
        self.command(&json!({ "do": "hold" }))
    }

    /// Where it is.
    #[track_caller]
    pub fn look(&mut self) -> Look {
        self.command(&json!({ "do": "look" }))
    }

    /// Writes values again.
    #[track_caller]
    pub fn go(&mut self) {
        let _: Json = self.command(&json!({ "do": "go" }));
    }

    /// The subscriptions of this interval say nothing from now on, not even that they live.
    #[track_caller]
    pub fn mute(&mut self, publishing_ms: u32) {
        let _: Json = self.command(&json!({ "do": "mute", "publishing_ms": publishing_ms }));
    }

    /// The subscriptions of this interval say that they live from now on, and nothing else.
    #[track_caller]
    pub fn deafen(&mut self, publishing_ms: u32) {
        let _: Json = self.command(&json!({ "do": "deafen", "publishing_ms": publishing_ms }));
    }

    /// The ServiceLevel from now on.
    #[track_caller]
    pub fn level(&mut self, level: u8) {
        let _: Json = self.command(&json!({ "do": "level", "level": level }));
    }

    /// Deletes a node.
    #[track_caller]
    pub fn delete(&mut self, node: i64) {
        let _: Json = self.command(&json!({ "do": "delete", "node": node }));
    }

    /// Changes nodes.
    #[track_caller]
    pub fn change(&mut self, changes: &Changes) {
        let mut command = serde_json::to_value(changes).expect("changes are JSON");
        command["do"] = json!("change");
        let _: Json = self.command(&command);
    }

    /// While held: writes one tick more, and after it a string of so many bytes to this node of strings.
    #[track_caller]
    pub fn large(&mut self, node: i64, bytes: usize) {
        let _: Json = self.command(&json!({ "do": "large", "node": node, "bytes": bytes }));
    }

    #[track_caller]
    fn command<T: serde::de::DeserializeOwned>(&mut self, command: &Json) -> T {
        let said = self.process.out.count();
        self.process.say(&command.to_string());
        self.process.line("the answer to a command", said, |line| {
            serde_json::from_str(line).ok()
        })
    }
}

/// What a node's value is at a tick, as the gateway writes it: the function of `tests/peers/opcua_server.py`.
#[must_use]
pub fn value(node: i64, tick: i64) -> Json {
    match node % 5 {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        0 => json!(node as f64 + (tick % 4096) as f64 / 8.0),
        1 => json!(node * 1_000_000_000 + tick % 1_000_000_000),
        2 => json!(tick % 2 == 1),
        3 => json!(format!("{node}@{tick}")),
        _ => json!([node, tick % 1_000_000_000]),
    }
}

/// The status that is not good, of those nodes and ticks that have one.
#[must_use]
pub fn uncertain(node: i64, tick: i64) -> Option<&'static str> {
    (node % 50 == 49 && tick % 2 == 1).then_some("UncertainLastUsableValue")
}

/// The tick of a source timestamp.
///
/// # Panics
/// When it lies between two ticks: the server never writes such a one.
#[track_caller]
#[must_use]
pub fn tick(at: Timestamp, period_ms: i64) -> i64 {
    let period = period_ms * 1_000_000;
    assert_eq!(at.nanos() % period, 0, "{at} is not the server's timestamp");
    at.nanos() / period
}

#[track_caller]
fn launch(options: &Options, folder: &TempDir, port: u16) -> Process {
    let mut all = serde_json::to_value(options).expect("options are JSON");
    all["port"] = json!(port);
    all["folder"] = json!(folder.path());
    let mut command = Command::new(peers::python());
    command
        .arg(peers::root().join("tests/peers/opcua_server.py"))
        .arg(all.to_string());
    let mut process = Process::start("asyncua", &mut command);
    process.line("its readiness", 0, |line| {
        line.contains("ready").then_some(())
    });
    process
}
