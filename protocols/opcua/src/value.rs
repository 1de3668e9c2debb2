//! The protocol's values turned into ours: pure, and with `session.rs` and the simulator the only file that names the vendor's types.
//!
//! Variants are OPC UA Part 6, 5.1.9; what a DataValue's status and timestamps mean is Part 4, 7.11.

use bytes::Bytes;
use fieldgate_model::{Quality, Timestamp, Value};
use opcua::types::{
    Array, ByteString, ContextOwned, DataValue, DateTime, ExtensionObject, StatusCode, Variant,
    status_code::SubStatusCode, type_loader::ByteStringBody,
};

use crate::{connection::Observed, status::Status};

/// Decimals at which a Float is still sure to fit an exact product of 10 in a double.
const MAX_DECIMALS: i32 = 9;

/// A DataValue in our words; `None` when the value is of a kind that has none.
pub(crate) fn observed(data: DataValue) -> Option<Observed> {
    let status = data.status.unwrap_or(StatusCode::Good);
    let time = |at: Option<DateTime>| at.as_ref().and_then(timestamp);
    Some(Observed {
        value: match data.value {
            Some(variant) => value(variant)?,
            None => Value::Null,
        },
        quality: quality(status),
        at: time(data.source_timestamp).or_else(|| time(data.server_timestamp)),
        overflow: status.overflow(),
    })
}

/// A Variant in our words; `None` for a DiagnosticInfo, which is no value.
pub(crate) fn value(variant: Variant) -> Option<Value> {
    Some(match variant {
        Variant::Empty => Value::Null,
        Variant::Boolean(truth) => Value::Bool(truth),
        Variant::SByte(number) => Value::Int(number.into()),
        Variant::Byte(number) => Value::UInt(number.into()),
        Variant::Int16(number) => Value::Int(number.into()),
        Variant::UInt16(number) => Value::UInt(number.into()),
        Variant::Int32(number) => Value::Int(number.into()),
        Variant::UInt32(number) => Value::UInt(number.into()),
        Variant::Int64(number) => Value::Int(number),
        Variant::UInt64(number) => Value::UInt(number),
        Variant::Float(number) => Value::Float(widen(number)),
        Variant::Double(number) => Value::Float(number),
        Variant::String(text) => Value::Text(text.into()),
        Variant::DateTime(at) => Value::Text(date_time(&at)),
        Variant::Guid(guid) => Value::Text(guid.to_string()),
        Variant::StatusCode(code) => Value::Text(status(code).name().to_owned()),
        Variant::ByteString(bytes) => bytes_of(bytes),
        Variant::XmlElement(xml) => Value::Text(xml.to_string()),
        Variant::QualifiedName(name) => Value::Text(match name.namespace_index {
            0 => name.name.into(),
            index => format!("{index}:{}", name.name),
        }),
        Variant::LocalizedText(text) => Value::Text(text.text.into()),
        Variant::NodeId(node) => Value::Text(node.to_string()),
        Variant::ExpandedNodeId(node) => Value::Text(node.to_string()),
        Variant::ExtensionObject(object) => extension_object(object),
        Variant::Variant(inner) => value(*inner)?,
        Variant::DataValue(inner) => observed(*inner)?.value,
        Variant::DiagnosticInfo(_) => return None,
        Variant::Array(array) => list(*array)?,
    })
}

/// The status by its name.
pub(crate) fn status(code: StatusCode) -> Status {
    match code.sub_code() {
        SubStatusCode::Invalid => Status::unknown(code.bits()),
        known => Status::named(known.name()),
    }
}

fn quality(code: StatusCode) -> Quality {
    if code.is_good() {
        Quality::Good
    } else if code.is_uncertain() {
        Quality::Uncertain(status(code).to_string().into())
    } else {
        Quality::Bad(status(code).to_string().into())
    }
}

/// `None` for "no time" (the year 1601) and for years outside of 1677 to 2262.
fn timestamp(at: &DateTime) -> Option<Timestamp> {
    if at.is_null() {
        return None;
    }
    at.as_chrono()
        .timestamp_nanos_opt()
        .map(Timestamp::from_nanos)
}

fn date_time(at: &DateTime) -> String {
    match at.as_chrono().timestamp_nanos_opt() {
        Some(nanos) => Timestamp::from_nanos(nanos).to_string(),
        None => at.as_chrono().to_rfc3339(),
    }
}

