//! One letter, and its bytes on the disk.
//!
//! A version byte and the postcard encoding of the version's struct, whose fields must keep their order. Version 1 had
//! neither routes nor attempts; it is read as a first attempt that goes by every route of its destination.

use bytes::Bytes;
use fieldgate_model::{Reading, Timestamp};
use fieldgate_store::RouteMask;
use serde::{Deserialize, Serialize};

use crate::{lanes::LaneKind, pipeline::frame};

const VERSION: u8 = 2;

/// What a forwarder hands over: a record that its destination refused for its own sake.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub message_id: String,
    pub destination: String,
    /// The routes of this destination that the record belongs to, by their bits in its lane.
    pub routes: RouteMask,
    /// The destination's own words.
    pub why: String,
    pub refused_at: Timestamp,
    /// The record's frame, as it lay in its lane.
    pub frame: Bytes,
}

/// One refused reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    pub message_id: String,
    pub destination: String,
    /// The destination's own words.
    pub why: String,
    pub refused_at: Timestamp,
    /// The record's frame, as it lay in its lane.
    pub frame: Bytes,
    /// The queue's keys of its routes; empty when they are not known.
    pub routes: Vec<String>,
    pub first_refused_at: Timestamp,
    pub attempts: u32,
}

/// As it was in version 1.
#[derive(Serialize, Deserialize)]
struct LetterV1 {
    message_id: String,
    destination: String,
    why: String,
    refused_at: Timestamp,
    frame: Bytes,
}

// === impl Letter ===

impl Letter {
    /// The reading, when its frame can be read.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        frame::decode(&self.frame).ok()
    }

    /// The lane and the sequence number that its message id was made from.
    #[must_use]
    pub fn origin(&self) -> Option<(LaneKind, u64)> {
        let mut parts = self.message_id.rsplitn(3, '-');
        let seq = u64::from_str_radix(parts.next()?, 16).ok()?;
        let letter = parts.next()?;
        let lane = LaneKind::ALL
            .into_iter()
            .find(|lane| letter.chars().eq([lane.letter()]))?;
        Some((lane, seq))
    }

    pub(super) fn encode(&self) -> Bytes {
        postcard::to_extend(self, vec![VERSION])
            .expect("a letter has no type that postcard refuses")
            .into()
    }

    /// None when the bytes are no letter of a known version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (1, body) => postcard::from_bytes::<LetterV1>(body).ok().map(Self::from),
            (&VERSION, body) => postcard::from_bytes(body).ok(),
            _ => None,
        }
    }
}

impl From<LetterV1> for Letter {
    fn from(letter: LetterV1) -> Self {
        Self {
            message_id: letter.message_id,
            destination: letter.destination,
            why: letter.why,
            refused_at: letter.refused_at,
            frame: letter.frame,
            routes: Vec::new(),
            first_refused_at: letter.refused_at,
            attempts: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of each version, so that a later change cannot make old letters unreadable.
    const GOLDEN: [&str; 2] = [
        "011b30306330666665652d6e2d303030303030303030303030303030370662726f6b6572156e6f7420617574686f72697a65642028307838372980897a056672616d65",
        "021b30306330666665652d6e2d303030303030303030303030303030370662726f6b6572156e6f7420617574686f72697a65642028307838372980897a056672616d65010c616c6ce2869262726f6b657280897a01",
    ];

    fn letter() -> Letter {
        Letter {
            message_id: "00c0ffee-n-0000000000000007".into(),
            destination: "broker".into(),
            why: "not authorized (0x87)".into(),
            refused_at: Timestamp::from_millis(1),
            frame: Bytes::from_static(b"frame"),
            routes: vec!["all→broker".into()],
            first_refused_at: Timestamp::from_millis(1),
            attempts: 1,
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn every_version_stays_readable() {
        let first = LetterV1 {
            message_id: letter().message_id,
            destination: letter().destination,
            why: letter().why,
            refused_at: letter().refused_at,
            frame: letter().frame,
        };
        let first = postcard::to_extend(&first, vec![1]).unwrap();
        let second = letter().encode();
        assert_eq!([hex(&first), hex(&second)], GOLDEN);
        assert_eq!(Letter::decode(&second), Some(letter()));
        let unrouted = Letter {
            routes: Vec::new(),
            ..letter()
        };
        assert_eq!(Letter::decode(&first), Some(unrouted));
        for bytes in [&b""[..], b"\x09", b"\x02\xff"] {
            assert_eq!(Letter::decode(bytes), None);
        }
    }

    #[test]
    fn the_origin_stands_in_the_id() {
        for (id, expected) in [
            ("00c0ffee-n-0000000000000007", Some((LaneKind::Normal, 7))),
            (
                "00c0ffee-c-00000000000000ff",
                Some((LaneKind::Critical, 255)),
            ),
            ("00c0ffee-x-0000000000000007", None),
            ("nonsense", None),
        ] {
            let letter = Letter {
                message_id: id.into(),
                ..letter()
            };
            assert_eq!(letter.origin(), expected, "{id}");
        }
    }
}
