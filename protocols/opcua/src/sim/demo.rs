//! The demonstration's devices: a press, an oven and a tank, with points of every built-in type and an alarm that comes and goes.

use std::f64::consts::TAU;

use opcua::{
    server::address_space::{AddressSpace, ObjectBuilder, ObjectTypeBuilder, VariableBuilder},
    types::{
        Array, ByteString, DataTypeId, DataValue, DateTime, Guid, LocalizedText, NodeId, ObjectId,
        ObjectTypeId, QualifiedName, StatusCode, VariableTypeId, Variant, VariantScalarTypeId,
        XmlElement,
    },
};

/// The oven's alarm is active above this temperature, in degrees Celsius.
const ALARM_ABOVE: f64 = 230.0;

/// One simulated variable.
pub(super) struct Point {
    pub node: NodeId,
    device: &'static str,
    name: &'static str,
    data_type: DataTypeId,
    /// -1 scalar, 1 list, 2 matrix.
    rank: i32,
    value: fn(f64) -> Variant,
}

// === impl Point ===

impl Point {
    /// Its value so many seconds after the start.
    pub(super) fn at(&self, seconds: f64, now: DateTime) -> DataValue {
        let mut data = DataValue::new_at((self.value)(seconds), now);
        // A flow meter that fails for five seconds of each minute.
        if self.name == "Flow" && seconds % 60.0 > 55.0 {
            data.status = Some(StatusCode::BadSensorFailure);
        }
        data
    }
}

/// `Objects/Demo` with its devices.
pub(super) fn build(space: &mut AddressSpace, namespace: u16, points: &[Point]) {
    let objects = NodeId::from(ObjectId::ObjectsFolder);
    let kinds = [
        ("Demo/Press", "PressType"),
        ("Demo/Oven", "OvenType"),
        ("Demo/Tank", "TankType"),
    ];
    add_type(
        space,
        namespace,
        "DeviceType",
        ObjectTypeId::BaseObjectType.into(),
    );
    for (_, kind) in kinds {
        add_type(space, namespace, kind, NodeId::new(namespace, "DeviceType"));
    }
    for path in [
        "Demo",
        "Demo/Press",
        "Demo/Oven",
        "Demo/Oven/HighTemperatureAlarm",
        "Demo/Tank",
    ] {
        let (parent, name) = match path.rsplit_once('/') {
            Some((parent, name)) => (NodeId::new(namespace, parent), name),
            None => (objects.clone(), path),
        };
        let kind = kinds.iter().find(|(of, _)| *of == path);
        let kind = kind.map_or_else(
            || ObjectTypeId::FolderType.into(),
            |(_, kind)| NodeId::new(namespace, *kind),
        );
        ObjectBuilder::new(
            &NodeId::new(namespace, path),
            QualifiedName::new(namespace, name),
            name,
        )
        .has_type_definition(kind)
        .organized_by(parent)
        .insert(space);
    }
    for point in points {
        VariableBuilder::new(
            &point.node,
            QualifiedName::new(namespace, point.name),
            point.name,
        )
        .data_type(point.data_type)
        .value_rank(point.rank)
        .value((point.value)(0.0))
        .has_type_definition(VariableTypeId::BaseDataVariableType)
        .component_of(NodeId::new(namespace, point.device))
        .insert(space);
    }
}

fn add_type(space: &mut AddressSpace, namespace: u16, name: &str, parent: NodeId) {
    ObjectTypeBuilder::new(
        &NodeId::new(namespace, name),
        QualifiedName::new(namespace, name),
        name,
    )
    .subtype_of(parent)
    .insert(space);
}

