//! Vectors of the formats: what the specification shows, or what its layout gives by hand.

use fieldgate_model::Value;
use proptest::prelude::*;

use super::*;
use crate::uuid16;

/// Hexadecimal in; `id=value unit` each, separated by `; ` out, or the error.
fn read(short: u16, hex: &str) -> String {
    let bytes: Vec<u8> = hex
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    match read_standard(uuid16(short), &bytes).unwrap() {
        Err(why) => format!("! {why}"),
        Ok(fields) => {
            let shown = fields.iter().map(|field| {
                let unit = field.unit.as_deref().unwrap_or_default();
                format!("{}={} {unit}", field.id, show(&field.value))
                    .trim()
                    .to_owned()
            });
            shown.collect::<Vec<_>>().join("; ")
        }
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Float(number) => format!("{number:?}"),
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(values) => values.iter().map(show).collect::<Vec<_>>().join(","),
        other => format!("{other:?}"),
    }
}

fn check(cases: &[(u16, &str, &str)]) {
    for (short, hex, expected) in cases {
        assert_eq!(read(*short, hex), *expected, "{short:#06x} {hex}");
    }
}

#[test]
fn the_tables_are_in_order_and_no_format_is_there_twice() {
    let mut all = std::collections::BTreeSet::new();
    for table in TABLES {
        assert!(table.is_sorted_by(|one, next| one.0 < next.0));
        for format in table {
            assert!(all.insert(format.0), "{:#06x}", format.0);
            let name = crate::gatt::characteristic_name(uuid16(format.0));
            // Those that were withdrawn have no name any more, and devices that are sold still have them.
            assert!(
                name.is_some() || [0x2A1A, 0x2A56, 0x2A58].contains(&format.0),
                "{:#06x}",
                format.0
            );
        }
    }
    assert!(all.len() > 200, "{}", all.len());
}

