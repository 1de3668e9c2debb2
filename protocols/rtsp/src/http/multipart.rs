//! `multipart/x-mixed-replace`, as cameras send MJPEG over HTTP: parts between boundaries (RFC 2046 clause 5.1), with limits. Pure.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::mask::beginning;

/// Takes bytes as they come and gives parts.
#[derive(Debug)]
pub struct Multipart {
    /// Without the dashes before it: some cameras count them to the boundary, others do not.
    boundary: Vec<u8>,
    buffer: BytesMut,
    state: State,
    most: usize,
    /// How far the buffer was searched for the end of a part.
    searched: usize,
}

/// A part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// As the part says, in lower case; empty when it says nothing.
    pub content_type: String,
    pub body: Bytes,
}

/// Why bytes are no parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    #[error("a multipart answer without a boundary")]
    NoBoundary,
    #[error("`{0}…` instead of a boundary")]
    Expected(String),
    #[error("a part's head of more than {HEAD_BYTES} bytes")]
    HeadTooLong,
    #[error("a part of more than {0} bytes")]
    TooLong(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Before a boundary's line.
    Boundary,
    Head(Heads),
    Body {
        content_type: String,
        length: Option<usize>,
    },
    /// Behind the last boundary.
    Over,
}

/// What is known of a part so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Heads {
    content_type: String,
    length: Option<usize>,
    bytes: usize,
}

const HEAD_BYTES: usize = 8 << 10;
/// What may stand before the first boundary, and between two: nothing that anybody needs.
const BETWEEN_BYTES: usize = 8 << 10;
const BOUNDARY_BYTES: usize = 200;

// === impl Multipart ===

