//! Frames into RTP packets (RFC 3550 clause 5.1), with the sender reports that tell their wall time (clause 6.4.1). Pure.

use bytes::{BufMut as _, Bytes, BytesMut};
use fieldgate_media::{Codec, Frame, Track};
use fieldgate_model::Timestamp;

use super::nal;

/// Makes packets of one track for one viewer.
#[derive(Debug)]
pub(super) struct Packets {
    codec: Codec,
    clock_rate: u32,
    timescale: u32,
    ssrc: u32,
    sequence: u16,
    /// The time in the packets of where this viewer begins.
    epoch: u32,
    /// Where that is, in ticks of the packets since the stream's start.
    zero: i128,
    packets: u32,
    octets: u32,
    /// Of the last frame: its time in the packets, and on the wall.
    last: Option<(u32, Timestamp)>,
}

/// The most bytes of a payload: what fits into an Ethernet frame with its headers, as some viewers expect over TCP, too.
const PAYLOAD_BYTES: usize = 1400;
const PICTURE_RATE: u32 = 90_000;
/// RTP's numbers for these, by the order of the tracks.
pub(super) const FIRST_TYPE: u8 = 96;
const NTP_TO_UNIX: i64 = 2_208_988_800;

// === impl Packets ===

impl Packets {
    /// `random` is that of this viewer's session: where its numbers begin is not to be guessed.
    pub(super) fn new(track: &Track, random: [u8; 10]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j] = random;
        Self {
            codec: track.codec,
            clock_rate: clock_rate(track),
            timescale: track.timescale.max(1),
            ssrc: u32::from_be_bytes([a, b, c, d]),
            epoch: u32::from_be_bytes([e, f, g, h]),
            zero: 0,
            sequence: u16::from_be_bytes([i, j]),
            packets: 0,
            octets: 0,
            last: None,
        }
    }

    /// The number of the next packet, and the time at which this viewer begins.
    pub(super) fn next(&self) -> (u16, u32) {
        (self.sequence, self.epoch)
    }

    /// This viewer begins where a frame of any track stands, `pts` in ticks of its timescale.
    pub(super) fn begin(&mut self, pts: i64, timescale: u32) {
        self.zero = i128::from(pts) * i128::from(self.clock_rate) / i128::from(timescale.max(1));
    }

    /// The packets of a frame, without what the transport puts before them.
    pub(super) fn frame(&mut self, index: u8, frame: &Frame) -> Vec<Bytes> {
        let payloads = self.payloads(frame);
        let time = self.time(frame.pts);
        self.last = Some((time, frame.seen));
        let last = payloads.len().saturating_sub(1);
        let packets = payloads.iter().enumerate().map(|(number, payload)| {
            let marker = if number == last { 0x80 } else { 0 };
            let mut packet = BytesMut::with_capacity(12 + payload.len());
            packet.put_u8(0x80);
            packet.put_u8(marker | (FIRST_TYPE + index) & 0x7F);
            packet.put_u16(self.sequence);
            packet.put_u32(time);
            packet.put_u32(self.ssrc);
            packet.put_slice(payload);
            self.sequence = self.sequence.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self
                .octets
                .wrapping_add(u32::try_from(payload.len()).unwrap_or_default());
            packet.freeze()
        });
        packets.collect()
    }

    /// A sender report with the source's name; `None` before the first frame.
    pub(super) fn report(&self) -> Option<Bytes> {
        let (time, seen) = self.last?;
        let nanos = seen.nanos();
        let seconds = nanos.div_euclid(1_000_000_000) + NTP_TO_UNIX;
        let fraction = (i128::from(nanos.rem_euclid(1_000_000_000)) << 32) / 1_000_000_000;
        let mut report = BytesMut::with_capacity(44);
        report.put_slice(&[0x80, 200, 0, 6]);
        report.put_u32(self.ssrc);
        report.put_u32(seconds as u32);
        report.put_u32(fraction as u32);
        report.put_u32(time);
        report.put_u32(self.packets);
        report.put_u32(self.octets);
        // SDES with a CNAME (clause 6.5.1): its text is padded with zeros to a multiple of four, with one at least.
        report.put_slice(&[0x81, 202, 0, 4]);
        report.put_u32(self.ssrc);
        report.put_slice(&[1, 9]);
        report.put_slice(b"fieldgate\0");
        Some(report.freeze())
    }

    /// The goodbye of this source.
    pub(super) fn bye(&self) -> Bytes {
        let [a, b, c, d] = self.ssrc.to_be_bytes();
        Bytes::copy_from_slice(&[0x80, 201, 0, 1, a, b, c, d, 0x81, 203, 0, 1, a, b, c, d])
    }

    fn time(&self, pts: i64) -> u32 {
        let ticks = i128::from(pts) * i128::from(self.clock_rate) / i128::from(self.timescale);
        // It turns over, as it is meant to.
        self.epoch.wrapping_add((ticks - self.zero) as u32)
    }

    fn payloads(&self, frame: &Frame) -> Vec<Bytes> {
        let mut payloads = Vec::new();
        match self.codec {
            Codec::H264 | Codec::H265 => {
                let h264 = self.codec == Codec::H264;
                let units: Vec<Bytes> = nal::units(&frame.data).collect();
                let carried = units.iter().any(|unit| {
                    if h264 {
                        nal::is_h264_set(unit)
                    } else {
                        nal::is_h265_set(unit)
                    }
                });
                let sets = match (frame.key && !carried, h264) {
                    (false, _) => Vec::new(),
                    (true, true) => nal::of_avcc(&frame.track.config),
                    (true, false) => nal::of_hvcc(&frame.track.config),
                };
                for unit in sets.iter().chain(&units) {
                    if h264 {
                        nal::h264(unit, PAYLOAD_BYTES, &mut payloads);
                    } else {
                        nal::h265(unit, PAYLOAD_BYTES, &mut payloads);
                    }
                }
            }
            Codec::Aac => aac(&frame.data, &mut payloads),
            // Not described, so never asked for.
            Codec::Mjpeg | Codec::OtherSound => {}
        }
        payloads
    }
}

