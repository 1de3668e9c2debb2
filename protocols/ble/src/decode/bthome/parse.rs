//! Objects out of the bytes of BTHome's two versions.

use std::str;

use bytes::Bytes;
use fieldgate_model::Value;

use super::objects::{Form, Object, PACKET, command, object, press, turn};
use crate::{
    Field, Nature,
    decode::bytes::{le, le_signed, per, per_unsigned},
};

/// What stood in the objects.
#[derive(Debug)]
pub(super) struct Parsed {
    pub packet: Option<u8>,
    pub fields: Vec<Field>,
}

/// Fields, of which those with one name are numbered.
struct Fields {
    fields: Vec<Field>,
    counts: [u8; 256],
}

/// Version 2: an object id, and as many bytes as the id has. An id that is not known ends the reading, since its width is not known
/// either; devices send them in rising order, so that what is newer than this table comes last.
pub(super) fn v2(bytes: &[u8]) -> Result<Parsed, String> {
    let mut fields = Fields::of(bytes);
    let mut packet = None;
    let mut at = 0;
    while let Some(id) = bytes.get(at) {
        if *id == PACKET {
            let Some(number) = bytes.get(at + 1) else {
                break;
            };
            packet = Some(*number);
            at += 2;
            continue;
        }
        let Some((object, value, end)) = v2_object(bytes, at, *id) else {
            break;
        };
        fields.push(object, value);
        at = end;
    }
    if at == 0 && !bytes.is_empty() {
        let id = bytes[0];
        return Err(match object(id) {
            Some(_) => format!("object {id:02x} at byte 0 of the objects ends too early"),
            None => format!("object {id:02x} at byte 0 of the objects is unknown"),
        });
    }
    Ok(Parsed {
        packet,
        fields: fields.fields,
    })
}

fn v2_object(bytes: &[u8], at: usize, id: u8) -> Option<(&'static Object, &[u8], usize)> {
    let object = object(id)?;
    let (start, width) = match object.form {
        // The upper three bits of the length are reserved; the command's code is not counted.
        Form::Command => (at + 2, 1 + usize::from(bytes.get(at + 1)? & 0x1F)),
        Form::Text | Form::Raw => (at + 2, usize::from(*bytes.get(at + 1)?)),
        _ => (at + 1, object.width),
    };
    let end = start + width;
    Some((object, bytes.get(start..end)?, end))
}

/// Version 1: a byte of format and length, the object id, and the rest of the length. So an unknown object is stepped over.
pub(super) fn v1(bytes: &[u8]) -> Result<Parsed, String> {
    let mut fields = Fields::of(bytes);
    let mut packet = None;
    let mut at = 0;
    while let Some(control) = bytes.get(at) {
        let end = at + 1 + usize::from(control & 0x1F);
        // A length without an object is filling.
        if end == at + 1 {
            at = end;
            continue;
        }
        let Some((id, value)) = bytes.get(at + 1..end).and_then(<[u8]>::split_first) else {
            if at == 0 {
                return Err("the object at byte 0 ends too early".into());
            }
            break;
        };
        match object(*id) {
            _ if *id == PACKET => packet = value.first().copied(),
            Some(object) if !value.is_empty() => fields.push_v1(object, control >> 5, value),
            _ => {}
        }
        at = end;
    }
    Ok(Parsed {
        packet,
        fields: fields.fields,
    })
}

// === impl Fields ===

impl Fields {
    fn of(bytes: &[u8]) -> Self {
        Self {
            // An object has two bytes at least.
            fields: Vec::with_capacity(bytes.len() / 2),
            counts: [0; 256],
        }
    }

    /// Also an object without a value is counted: of four buttons the third stays the third while the others rest.
    fn push(&mut self, object: &'static Object, bytes: &[u8]) {
        let count = &mut self.counts[usize::from(object.family)];
        *count = count.saturating_add(1);
        if let Some((value, nature)) = value(object, bytes) {
            self.fields
                .push(object.kind.numbered(*count, value, nature));
        }
    }

    /// In version 1 the packet says how a number is written, and its width.
    fn push_v1(&mut self, object: &'static Object, format: u8, bytes: &[u8]) {
        let number = match (object.form, format) {
            (Form::Unsigned | Form::Signed, 0) => Some(per_unsigned(le(bytes), object.divisor)),
            (Form::Unsigned | Form::Signed, 1) => Some(per(le_signed(bytes), object.divisor)),
            (Form::Unsigned | Form::Signed, 2) => float(bytes).map(|float| float / object.divisor),
            (Form::Unsigned | Form::Signed, _) => None,
            // Whatever it says, a truth is a truth and a count a count.
            (Form::Dimmer, _) if bytes.len() < 2 => None,
            _ => return self.push(object, bytes),
        };
        let count = &mut self.counts[usize::from(object.family)];
        *count = count.saturating_add(1);
        if let Some(number) = number.filter(|number| number.is_finite()) {
            let field = object
                .kind
                .numbered(*count, number.into(), Nature::Measured);
            self.fields.push(field);
        }
    }
}

fn value(object: &Object, bytes: &[u8]) -> Option<(Value, Nature)> {
    let measured = |value: Value| Some((value, Nature::Measured));
    match object.form {
        Form::Unsigned => measured(per_unsigned(le(bytes), object.divisor).into()),
        // 0.35 K a count, the only one that is no whole part: counts times 35, by 100, is the nearest float.
        Form::Signed if object.divisor < 1.0 => measured(per(le_signed(bytes) * 35, 100.0).into()),
        Form::Signed => measured(per(le_signed(bytes), object.divisor).into()),
        Form::Whole => measured(le(bytes).into()),
        Form::SignedWhole => measured(le_signed(bytes).into()),
        Form::Truth => measured((le(bytes) != 0).into()),
        Form::Text => str::from_utf8(bytes)
            .ok()
            .and_then(|text| measured(text.into())),
        Form::Raw => measured(Value::Bytes(Bytes::copy_from_slice(bytes))),
        Form::Firmware => {
            let parts: Vec<_> = bytes.iter().rev().map(u8::to_string).collect();
            measured(Value::Text(parts.join(".")))
        }
        Form::Button => press(*bytes.first()?).map(|press| (press.into(), Nature::Happened)),
        Form::Dimmer => {
            let (code, steps) = bytes.split_first()?;
            let turn = turn(*code)?;
            let value = Value::Struct(vec![
                ("event".into(), turn.into()),
                ("steps".into(), le(steps).into()),
            ]);
            Some((value, Nature::Happened))
        }
        Form::Command => {
            let (code, arguments) = bytes.split_first()?;
            let value = Value::Struct(vec![
                ("event".into(), command(*code)?.into()),
                (
                    "arguments".into(),
                    Value::Bytes(Bytes::copy_from_slice(arguments)),
                ),
            ]);
            Some((value, Nature::Happened))
        }
    }
}

/// A float of two, four or eight bytes.
fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        2 => Some(half(u16::from_le_bytes(bytes.try_into().ok()?))),
        4 => Some(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
        8 => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3FF) / 1024.0;
    let magnitude = match (bits >> 10) & 0x1F {
        0 => fraction * 2_f64.powi(-14),
        31 if bits & 0x3FF == 0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(i32::from(exponent) - 15),
    };
    if bits & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}
