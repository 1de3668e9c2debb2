//! Packets of real devices, as the tests of victron-ble (Unlicense) publish them, and records as Victron's document has them.

use super::{decode, records};
use crate::{
    Decoded, Key, Memory,
    decode::testing::{hex, manufacturer, once, told},
};

#[test]
fn packets_of_real_devices_are_read() {
    for (data, key, expected) in [
        (
            "100289a302b040af925d09a4d89aa0128bdef48c6298a9",
            "aff4d0995b7d1e176c0c33ecb9e70dcd",
            "voltage 12.53 V, alarm none, current 0 A, consumed -50 A.h, state_of_charge 50 %",
        ),
        (
            "1000a4a3025f150d8dcbff517f30eb65e76b22a04ac4e1",
            "0da694539597f9cf6c613cde60d7bf05",
            "voltage 12.22 V, temperature 22.5 Cel",
        ),
        (
            "100289a30d787fafde83ccec982199fd815286",
            "aff4d0995b7d1e176c0c33ecb9e70dcd",
            "meter_type dc_dc_charger, voltage 12.52 V, alarm none, starter_voltage -0.01 V, current 0 A",
        ),
        (
            "1000c0a304121d64ca8d442b90bbdf6a8cba",
            "64ba49f1a8562e45197a8e1fe50d7658",
            "state off, error 0, input_voltage 13.15 V, off_reason engine_shutdown",
        ),
        (
            "100043a40bf4e434af0e46c3b8eb68e08e616993f70c",
            "346c410e8c824dd723c0f5b13b9eabc8",
            "state inverting, error 0, current -12.8 A, battery_voltage 51.71 V, ac_in not_connected, ac_in_power 0 W, ac_out_power 722 W, pv_power 0 W, yield_today 5.32 kW.h",
        ),
        (
            "1080b0a3093523fadedea38b1af8bcbde91ca8b6dbb60e",
            "fac570d66380b797a5b7543758be00e4",
            "state active, output_state on, error 0, alarm none, warning none, input_voltage 13.07 V, output_voltage 13.07 V, off_reason none",
        ),
    ] {
        let decoded = once(decode, &manufacturer("", 0x02E1, data), Some(key));
        assert_eq!(told(&decoded), expected, "{data}");
        assert!(matches!(decoded, Decoded::Fields { sealed: true, .. }));
    }
}

#[test]
fn records_are_read_as_the_document_lays_them_out() {
    for (record, data, expected) in [
        (
            0x05,
            "000000060000c7e3f1f8ffffff2c35b5fab478010fd2",
            "bms_flags 100663296, error 0, cell_voltage 3.31 V, cell_voltage_2 3.31 V, cell_voltage_3 3.31 V, cell_voltage_4 3.31 V, battery_voltage 13.24 V, balancer imbalance, temperature 13 Cel",
        ),
        (
            0x0A,
            "0040388b0afaff951555148ccf0200ffb3eaf174",
            "error 0, remaining 14400 min, voltage 26.99 V, current -0.6 A, io_status 5525, alarm_flags 5205, state_of_charge 99.5 %, consumed -4.4 A.h",
        ),
        // Voltage 52.01, 1500 W of sun, 80 %, 1000 W into the battery, 50 W to the loads; a record made after the document.
        (
            0x07,
            "5114dc0500451f00320000",
            "battery_voltage 52.01 V, pv_power 1500 W, state_of_charge 80 %, battery_power 1000 W, dc_power 50 W",
        ),
        (
            0x06,
            "09001450 9cff dc05 1402 e803",
            "state inverting, error 0, battery_voltage 205 V, current -10 A, pv_power 1500 W, yield_today 5.32 kW.h, ac_out_power 1000 W",
        ),
    ] {
        let fields = records::read(record, &hex(data)).unwrap();
        let decoded = Decoded::Fields {
            fields,
            sealed: true,
        };
        assert_eq!(told(&decoded), expected, "{record:02x}");
    }
}

#[test]
fn what_is_not_available_is_left_out() {
    for record in (0x01..=0x0D_u8).chain([0x0F]) {
        assert_eq!(records::read(record, &[0xFF; 4]), None, "{record:02x}");
        assert!(records::read(record, &[0xFF; 32]).is_some(), "{record:02x}");
    }
    let auxiliary = |record: u8, counts: u16, mode: u8| {
        let mut data = vec![0; 6];
        data.extend(counts.to_le_bytes());
        data.push(mode);
        data.resize(32, 0);
        let fields = records::read(record, &data).unwrap();
        let known = ["starter_voltage", "midpoint_voltage", "temperature"];
        let found = fields.iter().find(|field| known.contains(&&*field.id));
        found.map(|field| field.id.to_string())
    };
    for (record, counts, mode, expected) in [
        (0x02, 1_252, 0, Some("starter_voltage")),
        (0x02, 0x7FFF, 0, None),
        (0x02, 1_252, 1, Some("midpoint_voltage")),
        (0x02, 0xFFFF, 1, None),
        (0x02, 29_815, 2, Some("temperature")),
        (0x02, 0xFFFF, 2, None),
        (0x0D, 1_252, 0, Some("starter_voltage")),
        // An energy meter has no such input.
        (0x0D, 1_252, 1, None),
        (0x0D, 1_252, 3, None),
    ] {
        let found = auxiliary(record, counts, mode);
        assert_eq!(found.as_deref(), expected, "{record:02x} {counts} {mode}");
    }
    let fields = records::read(0x02, &hex("ffffff7f0000ffff03000000ffffffff")).unwrap();
    assert!(
        fields
            .iter()
            .all(|field| &*field.id != "voltage" && &*field.id != "remaining"),
        "{fields:?}"
    );
}

#[test]
fn keys_are_told_apart_by_their_first_byte() {
    let heard = manufacturer("", 0x02E1, "100289a302b040af925d09a4d89aa0128bdef48c6298a9");
    assert_eq!(once(decode, &heard, None), Decoded::NeedsKey);
    assert_eq!(
        once(decode, &heard, Some("00f4d0995b7d1e176c0c33ecb9e70dcd")),
        Decoded::WrongKey
    );
    let (mut memory, key) = (
        Memory::default(),
        Key::parse("aff4d0995b7d1e176c0c33ecb9e70dcd").unwrap(),
    );
    assert!(matches!(
        decode(&heard, Some(&key), &mut memory),
        Decoded::Fields { .. }
    ));
    assert_eq!(decode(&heard, Some(&key), &mut memory), Decoded::Repeated);
    for data in ["", "1002", "100289a3ff0000af00", "200289a302b040af92"] {
        let decoded = once(decode, &manufacturer("", 0x02E1, data), None);
        assert!(matches!(decoded, Decoded::Unfit(_)), "{data}");
    }
}
