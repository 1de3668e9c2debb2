//! `Source`: the trait of a southbound protocol, and the context that is all it may touch.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use fieldgate_model::{Device, DropReason, Reading};
use futures::{FutureExt, future::BoxFuture};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Accepted, AddressBook, Alarms, Announcement, Commands, Discovered, DropCounters, ExploreCtx,
    Exploring, Latest, Memory, Nearby, Probe, Problem, Reviews, Rung, Scanning, Secrets,
    SettingsError, Showing, Trust, settings,
};

/// The longest a test of settings may take.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// The longest that a question to the local network may take.
const SEEK_LIMIT: Duration = Duration::from_secs(30);

/// Why a source's attempt ended, by what the supervisor does next. The text is shown to people as it is:
/// what happened, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Try again soon, with jittered backoff.
    #[error("{0}")]
    Lost(String),
    /// Credentials or trust: try again slowly, and tell people.
    #[error("{0}")]
    Refused(String),
    /// No attempt makes sense before the configuration changes.
    #[error("{0}")]
    Misconfigured(String),
}

/// A southbound protocol. One attempt is `run`; only the supervisor waits and tries again.
pub trait Source: Send + Sync + 'static {
    /// The word of the configuration's `kind`.
    const KIND: &'static str;
    /// As a person would call it.
    const TITLE: &'static str;
    /// One sentence for the console.
    const ABOUT: &'static str;
    /// Typed settings, unknown keys refused. Their doc comments are the console's help.
    type Settings: DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// What the types cannot tell, all of it, without any I/O.
    fn check(settings: &Self::Settings) -> Vec<Problem>;

    /// One attempt: from connecting until the connection is lost (an error) or shutdown (`Ok`).
    fn run(
        settings: Arc<Self::Settings>,
        ctx: SourceCtx,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Tries the settings, rung by rung, and ends at the first rung that breaks. Keeps nothing.
    fn probe(
        settings: Arc<Self::Settings>,
        ctx: ProbeCtx,
        probe: &mut Probe,
    ) -> impl Future<Output = ()> + Send;

    /// Whether it opens its desk for commands ([`SourceCtx::commands`]) where its settings allow some.
    const COMMANDS: bool = false;

    /// Whether one can look around at its far side.
    const EXPLORES: bool = false;

    /// Whether it listens to a radio, and offers what it hears ([`SourceCtx::scanning`]).
    const SCANS: bool = false;

    /// Whether it is a camera, and offers its pictures ([`SourceCtx::showing`]).
    const SHOWS: bool = false;

    /// Opens a session for looking around, offers it, and keeps it until shutdown (`Ok`) or until it is lost. Keeps nothing.
    fn explore(
        settings: Arc<Self::Settings>,
        ctx: ExploreCtx,
    ) -> impl Future<Output = Result<(), SourceError>> + Send {
        async move {
            let _nobody = (settings, ctx);
            Err(SourceError::Misconfigured(format!(
                "{} has nothing to look around in",
                Self::TITLE
            )))
        }
    }
    /// Opens its certificates in the folder that [`shared_dir`](crate::trust::shared_dir) names; none when its peers show none.
    const TRUST: Option<fn(PathBuf) -> Box<dyn Trust>> = None;

    /// What a person types to look for something, with an example; none when this protocol has nobody to ask.
    const DISCOVERS: Option<&'static str> = None;

    /// How its devices are found where nobody knows their addresses; none when they cannot be looked for.
    const NEARBY: Option<Nearby> = None;

    /// Asks everybody in the local network at once, where [`Self::NEARBY`] says that this kind has a question of its own.
    fn seek() -> impl Future<Output = Result<Vec<Discovered>, String>> + Send {
        async move { Err(format!("{} has no question of its own", Self::TITLE)) }
    }

    /// Asks at one address what there could be a source of. Signs in nowhere and keeps nothing; asks no other machine.
    fn discover(address: String) -> impl Future<Output = Result<Vec<Discovered>, String>> + Send {
        async move {
            Err(format!(
                "{} cannot be looked for at {address}; write its settings",
                Self::TITLE
            ))
        }
    }

    /// Where to ask one that announced itself, as [`discover`](Self::discover) takes it. Pure.
    fn announced(announcement: &Announcement, at: IpAddr) -> String {
        SocketAddr::new(at, announcement.port).to_string()
    }

    /// Where these settings lead, as [`Self::place`] names it: what is found there is a source already. Pure.
    fn places(_settings: &Self::Settings) -> Vec<String> {
        Vec::new()
    }

    /// One name for all addresses of one place, however they are written; `None` for what is no address. Pure.
    fn place(_address: &str) -> Option<String> {
        None
    }
}

