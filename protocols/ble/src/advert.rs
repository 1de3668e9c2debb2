//! `Advertisement`: what was heard of one device at one moment, in no radio's words.

use uuid::Uuid;

use crate::Address;

/// What one advertising report said, scan response included where the radio merges the two (Core Specification
/// Supplement 11, Part A). What a report left out is empty here, also where an earlier one had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    pub address: Address,
    /// The address is a random one (Core 5.4, Vol 6 Part B, 1.3).
    pub random: bool,
    /// Complete or shortened local name, as it was claimed: anything may be in it.
    pub name: Option<String>,
    /// dBm at the antenna.
    pub rssi: Option<i16>,
    /// dBm at the sender, as it claims.
    pub tx_power: Option<i16>,
    /// By the company identifier, which is not part of the bytes.
    pub manufacturer: Vec<(u16, Vec<u8>)>,
    /// By the service's UUID, which is not part of the bytes.
    pub service_data: Vec<(Uuid, Vec<u8>)>,
    /// The services that it says it has.
    pub services: Vec<Uuid>,
    /// It takes connections, where the radio told.
    pub connectable: Option<bool>,
}

impl Advertisement {
    /// Of this device, with nothing said.
    #[must_use]
    pub fn new(address: Address, random: bool) -> Self {
        Self {
            address,
            random,
            name: None,
            rssi: None,
            tx_power: None,
            manufacturer: Vec::new(),
            service_data: Vec::new(),
            services: Vec::new(),
            connectable: None,
        }
    }
}

/// The UUID that a 16-bit one stands for (Core 5.4, Vol 3 Part B, 2.5.1).
#[must_use]
pub const fn uuid16(short: u16) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_1000_8000_0080_5f9b_34fb | (short as u128) << 96)
}

/// The 16 bits that a UUID stands for, where it is one of those.
#[must_use]
pub const fn short_of(uuid: Uuid) -> Option<u16> {
    let bits = uuid.as_u128();
    if bits & !(0xFFFF << 96) == 0x0000_0000_0000_1000_8000_0080_5f9b_34fb {
        Some((bits >> 96) as u16)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_uuids_are_found_again_in_long_ones() {
        let battery = uuid16(0x180F);
        assert_eq!(battery.to_string(), "0000180f-0000-1000-8000-00805f9b34fb");
        assert_eq!(short_of(battery), Some(0x180F));
        assert_eq!(short_of(Uuid::from_u128(7)), None);
    }
}
