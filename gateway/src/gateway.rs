//! `Gateway`: what every part shares: the registry, the queue, the board, the live values, who we are.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
    time::Instant,
};

use fieldgate_api::state::Status;
use fieldgate_kit::{AddressBook, Secrets, SourceKind, Trust, trust::shared_dir};
use fieldgate_model::Timestamp;

use crate::{
    clock::Clock,
    commands::Commands,
    filling::Filling,
    lanes::{LaneKind, Lanes},
    ledger,
    live::Live,
    outages::Outages,
    receipts::{Receipts, Who},
    registry::Registry,
    supervisor::{Board, Running, UnitName},
    telemetry::{self, Process},
};

/// Shared by supervisor, console and the gateway's own health.
pub struct Gateway {
    pub registry: Registry,
    pub lanes: Lanes,
    pub clock: Clock,
    pub board: Board,
    pub live: Live,
    pub secrets: Secrets,
    pub started: Timestamp,
    pub state_dir: PathBuf,
    pub process: Process,
    pub receipts: Receipts,
    pub outages: Outages,
    pub filling: Filling,
    pub commands: Commands,
    /// What sources have in common, such as a port at which they listen.
    pub common: fieldgate_kit::Memory,
    book: RwLock<AddressBook>,
    running: Mutex<Running>,
}

impl Gateway {
    /// # Errors
    /// When the gateway's id can neither be read nor made.
    pub fn new(
        registry: Registry,
        lanes: Lanes,
        clock: Clock,
        state_dir: PathBuf,
        secrets: Secrets,
    ) -> io::Result<Self> {
        let book = AddressBook {
            gateway: "gateway".into(),
            gateway_id: gateway_id(&state_dir)?.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            config_revision: 0,
        };
        let receipts = Receipts::open(
            state_dir.join("receipts"),
            ledger::rows(&lanes),
            telemetry::now(),
        )?;
        let outages = Outages::open(state_dir.join("outages.json"));
        let commands = Commands::open(state_dir.join("commands"))?;
        Ok(Self {
            registry,
            lanes,
            clock,
            board: Board::default(),
            live: Live::default(),
            secrets,
            started: telemetry::now(),
            state_dir,
            process: Process::default(),
            receipts,
            outages,
            filling: Filling::default(),
            commands,
            common: fieldgate_kit::Memory::default(),
            book: RwLock::new(book),
            running: Mutex::default(),
        })
    }

    /// The names that stand in topics and messages.
    #[must_use]
    pub fn book(&self) -> AddressBook {
        self.book
            .read()
            .expect("nothing panics while holding it")
            .clone()
    }

    pub(crate) fn book_name(&self, name: &str, revision: u64) {
        let mut book = self.book.write().expect("nothing panics while holding it");
        (book.gateway, book.config_revision) = (name.into(), revision);
    }

    /// Looks at what runs; held shortly, never across a wait.
    pub fn running<T>(&self, look: impl FnOnce(&mut Running) -> T) -> T {
        look(
            &mut self
                .running
                .lock()
                .expect("nothing panics while holding it"),
        )
    }

    /// Gives every meter its sense of time; called once a second.
    pub fn sample(&self) {
        let now = Instant::now();
        self.running(|running| running.meters(|meter| meter.sample(now)));
        self.process.sample(now);
        for lane in LaneKind::ALL {
            let stats = self.lanes.get(lane).stats();
            self.filling.observe(lane.as_str(), stats.disk_bytes, now);
        }
    }

    /// What has to be written down from time to time: an hour's receipt, the longest outage. Called once a second.
    pub async fn take_notes(self: &Arc<Self>) {
        let now = telemetry::now();
        let longest = self.outages.observe(now, &self.destinations());
        let due = self.receipts.is_due(now);
        if longest.is_none() && !due {
            return;
        }
        let gateway = Arc::clone(self);
        let writing = tokio::task::spawn_blocking(move || {
            if let Some(longest) = longest {
                gateway.outages.save(&longest)?;
            }
            match due {
                true => {
                    let ledger = ledger::rows(&gateway.lanes);
                    gateway.receipts.close_hour(&gateway.who(), ledger, now)
                }
                false => Ok(()),
            }
        });
        let written = writing
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = written {
            tracing::warn!(%error, "an hourly receipt or an outage could not be written down; it is tried again");
        }
    }

    /// Who writes receipts.
    #[must_use]
    pub fn who(&self) -> Who {
        let book = self.book();
        Who {
            gateway_id: book.gateway_id.to_string(),
            gateway: book.gateway.to_string(),
        }
    }

    /// How each destination is; a paused one is so whatever it was before.
    fn destinations(&self) -> Vec<(Arc<str>, Status)> {
        let configured = self.running(|running| {
            let destinations = running.destinations.iter();
            destinations
                .map(|(id, state)| (Arc::clone(id), state.config.paused))
                .collect::<Vec<_>>()
        });
        let status = |(id, paused): (Arc<str>, bool)| {
            let posted = self.board.status(&UnitName::Destination(Arc::clone(&id)));
            let paused = paused.then(|| Status {
                state: "paused".into(),
                ..Status::default()
            });
            (id, paused.or(posted).unwrap_or_default())
        };
        configured.into_iter().map(status).collect()
    }

    /// The certificates of each kind of source that has some.
    pub fn trusts(&self) -> impl Iterator<Item = (&SourceKind, Box<dyn Trust>)> {
        self.registry.sources.iter().filter_map(|kind| {
            let any = self.unit_dir("source", "any");
            let open = kind.trust?;
            Some((kind, open(shared_dir(&any, kind.kind))))
        })
    }

    /// How many certificates wait for a person.
    #[must_use]
    pub fn trust_waiting(&self) -> u64 {
        self.trusts().map(|(_, trust)| trust.waiting() as u64).sum()
    }

    /// A unit's own folder in the state.
    #[must_use]
    pub fn unit_dir(&self, what: &str, id: &str) -> PathBuf {
        self.state_dir.join("units").join(format!("{what}-{id}"))
    }
}

/// Eight hexadecimal digits, made at the first start and never changed: message ids depend on it.
fn gateway_id(state_dir: &Path) -> io::Result<String> {
    let path = state_dir.join("gateway-id");
    if let Ok(text) = fs::read_to_string(&path) {
        let id = text.trim();
        if id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(id.to_owned());
        }
    }
    let id = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    let fresh = state_dir.join("gateway-id.new");
    fs::write(&fresh, format!("{id}\n"))?;
    fs::File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, &path)?;
    fs::File::open(state_dir)?.sync_all()?;
    Ok(id)
}
