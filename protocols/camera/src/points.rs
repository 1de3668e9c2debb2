//! The points of a camera, as its device announces them, and the readings that its figures, pictures, clips and events become. Pure.

use std::sync::Arc;

use bytes::Bytes;
use fieldgate_kit::{
    ClipPart,
    camera::{Picture, TrackReport},
};
use fieldgate_model::{
    Class, Device, DeviceId, Event, Point, PointId, Quality, Reading, Timestamp, Value,
};

/// The name of a camera source's one device.
pub(crate) const DEVICE: &str = "camera";
/// Severity of what a camera reports (OPC UA Part 5, 6.4.2): worth a look, no alarm.
const SEVERITY: u16 = 300;
/// A value that is kept with a clip is no longer than this, as JSON.
const MEASURED_BYTES: usize = 4 << 10;
/// Of a clip that goes as several readings, each has at most so many bytes.
pub(crate) const PART_BYTES: usize = 2 << 20;

/// What a figure is: id, name, unit, description.
const FIGURES: [(&str, &str, &str, &str); 6] = [
    ("fps", "Frames a second", "Hz", "pictures that arrive"),
    ("bitrate", "Bit rate", "bit/s", "of all tracks"),
    ("lost", "Lost packets", "1", "since the stream began"),
    ("jitter", "Jitter", "ms", "RFC 3550 clause 6.4.1"),
    (
        "key_interval",
        "Key frame interval",
        "s",
        "a snapshot or a clip begins at a key frame",
    ),
    (
        "clock_ahead",
        "Clock ahead",
        "s",
        "how far the camera's clock is ahead of the gateway's",
    ),
];

/// The names of a camera's points.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    device: DeviceId,
    source: Arc<str>,
}

/// What is announced.
pub(crate) struct Facts<'a> {
    pub name: &'a str,
    pub model: Option<&'a str>,
    pub address: &'a str,
    pub snapshots: bool,
    pub clips: bool,
    pub motion: bool,
    pub events: bool,
}

/// When something was, by the camera's clock as ours, and when we saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub at: Timestamp,
    pub seen: Timestamp,
}

/// A file that belongs to a clip: the clip itself, or its picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    pub clip: &'a str,
    pub name: &'a str,
    pub media_type: &'a str,
    pub sha256: &'a str,
    pub bytes: &'a Bytes,
}

// === impl Points ===

impl Points {
    /// # Panics
    /// Never: a source's id is one segment, and so is the device's.
    pub(crate) fn new(source: &Arc<str>) -> Self {
        Self {
            device: DeviceId::new(source, DEVICE).expect("a source's id is a segment"),
            source: Arc::clone(source),
        }
    }

    pub(crate) fn id(&self, point: &str) -> PointId {
        PointId::new(&self.source, DEVICE, point)
            .expect("the names of a camera's points are segments")
    }

    pub(crate) fn device(&self, facts: &Facts<'_>) -> Device {
        let mut points: Vec<Point> = FIGURES
            .iter()
            .map(|(id, name, unit, about)| self.point(id, name, Some(unit), "Float", about))
            .collect();
        let others = [
            (
                facts.snapshots,
                "snapshot",
                "Snapshot",
                "image/jpeg",
                "a picture of a key frame",
            ),
            (
                facts.clips,
                "clip",
                "Clip",
                "video/mp4",
                "what was before and after an event, in parts",
            ),
            (
                facts.clips,
                "clip_saved",
                "Clip saved",
                "Event",
                "names a clip's files, and what was measured at that moment",
            ),
            (
                facts.motion,
                "motion",
                "Motion",
                "Event",
                "seen in the pictures by this gateway",
            ),
            (
                facts.events,
                "event",
                "Event",
                "Event",
                "what the camera reports by itself",
            ),
        ];
        for (there, id, name, data_type, about) in others {
            if there {
                points.push(self.point(id, name, None, data_type, about));
            }
        }
        Device {
            id: self.device.clone(),
            name: facts.name.to_owned(),
            model: facts.model.map(str::to_owned),
            address: facts.address.to_owned(),
            points,
        }
    }

    fn point(
        &self,
        id: &str,
        name: &str,
        unit: Option<&str>,
        data_type: &str,
        about: &str,
    ) -> Point {
        Point {
            id: self.id(id),
            name: name.to_owned(),
            unit: unit.map(str::to_owned),
            range: None,
            description: Some(about.to_owned()),
            data_type: Some(data_type.to_owned()),
            address: id.to_owned(),
            remark: None,
            problem: None,
        }
    }

