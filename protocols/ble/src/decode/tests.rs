//! What holds of every decoder, whatever the bytes are.

use fieldgate_model::Value;
use proptest::{collection::vec, prelude::*};

use super::NAMED;
use crate::{Address, Advertisement, Decoded, Key, Memory, uuid16};

const SERVICES: [u16; 10] = [
    0xFCD2, 0x181C, 0x181E, 0xFE95, 0x181A, 0xFEAA, 0xFDCD, 0xFD3D, 0x0D00, 0x5550,
];
const COMPANIES: [u16; 12] = [
    0x02E1, 0x0499, 0x0059, 0x0969, 0xEC88, 0x0001, 0x8801, 0x2449, 0x3254, 0x0004, 0x0008, 0x4A0A,
];
const NAMES: [&str; 14] = [
    "",
    "s",
    "sps",
    "tps",
    "iBBQ",
    "ITH-21-B",
    "TP357 (1)",
    "TP96",
    "TP972",
    "GVH5075_1",
    "H5182",
    "GV5125",
    "H5112",
    "H5140",
];
/// Beginnings that get further than any bytes would.
const STARTS: [&[u8]; 16] = [
    &[],
    &[0x40],
    &[0x44, 0x00],
    &[0x41],
    &[0x58, 0x58, 0x5B, 0x05],
    &[0x50, 0x20],
    &[0x58, 0x30],
    &[0x10, 0x02, 0x89, 0xA3, 0x02],
    &[0x10, 0x00, 0x00, 0x00, 0x05],
    &[0x20, 0x00],
    &[0x06],
    &[0xE1],
    &[0x08, 0x12],
    b"T\0",
    b"d\0",
    b"c\0",
];

fn advertisement() -> impl Strategy<Value = Advertisement> {
    let bytes = (prop::sample::select(&STARTS[..]), vec(any::<u8>(), 0..48))
        .prop_map(|(start, rest)| [start, &rest].concat());
    let service = (prop::sample::select(&SERVICES[..]), bytes.clone());
    let maker = (
        prop_oneof![prop::sample::select(&COMPANIES[..]), any::<u16>()],
        bytes,
    );
    (
        any::<[u8; 6]>(),
        prop::sample::select(&NAMES[..]),
        vec(service, 0..3),
        vec(maker, 0..3),
    )
        .prop_map(|(address, name, services, makers)| {
            let mut advertisement = Advertisement::new(Address(address), false);
            advertisement.name = Some(name.to_owned()).filter(|name| !name.is_empty());
            advertisement.services = services.iter().map(|(uuid, _)| uuid16(*uuid)).collect();
            advertisement.service_data = services
                .into_iter()
                .map(|(uuid, data)| (uuid16(uuid), data))
                .collect();
            advertisement.manufacturer = makers;
            advertisement
        })
}

fn is_sound(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::List(values) => values.iter().all(is_sound),
        Value::Struct(parts) => parts.iter().all(|(_, part)| is_sound(part)),
        Value::Null | Value::Blob { .. } => false,
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_decoded_or_refused(heard in vec(advertisement(), 1..4), key in any::<Option<[u8; 16]>>()) {
        let key = key.map(|key| Key::parse(&key.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).unwrap());
        for (name, decode) in NAMED {
            let mut memory = Memory::default();
            for advertisement in &heard {
                let decoded = decode(advertisement, key.as_ref(), &mut memory);
                if let Decoded::Fields { fields, .. } = &decoded {
                    for field in fields {
                        prop_assert!(is_sound(&field.value), "{name}: {field:?}");
                        prop_assert!(!field.id.is_empty());
                    }
                }
                // Pure: the same from the same.
                let mut again = Memory::default();
                let first = decode(advertisement, key.as_ref(), &mut again);
                prop_assert_eq!(first, decode(advertisement, key.as_ref(), &mut Memory::default()));
            }
        }
    }

    /// The same packet a second time tells nothing that happened, from whichever format it is.
    #[test]
    fn nothing_happens_twice(heard in advertisement()) {
        for (name, decode) in NAMED {
            let mut memory = Memory::default();
            let _ = decode(&heard, None, &mut memory);
            if let Decoded::Fields { fields, .. } = decode(&heard, None, &mut memory) {
                let happened = fields.iter().any(|field| field.nature == crate::Nature::Happened);
                prop_assert!(!happened, "{name}: {fields:?}");
            }
        }
    }
}

/// Names by which profiles call them are found by halving.
#[test]
fn names_are_sorted() {
    assert!(NAMED.is_sorted_by_key(|(name, _)| *name));
}
