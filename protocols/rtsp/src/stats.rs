//! What a track is like: rates, losses, jitter (RFC 3550 clause 6.4.1), keyframes and the camera's clock. Pure: the caller says when.

use std::{collections::VecDeque, time::Duration};

use fieldgate_model::Timestamp;

/// How far back the rates look.
pub const WINDOW: Duration = Duration::from_secs(10);
/// Entries of a window, which bound its memory: 120 frames a second for ten seconds, and some.
const MOST_FRAMES: usize = 2048;
/// Keyframe intervals that are averaged.
const KEYS: usize = 8;
/// Sender reports that the drift is computed from: some five minutes.
const REPORTS: usize = 64;
/// A drift from fewer reports, or over less time, is noise.
const DRIFT_REPORTS: usize = 4;
const DRIFT_SPAN: Duration = Duration::from_secs(15);
/// Seconds between the eras of NTP (1900) and Unix (1970).
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// Measures one track. All times are since the stream's start.
#[derive(Debug, Clone)]
pub struct Meter {
    clock_rate: u32,
    frames: VecDeque<(Duration, usize)>,
    first_frame: Option<Duration>,
    last_frame: Option<Duration>,
    last_key: Option<Duration>,
    key_intervals: VecDeque<Duration>,
    totals: Totals,
    sequence: Option<Sequence>,
    /// Packets expected and received, as they stood once a second.
    seconds: VecDeque<(Duration, u64, u64)>,
    /// In ticks of the clock.
    jitter: f64,
    transit: Option<f64>,
    clock_offset_ms: Option<f64>,
    reports: VecDeque<(Duration, f64)>,
    report_clock: Option<(u32, i64)>,
}

/// What a sender report says (RFC 3550 clause 6.4.1), and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Seconds since 1900 in the upper half, fractions in the lower.
    pub ntp: u64,
    pub rtp: u32,
    pub at: Duration,
    pub wall: Timestamp,
}

/// A track as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrackStats {
    /// Over the last ten seconds.
    pub frames_per_second: f64,
    /// Over the last ten seconds.
    pub bits_per_second: f64,
    pub frames: u64,
    pub bytes: u64,
    pub keyframes: u64,
    pub packets: u64,
    pub packets_lost: u64,
    /// Of the last ten seconds, 0 to 100.
    pub lost_percent: f64,
    /// Came too late or twice, and were passed over.
    pub packets_late: u64,
    /// Were no RTP packets, and were passed over.
    pub packets_malformed: u64,
    /// Frames before the first keyframe, which nobody can decode.
    pub frames_before_keyframe: u64,
    pub jitter_ms: f64,
    /// The mean of the last eight.
    pub keyframe_interval: Option<Duration>,
    /// How far the camera's wall clock is before ours, from its sender reports; the way of the packet is in it.
    pub clock_offset_ms: Option<f64>,
    /// How much faster than ours its sampling clock runs, in millionths.
    pub clock_drift_ppm: Option<f64>,
    pub last_frame_age: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    frames: u64,
    bytes: u64,
    keyframes: u64,
    packets: u64,
    late: u64,
    malformed: u64,
    before_keyframe: u64,
}

/// RFC 3550 appendix A.1, without its probation: the wire has checked the source already.
#[derive(Debug, Clone, Copy)]
struct Sequence {
    base: u64,
    highest: u64,
}

// === impl Meter ===

