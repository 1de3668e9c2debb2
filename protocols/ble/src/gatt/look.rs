//! What people see of a device that they look at: its services as a tree, values with what they mean. Pure.

use fieldgate_kit::scanner::{
    CharacteristicRef, GattCharacteristic, GattService, GattTree, GattValue, HeardField,
};
use fieldgate_model::Timestamp;
use serde_json::json;

use super::{
    plan::{Rule, uuid_text},
    standard,
    title::{characteristic_name, service_name},
};
use crate::{
    Address, Field, Nature,
    radio::{Characteristic, CharacteristicId, Service},
    uuid_of,
};

/// What a device has.
pub(super) fn tree(services: &[Service]) -> GattTree {
    let services = services.iter().map(|service| GattService {
        uuid: uuid_text(service.uuid),
        name: service_name(service.uuid).map(str::to_owned),
        characteristics: service
            .characteristics
            .iter()
            .map(|characteristic| of_characteristic(service, characteristic))
            .collect(),
    });
    GattTree {
        services: services.collect(),
    }
}

/// A value, read as a rule of the device has it, or else as the SIG has it.
pub(super) fn value(
    address: Address,
    of: CharacteristicId,
    rule: Option<&Rule>,
    bytes: &[u8],
    at: Timestamp,
) -> GattValue {
    let read = match rule {
        Some(rule) => Some(rule.fields(bytes)),
        None => standard::read_standard(of.characteristic, bytes),
    };
    let (fields, trouble) = match read {
        None => (Vec::new(), None),
        Some(Ok(fields)) => (fields, None),
        Some(Err(why)) => (Vec::new(), Some(why)),
    };
    GattValue {
        characteristic: CharacteristicRef {
            address: address.to_string(),
            service: uuid_text(of.service),
            characteristic: uuid_text(of.characteristic),
        },
        at,
        hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        fields: fields.into_iter().map(shown).collect(),
        trouble,
    }
}

/// Which characteristic somebody means.
///
/// # Errors
/// In words, when a text is no address or UUID.
pub(super) fn meant(of: &CharacteristicRef) -> Result<(Address, CharacteristicId), String> {
    let address = of.address.parse::<Address>();
    let id = CharacteristicId {
        service: uuid_of(&of.service)?,
        characteristic: uuid_of(&of.characteristic)?,
    };
    Ok((address.map_err(|no| no.to_string())?, id))
}

fn of_characteristic(service: &Service, of: &Characteristic) -> GattCharacteristic {
    let can = [
        (of.read, "read"),
        (of.write, "write"),
        (of.write_without_response, "write without response"),
        (of.notify, "notify"),
        (of.indicate, "indicate"),
    ];
    let mut settings = json!({
        "service": uuid_text(service.uuid),
        "characteristic": uuid_text(of.uuid),
    });
    if !of.write && of.write_without_response {
        settings["without_response"] = true.into();
    }
    GattCharacteristic {
        uuid: uuid_text(of.uuid),
        name: characteristic_name(of.uuid).map(str::to_owned),
        properties: can
            .into_iter()
            .filter_map(|(can, word)| can.then_some(word))
            .collect(),
        settings,
    }
}

fn shown(field: Field) -> HeardField {
    HeardField {
        id: field.id.to_string(),
        value: field.value,
        unit: field.unit.map(|unit| unit.to_string()),
        event: field.nature == Nature::Happened,
    }
}