/// All that a running source may touch.
#[derive(Debug, Clone)]
pub struct SourceCtx {
    /// The source's id, the first segment of its points' ids.
    pub id: Arc<str>,
    pub readings: Readings,
    pub devices: Devices,
    /// Where it takes commands, if it speaks any.
    pub commands: Commands,
    /// Where it keeps the alarms that are open, if it knows any.
    pub alarms: Alarms,
    pub health: Health,
    /// Where it offers its session to who wants to look around, while it has one.
    pub exploring: Exploring,
    /// Where it offers what its radio hears, if it has one.
    pub scanning: Scanning,
    /// Where it offers its pictures, if it has any.
    pub showing: Showing,
    /// Where it tells what is new at its far side, if it follows that.
    pub reviews: Reviews,
    pub shutdown: CancellationToken,
    pub secrets: Secrets,
    /// A folder of this source's own, for instance for certificates; made on first use.
    pub state_dir: PathBuf,
    /// What the attempt before has left for this one.
    pub memory: Memory,
    /// What of its readings is durable already, also those of an earlier life of the gateway.
    pub accepted: Accepted,
    /// The last values of all points, to keep some of them with something that happened.
    pub latest: Latest,
}

/// All that a test of settings may touch.
#[derive(Debug, Clone)]
pub struct ProbeCtx {
    pub id: Arc<str>,
    pub secrets: Secrets,
    pub state_dir: PathBuf,
    /// A destination's test message goes where its real ones will.
    pub book: AddressBook,
    /// What the sources that run have in common, such as a port at which they listen.
    pub common: Memory,
}

/// A source's readings on their way to the pipeline, and who wants to know when they are durable.
#[derive(Debug)]
pub struct Delivery {
    pub readings: Vec<Reading>,
    pub durable: Option<oneshot::Sender<Result<(), NotAccepted>>>,
}

/// The bounded way into the pipeline. When it is full, `send` waits: that is the back-pressure.
#[derive(Debug, Clone)]
pub struct Readings {
    sender: mpsc::Sender<Delivery>,
    drops: DropCounters,
}

/// Resolves when the readings are on disk and synced; then the source may acknowledge its device.
#[derive(Debug)]
pub struct Durable(oneshot::Receiver<Result<(), NotAccepted>>);

/// The readings were not accepted; the device still owns them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not accepted: {0}")]
pub struct NotAccepted(pub String);

/// Where a source announces what exists.
#[derive(Debug, Clone)]
pub struct Devices(watch::Sender<Vec<Arc<Device>>>);

/// Where a source tells how it is.
#[derive(Debug, Clone)]
pub struct Health(watch::Sender<HealthReport>);

/// What a source last told of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthReport {
    /// Connected, and delivering as configured.
    pub connected: bool,
    /// A sentence, for instance `500 of 500 monitored items, publishing every 500 ms`.
    pub words: String,
    /// The words say more than why the attempt before failed.
    pub explains: bool,
}

/// A source's protocol with its types erased, for the registry.
#[derive(Clone)]
pub struct SourceKind {
    pub kind: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// What a person types to look for something; none when this protocol has nobody to ask.
    pub discovers: Option<&'static str>,
    /// How its devices are found where nobody knows their addresses.
    pub nearby: Option<Nearby>,
    /// It carries out commands where its settings allow some.
    pub commands: bool,
    /// Whether one can look around at its far side.
    pub explores: bool,
    /// Whether it listens to a radio, and can be asked who is near.
    pub scans: bool,
    /// Whether it is a camera, and can be watched.
    pub shows: bool,
    /// Opens the kind's certificates in the folder that its sources share; none when its peers show none.
    pub trust: Option<fn(PathBuf) -> Box<dyn Trust>>,
    schema: fn() -> Json,
    check: fn(Json) -> Result<(), SettingsError>,
    run: fn(Json, SourceCtx) -> BoxFuture<'static, Result<(), SourceError>>,
    probe: fn(Json, ProbeCtx) -> BoxFuture<'static, Vec<Rung>>,
    explore: fn(Json, ExploreCtx) -> BoxFuture<'static, Result<(), SourceError>>,
    seek: fn() -> BoxFuture<'static, Result<Vec<Discovered>, String>>,
    discover: fn(String) -> BoxFuture<'static, Result<Vec<Discovered>, String>>,
    announced: fn(&Announcement, IpAddr) -> String,
    places: fn(Json) -> Vec<String>,
    place: fn(&str) -> Option<String>,
}

// === impl Readings ===

