//! The teach-me decoder: from packets and what a display showed at their moments it finds where the number is (pure).

mod learn;
mod scales;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use fieldgate_kit::scanner::{Lesson, LessonExample, Proposal};

pub use learn::learn;
use scales::{Scale, scales};
pub use shelf::keep;

use crate::profile::{DataType, Form, Raw, Scaling, hex_of};

/// More of them make nothing clearer, and work has to end.
const MOST_EXAMPLES: usize = 64;
const LONGEST_PACKET: usize = 255;
/// Who chooses reads no more.
const MOST_PROPOSALS: usize = 20;
/// What is likelier by chance than this is not told.
const LEAST_BITS: f64 = 1.0;

const TYPES: [&str; 24] = [
    "u8", "i8", "sm8", "bcd8", "u16le", "u16be", "i16le", "i16be", "sm16le", "sm16be", "sm8c",
    "bcd16le", "bcd16be", "u24le", "u24be", "i24le", "i24be", "u32le", "u32be", "i32le", "i32be",
    "f32le", "f32be", "bcd32be",
];

/// Ways to read the numbers that people read off a display, the likeliest first.
///
/// # Errors
/// When no layout explains the examples, and what would help.
pub fn propose(lesson: &Lesson) -> Result<Vec<Proposal>, String> {
    if lesson.examples.len() > MOST_EXAMPLES {
        return Err(format!(
            "{MOST_EXAMPLES} examples are enough; leave some out"
        ));
    }
    let mut parts: BTreeMap<&str, Vec<&LessonExample>> = BTreeMap::new();
    for example in &lesson.examples {
        parts.entry(&example.part).or_default().push(example);
    }
    let mut found = Vec::new();
    let mut useless = Vec::new();
    for (part, examples) in parts {
        match Shown::of(&examples) {
            Ok(shown) => found.extend(shown.fits(part)),
            Err(why) => useless.push(why),
        }
    }
    if found.is_empty() {
        return Err(useless.into_iter().next().unwrap_or_else(|| {
            "no layout explains these examples; look whether each number belongs to its packet, and take more that differ clearly".to_owned()
        }));
    }
    Ok(ranked(found))
}

/// Packets of one part, with what the display showed.
struct Shown {
    packets: Vec<Vec<u8>>,
    values: Vec<f64>,
    /// Half of the display's last digit.
    tolerance: f64,
    different: usize,
    /// Bytes that all packets have, and which of these are not always the same.
    varies: Vec<bool>,
}

/// A layout that explains all examples.
struct Fit {
    part: String,
    at: usize,
    data_type: DataType,
    scale: &'static Scale,
    reads: Vec<f64>,
    /// How unlikely it is by chance, as a power of two.
    bits: f64,
    examples: usize,
    different: usize,
    range: (f64, f64),
    /// What these examples leave open.
    open: Vec<String>,
    tolerance: f64,
}

// === impl Shown ===

impl Shown {
    fn of(examples: &[&LessonExample]) -> Result<Self, String> {
        let mut packets = Vec::new();
        for example in examples {
            let bytes = hex_of(&example.hex).filter(|bytes| bytes.len() <= LONGEST_PACKET);
            packets.push(bytes.ok_or("a packet is not of hexadecimal digits")?);
        }
        let values: Vec<f64> = examples.iter().map(|example| example.shown).collect();
        if values
            .iter()
            .any(|value| !value.is_finite() || value.abs() > 1e9)
        {
            return Err("a number on the display is too large".to_owned());
        }
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        if sorted.len() < 2 {
            return Err(
                "the examples all show the same number; take another packet when the display shows something else"
                    .to_owned(),
            );
        }
        let shortest = packets.iter().map(Vec::len).min().unwrap_or(0);
        let varies = (0..shortest)
            .map(|at| packets.iter().any(|packet| packet[at] != packets[0][at]))
            .collect();
        Ok(Self {
            tolerance: 0.5 / digits(&values),
            different: sorted.len(),
            packets,
            values,
            varies,
        })
    }

