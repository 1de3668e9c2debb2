//! `Settings` of an HTTPS destination, and what their types cannot tell.

use std::{num::NonZeroU32, time::Duration};

use fieldgate_kit::{
    BatchLimits, Problem, SecretRef,
    format::FormatKind,
    path::PathPlaceholder,
    settings::{ByteSize, Span},
    tls::Tls,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::target::UrlTemplate;
use crate::target::{Scheme, Server};

/// How to reach a web server and what to send there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where readings go, for instance `https://host/in/{source}/{device}`. Placeholders, in the path and the query: `{gateway}`,
    /// `{source}`, `{device}`, `{dataset}` (`data` or `events`), `{format}`, `{date}`, `{point}` with formats that send each reading
    /// for itself, and `{name}`, a file's name that no other request has.
    pub url: UrlTemplate,
    /// How readings are sent. With PUT each URL should be used once: put `{name}` in it.
    #[serde(default)]
    pub method: Method,
    /// Where pictures and clips go, each by PUT, on the same server, for instance `https://host/files/{source}/{device}/{name}`.
    /// Left out: they go where readings go, in JSON as Base64.
    #[serde(default)]
    pub files: Option<UrlTemplate>,
    /// How a clip, which comes in parts, is put together at the server.
    #[serde(default)]
    pub parts: Parts,
    /// How readings are written.
    #[serde(default)]
    pub format: FormatKind,
    /// How several readings of the format `json` stand in one request.
    #[serde(default)]
    pub list: List,
    /// User name and password, where the server asks for them (Basic).
    #[serde(default)]
    pub user: Option<User>,
    /// A token that is sent as `Authorization: Bearer …`.
    #[serde(default)]
    pub bearer: Option<SecretRef>,
    /// Further headers of each request, such as an API key.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// Certificates, for `https://`.
    #[serde(default)]
    pub tls: Tls,
    /// Takes `http://` to another machine: everything, passwords included, can be read and changed on the way.
    #[serde(default)]
    pub allow_plain: bool,
    /// Takes a server on this machine, or at a link-local address. Off, so that nobody who may only set a URL reaches what
    /// trusts this machine, such as a cloud's metadata service. The gateway's own ports stay closed.
    #[serde(default)]
    pub allow_local: bool,
    /// Compresses readings. Pictures and clips are compressed already.
    #[serde(default)]
    pub gzip: bool,
    /// How many readings go together.
    #[serde(default)]
    pub batch: BatchSettings,
    /// How many connections are used at once, 1 to 8. Each device has its readings go by one of them, so that they stay in order.
    #[serde(default = "default_connections")]
    #[schemars(range(min = 1, max = 8))]
    pub connections: usize,
    /// Readings that waited longer than this expire instead of being sent. Left out: they never expire.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// How long the server may take to answer, before the connection counts as lost. What an upload takes on a line with 64 kbit/s
    /// comes on top.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// The most readings a second, where the server or the line to it has a limit. Left out: as fast as they are acknowledged.
    #[serde(default)]
    pub rate_limit: Option<NonZeroU32>,
}

/// How readings are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
}

/// How a clip is put together at the server. Either way an upload that is cut goes on with the part that was not acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parts {
    /// Each part is an object of its own, `….mp4.part0000`, and after the last one comes `….mp4.json`, which names them and the
    /// SHA-256 of the whole. Any server that takes PUT can do that.
    #[default]
    Objects,
    /// Each part is a PUT to the clip's own URL with `Content-Range`. Not every server takes that.
    Ranges,
}

/// How several readings stand in one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum List {
    /// A JSON array: `[{…},{…}]`.
    #[default]
    Array,
    /// One reading a line (`application/x-ndjson`).
    Lines,
}

/// Who the gateway is to the server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user name.
    pub name: String,
    /// Where the password is kept.
    pub password: SecretRef,
}

/// A header of each request, with a value that everybody may see, or with a secret one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name, for instance `X-Api-Key`.
    pub name: String,
    /// Its value, where it is no secret.
    #[serde(default)]
    pub value: Option<String>,
    /// Where its value is kept, where it is a secret.
    #[serde(default)]
    pub secret: Option<SecretRef>,
}

/// When a batch is full. The first limit that is reached counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSettings {
    /// How many readings a batch may have, 1 to 100000.
    #[schemars(range(min = 1, max = 100_000))]
    pub readings: usize,
    /// How many bytes of readings a batch may have. A body is no longer than this either, unless one reading is.
    pub bytes: ByteSize,
    /// How long a reading waits for company.
    pub age: Span,
}