pub(super) fn points(namespace: u16) -> Vec<Point> {
    use DataTypeId as Type;
    let point =
        |device: &'static str, name: &'static str, data_type, value: fn(f64) -> Variant| Point {
            node: NodeId::new(namespace, format!("{device}/{name}")),
            device,
            name,
            data_type,
            rank: match value(0.0) {
                Variant::Array(array) => array
                    .dimensions
                    .as_ref()
                    .map_or(1, |sizes| i32::from(sizes.len() > 1) + 1),
                _ => -1,
            },
            value,
        };
    let press = "Demo/Press";
    let oven = "Demo/Oven";
    let alarm = "Demo/Oven/HighTemperatureAlarm";
    let tank = "Demo/Tank";
    vec![
        point(press, "Temperature", Type::Double, |t| {
            wave(t, 60.0, 65.0, 5.0).into()
        }),
        point(press, "Pressure", Type::Float, |t| {
            (hundredths(wave(t, 7.0, 120.0, 80.0)) as f32).into()
        }),
        point(press, "Cycles", Type::UInt32, |t| ((t / 7.0) as u32).into()),
        point(press, "Running", Type::Boolean, |t| {
            (t % 70.0 < 60.0).into()
        }),
        point(press, "State", Type::String, |t| state(t).into()),
        point(press, "LastCycle", Type::DateTime, |_| {
            DateTime::now().into()
        }),
        point(press, "Forces", Type::Double, forces),
        point(press, "BatchId", Type::Guid, batch),
        point(oven, "Temperature", Type::Double, |t| {
            oven_temperature(t).into()
        }),
        point(oven, "Setpoint", Type::Int16, |t| {
            (if t % 120.0 < 60.0 { 220i16 } else { 180 }).into()
        }),
        point(oven, "Zones", Type::Int32, zones),
        point(oven, "Recipe", Type::LocalizedText, |t| recipe(t).into()),
        point(oven, "Door", Type::Byte, |t| {
            u8::from(t % 45.0 > 40.0).into()
        }),
        point(alarm, "Active", Type::Boolean, |t| alarm_active(t).into()),
        point(alarm, "Severity", Type::UInt16, |t| {
            (if alarm_active(t) { 700u16 } else { 1 }).into()
        }),
        point(alarm, "Message", Type::String, |t| alarm_message(t).into()),
        point(tank, "Level", Type::Double, |t| {
            wave(t, 90.0, 55.0, 40.0).into()
        }),
        point(tank, "Flow", Type::Float, |t| {
            (hundredths(wave(t, 20.0, 3.0, 2.5)) as f32).into()
        }),
        point(tank, "Total", Type::UInt64, |t| {
            (u64::MAX - 1_000_000 + t as u64).into()
        }),
        point(tank, "Balance", Type::Int64, |t| {
            (i64::MIN + t as i64).into()
        }),
        point(tank, "Trim", Type::SByte, |t| {
            ((t as i64 % 100 - 50) as i8).into()
        }),
        point(tank, "Profile", Type::Double, profile),
        point(tank, "Sample", Type::ByteString, sample),
        point(tank, "Product", Type::QualifiedName, |t| {
            QualifiedName::new(2, state(t)).into()
        }),
        point(tank, "Inlet", Type::NodeId, |_| {
            NodeId::new(0, 85u32).into()
        }),
        point(tank, "Sensor", Type::StatusCode, |t| sensor(t).into()),
        point(tank, "Label", Type::XmlElement, |_| {
            XmlElement::from("<tank>1</tank>").into()
        }),
    ]
}

fn wave(seconds: f64, period: f64, middle: f64, swing: f64) -> f64 {
    hundredths(middle + swing * (seconds / period * TAU).sin())
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn state(seconds: f64) -> &'static str {
    ["loading", "pressing", "opening"][(seconds / 3.0) as usize % 3]
}

fn recipe(seconds: f64) -> LocalizedText {
    LocalizedText::new(
        "en",
        if seconds % 240.0 < 120.0 {
            "bread"
        } else {
            "cake"
        },
    )
}

fn sensor(seconds: f64) -> StatusCode {
    if seconds % 60.0 > 55.0 {
        StatusCode::BadSensorFailure
    } else {
        StatusCode::Good
    }
}

fn oven_temperature(seconds: f64) -> f64 {
    wave(seconds, 40.0, 220.0, 15.0)
}

pub(super) fn alarm_active(seconds: f64) -> bool {
    oven_temperature(seconds) > ALARM_ABOVE
}

pub(super) fn alarm_message(seconds: f64) -> String {
    if alarm_active(seconds) {
        format!("the oven is hotter than {ALARM_ABOVE} °C")
    } else {
        "the oven's temperature is normal".to_owned()
    }
}

fn forces(seconds: f64) -> Variant {
    let forces: Vec<f64> = (0..8)
        .map(|at| wave(seconds + f64::from(at), 7.0, 40.0, 10.0))
        .collect();
    forces.into()
}

fn zones(seconds: f64) -> Variant {
    let zones: Vec<i32> = (0..4)
        .map(|at| wave(seconds, 40.0, 220.0 - f64::from(at), 15.0) as i32)
        .collect();
    zones.into()
}

fn profile(seconds: f64) -> Variant {
    let values: Vec<Variant> = (0..6)
        .map(|at| wave(seconds + f64::from(at), 30.0, 20.0, 3.0).into())
        .collect();
    Array::new_multi(VariantScalarTypeId::Double, values, vec![2u32, 3])
        .expect("two rows of three doubles are a matrix")
        .into()
}

fn sample(seconds: f64) -> Variant {
    let bytes = (seconds as u32).to_be_bytes();
    ByteString::from(bytes.to_vec()).into()
}

fn batch(seconds: f64) -> Variant {
    let mut bytes = [0u8; 16];
    bytes[8..].copy_from_slice(&((seconds / 70.0) as u64).to_be_bytes());
    Guid::from_bytes(bytes).into()
}
