//! `Settings` of an MQTT destination, and what their types cannot tell.

mod commands;

use std::{num::NonZeroU32, time::Duration};

use fieldgate_kit::{
    AddressBook, BatchLimits, Problem, SecretRef,
    format::FormatKind,
    settings::{ByteSize, Span},
    tls::Tls,
    topic::{Placeholder, TopicTemplate, TopicValues},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub use commands::CommandSettings;

use crate::endpoint::Endpoint;

/// How to reach a broker and what to publish there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the broker listens: `mqtt://`, `mqtts://` (TLS), `ws://` or `wss://`, host and port. Ports left out are 1883, 8883,
    /// 80 and 443. User name and password have settings of their own.
    pub url: String,
    /// The MQTT version. With 5 the broker tells why it refuses a message; with 3.1.1 a refusal for lack of rights is invisible.
    #[serde(default)]
    pub version: Version,
    /// How the broker knows this connection. Left out: `fieldgate-`, the gateway's id and the destination's id. Two
    /// connections with the same client id throw each other out.
    #[serde(default)]
    pub client_id: Option<String>,
    /// User name and password, where the broker asks for them.
    #[serde(default)]
    pub user: Option<User>,
    /// Certificates, for `mqtts://` and `wss://`.
    #[serde(default)]
    pub tls: Tls,
    /// Where readings go. Placeholders: `{gateway}`, `{source}`, `{device}`, `{dataset}` (`data` or `events`), `{format}`, and
    /// `{point}` with formats that send one message for each reading.
    #[serde(default = "default_topic")]
    pub topic: TopicTemplate,
    /// Where the gateway says that it is online, retained, and the broker says that it is not. Placeholder: `{gateway}`.
    #[serde(default = "default_status_topic")]
    pub status_topic: TopicTemplate,
    /// Lets others tell devices something through this broker, as far as the sources allow it. Left out: nobody can.
    #[serde(default)]
    pub commands: Option<CommandSettings>,
    /// How readings are written.
    #[serde(default)]
    pub format: FormatKind,
    /// Asks the broker to keep the last message of each topic for those who subscribe later.
    #[serde(default)]
    pub retain: bool,
    /// How many readings go together.
    #[serde(default)]
    pub batch: BatchSettings,
    /// How many batches may be under way unacknowledged, 1 to 256. More helps on links with a long round trip.
    #[serde(default = "default_in_flight")]
    #[schemars(range(min = 1, max = 256))]
    pub in_flight: usize,
    /// Readings that waited longer than this expire instead of being sent. Left out: they never expire.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// How long the broker may take to acknowledge a message before the connection counts as lost.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// The most readings a second, where the broker or the line to it has a limit. Left out: as fast as they are acknowledged.
    #[serde(default)]
    pub rate_limit: Option<NonZeroU32>,
    /// How often the connection is tried with a ping. A line that broke without a word is noticed after twice as long.
    #[serde(default = "default_keep_alive")]
    pub keep_alive: Span,
}

/// The version of MQTT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Version {
    /// MQTT 5.
    #[default]
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

/// Who the gateway is to the broker.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user name.
    pub name: String,
    /// Where the password is kept.
    pub password: SecretRef,
}

/// When a batch is full. The first limit that is reached counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSettings {
    /// How many readings a batch may have, 1 to 100000.
    #[schemars(range(min = 1, max = 100_000))]
    pub readings: usize,
    /// How many bytes of readings a batch may have. A message is no longer than this either, unless one reading is.
    pub bytes: ByteSize,
    /// How long a reading waits for company.
    pub age: Span,
}

/// The pump watches each message by itself. A batch waits for its messages, and for the batch before it: on a line with
/// 64 kbit/s that can be minutes, although every message is answered in time.
const BATCH_PATIENCE: u32 = 10;
const MAX_BATCH_READINGS: usize = 100_000;
const MAX_IN_FLIGHT: usize = 256;
const MIN_BATCH_BYTES: u64 = 1024;
const MAX_BATCH_BYTES: u64 = 64 << 20;

// === impl Settings ===