/// The double that prints like the float: 21.3 stays 21.3, not 21.299999237060547.
#[expect(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "the exact way back is the question"
)]
fn widen(number: f32) -> f64 {
    let exact = f64::from(number);
    if !exact.is_finite() || exact.fract() == 0.0 {
        return exact;
    }
    let magnitude = exact.abs();
    if (1e-3..1e6).contains(&magnitude) {
        for decimals in 1..=MAX_DECIMALS {
            let power = 10f64.powi(decimals);
            let short = (exact * power).round() / power;
            if short as f32 == number {
                return short;
            }
        }
    }
    number.to_string().parse().unwrap_or(exact)
}

fn bytes_of(bytes: ByteString) -> Value {
    Value::Bytes(bytes.value.map(Bytes::from).unwrap_or_default())
}

/// A matrix becomes nested lists; its last dimension changes fastest (Part 6, 5.2.2.16).
fn list(array: Array) -> Option<Value> {
    let flat: Option<Vec<Value>> = array.values.into_iter().map(value).collect();
    let flat = flat?;
    let dimensions: Vec<usize> = array
        .dimensions
        .unwrap_or_default()
        .into_iter()
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX))
        .collect();
    let product = dimensions
        .iter()
        .try_fold(1usize, |product, length| product.checked_mul(*length));
    if dimensions.len() < 2 || product != Some(flat.len()) || flat.is_empty() {
        return Some(Value::List(flat));
    }
    let mut level = flat;
    for length in dimensions.iter().skip(1).rev() {
        let mut values = level.into_iter();
        let mut rows = Vec::new();
        loop {
            let row: Vec<Value> = values.by_ref().take(*length).collect();
            if row.is_empty() {
                break;
            }
            rows.push(Value::List(row));
        }
        level = rows;
    }
    Some(Value::List(level))
}

/// Its type and its bytes; the fields of structures are not read yet.
fn extension_object(object: ExtensionObject) -> Value {
    let Some(body) = &object.body else {
        return Value::Null;
    };
    let (type_id, bytes) = match object.inner_as::<ByteStringBody>() {
        Some(raw) => (
            raw.encoding_id().to_string(),
            raw.raw_body().value.clone().unwrap_or_default(),
        ),
        None => {
            let mut bytes = Vec::new();
            let context = ContextOwned::default();
            if body.encode_binary(&mut bytes, &context.context()).is_err() {
                bytes.clear();
            }
            (body.binary_type_id().to_string(), bytes)
        }
    };
    Value::Struct(vec![
        ("TypeId".to_owned(), Value::Text(type_id)),
        ("Body".to_owned(), Value::Bytes(bytes.into())),
    ])
}

#[cfg(test)]
mod tests {
    use opcua::types::{
        DiagnosticInfo, EUInformation, Guid, LocalizedText, NodeId, QualifiedName, UAString,
        VariantScalarTypeId,
    };

    use super::*;

    fn check(variant: impl Into<Variant>, expected: Value) {
        let variant = variant.into();
        assert_eq!(value(variant.clone()), Some(expected), "{variant:?}");
    }

    #[test]
    fn every_scalar_keeps_its_meaning() {
        check(true, Value::Bool(true));
        check(i8::MIN, Value::Int(-128));
        check(u8::MAX, Value::UInt(255));
        check(i16::MIN, Value::Int(-32768));
        check(u16::MAX, Value::UInt(65535));
        check(i32::MIN, Value::Int(i32::MIN.into()));
        check(u32::MAX, Value::UInt(u32::MAX.into()));
        check(i64::MIN, Value::Int(i64::MIN));
        check(u64::MAX, Value::UInt(u64::MAX));
        check(0.1f64, Value::Float(0.1));
        check("text", Value::from("text"));
        check(UAString::null(), Value::from(""));
        check(
            ByteString::from(vec![1, 2]),
            Value::Bytes(vec![1, 2].into()),
        );
        check(StatusCode::BadTimeout, Value::from("BadTimeout"));
        check(LocalizedText::new("de", "heiß"), Value::from("heiß"));
        check(QualifiedName::new(2, "Name"), Value::from("2:Name"));
        check(NodeId::new(2, "Temp"), Value::from("ns=2;s=Temp"));
        check(
            Guid::null(),
            Value::from("00000000-0000-0000-0000-000000000000"),
        );
        check(
            DateTime::ymd_hms(2026, 11, 23, 18, 22, 52),
            Value::from("2026-11-23T18:22:52.000Z"),
        );
        check(Variant::Empty, Value::Null);
        check(Variant::Variant(Box::new(Variant::Int16(7))), Value::Int(7));
        assert_eq!(
            value(Variant::DiagnosticInfo(Box::new(DiagnosticInfo::null()))),
            None
        );
    }

