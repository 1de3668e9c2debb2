//! What an answer means for the readings that a request carried. Pure.
//!
//! | status | then |
//! |---|---|
//! | 2xx | taken; but for what a JSON body names, one by one |
//! | 207 without such a body | a person has to look: who knows what was taken |
//! | 408, 409, 425, 429, 5xx but 501 and 505 | later, when the server says; no attempt is counted |
//! | 413 | halves; a single reading can never pass |
//! | 400, 415, 422 | refused for the sake of something in it |
//! | 3xx and all others | a person has to look: everything is held |
//!
//! A refusal that could be the URL's or the credentials' fault holds everything: the settings can be put right, and a dead
//! letter would cost what was right all along.

use std::time::Duration;

use fieldgate_kit::{SinkError, Throttle};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// What is looked at of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    /// The server's own time, which `Retry-After` is compared with.
    pub date: Option<String>,
    pub location: Option<String>,
    /// What a server that takes ranges has so far (308).
    pub range: Option<String>,
    pub content_type: Option<String>,
    /// Its beginning, where it is long.
    pub body: Vec<u8>,
}

/// What a server says that took some readings and not others:
/// `{"rejected":[{"id":"…","why":"…"}],"retry":["…"]}`, each by its message id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Items {
    /// Refused for their own sake.
    pub rejected: Vec<Item>,
    /// Not taken, through no fault of theirs.
    pub retry: Vec<String>,
    /// When to try again, where the header says so.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// One that was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Item {
    pub id: String,
    #[serde(default)]
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// But for these.
    Partly(Items),
    Later(Throttle),
    TooLarge(String),
    Refused(String),
    /// Nothing more over this link.
    Stop(SinkError),
}

/// No more of an answer is shown.
const MAX_WORDS: usize = 200;
/// A server that asks for longer is not believed: an hour is long enough to look at what is wrong.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Judges the answer to a request to `url`.
pub(crate) fn judge(answer: &Answer, url: &str) -> Verdict {
    let said = said(answer, url);
    match answer.status {
        200..=299 => match (items(answer), answer.status) {
            (Some(items), _) => Verdict::Partly(items),
            (None, 207) => Verdict::Stop(SinkError::Denied(format!(
                "{said}; it took some and not others, and does not name them as {{\"rejected\":[{{\"id\":…}}],\"retry\":[…]}}"
            ))),
            (None, _) => Verdict::Taken,
        },
        501 | 505 => Verdict::Stop(SinkError::Denied(format!(
            "{said}; it cannot do that: set method to what it takes, and parts to \"objects\""
        ))),
        408 | 409 | 425 | 429 | 500..=599 => Verdict::Later(Throttle {
            retry_after: retry_after(answer),
            why: said,
        }),
        413 => Verdict::TooLarge(said),
        400 | 415 | 422 => Verdict::Refused(said),
        300..=399 => Verdict::Stop(SinkError::Denied(redirected(answer, url))),
        401 => Verdict::Stop(SinkError::Denied(format!(
            "{said}; check user, bearer or headers"
        ))),
        403 => Verdict::Stop(SinkError::Denied(format!(
            "{said}; it knows us, and does not let us: check what this user may do there"
        ))),
        404 | 410 => Verdict::Stop(SinkError::Denied(format!(
            "{said}; check the path of the url"
        ))),
        405 => Verdict::Stop(SinkError::Denied(format!(
            "{said}; set method to what it takes, and check the path of the url"
        ))),
        407 => Verdict::Stop(SinkError::Denied(format!(
            "{said}; a proxy is in between that wants us to sign in, which this gateway does not do"
        ))),
        _ => Verdict::Stop(SinkError::Denied(format!(
            "{said}; check the url, and what the server expects"
        ))),
    }
}

/// Judges the answer to a part of a clip that is not its last: a server that takes ranges says 308 until it has the whole.
/// `end` is the byte after the part's last.
pub(crate) fn judge_range(answer: &Answer, url: &str, end: u64) -> Verdict {
    if answer.status != 308 || answer.location.is_some() {
        return judge(answer, url);
    }
    match answer.range.as_deref().map(has_through) {
        // `bytes=0-499`: it has 500.
        Some(Some(last)) if last + 1 < end => Verdict::Refused(format!(
            "{url} has the file only up to byte {last}, and the parts before were acknowledged: it lost some"
        )),
        _ => Verdict::Taken,
    }
}

fn has_through(range: &str) -> Option<u64> {
    range.trim().rsplit('-').next()?.parse().ok()
}

fn said(answer: &Answer, url: &str) -> String {
    let (status, reason) = (answer.status, reason(answer.status));
    match words(answer).as_str() {
        "" => format!("{url} answers {status} {reason}"),
        words => format!("{url} answers {status} {reason}: {words}"),
    }
}

/// What a person can read of an answer's body, in one line: no page in HTML, nothing that moves a cursor.
fn words(answer: &Answer) -> String {
    let kind = answer.content_type.as_deref();
    if kind.is_some_and(|kind| kind.contains("html")) {
        return String::new();
    }
    let text = String::from_utf8_lossy(&answer.body);
    let plain = text.chars().map(|c| match c.is_control() {
        true => ' ',
        false => c,
    });
    let line: String = plain.take(MAX_WORDS).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a body in JSON names, if it names anything.
fn items(answer: &Answer) -> Option<Items> {
    let kind = answer.content_type.as_deref()?;
    let json = kind.split(';').next().unwrap_or_default().trim();
    if json != "application/json" && !json.ends_with("+json") {
        return None;
    }
    let mut items: Items = serde_json::from_slice(&answer.body).ok()?;
    items.retry_after = retry_after(answer);
    let names = !items.rejected.is_empty() || !items.retry.is_empty();
    (names || answer.status == 207 && has_lists(&answer.body)).then_some(items)
}

/// It speaks that way, and has nothing to name.
fn has_lists(body: &[u8]) -> bool {
    let body: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(body);
    body.is_ok_and(|body| body.contains_key("rejected") || body.contains_key("retry"))
}

fn redirected(answer: &Answer, url: &str) -> String {
    let status = answer.status;
    match &answer.location {
        Some(location) => format!(
            "{url} answers {status} and sends us to {location}; a server decides nothing of where readings go: set the url to that if it is right"
        ),
        None => format!(
            "{url} answers {status}, which is no answer to a request that carries something; check the url"
        ),
    }
}

/// RFC 9110 §10.2.3: seconds, or a time by the server's own clock.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.retry_after.as_deref()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = OffsetDateTime::parse(text, &Rfc2822).ok()?;
            let now = OffsetDateTime::parse(answer.date.as_deref()?.trim(), &Rfc2822).ok()?;
            Duration::try_from(until - now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// RFC 9110 §15, for those that people meet.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        425 => "Too Early",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
