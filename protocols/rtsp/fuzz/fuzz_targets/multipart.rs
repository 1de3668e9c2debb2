//! Any bytes as pictures that are pushed over HTTP, in pieces of any size.
#![no_main]

use fieldgate_rtsp::fuzzed::{Multipart, jpeg_size};
use libfuzzer_sys::fuzz_target;

const MOST: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let Some((step, data)) = data.split_first() else {
        return;
    };
    let kind = "multipart/x-mixed-replace; boundary=cut";
    let mut multipart = Multipart::new(kind, MOST).expect("it has a boundary");
    for piece in data.chunks(usize::from(*step).max(1)) {
        multipart.push(piece);
        loop {
            match multipart.part() {
                Ok(Some(part)) => {
                    assert!(part.body.len() <= MOST);
                    jpeg_size(&part.body);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