impl Meter {
    /// `clock_rate` in ticks a second, at least 1.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            frames: VecDeque::new(),
            first_frame: None,
            last_frame: None,
            last_key: None,
            key_intervals: VecDeque::new(),
            totals: Totals::default(),
            sequence: None,
            seconds: VecDeque::new(),
            jitter: 0.0,
            transit: None,
            clock_offset_ms: None,
            reports: VecDeque::new(),
            report_clock: None,
        }
    }

    /// An RTP packet came.
    pub fn packet(&mut self, sequence: u16, rtp: u32, at: Duration) {
        self.totals.packets += 1;
        match &mut self.sequence {
            None => {
                // One turn up, so that a late packet of before the start does not fall below zero.
                let first = u64::from(sequence) + (1 << 16);
                self.sequence = Some(Sequence {
                    base: first,
                    highest: first,
                });
            }
            Some(known) => {
                let ahead = sequence.wrapping_sub((known.highest & 0xFFFF) as u16);
                if ahead < 0x8000 {
                    known.highest += u64::from(ahead);
                }
            }
        }
        self.note_second(at);
        self.note_jitter(rtp, at);
    }

    /// How many packets came.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.totals.packets
    }

    /// A packet came too late, or twice.
    pub fn late(&mut self) {
        self.totals.late += 1;
    }

    /// A packet was none.
    pub fn malformed(&mut self) {
        self.totals.malformed += 1;
    }

    /// A frame came that nothing can be made of, as no keyframe came before it.
    pub fn before_keyframe(&mut self) {
        self.totals.before_keyframe += 1;
    }

    /// A frame came, whole.
    pub fn frame(&mut self, bytes: usize, key: bool, at: Duration) {
        self.totals.frames += 1;
        self.totals.bytes += bytes as u64;
        self.first_frame.get_or_insert(at);
        self.last_frame = Some(at);
        if self.frames.len() == MOST_FRAMES {
            self.frames.pop_front();
        }
        self.frames.push_back((at, bytes));
        while self
            .frames
            .front()
            .is_some_and(|(then, _)| *then + WINDOW < at)
        {
            self.frames.pop_front();
        }
        if key {
            self.totals.keyframes += 1;
            if let Some(then) = self.last_key.replace(at) {
                if self.key_intervals.len() == KEYS {
                    self.key_intervals.pop_front();
                }
                self.key_intervals.push_back(at.saturating_sub(then));
            }
        }
    }

    /// A sender report came.
    pub fn report(&mut self, report: Report) {
        let seconds = (report.ntp >> 32) as i64 - NTP_TO_UNIX;
        let fraction = (report.ntp & 0xFFFF_FFFF) as f64 / 4_294_967_296.0;
        let ours = report.wall.nanos() as f64 / 1e6;
        self.clock_offset_ms = Some((seconds as f64 + fraction) * 1e3 - ours);
        let unwrapped = match self.report_clock {
            None => 0,
            Some((last, total)) => total + i64::from(report.rtp.wrapping_sub(last) as i32),
        };
        self.report_clock = Some((report.rtp, unwrapped));
        if self.reports.len() == REPORTS {
            self.reports.pop_front();
        }
        let theirs = unwrapped as f64 / f64::from(self.clock_rate);
        self.reports.push_back((report.at, theirs));
    }

    /// How it is.
    #[must_use]
    pub fn stats(&self, now: Duration) -> TrackStats {
        let (frames_per_second, bits_per_second) = self.rates(now);
        let expected = self.expected();
        let intervals = self.key_intervals.iter().sum::<Duration>();
        let count = u32::try_from(self.key_intervals.len()).unwrap_or(u32::MAX);
        TrackStats {
            frames_per_second,
            bits_per_second,
            frames: self.totals.frames,
            bytes: self.totals.bytes,
            keyframes: self.totals.keyframes,
            packets: self.totals.packets,
            packets_lost: expected.saturating_sub(self.totals.packets),
            lost_percent: self.lost_percent(now),
            packets_late: self.totals.late,
            packets_malformed: self.totals.malformed,
            frames_before_keyframe: self.totals.before_keyframe,
            jitter_ms: self.jitter * 1e3 / f64::from(self.clock_rate),
            keyframe_interval: intervals.checked_div(count),
            clock_offset_ms: self.clock_offset_ms,
            clock_drift_ppm: self.drift_ppm(),
            last_frame_age: self.last_frame.map(|then| now.saturating_sub(then)),
        }
    }

    fn expected(&self) -> u64 {
        self.sequence
            .map_or(0, |sequence| sequence.highest - sequence.base + 1)
    }

    fn rates(&self, now: Duration) -> (f64, f64) {
        let Some(first) = self.first_frame else {
            return (0.0, 0.0);
        };
        let from = now.saturating_sub(WINDOW);
        let recent = self.frames.iter().filter(|(at, _)| *at >= from);
        let (frames, bytes) = recent.fold((0_u32, 0_usize), |(frames, bytes), (_, more)| {
            (frames + 1, bytes + more)
        });
        // Of a young stream one interval less than frames is over, and rates are told from the second frame on.
        let span = now.saturating_sub(first.max(from)).as_secs_f64();
        if frames < 2 || span <= 0.0 {
            return (0.0, 0.0);
        }
        let full = first < from;
        let counted = if full { frames } else { frames - 1 };
        (f64::from(counted) / span, bytes as f64 * 8.0 / span)
    }

    fn note_second(&mut self, at: Duration) {
        let due = self
            .seconds
            .back()
            .is_none_or(|(then, ..)| *then + Duration::from_secs(1) <= at);
        if due {
            self.seconds
                .push_back((at, self.expected(), self.totals.packets));
        }
        while self
            .seconds
            .front()
            .is_some_and(|(then, ..)| *then + WINDOW < at)
        {
            self.seconds.pop_front();
        }
    }

    fn lost_percent(&self, now: Duration) -> f64 {
        let recent = self.seconds.iter().find(|(then, ..)| *then + WINDOW >= now);
        let Some((_, expected, received)) = recent else {
            return 0.0;
        };
        let expected = self.expected().saturating_sub(*expected);
        let received = self.totals.packets.saturating_sub(*received);
        if expected == 0 {
            return 0.0;
        }
        expected.saturating_sub(received) as f64 * 100.0 / expected as f64
    }

    /// RFC 3550 appendix A.8.
    fn note_jitter(&mut self, rtp: u32, at: Duration) {
        let arrival = at.as_secs_f64() * f64::from(self.clock_rate);
        // Both turn over at 2^32 ticks.
        let transit = (arrival - f64::from(rtp)).rem_euclid(4_294_967_296.0);
        if let Some(before) = self.transit.replace(transit) {
            let apart = (transit - before).abs();
            let apart = apart.min(4_294_967_296.0 - apart);
            // A jump of the camera's clock is no jitter.
            if apart < f64::from(self.clock_rate) * 10.0 {
                self.jitter += (apart - self.jitter) / 16.0;
            }
        }
    }

    /// The slope of their clock over ours, by least squares.
    fn drift_ppm(&self) -> Option<f64> {
        let (first, last) = (self.reports.front()?, self.reports.back()?);
        if self.reports.len() < DRIFT_REPORTS || last.0.saturating_sub(first.0) < DRIFT_SPAN {
            return None;
        }
        let count = self.reports.len() as f64;
        let ours = |at: Duration| at.saturating_sub(first.0).as_secs_f64();
        let mean_x = self.reports.iter().map(|(at, _)| ours(*at)).sum::<f64>() / count;
        let mean_y = self.reports.iter().map(|(_, theirs)| theirs).sum::<f64>() / count;
        let (mut xy, mut xx) = (0.0, 0.0);
        for (at, theirs) in &self.reports {
            let x = ours(*at) - mean_x;
            xy += x * (theirs - mean_y);
            xx += x * x;
        }
        (xx > 0.0).then(|| (xy / xx - 1.0) * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn near(found: f64, expected: f64, within: f64) {
        assert!(
            (found - expected).abs() <= within,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn rates_of_a_steady_stream_and_of_one_that_stopped() {
        let mut meter = Meter::new(90_000);
        for n in 0..500_u32 {
            meter.frame(1000, n % 50 == 0, secs(f64::from(n) * 0.04));
        }
        let stats = meter.stats(secs(20.0));
        near(stats.frames_per_second, 25.0, 0.2);
        near(stats.bits_per_second, 200_000.0, 2_000.0);
        assert_eq!(stats.keyframe_interval, Some(secs(2.0)));
        assert_eq!((stats.frames, stats.keyframes), (500, 10));
        near(stats.last_frame_age.unwrap().as_secs_f64(), 0.04, 1e-6);
        // Five seconds later half of the window is empty, and after ten all of it.
        near(meter.stats(secs(25.0)).frames_per_second, 12.5, 0.2);
        near(meter.stats(secs(31.0)).frames_per_second, 0.0, 0.0);
    }

    #[test]
    fn a_young_stream_has_its_rate_soon() {
        let mut meter = Meter::new(90_000);
        for n in 0..11 {
            meter.frame(100, n == 0, secs(5.0 + f64::from(n) * 0.1));
        }
        near(meter.stats(secs(6.0)).frames_per_second, 10.0, 0.01);
        near(Meter::new(1).stats(secs(1.0)).frames_per_second, 0.0, 0.0);
    }

    #[test]
    fn losses_are_counted_over_the_turn_of_the_numbers() {
        let mut meter = Meter::new(90_000);
        let sequence = [65_533_u16, 65_534, 65_535, 2, 3, 5, 4];
        for (n, number) in sequence.into_iter().enumerate() {
            meter.packet(number, 0, secs(n as f64 * 0.01));
        }
        // 0 and 1 are missing.
        assert_eq!(meter.stats(secs(1.0)).packets_lost, 2);
        assert_eq!(meter.stats(secs(1.0)).packets, 7);
        near(meter.stats(secs(1.0)).lost_percent, 2.0 * 100.0 / 8.0, 0.01);
        // After ten seconds without losses the percentage has forgotten them; the sum has not.
        for n in 0..2000_u16 {
            meter.packet(6 + n, 0, secs(1.0 + f64::from(n) * 0.01));
        }
        let later = meter.stats(secs(21.0));
        assert_eq!((later.packets_lost, later.lost_percent), (2, 0.0));
    }

    #[test]
    fn jitter_is_that_of_the_specification() {
        // Packets every 20 ms that come alternately 0 and 4 ms late: |D| is 4 ms each time, so J approaches 4 ms.
        let mut meter = Meter::new(8_000);
        for n in 0..400_u32 {
            let late = if n % 2 == 0 { 0.0 } else { 0.004 };
            // The camera's clock turns over on the way.
            let rtp = (u32::MAX - 8_000).wrapping_add(n * 160);
            meter.packet(n as u16, rtp, secs(f64::from(n) * 0.02 + late));
        }
        near(meter.stats(secs(9.0)).jitter_ms, 4.0, 0.05);
        let mut even = Meter::new(90_000);
        for n in 0..100_u32 {
            even.packet(n as u16, n * 3600, secs(f64::from(n) * 0.04));
        }
        near(even.stats(secs(9.0)).jitter_ms, 0.0, 0.001);
    }

    #[test]
    fn the_cameras_clock_is_compared_with_ours() {
        let mut meter = Meter::new(90_000);
        // A clock that runs 200 millionths too fast and is 1.5 s ahead, and whose ticks turn over.
        for n in 0..30_u64 {
            let at = n as f64 * 5.0;
            let theirs = at * (1.0 + 200e-6);
            let unix = 1_700_000_000.0 + at;
            let ntp = ((unix + 1.5 + NTP_TO_UNIX as f64) * 4_294_967_296.0) as u64;
            meter.report(Report {
                ntp,
                rtp: u32::MAX
                    .wrapping_sub(1000)
                    .wrapping_add((theirs * 90_000.0) as u32),
                at: secs(at),
                wall: Timestamp::from_nanos((unix * 1e9) as i64),
            });
            if n < 3 {
                assert_eq!(meter.stats(secs(at)).clock_drift_ppm, None);
            }
        }
        let stats = meter.stats(secs(150.0));
        near(stats.clock_drift_ppm.unwrap(), 200.0, 1.0);
        near(stats.clock_offset_ms.unwrap(), 1500.0, 1.0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut meter = Meter::new(90_000);
        for n in 0..100_000_u32 {
            let at = secs(f64::from(n) * 1e-4);
            meter.packet(n as u16, n, at);
            meter.frame(1, true, at);
            meter.report(Report {
                ntp: 0,
                rtp: n,
                at,
                wall: Timestamp::default(),
            });
        }
        assert!(meter.frames.len() <= MOST_FRAMES);
        assert!(meter.seconds.len() <= 12);
        assert!(meter.reports.len() <= REPORTS && meter.key_intervals.len() <= KEYS);
    }
}
