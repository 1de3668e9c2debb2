//! Our decoders of Bluetooth advertisements read what the PyPI packages of the same formats read, packet by packet, field by field.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
};

use fieldgate_ble::{Advertisement, Decoded, Field, Key, Memory, Profiles, uuid_of};
use fieldgate_model::Value;
use serde::Deserialize;

/// Of each family, beside the real ones.
const GENERATED: usize = 400;
const LEAST: usize = 2_000;
const LEAST_OF_A_FAMILY: usize = 100;

/// One line of `tests/peers/ble_oracle.py`.
#[derive(Debug, Deserialize)]
struct Line {
    family: String,
    source: String,
    packet: Packet,
    /// Name, value and unit, in our words.
    expected: Vec<(String, serde_json::Value, Option<String>)>,
    /// Fields that only one of the two tells, for a reason that stands there.
    free: Vec<String>,
    /// How far numbers may be off, by their names, since one of the two rounds them.
    within: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
struct Packet {
    address: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    manufacturer: Vec<(u16, String)>,
    #[serde(default)]
    service_data: Vec<(String, String)>,
    #[serde(default)]
    services: Vec<String>,
    key: Option<String>,
}

#[test]
fn packages_of_the_same_formats_agree() {
    let seed = env::var("FIELDGATE_SEED")
        .map_or_else(|_| fastrand::u64(..1_000_000), |seed| seed.parse().unwrap());
    let lines = oracle(seed);
    let profiles = Profiles::bundled();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in &lines {
        *counts.entry(&line.family).or_default() += 1;
        if let Err(why) = agrees(&profiles, line) {
            wrong.push(format!(
                "{} ({}): {why}\n    {:?}",
                line.family, line.source, line.packet
            ));
        }
    }
    let first = wrong
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        wrong.is_empty(),
        "FIELDGATE_SEED={seed}: {} of {} packets are read differently, {counts:?}:\n{first}",
        wrong.len(),
        lines.len(),
    );
    assert!(lines.len() >= LEAST, "{counts:?}");
    assert!(
        counts.values().all(|count| *count >= LEAST_OF_A_FAMILY),
        "{counts:?}"
    );
    assert_eq!(counts.len(), 11, "{counts:?}");
}

/// Runs the packages on packets made from this seed, and on real ones.
fn oracle(seed: u64) -> Vec<Line> {
    let python = PathBuf::from(
        env::var_os("FIELDGATE_VENV").expect("FIELDGATE_VENV: run `cargo xtask test`"),
    )
    .join("bin/python");
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let output = Command::new(python)
        .arg(peers.join("ble_oracle.py"))
        .args([seed.to_string(), GENERATED.to_string()])
        .arg(peers.join("ble_packets.jsonl"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "FIELDGATE_SEED={seed}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn agrees(profiles: &Profiles, line: &Line) -> Result<(), String> {
    let advertisement = heard(&line.packet);
    let profile = match profiles.find(&advertisement) {
        Some(profile) => profile,
        // What is no such device to the package is none to ours.
        None if line.expected.is_empty() => return Ok(()),
        None => return Err("no profile finds it".to_owned()),
    };
    let key = line
        .packet
        .key
        .as_deref()
        .map(|key| Key::parse(key).unwrap());
    let fields = match profile.decode(&advertisement, key.as_ref(), &mut Memory::default()) {
        Decoded::Fields { fields, .. } => fields,
        // What is damaged or nothing to the package is told by ours.
        Decoded::Unfit(_) if line.expected.is_empty() => return Ok(()),
        other => {
            return Err(format!(
                "`{}` makes {other:?} of it, not {:?}",
                profile.id(),
                line.expected
            ));
        }
    };
    // Of two alike, the second has a number.
    let bare = |id: &str| {
        id.trim_end_matches(|last: char| last.is_ascii_digit() || last == '_')
            .to_owned()
    };
    let is_free = |id: &str| line.free.iter().any(|free| free == id || *free == bare(id));
    for (id, value, unit) in &line.expected {
        match fields.iter().find(|field| *field.id == **id) {
            Some(_) if is_free(id) && !value.is_number() => {}
            Some(field) => {
                let within = line.within.get(id).or_else(|| line.within.get(&bare(id)));
                same(
                    field,
                    value,
                    unit.as_deref(),
                    within.copied().unwrap_or_default(),
                )?;
            }
            None if is_free(id) => {}
            None => {
                return Err(format!(
                    "no `{id}`, which is {value}; `{}` has {}",
                    profile.id(),
                    names(&fields)
                ));
            }
        }
    }
    let known = |field: &Field| line.expected.iter().any(|(id, ..)| *id == *field.id);
    match fields
        .iter()
        .find(|field| !known(field) && !is_free(&field.id))
    {
        Some(field) => Err(format!(
            "`{}` is {:?}, which the package does not tell",
            field.id, field.value
        )),
        None => Ok(()),
    }
}

fn names(fields: &[Field]) -> String {
    let names: Vec<_> = fields.iter().map(|field| &*field.id).collect();
    names.join(", ")
}

fn same(
    field: &Field,
    value: &serde_json::Value,
    unit: Option<&str>,
    within: f64,
) -> Result<(), String> {
    let differs = || {
        Err(format!(
            "`{}` is {:?} {:?}, not {value} {unit:?}",
            field.id, field.value, field.unit
        ))
    };
    if field.unit.as_deref() != unit {
        return differs();
    }
    if is(&field.value, value, within) {
        Ok(())
    } else {
        differs()
    }
}

fn is(ours: &Value, theirs: &serde_json::Value, within: f64) -> bool {
    match (ours, theirs) {
        (Value::Bool(ours), theirs) => theirs.as_bool() == Some(*ours),
        (Value::Text(ours), theirs) => theirs.as_str() == Some(ours),
        (Value::Bytes(ours), theirs) => {
            let hex: String = ours.iter().map(|byte| format!("{byte:02x}")).collect();
            theirs.as_str() == Some(&hex)
        }
        (Value::Struct(parts), serde_json::Value::Array(theirs)) => {
            parts.len() == theirs.len()
                && parts
                    .iter()
                    .zip(theirs)
                    .all(|((_, ours), theirs)| is(ours, theirs, within))
        }
        (ours, theirs) => match (ours.as_f64(), theirs.as_f64()) {
            (Some(ours), Some(theirs)) => {
                // The last bits of floats differ by the order in which they were computed.
                (ours - theirs).abs() <= within + theirs.abs() * 1e-9 + 1e-9
            }
            _ => false,
        },
    }
}

fn heard(packet: &Packet) -> Advertisement {
    let mut advertisement = Advertisement::new(packet.address.parse().unwrap(), false);
    advertisement.name.clone_from(&packet.name);
    advertisement.name.take_if(|name| name.is_empty());
    advertisement.manufacturer = packet
        .manufacturer
        .iter()
        .map(|(company, data)| (*company, hex(data)))
        .collect();
    advertisement.service_data = packet
        .service_data
        .iter()
        .map(|(uuid, data)| (uuid_of(uuid).unwrap(), hex(data)))
        .collect();
    advertisement.services = packet
        .services
        .iter()
        .map(|uuid| uuid_of(uuid).unwrap())
        .collect();
    advertisement
}

fn hex(text: &str) -> Vec<u8> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(digits).collect()
}
