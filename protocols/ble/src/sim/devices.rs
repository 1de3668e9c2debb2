//! The simulated devices' packets, as a function of time. Pure, but for their counters.

use std::time::Duration;

use aes::Aes128;
use ccm::{
    Ccm, KeyInit,
    aead::{Aead, generic_array::GenericArray},
    consts::{U4, U13},
};

use crate::{Address, Advertisement, uuid16};

/// The one that takes connections.
pub(crate) const OVEN: Address = Address([0xC0, 0xDE, 0x0F, 0xE1, 0x00, 0x06]);
/// The key of the sealed thermometer, as the BTHome specification's example has it.
const KEY: [u8; 16] = [
    0x23, 0x1d, 0x39, 0xc1, 0xd7, 0xcc, 0x1a, 0xb1, 0xae, 0xe2, 0x24, 0xcd, 0x09, 0x6d, 0xb9, 0x32,
];
const BTHOME: u16 = 0xFCD2;

/// A device that advertises.
pub(crate) struct Beacon {
    pub every: Duration,
    beat: u32,
    packet: fn(u32, f64) -> Advertisement,
}

/// All of them.
pub(crate) fn all() -> Vec<Beacon> {
    let beacon = |millis, packet| Beacon {
        every: Duration::from_millis(millis),
        beat: 0,
        packet,
    };
    vec![
        beacon(2_000, cold_store),
        beacon(1_285, ruuvi),
        beacon(5_000, door),
        beacon(7_000, button),
        beacon(3_000, sealed),
        beacon(1_000, ibeacon),
        beacon(1_000, oven),
        beacon(400, passer_by),
    ]
}

// === impl Beacon ===

impl Beacon {
    /// Its next packet, `since` the beginning.
    pub(crate) fn next(&mut self, since: Duration) -> Advertisement {
        self.beat = self.beat.wrapping_add(1);
        (self.packet)(self.beat, since.as_secs_f64())
    }
}

/// Swings between -1 and 1.
fn swing(seconds: f64, period: f64) -> f64 {
    (seconds / period * std::f64::consts::TAU).sin()
}

/// As the formats have it: a whole number, cut to the field.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the simulated values are small"
)]
fn whole(value: f64) -> i16 {
    value.round() as i16
}

/// The oven's temperature, in degrees Celsius.
pub(crate) fn oven_temperature(seconds: f64, setpoint: f64) -> f64 {
    setpoint + 2.5 * swing(seconds, 47.0)
}

fn named(address: Address, name: &str, rssi: i16) -> Advertisement {
    let mut packet = Advertisement::new(address, true);
    packet.name = Some(name.to_owned());
    packet.rssi = Some(rssi);
    packet.connectable = Some(false);
    packet
}

fn cold_store(beat: u32, seconds: f64) -> Advertisement {
    let mut packet = named(Address([0xC0, 0xDE, 0x0F, 0xE1, 0, 1]), "Cold store", -58);
    packet.random = true;
    packet.rssi = Some(-58 + whole(3.0 * swing(seconds, 11.0)));
    let [t0, t1] = whole(-1_850.0 + 120.0 * swing(seconds, 97.0)).to_le_bytes();
    let [h0, h1] = whole(7_200.0 + 300.0 * swing(seconds, 61.0)).to_le_bytes();
    // Device information, packet id, battery, temperature, humidity (bthome.io/format).
    let [id, ..] = beat.to_le_bytes();
    let data = vec![0x40, 0x00, id, 0x01, 93, 0x02, t0, t1, 0x03, h0, h1];
    packet.service_data = vec![(uuid16(BTHOME), data)];
    packet
}

fn ruuvi(beat: u32, seconds: f64) -> Advertisement {
    let address = Address([0xC0, 0xDE, 0x0F, 0xE1, 0, 2]);
    let mut packet = Advertisement::new(address, true);
    packet.rssi = Some(-67 + whole(4.0 * swing(seconds, 7.0)));
    packet.connectable = Some(true);
    let mut data = vec![5];
    data.extend(whole(4_420.0 + 200.0 * swing(seconds, 120.0)).to_be_bytes());
    data.extend(whole(18_000.0 + 900.0 * swing(seconds, 90.0)).to_be_bytes());
    data.extend(50_044_u16.to_be_bytes());
    for acceleration in [4_i16, -4, 1_036] {
        data.extend(acceleration.to_be_bytes());
    }
    data.extend(0xAC36_u16.to_be_bytes());
    let [.., s1, s0] = beat.to_be_bytes();
    data.extend([66, s1, s0]);
    data.extend(address.0);
    packet.manufacturer = vec![(0x0499, data)];
    packet
}

