//! Any bytes as the structures of some advertisements of one device, found and decoded as the source does it.
#![no_main]

use fieldgate_ble::{Address, Advertisement, Key, Memory, Profiles, uuid16};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

thread_local! {
    static PROFILES: Profiles = Profiles::bundled();
}

const PACKETS: usize = 8;

fuzz_target!(|data: &[u8]| {
    let Some((flags, mut data)) = data.split_first() else {
        return;
    };
    let key = (flags & 1 == 1)
        .then(|| Key::parse("231d39c1d7cc1ab1aee224cd096db932").expect("it is a key"));
    // What is remembered of one packet is there when the next one comes; each run begins with nothing, so that it can be repeated.
    let mut memory = Memory::default();
    PROFILES.with(|profiles| {
        for _ in 0..PACKETS {
            let advertisement;
            (advertisement, data) = next(data);
            if let Some(profile) = profiles.find(&advertisement) {
                profile.decode(&advertisement, key.as_ref(), &mut memory);
            }
            // A wrong profile that somebody chose.
            let all = profiles.all();
            let chosen = &all[usize::from(*flags >> 1) % all.len()];
            chosen.decode(&advertisement, key.as_ref(), &mut Memory::default());
            if data.is_empty() {
                break;
            }
        }
    });
});

/// Length, type, data, as Core Specification Supplement 11 has them, up to one without a length; and what is left then.
fn next(mut data: &[u8]) -> (Advertisement, &[u8]) {
    let mut advertisement = Advertisement::new(Address([0xC0, 0xDE, 0, 0, 0, 1]), true);
    while let Some((length, rest)) = data.split_first() {
        let length = usize::from(*length).min(rest.len());
        let (part, rest) = rest.split_at(length);
        data = rest;
        match part {
            [] => break,
            [0xFF, low, high, bytes @ ..] => {
                let company = u16::from_le_bytes([*low, *high]);
                advertisement.manufacturer.push((company, bytes.to_vec()));
            }
            [0x16, low, high, bytes @ ..] => {
                let uuid = uuid16(u16::from_le_bytes([*low, *high]));
                advertisement.service_data.push((uuid, bytes.to_vec()));
            }
            [0x21, bytes @ ..] if bytes.len() >= 16 => {
                let uuid = Uuid::from_slice(&bytes[..16]).expect("16 bytes are a UUID");
                advertisement.service_data.push((uuid, bytes[16..].to_vec()));
            }
            [0x02 | 0x03, bytes @ ..] => {
                for pair in bytes.chunks_exact(2) {
                    let short = u16::from_le_bytes([pair[0], pair[1]]);
                    advertisement.services.push(uuid16(short));
                }
            }
            [0x08 | 0x09, bytes @ ..] => {
                advertisement.name = Some(String::from_utf8_lossy(bytes).into_owned());
            }
            _ => {}
        }
    }
    (advertisement, data)
}
