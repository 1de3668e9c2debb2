//! `Destination`: the trait of a northbound protocol. A link takes batches and resolves them when the far side acknowledged.

use std::{fmt, future::Future, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use fieldgate_model::{DeviceId, Reading, TimeQuality};
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;
use tower::util::BoxService;

use crate::{Intake, Probe, Problem, Rung, Secrets, SettingsError, settings, source::ProbeCtx};

/// The longest a test of settings may take.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// One reading with what its message id is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequenced {
    /// Its place in the lane that it comes by, unlike every other's of the batch. Receipts speak of it.
    pub seq: u64,
    /// How well the times are known that the gateway's clock gave.
    pub time_quality: TimeQuality,
    /// Where the message id that never changes comes from.
    pub origin: Origin,
    pub reading: Reading,
}

/// The place in the durable sequence that a reading had when it was accepted. It keeps it when it comes by another lane,
/// or a second time, such as a dead letter that is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// `n` or `c`: the lane's letter in message ids.
    pub lane: char,
    pub seq: u64,
}

/// Readings in the order of their sequence, all of one lane.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `n` or `c`: the lane's letter in message ids.
    pub lane: char,
    /// Shared, so that a batch is cheap to clone.
    pub readings: Arc<[Sequenced]>,
}

/// The far side acknowledged every reading of the batch but those that are named here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Refused for their own sake.
    pub rejected: Vec<Rejected>,
    /// Not taken, through no fault of theirs: they are sent again as often as it takes.
    pub postponed: Vec<u64>,
    /// The far side wants less for a while.
    pub throttled: Option<Throttle>,
    /// Taken, while nobody was there to receive them (MQTT 5 reason 0x10). They count as acknowledged.
    pub unheard: u64,
}

/// One reading that the far side refused for its own sake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub seq: u64,
    /// The far side's own words.
    pub why: String,
    pub refusal: Refusal,
}

/// Whether a refused reading is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The far side's rules can change: some attempts are made before it is a dead letter.
    MayPass,
    /// It was refused together with others, and which of them is the cause is not known: they go again in halves, which
    /// is no attempt of any of them.
    OneOfThese,
    /// It can never pass, for instance since it is too large: a dead letter at once.
    Final,
}

/// The far side asks for less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// When it may be asked again, where it says so.
    pub retry_after: Option<Duration>,
    /// Its own words.
    pub why: String,
}

/// Why a batch was not acknowledged, by what the forwarder does next. The text is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The link is lost: connect again and send again from the durable cursor.
    #[error("{0}")]
    Unreachable(String),
    /// The batch is refused as a whole for the sake of something in it: send its halves, until the reading is found.
    #[error("{0}")]
    Rejected(String),
    /// The batch has more bytes or readings than the far side takes at once: send its halves.
    #[error("{0}")]
    TooLarge(String),
    /// Nothing of the batch was taken, the link is well: send less, later. No attempt of any reading.
    #[error("{}", .0.why)]
    Throttled(Throttle),
    /// Credentials or trust: hold everything, try again slowly, and tell people.
    #[error("{0}")]
    Denied(String),
}

/// What a link takes. `poll_ready` is pending while it has no room; dropping it closes the link.
pub type BoxSink = BoxService<Batch, Receipt, SinkError>;

/// One connection to the far side.
pub struct Link {
    pub sink: BoxSink,
    /// Must be polled for the sink to make progress; ends when the link is lost, or with `Ok` after `close` was cancelled
    /// and the far side was told good-bye.
    pub driver: BoxFuture<'static, Result<(), SinkError>>,
    /// Cancel it to close the link in an orderly way.
    pub close: CancellationToken,
    /// What was agreed, as a sentence, for instance `MQTT 5 over TLS 1.3, 212 ms`.
    pub words: String,
}

/// How a destination wants its batches, and how many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    pub readings: usize,
    pub bytes: usize,
    /// How long the oldest reading waits for company.
    pub age: Duration,
    /// How many batches may be under way unacknowledged.
    pub in_flight: usize,
    /// Older readings expire instead of being sent.
    pub max_age: Option<Duration>,
    /// How long one batch may wait for its acknowledgement.
    pub timeout: Duration,
    /// How often a reading that was refused for its own sake is sent in all, before it is a dead letter.
    pub attempts: u32,
    /// The most readings a second, all lanes together.
    pub rate_limit: Option<NonZeroU32>,
}

impl BatchLimits {
    /// The default of `attempts`.
    pub const ATTEMPTS: u32 = 5;
}

/// All that a destination may touch.
#[derive(Debug, Clone)]
pub struct SinkCtx {
    pub id: Arc<str>,
    pub secrets: Secrets,
    pub state_dir: PathBuf,
    pub book: AddressBook,
    /// Where it hands in the commands of its far side, if its settings take any.
    pub commands: Intake,
}

/// The names that stand in topics and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressBook {
    /// The gateway's name, `{gateway}` in topics.
    pub gateway: Arc<str>,
    /// Eight hexadecimal digits that tell this gateway's message ids from every other's.
    pub gateway_id: Arc<str>,
    /// The gateway's version and the revision of its configuration, for birth messages.
    pub version: Arc<str>,
    pub config_revision: u64,
}

