//! `Timeline`: at which tick of a file each frame of one track lies, whatever the camera's clock does.
//!
//! Two times belong to a sample. *Shown* follows the camera's clock, with jumps taken out that did not happen in the gateway's.
//! *Decoded* only counts durations: it has no gap and never goes back, because a browser throws away everything up to the next
//! keyframe when it jumps by more than two frames (Media Source Extensions, coded frame processing, step 6). What lies between
//! the two is the sample's composition offset; it is 0 wherever the frame that follows is known when a sample is written.

use std::time::Duration;

use fieldgate_model::Timestamp;

/// A frame's clock may go on by this much at once, whatever the gateway's clock says.
const STEP: Duration = Duration::from_secs(10);
/// And back by this much: pictures that are sent before those that are shown before them.
const REORDERED: Duration = Duration::from_secs(1);
/// What a jump that really happened is at most; a hole of more is shortened.
const HOLE: Duration = Duration::from_secs(6 * 3600);
/// When the decoding time is behind by more, it jumps after all.
const BEHIND: Duration = Duration::from_secs(60);

/// A moment that tracks of different timescales have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub pts: i64,
    pub timescale: u32,
    pub seen: Timestamp,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    timescale: u32,
    /// Ticks of a frame as they were last.
    usual: i64,
    /// Where the next sample is decoded.
    next: i64,
    top: Option<Top>,
}

/// The latest frame, by the time at which it is shown.
#[derive(Debug, Clone, Copy)]
struct Top {
    pts: i64,
    seen: Timestamp,
    shown: i64,
}

/// What is known of the sample after the one that is laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// When it is shown.
    At(i64),
    /// Nothing: it will be about as far as the one before.
    Unknown,
    /// The same, and it may come early. Decoding stays one usual frame behind showing, so that it is not shown before it is decoded.
    Soon,
}

/// A sample's numbers as `tfdt` and `trun` have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Laid {
    pub decoded: u64,
    pub duration: u32,
    pub offset: i32,
}

// === impl Timeline ===

impl Timeline {
    pub(super) fn new(timescale: u32, usual: u32) -> Self {
        Self {
            timescale: timescale.max(1),
            usual: i64::from(usual.max(1)),
            next: 0,
            top: None,
        }
    }

    /// When a frame is shown, in ticks since the file's start; `None` when that is before it.
    pub(super) fn show(&mut self, pts: i64, seen: Timestamp, start: Moment) -> Option<i64> {
        let top = self.top.unwrap_or_else(|| Top {
            pts: rescale(start.pts, start.timescale, self.timescale),
            seen: start.seen,
            shown: 0,
        });
        let step = pts.saturating_sub(top.pts);
        let took = self.ticks_between(top.seen, seen);
        let step = if step < 0 {
            if step >= -self.ticks(REORDERED) {
                step
            } else {
                took.max(self.usual)
            }
        } else if step <= self.ticks(STEP) || step - self.ticks(STEP) <= took {
            step
        } else {
            took.max(self.usual)
        };
        let shown = top.shown.saturating_add(step);
        if shown < 0 {
            return None;
        }
        if self.top.is_none() || step > 0 {
            if self.top.is_some() {
                // One frame that is late says little of those after it.
                self.usual = step.clamp((self.usual / 2).max(1), self.usual.saturating_mul(2));
            }
            self.top = Some(Top { pts, seen, shown });
        }
        Some(shown)
    }

    /// Begins a fragment whose first sample is shown then.
    pub(super) fn begin(&mut self, shown: i64) {
        if shown.saturating_sub(self.next) > self.ticks(BEHIND) {
            self.next = shown;
        }
    }

