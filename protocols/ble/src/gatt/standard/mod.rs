//! Formats of characteristics that the Bluetooth SIG defined (GATT Specification Supplement). Pure.
//!
//! What a device does not know is no field. One point keeps one unit: where a format lets the device choose between metric and
//! others, the value is converted.

mod device;
mod environment;
mod format;
mod generic;
mod health;
mod number;
mod read;
mod sport;
mod time;
mod write;

use fieldgate_model::Value;
use uuid::Uuid;

use self::format::{Format, GroupAs, Part, Take};
use crate::{Field, short_of};

/// By subject; each in order of its numbers.
const TABLES: [&[Format]; 5] = [
    device::DEVICE,
    environment::ENVIRONMENT,
    generic::GENERIC,
    health::HEALTH,
    sport::SPORT,
];

/// What a value of a characteristic means, by the SIG's format; none where there is none. An error says what is missing or
/// cannot be, and at which byte.
#[must_use]
pub fn read_standard(characteristic: Uuid, bytes: &[u8]) -> Option<Result<Vec<Field>, String>> {
    Some(find(characteristic)?.read(bytes))
}

/// The fields that a value of a characteristic always has, unless the device does not know them: id and UCUM code.
#[must_use]
pub fn standard_points(characteristic: Uuid) -> Option<Vec<(&'static str, Option<&'static str>)>> {
    let mut points = Vec::new();
    let always = |part: &&Part| part.mask == 0 && !part.id.is_empty();
    let format = find(characteristic)?;
    for part in format.2.iter().filter(|part| part.mask == 0) {
        if let Take::Bits(_, groups) = part.take {
            let sure = groups.iter().filter(|group| match group.as_ {
                GroupAs::Words(_, words) => !words.contains(&""),
                GroupAs::Truth | GroupAs::Number(_) => true,
            });
            points.extend(sure.map(|group| (group.id, None)));
        }
    }
    points.extend(
        format
            .2
            .iter()
            .filter(always)
            .map(|part| (part.id, part.unit())),
    );
    Some(points)
}

/// All ids that a value of a characteristic can have, and whether there is just one.
pub(super) fn standard_ids(characteristic: Uuid) -> Option<(Vec<&'static str>, bool)> {
    let format = find(characteristic)?;
    let mut ids = Vec::new();
    for part in format.2 {
        match part.take {
            Take::Bits(_, groups) => ids.extend(groups.iter().map(|group| group.id)),
            _ if part.id.is_empty() => {}
            _ => ids.push(part.id),
        }
    }
    let pairs = matches!(format.2, [part] if matches!(part.take, Take::Pairs));
    let only = !pairs && ids.iter().all(|id| *id == ids[0]);
    Some((ids, only))
}

/// The bytes of a value that is written by the SIG's format; none where there is none. Values of several fields are written as
/// bytes.
#[must_use]
pub fn write_standard(characteristic: Uuid, value: &Value) -> Option<Result<Vec<u8>, String>> {
    Some(write::write(find(characteristic)?, value))
}

/// What the specification calls the type that is written.
pub(super) fn standard_type(characteristic: Uuid) -> Option<String> {
    Some(write::type_name(find(characteristic)?))
}

fn find(characteristic: Uuid) -> Option<&'static Format> {
    let short = short_of(characteristic)?;
    TABLES.into_iter().find_map(|table| {
        let at = table.binary_search_by_key(&short, |format| format.0).ok()?;
        table.get(at)
    })
}

#[cfg(test)]
mod tests;
