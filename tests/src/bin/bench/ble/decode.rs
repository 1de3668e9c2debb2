//! The pure decoder: finds the profile of each advertisement of a realistic mix, and decodes it, in one thread.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fieldgate_ble::{Address, Advertisement, Decoded, Memory, Profiles, uuid16};

use crate::support::median;

/// As many as an S32 flood and far more than a plant has.
const DEVICES: usize = 1000;
/// Packets of one device that differ, so that none is taken for a repetition.
const PACKETS: usize = 4;

/// Advertisements decoded in a second: the median of the rounds. A quarter of what is heard is nobody's, and only costs.
pub fn per_second(rounds: usize, window: Duration) -> Result<f64> {
    let profiles = Profiles::bundled();
    let heard: Vec<Vec<Advertisement>> = (0..DEVICES).map(device).collect();
    let mut memories = vec![Memory::default(); DEVICES];
    let mut rates = Vec::new();
    for round in 1..=rounds.max(1) {
        let rate = measure(&profiles, &heard, &mut memories, window)?;
        eprintln!("round {round}: {rate:.0} advertisements decoded a second");
        rates.push(rate);
    }
    Ok(median(rates))
}

fn measure(
    profiles: &Profiles,
    heard: &[Vec<Advertisement>],
    memories: &mut [Memory],
    window: Duration,
) -> Result<f64> {
    let (mut decoded, mut strangers, mut fields_read) = (0u64, 0u64, 0u64);
    let begin = Instant::now();
    while begin.elapsed() < window {
        for turn in 0..PACKETS {
            for (packets, memory) in heard.iter().zip(memories.iter_mut()) {
                let advertisement = &packets[turn];
                let Some(profile) = profiles.find(advertisement) else {
                    strangers += 1;
                    continue;
                };
                match profile.decode(advertisement, None, memory) {
                    Decoded::Fields { fields, .. } => {
                        decoded += 1;
                        fields_read += fields.len() as u64;
                    }
                    other => ensure!(false, "{} gives {other:?}", profile.id()),
                }
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(
        strangers * 4 == strangers + decoded,
        "a quarter is nobody's"
    );
    ensure!(fields_read > decoded * 2, "values were read");
    Ok(decoded as f64 / seconds)
}

/// The packets of one of the devices, by turns of eight kinds.
fn device(number: usize) -> Vec<Advertisement> {
    let low = u8::try_from(number & 0xFF).unwrap_or(0);
    let high = u8::try_from(number >> 8 & 0xFF).unwrap_or(0);
    let address = Address([0xC0, 0xDE, 0, 0, high, low]);
    (0..PACKETS)
        .map(|turn| {
            let turn = u8::try_from(turn).unwrap_or(0);
            let mut advertisement = Advertisement::new(address, true);
            advertisement.rssi = Some(-60);
            fill(&mut advertisement, number % 8, turn);
            advertisement
        })
        .collect()
}

fn fill(advertisement: &mut Advertisement, kind: usize, turn: u8) {
    let manufacturer = |advertisement: &mut Advertisement, company: u16, bytes: &[u8]| {
        advertisement.manufacturer.push((company, bytes.to_vec()));
    };
    let service = |advertisement: &mut Advertisement, short: u16, bytes: &[u8]| {
        advertisement
            .service_data
            .push((uuid16(short), bytes.to_vec()));
    };
    match kind {
        // A RuuviTag.
        0 | 1 => manufacturer(
            advertisement,
            0x0499,
            &[
                5, 0x12, 0xFC, 0x53, 0x94, 0xC3, 0x7C, 0, 4, 0xFF, 0xFC, 4, 0x0C, 0xAC, 0x36, 0x42,
                0, turn, 0xCB, 0xB8, 0x33, 0x4C, 0x88, 0x4F,
            ],
        ),
        // Thermometers with ATC1441's and PVVX's firmware.
        2 => service(
            advertisement,
            0x181A,
            &[
                0xA4, 0xC1, 0x38, 2, 0x83, 0xF4, 0, 0xA2, 0x2F, 0x5F, 0x0B, 0xF8, turn,
            ],
        ),
        3 => service(
            advertisement,
            0x181A,
            &[
                0xF4, 0x83, 2, 0x38, 0xC1, 0xA4, 0xA9, 6, 0x69, 0x11, 0xB6, 0x0B, 0x58, turn, 0x0D,
            ],
        ),
        // A Teltonika EYE, whose packet is made by flags, and who says its name.
        4 => {
            advertisement.name = Some("MP1_1234567".to_owned());
            manufacturer(
                advertisement,
                0x089A,
                &[1, 0xB7, 8, 0xB4, 0x12, 0x0C, turn, 0x0B, 0xFF, 0xC7, 0x67],
            );
        }
        // A Minew HT sensor.
        5 => service(
            advertisement,
            0xFFE1,
            &[
                0xA1,
                1,
                0x63,
                0x15,
                0x80 | turn,
                0x32,
                0,
                0xAA,
                0xBB,
                0xCC,
                0xDD,
                0xEE,
                0xFF,
            ],
        ),
        // Nobody's: a telephone, and a computer.
        6 => {
            advertisement.services.push(uuid16(0xFD6F));
            manufacturer(
                advertisement,
                0x004C,
                &[0x10, 5, 0x3B, 0x1C, 0xA4, turn, 0x9D],
            );
        }
        _ => {
            advertisement.name = Some("DESKTOP-7".to_owned());
            manufacturer(
                advertisement,
                6,
                &[1, 9, 0x20, 2, 0xF5, turn, 0x1F, 0xAA, 0x30, 0x11, 0x5B],
            );
        }
    }
}
