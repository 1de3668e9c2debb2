//! Any bytes as what a viewer of the restream says.
#![no_main]

use fieldgate_rtsp::fuzzed::parse_request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Some((_, taken))) = parse_request(rest) {
        assert!(taken > 0 && taken <= rest.len());
        rest = &rest[taken..];
    }
});
