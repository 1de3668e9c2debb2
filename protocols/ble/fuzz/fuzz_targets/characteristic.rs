//! Any bytes as the value of any characteristic of the Bluetooth SIG.
#![no_main]

use fieldgate_ble::{gatt::read_standard, uuid16};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [low, high, value @ ..] = data {
        let number = u16::from_le_bytes([*low, *high]);
        let _ = read_standard(uuid16(number), value);
        // Most characteristics are there.
        let _ = read_standard(uuid16(0x2A00 | number & 0x03FF), value);
    }
});