fn door(beat: u32, _seconds: f64) -> Advertisement {
    let mut packet = named(Address([0xC0, 0xDE, 0x0F, 0xE1, 0, 3]), "Door 2", -74);
    let [id, ..] = beat.to_le_bytes();
    let open = u8::from(beat % 8 > 5);
    // Triggered by what happens; packet id, battery, opening.
    packet.service_data = vec![(uuid16(BTHOME), vec![0x44, 0x00, id, 0x01, 71, 0x11, open])];
    packet
}

fn button(beat: u32, _seconds: f64) -> Advertisement {
    let mut packet = named(Address([0xC0, 0xDE, 0x0F, 0xE1, 0, 4]), "Call button", -70);
    let presses = beat / 4;
    let [id, ..] = presses.to_le_bytes();
    let how = [0x01, 0x01, 0x02, 0x04][presses as usize % 4];
    packet.service_data = vec![(uuid16(BTHOME), vec![0x44, 0x00, id, 0x01, 88, 0x3A, how])];
    packet
}

fn sealed(beat: u32, seconds: f64) -> Advertisement {
    let address = Address([0xC0, 0xDE, 0x0F, 0xE1, 0, 5]);
    let mut packet = named(address, "Sealed", -63);
    let [t0, t1] = whole(2_140.0 + 90.0 * swing(seconds, 75.0)).to_le_bytes();
    let info = 0x41;
    let counter = beat.to_le_bytes();
    // Address, service, device information, counter (bthome.io/encryption).
    let mut nonce = address.0.to_vec();
    nonce.extend([0xD2, 0xFC, info]);
    nonce.extend(counter);
    let cipher = Ccm::<Aes128, U4, U13>::new(&KEY.into());
    let plain = [0x02, t0, t1];
    let Ok(sealed) = cipher.encrypt(GenericArray::from_slice(&nonce), plain.as_slice()) else {
        return packet;
    };
    let (text, tag) = sealed.split_at(plain.len());
    let mut data = vec![info];
    data.extend(text);
    data.extend(counter);
    data.extend(tag);
    packet.service_data = vec![(uuid16(BTHOME), data)];
    packet
}

fn ibeacon(_beat: u32, seconds: f64) -> Advertisement {
    let mut packet = Advertisement::new(Address([0xC0, 0xDE, 0x0F, 0xE1, 0, 7]), true);
    packet.rssi = Some(-80 + whole(8.0 * swing(seconds, 60.0)));
    let mut data = vec![0x02, 0x15];
    data.extend(0xF1E1_DA7E_0000_4000_8000_0000_0000_0007_u128.to_be_bytes());
    data.extend([0, 1, 0, 7, 0xC5]);
    packet.manufacturer = vec![(0x004C, data)];
    packet
}

/// Nobody published its format: one can teach it, since its temperature can also be read over a connection.
fn oven(beat: u32, seconds: f64) -> Advertisement {
    let mut packet = named(OVEN, "Oven 3", -61);
    packet.connectable = Some(true);
    let tenths = whole(10.0 * oven_temperature(seconds, 180.0));
    let [t1, t0] = tenths.to_be_bytes();
    let [count, ..] = beat.to_le_bytes();
    packet.manufacturer = vec![(0xFFFF, vec![0x4F, count, 0x03, t1, t0, 0x00, 0x64])];
    packet.services = vec![uuid16(0x181A), uuid16(0x180F)];
    packet
}

/// Telephones that pass by, each heard a few times.
fn passer_by(beat: u32, _seconds: f64) -> Advertisement {
    let [.., a, b] = (beat / 6).to_be_bytes();
    let mut packet = Advertisement::new(Address([0x5A, 0x11, 0x22, 0x33, a, b]), true);
    packet.rssi = Some(-88);
    packet.manufacturer = vec![(0x004C, vec![0x10, 0x05, a, b, 0, 0, 0])];
    packet
}
