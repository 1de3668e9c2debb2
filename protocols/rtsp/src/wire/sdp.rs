//! The limits of a stream's description (SDP, RFC 8866), checked before anything else reads it.

use crate::options::{SDP_BYTES, TRACKS};

/// The most lines, and the longest.
const LINES: usize = 1024;
const LINE_BYTES: usize = 16 << 10;

/// Why a description is not read further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("a description of {0} bytes, more than {SDP_BYTES}")]
    TooLong(usize),
    #[error("a description of more than {LINES} lines")]
    TooManyLines,
    #[error("a description with a line of {0} bytes, more than {LINE_BYTES}")]
    LineTooLong(usize),
    #[error("a description of {0} tracks, more than {TRACKS}")]
    TooManyTracks(usize),
    #[error("a description that does not begin with v=")]
    NoSdp,
}

/// Whether a description is of a reasonable size.
///
/// # Errors
/// Says what is not.
pub fn check(body: &[u8]) -> Result<(), SdpError> {
    if body.len() > SDP_BYTES {
        return Err(SdpError::TooLong(body.len()));
    }
    if !body.trim_ascii_start().starts_with(b"v=") {
        return Err(SdpError::NoSdp);
    }
    let mut tracks = 0;
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if number > LINES {
            return Err(SdpError::TooManyLines);
        }
        if line.len() > LINE_BYTES {
            return Err(SdpError::LineTooLong(line.len()));
        }
        tracks += usize::from(line.starts_with(b"m="));
    }
    if tracks > TRACKS {
        return Err(SdpError::TooManyTracks(tracks));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_limits() {
        assert_eq!(check(b"v=0\r\nm=video 0 RTP/AVP 96\r\n"), Ok(()));
        assert_eq!(check(b"<html>"), Err(SdpError::NoSdp));
        let with = |line: &str, times| format!("v=0\n{}", line.repeat(times)).into_bytes();
        assert_eq!(
            check(&with("m=video 0 RTP/AVP 96\n", 9)),
            Err(SdpError::TooManyTracks(9))
        );
        assert_eq!(check(&with("a=x\n", 2000)), Err(SdpError::TooManyLines));
        assert_eq!(
            check(&with("a", 20_000)),
            Err(SdpError::LineTooLong(20_000))
        );
        assert_eq!(check(&with("a", 70_000)), Err(SdpError::TooLong(70_004)));
    }
}