impl Multipart {
    /// For an answer with this `Content-Type`, and parts of at most `most` bytes.
    ///
    /// # Errors
    /// When it names no boundary.
    pub fn new(content_type: &str, most: usize) -> Result<Self, MultipartError> {
        let boundary = content_type.split(';').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("boundary")
                .then(|| value.trim().trim_matches('"'))
        });
        let boundary = boundary
            .unwrap_or_default()
            .trim_start_matches('-')
            .as_bytes();
        if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES {
            return Err(MultipartError::NoBoundary);
        }
        Ok(Self {
            boundary: boundary.to_vec(),
            buffer: BytesMut::new(),
            state: State::Boundary,
            most,
            searched: 0,
        })
    }

    /// Takes what came. Call [`Multipart::part`] until it gives none before more is pushed, or memory grows.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Over {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// It is behind the last boundary.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The next part that is whole.
    ///
    /// # Errors
    /// When this never becomes a part, or is larger than allowed. The parser is of no use then.
    pub fn part(&mut self) -> Result<Option<Part>, MultipartError> {
        loop {
            match &mut self.state {
                State::Over => return Ok(None),
                State::Boundary => {
                    let Some(line) = self.line(BETWEEN_BYTES, |rest| {
                        MultipartError::Expected(beginning(rest))
                    })?
                    else {
                        return Ok(None);
                    };
                    match self.boundary_of(&line) {
                        Some(Boundary::Next) => self.state = State::Head(Heads::default()),
                        Some(Boundary::Last) => self.state = State::Over,
                        None if line.is_empty() => {}
                        None => return Err(MultipartError::Expected(beginning(&line))),
                    }
                }
                State::Head(_) => {
                    let Some(line) = self.line(HEAD_BYTES, |_| MultipartError::HeadTooLong)? else {
                        return Ok(None);
                    };
                    self.head_line(&line)?;
                }
                State::Body {
                    content_type,
                    length,
                } => {
                    let (content_type, length) = (content_type.clone(), *length);
                    let Some(body) = self.body(length)? else {
                        return Ok(None);
                    };
                    self.state = State::Boundary;
                    return Ok(Some(Part { content_type, body }));
                }
            }
        }
    }

    /// The next line, without its end.
    fn line(
        &mut self,
        most: usize,
        too_long: impl Fn(&[u8]) -> MultipartError,
    ) -> Result<Option<Bytes>, MultipartError> {
        let seen = &self.buffer[..self.buffer.len().min(most)];
        match seen.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let mut line = self.buffer.split_to(end + 1).freeze();
                line.truncate(end);
                if line.ends_with(b"\r") {
                    line.truncate(end - 1);
                }
                Ok(Some(line))
            }
            None if self.buffer.len() >= most => Err(too_long(&self.buffer)),
            // The last boundary may come without an end of its line.
            None if matches!(self.boundary_of(&self.buffer), Some(Boundary::Last)) => {
                Ok(Some(self.buffer.split().freeze()))
            }
            None => Ok(None),
        }
    }

    fn head_line(&mut self, line: &[u8]) -> Result<(), MultipartError> {
        let State::Head(heads) = &mut self.state else {
            return Ok(());
        };
        heads.bytes += line.len() + 1;
        if heads.bytes > HEAD_BYTES {
            return Err(MultipartError::HeadTooLong);
        }
        if line.is_empty() {
            let heads = std::mem::take(heads);
            if heads.length.is_some_and(|length| length > self.most) {
                return Err(MultipartError::TooLong(self.most));
            }
            self.searched = 0;
            self.state = State::Body {
                content_type: heads.content_type,
                length: heads.length,
            };
            return Ok(());
        }
        let text = String::from_utf8_lossy(line);
        if let Some((name, value)) = text.split_once(':') {
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "content-type" => {
                    value
                        .to_ascii_lowercase()
                        .clone_into(&mut heads.content_type);
                }
                // A length that is none is a length that is not told; one beyond all bounds is refused above.
                "content-length" => {
                    let digits =
                        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                    heads.length = digits.then(|| value.parse().unwrap_or(usize::MAX));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn body(&mut self, length: Option<usize>) -> Result<Option<Bytes>, MultipartError> {
        if let Some(length) = length {
            let whole = self.buffer.len() >= length;
            return Ok(whole.then(|| self.buffer.split_to(length).freeze()));
        }
        let Some((end, next)) = self.find_end() else {
            if self.buffer.len() > self.most {
                return Err(MultipartError::TooLong(self.most));
            }
            return Ok(None);
        };
        let body = self.buffer.split_to(end).freeze();
        self.buffer.advance(next - end);
        if body.len() > self.most {
            return Err(MultipartError::TooLong(self.most));
        }
        Ok(Some(body))
    }

    /// Where the body ends, and where the boundary's line begins.
    fn find_end(&mut self) -> Option<(usize, usize)> {
        let from = self.searched;
        let mut at = from;
        while let Some(found) = self.buffer[at..].iter().position(|byte| *byte == b'\n') {
            let newline = at + found;
            let after = &self.buffer[newline + 1..];
            if after.starts_with(b"--") {
                let dashes = after.iter().take_while(|byte| **byte == b'-').count();
                if after[dashes..].starts_with(&self.boundary) {
                    let crlf = newline > 0 && self.buffer[newline - 1] == b'\r';
                    return Some((newline - usize::from(crlf), newline + 1));
                }
            }
            at = newline + 1;
        }
        // A boundary may have come in part: search again from before the longest that can be.
        let overlap = self.boundary.len() + BOUNDARY_BYTES;
        self.searched = self.buffer.len().saturating_sub(overlap).max(from);
        None
    }

    fn boundary_of(&self, line: &[u8]) -> Option<Boundary> {
        let rest = line.strip_prefix(b"--")?;
        let dashes = rest.iter().take_while(|byte| **byte == b'-').count();
        let rest = rest[dashes..].strip_prefix(self.boundary.as_slice())?;
        match rest.trim_ascii_end() {
            b"" => Some(Boundary::Next),
            b"--" => Some(Boundary::Last),
            _ => None,
        }
    }
}

enum Boundary {
    Next,
    Last,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/x-mixed-replace; boundary=cut";

    /// The bodies of all parts, fed in pieces of `step` bytes.
    fn parts(
        content_type: &str,
        bytes: &[u8],
        step: usize,
    ) -> Result<Vec<Vec<u8>>, MultipartError> {
        let mut multipart = Multipart::new(content_type, 1000)?;
        let mut found = Vec::new();
        for piece in bytes.chunks(step.max(1)) {
            multipart.push(piece);
            while let Some(part) = multipart.part()? {
                found.push(part.body.to_vec());
            }
            assert!(multipart.buffer.len() < 20_000);
        }
        Ok(found)
    }

    #[test]
    fn parts_of_all_habits() {
        for (content_type, bytes) in [
            (TYPE, &b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nA\n-\r\n--cut\r\nContent-Length: 2\r\n\r\nBB\r\n--cut\r\n"[..]),
            // Without lengths.
            (TYPE, b"--cut\r\n\r\nA\n-\r\n--cut\r\nX: y\r\n\r\nBB\r\n--cut--\r\n"),
            // Dashes counted to the boundary, quotes, bare line ends, empty lines before.
            ("multipart/x-mixed-replace;boundary=\"--cut\"", b"\r\n--cut\n\nA\n-\n--cut\n\nBB\n--cut--"),
            // A boundary at once behind a body with a length, and a length that is none.
            (TYPE, b"--cut\r\nContent-Length: 3\r\n\r\nA\n---cut\r\nContent-Length: -2\r\n\r\nBB\r\n--cut\r\n"),
        ] {
            for step in [1, 2, 3, 7, 1000] {
                let found = parts(content_type, bytes, step).unwrap();
                assert_eq!(found, [b"A\n-".to_vec(), b"BB".to_vec()], "{content_type} {step}");
            }
        }
    }

    #[test]
    fn what_is_no_part_or_too_large_ends_it() {
        for (bytes, expected) in [
            (
                b"<html>\n".to_vec(),
                MultipartError::Expected("<html>".into()),
            ),
            (
                b"x".repeat(20_000),
                MultipartError::Expected("x".repeat(24)),
            ),
            (
                b"--cut\n\n"
                    .iter()
                    .copied()
                    .chain(b"y".repeat(2000))
                    .collect(),
                MultipartError::TooLong(1000),
            ),
            (
                b"--cut\nContent-Length: 1001\n\n".to_vec(),
                MultipartError::TooLong(1000),
            ),
            (
                b"--cut\nContent-Length: 99999999999999999999999\n\n".to_vec(),
                MultipartError::TooLong(1000),
            ),
            (
                b"--cut\n"
                    .iter()
                    .copied()
                    .chain(b"X: y\n".repeat(4000))
                    .collect(),
                MultipartError::HeadTooLong,
            ),
        ] {
            assert_eq!(parts(TYPE, &bytes, 64), Err(expected));
        }
        assert!(Multipart::new("multipart/x-mixed-replace", 1).is_err());
        assert!(Multipart::new("multipart/x-mixed-replace; boundary=--", 1).is_err());
    }

    proptest! {
        #[test]
        fn whole_parts_come_out_however_they_come_in(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6),
            step in 1_usize..400,
        ) {
            let mut bytes = Vec::new();
            for body in &bodies {
                bytes.extend_from_slice(format!("--cut\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(body);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"--cut--\r\n");
            prop_assert_eq!(parts(TYPE, &bytes, step).unwrap(), bodies);
        }

        #[test]
        fn without_lengths_too(
            bodies in proptest::collection::vec(proptest::collection::vec(b'a'..=b'\xff', 0..300), 1..6),
            step in 1_usize..400,
        ) {
            let mut bytes = Vec::new();
            for body in &bodies {
                bytes.extend_from_slice(b"--cut\r\n\r\n");
                bytes.extend_from_slice(body);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"--cut--\r\n");
            prop_assert_eq!(parts(TYPE, &bytes, step).unwrap(), bodies);
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(
            bytes in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'\n'), Just(b'c'), Just(b'u'), Just(b't'), any::<u8>()], 0..400),
            step in 1_usize..50,
        ) {
            let _ = parts(TYPE, &[&b"--cut\n\n"[..], &bytes].concat(), step);
            let _ = parts(TYPE, &bytes, step);
        }
    }
}
