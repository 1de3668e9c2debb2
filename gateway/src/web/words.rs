//! Numbers, times and units as people read them, and the sentence about a unit.

use fieldgate_api::state::{Level, Status};
use fieldgate_model::Timestamp;

/// `1 reading`, `12,345 readings`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `12,345`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MiB`
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub fn bytes(number: u64) -> String {
    let mut size = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            let decimals = usize::from(size < 10.0 && unit != "B");
            return format!("{size:.decimals$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// `13 min`
pub fn span(seconds: f64) -> String {
    match seconds {
        ..=90.0 => format!("{:.0} s", seconds.ceil()),
        ..=5400.0 => format!("{:.0} min", seconds / 60.0),
        ..=172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} d", seconds / 86_400.0),
    }
}

/// `09:12 UTC`, with the date when it was not within the last day.
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    const DAY_MS: i64 = 86_400_000;
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.get(..5).unwrap_or(time);
    match (now.millis() - at.millis()).abs() < DAY_MS {
        true => format!("{time} UTC"),
        false => format!("{date} {time} UTC"),
    }
}

/// `just now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 days ago`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.millis() - at.millis()) / 1000;
    match seconds {
        ..2 => "just now".into(),
        2..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// How a unit is: what the board says, unless it is paused or was not started yet.
pub fn unit_status(paused: bool, posted: Option<Status>) -> Status {
    match posted {
        _ if paused => Status {
            state: "paused".into(),
            words: "paused in the configuration".into(),
            ..Status::default()
        },
        Some(status) => status,
        None => Status {
            state: "starting".into(),
            words: "about to start".into(),
            ..Status::default()
        },
    }
}

/// What is wrong with a unit, as the middle of a sentence: `is unreachable since 09:12 UTC: connection refused`.
pub fn wrong(status: &Status, now: Timestamp) -> String {
    let state = match status.state.as_str() {
        "refused" => "refuses the gateway",
        "stopped" => "is stopped until its settings change",
        _ => "is unreachable",
    };
    let since = status
        .since
        .map(|at| format!(" since {}", clock(at, now)))
        .unwrap_or_default();
    format!("{state}{since}: {}", status.words)
}

/// The text with a capital letter at its start.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// True when a person should look at it.
pub fn is_wrong(status: &Status) -> bool {
    status.level >= Level::Warning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        for (number, expected) in [
            (0, "0 readings"),
            (1, "1 reading"),
            (999, "999 readings"),
            (12_345, "12,345 readings"),
            (1_234_567, "1,234,567 readings"),
        ] {
            assert_eq!(count(number, "reading"), expected);
        }
        for (number, expected) in [
            (0, "0 B"),
            (1536, "1.5 KiB"),
            (64 << 20, "64 MiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn times_are_as_exact_as_they_are_useful() {
        let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        for (at, expected, passed) in [
            ("2026-11-23T11:59:59.500Z", "11:59 UTC", "just now"),
            ("2026-11-23T11:59:00Z", "11:59 UTC", "60 s ago"),
            ("2026-11-23T11:00:00Z", "11:00 UTC", "60 min ago"),
            ("2026-11-23T09:12:00Z", "09:12 UTC", "2 h ago"),
            ("2026-11-20T09:12:00Z", "2026-11-20 09:12 UTC", "3 days ago"),
        ] {
            let at = Timestamp::parse(at).unwrap();
            assert_eq!(
                (clock(at, now).as_str(), ago(at, now).as_str()),
                (expected, passed)
            );
        }
    }

    #[test]
    fn a_paused_unit_is_paused_whatever_the_board_says() {
        let posted = Status {
            level: Level::Bad,
            state: "refused".into(),
            ..Status::default()
        };
        assert_eq!(unit_status(true, Some(posted.clone())).state, "paused");
        assert_eq!(unit_status(false, Some(posted)).state, "refused");
        assert_eq!(unit_status(false, None).state, "starting");
    }
}
