//! Any bytes as parameter sets, NAL units and JPEG markers.
#![no_main]

use fieldgate_media::{
    JpegFacts,
    h264::{self, Sps},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut unit = vec![0x67];
    unit.extend_from_slice(data);
    if let Ok(sps) = Sps::parse(&unit) {
        assert!((1..=65_536).contains(&sps.width) && (1..=65_536).contains(&sps.height));
        assert!(sps.pixels() <= 65_536 * 65_536);
    }
    let _ = h264::track(&unit, data);
    let sets: usize = h264::parameter_sets(data).map(<[u8]>::len).sum();
    let units: usize = h264::units(data).map(<[u8]>::len).sum();
    let parts: usize = h264::parts(data).map(<[u8]>::len).sum();
    assert!(sets <= data.len() && units <= data.len() && parts <= data.len());
    if let Ok(facts) = JpegFacts::of(data) {
        assert!(facts.pixels() > 0);
    }
});
