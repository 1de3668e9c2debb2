//! Packets of pictures and sound on their way through the wire: checked, measured, put in order, and passed on a frame at a time.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::{
    clock::wall,
    error::StreamError,
    mask::beginning,
    stats::{Meter, Report},
    wire::{
        order::{Order, Verdict},
        rtp,
    },
};

/// The tracks that play, by the channels of their packets (RFC 2326 clause 10.12).
pub(crate) struct Media {
    channels: Vec<Channel>,
    tracks: Vec<Track>,
    /// What waits to be passed on.
    out: BytesMut,
    urgent: bool,
    frame_bytes: usize,
    playing: bool,
}

/// A pair of channels: packets on the first, their control on the one after it.
struct Channel {
    first: u8,
    track: usize,
}

struct Track {
    order: Order,
    ssrc: Option<u32>,
    timestamp: u32,
    /// Of the frame that is coming.
    bytes: usize,
    malformed_in_a_row: u32,
}

/// So much is passed on before its frame is complete.
const BATCH_BYTES: usize = 48 << 10;
/// So many packets in a row that are none end a stream.
const MOST_MALFORMED: u32 = 100;

// === impl Media ===

impl Media {
    pub(crate) fn new(frame_bytes: usize) -> Self {
        Self {
            channels: Vec::new(),
            tracks: Vec::new(),
            out: BytesMut::new(),
            urgent: false,
            frame_bytes,
            playing: false,
        }
    }

    /// The track that was set up last has its packets on the channel `first`.
    pub(crate) fn add(&mut self, first: u8, order: Order) {
        self.channels.push(Channel {
            first,
            track: self.tracks.len(),
        });
        self.tracks.push(Track {
            order,
            ssrc: None,
            timestamp: 0,
            bytes: 0,
            malformed_in_a_row: 0,
        });
    }

    /// What came before is nothing that anybody waits for: some cameras begin before they answer PLAY.
    pub(crate) fn play(&mut self) {
        self.playing = true;
    }

    /// A packet on a channel came `at` after the stream's start. Packets on channels that were not asked for are passed over.
    ///
    /// # Errors
    /// When the camera says goodbye, or sends what can never become a frame.
    pub(crate) fn packet(
        &mut self,
        channel: u8,
        packet: &[u8],
        at: Duration,
        meters: &mut [Meter],
    ) -> Result<(), StreamError> {
        let known = self
            .channels
            .iter()
            .find(|known| known.first == channel || known.first.checked_add(1) == Some(channel));
        let Some((track, control)) = known.map(|known| (known.track, known.first != channel))
        else {
            return Ok(());
        };
        let Some(meter) = meters.get_mut(track).filter(|_| self.playing) else {
            return Ok(());
        };
        if control {
            self.control(channel, track, packet, at, meter)
        } else {
            self.data(channel, track, packet, at, meter)
        }
    }

    /// What is to be passed on now.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let due = !self.out.is_empty() && (self.urgent || self.out.len() >= BATCH_BYTES);
        due.then(|| {
            self.urgent = false;
            self.out.split().freeze()
        })
    }

    fn data(
        &mut self,
        channel: u8,
        index: usize,
        packet: &[u8],
        at: Duration,
        meter: &mut Meter,
    ) -> Result<(), StreamError> {
        let track = &mut self.tracks[index];
        let Some(header) = rtp::rtp(packet) else {
            return malformed(track, packet, meter);
        };
        track.malformed_in_a_row = 0;
        // A frame ends with its marker, or where the next one begins.
        if header.timestamp != track.timestamp {
            track.timestamp = header.timestamp;
            track.bytes = 0;
            self.urgent = true;
        }
        self.urgent |= header.marker;
        track.bytes += packet.len();
        track.ssrc.get_or_insert(header.ssrc);
        if track.bytes > self.frame_bytes {
            let most = self.frame_bytes >> 10;
            return Err(StreamError::Garbage(format!(
                "a frame of more than {most} KiB"
            )));
        }
        match track
            .order
            .push(header.sequence, || Bytes::copy_from_slice(packet))
        {
            Verdict::Pass => {
                meter.packet(header.sequence, header.timestamp, at);
                put(&mut self.out, channel, packet);
            }
            Verdict::Held => meter.packet(header.sequence, header.timestamp, at),
            Verdict::Late => meter.late(),
        }
        while let Some(ready) = track.order.ready() {
            put(&mut self.out, channel, &ready);
        }
        Ok(())
    }

    fn control(
        &mut self,
        channel: u8,
        index: usize,
        packet: &[u8],
        at: Duration,
        meter: &mut Meter,
    ) -> Result<(), StreamError> {
        let track = &mut self.tracks[index];
        let Some(told) = rtp::rtcp(packet) else {
            return malformed(track, packet, meter);
        };
        if let Some((ntp, rtp)) = told.report {
            let wall = wall();
            meter.report(Report { ntp, rtp, at, wall });
        }
        if told.bye.is_some() && (track.ssrc.is_none() || told.bye == track.ssrc) {
            return Err(StreamError::Ended("it said goodbye (RTCP BYE)".to_owned()));
        }
        put(&mut self.out, channel, packet);
        Ok(())
    }
}

