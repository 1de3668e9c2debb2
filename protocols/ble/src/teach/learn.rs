//! A profile of what was taught, with the captures as its examples.

use std::{collections::BTreeMap, fmt::Write as _};

use fieldgate_kit::scanner::{LessonExample, Taught, TaughtPoint};

use super::{LONGEST_PACKET, MOST_EXAMPLES};
use crate::{
    Profile, Profiles,
    profile::{DataType, hex, hex_of},
    uuid_of,
};

/// Whose data the bytes are.
enum Part {
    Company(u16),
    Service(String),
}

/// Makes a profile of chosen proposals, and shows that it reads its own examples: its id, which is also the name of its file, and its text.
///
/// # Errors
/// When it is no valid profile: in words.
pub fn learn(taught: &Taught) -> Result<(String, String), String> {
    let first = taught
        .points
        .first()
        .ok_or("choose at least one proposal")?;
    if taught.points.len() > 64 {
        return Err("a profile that was taught has at most 64 points".to_owned());
    }
    if let Some(other) = taught
        .points
        .iter()
        .find(|point| point.proposal.part != first.proposal.part)
    {
        return Err(format!(
            "`{}` is in another part of the packet than `{}`; teach it as a profile of its own",
            other.id, first.id
        ));
    }
    let part = Part::of(&first.proposal.part)?;
    let packets = packets(&taught.points)?;
    let id = id_of(&taught.title)?;
    let mut toml = format!("title = {}\n", quoted(&taught.title));
    let _ = writeln!(toml, "match = {}", part.matching(&packets, &taught.points));
    toml.push_str("points = [\n");
    for point in &taught.points {
        let _ = writeln!(toml, "    {},", line(point));
    }
    toml.push_str("]\n");
    for (packet, reads) in &packets {
        let _ = write!(toml, "\n[[example]]\ndata = \"{}\"\n", hex(packet));
        let within = reads
            .iter()
            .map(|(_, value)| half_digit(*value))
            .fold(0.0, f64::max);
        let _ = writeln!(toml, "within = {}", number(within * 1.02));
        let reads: Vec<_> = reads
            .iter()
            .map(|(id, value)| format!("{id} = {}", number(*value)))
            .collect();
        let _ = writeln!(toml, "reads = {{ {} }}", reads.join(", "));
    }
    let profiles = Profiles::default().with(Profile::parse(&id, &toml)?);
    let wrong = profiles
        .all()
        .iter()
        .flat_map(|profile| profile.check(&profiles));
    let wrong: Vec<String> = wrong.collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    Ok((id, toml))
}

/// Each packet once, with all that was read at its moment.
type Packets = BTreeMap<Vec<u8>, Vec<(String, f64)>>;

fn packets(points: &[TaughtPoint]) -> Result<Packets, String> {
    let mut packets = Packets::new();
    for point in points {
        for LessonExample { part, hex, shown } in &point.examples {
            if *part != point.proposal.part {
                continue;
            }
            let bytes = hex_of(hex).ok_or("a packet is not of hexadecimal digits")?;
            if bytes.len() > LONGEST_PACKET {
                return Err(format!("a packet has more than {LONGEST_PACKET} bytes"));
            }
            if !shown.is_finite() {
                return Err("a number on the display is none".to_owned());
            }
            let reads = packets.entry(bytes).or_default();
            if reads.iter().all(|(id, _)| *id != point.id) {
                reads.push((point.id.clone(), *shown));
            }
        }
    }
    if packets.len() > MOST_EXAMPLES {
        return Err(format!(
            "{MOST_EXAMPLES} examples are enough; leave some out"
        ));
    }
    if packets.is_empty() {
        return Err("there are no examples".to_owned());
    }
    Ok(packets)
}

// === impl Part ===

impl Part {
    /// By its title, `manufacturer 0x0499 Ruuvi Innovations Ltd.`, `service data 0xFCD2 BTHome`.
    fn of(title: &str) -> Result<Self, String> {
        let no = || format!("`{}` is no part of a packet", title.escape_debug());
        let id = |rest: &str| rest.split(' ').next().unwrap_or_default().to_owned();
        if let Some(rest) = title.strip_prefix("manufacturer 0x") {
            let company = u16::from_str_radix(&id(rest), 16).map_err(|_| no())?;
            return Ok(Self::Company(company));
        }
        let uuid = title.strip_prefix("service data ").map(id).ok_or_else(no)?;
        uuid_of(&uuid)?;
        Ok(Self::Service(
            uuid.trim_start_matches("0x").to_ascii_lowercase(),
        ))
    }

    /// What recognises such devices: whose data it is, their length, and a first byte that is always the same and no value.
    fn matching(&self, packets: &Packets, points: &[TaughtPoint]) -> String {
        let mut text = match self {
            Self::Company(company) => format!("{{ manufacturer = 0x{company:04X}"),
            Self::Service(uuid) => format!("{{ service_data = \"{uuid}\""),
        };
        let mut firsts: Vec<_> = packets.keys().filter_map(|bytes| bytes.first()).collect();
        firsts.dedup();
        let is_value = points.iter().any(|point| point.proposal.at == 0);
        if let ([first], false) = (firsts.as_slice(), is_value) {
            let _ = write!(text, ", starts_with = \"{first:02x}\"");
        }
        let lengths = || packets.keys().map(Vec::len);
        let (fewest, most) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
        if fewest == most {
            let _ = write!(text, ", length = {most} }}");
        } else {
            let _ = write!(text, ", length = [{fewest}, {most}] }}");
        }
        text
    }
}

fn line(point: &TaughtPoint) -> String {
    let proposal = &point.proposal;
    let mut text = format!("{{ id = {}", quoted(&point.id));
    if let Some(unit) = &point.unit {
        let _ = write!(text, ", unit = {}", quoted(unit));
    }
    let data_type = DataType::parse(&proposal.data_type)
        .map_or_else(|| proposal.data_type.clone(), DataType::name);
    let _ = write!(
        text,
        ", at = {}, type = {}",
        proposal.at,
        quoted(&data_type)
    );
    if proposal.scale != 1.0 {
        let _ = write!(text, ", scale = {}", number(proposal.scale));
    }
    if proposal.offset != 0.0 {
        let _ = write!(text, ", offset = {}", number(proposal.offset));
    }
    text.push_str(" }");
    text
}

/// TOML and JSON write texts alike, but for one control character.
fn quoted(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    serde_json::Value::from(text).to_string()
}

/// TOML has no `1e-7` without a point that JSON would not have, and no number that is none.
fn number(number: f64) -> String {
    if number.is_finite() {
        format!("{number:?}")
    } else {
        "0".to_owned()
    }
}

/// Half of the last digit that was shown.
fn half_digit(value: f64) -> f64 {
    0.5 / super::digits(&[value])
}

/// Letters and digits of its title, with dashes between.
fn id_of(title: &str) -> Result<String, String> {
    let mut id = String::new();
    for character in title.chars().take(64) {
        if character.is_ascii_alphanumeric() {
            id.push(character.to_ascii_lowercase());
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_end_matches('-').to_owned();
    if id.is_empty() {
        return Err("give such devices a title with letters".to_owned());
    }
    Ok(format!("taught-{id}"))
}
