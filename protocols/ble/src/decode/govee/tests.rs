//! Packets of real devices, as the tests of govee-ble (Apache-2.0) publish them.

use super::decode;
use crate::{
    Decoded, Memory,
    decode::testing::{manufacturer, offering, once, told},
    uuid16,
};

#[test]
fn thermometers_are_read() {
    for (name, company, data, expected) in [
        (
            "GVH5075_2762",
            0xEC88,
            "00 03215d 64 00",
            "temperature 20.5 Cel, humidity 14.9 %, battery 100 %",
        ),
        (
            "GVH5075_2762",
            0xEC88,
            "00 82d4a6 64 00",
            "temperature -18.5 Cel, humidity 51 %, battery 100 %",
        ),
        ("GVH5075_2762", 0xEC88, "00 03215d e4 00", "battery 100 %"),
        (
            "",
            0xEC88,
            "00 4f0c 7015 64 02",
            "temperature 31.51 Cel, humidity 54.88 %, battery 100 %",
        ),
        (
            "GVH5106_4E05",
            0x0001,
            "0101 0ec0b5a9",
            "temperature 24.7 Cel, humidity 51 %, pm25 441 ug/m3",
        ),
        (
            "B5178D6FB",
            0x0001,
            "0101 01 03b76e 64 0000",
            "temperature_remote 24.3 Cel, humidity_remote 56.6 %, battery_remote 100 %",
        ),
        (
            "GVH5112_ABCD",
            0x0001,
            "0101 03b76e 64 00 82",
            "temperature_probe_2 24.3 Cel, battery 100 %",
        ),
    ] {
        let decoded = once(decode, &manufacturer(name, company, data), None);
        assert_eq!(told(&decoded), expected, "{name} {data}");
    }
}

#[test]
fn probes_are_numbered_as_on_the_device() {
    let heard = manufacturer("GVH5182", 0x2730, "0000000000000000 06a4 13f7 01 0708 ffff");
    assert_eq!(
        told(&once(decode, &heard, None)),
        "temperature_probe_1 17 Cel, temperature_alarm_probe_1 51.11 Cel, temperature_probe_2 18 Cel"
    );
    let heard = manufacturer(
        "",
        0x1234,
        "00 01 64 03 00 1400 ffff 5a00 00 1500 1000 5b00 00 00",
    );
    let heard = offering(heard, uuid16(0x5550));
    assert_eq!(
        told(&once(decode, &heard, None)),
        "temperature_probe_1 20 Cel, temperature_alarm_probe_1 90 Cel, temperature_probe_2 21 Cel, temperature_alarm_probe_2 91 Cel, low_temperature_alarm_probe_2 16 Cel, battery 100 %"
    );
}

#[test]
fn what_is_none_of_them_is_told() {
    for (company, data) in [
        (0x004C, "0215494e54454c4c495f524f434b53"),
        (0x0001, "00"),
        (0xEC88, ""),
    ] {
        let decoded = once(decode, &manufacturer("", company, data), None);
        assert!(matches!(decoded, Decoded::Unfit(_)), "{data}: {decoded:?}");
    }
    let mut memory = Memory::default();
    let heard = manufacturer("", 0x1234, &"00".repeat(24));
    assert!(
        matches!(decode(&heard, None, &mut memory), Decoded::Unfit(why) if why.contains("checksum"))
    );
}
