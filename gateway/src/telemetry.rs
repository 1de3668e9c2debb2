//! Logs, the clock, and what the process itself costs.

use std::{
    fs,
    sync::Mutex,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use fieldgate_model::Timestamp;
use tracing_subscriber::{EnvFilter, fmt};

/// Kernel ticks a second in `/proc/self/stat`; fixed at 100 on every Linux that user space sees (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// The gateway's clock.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// What an operator needs: our own words. What the protocol libraries have to say is in the causes that units give, and
/// their own logs cry wolf, for instance about a certificate that nobody asked for.
const DEFAULT_FILTER: &str = "info,opcua_client=off,opcua_core=off,opcua_crypto=off,opcua_server=off,opcua_types=off,\
                              rumqttc=off,rumqttd=off,sled=warn,actix_server=warn";

/// Logs to stderr, where systemd's journal takes them. `RUST_LOG` chooses.
pub fn init_logs() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let logs = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    if logs.try_init().is_err() {
        tracing::debug!("logs were set up before");
    }
}

/// What the process costs.
#[derive(Debug, Default)]
pub struct Process(Mutex<Costs>);

#[derive(Debug, Default)]
struct Costs {
    last: Option<(Instant, f64)>,
    cpu_percent: f64,
}

impl Process {
    pub(crate) fn sample(&self, now: Instant) {
        let Some(seconds) = cpu_seconds() else {
            return;
        };
        let mut costs = self.0.lock().expect("nothing panics while holding it");
        if let Some((at, before)) = costs.last {
            let wall = now.duration_since(at).as_secs_f64().max(0.001);
            costs.cpu_percent = 100.0 * (seconds - before) / wall;
        }
        costs.last = Some((now, seconds));
    }

    /// Percent of one core, over the last second.
    #[must_use]
    pub fn cpu_percent(&self) -> f64 {
        self.0
            .lock()
            .expect("nothing panics while holding it")
            .cpu_percent
    }
}

/// Resident memory in bytes; 0 where the kernel does not tell.
#[must_use]
pub fn rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Seconds of processor time since the start, user and system.
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field may hold spaces; the fields after its bracket are fixed (proc(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}
