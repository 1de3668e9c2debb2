//! `Memory`: the last values of the points, for three uses: to hold back what changed too little, to send a value again
//! when its point has been silent (heartbeat), and to send all of them together (key frame). Pure.

use std::time::Duration;

use fieldgate_model::{Quality, Value};
use tokio::time::Instant;

use crate::{
    connection::Observed, gate::Gate, select::Item, settings::KeyFrames, subscribe::Monitored,
};

/// How often it is looked what is due; a heartbeat comes late by no more than a fourth of its interval.
const SHORTEST_BEAT: Duration = Duration::from_millis(25);
const LONGEST_BEAT: Duration = Duration::from_secs(1);

/// What is remembered of the points that need it; the others cost no memory but their place.
pub(super) struct Memory {
    points: Vec<Remembered>,
    key_frames: KeyFrames,
    framed: Instant,
    messages: u32,
}

#[derive(Default)]
struct Remembered {
    gate: Option<Gate>,
    heartbeat: Option<Duration>,
    /// The value that was passed on last, and when.
    last: Option<(Observed, Instant)>,
}

// === impl Memory ===

impl Memory {
    pub(super) fn new(
        items: &[Item],
        monitored: &[Monitored],
        key_frames: KeyFrames,
        now: Instant,
    ) -> Self {
        let points = items.iter().zip(monitored);
        Self {
            points: points
                .map(|(item, made)| Remembered::of(item, made))
                .collect(),
            key_frames,
            framed: now,
            messages: 0,
        }
    }

    /// One point more.
    pub(super) fn push(&mut self, item: &Item, made: &Monitored) {
        self.points.push(Remembered::of(item, made));
    }

    /// The point's wishes are others now, or what the server makes of them.
    pub(super) fn renew(&mut self, point: usize, item: &Item, made: &Monitored) {
        let last = self.points[point].last.take();
        self.points[point] = Remembered {
            last,
            ..Remembered::of(item, made)
        };
    }

    /// Whether the value is passed on; it is the point's last one then.
    pub(super) fn admit(
        &mut self,
        point: usize,
        observed: &Observed,
        range: Option<(f64, f64)>,
        now: Instant,
    ) -> bool {
        let frames = self.key_frames.wanted();
        let remembered = &mut self.points[point];
        if let (Some(gate), Some((last, _))) = (&remembered.gate, &remembered.last)
            && !gate.passes(last, observed, range)
        {
            return false;
        }
        if frames || remembered.gate.is_some() || remembered.heartbeat.is_some() {
            remembered.last = Some((observed.clone(), now));
        }
        true
    }

    /// The point has no value any more, for this reason.
    pub(super) fn lose(&mut self, point: usize, why: Quality) {
        if let Some((last, _)) = &mut self.points[point].last {
            last.value = Value::Null;
            last.quality = why;
        }
    }

    /// How often to ask what is due; `None` when nothing ever is.
    pub(super) fn beat(&self) -> Option<Duration> {
        let heartbeats = self.points.iter().filter_map(|point| point.heartbeat);
        let shortest = heartbeats.chain(self.key_frames.every).min()?;
        Some((shortest / 4).clamp(SHORTEST_BEAT, LONGEST_BEAT))
    }

    /// The points whose last value is to be sent again now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<usize> {
        let frame = self
            .key_frames
            .every
            .is_some_and(|every| now.duration_since(self.framed) >= every);
        if frame {
            return self.frame(now);
        }
        let mut due = Vec::new();
        for (at, point) in self.points.iter_mut().enumerate() {
            if let (Some(heartbeat), Some((_, told))) = (point.heartbeat, &mut point.last)
                && now.duration_since(*told) >= heartbeat
            {
                *told = now;
                due.push(at);
            }
        }
        due
    }

    /// A message of the server was handed over; the points whose last value is to be sent after it.
    pub(super) fn message(&mut self, now: Instant) -> Vec<usize> {
        self.messages = self.messages.saturating_add(1);
        match self.key_frames.messages {
            Some(messages) if self.messages >= messages => self.frame(now),
            _ => Vec::new(),
        }
    }

    /// The point's last value.
    pub(super) fn last(&self, point: usize) -> Option<&Observed> {
        self.points[point].last.as_ref().map(|(last, _)| last)
    }

    fn frame(&mut self, now: Instant) -> Vec<usize> {
        (self.framed, self.messages) = (now, 0);
        let known = self.points.iter_mut().enumerate();
        known
            .filter_map(|(at, point)| {
                point.last.as_mut()?.1 = now;
                Some(at)
            })
            .collect()
    }
}

