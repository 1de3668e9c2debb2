//! How what a radio hears reads: signal, values, locks, adapters.

use fieldgate_api::scanner::{AdapterWord, FieldView, HeardView, SealWord};
use fieldgate_api::state::Level;

use crate::words;

/// Values of a device that are shown in a list.
const SHOWN: usize = 4;

/// How strong a signal is, from 0 to 4 bars.
#[must_use]
pub fn bars(rssi: f64) -> u8 {
    match rssi {
        r if r >= -55.0 => 4,
        r if r >= -67.0 => 3,
        r if r >= -80.0 => 2,
        r if r >= -90.0 => 1,
        _ => 0,
    }
}

/// `-67 dBm`, with a real minus.
#[must_use]
pub fn dbm(rssi: f64) -> String {
    format!("{rssi:.0} dBm").replace('-', "−")
}

/// How far away it seems.
#[must_use]
pub fn distance(metres: f64) -> String {
    match metres {
        m if m < 1.0 => "within a metre".to_owned(),
        m if m < 10.0 => format!("about {m:.0} m"),
        m => format!("about {:.0} m", (m / 5.0).round() * 5.0),
    }
}

/// `21.4 °C`.
#[must_use]
pub fn value(field: &FieldView) -> String {
    let text = words::plain(&field.text);
    match field.unit.as_deref().map(words::unit) {
        Some(unit) if !unit.is_empty() => format!("{text} {unit}"),
        _ => text,
    }
}

/// What a value is called, in a few letters.
#[must_use]
pub fn label(field: &FieldView) -> String {
    words::plain(&field.id).replace('_', " ")
}

/// The first values of a device, and how many there are besides.
#[must_use]
pub fn first(fields: &[FieldView]) -> (&[FieldView], usize) {
    let shown = fields.len().min(SHOWN);
    (&fields[..shown], fields.len() - shown)
}

/// All values in a line, to be searched and exported.
#[must_use]
pub fn line(fields: &[FieldView]) -> String {
    let each = fields
        .iter()
        .map(|field| format!("{} {}", label(field), value(field)));
    each.collect::<Vec<_>>().join(", ")
}

/// What an advertiser is called: as it calls itself, else its profile's or maker's name, else its address.
#[must_use]
pub fn title(heard: &HeardView) -> String {
    let own = heard.name.as_deref().filter(|name| !name.trim().is_empty());
    let profile = heard.profile.as_ref().map(|profile| profile.title.as_str());
    let vendor = heard.vendor.as_deref();
    words::plain(own.or(profile).or(vendor).unwrap_or(&heard.address))
}

/// Whether it can be read, in words; none where nothing is locked.
#[must_use]
pub fn lock(seal: SealWord) -> Option<(Level, &'static str)> {
    Some(match seal {
        SealWord::Open => return None,
        SealWord::NeedsKey => (Level::Warning, "needs its key"),
        SealWord::WrongKey => (Level::Bad, "its key does not fit"),
        SealWord::Opened => (Level::Good, "its key fits"),
    })
}

/// How an adapter is.
#[must_use]
pub fn adapter(state: AdapterWord) -> (Level, &'static str) {
    match state {
        AdapterWord::Missing => (Level::Bad, "no Bluetooth adapter"),
        AdapterWord::NoDaemon => (Level::Bad, "Bluetooth is not running"),
        AdapterWord::NoPermission => (Level::Bad, "no permission"),
        AdapterWord::Blocked => (Level::Bad, "blocked"),
        AdapterWord::Off => (Level::Warning, "switched off"),
        AdapterWord::Starting => (Level::Idle, "starting"),
        AdapterWord::Listening => (Level::Good, "listening"),
        AdapterWord::Deaf => (Level::Bad, "scanning, nothing heard"),
        AdapterWord::Recovering => (Level::Warning, "being brought back"),
        AdapterWord::Standby => (Level::Idle, "standing by"),
    }
}

/// Hexadecimal digits in pairs, as people compare them.
#[must_use]
pub fn pairs(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(id: &str, text: &str, unit: Option<&str>) -> FieldView {
        FieldView {
            id: id.into(),
            text: text.into(),
            value: json!(null),
            unit: unit.map(str::to_owned),
            event: false,
        }
    }

    #[test]
    fn signals_read_as_bars_and_words() {
        for (rssi, expected) in [(-40.0, 4), (-60.0, 3), (-79.9, 2), (-85.0, 1), (-99.0, 0)] {
            assert_eq!(bars(rssi), expected, "{rssi}");
        }
        assert_eq!(dbm(-66.6), "−67 dBm");
        assert_eq!(
            [distance(0.3), distance(3.2), distance(17.0)],
            ["within a metre", "about 3 m", "about 15 m"]
        );
    }

    #[test]
    fn values_read_with_their_units() {
        let fields = [
            field("temperature", "21.4", Some("Cel")),
            field("battery_voltage", "2.9", Some("V")),
            field("button", "press\u{202e}", None),
        ];
        assert_eq!(
            line(&fields),
            "temperature 21.4 °C, battery voltage 2.9 V, button press�"
        );
        let many = vec![field("a", "1", None); 6];
        assert_eq!((first(&many).0.len(), first(&many).1), (4, 2));
        assert_eq!(first(&fields).1, 0);
    }

    #[test]
    fn bytes_read_in_pairs() {
        assert_eq!(pairs("0512fc5394"), "05 12 fc 53 94");
        assert_eq!(pairs(""), "");
    }
}