/// The client watches each request by itself. A batch waits for its requests, and for the batch before it: a part of 4 MiB
/// takes minutes on a line with 64 kbit/s.
const BATCH_PATIENCE: u32 = 20;
const MAX_BATCH_READINGS: usize = 100_000;
const MIN_BATCH_BYTES: u64 = 1024;
const MAX_BATCH_BYTES: u64 = 64 << 20;
const MAX_CONNECTIONS: usize = 8;
/// Headers that say how a request is framed, or where it goes: they are the client's.
const RESERVED: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "content-range",
    "content-type",
    "transfer-encoding",
    "te",
    "upgrade",
];

// === impl Settings ===

impl Settings {
    /// All that the types cannot tell.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.url_problems();
        problems.extend(self.files_problem());
        problems.extend(self.tls_problem());
        problems.extend(self.header_problems());
        problems.extend(self.number_problems());
        problems
    }

    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            readings: self.batch.readings,
            bytes: self.batch_bytes(),
            age: self.batch.age.0,
            in_flight: self.connections,
            max_age: self.max_age.map(|span| span.0),
            timeout: self.timeout.0 * BATCH_PATIENCE,
            attempts: BatchLimits::ATTEMPTS,
            rate_limit: self.rate_limit,
        }
    }

    pub(crate) fn batch_bytes(&self) -> usize {
        usize::try_from(self.batch.bytes.0).unwrap_or(usize::MAX)
    }

    /// The one server of all requests.
    pub(crate) fn server(&self) -> &Server {
        self.url.server()
    }

    fn url_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let server = self.server();
        if server.scheme == Scheme::Http && !server.is_loopback() && !self.allow_plain {
            problems.push(Problem::new(
                ["url"],
                "http:// sends readings and passwords unprotected",
                "use https://, or set allow_plain = true where the network in between is trusted",
            ));
        }
        if !self.format.is_per_point() && self.url.has(PathPlaceholder::Point) {
            problems.push(Problem::new(
                ["url"],
                format!(
                    "a request of format `{}` holds many points, so `{{point}}` has no value",
                    self.format
                ),
                "take {point} out, or set format = \"json\"",
            ));
        }
        problems
    }

    fn files_problem(&self) -> Option<Problem> {
        let files = self.files.as_ref()?;
        if files.server() != self.server() {
            return Some(Problem::new(
                ["files"],
                "files go to another server than readings, which would get the same credentials",
                "use the server of url, or make it a destination of its own",
            ));
        }
        (!files.has(PathPlaceholder::Name)).then(|| {
            Problem::new(
                ["files"],
                "each file would take the place of the one before",
                "put {name} into it",
            )
        })
    }

    fn tls_problem(&self) -> Option<Problem> {
        if self.tls.is_set() && self.server().scheme == Scheme::Http {
            return Some(Problem::new(
                ["tls"],
                "there are certificates, but the url asks for no encryption",
                "use https://, or take tls out",
            ));
        }
        self.tls.problem()
    }

    fn header_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.user.is_some() && self.bearer.is_some() {
            problems.push(Problem::new(
                ["bearer"],
                "user and bearer are both the header Authorization",
                "set one of them",
            ));
        }
        for (index, header) in self.headers.iter().enumerate() {
            if let Some((what, remedy)) = header.problem() {
                problems.push(Problem::new(["headers", &index.to_string()], what, remedy));
            }
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
            "write for instance \"1 s\"",
        );
        check(
            &["connections"],
            (1..=MAX_CONNECTIONS).contains(&self.connections),
            "1 to 8 connections can be used at once",
            "write for instance 4",
        );
        check(
            &["timeout"],
            (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&self.timeout.0),
            "an answer is awaited for 1 s to 10 min",
            "write for instance \"30 s\"",
        );
        problems
    }
}

// === impl Header ===

impl Header {
    fn problem(&self) -> Option<(String, &'static str)> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(token) {
            let what = format!("{:?} is no name of a header", self.name);
            return Some((what, "use letters, digits and -"));
        }
        let lower = self.name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) {
            let what = format!("{} is set by the gateway itself", self.name);
            return Some((what, "take it out"));
        }
        if lower == "authorization" && self.secret.is_none() {
            let what = "Authorization would stand here where everyone sees it".to_owned();
            return Some((what, "set secret, or user or bearer"));
        }
        match (&self.value, &self.secret) {
            (Some(value), None) if value.chars().any(|c| !matches!(c, ' '..='~')) => Some((
                format!(
                    "the value of {} has characters that no header takes",
                    self.name
                ),
                "use plain ASCII",
            )),
            (Some(_), None) | (None, Some(_)) => None,
            _ => Some((
                format!("{} needs a value or a secret, and not both", self.name),
                "set one of them",
            )),
        }
    }
}

// === impl BatchSettings ===

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            readings: 1000,
            bytes: ByteSize(256 << 10),
            age: Span(Duration::from_secs(1)),
        }
    }
}

// === impl Method ===

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

fn default_connections() -> usize {
    4
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(30))
}

#[cfg(test)]
mod tests;