/// Ticks a second of a track's packets: RFC 6184 and 7798 clause 8 want 90,000, RFC 3640 the sampling rate.
pub(super) fn clock_rate(track: &Track) -> u32 {
    match track.codec {
        Codec::H264 | Codec::H265 | Codec::Mjpeg => PICTURE_RATE,
        Codec::Aac | Codec::OtherSound => track.timescale.max(1),
    }
}

/// RFC 3640 clause 3.3.6, AAC-hbr: one access unit, or a fragment of one, after a header with the unit's size in 13 bits.
fn aac(unit: &Bytes, payloads: &mut Vec<Bytes>) {
    // Thirteen bits hold no more, and no encoder makes more.
    let Some(size) = u16::try_from(unit.len())
        .ok()
        .filter(|size| (1..8192).contains(size))
    else {
        return;
    };
    for piece in unit.chunks(PAYLOAD_BYTES - 4) {
        let mut payload = BytesMut::with_capacity(4 + piece.len());
        payload.put_u16(16);
        payload.put_u16(size << 3);
        payload.put_slice(piece);
        payloads.push(payload.freeze());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::wire::rtp::{rtcp, rtp};

    fn track(codec: Codec, timescale: u32) -> Arc<Track> {
        Arc::new(Track {
            codec,
            rfc6381: String::new(),
            width: 640,
            height: 360,
            timescale,
            channels: 0,
            sample_entry: Bytes::new(),
            config: Bytes::from_static(&[1, 66, 0, 30, 0xFF, 0xE1, 0, 2, 0x67, 9, 1, 0, 1, 0x68]),
        })
    }

    fn frame(track: &Arc<Track>, pts: i64, key: bool, unit: &[u8]) -> Frame {
        let mut data = BytesMut::new();
        data.put_u32(u32::try_from(unit.len()).unwrap());
        data.put_slice(unit);
        Frame {
            track: Arc::clone(track),
            seen: Timestamp::from_millis(1_700_000_000_500),
            pts,
            key,
            data: data.freeze(),
        }
    }

    #[test]
    fn a_keyframe_has_its_parameter_sets_before_it_and_a_marker_at_its_end() {
        let track = track(Codec::H264, 1000);
        let mut packets = Packets::new(&track, [0, 0, 0, 7, 0, 0, 0, 0, 0xFF, 0xFF]);
        assert_eq!(packets.report(), None);
        let made = packets.frame(0, &frame(&track, 40, true, &[0x65; 3000]));
        let kinds: Vec<u8> = made.iter().map(|packet| packet[12] & 0x1F).collect();
        assert_eq!(kinds, [7, 8, 28, 28, 28]);
        let headers: Vec<_> = made.iter().map(|packet| rtp(packet).unwrap()).collect();
        let markers: Vec<bool> = headers.iter().map(|header| header.marker).collect();
        assert_eq!(markers, [false, false, false, false, true]);
        // The numbers turn over; 40 ms are 3,600 ticks.
        assert_eq!((headers[0].sequence, headers[1].sequence), (0xFFFF, 0));
        assert!(headers.iter().all(|header| header.timestamp == 3600));
        let made = packets.frame(0, &frame(&track, 80, false, &[0x41, 1]));
        assert_eq!(made.len(), 1);
        let (ntp, time) = rtcp(&packets.report().unwrap()).unwrap().report.unwrap();
        assert_eq!(
            (ntp >> 32, ntp as u32, time),
            (1_700_000_000 + 2_208_988_800, 1 << 31, 7200)
        );
    }

    #[test]
    fn sound_has_the_units_size_before_it() {
        let track = track(Codec::Aac, 48_000);
        let mut packets = Packets::new(&track, [0; 10]);
        let mut sound = frame(&track, 1024, true, &[]);
        sound.data = Bytes::from(vec![5; 2000]);
        let made = packets.frame(1, &sound);
        assert_eq!(made.len(), 2);
        for packet in &made {
            assert_eq!(packet[1] & 0x7F, 97);
            assert_eq!(
                &packet[12..16],
                [0, 16, (2000 >> 5) as u8, (2000 << 3 & 0xFF) as u8]
            );
        }
        let header = rtp(&made[1]).unwrap();
        assert_eq!((header.marker, header.timestamp), (true, 1024));
        // What plays begins at the time that was told.
        packets.begin(90_000, 90_000);
        assert_eq!(packets.next().1, packets.time(48_000));
        sound.data = Bytes::from(vec![5; 9000]);
        assert!(packets.frame(1, &sound).is_empty());
    }
}
