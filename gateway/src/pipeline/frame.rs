//! A reading as bytes on the disk, and back.
//!
//! The first byte is the frame's version. Version 1 is the postcard encoding of `Reading`, whose fields and enum
//! variants must keep their order; a change of either is version 2, and version 1 stays readable.

use fieldgate_model::Reading;

const VERSION: u8 = 1;

/// Why bytes are no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the record is empty")]
    Empty,
    #[error(
        "the record has frame version {0}, this gateway reads version {VERSION}; was it written by a newer one?"
    )]
    Version(u8),
    #[error("the record does not decode as a reading: {0}")]
    Damaged(String),
}

/// Appends the reading's frame to `out`.
#[must_use]
pub fn encode(reading: &Reading, mut out: Vec<u8>) -> Vec<u8> {
    out.push(VERSION);
    postcard::to_extend(reading, out)
        .expect("a reading has no type that postcard refuses, and a vector takes all")
}

/// Reads a frame.
///
/// # Errors
/// When the bytes are not a frame of a known version.
pub fn decode(bytes: &[u8]) -> Result<Reading, FrameError> {
    match bytes.split_first() {
        None => Err(FrameError::Empty),
        Some((&VERSION, body)) => {
            postcard::from_bytes(body).map_err(|error| FrameError::Damaged(error.to_string()))
        }
        Some((&version, _)) => Err(FrameError::Version(version)),
    }
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

    #[test]
    fn what_is_no_frame_says_why() {
        assert_eq!(decode(&[]), Err(FrameError::Empty));
        assert_eq!(decode(&[9, 1]), Err(FrameError::Version(9)));
        assert!(matches!(decode(&[1, 255]), Err(FrameError::Damaged(_))));
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
        fn every_reading_survives(value in value(), at in any::<i64>(), seen in any::<i64>(), why in ".{0,20}", event in any::<bool>()) {
            let reading = Reading {
                point: "press/Line 1/Temp".parse().unwrap(),
                value,
                quality: Quality::Uncertain(why.into()),
                at: Timestamp::from_nanos(at),
                seen: Timestamp::from_nanos(seen),
                unit: None,
                class: if event { Class::Event } else { Class::Telemetry },
            };
            prop_assert_eq!(decode(&encode(&reading, Vec::new())).unwrap(), reading);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
