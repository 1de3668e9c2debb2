//! Any text as a stream's address: what is shown of it never holds its password.
#![no_main]

use fieldgate_rtsp::Address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(address) = Address::parse(text) {
        let _ = (address.host(), address.port());
        let _ = address.to_string();
    }
    // A password of letters in front of anything that still is a host; small ones, which no %-escape ends with.
    let with = format!("rtsp://user:canaryword@host/{text}");
    // A URL has no line breaks and no tabs: what is on both sides of one comes together.
    let text = text.replace(['\n', '\r', '\t'], "");
    if let Ok(address) = Address::parse(&with)
        && !text.contains("canaryword")
    {
        assert!(!format!("{address} {address:?}").contains("canaryword"));
    }
});
