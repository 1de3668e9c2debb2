//! `UrlTemplate`: a URL whose path has placeholders. The server is fixed: no device decides whom the gateway talks to.

use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr};

use fieldgate_kit::path::{PathError, PathPlaceholder, PathTemplate, PathValues};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

/// A URL with placeholders in its path and query, such as `https://host/in/{source}/{device}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    text: String,
    server: Server,
    path: PathTemplate,
}

/// Whom a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub scheme: Scheme,
    pub host: Host<String>,
    pub port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// Why a text is no URL template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("`{0}` is no URL: {1}; write for instance \"https://host/in/{{source}}/{{device}}\"")]
    NoUrl(String, String),
    #[error("`{0}` is no way to reach a web server; begin with https:// (or http://)")]
    Scheme(String),
    #[error(
        "the URL holds credentials, where everyone sees them; take them out, and set user or bearer"
    )]
    Credentials,
    #[error("the URL has a fragment (#…), which no server sees; take it out")]
    Fragment,
    #[error(
        "a placeholder stands where the server is named; only the path and the query have some"
    )]
    Host,
    #[error("{0:?} cannot stand in a URL; percent-encode it")]
    Character(char),
    #[error("`.` and `..` are no levels of this path; write where it leads")]
    Dots,
    #[error("{0}")]
    Path(#[from] PathError),
}

// === impl UrlTemplate ===

impl UrlTemplate {
    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn has(&self, placeholder: PathPlaceholder) -> bool {
        self.path.placeholders().any(|there| there == placeholder)
    }

    /// Path and query for these values: what stands in the first line of a request.
    pub(crate) fn target(&self, values: &PathValues<'_>) -> String {
        self.path.render(values, percent_encode)
    }

    /// The whole URL for these values.
    pub(crate) fn whole(&self, values: &PathValues<'_>) -> String {
        format!("{}{}", self.server, self.target(values))
    }

    /// Path and query as far as no placeholder stands in them.
    pub(crate) fn beginning(&self) -> &str {
        let beginning = self.path.beginning();
        match self.path.placeholders().next() {
            None => beginning,
            Some(_) => match beginning.rfind('/') {
                Some(slash) => &beginning[..=slash],
                None => "/",
            },
        }
    }
}

impl FromStr for UrlTemplate {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let no_url = |why: &str| UrlError::NoUrl(shown(text), why.to_owned());
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| no_url("it does not begin with https://"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        if authority.contains(['{', '}']) {
            return Err(UrlError::Host);
        }
        let url = Url::parse(&format!("{scheme}://{authority}/"))
            .map_err(|error| no_url(&error.to_string()))?;
        let host = url.host().ok_or_else(|| no_url("it names no host"))?;
        Ok(Self {
            text: text.to_owned(),
            server: Server {
                scheme,
                host: host.to_owned(),
                port: url
                    .port_or_known_default()
                    .ok_or_else(|| no_url("it has no port"))?,
            },
            path: path_template(path)?,
        })
    }
}

/// Without what could be a password.
fn shown(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, behind)) => format!("…@{behind}"),
        None => text.to_owned(),
    }
}

fn path_template(path: &str) -> Result<PathTemplate, UrlError> {
    let rooted = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    let template: PathTemplate = rooted.parse()?;
    let strange = |c: &char| !c.is_ascii_graphic() || "\"<>\\^`|{}".contains(*c);
    if let Some(strange) = template.literals().flat_map(str::chars).find(strange) {
        return Err(UrlError::Character(strange));
    }
    let whole = template.render(&PathValues::default(), |_, path| path.push('x'));
    let path = whole.split('?').next().unwrap_or_default();
    let dots = |level: &str| {
        matches!(
            level.replace("%2E", ".").replace("%2e", ".").as_str(),
            "." | ".."
        )
    };
    if path.split('/').any(dots) {
        return Err(UrlError::Dots);
    }
    Ok(template)
}

/// Everything but unreserved characters percent-encoded (RFC 3986 §2.3). An id's own escapes are encoded once more, so that a
/// server that decodes a path finds the id's segment, and never a `/` that would lead elsewhere.
fn percent_encode(level: &str, path: &mut String) {
    for byte in level.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for UrlTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for UrlTemplate {
    fn schema_name() -> Cow<'static, str> {
        "UrlTemplate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^https?://[^{}#@]+" })
    }
}

// === impl Server ===

impl Server {
    /// `host:port`, as errors name it and names are looked up.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What stands in the header `Host`.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.to_string()
        } else {
            self.address()
        }
    }

    /// The address, where the URL has one instead of a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    /// It can only be this machine.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

// === impl Scheme ===

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

#[cfg(test)]
mod tests;
