//! Any bytes as a camera's answer: its head, its description, and what is written of it again.
#![no_main]

use fieldgate_rtsp::fuzzed::{check_sdp, parse_head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Some((head, taken))) = parse_head(rest) {
        let again = parse_head(&head.to_bytes()).expect("what was written is a head");
        let (again, _) = again.expect("it is whole");
        assert_eq!(again.start, head.start);
        let _ = head.content_length(65_536);
        rest = &rest[taken..];
    }
    let _ = check_sdp(data);
});
