//! `Recorder`: captures that people asked for, bounded in number, time, packets and bytes.

use std::time::Duration;

use fieldgate_kit::{ExploreError, scanner::CaptureState};
use fieldgate_model::Timestamp;
use tokio::time::Instant;

use crate::{Address, capture, radio::Heard};

/// Captures that are kept; the oldest that has ended makes room.
const CAPTURES: usize = 4;
const PACKETS: u64 = 10_000;
const BYTES: usize = 8 << 20;
const LONGEST: Duration = Duration::from_secs(600);

/// The captures.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    captures: Vec<Capture>,
    last_id: u64,
}

#[derive(Debug)]
struct Capture {
    state: CaptureState,
    of: Option<Address>,
    until: Instant,
    lines: String,
}

// === impl Recorder ===

impl Recorder {
    /// Begins one.
    pub(crate) fn start(
        &mut self,
        of: Option<Address>,
        time: Duration,
        now: Instant,
        at: Timestamp,
    ) -> Result<CaptureState, ExploreError> {
        self.expire(now);
        if self.captures.len() >= CAPTURES {
            let ended = self
                .captures
                .iter()
                .position(|capture| !capture.state.running);
            let Some(ended) = ended else {
                return Err(ExploreError::Refused(format!(
                    "{CAPTURES} captures run already; stop one of them first"
                )));
            };
            self.captures.remove(ended);
        }
        let time = time.clamp(Duration::from_secs(1), LONGEST);
        self.last_id += 1;
        let state = CaptureState {
            id: self.last_id,
            address: of.map(|address| address.to_string()),
            since: at,
            until: Timestamp::from_millis(
                at.millis() + i64::try_from(time.as_millis()).expect("at most ten minutes"),
            ),
            packets: 0,
            running: true,
        };
        self.captures.push(Capture {
            state: state.clone(),
            of,
            until: now + time,
            lines: String::new(),
        });
        Ok(state)
    }

    /// A packet of `who` came; it is written down as it was heard.
    pub(crate) fn heard(&mut self, who: Address, heard: &Heard, now: Instant) {
        let running = self
            .captures
            .iter_mut()
            .filter(|capture| capture.state.running);
        for capture in running.filter(|capture| capture.of.is_none_or(|of| of == who)) {
            capture.heard(heard, now);
        }
    }

    pub(crate) fn states(&mut self, now: Instant) -> Vec<CaptureState> {
        self.expire(now);
        self.captures
            .iter()
            .map(|capture| capture.state.clone())
            .collect()
    }

    /// What one has so far.
    pub(crate) fn lines(&self, id: u64) -> Result<String, ExploreError> {
        let mut captures = self.captures.iter();
        let capture = captures.find(|capture| capture.state.id == id);
        capture
            .map(|capture| capture.lines.clone())
            .ok_or_else(|| none(id))
    }

    pub(crate) fn stop(&mut self, id: u64) -> Result<CaptureState, ExploreError> {
        let mut captures = self.captures.iter_mut();
        let capture = captures.find(|capture| capture.state.id == id);
        let capture = capture.ok_or_else(|| none(id))?;
        capture.state.running = false;
        Ok(capture.state.clone())
    }

    fn expire(&mut self, now: Instant) {
        for capture in &mut self.captures {
            capture.state.running &= now < capture.until;
        }
    }
}

// === impl Capture ===

impl Capture {
    fn heard(&mut self, heard: &Heard, now: Instant) {
        if now >= self.until || self.state.packets >= PACKETS || self.lines.len() >= BYTES {
            self.state.running = false;
            return;
        }
        self.lines.push_str(&capture::to_line(heard));
        self.lines.push('\n');
        self.state.packets += 1;
    }
}

fn none(id: u64) -> ExploreError {
    ExploreError::Refused(format!(
        "there is no capture {id} any more; the last {CAPTURES} are kept"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Advertisement;

    fn packet(last: u8) -> (Address, Heard) {
        let address = Address([0xC0, 0, 0, 0, 0, last]);
        let heard = Heard {
            adapter: "hci0".into(),
            at: Timestamp::from_millis(0),
            advertisement: Advertisement::new(address, true),
        };
        (address, heard)
    }

    #[test]
    fn a_capture_has_what_was_heard_while_it_ran() {
        let (now, at) = (Instant::now(), Timestamp::from_millis(0));
        let mut recorder = Recorder::default();
        let (one, of_one) = packet(1);
        let (two, of_two) = packet(2);
        recorder.heard(one, &of_one, now);
        let all = recorder
            .start(None, Duration::from_secs(10), now, at)
            .unwrap();
        let only = recorder
            .start(Some(one), Duration::from_secs(10), now, at)
            .unwrap();
        recorder.heard(one, &of_one, now);
        recorder.heard(two, &of_two, now + Duration::from_secs(9));
        recorder.heard(two, &of_two, now + Duration::from_secs(10));
        assert_eq!(
            capture::from_lines(&recorder.lines(all.id).unwrap()).unwrap(),
            [of_one.clone(), of_two]
        );
        assert_eq!(
            capture::from_lines(&recorder.lines(only.id).unwrap()).unwrap(),
            [of_one]
        );
        let states = recorder.states(now + Duration::from_secs(10));
        assert!(states.iter().all(|state| !state.running));
    }

    #[test]
    fn captures_are_few_and_the_oldest_ended_one_makes_room() {
        let (now, at) = (Instant::now(), Timestamp::from_millis(0));
        let mut recorder = Recorder::default();
        for _ in 0..CAPTURES {
            recorder.start(None, LONGEST, now, at).unwrap();
        }
        assert!(recorder.start(None, LONGEST, now, at).is_err());
        assert!(!recorder.stop(2).unwrap().running);
        assert_eq!(recorder.start(None, LONGEST, now, at).unwrap().id, 5);
        assert!(recorder.lines(2).is_err());
        assert!(recorder.stop(99).is_err());
    }
}
