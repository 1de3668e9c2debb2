//! What a viewer of the restream asks: a request of RTSP with its path, track and transport. Pure, and with limits.

use crate::wire::head::{Head, HeadError, Start, parse as parse_head};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// As it stands in the first line: signatures are made over it.
    pub uri: String,
    /// The stream's, without slashes around it.
    pub path: String,
    /// The track, where the path ends with one.
    pub track: Option<usize>,
    pub cseq: Option<u32>,
    pub session: Option<String>,
    pub authorization: Option<String>,
    /// The first of two interleaved channels, where a transport of this kind is offered.
    pub channel: Option<u8>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Options,
    Describe,
    Setup,
    Play,
    Teardown,
    GetParameter,
    /// Everything that writes, and what nobody knows.
    Other,
}

/// What a track is called below its stream.
pub(super) const TRACK: &str = "trackID=";

/// What stands first in a viewer's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    Request(Request),
    /// Reports on how it is received.
    Interleaved,
}

/// Reads what stands first of `bytes` and says how many of them it took; `None` when it is not whole yet.
///
/// # Errors
/// When this is no RTSP, or too large. Bodies are allowed up to 4 KiB and passed over.
pub fn parse(bytes: &[u8]) -> Result<Option<(Incoming, usize)>, HeadError> {
    let empty = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let rest = &bytes[empty..];
    match rest {
        [b'$', _, high, low, ..] => {
            let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
            let whole = rest.len() >= length;
            return Ok(whole.then_some((Incoming::Interleaved, empty + length)));
        }
        [b'$', ..] | [] => return Ok(None),
        _ => {}
    }
    let Some((head, taken)) = parse_head(rest)? else {
        return Ok(None);
    };
    let body = head.content_length(BODY_BYTES)?;
    if rest.len() < taken + body {
        return Ok(None);
    }
    let request = Request::of(&head).ok_or_else(|| HeadError::NoRtsp("an answer".to_owned()))?;
    Ok(Some((Incoming::Request(request), empty + taken + body)))
}

const BODY_BYTES: usize = 4 << 10;

// === impl Request ===

impl Request {
    fn of(head: &Head) -> Option<Self> {
        let Start::Request { method, uri } = &head.start else {
            return None;
        };
        let (path, track) = path_of(uri);
        Some(Self {
            method: Method::of(method),
            path,
            track,
            cseq: head.cseq(),
            session: head
                .get("Session")
                .and_then(|session| session.split(';').next())
                .map(|session| session.trim().to_owned()),
            authorization: head.get("Authorization").map(str::to_owned),
            channel: head.get("Transport").and_then(interleaved),
            uri: uri.clone(),
        })
    }
}

// === impl Method ===

impl Method {
    fn of(method: &str) -> Self {
        match method {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            _ => Self::Other,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Teardown => "TEARDOWN",
            Self::GetParameter => "GET_PARAMETER",
            Self::Other => "",
        }
    }
}

/// `rtsp://host:port/a/b/trackID=1?query` is the stream `a/b` and its track 1.
fn path_of(uri: &str) -> (String, Option<usize>) {
    let below = match uri.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => uri,
    };
    let below = below.split('?').next().unwrap_or_default();
    let below = below.trim_matches('/');
    match below.rsplit_once('/').unwrap_or(("", below)) {
        (path, last) if last.starts_with(TRACK) => {
            let number = last[TRACK.len()..].parse().ok();
            // A track that is no number is none that there is.
            (path.to_owned(), Some(number.unwrap_or(usize::MAX)))
        }
        _ => (below.to_owned(), None),
    }
}

/// The channel of the first transport that is TCP, or one of ours when it names none.
fn interleaved(transports: &str) -> Option<u8> {
    let tcp = transports.split(',').find(|transport| {
        transport
            .trim()
            .to_ascii_uppercase()
            .starts_with("RTP/AVP/TCP")
    })?;
    let channels = tcp
        .split(';')
        .find_map(|part| part.trim().strip_prefix("interleaved="));
    match channels {
        Some(channels) => channels
            .split('-')
            .next()?
            .parse()
            .ok()
            .filter(|first| *first < 255),
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(text: &str) -> Request {
        match parse(text.as_bytes()).unwrap().unwrap() {
            (Incoming::Request(request), taken) => {
                assert_eq!(taken, text.len());
                request
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_are_understood() {
        let setup = request(
            "SETUP rtsp://gw:8554/yard/door/trackID=1 RTSP/1.0\r\nCSeq: 3\r\nSession: ab;timeout=60\r\n\
             Transport: RTP/AVP;unicast;client_port=1-2,RTP/AVP/TCP;unicast;interleaved=2-3\r\n\r\n",
        );
        assert_eq!(
            (
                setup.method,
                setup.path.as_str(),
                setup.track,
                setup.cseq,
                setup.channel
            ),
            (Method::Setup, "yard/door", Some(1), Some(3), Some(2))
        );
        assert_eq!(setup.session.as_deref(), Some("ab"));
        for (uri, path, track) in [
            ("rtsp://gw/yard/", "yard", None),
            ("rtsp://gw/yard?x=/trackID=1", "yard", None),
            ("rtsp://gw", "", None),
            ("*", "*", None),
            ("/yard/trackID=x", "yard", Some(usize::MAX)),
        ] {
            assert_eq!(path_of(uri), (path.to_owned(), track), "{uri}");
        }
        assert_eq!(interleaved("RTP/AVP;unicast;client_port=5-6"), None);
        assert_eq!(interleaved("RTP/AVP/TCP;unicast"), Some(0));
        assert_eq!(interleaved("RTP/AVP/TCP;interleaved=255-256"), None);
        let record =
            request("ANNOUNCE rtsp://gw/yard RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\nv=0");
        assert_eq!(record.method, Method::Other);
    }

    #[test]
    fn reports_between_requests_are_taken_off() {
        let bytes = b"\r\n$\x01\x00\x02ab";
        assert_eq!(parse(bytes), Ok(Some((Incoming::Interleaved, 8))));
        assert_eq!(parse(&bytes[..7]), Ok(None));
        assert!(parse(b"GET / HTTP/1.1\r\n\r\n").is_err());
        assert!(parse(b"RTSP/1.0 200 OK\r\n\r\n").is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_path_makes_it_panic(uri in "[a-z:/?=ID0-9.%-]{0,60}", transport in "[A-Z/;,=a-z0-9-]{0,60}") {
            let text = format!("SETUP x{uri} RTSP/1.0\r\nTransport: {transport}\r\n\r\n");
            prop_assert!(parse(text.as_bytes()).is_ok());
        }
    }
}
