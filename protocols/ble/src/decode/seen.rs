//! What is new: packets that came before are told from new ones, and played-back ones from both.

use crate::{Decoded, Field, Memory, Nature};

/// What of a packet is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    All,
    /// What was measured may be; what happened has been told already.
    Measured,
    Nothing,
}

/// What a replay counter says of its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    New,
    Same,
    Old,
}

/// So many packets with low, rising counters are a device that began anew. Fewer would let somebody who recorded the first packets
/// after one change of battery be believed with one of them.
const RESTART_PACKETS: u8 = 3;

/// The tag of packets without an identifier, beside the 256 that one byte can say.
const NO_IDENTIFIER: u64 = 256;

/// Compares a packet with the last one of its device.
///
/// The same identifier means the same packet, so nothing happened a second time. Its bytes are compared, too: a device whose
/// identifier stands still must not go blind, so what it measured is taken, while its events are counted once. Without an identifier
/// equal bytes are no second press of a button, and there is no way to tell two equal presses from one that was sent twice.
pub(crate) fn packet(memory: &mut Memory, identifier: Option<u8>, bytes: &[u8]) -> News {
    let tag = identifier.map_or(NO_IDENTIFIER, u64::from);
    let this = tag << 48 | hash(bytes) >> 16;
    let last = memory.packet.replace(this);
    match (identifier, last) {
        (Some(_), Some(last)) if last == this => News::Nothing,
        (Some(_), Some(last)) if last >> 48 == tag => News::Measured,
        (None, Some(last)) if last == this => News::Measured,
        _ => News::All,
    }
}

/// Compares the replay counter of a packet that the key opened with those before.
///
/// A counter must rise. A lower one is a recording that somebody plays, or a device that lost its counter with its battery. Only
/// for counters below `near_zero`, and only when several come, rising, with none of the old series between, it is taken for the latter:
/// as long as the device lives, its own next packet ends the deceit. What remains is that somebody who recorded the first packets of an
/// earlier life plays them, in their order, while the device is silent; nothing in the packet tells this from a new battery.
pub(crate) fn counter(memory: &mut Memory, counter: u64, near_zero: u64) -> Counted {
    let Some(highest) = memory.counter else {
        memory.counter = Some(counter);
        return Counted::New;
    };
    if counter > highest {
        memory.counter = Some(counter);
        memory.restart = None;
        return Counted::New;
    }
    if counter == highest {
        // The old series is still on the air.
        memory.restart = None;
        return Counted::Same;
    }
    if counter >= near_zero {
        return Counted::Old;
    }
    let packets = match memory.restart {
        Some((last, packets)) if counter > last => packets + 1,
        Some((last, _)) if counter == last => return Counted::Old,
        _ => 1,
    };
    if packets < RESTART_PACKETS {
        memory.restart = Some((counter, packets));
        return Counted::Old;
    }
    memory.counter = Some(counter);
    memory.restart = None;
    Counted::New
}

/// Only what is new.
pub(crate) fn told(mut fields: Vec<Field>, news: News, sealed: bool) -> Decoded {
    match news {
        News::Nothing => return Decoded::Repeated,
        News::Measured => {
            let before = fields.len();
            fields.retain(|field| field.nature == Nature::Measured);
            if fields.is_empty() && before > 0 {
                return Decoded::Repeated;
            }
        }
        News::All => {}
    }
    Decoded::Fields { fields, sealed }
}

/// FNV-1a: short, quick, and nobody gains anything by making two packets collide.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(packets: &[(Option<u8>, &[u8])], expected: &[News]) {
        let mut memory = Memory::default();
        let found: Vec<_> = packets
            .iter()
            .map(|(identifier, bytes)| packet(&mut memory, *identifier, bytes))
            .collect();
        assert_eq!(found, expected, "{packets:?}");
    }

    #[test]
    fn a_packet_is_new_once() {
        use News::{All, Measured, Nothing};
        news(
            &[(Some(1), &[1]), (Some(1), &[1]), (Some(2), &[1])],
            &[All, Nothing, All],
        );
        news(&[(Some(1), &[1]), (Some(1), &[2])], &[All, Measured]);
        news(
            &[(None, &[1]), (None, &[1]), (None, &[2]), (Some(0), &[2])],
            &[All, Measured, All, All],
        );
    }

    fn counted(counters: &[u64], expected: &[Counted]) {
        let mut memory = Memory::default();
        let found: Vec<_> = counters
            .iter()
            .map(|number| counter(&mut memory, *number, 100))
            .collect();
        assert_eq!(found, expected, "{counters:?}");
    }

    #[test]
    fn a_counter_must_rise() {
        use Counted::{New, Old, Same};
        counted(&[7, 8, 8, 7, 500, 499], &[New, New, Same, Old, New, Old]);
        counted(&[1_000, 200, 201, 202, 203], &[New, Old, Old, Old, Old]);
    }

    #[test]
    fn a_device_that_began_anew_is_believed_at_its_third_packet() {
        use Counted::{New, Old, Same};
        counted(&[1_000, 0, 1, 2, 3], &[New, Old, Old, New, New]);
        counted(
            &[1_000, 0, 0, 0, 1, 1, 4],
            &[New, Old, Old, Old, Old, Old, New],
        );
        counted(&[1_000, 2, 1, 0, 1], &[New, Old, Old, Old, Old]);
        // The living device speaks between: whoever plays the recording begins anew, too.
        counted(&[1_000, 0, 1, 1_001, 2, 3], &[New, Old, Old, New, Old, Old]);
        counted(&[1_000, 0, 1, 1_000, 2], &[New, Old, Old, Same, Old]);
    }
}
