//! Puts a track's RTP packets into their order again, within bounds: datagrams overtake each other, and what retina gets must not go back.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The packets of one track that came before an earlier one.
#[derive(Debug)]
pub(crate) struct Order {
    /// Packets that wait at the most; none where nothing can overtake.
    most_held: usize,
    /// The next sequence number, without its turns.
    next: Option<u64>,
    held: BTreeMap<u64, Bytes>,
    late_in_a_row: u32,
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is next: pass it on, then what [`Order::ready`] gives.
    Pass,
    /// It waits for an earlier one.
    Held,
    /// Its place has passed, or it was here already.
    Late,
}

/// Datagrams that wait at the most: a keyframe's burst is not held up longer by one that is lost.
const MOST_HELD: usize = 32;
/// So many late ones in a row are a new beginning.
const NEW_BEGINNING: u32 = 64;

// === impl Order ===

impl Order {
    /// For packets that can overtake each other.
    pub(crate) fn of_datagrams() -> Self {
        Self::new(MOST_HELD)
    }

    /// For packets that cannot: a gap is a loss, and nothing waits.
    pub(crate) fn of_bytes() -> Self {
        Self::new(0)
    }

    fn new(most_held: usize) -> Self {
        Self {
            most_held,
            next: None,
            held: BTreeMap::new(),
            late_in_a_row: 0,
        }
    }

    /// Takes a packet by its sequence number; `packet` is called when it must wait.
    pub(crate) fn push(&mut self, sequence: u16, packet: impl FnOnce() -> Bytes) -> Verdict {
        let Some(next) = self.next else {
            // A turn up, as the first may be overtaken.
            self.next = Some(u64::from(sequence) + (1 << 16) + 1);
            return Verdict::Pass;
        };
        let ahead = sequence.wrapping_sub((next & 0xFFFF) as u16);
        if ahead == 0 {
            self.late_in_a_row = 0;
            self.next = Some(next + 1);
            return Verdict::Pass;
        }
        if ahead >= 0x8000 {
            self.late_in_a_row += 1;
            if self.late_in_a_row > NEW_BEGINNING {
                *self = Self::new(self.most_held);
                return self.push(sequence, packet);
            }
            return Verdict::Late;
        }
        self.late_in_a_row = 0;
        if self
            .held
            .insert(next + u64::from(ahead), packet())
            .is_some()
        {
            return Verdict::Late;
        }
        Verdict::Held
    }

    /// The next packet that waited and may go.
    pub(crate) fn ready(&mut self) -> Option<Bytes> {
        let next = self.next?;
        let (first, _) = self.held.first_key_value()?;
        if *first != next && self.held.len() <= self.most_held {
            return None;
        }
        let (first, packet) = self.held.pop_first()?;
        self.next = Some(first + 1);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes out, by sequence numbers, and how many were late.
    fn run(sequence: &[u16]) -> (Vec<u16>, usize) {
        let mut order = Order::of_datagrams();
        let (mut out, mut late) = (Vec::new(), 0);
        for number in sequence {
            match order.push(*number, || Bytes::copy_from_slice(&number.to_be_bytes())) {
                Verdict::Pass => out.push(*number),
                Verdict::Held => {}
                Verdict::Late => late += 1,
            }
            while let Some(packet) = order.ready() {
                out.push(u16::from_be_bytes([packet[0], packet[1]]));
            }
        }
        assert!(order.held.len() <= MOST_HELD);
        (out, late)
    }

    #[test]
    fn packets_come_out_in_order() {
        for (sequence, expected, late) in [
            (&[1_u16, 2, 3][..], &[1_u16, 2, 3][..], 0),
            (&[1, 3, 2, 4], &[1, 2, 3, 4], 0),
            (&[65_534, 0, 65_535, 1], &[65_534, 65_535, 0, 1], 0),
            (&[5, 4, 6, 6], &[5, 6], 2),
            (&[1, 3, 3, 2], &[1, 2, 3], 1),
        ] {
            assert_eq!(run(sequence), (expected.to_vec(), late), "{sequence:?}");
        }
    }

    #[test]
    fn a_lost_packet_holds_nothing_up_for_long() {
        let sequence: Vec<u16> = (1..=100).filter(|n| *n != 10).collect();
        let (out, _) = run(&sequence);
        assert_eq!(out, sequence);
    }

    #[test]
    fn without_overtaking_nothing_waits() {
        let mut order = Order::of_bytes();
        assert_eq!(order.push(1, Bytes::new), Verdict::Pass);
        assert_eq!(order.push(3, Bytes::new), Verdict::Held);
        assert!(order.ready().is_some() && order.ready().is_none());
        assert_eq!(order.push(2, Bytes::new), Verdict::Late);
        assert_eq!(order.push(4, Bytes::new), Verdict::Pass);
    }

    #[test]
    fn a_camera_that_begins_anew_is_followed() {
        let sequence: Vec<u16> = (30_000..30_010).chain(100..300).collect();
        let (out, late) = run(&sequence);
        assert_eq!(late, NEW_BEGINNING as usize);
        assert_eq!(out.last(), Some(&299));
    }

    proptest! {
        #[test]
        fn nothing_goes_back(sequence in proptest::collection::vec(0_u16..400, 0..300)) {
            let (out, _) = run(&sequence);
            let mut late = 0;
            for pair in out.windows(2) {
                late += u32::from(pair[1] <= pair[0]);
            }
            // But for new beginnings, which take as many late ones.
            prop_assert!(late as usize * NEW_BEGINNING as usize <= sequence.len());
        }
    }
}
