//! `AlarmServer`: asyncua with alarms that a test raises and clears.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::{peers, port, process::Process};

/// The server of `tests/peers/opcua_alarms.py`.
#[derive(Debug)]
pub struct AlarmServer {
    process: Process,
    pub port: u16,
}

/// An alarm as the server is told of it; what is over is not as severe any more.
#[must_use]
pub fn alarm(name: &str, active: bool) -> Json {
    let message = format!("{name} is {}", if active { "here" } else { "over" });
    let severity = if active { 700 } else { 50 };
    json!({ "name": name, "active": active, "severity": severity, "message": message, "since": "2026-11-25T20:00:00+00:00" })
}

impl AlarmServer {
    /// A server on a free port that answers when this returns.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let port = port::free();
        Self {
            process: launch(port, &json!([])),
            port,
        }
    }

    /// `kill -9`, and another server on the same port with these alarms.
    #[track_caller]
    pub fn restart(&mut self, alarms: &Json) {
        self.process.kill();
        self.process = launch(self.port, alarms);
    }

    /// An alarm turns active or goes.
    #[track_caller]
    pub fn tell(&mut self, alarm: &Json) {
        let mut command = alarm.clone();
        command["do"] = json!("alarm");
        let _: Json = self.command(&command);
    }

    /// Each alarm's state, comment and user.
    #[track_caller]
    pub fn states(&mut self) -> Json {
        self.command(&json!({ "do": "states" }))
    }

    /// What `tests/peers/opcua_alarms.py` answers to a command.
    #[track_caller]
    pub fn command(&mut self, command: &Json) -> Json {
        let said = self.process.out.count();
        self.process.say(&command.to_string());
        self.process.line("the answer to a command", said, |line| {
            serde_json::from_str(line).ok()
        })
    }
}

#[track_caller]
fn launch(port: u16, alarms: &Json) -> Process {
    let options = json!({ "port": port, "transfers": true, "alarms": alarms });
    let mut command = Command::new(peers::python());
    command
        .arg(peers::root().join("tests/peers/opcua_alarms.py"))
        .arg(options.to_string());
    let mut process = Process::start("asyncua", &mut command);
    process.line("its readiness", 0, |line| {
        line.contains("ready").then_some(())
    });
    process
}
