//! The ReverseHello by which a server that connects to us says who it is, and the error that a stranger gets (OPC UA Part 6,
//! 7.1.2.2, 7.1.2.5 and 7.1.2.6). Pure.

/// Message type, chunk type and size.
pub(super) const HEADER_BYTES: usize = 8;
/// The longest of its two strings (Part 6, 7.1.2.6).
const MAX_TEXT_BYTES: usize = 4096;
/// The largest ReverseHello.
const MAX_BYTES: usize = HEADER_BYTES + 2 * (4 + MAX_TEXT_BYTES);

/// Who a server says that it is, before anything is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReverseHello {
    pub server_uri: String,
    /// Under which it is to be greeted.
    pub endpoint: String,
}

/// Who is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Decides alone where it is known.
    pub server_uri: Option<String>,
    pub endpoint: String,
}

/// How many bytes follow the header of a ReverseHello.
///
/// # Errors
/// In words, when it is something else.
pub(super) fn body_bytes(header: [u8; HEADER_BYTES]) -> Result<usize, &'static str> {
    let [kind @ .., a, b, c, d] = header;
    if kind != *b"RHEF" {
        return Err("it does not say a reverse hello");
    }
    let size = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match size {
        HEADER_BYTES..=MAX_BYTES => Ok(size - HEADER_BYTES),
        _ => Err("its reverse hello has a size that none has"),
    }
}

/// What follows the header.
///
/// # Errors
/// In words, when it is no ReverseHello.
pub(super) fn read(body: &[u8]) -> Result<ReverseHello, &'static str> {
    let (server_uri, rest) = text(body)?;
    let (endpoint, _) = text(rest)?;
    Ok(ReverseHello {
        server_uri,
        endpoint,
    })
}

fn text(bytes: &[u8]) -> Result<(String, &[u8]), &'static str> {
    const BROKEN: &str = "its reverse hello cannot be read";
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BROKEN)?;
    let length = i32::from_le_bytes(*length);
    // -1 is no string.
    let length = if length == -1 { 0 } else { length };
    let length = usize::try_from(length).map_err(|_| BROKEN)?;
    let (text, rest) = rest.split_at_checked(length).ok_or(BROKEN)?;
    let text = std::str::from_utf8(text).map_err(|_| BROKEN)?;
    Ok((text.to_owned(), rest))
}

/// BadConnectionRejected, as a message.
pub(super) fn rejection() -> Vec<u8> {
    const CODE: u32 = 0x80AC_0000;
    const REASON: &[u8] = b"this server is not expected here";
    let size = HEADER_BYTES + 4 + 4 + REASON.len();
    let mut message = b"ERRF".to_vec();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    message.extend(number(size));
    message.extend(CODE.to_le_bytes());
    message.extend(number(REASON.len()));
    message.extend(REASON);
    message
}

// === impl Expected ===

impl Expected {
    /// A URI says who it is; where none is configured, the endpoint has to be the one that is, whatever its letters' case.
    pub(super) fn is(&self, hello: &ReverseHello) -> bool {
        match &self.server_uri {
            Some(uri) => *uri == hello.server_uri,
            None => same_endpoint(&self.endpoint, &hello.endpoint),
        }
    }

    pub(super) fn words(&self) -> String {
        match &self.server_uri {
            Some(uri) => format!("the server {uri}"),
            None => format!("the server of {}", self.endpoint),
        }
    }
}

fn same_endpoint(one: &str, other: &str) -> bool {
    let bare = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(texts: &[&str]) -> Vec<u8> {
        let mut body = Vec::new();
        for text in texts {
            body.extend(i32::try_from(text.len()).unwrap().to_le_bytes());
            body.extend(text.as_bytes());
        }
        body
    }

    #[test]
    fn a_reverse_hello_is_read() {
        let read = read(&body(&["urn:press", "opc.tcp://press:4840"])).unwrap();
        assert_eq!(read.server_uri, "urn:press");
        assert_eq!(read.endpoint, "opc.tcp://press:4840");
    }

    #[test]
    fn what_is_none_is_told_and_reads_nothing_beyond() {
        let header = |kind: &[u8; 4], size: u32| {
            let mut header = [0; 8];
            header[..4].copy_from_slice(kind);
            header[4..].copy_from_slice(&size.to_le_bytes());
            header
        };
        assert_eq!(body_bytes(header(b"RHEF", 8)), Ok(0));
        assert_eq!(body_bytes(header(b"RHEF", 8208)), Ok(8200));
        for (kind, size) in [(b"RHEF", 8209), (b"RHEF", 7), (b"HELF", 40), (b"GET ", 40)] {
            assert!(body_bytes(header(kind, size)).is_err());
        }
        let whole = body(&["urn:press", "opc.tcp://press:4840"]);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        for length in [-2, i32::MIN, i32::MAX] {
            assert!(read(&[&length.to_le_bytes()[..], b"urn"].concat()).is_err());
        }
        assert!(read(&[2, 0, 0, 0, 0xff, 0xff]).is_err(), "no text");
        let none = read(&[0xff; 8]).unwrap();
        assert_eq!((none.server_uri.as_str(), none.endpoint.as_str()), ("", ""));
    }

    #[test]
    fn only_who_is_expected_is_taken() {
        let hello = |server_uri: &str, endpoint: &str| ReverseHello {
            server_uri: server_uri.to_owned(),
            endpoint: endpoint.to_owned(),
        };
        let expected = |server_uri: Option<&str>| Expected {
            server_uri: server_uri.map(str::to_owned),
            endpoint: "opc.tcp://press:4840".to_owned(),
        };
        for (uri, hello, is) in [
            (Some("urn:a"), hello("urn:a", "opc.tcp://other:1"), true),
            (Some("urn:a"), hello("urn:b", "opc.tcp://press:4840"), false),
            (None, hello("urn:b", "opc.tcp://PRESS:4840/"), true),
            (None, hello("urn:b", "opc.tcp://press:4841"), false),
            (None, hello("", ""), false),
        ] {
            assert_eq!(expected(uri).is(&hello), is, "{uri:?} {hello:?}");
        }
    }

    #[test]
    fn a_stranger_gets_an_error_that_says_its_size() {
        let rejection = rejection();
        let size = u32::from_le_bytes(rejection[4..8].try_into().unwrap());
        assert_eq!(size as usize, rejection.len());
        assert_eq!(&rejection[..4], b"ERRF");
    }
}
