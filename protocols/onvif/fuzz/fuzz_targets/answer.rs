//! Any bytes as the answer to each question that a device is asked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    fieldgate_onvif::read_anything(data);
});
