//! The device's clock beside ours: read without signing in, its difference measured, times of the device made times of ours.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fieldgate_model::Timestamp;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use crate::xml::Element;

/// What a device said about the time, and how far that is from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The device's time in UTC, when it was asked.
    pub device: Timestamp,
    /// What has to be added to our time to get the device's, in milliseconds.
    pub drift_millis: i64,
    /// It says that it takes its time from NTP.
    pub by_ntp: bool,
}

/// Our time.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

// === impl Clock ===

impl Clock {
    /// From a time that was read somewhere between `asked` and `answered`.
    #[must_use]
    pub fn measured(device: Timestamp, asked: Timestamp, answered: Timestamp) -> Self {
        let middle = asked.nanos() / 2 + answered.nanos() / 2;
        Self {
            device,
            drift_millis: device.nanos().saturating_sub(middle) / 1_000_000,
            by_ntp: false,
        }
    }

    /// The device's time now.
    #[must_use]
    pub fn device_now(&self) -> Timestamp {
        shifted(now(), self.drift_millis)
    }

    /// A time of the device as ours.
    #[must_use]
    pub fn ours(&self, device: Timestamp) -> Timestamp {
        shifted(device, self.drift_millis.saturating_neg())
    }
}

pub(crate) fn shifted(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_nanos(at.nanos().saturating_add(millis.saturating_mul(1_000_000)))
}

/// `t` of `GetSystemDateAndTimeResponse`: `SystemDateAndTime/UTCDateTime`, or the local time with what is known of its zone.
pub(crate) fn read_date_and_time(response: &Element) -> Option<(Timestamp, bool)> {
    let all = response.child("SystemDateAndTime")?;
    let by_ntp = all
        .word(&["DateTimeType"])
        .is_some_and(|kind| kind.eq_ignore_ascii_case("ntp"));
    // UTCDateTime is optional in the schema; a device without it says its local time, which is UTC where no zone is set.
    let parts = all
        .child("UTCDateTime")
        .or_else(|| all.child("LocalDateTime"))?;
    let part = |path: &[&str]| parts.number::<i32>(path);
    let date = Date::from_calendar_date(
        part(&["Date", "Year"])?,
        Month::try_from(u8::try_from(part(&["Date", "Month"])?).ok()?).ok()?,
        u8::try_from(part(&["Date", "Day"])?).ok()?,
    )
    .ok()?;
    let time = Time::from_hms(
        u8::try_from(part(&["Time", "Hour"])?).ok()?,
        u8::try_from(part(&["Time", "Minute"])?).ok()?,
        // 60 is a leap second.
        u8::try_from(part(&["Time", "Second"])?).ok()?.min(59),
    )
    .ok()?;
    Some((timestamp(date.with_time(time).assume_utc())?, by_ntp))
}

/// Reads `xs:dateTime`, also as devices write it: without a zone (it is UTC then), and without leading zeros.
#[must_use]
pub fn read_date_time(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-');
    let year: i32 = date.next()?.parse().ok()?;
    let month: u8 = date.next()?.parse().ok()?;
    let day: u8 = date.next()?.parse().ok()?;
    let (time, offset) = zone(time)?;
    let mut time = time.splitn(3, ':');
    let hour: u8 = time.next()?.parse().ok()?;
    let minute: u8 = time.next()?.parse().ok()?;
    let (second, nanos) = seconds(time.next()?)?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms_nano(hour, minute, second.min(59), nanos).ok()?;
    timestamp(date.with_time(time).assume_offset(offset))
}

/// Reads an IMF-fixdate of HTTP's `Date` (RFC 9110 section 5.6.7), for instance `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn read_http_date(text: &str) -> Option<Timestamp> {
    let mut words = text.split_once(", ")?.1.split_ascii_whitespace();
    let day: u8 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    .iter()
    .zip(1..)
    .find_map(|(name, number)| (*name == month).then_some(number))?;
    let year: i32 = words.next()?.parse().ok()?;
    let mut time = words.next()?.splitn(3, ':');
    let hour: u8 = time.next()?.parse().ok()?;
    let minute: u8 = time.next()?.parse().ok()?;
    let second: u8 = time.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms(hour, minute, second.min(59)).ok()?;
    timestamp(date.with_time(time).assume_utc())
}

