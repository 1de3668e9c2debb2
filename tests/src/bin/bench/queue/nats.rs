//! NATS JetStream with file store and `sync_interval: always`: the acknowledgement of a message says that it is on the disk.
//!
//! The client is its wire protocol written down (docs.nats.io, "Client Protocol"): nothing stands between the clock and the server.

use std::{
    collections::VecDeque,
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

/// What a message is.
#[derive(Clone, Copy)]
pub enum Message {
    /// One reading, which then has a number and an acknowledgement of its own, as in the queue.
    Reading,
    /// A batch, whose readings nothing can tell apart any more.
    Batch,
}

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
    pub fn appends(
        &self,
        message: Message,
        batches: &mut Batches<'_>,
        window: Duration,
    ) -> Result<Rate> {
        let mut client = self.connect()?;
        client.create_stream()?;
        let meter = Meter::start()?;
        let mut waiting = VecDeque::new();
        let mut durable = 0;
        while meter.started.elapsed() < window {
            if waiting.len() == OUTSTANDING
                && let Some(oldest) = waiting.pop_front()
            {
                client.acknowledgements(oldest)?;
                durable += 1;
            }
            waiting.push_back(client.publish(message, &batches.next())?);
        }
        for messages in waiting {
            client.acknowledgements(messages)?;
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

    /// Returns how many messages that were.
    fn publish(&mut self, message: Message, batch: &[Bytes]) -> Result<usize> {
        let readings = match message {
            Message::Reading => 1,
            Message::Batch => batch.len(),
        };
        let mut bytes = Vec::new();
        for payload in batch.chunks(readings) {
            let length: usize = payload.iter().map(Bytes::len).sum();
            write!(bytes, "PUB {SUBJECT} inbox.ack {length}\r\n")?;
            bytes.extend(payload.iter().flatten());
            bytes.extend(b"\r\n");
        }
        self.writer.write_all(&bytes)?;
        Ok(batch.chunks(readings).len())
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

    fn acknowledgements(&mut self, messages: usize) -> Result<()> {
        for _ in 0..messages {
            let answer = self.answer()?;
            anyhow::ensure!(
                answer["seq"].is_u64(),
                "NATS did not take a message: {answer}"
            );
        }
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
