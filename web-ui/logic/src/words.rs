//! How numbers, sizes, spans of time, ages and units read.

/// `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 point`, `3 points`.
#[must_use]
pub fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// Readings a second: `0`, `0.4`, `12.5`, `1,230`, with `/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.005 {
        return "0/s".to_owned();
    }
    if per_second < 1.0 {
        return format!("{per_second:.2}/s");
    }
    if per_second < 100.0 {
        return format!("{per_second:.1}/s");
    }
    format!("{}/s", count(per_second.round() as u64))
}

/// `0 B`, `2.0 GiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A span of time in its two largest units: `350 ms`, `12 s`, `2 min 5 s`, `3 h 20 min`, `4 d 1 h`.
#[must_use]
pub fn span(millis: i64) -> String {
    let millis = millis.max(0);
    if millis < 1000 {
        return format!("{millis} ms");
    }
    let seconds = millis / 1000;
    let two = |large: i64, name: &str, small: i64, other: &str| {
        if small == 0 {
            format!("{large} {name}")
        } else {
            format!("{large} {name} {small} {other}")
        }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// How long ago: `now`, `4 s ago`.
#[must_use]
pub fn age(millis: i64) -> String {
    if millis < 1500 {
        "now".to_owned()
    } else {
        format!("{} ago", span(millis / 1000 * 1000))
    }
}

/// How fresh a device is: words first, then the age. Many send only what changes, so that silence alone is no fault.
#[must_use]
pub fn freshness(last_seen_ms: Option<i64>, now_ms: i64) -> String {
    match last_seen_ms {
        None => "never heard of".to_owned(),
        Some(seen) if now_ms - seen < 10_000 => "fresh".to_owned(),
        Some(seen) => format!("quiet, last {}", age(now_ms - seen)),
    }
}

/// When a backlog is gone, in words.
#[must_use]
pub fn drain(pending: u64, seconds: Option<f64>) -> String {
    match seconds {
        _ if pending == 0 => "empty".to_owned(),
        Some(seconds) if seconds.is_finite() && seconds < 1.0 => {
            "caught up within a second".to_owned()
        }
        Some(seconds) if seconds.is_finite() => {
            format!("caught up in about {}", span((seconds * 1000.0) as i64))
        }
        _ => "not catching up".to_owned(),
    }
}

/// A number of milliseconds as it was measured: `0.4 ms`, `12 ms`, `1.2 s`.
#[must_use]
pub fn took(millis: f64) -> String {
    match millis {
        m if m < 10.0 => format!("{m:.1} ms"),
        m if m < 1000.0 => format!("{m:.0} ms"),
        m => format!("{:.1} s", m / 1000.0),
    }
}

/// A UCUM code as people write it.
#[must_use]
pub fn unit(ucum: &str) -> &str {
    match ucum {
        "Cel" => "°C",
        "[degF]" => "°F",
        "deg" => "°",
        "Ohm" => "Ω",
        "m2" => "m²",
        "m3" => "m³",
        "m/s2" => "m/s²",
        "m3/h" => "m³/h",
        "ug/m3" => "µg/m³",
        "1" => "",
        other => other,
    }
}

/// What is usual: `-40 to 150 °C`.
#[must_use]
pub fn range(low: f64, high: f64, ucum: Option<&str>) -> String {
    match ucum.map(unit).filter(|unit| !unit.is_empty()) {
        Some(unit) => format!("{low} to {high} {unit}"),
        None => format!("{low} to {high}"),
    }
}

/// A number at a chart: at most four digits that matter.
#[must_use]
pub fn short(number: f64) -> String {
    let size = number.abs();
    match size {
        s if s >= 1e6 || (s < 1e-3 && s > 0.0) => format!("{number:.2e}"),
        s if s >= 100.0 => format!("{number:.0}"),
        s if s >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// A key as a label: `sampling_ms` → `Sampling (ms)`, `url` → `URL`.
#[must_use]
pub fn label(key: &str) -> String {
    let (stem, unit) = [("_ms", " (ms)"), ("_s", " (s)"), ("_percent", " (%)")]
        .into_iter()
        .find_map(|(end, unit)| key.strip_suffix(end).map(|stem| (stem, unit)))
        .unwrap_or((key, ""));
    let words: Vec<String> = stem
        .split('_')
        .enumerate()
        .map(|(index, word)| match word {
            "url" | "id" | "qos" | "tls" | "ca" | "ip" | "uri" => word.to_uppercase(),
            _ if index == 0 => capital(word),
            _ => word.to_owned(),
        })
        .collect();
    format!("{}{unit}", words.join(" "))
}

/// Words with a full stop, so that another sentence can follow.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = plain(text);
    match text.ends_with(['.', '?', '!', ':']) {
        true => text,
        false => text + ".",
    }
}

/// The first letter large.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// Text of a device with control and bidirectional characters made visible, so that it cannot play tricks.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '␊',
            '\r' => '␍',
            '\t' => '␉',
            '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{61c}' => '�',
            c if c.is_control() => '�',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "point"), "1 point");
        assert_eq!(
            [rate(0.0), rate(0.25), rate(12.34), rate(1234.4)],
            ["0/s", "0.25/s", "12.3/s", "1,234/s"]
        );
        assert_eq!(
            [bytes(1023), bytes(2 << 30), bytes(1_048_575)],
            ["1023 B", "2.0 GiB", "1.0 MiB"]
        );
        assert_eq!(
            [short(12.345), short(1234.5), short(0.5), short(0.0)],
            ["12.35", "1234", "0.500", "0.000"]
        );
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (millis, expected) in [
            (350, "350 ms"),
            (12_400, "12 s"),
            (125_000, "2 min 5 s"),
            (3_600_000, "1 h"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(span(millis), expected);
        }
        assert_eq!([age(900), age(4_700)], ["now", "4 s ago"]);
    }

    #[test]
    fn freshness_and_drain_are_words() {
        assert_eq!(freshness(None, 0), "never heard of");
        assert_eq!(freshness(Some(0), 5_000), "fresh");
        assert_eq!(freshness(Some(0), 60_000), "quiet, last 1 min ago");
        assert_eq!(drain(0, None), "empty");
        assert_eq!(drain(5, Some(65.0)), "caught up in about 1 min 5 s");
        assert_eq!(drain(5, None), "not catching up");
    }

    #[test]
    fn labels_and_device_text() {
        assert_eq!(label("sampling_ms"), "Sampling (ms)");
        assert_eq!(label("client_id"), "Client ID");
        assert_eq!([sentence("well"), sentence("is it?")], ["well.", "is it?"]);
        assert_eq!(plain("a\r\nb\u{202e}c"), "a␍␊b�c");
    }
}
