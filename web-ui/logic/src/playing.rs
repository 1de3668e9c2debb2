//! Playing a live stream: how a player stays near the newest picture, and what a browser's name of a codec is to people.

/// Farther behind than this it jumps, in seconds.
const FAR: f64 = 0.6;
/// Nearer than this it plays as fast as it comes.
const NEAR: f64 = 0.25;
/// Where a jump leads, before the newest picture.
const EDGE: f64 = 0.05;
/// How much faster it catches up.
const FASTER: f64 = 1.1;

/// What a player does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Goes to this moment, in seconds.
    Jump(f64),
    /// Plays at this speed, 1 is as it was taken.
    Rate(f64),
}

/// What a player does that is at `now`, where it has pictures from `start` to `end`, all in seconds.
#[must_use]
pub fn keep_up(now: f64, start: f64, end: f64) -> Pace {
    let behind = end - now;
    if now < start || !(-EDGE..=FAR).contains(&behind) {
        return Pace::Jump((end - EDGE).max(start));
    }
    match behind > NEAR {
        true => Pace::Rate(FASTER),
        false => Pace::Rate(1.0),
    }
}

/// What people call what a `video/mp4; codecs="…"` holds.
#[must_use]
pub fn codec(mime: &str) -> &'static str {
    let has = |name: &str| mime.contains(name);
    if has("hvc1") || has("hev1") {
        "H.265"
    } else if has("avc1") || has("avc3") {
        "H.264"
    } else {
        "this stream"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_stays_near_the_newest_picture() {
        for (now, start, end, expected) in [
            (0.0, 0.0, 0.1, Pace::Rate(1.0)),
            (0.0, 0.0, 0.5, Pace::Rate(FASTER)),
            (0.0, 0.0, 9.0, Pace::Jump(8.95)),
            // The stream does not begin at zero.
            (0.0, 40.0, 40.02, Pace::Jump(40.0)),
            // It is ahead of what there is.
            (9.0, 0.0, 1.0, Pace::Jump(0.95)),
        ] {
            assert_eq!(keep_up(now, start, end), expected, "{now} {start} {end}");
        }
    }

    #[test]
    fn codecs_have_names_for_people() {
        assert_eq!(codec("video/mp4; codecs=\"hvc1.1.6.L93.B0\""), "H.265");
        assert_eq!(
            codec("video/mp4; codecs=\"avc1.640028,mp4a.40.2\""),
            "H.264"
        );
        assert_eq!(codec(""), "this stream");
    }
}
