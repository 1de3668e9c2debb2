//! Names that the Bluetooth SIG gave to services, characteristics and appearances. Pure.

use uuid::Uuid;

use super::names;
use crate::short_of;

/// What the SIG calls a service.
#[must_use]
pub fn service_name(uuid: Uuid) -> Option<&'static str> {
    find(names::SERVICES, short_of(uuid)?)
}

/// What the SIG calls a characteristic.
#[must_use]
pub fn characteristic_name(uuid: Uuid) -> Option<&'static str> {
    find(names::CHARACTERISTICS, short_of(uuid)?)
}

/// What a device looks like (Assigned Numbers, 2.6): exactly, or else what kind of thing it is.
#[must_use]
pub fn appearance_name(appearance: u16) -> Option<&'static str> {
    find(names::APPEARANCES, appearance).or_else(|| find(names::APPEARANCE_KINDS, appearance >> 6))
}

fn find(table: &'static [(u16, &'static str)], number: u16) -> Option<&'static str> {
    let at = table.binary_search_by_key(&number, |(number, _)| *number);
    at.ok().map(|at| table[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uuid16;

    #[test]
    fn the_tables_are_in_order_and_known_numbers_have_their_names() {
        for table in [
            names::SERVICES,
            names::CHARACTERISTICS,
            names::APPEARANCE_KINDS,
            names::APPEARANCES,
        ] {
            assert!(table.is_sorted_by(|one, next| one.0 < next.0));
        }
        assert_eq!(service_name(uuid16(0x180F)), Some("Battery"));
        assert_eq!(service_name(uuid16(0x181A)), Some("Environmental Sensing"));
        assert_eq!(characteristic_name(uuid16(0x2A6E)), Some("Temperature"));
        assert_eq!(characteristic_name(Uuid::from_u128(5)), None);
        assert_eq!(appearance_name(0x0000), Some("Unknown"));
        assert_eq!(appearance_name(0x0540), Some("Sensor"));
        assert_eq!(appearance_name(0x0544), Some("Humidity Sensor"));
        assert_eq!(appearance_name(0xFFFF), None);
    }
}
