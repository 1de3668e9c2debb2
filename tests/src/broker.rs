//! `Broker`: mosquitto, on free ports.

use std::{fmt::Write as _, fs, net::TcpStream, path::Path, process::Command};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    certificates::Pair,
    gateway::folder,
    peers, port,
    process::Process,
    wait::{SOON, until_true},
};

/// A running mosquitto.
#[derive(Debug)]
pub struct Broker {
    process: Process,
    folder: TempDir,
    /// The plain listener without passwords, which every broker has: subscribers use it.
    pub port: u16,
    /// The ports of the other listeners, in their order.
    pub ports: Vec<u16>,
}

/// One more listener: the lines of mosquitto.conf(5) that follow its `listener` line.
#[derive(Debug, Clone, Default)]
pub struct Listener(String);

// === impl Broker ===

impl Broker {
    /// A broker with the plain listener only.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A broker with more listeners.
    ///
    /// # Panics
    /// When it does not listen.
    #[track_caller]
    #[must_use]
    pub fn with(listeners: &[Listener]) -> Self {
        let folder = folder();
        let port = port::free();
        let ports: Vec<u16> = listeners.iter().map(|_| port::free()).collect();
        let mut config = format!(
            "per_listener_settings true\nuser root\nlog_dest stderr\nsys_interval 0\n\
             persistence true\npersistence_location {}/\nautosave_interval 0\n\
             max_inflight_messages 0\nmax_queued_messages 1000000\n\
             listener {port} 127.0.0.1\nallow_anonymous true\n",
            folder.path().display()
        );
        for (listener, port) in listeners.iter().zip(&ports) {
            let Listener(lines) = listener;
            write!(config, "listener {port} 127.0.0.1\n{lines}").expect("a String takes anything");
        }
        fs::write(folder.path().join("mosquitto.conf"), config).expect("a file in a new folder");
        let process = Self::launch(folder.path(), port);
        Self {
            process,
            folder,
            port,
            ports,
        }
    }

    /// Where the gateway publishes, on the plain listener.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Has it write down which sessions it has, so that even a killed broker keeps messages for them.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn remember_sessions(&self) {
        self.process.signal(Signal::USR1);
        let file = self.folder.path().join("mosquitto.db");
        until_true("mosquitto's file", SOON, || file.is_file());
    }

    /// Has it read its files anew: who may publish what.
    pub fn reload(&self) {
        self.process.signal(Signal::HUP);
    }

    /// Waits for a line of its log with these words.
    #[track_caller]
    pub fn logged(&self, words: &str) {
        until_true(&format!("mosquitto to say `{words}`"), SOON, || {
            let has = |line: &str| line.contains(words).then_some(());
            self.process.err.find(0, has).is_some()
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A new process on the same ports, with what the old one remembered.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = Self::launch(self.folder.path(), self.port);
    }

    #[track_caller]
    fn launch(folder: &Path, port: u16) -> Process {
        let mut command = Command::new(peers::mosquitto());
        command.arg("-c").arg(folder.join("mosquitto.conf"));
        let process = Process::start("mosquitto", &mut command);
        until_true("mosquitto to listen", SOON, || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        process
    }
}

// === impl Listener ===

impl Listener {
    /// With one more line.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.0.push_str(line);
        self.0.push('\n');
        self
    }

    /// Without passwords.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default().line("allow_anonymous true")
    }

    /// For one user. The file is made in `folder`.
    ///
    /// # Panics
    /// When `mosquitto_passwd` does not work.
    #[must_use]
    pub fn with_password(name: &str, password: &str, folder: &Path) -> Self {
        let file = folder.join("passwords");
        let made = Command::new(peers::mosquitto_passwd())
            .args(["-b", "-c"])
            .arg(&file)
            .args([name, password])
            .output();
        assert!(
            made.as_ref().is_ok_and(|made| made.status.success()),
            "mosquitto_passwd: {made:?}"
        );
        Self::default()
            .line("allow_anonymous false")
            .line(&format!("password_file {}", file.display()))
    }

    /// TLS with this certificate.
    #[must_use]
    pub fn tls(self, server: &Pair) -> Self {
        self.line(&format!("certfile {}", server.certificate.display()))
            .line(&format!("keyfile {}", server.key.display()))
    }

    /// Asks for a client certificate from this authority.
    #[must_use]
    pub fn client_authority(self, authority: &Path) -> Self {
        self.line(&format!("cafile {}", authority.display()))
            .line("require_certificate true")
    }
}