    fn fits(&self, part: &str) -> Vec<Fit> {
        let mut fits = Vec::new();
        for name in TYPES {
            let Some(data_type) = DataType::parse(name) else {
                continue;
            };
            for at in 0..(self.varies.len() + 1).saturating_sub(data_type.width) {
                // What never changes cannot be a number that does.
                if self.varies[at..at + data_type.width].contains(&true)
                    && let Some(raws) = self.raws(data_type, at)
                {
                    fits.extend(self.scaled(part, data_type, at, &raws));
                }
            }
        }
        self.settle(fits)
    }

    fn raws(&self, data_type: DataType, at: usize) -> Option<Vec<Raw>> {
        let count = u32::try_from(data_type.width * 8).ok()?;
        let raw = |packet: &Vec<u8>| {
            data_type.number(data_type.bits(&packet[at..at + data_type.width]), count)
        };
        self.packets.iter().map(raw).collect()
    }

    fn scaled(&self, part: &str, data_type: DataType, at: usize, raws: &[Raw]) -> Vec<Fit> {
        let mut fits = Vec::new();
        let (least, most) = self.range();
        for scale in scales() {
            let scaling = Scaling::of(scale.scale, scale.offset);
            // A float is a value already: scales of integers would only invent digits.
            if data_type.form == Form::Float && !scale.suits_floats {
                continue;
            }
            let read = |raw: &Raw| scaling.apply(*raw).as_f64();
            let near = |(raw, value): (&Raw, &f64)| {
                (read(raw) - value).abs() <= self.tolerance * 1.02 + value.abs() * 1e-9
            };
            if !raws.iter().zip(&self.values).all(near) {
                continue;
            }
            fits.push(Fit {
                part: part.to_owned(),
                at,
                data_type,
                scale,
                reads: raws.iter().map(read).collect(),
                bits: self.bits(data_type, at, scale),
                examples: self.values.len(),
                different: self.different,
                range: (least, most),
                open: Vec::new(),
                tolerance: self.tolerance,
            });
        }
        fits
    }

    /// How many bits of chance the examples exclude. Bytes that never change exclude nothing; a scale finer than the display lets
    /// several numbers pass for the right one.
    fn bits(&self, data_type: DataType, at: usize, scale: &Scale) -> f64 {
        let changing = self.varies[at..at + data_type.width]
            .iter()
            .filter(|varies| **varies);
        let width = 8.0 * count(changing.count());
        let accepted = (2.0 * self.tolerance / scale.scale.abs()).max(1.0);
        let each = match data_type.form {
            // Most patterns of a float are far from any display.
            Form::Float => 20.0,
            _ => (width - accepted.log2()).max(0.0),
        };
        let tried = count(self.varies.len().max(1) * scales().len());
        count(self.different) * each - tried.log2() - scale.cost
    }

    fn range(&self) -> (f64, f64) {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self
            .values
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        (least, most)
    }

    /// Of layouts that are the same number so far one is proposed, and says what would tell it from the others.
    fn settle(&self, mut fits: Vec<Fit>) -> Vec<Fit> {
        fits.sort_by(|a, b| (b.bits - b.oddity()).total_cmp(&(a.bits - a.oddity())));
        let mut kept: Vec<Fit> = Vec::new();
        for fit in fits {
            let same = kept.iter_mut().find(|other| {
                other.at == fit.at
                    && other.data_type.width == fit.data_type.width
                    && other.data_type.little == fit.data_type.little
                    && other.scale == fit.scale
            });
            match same {
                Some(other) => other.leave_open(fit.data_type),
                None => kept.push(fit),
            }
        }
        kept.retain(|fit| fit.bits >= LEAST_BITS);
        kept
    }
}

