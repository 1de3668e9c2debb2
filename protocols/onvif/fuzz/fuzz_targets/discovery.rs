//! Any bytes as a message of WS-Discovery, and its parts as what is told about a device.
#![no_main]

use fieldgate_onvif::{Announcement, Scopes, Told, read_date_time};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for announcement in Announcement::read(data) {
        let Announcement::Here(said) = announcement else {
            continue;
        };
        let _ = said.is_onvif();
        let _ = Scopes::read(said.scopes.iter().map(String::as_str));
    }
    let text = String::from_utf8_lossy(data);
    let _ = read_date_time(&text);
    let _ = fieldgate_onvif::masked(&text);
    if let Ok(device) = "http://192.168.1.20/onvif/device_service".parse() {
        let _ = Told::read(&text, &device, &["rtsp", "http"]);
    }
});