impl Readings {
    /// A channel with room for `deliveries`, counting in `drops`.
    #[must_use]
    pub fn channel(deliveries: usize, drops: DropCounters) -> (Self, mpsc::Receiver<Delivery>) {
        let (sender, receiver) = mpsc::channel(deliveries);
        (Self { sender, drops }, receiver)
    }

    /// Hands readings over, waiting for room. They are not durable yet.
    ///
    /// # Errors
    /// When the gateway is stopping.
    pub async fn send(&self, readings: Vec<Reading>) -> Result<(), SourceError> {
        self.deliver(readings, None).await
    }

    /// Hands readings over, waiting for room; what it returns resolves when they are durable. Several can be
    /// under way at once, and they become durable in order.
    ///
    /// # Errors
    /// When the gateway is stopping.
    pub async fn send_durable(&self, readings: Vec<Reading>) -> Result<Durable, SourceError> {
        let (durable, receiver) = oneshot::channel();
        self.deliver(readings, Some(durable)).await?;
        Ok(Durable(receiver))
    }

    /// Hands readings over if there is room right now; else they are dropped and counted.
    pub fn offer(&self, readings: Vec<Reading>) {
        let count = readings.len() as u64;
        let delivery = Delivery {
            readings,
            durable: None,
        };
        if self.sender.try_send(delivery).is_err() {
            self.drops.add(DropReason::NoRoom, count);
        }
    }

    /// Counts what the source had to drop or saw dropped before it could hand it over.
    pub fn dropped(&self, reason: DropReason, readings: u64) {
        self.drops.add(reason, readings);
    }

    async fn deliver(
        &self,
        readings: Vec<Reading>,
        durable: Option<oneshot::Sender<Result<(), NotAccepted>>>,
    ) -> Result<(), SourceError> {
        self.sender
            .send(Delivery { readings, durable })
            .await
            .map_err(|_| SourceError::Lost("the gateway is stopping".to_owned()))
    }
}

// === impl Durable ===

impl Future for Durable {
    type Output = Result<(), NotAccepted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_unpin(cx).map(|told| {
            told.unwrap_or_else(|_| Err(NotAccepted("the gateway is stopping".to_owned())))
        })
    }
}

// === impl Devices ===

impl Devices {
    #[must_use]
    pub fn channel() -> (Self, watch::Receiver<Vec<Arc<Device>>>) {
        let (sender, receiver) = watch::channel(Vec::new());
        (Self(sender), receiver)
    }

    /// Announces a device, or replaces what was announced under its id.
    pub fn announce(&self, device: Device) {
        let device = Arc::new(device);
        self.0.send_modify(|devices| {
            match devices.iter_mut().find(|known| known.id == device.id) {
                Some(known) => *known = device,
                None => devices.push(device),
            }
        });
    }

    /// Replaces everything that was announced.
    pub fn announce_all(&self, devices: Vec<Device>) {
        self.0
            .send_replace(devices.into_iter().map(Arc::new).collect());
    }
}

// === impl Health ===

impl Health {
    #[must_use]
    pub fn channel() -> (Self, watch::Receiver<HealthReport>) {
        let (sender, receiver) = watch::channel(HealthReport::default());
        (Self(sender), receiver)
    }

    /// Connected and delivering; `words` say how well.
    pub fn connected(&self, words: impl Into<String>) {
        self.0.send_replace(HealthReport {
            connected: true,
            words: words.into(),
            explains: true,
        });
    }

    /// Not there yet; `words` say what is being done.
    pub fn connecting(&self, words: impl Into<String>) {
        self.0.send_replace(HealthReport {
            connected: false,
            words: words.into(),
            explains: false,
        });
    }

    /// Not there, and this attempt waits for what is missing: `words` say what that is, in place of why the attempt before failed.
    pub fn waiting(&self, words: impl Into<String>) {
        self.0.send_replace(HealthReport {
            connected: false,
            words: words.into(),
            explains: true,
        });
    }
}

// === impl SourceKind ===

impl SourceKind {
    #[must_use]
    pub fn of<S: Source>() -> Self {
        Self {
            kind: S::KIND,
            title: S::TITLE,
            about: S::ABOUT,
            discovers: S::DISCOVERS,
            nearby: S::NEARBY,
            commands: S::COMMANDS,
            explores: S::EXPLORES,
            scans: S::SCANS,
            shows: S::SHOWS,
            trust: S::TRUST,
            schema: || schemars::schema_for!(S::Settings).to_value(),
            check: |table| typed::<S>(table).map(|_| ()),
            run: |table, ctx| Box::pin(run::<S>(table, ctx)),
            probe: |table, ctx| Box::pin(probe::<S>(table, ctx)),
            explore: |table, ctx| Box::pin(explore::<S>(table, ctx)),
            seek: || Box::pin(S::seek()),
            discover: |address| Box::pin(S::discover(address)),
            announced: S::announced,
            places: |table| typed::<S>(table).map_or_else(|_| Vec::new(), |of| S::places(&of)),
            place: S::place,
        }
    }

