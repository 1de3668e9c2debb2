//! Tables of what is written as what, and of what is refused.

use fieldgate_kit::command::value_of_json;
use serde_json::{Value as Json, json};

use super::*;

fn shape(of: Type, rank: i32, dimensions: &[u32]) -> Shape {
    Shape {
        scalar: Some(of),
        name: format!("{of:?}"),
        rank,
        dimensions: dimensions.to_vec(),
    }
}

fn encoded(json: Json, shape: &Shape) -> Result<Variant, String> {
    variant(&value_of_json(json).unwrap(), shape)
}

#[track_caller]
fn check(of: Type, json: Json, expected: impl Into<Variant>) {
    assert_eq!(encoded(json, &shape(of, -1, &[])), Ok(expected.into()));
}

#[track_caller]
fn check_refused(of: Type, json: Json, expected: &str) {
    let why = encoded(json.clone(), &shape(of, -1, &[])).unwrap_err();
    assert!(why.contains(expected), "{json}: {why}");
}

#[test]
fn every_scalar_is_written_as_what_it_is() {
    check(Type::Boolean, json!(true), true);
    check(Type::SByte, json!(-128), i8::MIN);
    check(Type::Byte, json!(255), u8::MAX);
    check(Type::Int16, json!(-32768), i16::MIN);
    check(Type::UInt16, json!(65535), u16::MAX);
    check(Type::Int32, json!(7.0), 7i32);
    check(Type::UInt32, json!(u32::MAX), u32::MAX);
    check(Type::Int64, json!(i64::MIN), i64::MIN);
    check(Type::UInt64, json!(u64::MAX), u64::MAX);
    check(Type::Float, json!(21.3), 21.3f32);
    check(Type::Float, json!(7), 7f32);
    check(Type::Double, json!(80.5), 80.5f64);
    check(Type::Double, json!("Infinity"), f64::INFINITY);
    check(Type::String, json!("on"), "on");
    check(
        Type::ByteString,
        json!("AQI="),
        ByteString::from(vec![1, 2]),
    );
    check(
        Type::DateTime,
        json!("2026-11-23T18:22:52Z"),
        DateTime::ymd_hms(2026, 11, 23, 18, 22, 52),
    );
    check(
        Type::Guid,
        json!("72962b91-fa75-4ae6-8d28-b404dc7daf63"),
        "72962b91-fa75-4ae6-8d28-b404dc7daf63"
            .parse::<Guid>()
            .unwrap(),
    );
    check(Type::NodeId, json!("ns=2;s=Temp"), NodeId::new(2, "Temp"));
    check(
        Type::QualifiedName,
        json!("2:Name"),
        QualifiedName::new(2, "Name"),
    );
    check(
        Type::LocalizedText,
        json!("heiß"),
        LocalizedText::new("", "heiß"),
    );
    check(
        Type::LocalizedText,
        json!({ "text": "heiß", "locale": "de" }),
        LocalizedText::new("de", "heiß"),
    );
    check(Type::StatusCode, json!(0), StatusCode::Good);
    let nan = encoded(json!("NaN"), &shape(Type::Double, -1, &[])).unwrap();
    assert!(matches!(nan, Variant::Double(number) if number.is_nan()));
}

#[test]
fn nothing_is_guessed_rounded_or_cut() {
    check_refused(Type::Boolean, json!(1), "a whole number is no Boolean");
    check_refused(Type::Boolean, json!("true"), "a text is no Boolean");
    check_refused(Type::Byte, json!(256), "256 is out of the range of Byte");
    check_refused(Type::UInt16, json!(-1), "-1 is out of the range of UInt16");
    check_refused(Type::Int32, json!(7.5), "7.5 is no whole number");
    check_refused(Type::Int32, json!("7"), "a text is no Int32");
    check_refused(Type::Int64, json!(u64::MAX), "out of the range of Int64");
    check_refused(Type::Int64, json!(1e300), "no whole number");
    check_refused(
        Type::Double,
        json!(u64::MAX),
        "more digits than Double keeps",
    );
    check_refused(Type::Double, json!("80.5"), "a text is no Double");
    check_refused(Type::Float, json!(1e300), "out of the range of Float");
    check_refused(
        Type::Float,
        json!(16_777_217),
        "more digits than Float keeps",
    );
    check_refused(Type::String, json!(7), "put it in quotes");
    check_refused(Type::DateTime, json!("yesterday"), "it is no time");
    check_refused(Type::Guid, json!("x"), "it is no Guid");
    check_refused(Type::ByteString, json!("%"), "it is no Base64");
    check_refused(Type::NodeId, json!("Temp"), "it is no node id");
    check_refused(Type::Double, json!(null), "nothing (null) is no Double");
    check_refused(Type::Double, json!({ "a": 1 }), "a structure is no Double");
    check_refused(
        Type::ExtensionObject,
        json!({ "a": 1 }),
        "cannot be written",
    );
}

#[test]
fn lists_and_matrices_have_the_shape_that_is_wanted() {
    let list = shape(Type::Int32, 1, &[0]);
    assert_eq!(encoded(json!([1, 2]), &list), Ok(vec![1i32, 2].into()));
    assert_eq!(encoded(json!([]), &list), Ok(Vec::<i32>::new().into()));
    let matrix = encoded(json!([[1, 2, 3], [4, 5, 6]]), &shape(Type::Int32, 2, &[]));
    let numbers: Vec<Variant> = (1..7).map(Variant::Int32).collect();
    let expected = Array::new_multi(Type::Int32, numbers, vec![2u32, 3]).unwrap();
    assert_eq!(matrix, Ok(expected.into()));
    for (json, rank, dimensions, expected) in [
        (
            json!(7),
            1,
            &[][..],
            "a single value, and a list of Int32 is wanted",
        ),
        (
            json!([7]),
            -1,
            &[],
            "it is a list, and a single Int32 is wanted",
        ),
        (
            json!([1, 2]),
            1,
            &[3],
            "it has 2 elements, and a list of 3 Int32 is wanted",
        ),
        (json!([[1]]), 1, &[], "it has 2 dimensions"),
        (json!([1]), 2, &[], "it has 1 dimensions"),
        (json!([[1, 2], [3]]), 2, &[], "different lengths"),
        (json!([[1], 2]), 2, &[], "mixes lists and single values"),
        (json!([[2], [[1]]]), 0, &[], "mixes lists and single values"),
        (json!([[[1]], [2]]), 0, &[], "stands where a list is wanted"),
        (json!([1, "x"]), 1, &[], "a text is no Int32"),
    ] {
        let why = encoded(json.clone(), &shape(Type::Int32, rank, dimensions)).unwrap_err();
        assert!(why.contains(expected), "{json}: {why}");
    }
    for rank in [-3, -2, 0] {
        assert!(encoded(json!([1]), &shape(Type::Int32, rank, &[])).is_ok());
    }
    let long = Value::List(vec![Value::Int(1); MAX_ELEMENTS + 1]);
    assert!(variant(&long, &list).unwrap_err().contains("more than"));
}

#[test]
fn where_any_type_is_taken_it_is_the_values_own() {
    let any = Shape {
        scalar: None,
        name: "BaseDataType".into(),
        rank: -2,
        dimensions: vec![],
    };
    assert_eq!(encoded(json!(7), &any), Ok(Variant::Int64(7)));
    assert_eq!(encoded(json!([true]), &any), Ok(vec![true].into()));
    assert!(encoded(json!([]), &any).is_err());
    assert!(encoded(json!(null), &any).is_err());
    assert!(
        encoded(json!([1, "x"]), &any)
            .unwrap_err()
            .contains("several types")
    );
}