impl Settings {
    /// All that the types cannot tell.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match Endpoint::parse(&self.url) {
            Ok(endpoint) => problems.extend(self.tls_problem(&endpoint)),
            Err(problem) => problems.push(problem),
        }
        problems.extend(self.topic_problems());
        problems.extend(self.number_problems());
        let commands = self.commands.as_ref();
        problems.extend(
            commands.map_or_else(Vec::new, |commands| commands.problems(&self.status_topic)),
        );
        if self.client_id.as_deref().is_some_and(str::is_empty) {
            problems.push(Problem::new(
                ["client_id"],
                "the client id is empty",
                "write one, or leave the key out",
            ));
        }
        problems
    }

    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            readings: self.batch.readings,
            bytes: self.batch_bytes(),
            age: self.batch.age.0,
            in_flight: self.in_flight,
            max_age: self.max_age.map(|span| span.0),
            timeout: self.timeout.0 * BATCH_PATIENCE,
            attempts: BatchLimits::ATTEMPTS,
            rate_limit: self.rate_limit,
        }
    }

    pub(crate) fn batch_bytes(&self) -> usize {
        usize::try_from(self.batch.bytes.0).unwrap_or(usize::MAX)
    }

    pub(crate) fn client_id(&self, book: &AddressBook, destination: &str) -> String {
        self.client_id
            .clone()
            .unwrap_or_else(|| format!("fieldgate-{}-{destination}", book.gateway_id))
    }

    pub(crate) fn status_topic(&self, book: &AddressBook) -> String {
        self.status_topic.render(&TopicValues {
            gateway: &book.gateway,
            ..TopicValues::default()
        })
    }

    fn tls_problem(&self, endpoint: &Endpoint) -> Option<Problem> {
        if self.tls.is_set() && !endpoint.transport.is_encrypted() {
            return Some(Problem::new(
                ["tls"],
                "there are certificates, but the url asks for no encryption",
                "use mqtts:// or wss://, or take tls out",
            ));
        }
        self.tls.problem()
    }

    fn topic_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.format.is_per_point() && self.topic.placeholders().any(|p| p == Placeholder::Point)
        {
            problems.push(Problem::new(
                ["topic"],
                format!(
                    "a message of format `{}` holds many points, so `{{point}}` has no value",
                    self.format
                ),
                "take {point} out, or set format = \"json\"",
            ));
        }
        if self
            .status_topic
            .placeholders()
            .any(|p| p != Placeholder::Gateway)
        {
            problems.push(Problem::new(
                ["status_topic"],
                "the status is the gateway's, so only `{gateway}` has a value in its topic",
                "use no other placeholder there",
            ));
        }
        problems
    }

    fn number_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |path: &[&str], good: bool, what: &str, remedy: &str| {
            if !good {
                problems.push(Problem::new(path.iter().copied(), what, remedy));
            }
        };
        check(
            &["batch", "readings"],
            (1..=MAX_BATCH_READINGS).contains(&self.batch.readings),
            "a batch has 1 to 100000 readings",
            "write for instance 1000",
        );
        check(
            &["batch", "bytes"],
            (MIN_BATCH_BYTES..=MAX_BATCH_BYTES).contains(&self.batch.bytes.0),
            "a batch has 1 KiB to 64 MiB",
            "write for instance \"256 KiB\"",
        );
        check(
            &["batch", "age"],
            self.batch.age.0 <= Duration::from_secs(3600),
            "a reading waits at most an hour for company",
            "write for instance \"100 ms\"",
        );
        check(
            &["in_flight"],
            (1..=MAX_IN_FLIGHT).contains(&self.in_flight),
            "1 to 256 batches can be under way",
            "write for instance 16",
        );
        check(
            &["timeout"],
            (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&self.timeout.0),
            "an acknowledgement is awaited for 1 s to 10 min",
            "write for instance \"30 s\"",
        );
        check(
            &["keep_alive"],
            (Duration::from_secs(5)..=Duration::from_secs(600)).contains(&self.keep_alive.0),
            "a ping is due every 5 s to 10 min",
            "write for instance \"20 s\"",
        );
        problems
    }
}

// === impl BatchSettings ===

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            readings: 1000,
            bytes: ByteSize(256 << 10),
            age: Span(Duration::from_millis(100)),
        }
    }
}

// === impl Version ===

impl Version {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V5 => "5",
            Self::V311 => "3.1.1",
        }
    }
}

fn default_topic() -> TopicTemplate {
    "fieldgate/{gateway}/{device}/{dataset}"
        .parse()
        .expect("the default topic is a template")
}

fn default_status_topic() -> TopicTemplate {
    "fieldgate/{gateway}/status"
        .parse()
        .expect("the default status topic is a template")
}

fn default_in_flight() -> usize {
    16
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(30))
}

fn default_keep_alive() -> Span {
    Span(Duration::from_secs(20))
}

#[cfg(test)]
mod tests;
