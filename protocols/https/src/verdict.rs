//! What an answer means for the readings that a request carried. Pure.
//!
//! | status | then |
//! |---|---|
//! | 2xx | taken |
//! | 408, 409, 425, 429, 5xx but 501 and 505 | later, when the server says; no attempt is counted |
//! | 413 | halves; a single reading can never pass |
//! | 400, 415, 422 | refused for the sake of something in it |
//! | 3xx and all others | a person has to look: everything is held |
//!
//! A refusal that could be the URL's or the credentials' fault holds everything: the settings can be put right, and a dead
//! letter would cost what was right all along.

use std::time::Duration;

use fieldgate_kit::{SinkError, Throttle};
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
    /// The beginning of the body, in one line.
    pub words: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    Later(Throttle),
    TooLarge(String),
    Refused(String),
    /// Nothing more over this link.
    Stop(SinkError),
}

/// A server that asks for longer is not believed: an hour is long enough to look at what is wrong.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Judges the answer to a request to `url`.
pub(crate) fn judge(answer: &Answer, url: &str) -> Verdict {
    let said = said(answer, url);
    match answer.status {
        200..=299 => Verdict::Taken,
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
    match answer.words.as_str() {
        "" => format!("{url} answers {status} {reason}"),
        words => format!("{url} answers {status} {reason}: {words}"),
    }
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
mod tests {
    use super::*;

    const URL: &str = "https://h/in";

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            ..Answer::default()
        }
    }

    /// The verdict's first letter.
    fn kind(verdict: &Verdict) -> char {
        match verdict {
            Verdict::Taken => 'T',
            Verdict::Later(_) => 'L',
            Verdict::TooLarge(_) => 'B',
            Verdict::Refused(_) => 'R',
            Verdict::Stop(SinkError::Denied(_)) => 'D',
            Verdict::Stop(_) => 'U',
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (kinds, statuses) in [
            ('T', &[200, 201, 202, 204, 207, 299][..]),
            ('L', &[408, 409, 425, 429, 500, 502, 503, 504, 507, 599]),
            ('B', &[413]),
            ('R', &[400, 415, 422]),
            (
                'D',
                &[
                    100, 300, 301, 302, 304, 307, 308, 401, 402, 403, 404, 405, 407, 410, 411, 414,
                    418, 431, 451, 501, 505, 600, 999,
                ],
            ),
        ] {
            for status in statuses {
                let verdict = judge(&answer(*status), URL);
                assert_eq!(kind(&verdict), kinds, "{status}: {verdict:?}");
            }
        }
    }

    #[test]
    fn a_redirect_is_named_and_not_followed() {
        let away = Answer {
            location: Some("http://127.0.0.1/admin".into()),
            ..answer(307)
        };
        let Verdict::Stop(SinkError::Denied(words)) = judge(&away, URL) else {
            panic!("a redirect is followed");
        };
        assert!(
            words.contains("sends us to http://127.0.0.1/admin"),
            "{words}"
        );
        assert_eq!(
            kind(&judge_range(
                &Answer {
                    status: 308,
                    ..away
                },
                URL,
                10
            )),
            'D'
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_by_the_servers_clock() {
        let date = Some("Sun, 29 Nov 2026 18:30:00 GMT");
        for (text, date, expected) in [
            ("7", None, Some(7)),
            (" 7 ", None, Some(7)),
            ("Sun, 29 Nov 2026 18:30:09 GMT", date, Some(9)),
            ("Sun, 29 Nov 2026 18:29:00 GMT", date, Some(0)),
            ("Sun, 29 Nov 2026 18:30:09 GMT", None, None),
            ("99999999999", None, Some(3600)),
            ("-1", None, None),
            ("soon", date, None),
        ] {
            let answer = Answer {
                retry_after: Some(text.into()),
                date: date.map(str::to_owned),
                ..answer(503)
            };
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&answer), expected, "{text}");
        }
    }

    #[test]
    fn a_server_that_takes_ranges_says_what_it_has() {
        for (range, expected) in [
            (None, 'T'),
            (Some("bytes=0-99"), 'T'),
            (Some("0-120"), 'T'),
            (Some("bytes=0-98"), 'R'),
            (Some("nonsense"), 'T'),
        ] {
            let answer = Answer {
                range: range.map(str::to_owned),
                ..answer(308)
            };
            assert_eq!(kind(&judge_range(&answer, URL, 100)), expected, "{range:?}");
        }
        assert_eq!(kind(&judge_range(&answer(503), URL, 1)), 'L');
    }

    #[test]
    fn its_own_words_are_told() {
        let verdict = judge(
            &Answer {
                words: "unknown unit".into(),
                ..answer(422)
            },
            URL,
        );
        let words = "https://h/in answers 422 Unprocessable Content: unknown unit";
        assert_eq!(verdict, Verdict::Refused(words.into()));
    }
}