/// `xs:dateTime` in whole seconds, which every device reads.
pub(crate) fn write_date_time(at: Timestamp) -> String {
    let whole = Timestamp::from_nanos(
        at.nanos()
            .div_euclid(1_000_000_000)
            .saturating_mul(1_000_000_000),
    );
    whole.to_string().replace(".000Z", "Z")
}

/// `xs:duration` in whole seconds.
pub(crate) fn write_duration(span: Duration) -> String {
    format!("PT{}S", span.as_secs().max(1))
}

fn timestamp(at: OffsetDateTime) -> Option<Timestamp> {
    i64::try_from(at.unix_timestamp_nanos())
        .ok()
        .map(Timestamp::from_nanos)
}

fn zone(time: &str) -> Option<(&str, UtcOffset)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, UtcOffset::UTC));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, UtcOffset::UTC));
    };
    let (time, zone) = time.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let hours: i8 = hours
        .parse()
        .ok()
        .filter(|hours| (0..=14).contains(hours))?;
    let minutes: i8 = minutes
        .parse()
        .ok()
        .filter(|minutes| (0..60).contains(minutes))?;
    Some((
        time,
        UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?,
    ))
}

fn seconds(text: &str) -> Option<(u8, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut nanos = 0;
    let mut weight = 100_000_000;
    for digit in fraction.chars() {
        nanos += digit.to_digit(10)? * weight;
        weight /= 10;
    }
    Some((whole.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let read = read_date_time(text).map(|at| at.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_read_as_devices_write_them() {
        check("2026-11-29T18:30:00Z", Some("2026-11-29T18:30:00.000Z"));
        check(
            " 2026-11-29T18:30:00.25Z ",
            Some("2026-11-29T18:30:00.250Z"),
        );
        check("2026-11-29T18:30:00", Some("2026-11-29T18:30:00.000Z"));
        check("2026-1-9T8:3:0Z", Some("2026-01-09T08:03:00.000Z"));
        check(
            "2026-11-29T18:30:00+02:00",
            Some("2026-11-29T16:30:00.000Z"),
        );
        check(
            "2026-11-29T18:30:00-05:30",
            Some("2026-11-30T00:00:00.000Z"),
        );
        check("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59.000Z"));
        check("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00.000Z"));
        for wrong in [
            "",
            "T",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-11-29T25:00:00Z",
            "9999-12-31T00:00:00Z",
            "2026-11-29T18:30:00+99:00",
            "2026-11-29T18:30",
            "2026-11-29T18:30:00.xZ",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_header_of_http_tells_the_time_too() {
        let at = read_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            at.map(|at| at.to_string()).as_deref(),
            Some("1994-11-06T08:49:37.000Z")
        );
        assert_eq!(read_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), None);
        assert_eq!(read_http_date(""), None);
    }

    #[test]
    fn drift_is_counted_from_the_middle_of_the_question() {
        let at = Timestamp::from_millis;
        let clock = Clock::measured(at(1_000_000), at(10_000), at(10_400));
        assert_eq!(clock.drift_millis, 989_800);
        assert_eq!(clock.ours(at(1_000_000)), at(10_200));
        let far = Clock::measured(Timestamp::from_nanos(i64::MIN), at(1), at(2));
        let _no_overflow = far.ours(Timestamp::from_nanos(i64::MAX));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at = Timestamp::from_millis(1_700_000_000_999);
        assert_eq!(write_date_time(at), "2023-11-14T22:13:20Z");
        assert_eq!(write_duration(Duration::from_millis(300_500)), "PT300S");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}") {
            let _ = read_date_time(&text);
            let _ = read_http_date(&text);
        }
    }
}