    #[test]
    fn a_float_prints_as_it_was_meant() {
        for (number, text) in [
            (21.3f32, "21.3"),
            (0.1, "0.1"),
            (-273.15, "-273.15"),
            (1.0, "1"),
            (16_777_216.0, "16777216"),
            (1e-7, "0.0000001"),
            (123_456.79, "123456.79"),
            (f32::MAX, &f64::from(f32::MAX).to_string()),
            (f32::INFINITY, "inf"),
        ] {
            assert_eq!(widen(number).to_string(), text);
        }
        assert!(widen(f32::NAN).is_nan());
    }

    #[test]
    fn a_float_survives_the_way_there_and_back() {
        let mut bits = 1u32;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = f32::from_bits(bits);
            if number.is_finite() {
                #[expect(clippy::cast_possible_truncation, reason = "the way back")]
                let back = widen(number) as f32;
                assert_eq!(back.to_bits(), number.to_bits(), "{number}");
                if (1e-3..1e6).contains(&number.abs()) {
                    assert_eq!(widen(number), number.to_string().parse::<f64>().unwrap());
                }
            }
        }
    }

    #[test]
    fn a_matrix_becomes_nested_lists() {
        let numbers = |range: std::ops::Range<i32>| range.map(Variant::Int32).collect::<Vec<_>>();
        let matrix =
            Array::new_multi(VariantScalarTypeId::Int32, numbers(0..6), vec![2u32, 3]).unwrap();
        let row = |range: std::ops::Range<i64>| Value::List(range.map(Value::Int).collect());
        check(matrix, Value::List(vec![row(0..3), row(3..6)]));
        check(
            vec![1i32, 2],
            Value::List(vec![Value::Int(1), Value::Int(2)]),
        );
        let mut lying = Array::new(VariantScalarTypeId::Int32, numbers(0..3)).unwrap();
        lying.dimensions = Some(vec![u32::MAX, u32::MAX, u32::MAX]);
        check(
            lying,
            Value::List(vec![Value::Int(0), Value::Int(1), Value::Int(2)]),
        );
    }

    #[test]
    fn a_structure_keeps_its_bytes() {
        let raw = ByteStringBody::new(ByteString::from(vec![1]), NodeId::new(2, 5001));
        let expected = |type_id: &str, body: Vec<u8>| {
            Value::Struct(vec![
                ("TypeId".to_owned(), Value::from(type_id)),
                ("Body".to_owned(), Value::Bytes(body.into())),
            ])
        };
        check(
            ExtensionObject::from_message(raw),
            expected("ns=2;i=5001", vec![1]),
        );
        let Some(Value::Struct(fields)) =
            value(ExtensionObject::from_message(EUInformation::default()).into())
        else {
            panic!("a structure");
        };
        assert!(matches!(&fields[1].1, Value::Bytes(bytes) if !bytes.is_empty()));
    }

    #[test]
    fn times_fall_back_and_never_panic() {
        let at = |source: DateTime, server: DateTime| {
            let data = DataValue {
                value: Some(Variant::Empty),
                source_timestamp: Some(source),
                server_timestamp: Some(server),
                ..DataValue::null()
            };
            observed(data).unwrap().at
        };
        let (early, late) = (DateTime::ymd(2020, 1, 1), DateTime::ymd(2021, 1, 1));
        assert_eq!(at(early, late), timestamp(&early));
        assert_eq!(at(DateTime::null(), late), timestamp(&late));
        assert_eq!(at(DateTime::endtimes(), late), timestamp(&late));
        assert_eq!(at(DateTime::endtimes(), DateTime::null()), None);
        check(
            DateTime::endtimes(),
            Value::from("9999-12-31T23:59:59+00:00"),
        );
    }

    #[test]
    fn the_status_becomes_the_quality() {
        let with = |code: StatusCode| {
            observed(DataValue {
                status: Some(code),
                ..DataValue::null()
            })
            .unwrap()
        };
        assert_eq!(with(StatusCode::Good).quality, Quality::Good);
        assert_eq!(
            with(StatusCode::BadNodeIdUnknown).quality,
            Quality::Bad("BadNodeIdUnknown: the server no longer has this node".into())
        );
        assert_eq!(
            with(StatusCode::UncertainSubNormal).quality,
            Quality::Uncertain("UncertainSubNormal: fewer good sources than required".into())
        );
        let overflow = with(StatusCode::from(0x480));
        assert_eq!((overflow.quality, overflow.overflow), (Quality::Good, true));
        assert_eq!(
            with(StatusCode::from(0x80FE_0000)).quality.why(),
            Some("0x80FE0000")
        );
    }
}
