//! Points of a profile, or fields of a characteristic, as they are written.

use std::sync::Arc;

use super::{Cut, From, Layout, Place, What, When, Words};
use crate::{
    Nature,
    profile::{
        document::{Kind, Node, Problems, Reader},
        number::{DataType, Form, Scaling},
    },
    uuid_of,
};

/// No format has more.
const MOST_POINTS: usize = 256;
/// An advertisement has 1,650 bytes at most, a characteristic's value 512.
const FARTHEST: i64 = 1650;

pub(super) fn of_json(fields: &[serde_json::Value]) -> Result<Layout, String> {
    let mut problems = Problems::default();
    let nodes: Vec<Node> = fields.iter().map(Node::of_json).collect();
    let places = Place::all(&nodes, &mut problems);
    if problems.is_empty() {
        Ok(Layout {
            places: places.into(),
        })
    } else {
        Err(problems.to_string())
    }
}

impl Place {
    pub(in crate::profile) fn all(nodes: &[Node], problems: &mut Problems) -> Vec<Self> {
        if nodes.len() > MOST_POINTS {
            problems.add(
                nodes[0].line,
                format!("there are more than {MOST_POINTS} points"),
            );
            return Vec::new();
        }
        let mut places: Vec<Self> = Vec::new();
        for node in nodes {
            let Some(place) = Self::parse(node, problems) else {
                continue;
            };
            // The same point may be at different places in different packets.
            let twice = |other: &Self| {
                other.id == place.id && (other.when.is_none() || place.when.is_none())
            };
            if places.iter().any(twice) {
                problems.add(
                    node.line,
                    format!("`{}` is there twice; call the second one `{0}_2`", place.id),
                );
            }
            places.push(place);
        }
        places
    }

    fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut reader = Reader::of(node, "a point", problems)?;
        let id = id(&mut reader, problems).unwrap_or_else(|| Arc::from("value"));
        let unit = unit(&mut reader, problems);
        let nature = nature(&mut reader, problems);
        let from = from(&mut reader, problems);
        let at = at(&mut reader, problems);
        let what = what(&mut reader, problems);
        let absent = absent(&mut reader, what.as_ref(), problems);
        let valid = valid(&mut reader, what.as_ref(), problems);
        let when = reader
            .take("when")
            .and_then(|node| When::parse(node, problems));
        let optional = reader.truth("optional", problems);
        reader.finish(problems);
        Some(Self {
            id,
            unit,
            nature,
            from,
            at,
            what: what?,
            absent,
            valid,
            when,
            optional,
        })
    }
}

/// The name of a point.
pub(in crate::profile) fn id(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<Arc<str>> {
    let should = "lower-case letters, digits and underscores, for instance `battery_voltage`";
    reader.read("id", should, problems, |node| {
        let text = node.text()?;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        (begins && text.len() <= 64 && text.bytes().all(fits)).then(|| Arc::from(text))
    })
}

pub(in crate::profile) fn unit(
    reader: &mut Reader<'_>,
    problems: &mut Problems,
) -> Option<Arc<str>> {
    let should = "a UCUM code without spaces, for instance `Cel`, `%`, `Pa`";
    reader.read("unit", should, problems, |node| {
        let text = node.text()?;
        let fits =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Arc::from(text))
    })
}

pub(in crate::profile) fn nature(reader: &mut Reader<'_>, problems: &mut Problems) -> Nature {
    let should = "`measured` (left out: this one) or `happened`";
    let nature = reader.read("nature", should, problems, |node| match node.text()? {
        "measured" => Some(Nature::Measured),
        "happened" => Some(Nature::Happened),
        _ => None,
    });
    nature.unwrap_or_default()
}

fn from(reader: &mut Reader<'_>, problems: &mut Problems) -> From {
    let should = "`name`, { manufacturer = 0x0499 } or { service_data = \"2a6e\" }; left out: what `match` found";
    let from = reader.read("from", should, problems, |node| match &node.kind {
        Kind::Text(text) if text == "name" => Some(From::Name),
        Kind::Table(entries) => match entries.as_slice() {
            [(key, node)] if key == "manufacturer" => {
                u16::try_from(node.integer()?).ok().map(From::Company)
            }
            [(key, node)] if key == "service_data" => uuid_of(node.text()?).ok().map(From::Service),
            _ => None,
        },
        _ => None,
    });
    from.unwrap_or(From::Matched)
}

