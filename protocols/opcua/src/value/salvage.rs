//! What can still be read of a DataChangeNotification in which one value is too much for us: all the others, and which
//! it is. Pure.

use opcua::types::{
    BinaryDecodable, ContextOwned, DataValue, DecodingOptions, NamespaceMap, TypeLoaderCollection,
};

use fieldgate_model::Value;

use super::{
    MAX_ARRAY_LENGTH, MAX_BYTE_STRING_BYTES, MAX_TEXT_BYTES, guarded::Guarded, observed,
    raw::RawLoader, skip, too_large, types::Types,
};
use crate::connection::Observed;

/// The values of a notification, by their items' handles.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Salvaged {
    pub values: Vec<(u32, Observed)>,
    /// Values after one that does not end.
    pub lost: u32,
}

/// Reads the body of a DataChangeNotification (OPC UA Part 4, 7.25.2) value by value; it may be cut off.
pub(crate) fn salvage(body: &[u8], types: &Types) -> Salvaged {
    let mut salvaged = Salvaged::default();
    let Some((count, mut rest)) = number(body) else {
        return salvaged;
    };
    let count = i32::from_le_bytes(count.to_le_bytes());
    for left in (0..u32::try_from(count).unwrap_or(0)).rev() {
        let Some((handle, value)) = number(rest) else {
            salvaged.lost = left + 1;
            break;
        };
        rest = value;
        if skip::data_value(&mut rest).is_none() {
            salvaged.values.push((handle, unreadable()));
            salvaged.lost = left;
            break;
        }
        let bytes = &value[..value.len() - rest.len()];
        let read = read(bytes).map_or_else(unreadable, |data| observed(data, types));
        salvaged.values.push((handle, read));
    }
    salvaged
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*first), rest))
}

fn read(bytes: &[u8]) -> Option<DataValue> {
    let mut loaders = TypeLoaderCollection::new_empty();
    loaders.add_type_loader(RawLoader);
    let options = DecodingOptions {
        max_string_length: MAX_TEXT_BYTES,
        max_byte_string_length: MAX_BYTE_STRING_BYTES,
        max_array_length: MAX_ARRAY_LENGTH,
        ..DecodingOptions::default()
    };
    let context = ContextOwned::new(NamespaceMap::new(), loaders, options);
    DataValue::decode(&mut Guarded::new(bytes), &context.context()).ok()
}

fn unreadable() -> Observed {
    Observed {
        value: Value::Null,
        quality: too_large(),
        at: None,
        overflow: false,
    }
}

#[cfg(test)]
mod tests {
    use opcua::types::{
        BinaryEncodable, ByteString, DataChangeNotification, DateTime, DiagnosticInfo, Guid,
        LocalizedText, MonitoredItemNotification, NodeId, QualifiedName, UAString, Variant,
    };
    use proptest::prelude::*;

    use super::*;

    fn body(values: Vec<DataValue>) -> Vec<u8> {
        let items = (1..)
            .zip(values)
            .map(|(client_handle, value)| MonitoredItemNotification {
                client_handle,
                value,
            });
        let notification = DataChangeNotification {
            monitored_items: Some(items.collect()),
            diagnostic_infos: None,
        };
        let context = ContextOwned::default();
        let mut bytes = Vec::new();
        notification.encode(&mut bytes, &context.context()).unwrap();
        bytes
    }

