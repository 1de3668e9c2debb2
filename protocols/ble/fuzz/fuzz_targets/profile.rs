//! Any text as a profile, and bytes that it is tried on: as an advertisement, and as the values of its characteristics.
#![no_main]

use fieldgate_ble::{
    gatt::Rule,
    profile::{Profile, Profiles, TryData, try_out},
};
use fieldgate_model::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What is tried comes first and ends with a zero.
    let (tried, text) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (&b"0512fc5394"[..], data),
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let hex: String = tried.iter().map(|byte| format!("{byte:02x}")).collect();
    let data = TryData {
        data: Some(hex.clone()),
        ..TryData::default()
    };
    let _ = try_out("fuzz", text, &data);
    if let Ok(profile) = Profile::parse("fuzz", text) {
        for rule in profile.characteristics() {
            characteristic(rule, tried, &hex);
        }
        let profiles = Profiles::default().with(profile);
        for profile in profiles.all() {
            let _ = profile.check(&profiles);
        }
    }
});

/// Reads a value, and writes what was read, and what was not.
fn characteristic(rule: &fieldgate_ble::CharacteristicRule, value: &[u8], hex: &str) {
    let Ok(rule) = Rule::new(rule) else {
        return;
    };
    for field in rule.fields(value).unwrap_or_default() {
        let _ = rule.bytes(&field.value);
    }
    for written in [
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(1e300),
        Value::Float(f64::NAN),
        Value::Bool(false),
        Value::Text(hex.to_owned()),
    ] {
        let _ = rule.bytes(&written);
    }
}