impl AddressBook {
    /// The stable id of one reading: `{gateway_id}-{lane}-{seq:016x}`.
    #[must_use]
    pub fn message_id(&self, origin: Origin) -> String {
        let Origin { lane, seq } = origin;
        format!("{}-{lane}-{seq:016x}", self.gateway_id)
    }
}

/// A northbound protocol.
pub trait Destination: Send + Sync + 'static {
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

    /// How this destination wants its batches.
    fn limits(settings: &Self::Settings) -> BatchLimits;

    /// Where a device's readings go, in the far side's words, for instance an MQTT topic.
    fn address(settings: &Self::Settings, book: &AddressBook, device: &DeviceId) -> String;

    /// Where commands are taken, in the far side's words, for instance an MQTT topic; none when they are not.
    fn commands(_settings: &Self::Settings, _book: &AddressBook) -> Option<String> {
        None
    }

    /// One connection. Only the supervisor waits and tries again.
    fn connect(
        settings: Arc<Self::Settings>,
        ctx: SinkCtx,
    ) -> impl Future<Output = Result<Link, SinkError>> + Send;

    /// Tries the settings, rung by rung, and ends at the first rung that breaks. Sends at most a harmless test message.
    fn probe(
        settings: Arc<Self::Settings>,
        ctx: ProbeCtx,
        probe: &mut Probe,
    ) -> impl Future<Output = ()> + Send;
}

/// A destination's protocol with its types erased, for the registry.
#[derive(Clone)]
pub struct DestinationKind {
    pub kind: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    schema: fn() -> Json,
    limits: fn(Json) -> Result<BatchLimits, SettingsError>,
    address: fn(Json, &AddressBook, &DeviceId) -> Option<String>,
    commands: fn(Json, &AddressBook) -> Option<String>,
    connect: fn(Json, SinkCtx) -> BoxFuture<'static, Result<Link, SinkError>>,
    probe: fn(Json, ProbeCtx) -> BoxFuture<'static, Vec<Rung>>,
}

// === impl DestinationKind ===

impl DestinationKind {
    #[must_use]
    pub fn of<D: Destination>() -> Self {
        Self {
            kind: D::KIND,
            title: D::TITLE,
            about: D::ABOUT,
            schema: || schemars::schema_for!(D::Settings).to_value(),
            limits: |table| typed::<D>(table).map(|settings| D::limits(&settings)),
            address: |table, book, device| {
                typed::<D>(table)
                    .ok()
                    .map(|settings| D::address(&settings, book, device))
            },
            commands: |table, book| {
                let settings = typed::<D>(table).ok()?;
                D::commands(&settings, book)
            },
            connect: |table, ctx| Box::pin(connect::<D>(table, ctx)),
            probe: |table, ctx| Box::pin(probe::<D>(table, ctx)),
        }
    }

    /// The JSON Schema (2020-12) of the settings.
    #[must_use]
    pub fn schema(&self) -> Json {
        (self.schema)()
    }

    /// How batches are wanted, or every problem of the settings.
    ///
    /// # Errors
    /// When the settings have at least one problem.
    pub fn limits(&self, table: Json) -> Result<BatchLimits, SettingsError> {
        (self.limits)(table)
    }

    /// Where a device's readings go; `None` when the settings are not valid.
    #[must_use]
    pub fn address(&self, table: Json, book: &AddressBook, device: &DeviceId) -> Option<String> {
        (self.address)(table, book, device)
    }

    /// Where commands are taken; `None` when they are not, or the settings are not valid.
    #[must_use]
    pub fn commands(&self, table: Json, book: &AddressBook) -> Option<String> {
        (self.commands)(table, book)
    }

    /// One connection.
    ///
    /// # Errors
    /// When the far side cannot be reached or refuses us.
    pub async fn connect(&self, table: Json, ctx: SinkCtx) -> Result<Link, SinkError> {
        (self.connect)(table, ctx).await
    }

    /// Tries settings without keeping anything, within ten seconds.
    pub async fn probe(&self, table: Json, ctx: ProbeCtx) -> Vec<Rung> {
        (self.probe)(table, ctx).await
    }
}

impl fmt::Debug for DestinationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DestinationKind").field(&self.kind).finish()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("words", &self.words)
            .finish_non_exhaustive()
    }
}

fn typed<D: Destination>(table: Json) -> Result<D::Settings, SettingsError> {
    let settings = settings::read::<D::Settings>(table)?;
    match D::check(&settings) {
        problems if problems.is_empty() => Ok(settings),
        problems => Err(SettingsError(problems)),
    }
}

async fn connect<D: Destination>(table: Json, ctx: SinkCtx) -> Result<Link, SinkError> {
    let settings = typed::<D>(table).map_err(|problems| SinkError::Denied(problems.to_string()))?;
    D::connect(Arc::new(settings), ctx).await
}

async fn probe<D: Destination>(table: Json, ctx: ProbeCtx) -> Vec<Rung> {
    let mut probe = Probe::default();
    match typed::<D>(table) {
        Err(problems) => probe.failed("Settings", problems.to_string()),
        Ok(settings) => {
            let climb = D::probe(Arc::new(settings), ctx, &mut probe);
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
