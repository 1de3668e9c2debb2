//! `Event`: something happened. It travels the same way as a reading, in the critical lane.

use crate::{Class, PointId, Quality, Reading, Timestamp, Value};

/// Something happened: an OPC UA alarm, an ONVIF motion, a queue that is filling.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The point that the event belongs to; for a device's own events a point named after the event's type.
    pub point: PointId,
    /// The source's own identity of this occurrence, stable when the source sends it twice.
    pub id: String,
    /// 1 (information) to 1000 (catastrophe), as in OPC UA Part 5, 6.4.2.
    pub severity: u16,
    pub message: String,
    /// Whatever else the source says, in its order.
    pub fields: Vec<(String, Value)>,
    pub at: Timestamp,
    pub seen: Timestamp,
}

impl From<Event> for Reading {
    /// The event as a structure with `EventId`, `Severity`, `Message` and its fields.
    fn from(event: Event) -> Self {
        let mut fields = vec![
            ("EventId".to_owned(), Value::Text(event.id)),
            ("Severity".to_owned(), Value::UInt(event.severity.into())),
            ("Message".to_owned(), Value::Text(event.message)),
        ];
        fields.extend(event.fields);
        Self {
            point: event.point,
            value: Value::Struct(fields),
            quality: Quality::Good,
            at: event.at,
            seen: event.seen,
            unit: None,
            class: Class::Event,
            backfilled: false,
        }
    }
}