// === impl Remembered ===

impl Remembered {
    fn of(item: &Item, made: &Monitored) -> Self {
        let sampling = &item.sampling;
        Self {
            gate: Gate::after(made.filtered, sampling.trigger, sampling.deadband),
            heartbeat: sampling.heartbeat_ms.map(Duration::from_millis),
            last: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gate::Filtered,
        settings::Deadband,
        twin::{item, revised},
    };

    fn memory(heartbeats: &[Option<u64>], key_frames: KeyFrames, now: Instant) -> Memory {
        let items: Vec<Item> = heartbeats
            .iter()
            .enumerate()
            .map(|(at, heartbeat)| {
                let mut item = item(at);
                item.sampling.heartbeat_ms = *heartbeat;
                item.sampling.deadband = Some(Deadband::Percent(10.0));
                item
            })
            .collect();
        let monitored = vec![
            Monitored {
                subscription: 0,
                result: Ok(revised()),
                filtered: Filtered::default(),
            };
            items.len()
        ];
        Memory::new(&items, &monitored, key_frames, now)
    }

    fn observed(value: f64) -> Observed {
        Observed {
            value: Value::Float(value),
            quality: Quality::Good,
            at: None,
            overflow: false,
        }
    }

    #[test]
    fn a_heartbeat_comes_after_silence_and_only_of_what_has_a_value() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut memory = memory(&[Some(1000), Some(1000), None], KeyFrames::default(), start);
        assert_eq!(memory.beat(), Some(Duration::from_millis(250)));
        assert!(memory.admit(0, &observed(1.0), None, start));
        assert!(memory.admit(2, &observed(1.0), None, start));
        assert_eq!(memory.due(after(999)), Vec::<usize>::new());
        assert_eq!(memory.due(after(1000)), [0]);
        assert_eq!(memory.due(after(1500)), Vec::<usize>::new());
        assert!(memory.admit(0, &observed(2.0), None, after(1900)));
        assert_eq!(memory.due(after(2500)), Vec::<usize>::new());
        assert_eq!(memory.due(after(2900)), [0]);
        assert_eq!(memory.last(0), Some(&observed(2.0)));
        memory.lose(0, Quality::Bad("gone".into()));
        assert_eq!(memory.last(0).map(|last| &last.value), Some(&Value::Null));
        assert_eq!(memory.message(after(3000)), Vec::<usize>::new());
    }

    #[test]
    fn a_key_frame_has_every_known_value_by_time_or_by_messages() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let frames = KeyFrames {
            every: Some(Duration::from_secs(5)),
            messages: Some(3),
        };
        let mut memory = memory(&[None, Some(60_000), None], frames, start);
        assert_eq!(memory.beat(), Some(LONGEST_BEAT));
        for point in [0, 2] {
            assert!(memory.admit(point, &observed(1.0), None, start));
        }
        let counted: Vec<usize> = (0..7).map(|_| memory.message(start).len()).collect();
        assert_eq!(counted, [0, 0, 2, 0, 0, 2, 0]);
        assert_eq!(memory.due(after(4999)), Vec::<usize>::new());
        assert_eq!(memory.due(after(5000)), [0, 2]);
        assert_eq!(memory.due(after(5001)), Vec::<usize>::new());
    }

    #[test]
    fn what_changed_too_little_is_measured_from_what_was_passed_on() {
        let now = Instant::now();
        let mut memory = memory(&[None], KeyFrames::default(), now);
        let range = Some((0.0, 100.0));
        let passed: Vec<f64> = [0.0, 9.0, 10.0, 11.0, 20.0, 22.0]
            .into_iter()
            .filter(|value| memory.admit(0, &observed(*value), range, now))
            .collect();
        assert_eq!(passed, [0.0, 11.0, 22.0]);
        assert_eq!(memory.beat(), None);
    }
}
