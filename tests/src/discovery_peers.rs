//! Peers that say what they are: an OPC UA server that knows others, one that speaks companion models, a responder of multicast DNS.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::{peers, port, process::Process};

/// Two servers, the second of which registered at the first.
#[derive(Debug)]
pub struct Listing {
    _process: Process,
    ports: [u16; 2],
}

/// A server that speaks companion models.
#[derive(Debug)]
pub struct Companion {
    _process: Process,
    port: u16,
}

/// Announces an OPC UA server, and some that are none, on loopback.
#[derive(Debug)]
pub struct Responder {
    _process: Process,
}

// === impl Listing ===

impl Listing {
    /// `tests/peers/opcua_discovery.py` says what it knows.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let ports = [port::free(), port::free()];
        let process = launch("opcua_discovery.py", &json!({ "ports": ports }));
        Self {
            _process: process,
            ports,
        }
    }

    /// Of the one that knows the others.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Of the one that registered.
    #[must_use]
    pub fn other(&self) -> String {
        format!("127.0.0.1:{}", self.ports[1])
    }
}

// === impl Responder ===

impl Responder {
    /// Announces a server on loopback; `tests/peers/mdns.py` says what else.
    #[track_caller]
    #[must_use]
    pub fn start(port: u16) -> Self {
        Self {
            _process: launch("mdns.py", &json!({ "port": port })),
        }
    }
}

// === impl Companion ===

impl Companion {
    /// `tests/peers/opcua_companion.py` says what it has.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let port = port::free();
        Self {
            _process: launch("opcua_companion.py", &json!({ "port": port })),
            port,
        }
    }

    /// `opc.tcp://127.0.0.1:port`
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("opc.tcp://127.0.0.1:{}", self.port)
    }
}

#[track_caller]
fn launch(script: &str, options: &Json) -> Process {
    let mut command = Command::new(peers::python());
    command
        .arg(peers::root().join("tests/peers").join(script))
        .arg(options.to_string());
    let mut process = Process::start(script, &mut command);
    process.line("its readiness", 0, |line| {
        line.contains("ready").then_some(())
    });
    process
}
