//! Any text as a profile, and bytes that it is tried on.
#![no_main]

use fieldgate_ble::profile::{Profile, Profiles, TryData, try_out};
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
    let hex = tried.iter().map(|byte| format!("{byte:02x}")).collect();
    let data = TryData {
        data: Some(hex),
        ..TryData::default()
    };
    let _ = try_out("fuzz", text, &data);
    if let Ok(profile) = Profile::parse("fuzz", text) {
        let profiles = Profiles::default().with(profile);
        for profile in profiles.all() {
            profile.check(&profiles);
        }
    }
});
