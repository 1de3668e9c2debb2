//! The examples of bthome.io, and what its encryption, its identifiers and its damage must lead to.

use super::decode;
use crate::{
    Decoded, Key, Memory,
    decode::testing::{service, told},
};

const KEY: &str = "231d39c1d7cc1ab1aee224cd096db932";

fn run(uuid: u16, data: &str, key: Option<&str>, memory: &mut Memory) -> Decoded {
    let key = key.map(|key| Key::parse(key).unwrap());
    decode(
        &service("54:48:E6:8F:80:A5", uuid, data),
        key.as_ref(),
        memory,
    )
}

#[track_caller]
fn check(uuid: u16, data: &str, expected: &str) {
    let decoded = run(uuid, data, None, &mut Memory::default());
    assert_eq!(told(&decoded), expected, "{data}");
}

/// The example column of the tables on bthome.io/format.
#[test]
fn every_object_is_read_as_the_specification_shows() {
    for (object, expected) in [
        ("0161", "battery 97 %"),
        ("02CA09", "temperature 25.06 Cel"),
        ("03BF13", "humidity 50.55 %"),
        ("04138A01", "pressure 100883 Pa"),
        ("05138A14", "illuminance 13460.67 lx"),
        ("065E1F", "weight 80.3 kg"),
        ("073E1D", "weight 74.86 [lb_av]"),
        ("08CA06", "dew_point 17.38 Cel"),
        ("0960", "count 96"),
        ("0A138A14", "energy 1346.067 kW.h"),
        ("0B021B00", "power 69.14 W"),
        ("0C020C", "voltage 3.074 V"),
        ("0D120C", "pm25 3090 ug/m3"),
        ("0E021C", "pm10 7170 ug/m3"),
        ("0F01", "generic true"),
        ("1001", "powered true"),
        ("1100", "opening false"),
        ("12E204", "co2 1250 [ppm]"),
        ("133301", "voc 307 ug/m3"),
        ("14020C", "moisture 30.74 %"),
        ("1F01", "unlocked true"),
        ("2D01", "window true"),
        ("2E23", "humidity 35 %"),
        ("2F23", "moisture 35 %"),
        ("3A01", "button! press"),
        ("3A00", ""),
        ("3A80", "button! hold_press"),
        ("3AFE", "button! hold_press"),
        ("3D0960", "count 24585"),
        ("3E2A2C0960", "count 1611213866"),
        ("3F020C", "rotation 307.4 deg"),
        ("400C00", "distance 12 mm"),
        ("414E00", "distance 7.8 m"),
        ("424E3400", "duration 13.39 s"),
        ("434E34", "current 13.39 A"),
        ("444E34", "speed 133.9 m/s"),
        ("451101", "temperature 27.3 Cel"),
        ("4632", "uv_index 5"),
        ("478756", "volume 2215.1 L"),
        ("48DC87", "volume 34780 mL"),
        ("49DC87", "volume_flow 34.78 m3/h"),
        ("4A020C", "voltage 307.4 V"),
        ("4B138A14", "gas 1346.067 m3"),
        ("4C41018A01", "gas 25821.505 m3"),
        ("4D12138A14", "energy 344593.17 kW.h"),
        ("4E87562A01", "volume 19551.879 L"),
        ("4F87562A01", "water 19551.879 L"),
        ("505D396164", "timestamp 1684093277 s"),
        ("518756", "acceleration 22.151 m/s2"),
        ("528756", "gyroscope 22.151 deg/s"),
        ("530C48656C6C6F20576F726C6421", "text Hello World!"),
        ("5587562A01", "volume_stored 19551.879 L"),
        ("56E803", "conductivity 1000 uS/cm"),
        ("57EA", "temperature -22 Cel"),
        ("58EA", "temperature -7.7 Cel"),
        ("59EA", "count -22"),
        ("5AEAEA", "count -5398"),
        ("5BEA0234EA", "count -365690134"),
        ("5C02FBFFFF", "power -12.78 W"),
        ("5DEAEA", "current -5.398 A"),
        ("5E9F8C", "direction 359.99 deg"),
        ("5F9F01", "precipitation 41.5 mm"),
        ("6001", "channel 1"),
        ("61AC0D", "rotational_speed 3500 /min"),
        ("6279A71200", "speed 1.222521 m/s"),
        ("F00100", "device_type 1"),
        ("F100010204", "firmware_version 4.2.1.0"),
        ("F2000106", "firmware_version 6.1.0"),
    ] {
        check(0xFCD2, &format!("40{object}"), expected);
    }
}

