//! `Bluez`: a private D-Bus as system bus and a stand-in of BlueZ on it; `Listener`: a process that uses it as a radio does.
//!
//! The libraries read the address of the bus from a variable, so who uses the radio is a process of its own: the gateway, or the
//! program `radio` of this crate.

use std::{
    env,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{
    flood::Flood,
    gateway::folder,
    peers,
    process::Process,
    wait::{SOON, until, until_true},
};

/// The bus and the stand-in. `tests/peers/bluez.py` says what its commands mean.
#[derive(Debug)]
pub struct Bluez {
    stand_in: Process,
    bus: Process,
    folder: TempDir,
}

/// The program `radio`.
#[derive(Debug)]
pub struct Listener {
    process: Process,
    /// Lines of its output that were looked at.
    read: usize,
    events: Vec<Json>,
}

/// Everybody may do everything, as on no system bus, but there is nobody else on it.
const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=BUS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_type="method_call"/><allow send_type="signal"/><allow send_destination="*"/>
    <allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
    <allow receive_type="signal"/>
    DENY
  </policy>
</busconfig>
"#;

// === impl Bluez ===

impl Bluez {
    /// With one adapter, `hci0`, that is on.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::with(&json!({}))
    }

    /// With options of the stand-in.
    #[track_caller]
    #[must_use]
    pub fn with(options: &Json) -> Self {
        Self::denying(options, "")
    }

    /// And a rule of the bus that forbids something, such as `<deny send_destination="org.bluez"/>`.
    #[track_caller]
    #[must_use]
    pub fn denying(options: &Json, deny: &str) -> Self {
        let folder = folder();
        let socket = folder.path().join("bus");
        let configuration = CONFIGURATION
            .replace("BUS", &socket.display().to_string())
            .replace("DENY", deny);
        let file = folder.path().join("bus.conf");
        std::fs::write(&file, configuration).expect("the folder is ours");
        let mut daemon = Command::new(peers::dbus_daemon());
        daemon.arg("--config-file").arg(&file);
        daemon.args(["--nofork", "--nopidfile"]);
        let bus = Process::start("dbus-daemon", &mut daemon);
        until_true("the bus", SOON, || socket.exists());
        let mut options = options.clone();
        options["bus"] = json!(format!("unix:path={}", socket.display()));
        let mut command = Command::new(peers::python());
        command
            .arg(peers::root().join("tests/peers/bluez.py"))
            .arg(options.to_string());
        let mut stand_in = Process::start("bluez", &mut command);
        stand_in.line("its readiness", 0, |line| (line == "ready").then_some(()));
        Self {
            stand_in,
            bus,
            folder,
        }
    }

    /// What `DBUS_SYSTEM_BUS_ADDRESS` has to be.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    /// A command and its answer.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn tell(&mut self, what: &str, mut command: Json) -> Json {
        command["do"] = json!(what);
        let said = self.stand_in.out.count();
        self.stand_in.say(&command.to_string());
        let parse = |line: &str| serde_json::from_str::<Json>(line).ok();
        let answer = self.stand_in.line("the answer to a command", said, parse);
        assert_eq!(answer["error"], Json::Null, "{command}");
        answer["ok"].clone()
    }

    /// A flood, and what was sent; looks around `meanwhile`, some times a second.
    #[track_caller]
    pub fn strangers(&mut self, flood: Flood, claims: &str, mut meanwhile: impl FnMut()) -> Json {
        let command = json!({
            "do": "strangers", "devices": flood.strangers, "per_s": flood.per_s, "seconds": flood.seconds, "claims": claims,
        });
        let said = self.stand_in.out.count();
        self.stand_in.say(&command.to_string());
        let answer = until("the end of the flood", flood.limit(), || {
            meanwhile();
            let line = self.stand_in.out.find(said, |line| Some(line.to_owned()));
            line.ok_or("it goes on")
        });
        let answer: Json = serde_json::from_str(&answer).expect("it says JSON lines");
        assert_eq!(answer["error"], Json::Null, "{command}");
        answer["ok"].clone()
    }

    /// The bus dies.
    pub fn kill_bus(&mut self) {
        self.bus.kill();
    }
}

// === impl Listener ===

impl Listener {
    /// Runs the program. Nothing is opened yet.
    #[track_caller]
    #[must_use]
    pub fn start(bluez: &Bluez) -> Self {
        Self::run(&bluez.address(), &[])
    }

    /// With arguments, at the bus with this address.
    #[track_caller]
    #[must_use]
    pub fn run(bus: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", bus);
        Self {
            process: Process::start("radio", &mut command),
            read: 0,
            events: Vec::new(),
        }
    }

    /// Opens the radio and listens with `hci0`.
    #[track_caller]
    pub fn listen(&mut self) {
        self.ok("open", json!({}));
        self.ok("listen", json!({}));
    }

    /// A command, and its answer when it went well.
    #[track_caller]
    pub fn ok(&mut self, what: &str, command: Json) -> Json {
        let answer = self.ask(what, command.clone());
        assert_eq!(answer["error"], Json::Null, "{what} {command}: {answer}");
        answer["ok"].clone()
    }

