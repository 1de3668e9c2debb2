//! Passes over an encoded value without reading it (OPC UA Part 6, 5.2.2), so that what comes after it can be read.
//!
//! Its own stack instead of recursion: a value may be nested as deeply as a message is long.

/// What is still to be passed over at the most.
const MAX_STEPS: usize = 100_000;

/// One part of a value.
#[derive(Debug, Clone, Copy)]
enum Step {
    DataValue,
    /// What follows the value in a DataValue with this mask.
    Rest(u8),
    Variant,
    /// So many values of a built-in type.
    Scalars(u8, usize),
    Dimensions,
    DiagnosticInfo,
}

/// Moves behind a DataValue; `None` when it does not end, or is none.
pub(super) fn data_value(bytes: &mut &[u8]) -> Option<()> {
    let mut steps = vec![Step::DataValue];
    while let Some(step) = steps.pop() {
        if steps.len() > MAX_STEPS {
            return None;
        }
        match step {
            Step::DataValue => {
                let mask = byte(bytes)?;
                steps.push(Step::Rest(mask));
                if mask & 1 != 0 {
                    steps.push(Step::Variant);
                }
            }
            Step::Rest(mask) => {
                let fields = [(0x02, 4), (0x04, 8), (0x08, 8), (0x10, 2), (0x20, 2)];
                let there = fields.iter().filter(|(bit, _)| mask & bit != 0);
                skip(bytes, there.map(|(_, length)| length).sum())?;
            }
            Step::Variant => {
                let mask = byte(bytes)?;
                let kind = mask & 0x3F;
                if mask & 0x80 == 0 {
                    steps.push(Step::Scalars(kind, 1));
                } else {
                    let count = length(bytes)?;
                    if mask & 0x40 != 0 {
                        steps.push(Step::Dimensions);
                    }
                    steps.push(Step::Scalars(kind, count));
                }
            }
            Step::Dimensions => {
                let count = length(bytes)?;
                skip(bytes, count.checked_mul(4)?)?;
            }
            Step::DiagnosticInfo => {
                let mask = byte(bytes)?;
                let numbers = (mask & 0x0F).count_ones() as usize;
                skip(bytes, numbers * 4)?;
                if mask & 0x10 != 0 {
                    text(bytes)?;
                }
                if mask & 0x20 != 0 {
                    skip(bytes, 4)?;
                }
                if mask & 0x40 != 0 {
                    steps.push(Step::DiagnosticInfo);
                }
            }
            Step::Scalars(_, 0) => {}
            Step::Scalars(kind, count) => {
                if let Some(size) = fixed_size(kind) {
                    skip(bytes, count.checked_mul(size)?)?;
                    continue;
                }
                if count > 1 {
                    steps.push(Step::Scalars(kind, count - 1));
                }
                match kind {
                    12 | 15 | 16 => text(bytes)?,
                    17 => node_id(bytes)?,
                    18 => expanded_node_id(bytes)?,
                    20 => {
                        skip(bytes, 2)?;
                        text(bytes)?;
                    }
                    21 => {
                        let mask = byte(bytes)?;
                        for _ in 0..(mask & 3).count_ones() {
                            text(bytes)?;
                        }
                    }
                    22 => extension_object(bytes)?,
                    23 => steps.push(Step::DataValue),
                    24 => steps.push(Step::Variant),
                    25 => steps.push(Step::DiagnosticInfo),
                    _ => return None,
                }
            }
        }
    }
    Some(())
}

/// The bytes of a built-in type that always has as many.
fn fixed_size(kind: u8) -> Option<usize> {
    Some(match kind {
        0 => 0,
        1..=3 => 1,
        4 | 5 => 2,
        6 | 7 | 10 | 19 => 4,
        8 | 9 | 11 | 13 => 8,
        14 => 16,
        _ => return None,
    })
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

fn skip(bytes: &mut &[u8], count: usize) -> Option<()> {
    *bytes = bytes.get(count..)?;
    Some(())
}

/// The length of an array or a text; null is 0.
fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(usize::try_from(i32::from_le_bytes(*first)).unwrap_or(0))
}

fn text(bytes: &mut &[u8]) -> Option<()> {
    let count = length(bytes)?;
    skip(bytes, count)
}

fn node_id(bytes: &mut &[u8]) -> Option<()> {
    let form = byte(bytes)?;
    identifier(form, bytes)
}

fn identifier(form: u8, bytes: &mut &[u8]) -> Option<()> {
    match form {
        0 => skip(bytes, 1),
        1 => skip(bytes, 3),
        2 => skip(bytes, 6),
        4 => skip(bytes, 18),
        3 | 5 => {
            skip(bytes, 2)?;
            text(bytes)
        }
        _ => None,
    }
}

fn expanded_node_id(bytes: &mut &[u8]) -> Option<()> {
    let form = byte(bytes)?;
    identifier(form & 0x3F, bytes)?;
    if form & 0x80 != 0 {
        text(bytes)?;
    }
    if form & 0x40 != 0 {
        skip(bytes, 4)?;
    }
    Some(())
}

fn extension_object(bytes: &mut &[u8]) -> Option<()> {
    node_id(bytes)?;
    match byte(bytes)? {
        0 => Some(()),
        1 | 2 => text(bytes),
        _ => None,
    }
}
