//! A reading as bytes on the disk, and back.
//!
//! The first byte is the frame's version, and every version stays readable:
//!
//! | version | what follows |
//! |---|---|
//! | 1 | the postcard encoding of `Reading`, whose fields and enum variants must keep their order |
//! | 2 | the origin (lane letter, sequence as a postcard varint), then what version 1 has |
//! | 3 | a byte of marks: 1 it was backfilled, 2 an origin follows as in version 2; then what version 1 has |
//!
//! A reading is written as version 1: its message id is the record's own place. Version 2 is written for a reading that
//! comes by a second time, such as a dead letter that is sent again, and keeps the id of the first. Version 3 is written
//! where a mark is set, so that a gateway before it can read all the others.

use fieldgate_kit::Origin;
use fieldgate_model::Reading;

use crate::lanes::LaneKind;

const PLAIN: u8 = 1;
const WITH_ORIGIN: u8 = 2;
const MARKED: u8 = 3;
// The marks of version 3.
const BACKFILLED: u8 = 1;
const HAS_ORIGIN: u8 = 2;

/// What a frame holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Where the message id comes from, when it is not the record's own place.
    pub origin: Option<Origin>,
    pub reading: Reading,
}

/// Why bytes are no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the record is empty")]
    Empty,
    #[error(
        "the record has frame version {0}, this gateway reads up to version {MARKED}; was it written by a newer one?"
    )]
    Version(u8),
    #[error("the record does not decode as a reading: {0}")]
    Damaged(String),
}

/// Appends the reading's frame to `out`.
#[must_use]
pub fn encode(reading: &Reading, mut out: Vec<u8>) -> Vec<u8> {
    match reading.backfilled {
        true => out.extend_from_slice(&[MARKED, BACKFILLED]),
        false => out.push(PLAIN),
    }
    postcard::to_extend(reading, out)
        .expect("a reading has no type that postcard refuses, and a vector takes all")
}

/// The same reading in a frame that keeps its origin: the one that it has, or else `origin`.
///
/// # Errors
/// When the bytes are not a frame of a known version.
pub fn keep_origin(bytes: &[u8], origin: Origin) -> Result<Vec<u8>, FrameError> {
    match bytes.split_first() {
        None => Err(FrameError::Empty),
        Some((&WITH_ORIGIN, _)) => Ok(bytes.to_vec()),
        Some((&PLAIN, body)) => Ok(with_origin(vec![WITH_ORIGIN], origin, body)),
        Some((&MARKED, body)) => {
            let (marks, body) = marks(body)?;
            if marks & HAS_ORIGIN != 0 {
                return Ok(bytes.to_vec());
            }
            Ok(with_origin(vec![MARKED, marks | HAS_ORIGIN], origin, body))
        }
        Some((&version, _)) => Err(FrameError::Version(version)),
    }
}

fn with_origin(mut out: Vec<u8>, origin: Origin, body: &[u8]) -> Vec<u8> {
    out.push(u8::try_from(origin.lane).unwrap_or(b'?'));
    let mut out = postcard::to_extend(&origin.seq, out)
        .expect("a number is no type that postcard refuses, and a vector takes all");
    out.extend_from_slice(body);
    out
}

/// Reads a frame.
///
/// # Errors
/// When the bytes are not a frame of a known version.
pub fn open(bytes: &[u8]) -> Result<Frame, FrameError> {
    match bytes.split_first() {
        None => Err(FrameError::Empty),
        Some((&PLAIN, body)) => Ok(Frame {
            origin: None,
            reading: reading(body)?,
        }),
        Some((&WITH_ORIGIN, body)) => {
            let (origin, body) = take_origin(body)?;
            Ok(Frame {
                origin: Some(origin),
                reading: reading(body)?,
            })
        }
        Some((&MARKED, body)) => {
            let (marks, body) = marks(body)?;
            let (origin, body) = match marks & HAS_ORIGIN {
                0 => (None, body),
                _ => take_origin(body).map(|(origin, body)| (Some(origin), body))?,
            };
            let reading = Reading {
                backfilled: marks & BACKFILLED != 0,
                ..reading(body)?
            };
            Ok(Frame { origin, reading })
        }
        Some((&version, _)) => Err(FrameError::Version(version)),
    }
}

/// Reads a frame's reading.
///
/// # Errors
/// When the bytes are not a frame of a known version.
pub fn decode(bytes: &[u8]) -> Result<Reading, FrameError> {
    open(bytes).map(|frame| frame.reading)
}

fn take_origin(body: &[u8]) -> Result<(Origin, &[u8]), FrameError> {
    let (&letter, body) = body.split_first().ok_or_else(|| no_lane("nothing"))?;
    let lane =
        LaneKind::of_letter(letter.into()).ok_or_else(|| no_lane(&format!("{letter:#04x}")))?;
    let (seq, body) = postcard::take_from_bytes(body).map_err(damaged)?;
    let origin = Origin {
        lane: lane.letter(),
        seq,
    };
    Ok((origin, body))
}