/// A power of ten: how finely a display shows its numbers, as far as these tell.
fn digits(values: &[f64]) -> f64 {
    let whole = |by: f64| {
        values
            .iter()
            .all(|value| (value * by - (value * by).round()).abs() < 1e-6 * by.max(1.0))
    };
    [1.0, 10.0, 100.0, 1000.0]
        .into_iter()
        .find(|by| whole(*by))
        .unwrap_or(10_000.0)
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

/// The likeliest first; those of one lesson share what is not chance.
fn ranked(mut fits: Vec<Fit>) -> Vec<Proposal> {
    fits.sort_by(|a, b| (b.bits - b.oddity()).total_cmp(&(a.bits - a.oddity())));
    fits.truncate(MOST_PROPOSALS);
    let best = fits.first().map_or(0.0, |fit| fit.bits - fit.oddity());
    let weight = |fit: &Fit| (fit.bits - fit.oddity() - best).max(-60.0).exp2();
    let all: f64 = fits.iter().map(weight).sum();
    fits.iter()
        .map(|fit| {
            let chance = (-fit.bits).exp2();
            let likelihood = (weight(fit) / all / (1.0 + chance)).clamp(0.0, 1.0);
            fit.proposal(likelihood)
        })
        .collect()
}

// === impl Fit ===

impl Fit {
    /// How rarely makers do it so, as a power of two.
    fn oddity(&self) -> f64 {
        let (least, _) = self.range;
        let form = match self.data_type.form {
            // A byte is seldom below zero, a longer number often can be.
            Form::Unsigned if self.data_type.width > 1 => 0.5,
            Form::Unsigned | Form::Float => 0.0,
            Form::Signed => {
                0.25 + if self.data_type.width > 1 || least < 0.0 {
                    0.0
                } else {
                    1.0
                }
            }
            Form::SignMagnitude | Form::Hundredths => 4.0,
            Form::Decimal | Form::Medical => 5.0,
        };
        let width = match self.data_type.width {
            1 | 2 => 0.0,
            3 => 1.0,
            _ => 0.5,
        };
        form + width + f64::from(u8::from(!self.data_type.little)) * 0.1
    }

    fn leave_open(&mut self, other: DataType) {
        let name = other.name();
        let what = match (self.data_type.form, other.form) {
            (Form::Signed, Form::Unsigned) | (Form::Unsigned, Form::Signed) => format!(
                "read as {name} it fits as well: an example below zero, or a very large one, would tell"
            ),
            (_, Form::SignMagnitude | Form::Hundredths) => {
                format!("read as {name} it fits as well: an example below zero would tell")
            }
            _ => format!("read as {name} it fits as well: more examples would tell"),
        };
        if self.open.len() < 2 {
            self.open.push(what);
        }
    }

    fn proposal(&self, likelihood: f64) -> Proposal {
        Proposal {
            part: self.part.clone(),
            at: self.at,
            data_type: self.data_type.name(),
            scale: self.scale.scale,
            offset: self.scale.offset,
            words: self.words(),
            reads: self.reads.clone(),
            likelihood,
        }
    }

    fn words(&self) -> String {
        let Self {
            examples,
            different,
            ..
        } = self;
        let (least, most) = self.range;
        let mut words = format!(
            "fits all {examples} examples, {different} of them different, from {least} to {most}; a layout that does so by chance is there in {} lessons",
            rarity(self.bits)
        );
        let more: &[String] = &self.open;
        for open in more {
            words.push_str("; ");
            words.push_str(open);
        }
        if self.bits < 12.0 {
            words.push_str(
                "; another example that shows something very different would make it surer",
            );
        }
        if let Some(note) = self.scale.note {
            words.push_str("; ");
            words.push_str(note);
        }
        if self.tolerance >= 0.5 && self.scale.scale.abs() < 0.5 {
            words.push_str("; it is finer than what the display shows");
        }
        words
    }
}

/// `1 of 4,000`, `less than 1 of a million`.
fn rarity(bits: f64) -> String {
    if bits > 20.0 {
        return "less than 1 of a million".to_owned();
    }
    format!("about 1 of {:.0}", bits.exp2().max(1.0))
}
