//! What the wire must know of RTP and RTCP packets (RFC 3550 clauses 5.1 and 6.4 to 6.6), and nothing more.

/// The fixed part of an RTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rtp {
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// What a compound of RTCP packets says that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rtcp {
    /// NTP and RTP time of a sender report.
    pub(crate) report: Option<(u64, u32)>,
    /// The first source that says goodbye.
    pub(crate) bye: Option<u32>,
}

const SENDER_REPORT: u8 = 200;
const BYE: u8 = 203;

/// Reads an RTP header.
pub(crate) fn rtp(packet: &[u8]) -> Option<Rtp> {
    let [b0, b1, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0, ..] = packet else {
        return None;
    };
    let contributing = usize::from(b0 & 0x0F) * 4;
    (b0 >> 6 == 2 && packet.len() >= 12 + contributing).then(|| Rtp {
        marker: b1 & 0x80 != 0,
        sequence: u16::from_be_bytes([*s1, *s0]),
        timestamp: u32::from_be_bytes([*t3, *t2, *t1, *t0]),
        ssrc: u32::from_be_bytes([*c3, *c2, *c1, *c0]),
    })
}

/// Reads a compound packet; `None` when a part of it is none.
pub(crate) fn rtcp(mut compound: &[u8]) -> Option<Rtcp> {
    let mut found = Rtcp::default();
    while !compound.is_empty() {
        let [b0, kind, l1, l0, ..] = compound else {
            return None;
        };
        let length = (usize::from(u16::from_be_bytes([*l1, *l0])) + 1) * 4;
        if b0 >> 6 != 2 || compound.len() < length {
            return None;
        }
        let (packet, rest) = compound.split_at(length);
        compound = rest;
        match (*kind, packet.len()) {
            (SENDER_REPORT, 28..) => {
                let ntp = packet[8..16].try_into().map(u64::from_be_bytes).ok()?;
                let rtp = packet[16..20].try_into().map(u32::from_be_bytes).ok()?;
                found.report = Some((ntp, rtp));
            }
            (BYE, 8..) => found.bye = packet[4..8].try_into().map(u32::from_be_bytes).ok(),
            _ => {}
        }
    }
    Some(found)
}

/// A receiver report without blocks, which keeps a path and a session open (RFC 3550 clause 6.4.2).
pub(crate) fn receiver_report(ssrc: u32) -> [u8; 8] {
    let [a, b, c, d] = ssrc.to_be_bytes();
    [0x80, 201, 0, 1, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let packet = [0x80, 0xE0, 0, 7, 0, 0, 1, 0, 1, 2, 3, 4, 9];
        assert_eq!(
            rtp(&packet),
            Some(Rtp {
                marker: true,
                sequence: 7,
                timestamp: 256,
                ssrc: 0x0102_0304
            })
        );
        assert_eq!(rtp(&packet[..11]), None);
        assert_eq!(rtp(&[0x40; 12]), None);
        assert_eq!(rtp(&[0x8F; 20]), None);
    }

    #[test]
    fn reports_and_goodbyes() {
        let mut compound = vec![0x80, 200, 0, 6];
        compound.extend_from_slice(&[0; 4]);
        compound.extend_from_slice(&5_u64.to_be_bytes());
        compound.extend_from_slice(&6_u32.to_be_bytes());
        compound.extend_from_slice(&[0; 8]);
        compound.extend_from_slice(&[0x81, 203, 0, 1, 0, 0, 0, 9]);
        assert_eq!(
            rtcp(&compound),
            Some(Rtcp {
                report: Some((5, 6)),
                bye: Some(9)
            })
        );
        assert_eq!(rtcp(&compound[..30]), None);
        assert_eq!(rtcp(&receiver_report(1)), Some(Rtcp::default()));
        assert_eq!(rtcp(b"\x80\xc8\xff\xff"), None);
    }
}
