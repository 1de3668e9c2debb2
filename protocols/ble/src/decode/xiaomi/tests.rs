//! Packets of real devices, as the tests of xiaomi-ble (Apache-2.0) publish them, and what must not be believed.

use super::decode;
use crate::{
    Decoded, Key, Memory,
    decode::testing::{once, service, told},
};

#[track_caller]
fn check(address: &str, data: &str, key: &str, expected: &str) {
    let key = Some(key).filter(|key| !key.is_empty());
    let decoded = once(decode, &service(address, 0xFE95, data), key);
    assert_eq!(told(&decoded), expected, "{data}");
}

#[test]
fn plain_frames_are_read() {
    for (address, data, expected) in [
        (
            "58:2D:34:3B:2E:BF",
            "5020aa01a3bf2e3b342d580d1004b40095020a10013b",
            "temperature 18 Cel, humidity 66.1 %, battery 59 %",
        ),
        (
            "E2:53:30:E6:D3:54",
            "5030e1048e54d3e63053e2011003010000",
            "cube! rotate_left",
        ),
        (
            "C4:7C:8D:6A:3E:7A",
            "71209800667a3e6a8d7cc40d071003000000",
            "illuminance 0 lx",
        ),
        (
            "C4:7C:8D:6A:3E:7A",
            "71209800687a3e6a8d7cc40d0910025702",
            "conductivity 599 uS/cm",
        ),
        (
            "C4:7C:8D:6A:3E:7A",
            "71209800477a3e6a8d7cc40d08100140",
            "moisture 64 %",
        ),
        (
            "C4:7C:8D:6A:3E:7A",
            "71209800697a3e6a8d7cc40d041002f400",
            "temperature 24.4 Cel",
        ),
        (
            "A4:C1:38:0A:03:D6",
            "5040d60301d6030a38c1a419100100",
            "opening true",
        ),
        (
            "A4:C1:38:08:63:01",
            "504063080101630838c1a4011003000000",
            "button! press",
        ),
        (
            "A4:C1:38:07:F6:01",
            "5040f6070101f60738c1a40f0003640000",
            "motion true, light true",
        ),
        ("DE:70:E8:B2:39:0C", "4030dd032403000101", "motion! true"),
        (
            "A4:C1:38:0A:00:83",
            "5040830a0183000a38c1a40f0003640000",
            "motion true, illuminance 100 lx",
        ),
        (
            "00:81:F9:DD:6F:C1",
            "7022db006fc16fddf9810009002005c60d630d51",
            "temperature 36.87 Cel, battery 81 %",
        ),
        (
            "E6:71:43:17:5B:11",
            "7130890437115b174371e6091000020003",
            "toothbrush true, counter 3",
        ),
        (
            "D7:1F:44:EB:8A:91",
            "50449e0643918aeb441fd70b000920020001807c442f61",
            "unlocked true, lock! unlocked_from_outside, lock_method biometrics, key_id 2147549186, timestamp 1630487676 s",
        ),
        (
            "D7:1F:44:EB:8A:91",
            "50449e0642918aeb441fd70600050000000003",
            "fingerprint_ok false, key_id 0, fingerprint! low_quality",
        ),
        (
            "F8:24:41:E9:50:74",
            "503053013f7450e94124f8011003000000",
            "powered true, button_on! press",
        ),
        (
            "A4:C1:38:15:69:01",
            "504069150101691538c1a4011003020000",
            "button_left! press, button_right! press",
        ),
        (
            "A4:C1:38:0D:FD:01",
            "5040fd0d0101fd0d38c1a4011003060001",
            "button_left! long_press, button_middle! long_press, button_right! long_press",
        ),
        (
            "A4:C1:38:0A:03:80",
            "504080030180030a38c1a408000100",
            "armed true, unlocked true, lock! locked_from_outside, lock_method manual",
        ),
        (
            "A4:C1:38:66:E5:67",
            "505989180167e56638c1a41a4a0101",
            "opening true, door_left_open true",
        ),
        ("A4:C1:38:02:F8:F4", "1059db780df4f80238c1a4", ""),
    ] {
        check(address, data, "", expected);
    }
}

