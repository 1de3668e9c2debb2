//! Structures by their definitions, as a server describes and sends them.

use std::collections::HashMap;

use opcua::types::{
    BinaryEncodable, DataTypeDefinition, DataTypeId, EnumDefinition, EnumField,
    StructureDefinition, StructureField, StructureType,
};

use super::*;

const NAMESPACE: u16 = 2;

/// The bytes of a body.
#[derive(Default, Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(mut self, part: impl BinaryEncodable) -> Self {
        let context = ContextOwned::default();
        part.encode(&mut self.0, &context.context()).unwrap();
        self
    }
}

fn field(name: &str, data_type: impl Into<NodeId>, rank: i32, optional: bool) -> StructureField {
    StructureField {
        name: name.into(),
        data_type: data_type.into(),
        value_rank: rank,
        is_optional: optional,
        ..StructureField::default()
    }
}

fn described(
    structure_type: StructureType,
    encoding: u32,
    fields: Vec<StructureField>,
) -> Described {
    Described {
        definition: Some(DataTypeDefinition::Structure(StructureDefinition {
            default_encoding_id: NodeId::new(NAMESPACE, encoding),
            base_data_type: DataTypeId::Structure.into(),
            structure_type,
            fields: Some(fields),
        })),
        supertype: Some(DataTypeId::Structure.into()),
        ..Described::default()
    }
}

fn enumeration_described(supertype: DataTypeId, names: &[(i64, &str)]) -> Described {
    let fields = names.iter().map(|(value, name)| EnumField {
        value: *value,
        name: (*name).into(),
        ..EnumField::default()
    });
    Described {
        definition: Some(DataTypeDefinition::Enum(EnumDefinition {
            fields: Some(fields.collect()),
        })),
        supertype: Some(supertype.into()),
        ..Described::default()
    }
}

/// A made-up press: structures 1 to 6 with their encodings 101 to 106, and enumerations.
fn types() -> Types {
    use StructureType as Kind;
    let id = |number: u32| NodeId::new(NAMESPACE, number);
    let all = [
        (
            1,
            described(
                Kind::Structure,
                101,
                vec![
                    field("Name", DataTypeId::String, -1, false),
                    field("Load", DataTypeId::Duration, -1, false),
                    field("State", id(10), -1, false),
                    field("Options", id(11), -1, false),
                ],
            ),
        ),
        (
            2,
            described(
                Kind::StructureWithOptionalFields,
                102,
                vec![
                    field("A", DataTypeId::Int16, -1, true),
                    field("B", DataTypeId::Int16, -1, false),
                    field("C", DataTypeId::Int16, -1, true),
                ],
            ),
        ),
        (
            3,
            described(
                Kind::Union,
                103,
                vec![
                    field("Number", DataTypeId::Double, -1, false),
                    field("Press", id(1), -1, false),
                ],
            ),
        ),
        (
            4,
            described(
                Kind::Structure,
                104,
                vec![
                    field("Presses", id(2), 1, false),
                    field("Matrix", DataTypeId::UInt16, 2, false),
                    field("Any", DataTypeId::BaseDataType, -1, false),
                    field("Object", DataTypeId::Structure, -1, false),
                ],
            ),
        ),
        (
            5,
            described(Kind::Structure, 105, vec![field("Again", id(5), -1, false)]),
        ),
        (
            6,
            described(
                Kind::StructureWithSubtypedValues,
                106,
                vec![
                    field("Value", id(2), -1, true),
                    field("Number", DataTypeId::Double, -1, true),
                ],
            ),
        ),
        (
            10,
            enumeration_described(DataTypeId::Enumeration, &[(0, "Off"), (5, "On")]),
        ),
        (
            11,
            enumeration_described(DataTypeId::UInt16, &[(0, "Hot"), (1, "Full")]),
        ),
    ];
    let described: HashMap<NodeId, Described> = all
        .into_iter()
        .map(|(number, described)| (id(number), described))
        .collect();
    let mut types = Types::default();
    learn(&mut types, &described);
    types
}

fn sent(encoding: u32, body: Vec<u8>) -> Variant {
    let raw = ByteStringBody::new(ByteString::from(body), NodeId::new(NAMESPACE, encoding));
    ExtensionObject::from_message(raw).into()
}

#[track_caller]
fn check(encoding: u32, body: Bytes, expected: Value) {
    assert_eq!(value(sent(encoding, body.0), &types()), Some(expected));
}

fn press() -> Bytes {
    Bytes::default()
        .put(UAString::from("A"))
        .put(1.5f64)
        .put(5i32)
        .put(3u16)
}

fn press_value() -> Value {
    fields([
        ("Name", Value::from("A")),
        ("Load", Value::Float(1.5)),
        (
            "State",
            fields([("Name", Value::from("On")), ("Value", Value::Int(5))]),
        ),
        (
            "Options",
            fields([
                (
                    "Names",
                    Value::List(vec![Value::from("Hot"), Value::from("Full")]),
                ),
                ("Value", Value::UInt(3)),
            ]),
        ),
    ])
}

#[test]
fn fields_are_named_and_enumerations_in_them_too() {
    check(101, press(), press_value());
    // Some servers send the data type's own id.
    check(1, press(), press_value());
}