    /// A command that fails: which error, and its words.
    #[track_caller]
    pub fn fails(&mut self, what: &str, command: Json) -> (String, String) {
        let answer = self.ask(what, command.clone());
        let text = |name: &str| answer[name].as_str().map(ToOwned::to_owned);
        let error = text("error").unwrap_or_else(|| panic!("{what} {command} went well"));
        (error, text("words").expect("an error has words"))
    }

    /// A command, and its answer.
    #[track_caller]
    pub fn ask(&mut self, what: &str, command: Json) -> Json {
        self.say(what, command);
        self.answer()
    }

    /// A command whose answer is waited for later.
    #[track_caller]
    pub fn say(&mut self, what: &str, mut command: Json) {
        command["do"] = json!(what);
        self.process.say(&command.to_string());
    }

    /// The answer to the last command.
    #[track_caller]
    pub fn answer(&mut self) -> Json {
        loop {
            let line = self.next(SOON * 2, "an answer");
            if line["event"] == Json::Null {
                return line;
            }
            self.events.push(line);
        }
    }

    /// The first event of this kind that was not taken yet.
    #[track_caller]
    pub fn event(&mut self, kind: &str, is_it: impl Fn(&Json) -> bool) -> Json {
        let fits = |event: &Json| event["event"] == kind && is_it(event);
        if let Some(at) = self.events.iter().position(fits) {
            return self.events.remove(at);
        }
        let begun = Instant::now();
        loop {
            let left = SOON.saturating_sub(begun.elapsed());
            let line = self.next(left, kind);
            if fits(&line) {
                return line;
            }
            self.events.push(line);
        }
    }

    /// What a device advertised next.
    #[track_caller]
    pub fn heard(&mut self, address: &str) -> Json {
        let event = self.event("heard", |event| event["heard"]["address"] == address);
        event["heard"].clone()
    }

    /// Forgets the events so far.
    pub fn forget_events(&mut self) {
        self.read = self.process.out.count();
        self.events.clear();
    }

    /// The next line of a counting process.
    #[track_caller]
    pub fn next(&mut self, limit: Duration, what: &str) -> Json {
        let read = self.read;
        let line = until(what, limit, || {
            let line = self.process.out.find(read, |line| Some(line.to_owned()));
            line.ok_or("the radio said nothing")
        });
        self.read += 1;
        serde_json::from_str(&line).expect("it says JSON lines")
    }
}

/// What comes through D-Bus.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Advertisements a second out of our radio.
    pub radio_per_s: f64,
    /// Signals a second that a listener gets which does nothing with them, of the same flood over the same bus.
    pub ceiling_per_s: f64,
    /// Of one core, for 300 advertisements a second.
    pub cpu_percent_at_300: f64,
    /// Of those 300 a second, how many different ones were sent and not heard.
    pub lost_at_300: u64,
}

/// Measures them, in rounds of so many seconds, turn by turn; the best round counts.
#[must_use]
pub fn rates(rounds: u32, seconds: u64) -> Rates {
    let mut bluez = Bluez::start();
    let mut best = |program: &str| {
        let counted = flood(&mut bluez, program, 0, seconds);
        counted.1["per_s"].as_f64().expect("a rate is a number")
    };
    let (mut radio, mut ceiling) = (0.0f64, 0.0f64);
    for _ in 0..rounds {
        ceiling = ceiling.max(best("ceiling"));
        radio = radio.max(best("count"));
    }
    let (sent, counted) = flood(&mut bluez, "count", 300, 2 * seconds);
    let number = |name: &str| counted[name].as_f64().expect("a number");
    let distinct = counted["distinct"].as_u64().expect("a number");
    Rates {
        radio_per_s: radio,
        ceiling_per_s: ceiling,
        cpu_percent_at_300: number("cpu_percent"),
        lost_at_300: sent.saturating_sub(distinct),
    }
}

/// Lets a program count a flood: what was sent, and what it says. As many a second as the bus takes where `per_s` is 0.
fn flood(bluez: &mut Bluez, program: &str, per_s: u64, seconds: u64) -> (u64, Json) {
    // What the bus still holds comes after the flood.
    let wait = (3 * seconds).to_string();
    let mut counting = Listener::run(&bluez.address(), &[program, &wait]);
    counting.next(SOON, "that it listens");
    let command = json!({ "per_s": per_s, "devices": 300, "seconds": seconds });
    let sent = bluez.tell("flood", command)["sent"].as_u64();
    let counted = counting.next(Duration::from_secs(3 * seconds) + SOON, "what it counted");
    (sent.expect("a number"), counted)
}

/// `FIELDGATE_BLE_RADIO`, or beside the test that runs.
fn program() -> PathBuf {
    if let Some(path) = env::var_os("FIELDGATE_BLE_RADIO") {
        return path.into();
    }
    let beside = env::current_exe().ok().and_then(|test| {
        test.ancestors()
            .skip(1)
            .take(2)
            .map(|folder| folder.join("radio"))
            .find(|file| file.is_file())
    });
    beside.expect("`cargo build -p fieldgate-tests --bin radio` builds what plays the radio")
}