fn malformed(track: &mut Track, packet: &[u8], meter: &mut Meter) -> Result<(), StreamError> {
    meter.malformed();
    track.malformed_in_a_row += 1;
    if track.malformed_in_a_row > MOST_MALFORMED {
        let shown = beginning(packet);
        return Err(StreamError::Garbage(format!("`{shown}…` instead of RTP")));
    }
    Ok(())
}

/// RFC 2326 clause 10.12.
pub(crate) fn put(out: &mut BytesMut, channel: u8, packet: &[u8]) {
    // No packet is longer: its length came as 16 bits, or in a datagram.
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    out.reserve(4 + packet.len());
    out.put_slice(&[b'$', channel]);
    out.put_u16(length);
    out.put_slice(&packet[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, timestamp: u32, marker: bool, length: usize) -> Vec<u8> {
        let mut packet = vec![0x80, 96 | u8::from(marker) << 7];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&[1, 2, 3, 4]);
        packet.resize(12 + length, 0);
        packet
    }

    fn media() -> (Media, Vec<Meter>) {
        let mut media = Media::new(10_000);
        media.add(0, Order::of_bytes());
        media.play();
        (media, vec![Meter::new(90_000)])
    }

    const AT: Duration = Duration::from_secs(1);

    #[test]
    fn a_frame_is_passed_on_whole() {
        let (mut media, mut meters) = media();
        media
            .packet(0, &packet(1, 0, false, 10), AT, &mut meters)
            .unwrap();
        assert_eq!(media.take(), None);
        media
            .packet(0, &packet(2, 0, true, 10), AT, &mut meters)
            .unwrap();
        assert_eq!(media.take().unwrap().len(), 2 * (4 + 22));
        // Without markers, when the next one begins.
        media
            .packet(0, &packet(3, 9, false, 10), AT, &mut meters)
            .unwrap();
        assert!(media.take().is_some());
        // Channels that nobody asked for, and what comes again.
        media
            .packet(7, &packet(4, 9, true, 10), AT, &mut meters)
            .unwrap();
        media
            .packet(0, &packet(3, 9, true, 10), AT, &mut meters)
            .unwrap();
        assert_eq!(media.take(), None);
        let stats = meters[0].stats(AT);
        assert_eq!((stats.packets, stats.packets_late), (3, 1));
    }

    #[test]
    fn what_never_becomes_a_frame_ends_it() {
        let (mut media, mut meters) = media();
        let ended = (0..20).find_map(|n| {
            media
                .packet(0, &packet(n, 5, false, 1000), AT, &mut meters)
                .err()
        });
        assert_eq!(
            ended,
            Some(StreamError::Garbage("a frame of more than 9 KiB".into()))
        );
        let (mut media, mut meters) = self::media();
        let ended = (0..200).find_map(|_| media.packet(0, b"HTTP", AT, &mut meters).err());
        assert_eq!(
            ended,
            Some(StreamError::Garbage("`HTTP…` instead of RTP".into()))
        );
        assert_eq!(meters[0].stats(AT).packets_malformed, 101);
    }

    #[test]
    fn goodbye_of_this_source_is_the_end() {
        let (mut media, mut meters) = media();
        media
            .packet(0, &packet(1, 0, true, 1), AT, &mut meters)
            .unwrap();
        let bye = |ssrc: [u8; 4]| [&[0x81, 203, 0, 1][..], &ssrc].concat();
        media.packet(1, &bye([9; 4]), AT, &mut meters).unwrap();
        assert!(
            media
                .packet(1, &bye([1, 2, 3, 4]), AT, &mut meters)
                .is_err()
        );
    }

    #[test]
    fn nothing_is_passed_on_before_play() {
        let mut media = Media::new(10_000);
        media.add(0, Order::of_bytes());
        let mut meters = vec![Meter::new(90_000)];
        media
            .packet(0, &packet(1, 0, true, 1), AT, &mut meters)
            .unwrap();
        assert_eq!(media.take(), None);
    }
}