    /// The JSON Schema (2020-12) of the settings.
    #[must_use]
    pub fn schema(&self) -> Json {
        (self.schema)()
    }

    /// Every problem of a table of settings, `id`, `kind` and the other common keys already taken out.
    ///
    /// # Errors
    /// When there is at least one problem.
    pub fn check(&self, table: Json) -> Result<(), SettingsError> {
        (self.check)(table)
    }

    /// One attempt.
    ///
    /// # Errors
    /// When the attempt ended for another reason than shutdown.
    pub async fn run(&self, table: Json, ctx: SourceCtx) -> Result<(), SourceError> {
        (self.run)(table, ctx).await
    }

    /// Tries settings without keeping anything, within ten seconds.
    pub async fn probe(&self, table: Json, ctx: ProbeCtx) -> Vec<Rung> {
        (self.probe)(table, ctx).await
    }

    /// A session for looking around, until nobody looks any more.
    ///
    /// # Errors
    /// When it cannot be opened, or is lost.
    pub async fn explore(&self, table: Json, ctx: ExploreCtx) -> Result<(), SourceError> {
        (self.explore)(table, ctx).await
    }

    /// Asks everybody in the local network the kind's own question, within half a minute.
    ///
    /// # Errors
    /// In words, when nobody can be asked.
    pub async fn seek(&self) -> Result<Vec<Discovered>, String> {
        let asked = tokio::time::timeout(SEEK_LIMIT, (self.seek)()).await;
        asked.unwrap_or_else(|_| {
            Err("the local network was not asked to the end within 30 s".to_owned())
        })
    }

    /// Asks at an address what there could be a source of, within ten seconds.
    ///
    /// # Errors
    /// In words, when nobody answers there.
    pub async fn discover(&self, address: String) -> Result<Vec<Discovered>, String> {
        let asked = tokio::time::timeout(PROBE_LIMIT, (self.discover)(address.clone())).await;
        asked.unwrap_or_else(|_| Err(format!("{address} does not answer within 10 s; is it on, and does a firewall let the question through?")))
    }

    /// Where to ask one that announced itself.
    #[must_use]
    pub fn announced(&self, announcement: &Announcement, at: IpAddr) -> String {
        (self.announced)(announcement, at)
    }

    /// Where the settings of a source lead, as [`Self::places_of`] names it.
    #[must_use]
    pub fn places(&self, settings: Json) -> Vec<String> {
        (self.places)(settings)
    }

    /// Where that is which was found.
    #[must_use]
    pub fn places_of(&self, found: &Discovered) -> Vec<String> {
        let ways = found.ways.iter().map(|way| &way.address);
        let addresses = ways.chain(&found.addresses);
        addresses
            .filter_map(|address| (self.place)(address))
            .collect()
    }
}

impl fmt::Debug for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceKind").field(&self.kind).finish()
    }
}

fn typed<S: Source>(table: Json) -> Result<S::Settings, SettingsError> {
    let settings = settings::read::<S::Settings>(table)?;
    match S::check(&settings) {
        problems if problems.is_empty() => Ok(settings),
        problems => Err(SettingsError(problems)),
    }
}

async fn run<S: Source>(table: Json, ctx: SourceCtx) -> Result<(), SourceError> {
    let settings =
        typed::<S>(table).map_err(|problems| SourceError::Misconfigured(problems.to_string()))?;
    S::run(Arc::new(settings), ctx).await
}

async fn explore<S: Source>(table: Json, ctx: ExploreCtx) -> Result<(), SourceError> {
    let settings =
        typed::<S>(table).map_err(|problems| SourceError::Misconfigured(problems.to_string()))?;
    S::explore(Arc::new(settings), ctx).await
}

async fn probe<S: Source>(table: Json, ctx: ProbeCtx) -> Vec<Rung> {
    let mut probe = Probe::default();
    match typed::<S>(table) {
        Err(problems) => probe.failed("Settings", problems.to_string()),
        Ok(settings) => {
            let climb = S::probe(Arc::new(settings), ctx, &mut probe);
            if tokio::time::timeout(PROBE_LIMIT, climb).await.is_err() {
                probe.failed(
                    "Time",
                    "no answer within 10 s; is the far side busy, or a firewall dropping packets?",
                );
            }
        }
    }
    probe.rungs()
}
