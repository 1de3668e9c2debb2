//! `Frames`: bytes of the socket become chunks, and a chunk that says it is huge is refused before it is waited for.

use std::io;

use bytes::BytesMut;
use opcua::{
    core::comms::tcp_codec::{Message, TcpCodec},
    types::DecodingOptions,
};
use tokio_util::codec::Decoder;

/// We ask for chunks of 64 KiB; some servers take that for a hint.
const MAX_FRAME_BYTES: usize = 1 << 20;
/// Type, size and channel (OPC UA Part 6, 7.1.2.2).
const HEADER_BYTES: usize = 8;

/// The library's codec reads any size that is announced, up to 4 GiB.
pub(super) struct Frames(TcpCodec);

impl Frames {
    pub(super) fn new(options: DecodingOptions) -> Self {
        Self(TcpCodec::new(options))
    }
}

impl Decoder for Frames {
    type Item = Message;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Message>> {
        if let Some(size) = announced(buffer)
            && !(HEADER_BYTES..=MAX_FRAME_BYTES).contains(&size)
        {
            let why = format!("the server announces a chunk of {size} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.0.decode(buffer)
    }
}

/// The size in a header, once it is there.
fn announced(buffer: &[u8]) -> Option<usize> {
    let size = buffer.get(4..HEADER_BYTES)?;
    let size = u32::from_le_bytes(size.try_into().ok()?);
    usize::try_from(size).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_is_too_large_or_too_small_is_refused_by_its_header() {
        for (size, refused) in [
            (0, true),
            (7, true),
            (u32::MAX, true),
            ((1 << 20) + 1, true),
            (1 << 20, false),
        ] {
            let mut frames = Frames::new(DecodingOptions::default());
            let mut buffer = BytesMut::from(&b"MSGF"[..]);
            buffer.extend_from_slice(&u32::to_le_bytes(size));
            assert_eq!(frames.decode(&mut buffer).is_err(), refused, "{size}");
        }
    }
}