#[test]
fn encrypted_frames_are_opened() {
    for (address, data, key, expected) in [
        (
            "F8:24:41:C5:98:8B",
            "5830b603d28b98c54124f8c3491476757e00000099",
            "b853075158487ca39a5b5ea9",
            "dimmer! (press 1)",
        ),
        (
            "F8:24:41:C5:98:8B",
            "5830b603368b98c54124f88bb8f2661351000000d6",
            "b853075158487ca39a5b5ea9",
            "dimmer! (rotate_left 1)",
        ),
        (
            "58:2D:34:12:20:89",
            "58586f0607892012342d585f176dd54f0200002fa453fa",
            "a3bfe9853dd85a620debe3620caaa351",
            "temperature 22.6 Cel",
        ),
        (
            "A4:C1:38:02:83:F4",
            "58585b0550f4830238c1a495ef58763c26000097e2abb5",
            "e9ea895fac7cca6d30532432a516f3a8",
            "humidity 46.7 %",
        ),
        (
            "54:EF:44:E3:9C:BC",
            "5859970966bc9ce344ef5401081205000000715ebe90",
            "5b51a7c91cde6707c9ef18dfda143a58",
            "smoke true",
        ),
        (
            "A4:C1:38:80:15:07",
            "4859b5553a8699bda053448f1200005b046d6a",
            "4d8f1373fb4d3bab557d0ebd1c78f8c4",
            "temperature 25.2 Cel",
        ),
        (
            "A4:C1:38:05:8E:E9",
            "5859eb2ac1e98e0538c1a40759530f8d380000b77a70f8",
            "7475a4a77584401780ffc3ee62dd353c",
            "motion false, idle_for 60 s",
        ),
        (
            "08:B9:5F:20:6E:11",
            "5859685952116e205fb9083026548d020000ce31cfc3",
            "59ba8eef0f5351bb09d6896762d5afa5",
            "button_left! press",
        ),
    ] {
        check(address, data, key, expected);
    }
}

/// Counters are four bytes together: a packet that is played back is not believed, another key not taken.
#[test]
fn a_frame_counts_once_and_only_with_its_key() {
    let (address, data) = (
        "A4:C1:38:02:83:F4",
        "58585b0550f4830238c1a495ef58763c26000097e2abb5",
    );
    let heard = service(address, 0xFE95, data);
    let mut memory = Memory::default();
    let run = |key: Option<&str>, memory: &mut Memory| {
        let key = key.map(|key| Key::parse(key).unwrap());
        decode(&heard, key.as_ref(), memory)
    };
    let key = "e9ea895fac7cca6d30532432a516f3a8";
    assert_eq!(run(None, &mut memory), Decoded::NeedsKey);
    let wrong = run(Some("e9ea895fac7cca6d30532432a516f3a9"), &mut memory);
    assert_eq!(wrong, Decoded::WrongKey);
    // A short key is one of an older device.
    assert_eq!(
        run(Some("b853075158487ca39a5b5ea9"), &mut memory),
        Decoded::WrongKey
    );
    let opened = run(Some(key), &mut memory);
    assert!(matches!(opened, Decoded::Fields { sealed: true, .. }));
    assert_eq!(memory.counter, Some(0x26_50));
    assert_eq!(run(Some(key), &mut memory), Decoded::Repeated);
    memory.counter = Some(0x40_00);
    assert_eq!(run(Some(key), &mut memory), Decoded::Replayed);
    assert_eq!(memory.model, Some(0x055B));
}

#[test]
fn old_frames_tell_a_wrong_key_by_their_lengths() {
    let heard = service(
        "F8:24:41:C5:98:8B",
        0xFE95,
        "5830b603d28b98c54124f8c3491476757e00000099",
    );
    let decoded = once(decode, &heard, Some("b853075158487aa39a5b5ea9"));
    assert_eq!(decoded, Decoded::WrongKey);
    assert_eq!(once(decode, &heard, None), Decoded::NeedsKey);
}

#[test]
fn what_is_no_frame_is_told() {
    for (data, part) in [
        ("5020aa", "5 bytes"),
        ("d020aa01a3bf2e3b342d58", "mesh"),
        ("5010aa01a3bf2e3b342d58", "version 1"),
        ("5020aa01a3bf2e", "ends too early"),
        ("5020aa01a3be2e3b342d580d1004b4009502", "another"),
        ("7020aa01a3bf2e3b342d58", "capabilities"),
        ("7020aa01a3bf2e3b342d582000", "capabilities"),
        ("5858aa01a3bf2e3b342d5801", "too few"),
    ] {
        let told = told(&once(
            decode,
            &service("58:2D:34:3B:2E:BF", 0xFE95, data),
            None,
        ));
        assert!(
            told.contains("Unfit") && told.contains(part),
            "{data}: {told}"
        );
    }
}

#[test]
fn a_scale_weighs_and_feels_the_pulse() {
    check(
        "8C:D0:B2:F6:BE:EF",
        "4859d53b0abc078ff2348c844138e930220000009e538599",
        "0728974d657a4b60964c1b1677f35f7c",
        "profile_id 1, weight 69.9 kg, heart_rate 92 /min, impedance_low 543.2 Ohm, stabilized false",
    );
}