    /// Lays the next sample, which is shown then.
    pub(super) fn lay(&mut self, shown: i64, following: Following) -> Laid {
        let decoded = self.next;
        let offset = shown.saturating_sub(decoded);
        let usual = |slack: i64| {
            let late = offset.saturating_sub(slack);
            self.usual
                .saturating_add(late.clamp(-self.usual / 2, self.usual))
        };
        let duration = match following {
            Following::At(following) => following.saturating_sub(decoded),
            Following::Unknown => usual(0),
            Following::Soon => usual(self.usual),
        };
        let duration = u32::try_from(duration.max(1)).unwrap_or(u32::MAX);
        self.next = decoded.saturating_add(i64::from(duration));
        Laid {
            decoded: decoded.unsigned_abs(),
            duration,
            offset: i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN } else { i32::MAX }),
        }
    }

    fn ticks(&self, duration: Duration) -> i64 {
        let ticks = duration.as_secs().saturating_mul(self.timescale.into());
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    /// By the gateway's clock: at least 0, at most [`HOLE`].
    fn ticks_between(&self, from: Timestamp, to: Timestamp) -> i64 {
        let nanos = i128::from(to.nanos()) - i128::from(from.nanos());
        let most = i128::try_from(HOLE.as_nanos()).unwrap_or(i128::MAX);
        let ticks = nanos.clamp(0, most) * i128::from(self.timescale) / 1_000_000_000;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

fn rescale(pts: i64, from: u32, to: u32) -> i64 {
    let ticks = i128::from(pts) * i128::from(to) / i128::from(from.max(1));
    i64::try_from(ticks).unwrap_or(if pts < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment {
        pts: 1000,
        timescale: 1000,
        seen: Timestamp::from_millis(50_000),
    };

    /// Frames as (pts in ms, seen in ms); what comes out as (decoded, duration, offset).
    fn known(frames: &[(i64, i64)]) -> Vec<(u64, u32, i32)> {
        let mut timeline = Timeline::new(1000, 40);
        let shown: Vec<i64> = frames
            .iter()
            .filter_map(|(pts, seen)| timeline.show(*pts, Timestamp::from_millis(*seen), START))
            .collect();
        let following = shown.iter().skip(1).copied().map(Following::At);
        let following = following.chain([Following::Unknown]);
        shown
            .iter()
            .zip(following)
            .map(|(shown, following)| timeline.lay(*shown, following))
            .map(|laid| (laid.decoded, laid.duration, laid.offset))
            .collect()
    }

    /// The same, each written before the next is known.
    fn live(frames: &[(i64, i64)]) -> Vec<(u64, u32, i32)> {
        let mut timeline = Timeline::new(1000, 40);
        let mut out = Vec::new();
        for (pts, seen) in frames {
            if let Some(shown) = timeline.show(*pts, Timestamp::from_millis(*seen), START) {
                let laid = timeline.lay(shown, Following::Soon);
                out.push((laid.decoded, laid.duration, laid.offset));
            }
        }
        out
    }

    #[test]
    fn a_steady_camera_has_no_offsets() {
        assert_eq!(
            known(&[(1000, 50_000), (1040, 50_040), (1080, 50_081)]),
            [(0, 40, 0), (40, 40, 0), (80, 40, 0)]
        );
    }

    #[test]
    fn the_live_view_never_has_a_gap_between_decoding_times_and_shows_each_frame_at_its_time() {
        let frames: Vec<(i64, i64)> = [0, 40, 80, 75, 160, 200, 2200, 2240, 2280, 2320]
            .map(|at| (1000 + at, 50_000 + at))
            .to_vec();
        let laid = live(&frames);
        let mut next = 0;
        for ((pts, _), (decoded, duration, offset)) in frames.iter().zip(laid) {
            assert_eq!(decoded, next);
            next += u64::from(duration);
            assert_eq!(decoded.cast_signed() + i64::from(offset), pts - 1000);
            assert!((1..=2000).contains(&duration), "{duration}");
        }
    }

    #[test]
    fn a_jump_of_the_cameras_clock_alone_is_taken_out() {
        // An hour on, and back to nothing, while 40 ms passed.
        let laid = known(&[
            (1000, 50_000),
            (1040, 50_040),
            (3_601_040, 50_080),
            (3_601_080, 50_120),
            (0, 50_160),
            (40, 50_200),
        ]);
        let decoded: Vec<u64> = laid.iter().map(|laid| laid.0).collect();
        assert_eq!(decoded, [0, 40, 80, 120, 160, 200]);
    }

    #[test]
    fn a_pause_that_really_was_stays() {
        let laid = known(&[(1000, 50_000), (31_000, 80_000)]);
        assert_eq!(laid[0], (0, 30_000, 0));
    }

    #[test]
    fn pictures_out_of_order_are_shown_in_order() {
        let laid = known(&[
            (1000, 50_000),
            (1120, 50_040),
            (1040, 50_080),
            (1080, 50_120),
            (1160, 50_160),
        ]);
        let shown: Vec<i64> = laid
            .iter()
            .map(|(decoded, _, offset)| decoded.cast_signed() + i64::from(*offset))
            .collect();
        assert_eq!(shown, [0, 120, 40, 80, 160]);
    }

    #[test]
    fn what_lies_before_the_start_is_left_out() {
        assert_eq!(known(&[(980, 50_000), (1010, 50_010)]).len(), 1);
    }
}
