//! Values of every kind, and what is wrong with some.

use opcua::types::{
    DiagnosticInfo, EUInformation, Guid, LocalizedText, NodeId, QualifiedName, UAString,
    VariantScalarTypeId,
};

use super::*;

fn check(variant: impl Into<Variant>, expected: Value) {
    let variant = variant.into();
    let types = Types::standard();
    assert_eq!(value(variant.clone(), types), Some(expected), "{variant:?}");
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
    let mut node = ExpandedNodeId::new(NodeId::new(2, 7u32));
    check(node.clone(), Value::from("ns=2;i=7"));
    node.namespace_uri = "urn:a;b".into();
    check(node.clone(), Value::from("nsu=urn:a%3Bb;i=7"));
    node.server_index = 1;
    check(node, Value::from("svr=1;nsu=urn:a%3Bb;i=7"));
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
}

/// Fields in their order.
fn fields<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Struct(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

#[test]
fn a_diagnostic_info_has_what_is_there() {
    let diagnostic = |info| Variant::DiagnosticInfo(Box::new(info));
    check(diagnostic(DiagnosticInfo::null()), fields([]));
    check(
        diagnostic(DiagnosticInfo {
            symbolic_id: Some(7),
            additional_info: Some("more".into()),
            inner_status_code: Some(StatusCode::BadTimeout),
            inner_diagnostic_info: Some(Box::new(DiagnosticInfo::null())),
            ..DiagnosticInfo::null()
        }),
        fields([
            ("SymbolicId", Value::Int(7)),
            ("AdditionalInfo", Value::from("more")),
            ("InnerStatusCode", Value::from("BadTimeout")),
            ("InnerDiagnosticInfo", fields([])),
        ]),
    );
}

#[test]
fn a_text_in_several_languages_says_which_is_which() {
    let texts = |locales: [&str; 2]| {
        let texts = locales.map(|locale| Variant::from(LocalizedText::new(locale, "x")));
        Array::new(VariantScalarTypeId::LocalizedText, texts.to_vec()).unwrap()
    };
    let plain = Value::List(vec![Value::from("x"), Value::from("x")]);
    check(texts(["de", "de"]), plain);
    let told = |locale: &str| fields([("Locale", Value::from(locale)), ("Text", Value::from("x"))]);
    check(
        texts(["de", "en"]),
        Value::List(vec![told("de"), told("en")]),
    );
}

#[test]
fn what_is_too_much_or_too_deep_is_no_value() {
    let types = Types::standard();
    let mut deep = Variant::Int16(7);
    for _ in 0..MAX_DEPTH {
        deep = Variant::Variant(Box::new(deep));
    }
    assert_eq!(value(deep.clone(), types), Some(Value::Int(7)));
    assert_eq!(value(Variant::Variant(Box::new(deep)), types), None);
    let row = || {
        let zeros = vec![Variant::Boolean(false); MAX_ARRAY_LENGTH];
        let row = Array::new(VariantScalarTypeId::Boolean, zeros).unwrap();
        Variant::Variant(Box::new(row.into()))
    };
    let rows = |count| Array::new(VariantScalarTypeId::Variant, vec![row(); count]).unwrap();
    assert!(value(rows(3).into(), types).is_some());
    assert_eq!(value(rows(4).into(), types), None);
    let bad = observed(DataValue::from(Variant::from(rows(4))), types);
    assert_eq!((bad.value, bad.quality), (Value::Null, too_large()));
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
        fields([
            ("TypeId", Value::from(type_id)),
            ("Body", Value::Bytes(body.into())),
        ])
    };
    check(
        ExtensionObject::from_message(raw),
        expected("ns=2;i=5001", vec![1]),
    );
    let unit = EUInformation {
        namespace_uri: "urn:un".into(),
        unit_id: 4_408_652,
        display_name: "°C".into(),
        description: "degree Celsius".into(),
    };
    check(
        ExtensionObject::from_message(unit),
        fields([
            ("NamespaceUri", Value::from("urn:un")),
            ("UnitId", Value::Int(4_408_652)),
            ("DisplayName", Value::from("°C")),
            ("Description", Value::from("degree Celsius")),
        ]),
    );
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
        observed(data, Types::standard()).at
    };
    let (early, late) = (DateTime::ymd(2020, 1, 1), DateTime::ymd(2021, 1, 1));
    assert_eq!(at(early, late), timestamp(early, None));
    assert_eq!(at(DateTime::null(), late), timestamp(late, None));
    assert_eq!(at(DateTime::endtimes(), late), timestamp(late, None));
    assert_eq!(at(DateTime::endtimes(), DateTime::null()), None);
    check(
        DateTime::endtimes(),
        Value::from("9999-12-31T23:59:59+00:00"),
    );
}

#[test]
fn the_status_becomes_the_quality() {
    let with = |code: StatusCode| {
        let data = DataValue {
            status: Some(code),
            ..DataValue::null()
        };
        observed(data, Types::standard())
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

#[test]
fn every_status_has_its_name() {
    for (bits, quality) in [
        (0x0000_0000u32, Quality::Good),
        (0x002E_0000, Quality::Good),
        (0x408F_0000, Quality::Uncertain("UncertainNoCommunicationLastUsableValue: the last value before the device was lost".into())),
        (0x4000_0000, Quality::Uncertain("Uncertain: the server is not sure of the value".into())),
        (0x8000_0000, Quality::Bad("Bad: the server says no more".into())),
        (0x808B_0000, Quality::Bad("BadDeviceFailure: the device failed".into())),
    ] {
        let data = DataValue {
            status: Some(StatusCode::from(bits)),
            ..DataValue::null()
        };
        assert_eq!(observed(data, Types::standard()).quality, quality);
    }
}

#[test]
fn picoseconds_reach_the_nanoseconds() {
    let tick = DateTime::from(132_514_560_000_000_001i64);
    let at = |picoseconds| timestamp(tick, picoseconds).unwrap().nanos();
    let plain = at(None);
    assert_eq!(plain % 1_000, 100);
    for (picoseconds, nanos) in [
        (0, 0),
        (99, 0),
        (100, 1),
        (9_999, 99),
        (10_000, 0),
        (u16::MAX, 0),
    ] {
        assert_eq!(at(Some(picoseconds)), plain + nanos, "{picoseconds}");
    }
}

mod structures;