fn marks(body: &[u8]) -> Result<(u8, &[u8]), FrameError> {
    match body.split_first() {
        Some((&marks, body)) if marks & !(BACKFILLED | HAS_ORIGIN) == 0 => Ok((marks, body)),
        Some((&marks, _)) => Err(FrameError::Damaged(format!(
            "the marks {marks:#04x} are unknown"
        ))),
        None => Err(FrameError::Damaged(
            "nothing stands where its marks should".to_owned(),
        )),
    }
}

fn reading(body: &[u8]) -> Result<Reading, FrameError> {
    postcard::from_bytes(body).map_err(damaged)
}

fn damaged(error: postcard::Error) -> FrameError {
    FrameError::Damaged(error.to_string())
}

fn no_lane(found: &str) -> FrameError {
    FrameError::Damaged(format!(
        "{found} stands where the lane of its origin should"
    ))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fieldgate_model::{Class, Quality, Timestamp, Value};
    use proptest::prelude::*;

    use super::*;

    /// Version 1's bytes, so that a later change cannot make old queues unreadable.
    const GOLDEN: &str = "0105732f642f7004000000000000f83f00a88590f705a88590f705010343656c00";

    #[test]
    fn version_1_stays_readable() {
        let at = Timestamp::from_nanos(796_000_596);
        let mut reading = Reading::new("s/d/p".parse().unwrap(), 1.5, at);
        reading.unit = Some("Cel".into());
        let bytes = encode(&reading, Vec::new());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(decode(&bytes).unwrap(), reading);
    }

    /// Version 2's: an origin before the same.
    const GOLDEN_WITH_ORIGIN: &str =
        "0263ac0205732f642f7004000000000000f83f00a88590f705a88590f705010343656c00";

    #[test]
    fn version_2_keeps_the_origin() {
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let at = Timestamp::from_nanos(796_000_596);
        let mut reading = Reading::new("s/d/p".parse().unwrap(), 1.5, at);
        reading.unit = Some("Cel".into());
        let plain = encode(&reading, Vec::new());
        let origin = Origin {
            lane: 'c',
            seq: 300,
        };
        let kept = keep_origin(&plain, origin).unwrap();
        assert_eq!(hex(&kept), GOLDEN_WITH_ORIGIN);
        let frame = Frame {
            origin: Some(origin),
            reading,
        };
        assert_eq!(open(&kept).unwrap(), frame);
        // It came by once already: the first origin stays.
        let again = keep_origin(&kept, Origin { lane: 'n', seq: 9 }).unwrap();
        assert_eq!(open(&again).unwrap(), frame);
        assert_eq!(open(&plain).unwrap().origin, None);
    }

    /// Version 3's: marks before the same, without and with an origin.
    const GOLDEN_MARKED: &str =
        "030105732f642f7004000000000000f83f00a88590f705a88590f705010343656c00";
    const GOLDEN_MARKED_WITH_ORIGIN: &str =
        "030363ac0205732f642f7004000000000000f83f00a88590f705a88590f705010343656c00";

    #[test]
    fn version_3_keeps_the_mark_with_and_without_an_origin() {
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let at = Timestamp::from_nanos(796_000_596);
        let mut reading = Reading::new("s/d/p".parse().unwrap(), 1.5, at);
        (reading.unit, reading.backfilled) = (Some("Cel".into()), true);
        let marked = encode(&reading, Vec::new());
        assert_eq!(hex(&marked), GOLDEN_MARKED);
        let origin = Origin {
            lane: 'c',
            seq: 300,
        };
        let kept = keep_origin(&marked, origin).unwrap();
        let origin = Some(origin);
        assert_eq!(hex(&kept), GOLDEN_MARKED_WITH_ORIGIN);
        let again = keep_origin(&kept, Origin { lane: 'n', seq: 9 }).unwrap();
        for (bytes, origin) in [(marked, None), (kept, origin), (again, origin)] {
            let reading = reading.clone();
            assert_eq!(open(&bytes).unwrap(), Frame { origin, reading });
        }
    }

    #[test]
    fn what_is_no_frame_says_why() {
        assert_eq!(decode(&[]), Err(FrameError::Empty));
        assert_eq!(decode(&[9, 1]), Err(FrameError::Version(9)));
        for damaged in [
            &[1, 255][..],
            &[2],
            &[2, b'x', 1],
            &[2, b'n', 1, 255],
            &[3],
            &[3, 4, 1],
            &[3, 2, b'x', 1],
        ] {
            assert!(matches!(decode(damaged), Err(FrameError::Damaged(_))));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::UInt),
            prop::num::f64::NORMAL.prop_map(Value::Float),
            ".{0,20}".prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..20)
                .prop_map(|data| Value::Bytes(Bytes::from(data))),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                prop::collection::vec((".{0,8}", inner), 0..5).prop_map(Value::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_reading_survives(value in value(), at in any::<i64>(), seen in any::<i64>(), why in ".{0,20}", event in any::<bool>(), backfilled in any::<bool>()) {
            let reading = Reading {
                point: "press/Line 1/Temp".parse().unwrap(),
                value,
                quality: Quality::Uncertain(why.into()),
                at: Timestamp::from_nanos(at),
                seen: Timestamp::from_nanos(seen),
                unit: None,
                class: if event { Class::Event } else { Class::Telemetry },
                backfilled,
            };
            prop_assert_eq!(decode(&encode(&reading, Vec::new())).unwrap(), reading);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