    /// The figures of the stream, of all its tracks.
    pub(crate) fn figures(
        &self,
        tracks: &[TrackReport],
        clock_ahead_ms: Option<i64>,
        at: Timestamp,
    ) -> Vec<Reading> {
        let pictures = tracks.iter().find(|track| track.width > 0);
        let sum = tracks.iter().map(|track| track.bits_per_s).sum::<f64>();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a clock's error in milliseconds"
        )]
        let ahead = clock_ahead_ms.map(|ahead| ahead as f64 / 1e3);
        let lost: u64 = tracks.iter().map(|track| track.lost).sum();
        let numbers: [(&str, Option<Value>); 6] = [
            ("fps", pictures.map(|track| round(track.fps).into())),
            ("bitrate", Some(round(sum).into())),
            ("lost", Some(lost.into())),
            (
                "jitter",
                pictures
                    .and_then(|track| track.jitter_ms)
                    .map(|jitter| round(jitter).into()),
            ),
            (
                "key_interval",
                pictures
                    .and_then(|track| track.key_every_s)
                    .map(|every| round(every).into()),
            ),
            ("clock_ahead", ahead.map(Value::from)),
        ];
        let reading = |(id, value): (&str, Option<Value>)| {
            let unit = FIGURES.iter().find(|(figure, ..)| *figure == id)?.2;
            let mut reading = Reading::new(self.id(id), value?, at);
            reading.unit = Some(unit.into());
            Some(reading)
        };
        numbers.into_iter().filter_map(reading).collect()
    }

    /// The stream was lost: its figures are not what they were.
    pub(crate) fn lost(&self, why: &str, at: Timestamp) -> Vec<Reading> {
        let mut reading = Reading::new(self.id("fps"), 0.0, at);
        reading.unit = Some("Hz".into());
        reading.quality = Quality::Bad(why.into());
        vec![reading]
    }

    pub(crate) fn snapshot(&self, picture: &Picture) -> Reading {
        let value = Value::Blob {
            media_type: "image/jpeg".to_owned(),
            data: picture.bytes.clone(),
        };
        Reading::new(self.id("snapshot"), value, picture.seen)
    }

    pub(crate) fn clip(&self, part: ClipPart, at: Timestamp) -> Reading {
        Reading::new(self.id("clip"), part.into_value(), at)
    }

    /// Something happened; `active` is whether it began or is over, where it lasts.
    pub(crate) fn event(
        &self,
        point: &str,
        id: String,
        message: &str,
        active: Option<bool>,
        fields: Vec<(String, Value)>,
        When { at, seen }: When,
    ) -> Reading {
        let state = active.map(|active| ("active".to_owned(), active.into()));
        let event = Event {
            point: self.id(point),
            id,
            severity: SEVERITY,
            message: message.to_owned(),
            fields: state.into_iter().chain(fields).collect(),
            at,
            seen,
        };
        let reading = Reading::from(event);
        debug_assert_eq!(reading.class, Class::Event);
        reading
    }
}

/// Three digits behind the point are enough for what is measured by a clock.
fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

/// A file as parts that each fit into the queue, in order.
pub(crate) fn parts(file: File<'_>) -> Vec<ClipPart> {
    let bytes = file.bytes;
    let total = bytes.len().div_ceil(PART_BYTES).max(1);
    (0..total)
        .map(|index| {
            let begin = index * PART_BYTES;
            let end = (begin + PART_BYTES).min(bytes.len());
            ClipPart {
                clip: file.clip.to_owned(),
                name: file.name.to_owned(),
                media_type: file.media_type.to_owned(),
                part: index as u64,
                parts: total as u64,
                offset: begin as u64,
                bytes: bytes.len() as u64,
                sha256: file.sha256.to_owned(),
                data: bytes.slice(begin..end),
            }
        })
        .collect()
}

/// As many hexadecimal digits as SHA-256 has.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was measured when something happened: each point with its value, its unit and its time.
pub(crate) fn measured(readings: Vec<Reading>) -> Value {
    let field = |reading: Reading| {
        let mut fields = vec![
            ("value".to_owned(), reading.value),
            ("at".to_owned(), Value::Text(reading.at.to_string())),
        ];
        if let Some(unit) = reading.unit {
            fields.push(("unit".to_owned(), Value::Text(unit.to_string())));
        }
        if let Quality::Bad(why) = reading.quality {
            fields.push(("bad".to_owned(), Value::Text(why.to_string())));
        }
        (reading.point.as_str().to_owned(), Value::Struct(fields))
    };
    // Pictures and long lists are readings of their own.
    let small = |reading: &Reading| {
        let text = serde_json::to_string(&reading.value);
        text.is_ok_and(|text| text.len() <= MEASURED_BYTES)
    };
    let told = readings.into_iter().filter(small);
    Value::Struct(told.map(field).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_cut_into_parts_that_are_whole_together() {
        for length in [1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES] {
            let bytes = Bytes::from(vec![7; length]);
            let parts = parts(File {
                clip: "c",
                name: "c.mp4",
                media_type: "video/mp4",
                sha256: &hex(&[7; 32]),
                bytes: &bytes,
            });
            for part in &parts {
                let value = part.clone().into_value();
                assert_eq!(
                    ClipPart::of(&value).as_ref(),
                    Some(part),
                    "a destination reads it"
                );
            }
            let joined: Vec<u8> = parts.iter().flat_map(|part| part.data.to_vec()).collect();
            assert_eq!(joined.len(), length);
            assert_eq!(parts.len() as u64, parts[0].parts);
            assert!(parts.iter().all(|part| part.data.len() <= PART_BYTES));
            let offsets: Vec<_> = parts.iter().map(|part| part.offset).collect();
            assert!(offsets.is_sorted());
        }
    }

    #[test]
    fn figures_are_those_of_the_pictures_and_the_sum_of_all() {
        let points = Points::new(&"gate".into());
        let picture = TrackReport {
            codec: "H.264".into(),
            width: 1920,
            height: 1080,
            fps: 25.000_4,
            bits_per_s: 4e6,
            lost: 3,
            ..TrackReport::default()
        };
        let sound = TrackReport {
            bits_per_s: 64e3,
            ..TrackReport::default()
        };
        let at = Timestamp::from_millis(1);
        let readings = points.figures(&[picture, sound], Some(-1500), at);
        let told: Vec<_> = readings
            .iter()
            .map(|reading| (reading.point.as_str().to_owned(), reading.value.clone()))
            .collect();
        let expected: [(&str, Value); 4] = [
            ("gate/camera/fps", 25.0.into()),
            ("gate/camera/bitrate", 4_064_000.0.into()),
            ("gate/camera/lost", 3_u64.into()),
            ("gate/camera/clock_ahead", (-1.5).into()),
        ];
        assert_eq!(told, expected.map(|(id, value)| (id.to_owned(), value)));
    }
}