#[test]
fn ids_are_of_the_form_that_points_have() {
    let fits = |id: &str| {
        id.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    for part in TABLES.into_iter().flatten().flat_map(|format| format.2) {
        assert!(fits(part.id), "{}", part.id);
    }
}

#[test]
fn the_environment_is_measured() {
    check(&[
        (0x2A6E, "7e 08", "temperature=21.74 Cel"),
        (0x2A6E, "2b fd", "temperature=-7.25 Cel"),
        (0x2A6E, "00 80", ""),
        (
            0x2A6E,
            "00 90",
            "! `temperature` at byte 0 is -286.72, and only -273.15 to 327.67 can be",
        ),
        (
            0x2A6E,
            "7e",
            "! `temperature` at byte 0 has 2 bytes, and only 1 are there",
        ),
        (0x2A6F, "ad 13", "humidity=50.37 %"),
        (0x2A6F, "ff ff", ""),
        (0x2A6D, "cd 75 0f 00", "pressure=101319.7 Pa"),
        (0x2A6C, "18 fc ff", "elevation=-10.0 m"),
        (0x2A70, "d2 04", "wind_speed=12.34 m/s"),
        (0x2A71, "9f 8c", "wind_direction=359.99 deg"),
        (0x2A74, "0f", "gust_factor=1.5"),
        (0x2A75, "40 e2 01", "pollen=123456 /m3"),
        (0x2A76, "06", "uv_index=6"),
        (0x2A77, "39 30", "irradiance=1234.5 W/m2"),
        (0x2A78, "0c 00", "rainfall=12 mm"),
        (0x2A79, "f4", "wind_chill=-12 Cel"),
        (0x2A7A, "24", "heat_index=36 Cel"),
        (0x2A7B, "fd", "dew_point=-3 Cel"),
        (0x2A2C, "0e 01", "magnetic_declination=2.7 deg"),
        (
            0x2AA1,
            "d2 00 f6 ff b0 01",
            "magnetic_x=21.0 uT; magnetic_y=-1.0 uT; magnetic_z=43.2 uT",
        ),
        (0x2AA3, "03", "pressure_trend=falling, then steady"),
        (0x2B8C, "20 03", "co2=800 [ppm]"),
        (0x2B8C, "ff ff", ""),
        // 12 ug/m3 is 1.2E-8 kg/m3, which 4 bits of exponent only reach as 0; 1.2E-6 is mantissa 120, exponent -8.
        (0x2BD6, "78 80", "pm25=1200.0 ug/m3"),
        (0x2BD6, "ff 07", ""),
        (0x2BD1, "d0 07", "methane=2000.0 [ppb]"),
        (0x2BE7, "fa 00", "voc=250 [ppb]"),
        (0x2BE4, "3c", "noise=60 dB[SPL]"),
        (0x2B0D, "2b", "temperature=21.5 Cel"),
        (0x2B0D, "80", "temperature=-64.0 Cel"),
        (0x2B0D, "7f", ""),
        (0x2C1B, "64", "humidity=50.0 %"),
        (0x2BDF, "01 80", ""),
        (
            0x2B11,
            "d0 07 0a 00 00 80 34 08 40",
            "average=20.0 Cel; standard_deviation=0.1 Cel; maximum=21.0 Cel; sensing_duration=1.0 s",
        ),
    ]);
}

#[test]
fn a_device_says_what_it_is() {
    check(&[
        (0x2A19, "57", "battery=87 %"),
        (
            0x2A19,
            "ff",
            "! `battery` at byte 0 is 255, and only 0 to 100 can be",
        ),
        (
            0x2A19,
            "",
            "! `battery` at byte 0 has 1 bytes, and only 0 are there",
        ),
        (0x2A29, "41 63 6d 65 00 00", "manufacturer_name=Acme"),
        (0x2A24, "c3 28 31 1b", "model_number=\u{fffd}(1"),
        (0x2A24, "", ""),
        (
            0x2A23,
            "56 34 12 ff fe 9a bc de",
            "system_id=debc9afeff123456",
        ),
        (
            0x2A50,
            "01 99 04 02 00 10 01",
            "vendor_id_source=Bluetooth SIG; vendor_id=1177; product_id=2; product_version=272",
        ),
        (0x2A01, "44 05", "appearance=Humidity Sensor"),
        (0x2A01, "ff ff", "appearance=0xffff"),
        (0x2A07, "f4", "tx_power=-12 dB[mW]"),
        (0x2A06, "02", "alert_level=high"),
        (0x2A06, "07", "alert_level=7"),
        (
            0x2A2B,
            "ea 07 0b 1d 08 0f 1e 07 80 01",
            "time=2026-11-29T08:15:30; day_of_week=Sunday; fraction=0.5 s; adjusted_manually=true; adjusted_by_reference=false; time_zone_changed=false; daylight_saving_changed=false",
        ),
        (0x2A0F, "04 04", "time_zone=1.0 h; daylight_saving=1.0 h"),
        (0x2A0F, "80 ff", ""),
        (
            0x2A1A,
            "bb",
            "battery_present=yes; battery_discharging=no; battery_charging=yes; battery_charge_level=good",
        ),
        (
            0x2BED,
            "02 a3 00 57",
            "battery_present=true; wired_power=yes; wireless_power=no; battery_charge_state=charging; battery_charge_level=good; battery_fault=false; external_power_fault=false; charging_fault=false; battery=87 %",
        ),
        (0x2BEE, "02 ff ff ff 3c 00 00", "until_recharged=60 min"),
        (
            0x2BF0,
            "12 78 e0 f6 ff",
            "battery_voltage=1.2 V; battery_charge_rate=-1.0 W",
        ),
        (0x2BEA, "04 7f", ""),
        (0x2AED, "32 51 00", "date=2026-11-29"),
        (0x2AC3, "01 00 00 00 00 01", "object_id=1099511627777"),
    ]);
}

#[test]
fn one_value_each() {
    check(&[
        (0x2B18, "00 03", "voltage=12.0 V"),
        (0x2B18, "ff ff", ""),
        (0x2AEE, "4d 01", "current=3.33 A"),
        (0x2B05, "e8 03 00", "power=100.0 W"),
        (0x2B05, "fe ff ff", ""),
        (0x2AF2, "39 05 00", "energy=1337 kW.h"),
        (0x2BA8, "39 05 00 00", "energy=1.337 kW.h"),
        (0x2AFB, "10 27 00", "illuminance=100.0 lx"),
        (0x2C1C, "64 00", "illuminance=100 lx"),
        (0x2AFD, "02 00 00", "luminous_energy=2000.0 lm.h"),
        (0x2B04, "c8", "percentage=100.0 %"),
        (
            0x2B04,
            "c9",
            "! `percentage` at byte 0 is 100.5, and only 0 to 100 can be",
        ),
        (0x2AE2, "01", "state=true"),
        (0x2AE2, "02", "! `state` at byte 0 is 2, neither 0 nor 1"),
        (0x2AE8, "00 00 c0 3f", "coefficient=1.5"),
        (0x2AE8, "00 00 c0 7f", ""),
        (0x2B1C, "ff ff", "chromaticity=1.0"),
        (0x2AEA, "0a 00", "count=10"),
        (0x2B13, "40", "time=1.0 s"),
        (0x2B13, "00", "time=0.0 s"),
        (0x2B13, "fe", ""),
        (0x2B15, "d2 04 00", "time=1.234 s"),
        (0x2AF8, "41 42 00 00 00 00 00 00", "text=AB"),
        (
            0x2A56,
            "84",
            "digital=false; digital_2=true; digital_3=false",
        ),
        (0x2A58, "ff 0f", "analog=4095"),
        (0x2C20, "02", "opening=tilted"),
        (0x2C21, "09", "button=pressed; button_2=released"),
        (
            0x2C1D,
            "64 9c 7f",
            "acceleration_x=9.80665 m/s2; acceleration_y=-9.80665 m/s2",
        ),
        (0x2C0B, "9c ff ff ff", "torque=-1.0 N.m"),
        (0x2C0B, "ff ff ff 7f", ""),
    ]);
}

#[test]
fn health_devices_say_what_their_flags_say() {
    check(&[
        (0x2A37, "00 48", "heart_rate=72 /min"),
        (0x2A37, "06 48", "sensor_contact=true; heart_rate=72 /min"),
        (
            0x2A37,
            "1d 2c 01 0a 00 00 04 80 04 01",
            "sensor_contact=false; heart_rate=300 /min; energy_expended=10 kJ; rr_intervals=1.0,1.125 s",
        ),
        (0x2A1C, "00 6c 01 00 ff", "temperature=36.4 Cel"),
        (
            0x2A1C,
            "07 da 03 00 ff ea 07 0b 1d 08 0f 1e 03",
            "temperature=37.0 Cel; time=2026-11-29T08:15:30; temperature_type=ear",
        ),
        (0x2A1C, "00 ff ff 7f 00", ""),
        (
            0x2A35,
            "04 78 00 50 00 5d 00 48 00",
            "systolic=120.0 mm[Hg]; diastolic=80.0 mm[Hg]; mean_arterial_pressure=93.0 mm[Hg]; pulse_rate=72.0 /min",
        ),
        (
            0x2A35,
            "19 a0 f0 ff 07 ff 07 01 24 00",
            "systolic=120.01020086707369 mm[Hg]; user_id=1; body_movement=false; cuff_too_loose=false; irregular_pulse=true; pulse_range=within range; improper_position=true",
        ),
        (0x2A36, "00 78 00 ff 07 ff 07", "cuff_pressure=120.0 mm[Hg]"),
        (
            0x2A5E,
            "08 62 00 48 00 19 f0",
            "spo2=98.0 %; pulse_rate=72.0 /min; pulse_amplitude_index=2.5 %",
        ),
        (
            0x2A5F,
            "02 61 00 47 00 60 00 46 00",
            "spo2=97.0 %; pulse_rate=71.0 /min; spo2_slow=96.0 %; pulse_rate_slow=70.0 /min",
        ),
        (
            0x2A18,
            "03 05 00 ea 07 0b 1d 08 0f 1e f6 ff 5f b0 11",
            "sequence=5; time=2026-11-29T08:15:30; time_offset=-10 min; glucose=95.0 mg/dL; sample=capillary whole blood; sample_location=finger",
        ),
        (
            0x2A18,
            "06 05 00 00 00 00 00 00 00 00 37 c0 f1",
            "sequence=5; glucose=5.5 mmol/L; sample=capillary whole blood",
        ),
        (0x2A9D, "00 a0 3c", "weight=77.6 kg"),
        (0x2A9D, "01 10 27", "weight=45.359237 kg"),
        (0x2A9D, "00 ff ff", ""),
        (
            0x2A9D,
            "0c a0 3c 02 ee 00 0b 07",
            "weight=77.6 kg; user_id=2; bmi=23.8 kg/m2; height=1.803 m",
        ),
        (
            0x2A9C,
            "10 02 e1 00 88 13 c0 12",
            "body_fat=22.5 %; muscle_percentage=500.0 %; impedance=480.0 Ohm",
        ),
        (0x2A98, "a0 3c", "weight=77.6 kg"),
    ]);
}

#[test]
fn sport_devices_say_what_their_flags_say() {
    check(&[
        (
            0x2A5B,
            "03 10 27 00 00 00 04 64 00 00 02",
            "wheel_revolutions=10000; wheel_event_time=1.0 s; crank_revolutions=100; crank_event_time=0.5 s",
        ),
        (
            0x2A53,
            "07 80 02 50 7d 00 e8 03 00 00",
            "speed=2.5 m/s; cadence=80 /min; stride_length=1.25 m; total_distance=100.0 m; running=true",
        ),
        (
            0x2A63,
            "21 08 fa 00 64 10 00 00 04 39 05",
            "power=250 W; pedal_balance=50.0 %; crank_revolutions=16; crank_event_time=1.0 s; accumulated_energy=1337 kJ",
        ),
        (
            0x2A63,
            "00 01 fa 00 68 a1 00",
            "power=250 W; maximum_angle=360 deg; minimum_angle=10 deg",
        ),
        // By Fitness Machine Service 1.0 the resistance level has two bytes.
        (
            0x2AD2,
            "64 00 10 0e b4 00 05 00 fa 00",
            "speed=36.0 km/h; cadence=90.0 /min; resistance=5.0; power=250 W",
        ),
        (
            0x2AD2,
            "64 00 10 0e b4 00 05 fa 00",
            "speed=36.0 km/h; cadence=90.0 /min; resistance=50.0; power=250 W",
        ),
        (
            0x2ACD,
            "84 00 e8 03 64 00 00 0a 00 ff ff ff",
            "speed=10.0 km/h; total_distance=100 m; total_energy=10 kcal",
        ),
        (
            0x2A67,
            "05 00 d2 04 00 ca 9a 3b 00 36 65 c4",
            "speed=12.34 m/s; latitude=100.0 deg; longitude=-100.0 deg",
        ),
        (
            0x2AD1,
            "00 00 38 64 00",
            "stroke_rate=28.0 /min; strokes=100",
        ),
    ]);
}

#[test]
fn what_is_always_there_is_known_before_it_comes() {
    let points = |short| standard_points(uuid16(short)).unwrap();
    assert_eq!(points(0x2A6E), [("temperature", Some("Cel"))]);
    assert_eq!(points(0x2A37), []);
    assert_eq!(
        points(0x2A5E),
        [("spo2", Some("%")), ("pulse_rate", Some("/min"))]
    );
    assert_eq!(standard_points(uuid16(0x1234)), None);
    assert_eq!(read_standard(Uuid::from_u128(1), &[]), None);
}

fn wrote(short: u16, value: impl Into<Value>) -> String {
    match write_standard(uuid16(short), &value.into()).unwrap() {
        Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(why) => format!("! {why}"),
    }
}

#[test]
fn one_value_is_written_as_it_is_read() {
    assert_eq!(wrote(0x2A6E, 21.74), "7e08");
    assert_eq!(wrote(0x2A6E, -7.25), "2bfd");
    assert_eq!(
        wrote(0x2A6E, 400.0),
        "! 400 is out of range, it can be -273.15 to 327.67 Cel"
    );
    assert_eq!(wrote(0x2A6E, "warm"), "! a number is needed, not a text");
    assert_eq!(wrote(0x2B18, 12.0), "0003");
    assert_eq!(wrote(0x2AE2, true), "01");
    assert_eq!(
        wrote(0x2AE2, 1.0),
        "! true or false is needed, not a number"
    );
    assert_eq!(wrote(0x2A06, "high"), "02");
    assert_eq!(wrote(0x2A06, 1_i64), "01");
    assert_eq!(
        wrote(0x2A06, "loud"),
        "! `loud` is none of none, mild, high"
    );
    assert_eq!(wrote(0x2A00, "oven"), "6f76656e");
    assert_eq!(wrote(0x2AF8, "ab"), "6162000000000000");
    assert_eq!(
        wrote(0x2B04, 127.5),
        "! 127.5 is out of range, it can be 0 to 100 %"
    );
    assert_eq!(
        wrote(0x2AEA, 65_535_i64),
        "! 65535 stands for `not known` in this format and cannot be written"
    );
    assert_eq!(wrote(0x2AE8, 1.5), "0000c03f");
    assert_eq!(wrote(0x2AE8, 1e300), "! 1e300 is too large for 32 bits");
    assert_eq!(wrote(0x2A37, "0048"), "0048");
    assert_eq!(
        wrote(0x2A37, 72.0),
        "! bytes are needed, as hexadecimal digits, not a number"
    );
}

proptest! {
    #[test]
    fn what_is_read_of_one_number_can_be_written_again(
        bytes in proptest::collection::vec(any::<u8>(), 6),
    ) {
        for format in TABLES.into_iter().flatten() {
            let Some(Part { take: Take::Number(number), .. }) = format.only() else {
                continue;
            };
            let bytes = &bytes[..number.raw.bytes.into()];
            let Ok(fields) = format.read(bytes) else { continue };
            if let [field] = fields.as_slice() {
                prop_assert_eq!(write::write(format, &field.value), Ok(bytes.to_vec()));
            }
        }
    }


    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        for format in TABLES.into_iter().flatten() {
            if let Ok(fields) = format.read(&bytes) {
                prop_assert!(fields.len() <= 256);
                for field in fields {
                    prop_assert!(!field.id.is_empty());
                }
            }
        }
    }
}