#[test]
fn optional_fields_are_there_or_left_out() {
    let body = |mask: u32, numbers: &[i16]| {
        let body = Bytes::default().put(mask);
        numbers.iter().fold(body, |body, number| body.put(*number))
    };
    let (a, b, c) = (
        ("A", Value::Int(1)),
        ("B", Value::Int(2)),
        ("C", Value::Int(3)),
    );
    check(102, body(0, &[2]), fields([b.clone()]));
    check(102, body(1, &[1, 2]), fields([a.clone(), b.clone()]));
    check(102, body(2, &[2, 3]), fields([b.clone(), c.clone()]));
    check(102, body(3, &[1, 2, 3]), fields([a, b, c]));
}

#[test]
fn a_union_has_the_one_field_that_it_is() {
    check(103, Bytes::default().put(0u32), fields([]));
    check(
        103,
        Bytes::default().put(1u32).put(2.5f64),
        fields([("Number", Value::Float(2.5))]),
    );
    let mut body = Bytes::default().put(2u32);
    body.0.extend(press().0);
    check(103, body, fields([("Press", press_value())]));
}

#[test]
fn arrays_matrices_and_values_of_any_type_are_fields() {
    let body = Bytes::default()
        .put(2i32)
        .put(0u32)
        .put(7i16)
        .put(0u32)
        .put(8i16)
        .put(Some(vec![2i32, 2]))
        .put(1u16)
        .put(2u16)
        .put(3u16)
        .put(4u16)
        .put(Variant::from(true))
        .put(ExtensionObject::from_message(ByteStringBody::new(
            ByteString::from(press().0),
            NodeId::new(NAMESPACE, 101u32),
        )));
    let row = |a, b| Value::List(vec![Value::UInt(a), Value::UInt(b)]);
    check(
        104,
        body,
        fields([
            (
                "Presses",
                Value::List(vec![
                    fields([("B", Value::Int(7))]),
                    fields([("B", Value::Int(8))]),
                ]),
            ),
            ("Matrix", Value::List(vec![row(1, 2), row(3, 4)])),
            ("Any", Value::Bool(true)),
            ("Object", press_value()),
        ]),
    );
}

#[test]
fn a_field_that_may_be_a_subtype_is_sent_with_its_type() {
    let inner = ByteStringBody::new(
        ByteString::from(Bytes::default().put(0u32).put(7i16).0),
        NodeId::new(NAMESPACE, 102u32),
    );
    let body = Bytes::default()
        .put(ExtensionObject::from_message(inner))
        .put(Variant::from(3i32));
    check(
        106,
        body,
        fields([
            ("Value", fields([("B", Value::Int(7))])),
            ("Number", Value::Int(3)),
        ]),
    );
}

#[test]
fn what_does_not_fit_its_definition_keeps_its_bytes() {
    let raw = |encoding: u32, body: &[u8]| {
        let expected = fields([
            ("TypeId", Value::Text(format!("ns=2;i={encoding}"))),
            ("Body", Value::Bytes(body.to_vec().into())),
        ]);
        check(encoding, Bytes(body.to_vec()), expected);
    };
    let mut longer = press().0;
    longer.push(0);
    raw(101, &longer);
    raw(101, &press().0[..5]);
    raw(199, &[1, 2, 3]);
    // A field that contains its own structure has no end.
    raw(105, &[1]);
    // Array lengths that nobody can send.
    raw(104, &[0xFF, 0xFF, 0xFF, 0x7F]);
    raw(103, &[9, 0, 0, 0]);
}

#[test]
fn names_are_inherited_and_circles_end() {
    let id = |number: u32| NodeId::new(NAMESPACE, number);
    let below = |supertype: NodeId| Described {
        supertype: Some(supertype),
        ..Described::default()
    };
    let described = HashMap::from([
        (id(1), below(id(2))),
        (id(2), below(id(1))),
        (id(3), below(id(4))),
        (
            id(4),
            Described {
                names: Some(vec![(0, "Zero".to_owned())]),
                ..below(DataTypeId::Enumeration.into())
            },
        ),
        (id(5), below(DataTypeId::Structure.into())),
        (id(6), below(DataTypeId::Double.into())),
    ]);
    let mut types = Types::default();
    learn(&mut types, &described);
    assert!(types.kind(&id(1)).is_none() && !types.is_news(&id(1)));
    assert_eq!(types.enumeration(&id(3)).unwrap().name(0), Some("Zero"));
    assert!(types.kind(&id(5)).is_none(), "no definition, no fields");
    assert_eq!(types.kind(&id(6)), types.kind(&DataTypeId::Double.into()));
}

#[test]
fn what_nobody_knows_is_asked_for_once() {
    let mut types = types();
    let unknown = sent(500, vec![1]);
    let list = Array::new(VariantScalarTypeId::ExtensionObject, vec![unknown]).unwrap();
    let mut found = Vec::new();
    news(&list.clone().into(), &types, &mut found);
    news(&sent(101, vec![]), &types, &mut found);
    assert_eq!(found, [NodeId::new(NAMESPACE, 500u32)]);
    types.add_stranger(found.remove(0));
    news(&list.into(), &types, &mut found);
    assert!(found.is_empty());
}