fn at(reader: &mut Reader<'_>, problems: &mut Problems) -> i32 {
    let should = "the byte it begins at, counted from 0, or from the end with -1 for the last one";
    let at = reader.read("at", should, problems, |node| {
        let at = node.integer()?;
        i32::try_from(at).ok().filter(|_| at.abs() <= FARTHEST)
    });
    at.unwrap_or(0)
}

/// All that can be said of what a value is, before it is known whether it goes together.
struct Said {
    bits: Option<(u32, u32)>,
    length: Option<usize>,
    scale: Option<f64>,
    offset: Option<f64>,
    words: Option<Words>,
    true_when: Vec<i64>,
}

fn what(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<What> {
    let name = reader.text("type", problems);
    if name.is_none() {
        problems.add(reader.line(), "a point has a `type`, for instance `i16le`");
    }
    let said = Said::parse(reader, problems);
    let name = name?;
    let length = said.length;
    let bare = match name {
        "hex" => What::Hex { length },
        "text" => What::Text { length },
        "mac" => What::Mac { reversed: false },
        "mac_le" => What::Mac { reversed: true },
        "uuid" => What::Uuid,
        _ => return said.number(name, reader, problems),
    };
    let has_length = matches!(bare, What::Hex { .. } | What::Text { .. });
    if said.is_of_numbers() || (length.is_some() && !has_length) {
        problems.add(reader.line(), MISPLACED);
    }
    Some(bare)
}

const MISPLACED: &str = "`length` is for hex and text; `bits`, `scale`, `offset`, `words` and `true_when` are for numbers";

impl Said {
    fn parse(reader: &mut Reader<'_>, problems: &mut Problems) -> Self {
        let length = |node: &Node| {
            let length = node
                .integer()
                .filter(|count| (1..=FARTHEST).contains(count));
            usize::try_from(length?).ok()
        };
        Self {
            bits: bits(reader, problems),
            length: reader.read("length", "from 1 to 1650", problems, length),
            scale: reader.number("scale", problems),
            offset: reader.number("offset", problems),
            words: words(reader, problems),
            true_when: reader.integers("true_when", problems),
        }
    }

    fn is_scaled(&self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    fn is_of_numbers(&self) -> bool {
        self.is_scaled()
            || self.bits.is_some()
            || self.words.is_some()
            || !self.true_when.is_empty()
    }

    fn number(self, name: &str, reader: &Reader<'_>, problems: &mut Problems) -> Option<What> {
        let cut = cut(name, self.bits, reader, problems)?;
        if self.length.is_some() {
            problems.add(reader.line(), MISPLACED);
        }
        if self.scale == Some(0.0) {
            problems.add(reader.line(), "a `scale` of 0 makes every value the same");
        }
        let truth = name == "bool" || !self.true_when.is_empty();
        let meanings = [truth, self.words.is_some(), self.is_scaled()];
        if meanings.into_iter().filter(|said| *said).count() > 1 {
            problems.add(
                reader.line(),
                "a number has `words`, or `true_when`, or `scale` and `offset`: only one of these",
            );
        }
        Some(match self.words {
            Some(words) => What::Words { cut, words },
            None if truth => What::Truth {
                cut,
                of: self.true_when.into(),
            },
            None => What::Number {
                cut,
                scaling: Scaling::of(self.scale.unwrap_or(1.0), self.offset.unwrap_or(0.0)),
            },
        })
    }
}

/// The lowest bit and how many.
fn bits(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<(u32, u32)> {
    let should = "[the lowest bit, how many], for instance [4, 12]";
    reader.read("bits", should, problems, |node| match node.items() {
        [from, count] => {
            let from = u32::try_from(from.integer()?).ok()?;
            let count = u32::try_from(count.integer()?).ok()?;
            (count >= 1 && from.saturating_add(count) <= 64).then_some((from, count))
        }
        _ => None,
    })
}

fn cut(
    name: &str,
    bits: Option<(u32, u32)>,
    reader: &Reader<'_>,
    problems: &mut Problems,
) -> Option<Cut> {
    let data_type = DataType::parse(if name == "bool" { "u8" } else { name });
    let Some(data_type) = data_type else {
        let name = name.escape_debug();
        problems.add(
            reader.line(),
            format!("`{name}` is no type; there are u8, i8, u16le, i16be, … i64be, sm16le, bcd8, f32le, f64le, medfloat16le, sm8c, bool, hex, text, mac, mac_le, uuid"),
        );
        return None;
    };
    let cut = Cut { data_type, bits };
    let whole = matches!(
        data_type.form,
        Form::Float | Form::Medical | Form::Hundredths
    );
    if let Some((from, count)) = bits
        && (from + count > cut.all_bits() || whole)
    {
        problems.add(
            reader.line(),
            format!("`bits` reach out of `{}`", data_type.name()),
        );
        return None;
    }
    Some(cut)
}

fn words(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<Words> {
    let should = "a table of numbers and what they mean, { 0 = \"closed\", 1 = \"open\" }";
    reader.read("words", should, problems, |node| {
        let Kind::Table(entries) = &node.kind else {
            return None;
        };
        let word = |(key, node): &(String, Node)| {
            let number = match key.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16).ok()?,
                None => key.parse().ok()?,
            };
            Some((number, Arc::from(node.text()?)))
        };
        let fits = !entries.is_empty() && entries.len() <= 1024;
        entries
            .iter()
            .map(word)
            .collect::<Option<_>>()
            .filter(|_| fits)
    })
}

/// As bit patterns, so that 0x8000 and -32768 are the same absence of an `i16`.
fn absent(reader: &mut Reader<'_>, what: Option<&What>, problems: &mut Problems) -> Box<[u64]> {
    let absent = reader.integers("absent", problems);
    let cut = match what {
        Some(What::Number { cut, .. } | What::Truth { cut, .. } | What::Words { cut, .. }) => *cut,
        _ if absent.is_empty() => return Box::default(),
        _ => {
            problems.add(reader.line(), "`absent` is for numbers");
            return Box::default();
        }
    };
    let count = cut.bits.map_or(cut.all_bits(), |(_, count)| count);
    let all = u64::MAX >> (64 - count);
    absent
        .iter()
        .map(|number| number.cast_unsigned() & all)
        .collect()
}

fn valid(
    reader: &mut Reader<'_>,
    what: Option<&What>,
    problems: &mut Problems,
) -> Option<(f64, f64)> {
    let should = "[the least, the most] that it can be, for instance [-40, 85], of a number";
    reader.read("valid", should, problems, |node| match node.items() {
        [low, high] => {
            let range = (low.number()?, high.number()?);
            let of_number = matches!(what, None | Some(What::Number { .. }));
            (range.0 < range.1 && of_number).then_some(range)
        }
        _ => None,
    })
}

impl When {
    fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut reader = Reader::of(node, "`when`", problems)?;
        let at = at(&mut reader, problems);
        let cut = Cut::parse(&mut reader, problems);
        let is = reader.integers("equals", problems);
        let is_not = reader.integers("not", problems);
        let bound = |key, reader: &mut Reader<'_>, problems: &mut Problems| {
            reader.read(key, "an integer", problems, Node::integer)
        };
        let least = bound("least", &mut reader, problems);
        let most = bound("most", &mut reader, problems);
        if is.is_empty() && is_not.is_empty() && least.is_none() && most.is_none() {
            problems.add(
                reader.line(),
                "`when` says what the number `equals`, is `not`, is at `least`, or is at `most`",
            );
        }
        reader.finish(problems);
        Some(Self {
            at,
            cut: cut?,
            is: is.into(),
            is_not: is_not.into(),
            least: least.unwrap_or(i64::MIN),
            most: most.unwrap_or(i64::MAX),
        })
    }
}

impl Cut {
    /// Of a number that is no point: `type`, left out `u8`, and `bits`.
    pub(in crate::profile) fn parse(
        reader: &mut Reader<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let name = reader.text("type", problems).unwrap_or("u8");
        let bits = bits(reader, problems);
        cut(name, bits, reader, problems)
    }

    /// Where such a number is.
    pub(in crate::profile) fn place(reader: &mut Reader<'_>, problems: &mut Problems) -> i32 {
        at(reader, problems)
    }
}
