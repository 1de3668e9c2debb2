//! What the benches share: child processes that end with them, a reader of `/proc`, a plain HTTP GET.

pub mod broker;
pub mod load;
pub mod sync;

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    path::Path,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

/// Kernel ticks a second in `/proc/PID/stat` (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A child process that ends when it is dropped.
pub struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {command:?}"))?;
        let stdout = child
            .stdout
            .take()
            .context("the child's output is a pipe")?;
        Ok(Self {
            child,
            lines: BufReader::new(stdout),
        })
    }

    /// The next line of output, without its line break.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("the process ended before it said what was waited for");
        }
        Ok(line.trim_end().to_owned())
    }

    /// Seconds of processor time so far, user and system.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds_of(&self.child.id().to_string())
    }

    /// Resident memory in MB of 1,000,000 bytes.
    pub fn rss_mb(&self) -> Result<f64> {
        status_mb(&self.child.id().to_string(), "VmRSS:")
    }

    /// Ends the process as a service manager would, and waits for it.
    pub fn terminate(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of processor time that this process has used so far, user and system.
pub fn cpu_seconds() -> Result<f64> {
    cpu_seconds_of("self")
}

fn cpu_seconds_of(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("stat has a bracket")?
        .1
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// This process's resident memory now, in MB of 1,000,000 bytes.
pub fn rss_mb() -> Result<f64> {
    status_mb("self", "VmRSS:")
}

/// The most that was resident since this process started.
pub fn rss_peak_mb() -> Result<f64> {
    status_mb("self", "VmHWM:")
}

fn status_mb(process: &str, key: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .with_context(|| format!("status has {key}"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// Bytes that this process has caused to be sent to the disk; the file system's journal is not among them (proc(5)).
pub fn written_bytes() -> Result<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes:"))
        .context("io has write_bytes")?;
    Ok(line.trim().parse()?)
}

/// Bytes allocated to everything below `folder`.
pub fn allocated_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = fs::metadata(folder)?.blocks() * 512;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => allocated_bytes(&entry.path())?,
            false => entry.metadata()?.blocks() * 512,
        };
    }
    Ok(bytes)
}

/// Has the kernel forget what it keeps in memory of the files below `folder`, so that they are read from the disk.
pub fn forget_cached_pages(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            forget_cached_pages(&entry.path())?;
        } else {
            let file = File::open(entry.path())?;
            file.sync_all()?; // only clean pages are forgotten
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// A runtime on this thread alone.
pub fn single_thread() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// The gateway under test.
pub fn gateway_binary() -> Result<PathBuf> {
    std::env::var_os("FIELDGATE_BIN")
        .map(PathBuf::from)
        .context("FIELDGATE_BIN is not set; run `cargo xtask bench NAME`")
}

/// This program again, in another role.
pub fn myself(role: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(role);
    Ok(command)
}

/// Starts the gateway and waits until it says where it listens; returns that as `host:port`.
pub fn start_gateway(arguments: &[&str]) -> Result<(Process, String)> {
    let mut command = Command::new(gateway_binary()?);
    command
        .args(["run", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .env("RUST_LOG", "fieldgate=warn");
    let mut gateway = Process::start(&mut command)?;
    let line = gateway.line()?;
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let address = address
        .with_context(|| format!("an address in `{line}`"))?
        .to_owned();
    Ok((gateway, address))
}

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// GET, the body as bytes, as it came over the wire.
pub fn get(address: &str, path: &str, accept_encoding: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: {accept_encoding}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("an HTTP head")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    if !head.starts_with("http/1.1 200") {
        bail!("GET {path}: {}", head.lines().next().unwrap_or_default());
    }
    let body = answer.split_off(end + 4);
    if head.contains("transfer-encoding: chunked") {
        unchunk(&body)
    } else {
        Ok(body)
    }
}

pub fn get_json(address: &str, path: &str) -> Result<Json> {
    Ok(serde_json::from_slice(&get(address, path, "identity")?)?)
}

/// Waits until `ready` gives something, looking every few milliseconds.
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Sorts them; 0 where there are none.
pub fn percentile(figures: &mut [f64], percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    let at = (figures.len() * percent / 100).min(figures.len().saturating_sub(1));
    figures.get(at).copied().unwrap_or(0.0)
}

pub fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// RFC 9112, 7.1.
fn unchunk(mut body: &[u8]) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body
            .windows(2)
            .position(|window| window == b"\r\n")
            .context("a chunk's size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end])?.trim(), 16)?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(body.get(end + 2..end + 2 + size).context("a whole chunk")?);
        body = &body[end + 2 + size + 2..];
    }
}
