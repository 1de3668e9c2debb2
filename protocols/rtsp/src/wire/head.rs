//! Heads of RTSP messages (RFC 2326 clauses 4 to 7), read with limits and written: shared by the wire to a camera and the restream.

use std::fmt::Write as _;

use crate::{
    mask::{beginning, tame},
    options::{HEAD_BYTES, HEAD_LINES},
};

/// A request's or an answer's lines until the empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub start: Start,
    /// In their order; names as they were written.
    pub headers: Vec<(String, String)>,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    Request { method: String, uri: String },
    Response { status: u16, reason: String },
}

/// Why bytes are no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("a message's head of more than {HEAD_BYTES} bytes")]
    TooLong,
    #[error("a message's head of more than {HEAD_LINES} lines")]
    TooManyLines,
    #[error("`{0}…` instead of RTSP")]
    NoRtsp(String),
    #[error("a Content-Length of {0}")]
    Length(String),
}

/// The longest URI.
const URI_BYTES: usize = 4096;

/// Reads a head from the beginning of `bytes`, and says how many of them it took; `None` when its end has not come yet.
///
/// # Errors
/// When this is no head, or a larger one than any camera needs: at the first byte that shows it.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
    let Some(end) = end_of(bytes) else {
        let shown = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        if bytes.len() > HEAD_BYTES {
            return Err(HeadError::TooLong);
        }
        // Binary never becomes RTSP, so nobody waits for its end.
        if shown
            .iter()
            .any(|byte| (*byte < b' ' && *byte != b'\r' && *byte != b'\t') || *byte >= 0x80)
        {
            return Err(HeadError::NoRtsp(beginning(bytes)));
        }
        return Ok(None);
    };
    if end > HEAD_BYTES {
        return Err(HeadError::TooLong);
    }
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let start = lines.next().and_then(start_line);
    let start = start.ok_or_else(|| HeadError::NoRtsp(beginning(bytes)))?;
    let mut headers: Vec<(String, String)> = Vec::new();
    for (number, line) in lines.enumerate() {
        if number > HEAD_LINES {
            return Err(HeadError::TooManyLines);
        }
        if line.is_empty() {
            continue;
        }
        match (line.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                // A line without a colon is a camera's slip that all others ignore too.
                if let Some((name, value)) = line.split_once(':') {
                    headers.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
        }
    }
    Ok(Some((Head { start, headers }, end)))
}

/// Behind the empty line.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let seen = &bytes[..bytes.len().min(HEAD_BYTES + 4)];
    seen.iter().enumerate().find_map(|(at, byte)| {
        let rest = &seen[at..];
        match byte {
            b'\n' if rest.starts_with(b"\n\r\n") => Some(at + 3),
            b'\n' if rest.starts_with(b"\n\n") => Some(at + 2),
            _ => None,
        }
    })
}

fn start_line(line: &str) -> Option<Start> {
    if let Some(rest) = line.strip_prefix("RTSP/1.") {
        let (_, rest) = rest.split_once(' ')?;
        let (status, reason) = rest
            .trim_start()
            .split_once(' ')
            .unwrap_or((rest.trim(), ""));
        let status = status
            .parse()
            .ok()
            .filter(|status| (100..600).contains(status))?;
        return Some(Start::Response {
            status,
            reason: tame(reason, 80),
        });
    }
    let mut words = line.split(' ');
    let (method, uri, version) = (words.next()?, words.next()?, words.next()?);
    let fits = version.starts_with("RTSP/1.")
        && words.next().is_none()
        && (1..=32).contains(&method.len())
        && method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        && (1..=URI_BYTES).contains(&uri.len())
        && uri.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| Start::Request {
        method: method.to_owned(),
        uri: uri.to_owned(),
    })
}

// === impl Head ===

