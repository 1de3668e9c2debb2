//! NATS JetStream with file store and `sync_interval: always`: a batch is one message, and its acknowledgement says that it is on the disk.
//!
//! The client is its wire protocol written down (docs.nats.io, "Client Protocol"): nothing stands between the clock and the server.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::appends::{Batches, Meter, OUTSTANDING, Rate};
use crate::support::{self, Process};

const STREAM: &str = "BENCH";
const SUBJECT: &str = "bench.readings";

pub struct Server {
    port: u16,
    _process: Process,
}

struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
    line: String,
}

// === impl Server ===

impl Server {
    /// Starts the server of the tests' Python environment.
    pub fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let port = support::free_port()?;
        let config = folder.join("nats.conf");
        let store = folder.join("store");
        fs::write(
            &config,
            format!(
                "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?}, sync_interval: always }}\n",
                store.to_string_lossy()
            ),
        )?;
        let venv = std::env::var_os("FIELDGATE_VENV").context("FIELDGATE_VENV is not set")?;
        let mut command = Command::new(PathBuf::from(venv).join("bin/nats-server"));
        command
            .arg("-c")
            .arg(&config)
            .arg("-l")
            .arg(folder.join("log"));
        let process = Process::start(&mut command)?;
        let server = Self {
            port,
            _process: process,
        };
        support::wait_for("NATS", Duration::from_secs(10), || server.connect().ok())?;
        Ok(server)
    }

    /// Publishes batches into a new stream and counts their acknowledgements.
    pub fn appends(&self, batches: &mut Batches<'_>, window: Duration) -> Result<Rate> {
        let mut client = self.connect()?;
        client.create_stream()?;
        let meter = Meter::start()?;
        let (mut sent, mut durable) = (0, 0);
        while meter.started.elapsed() < window {
            if sent - durable == OUTSTANDING {
                client.acknowledgement()?;
                durable += 1;
            }
            client.publish(&batches.next())?;
            sent += 1;
        }
        while durable < sent {
            client.acknowledgement()?;
            durable += 1;
        }
        let rate = meter.rate(durable, batches.bytes)?;
        client.request(&format!("$JS.API.STREAM.DELETE.{STREAM}"), &Json::Null)?;
        Ok(rate)
    }

    fn connect(&self) -> Result<Client> {
        let writer = TcpStream::connect(("127.0.0.1", self.port))?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(Duration::from_secs(20)))?;
        let reader = BufReader::with_capacity(1 << 16, writer.try_clone()?);
        let mut client = Client {
            writer,
            reader,
            line: String::new(),
        };
        client.next_line()?; // INFO
        let connect =
            json!({ "verbose": false, "pedantic": false, "lang": "bench", "version": "1" });
        write!(
            client.writer,
            "CONNECT {connect}\r\nSUB inbox.> 1\r\nPING\r\n"
        )?;
        client.next_line()?;
        anyhow::ensure!(client.line == "PONG", "NATS answered `{}`", client.line);
        Ok(client)
    }
}

// === impl Client ===

impl Client {
    fn create_stream(&mut self) -> Result<()> {
        let config =
            json!({ "name": STREAM, "subjects": [SUBJECT], "storage": "file", "num_replicas": 1 });
        self.request(&format!("$JS.API.STREAM.CREATE.{STREAM}"), &config)?;
        Ok(())
    }

    fn publish(&mut self, batch: &[Bytes]) -> Result<()> {
        let payload: usize = batch.iter().map(Bytes::len).sum();
        let mut message = format!("PUB {SUBJECT} inbox.ack {payload}\r\n").into_bytes();
        message.extend(batch.iter().flatten());
        message.extend(b"\r\n");
        Ok(self.writer.write_all(&message)?)
    }

    fn request(&mut self, subject: &str, body: &Json) -> Result<Json> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        write!(
            self.writer,
            "PUB {subject} inbox.api {}\r\n{body}\r\n",
            body.len()
        )?;
        self.answer()
    }

    fn acknowledgement(&mut self) -> Result<()> {
        let answer = self.answer()?;
        anyhow::ensure!(
            answer["seq"].is_u64(),
            "NATS did not take a message: {answer}"
        );
        Ok(())
    }

    /// The next message that is meant for us: `MSG subject sid [reply] length`, then so many bytes.
    fn answer(&mut self) -> Result<Json> {
        loop {
            self.next_line()?;
            if self.line == "PING" {
                self.writer.write_all(b"PONG\r\n")?;
            } else if let Some(head) = self.line.strip_prefix("MSG ") {
                let length = head
                    .rsplit(' ')
                    .next()
                    .context("a length")?
                    .parse::<usize>()?;
                let mut body = vec![0; length + 2];
                self.reader.read_exact(&mut body)?;
                let answer: Json = serde_json::from_slice(&body[..length])?;
                anyhow::ensure!(answer.get("error").is_none(), "NATS refuses: {answer}");
                return Ok(answer);
            } else if self.line.starts_with("-ERR") {
                bail!("NATS says {}", self.line);
            }
        }
    }

    fn next_line(&mut self) -> Result<()> {
        self.line.clear();
        if self.reader.read_line(&mut self.line)? == 0 {
            bail!("NATS closed the connection");
        }
        self.line.truncate(self.line.trim_end().len());
        Ok(())
    }
}