    /// A value of every built-in type, alone and as an array.
    fn every() -> Vec<DataValue> {
        let scalars: Vec<Variant> = vec![
            true.into(),
            1i8.into(),
            2u8.into(),
            3i16.into(),
            4u16.into(),
            5i32.into(),
            6u32.into(),
            7i64.into(),
            8u64.into(),
            0.5f32.into(),
            0.25f64.into(),
            "text".into(),
            DateTime::ymd(2026, 1, 1).into(),
            Guid::null().into(),
            ByteString::from(vec![1, 2, 3]).into(),
            Variant::XmlElement(UAString::from("<a/>").into()),
            NodeId::new(2, "s").into(),
            NodeId::new(2, 70_000u32).into(),
            NodeId::new(2, Guid::null()).into(),
            NodeId::new(2, ByteString::from(vec![1])).into(),
            QualifiedName::new(1, "q").into(),
            LocalizedText::new("en", "t").into(),
            Variant::Variant(Box::new(7i32.into())),
            DataValue::from(Variant::from(7i32)).into(),
            DiagnosticInfo {
                symbolic_id: Some(1),
                additional_info: Some("more".into()),
                inner_diagnostic_info: Some(Box::new(DiagnosticInfo::null())),
                ..DiagnosticInfo::null()
            }
            .into(),
        ];
        let arrays: Vec<Variant> = scalars
            .iter()
            .filter_map(|scalar| {
                let kind = match scalar.type_id() {
                    opcua::types::VariantTypeId::Scalar(kind) => kind,
                    _ => return None,
                };
                let values = vec![scalar.clone(), scalar.clone()];
                opcua::types::Array::new_multi(kind, values, vec![2u32, 1])
                    .ok()
                    .map(Variant::from)
            })
            .collect();
        let all = scalars.into_iter().chain(arrays);
        all.map(DataValue::new_now).collect()
    }

    fn bad(value: &(u32, Observed)) -> bool {
        value.1.quality == too_large()
    }

    #[test]
    fn every_kind_of_value_is_passed_over_and_read() {
        let all = every();
        let expected: Vec<(u32, Observed)> = (1..)
            .zip(all.iter())
            .map(|(handle, data)| (handle, observed(data.clone(), Types::standard())))
            .collect();
        let salvaged = salvage(&body(all), Types::standard());
        assert_eq!(salvaged.lost, 0);
        assert_eq!(salvaged.values, expected);
    }

    #[test]
    fn a_text_that_is_too_long_costs_only_its_own_value() {
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        let values = [
            Variant::from(1i32),
            Variant::from(long.as_str()),
            Variant::from(3i32),
        ];
        let salvaged = salvage(
            &body(values.map(DataValue::from).to_vec()),
            Types::standard(),
        );
        assert_eq!(salvaged.lost, 0);
        let bad: Vec<bool> = salvaged.values.iter().map(bad).collect();
        assert_eq!(bad, [false, true, false]);
    }

    #[test]
    fn what_is_nested_deeply_is_bad_and_its_neighbour_is_read() {
        for (deep, levels) in [
            (&[0x18][..], 10_000),
            (&[0x17, 0x01], 10_000),
            (&[0x19, 0x40], 1),
        ] {
            let mut bytes = vec![2, 0, 0, 0, 1, 0, 0, 0, 0x01];
            bytes.extend(deep.repeat(levels));
            if deep[0] == 0x19 {
                bytes.extend([0x40; 10_000]);
                bytes.push(0);
            } else {
                bytes.extend([0x01, 0x01]);
            }
            bytes.extend([2, 0, 0, 0, 0x01, 0x01, 0x01]);
            let salvaged = salvage(&bytes, Types::standard());
            assert_eq!(salvaged.lost, 0);
            assert!(bad(&salvaged.values[0]), "{deep:?}");
            assert_eq!(salvaged.values[1].1.value, Value::Bool(true));
        }
    }

    #[test]
    fn what_does_not_end_is_bad_and_the_rest_is_counted() {
        let bytes = [3, 0, 0, 0, 1, 0, 0, 0, 0x01, 0x8C, 0xFF, 0xFF, 0xFF, 0x7F];
        let salvaged = salvage(&bytes, Types::standard());
        assert_eq!((salvaged.values.len(), salvaged.lost), (1, 2));
        assert!(bad(&salvaged.values[0]));
        let endless = [
            &[1, 0, 0, 0, 1, 0, 0, 0][..],
            &[0x01, 0x17].repeat(1_000_000),
        ]
        .concat();
        assert_eq!(salvage(&endless, Types::standard()).values.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _any = salvage(&bytes, Types::standard());
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0usize..2_000, by in any::<u8>(), cut in 0usize..2_000) {
            let mut bytes = body(every());
            let length = bytes.len();
            bytes[at % length] ^= by;
            bytes.truncate(length - cut % length);
            let _any = salvage(&bytes, Types::standard());
        }
    }
}
