//! Captures: what was heard, as JSON lines, so that somebody else can hear it again.
//!
//! ```json
//! {"at":"2026-11-29T12:00:00.250Z","adapter":"hci0","address":"C0:DE:00:00:00:03","random":true,"rssi":-61,"manufacturer":{"0499":"0512fc…"}}
//! ```

use std::collections::BTreeMap;

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Address, Advertisement, radio::Heard};

/// The longest line that is read; the longest extended advertisement has 1,650 bytes (Core 5.4, Vol 6 Part B, 2.3.4.9).
const LONGEST_LINE: usize = 64 * 1024;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: Timestamp,
    #[serde(default)]
    adapter: String,
    address: String,
    #[serde(default)]
    random: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rssi: Option<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tx_power: Option<i16>,
    /// By the company identifier in hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    manufacturer: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    service_data: BTreeMap<Uuid, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connectable: Option<bool>,
}

/// One packet as a line, without its end.
#[must_use]
pub fn to_line(heard: &Heard) -> String {
    let advertisement = &heard.advertisement;
    let line = Line {
        at: heard.at,
        adapter: heard.adapter.to_string(),
        address: advertisement.address.to_string(),
        random: advertisement.random,
        name: advertisement.name.clone(),
        rssi: advertisement.rssi,
        tx_power: advertisement.tx_power,
        manufacturer: advertisement
            .manufacturer
            .iter()
            .map(|(company, data)| (format!("{company:04x}"), to_hex(data)))
            .collect(),
        service_data: advertisement
            .service_data
            .iter()
            .map(|(service, data)| (*service, to_hex(data)))
            .collect(),
        services: advertisement.services.clone(),
        connectable: advertisement.connectable,
    };
    serde_json::to_string(&line).expect("texts, numbers and maps of texts are JSON")
}

/// Reads a capture; empty lines are passed over.
///
/// # Errors
/// In words, with the number of the first line that is none.
pub fn from_lines(text: &str) -> Result<Vec<Heard>, String> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            from_line(line).map_err(|why| format!("line {} of the capture: {why}", index + 1))
        })
        .collect()
}

fn from_line(line: &str) -> Result<Heard, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!(
            "{} characters are more than a packet has; is it a capture?",
            line.len()
        ));
    }
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let address: Address = line.address.parse().map_err(|no| format!("{no}"))?;
    let mut advertisement = Advertisement::new(address, line.random);
    advertisement.name = line.name;
    advertisement.rssi = line.rssi;
    advertisement.tx_power = line.tx_power;
    advertisement.services = line.services;
    advertisement.connectable = line.connectable;
    for (company, data) in line.manufacturer {
        let number = u16::from_str_radix(&company, 16)
            .map_err(|_| format!("`{}` is no company identifier", company.escape_debug()))?;
        advertisement.manufacturer.push((number, of_hex(&data)?));
    }
    for (service, data) in line.service_data {
        advertisement.service_data.push((service, of_hex(&data)?));
    }
    Ok(Heard {
        adapter: line.adapter.into(),
        at: line.at,
        advertisement,
    })
}

/// Lower case, without separators.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _never_fails = write!(text, "{byte:02x}");
    }
    text
}

/// Reads hexadecimal digits, with or without separators.
///
/// # Errors
/// In words, when there is anything else, or half a byte.
pub fn of_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::with_capacity(text.len());
    for character in text.chars() {
        match character.to_digit(16) {
            Some(digit) => digits.push(u8::try_from(digit).expect("one hexadecimal digit")),
            None if matches!(character, ' ' | ':' | '-') => {}
            None => return Err(format!("{character:?} is no hexadecimal digit")),
        }
    }
    if digits.len() % 2 != 0 {
        return Err(format!(
            "{} hexadecimal digits: the last byte has only one",
            digits.len()
        ));
    }
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uuid16;

    fn packet() -> Heard {
        let mut advertisement = Advertisement::new(Address([0xC0, 0xDE, 0, 0, 0, 3]), true);
        advertisement.name = Some("Ruuvi \"3\"\u{202e}".to_owned());
        advertisement.rssi = Some(-61);
        advertisement.manufacturer = vec![(0x0499, vec![5, 0x12, 0xFC])];
        advertisement.service_data = vec![(uuid16(0xFCD2), vec![0x40])];
        advertisement.services = vec![uuid16(0x180F)];
        advertisement.connectable = Some(false);
        Heard {
            adapter: "hci0".into(),
            at: Timestamp::from_millis(1_796_000_000_250),
            advertisement,
        }
    }

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        let heard = packet();
        let line = to_line(&heard);
        assert!(!line.contains('\n'));
        assert_eq!(
            from_lines(&format!("{line}\n\n{line}\n")),
            Ok(vec![heard.clone(), heard])
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let good = to_line(&packet());
        for (bad, words) in [
            ("{}", "missing field"),
            (
                "{\"at\":\"2026-11-29T12:00:00Z\",\"address\":\"fridge\"}",
                "no Bluetooth address",
            ),
            (
                "{\"at\":\"2026-11-29T12:00:00Z\",\"address\":\"C0:DE:00:00:00:03\",\"manufacturer\":{\"0499\":\"051\"}}",
                "only one",
            ),
            ("surprise", "expected"),
        ] {
            let why = from_lines(&format!("{good}\n{bad}")).unwrap_err();
            assert!(why.starts_with("line 2 of the capture: "), "{why}");
            assert!(why.contains(words), "{why}");
        }
    }
}