impl Head {
    #[must_use]
    pub fn request(method: &str, uri: &str) -> Self {
        Self {
            start: Start::Request {
                method: method.to_owned(),
                uri: uri.to_owned(),
            },
            headers: Vec::new(),
        }
    }

    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        Self {
            start: Start::Response {
                status,
                reason: reason.to_owned(),
            },
            headers: Vec::new(),
        }
    }

    /// The first header of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All headers of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// In place of all headers of this name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub fn remove(&mut self, name: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    #[must_use]
    pub fn cseq(&self) -> Option<u32> {
        self.get("CSeq")?.parse().ok()
    }

    /// Of the body that follows, at most `most`.
    ///
    /// # Errors
    /// When it is no number, or more.
    pub fn content_length(&self, most: usize) -> Result<usize, HeadError> {
        let Some(text) = self.get("Content-Length") else {
            return Ok(0);
        };
        let length = text.parse().ok().filter(|length| *length <= most);
        length.ok_or_else(|| HeadError::Length(tame(text, 24)))
    }

    /// As it goes over the wire. Line ends within values are impossible: they were cut at them, or never come from outside.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} RTSP/1.0\r\n"),
            Start::Response { status, reason } => format!("RTSP/1.0 {status} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            let value = value.replace(['\r', '\n'], " ");
            write!(text, "{name}: {value}\r\n").expect("a String takes everything");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_are_read_and_written() {
        let bytes = b"RTSP/1.0 200 OK\r\ncseq: 7\r\nPublic: A,\r\n B\r\nslip\r\n\r\n$rest";
        let (head, taken) = parse(bytes).unwrap().unwrap();
        assert_eq!(&bytes[taken..], b"$rest");
        assert_eq!(head.cseq(), Some(7));
        assert_eq!(head.get("public"), Some("A, B"));
        assert_eq!(
            head.to_bytes(),
            b"RTSP/1.0 200 OK\r\ncseq: 7\r\nPublic: A, B\r\n\r\n"
        );
        let (head, _) = parse(b"PLAY rtsp://h/a RTSP/1.0\nCSeq: 1\n\n")
            .unwrap()
            .unwrap();
        assert_eq!(
            head.start,
            Start::Request {
                method: "PLAY".into(),
                uri: "rtsp://h/a".into()
            }
        );
    }

    #[test]
    fn what_is_no_head_is_told_at_once() {
        for (bytes, expected) in [
            (
                &b"HTTP/1.1 200 OK\r\n\r\n"[..],
                HeadError::NoRtsp("HTTP/1.1 200 OK\\r\\n\\r\\n".into()),
            ),
            (b"\x16\x03\x01", HeadError::NoRtsp("\\x16\\x03\\x01".into())),
            (
                b"RTSP/1.0 999999 x\r\n\r\n",
                HeadError::NoRtsp("RTSP/1.0 999999 x\\r\\n\\r\\n".into()),
            ),
        ] {
            assert_eq!(parse(bytes), Err(expected));
        }
        assert_eq!(parse(b"RTSP/1.0 200 OK\r\nX: y\r\n"), Ok(None));
        let mut endless = b"RTSP/1.0 200 OK\r\n".to_vec();
        endless.extend(b"X: y\r\n".repeat(4000));
        assert_eq!(parse(&endless), Err(HeadError::TooLong));
        let mut many = b"RTSP/1.0 200 OK\r\n".to_vec();
        many.extend(b"X: y\r\n".repeat(200));
        many.extend(b"\r\n");
        assert_eq!(parse(&many), Err(HeadError::TooManyLines));
    }

    #[test]
    fn lengths_have_a_limit() {
        let check = |text: &str| {
            let mut head = Head::response(200, "OK");
            head.set("Content-Length", text);
            head.content_length(65_536)
        };
        assert_eq!(check("65536"), Ok(65_536));
        for no in ["65537", "4294967296", "-1", "x", "99999999999999999999999"] {
            assert!(matches!(check(no), Err(HeadError::Length(_))), "{no}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(Some((head, taken))) = parse(&bytes) {
                prop_assert!(taken <= bytes.len());
                // What was written is read again as the same.
                let again = parse(&head.to_bytes());
                let (again, _) = again.unwrap().unwrap();
                prop_assert_eq!(again.start, head.start);
            }
        }

        #[test]
        fn a_head_in_pieces_is_the_same(cut in 0_usize..60) {
            let bytes = b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 3\r\nUser-Agent: x y\r\n\r\n";
            let cut = cut.min(bytes.len() - 1);
            prop_assert_eq!(parse(&bytes[..cut]), Ok(None));
        }
    }
}