#[test]
fn several_of_a_kind_are_numbered() {
    check(
        0xFCD2,
        "40 02CA09 451101 3A00 3A01 3A04",
        "temperature 25.06 Cel, temperature_2 27.3 Cel, button_2! press, button_3! long_press",
    );
}

#[test]
fn dimmers_and_commands_say_how_far_and_with_what() {
    check(
        0xFCD2,
        "40 3B02010A14 3C0103",
        "command! (on 0a14), dimmer! (rotate_left 3)",
    );
}

/// bthome.io/v1.
#[test]
fn version_1_says_itself_how_its_numbers_are_written() {
    check(
        0x181C,
        "2302C409 0303BF13",
        "temperature 25 Cel, humidity 50.55 %",
    );
    check(0x181C, "02 00 0C 04 04 138A01", "pressure 100883 Pa");
    check(
        0x181C,
        "023A05 033C0203 0210 01 00",
        "button! long_double_press, dimmer! (rotate_right 3), powered true",
    );
    // A half float of 1.5, by a hundred; not a number is no value.
    check(0x181C, "43 02 003E", "temperature 0.015 Cel");
    check(0x181C, "43 02 007E", "");
}

#[test]
fn what_does_not_fit_is_told() {
    for (data, part) in [
        ("", "device information"),
        ("20 0161", "version 1"),
        ("40 30", "object 30"),
        ("40 02CA", "ends too early"),
        ("42 0161", "address"),
        ("41 0161", "too few"),
    ] {
        let decoded = told(&run(0xFCD2, data, None, &mut Memory::default()));
        assert!(
            decoded.contains("Unfit") && decoded.contains(part),
            "{data}: {decoded}"
        );
    }
    // What came before the unknown stands.
    check(0xFCD2, "40 0161 FE01", "battery 97 %");
    check(0xFCD2, "40 0161 02CA", "battery 97 %");
    check(0xFCD2, "40", "");
}

#[test]
fn a_press_is_told_once() {
    let mut memory = Memory::default();
    let mut told = |data: &str| told(&run(0xFCD2, data, None, &mut memory));
    assert_eq!(told("44 0005 0161 3A01"), "battery 97 %, button! press");
    assert_eq!(told("44 0005 0161 3A01"), "Repeated");
    assert_eq!(told("44 0006 0161 3A01"), "battery 97 %, button! press");
    // Its identifier stands still: what was measured goes on.
    assert_eq!(told("44 0006 0160 3A01"), "battery 96 %");
    // Without an identifier.
    assert_eq!(told("44 3A02"), "button! double_press");
    assert_eq!(told("44 3A02"), "Repeated");
    assert_eq!(told("44 3A01"), "button! press");
    assert_eq!(memory.sleeps, Some(true));
}

/// bthome.io/encryption: the example of version 2.
#[test]
fn the_specifications_encrypted_example_opens() {
    let data = "41 a47266c95f73 00112233 78237214";
    let mut memory = Memory::default();
    assert_eq!(run(0xFCD2, data, None, &mut memory), Decoded::NeedsKey);
    let wrong = "331d39c1d7cc1ab1aee224cd096db932";
    assert_eq!(
        run(0xFCD2, data, Some(wrong), &mut memory),
        Decoded::WrongKey
    );
    assert_eq!(memory.counter, None);
    let decoded = run(0xFCD2, data, Some(KEY), &mut memory);
    assert_eq!(told(&decoded), "temperature 25.06 Cel, humidity 50.55 %");
    assert!(matches!(decoded, Decoded::Fields { sealed: true, .. }));
    assert_eq!(run(0xFCD2, data, Some(KEY), &mut memory), Decoded::Repeated);
    memory.counter = Some(0x4422_1100);
    assert_eq!(run(0xFCD2, data, Some(KEY), &mut memory), Decoded::Replayed);
}

/// bthome.io/v1: the encrypted example.
#[test]
fn the_encrypted_example_of_version_1_opens() {
    let data = "fba435e4d3c312fb0011223357d90a99";
    let decoded = run(0x181E, data, Some(KEY), &mut Memory::default());
    assert_eq!(told(&decoded), "temperature 25.06 Cel, humidity 50.55 %");
}
