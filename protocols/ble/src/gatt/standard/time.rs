//! Dates and times of day as characteristics have them. Pure.
//!
//! They are what the device's own clock shows, without a time zone: text, and no timestamp of the gateway's.

/// Date Time (GATT Specification Supplement 3.71): `2026-11-29T08:15:00`; without its date where that is not known.
pub(super) fn date_time(bytes: &[u8], id: &str) -> Result<Option<String>, String> {
    let [low, high, month, day, hours, minutes, seconds] = *bytes else {
        return Ok(None);
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return Err(format!(
            "`{id}` has the time of day {hours:02}:{minutes:02}:{seconds:02}, which is none"
        ));
    }
    let date = date(&[low, high, month, day], id)?;
    Ok(date.map(|date| format!("{date}T{hours:02}:{minutes:02}:{seconds:02}")))
}

/// Year, month, day; none where one of them is not known.
pub(super) fn date(bytes: &[u8], id: &str) -> Result<Option<String>, String> {
    let [low, high, month, day] = *bytes else {
        return Ok(None);
    };
    let year = u16::from_le_bytes([low, high]);
    if year == 0 || month == 0 || day == 0 {
        return Ok(None);
    }
    if !(1582..=9999).contains(&year) || month > 12 || day > 31 {
        return Err(format!(
            "`{id}` has the date {year:04}-{month:02}-{day:02}, which is none"
        ));
    }
    Ok(Some(format!("{year:04}-{month:02}-{day:02}")))
}

/// Date UTC: days since 1970; none for 0, which is not known. By Hinnant's `civil_from_days`.
pub(super) fn days(days: u32) -> Option<String> {
    if days == 0 {
        return None;
    }
    let days = i64::from(days) + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_devices_own() {
        let at = |bytes: [u8; 7]| date_time(&bytes, "time");
        let text = "2026-11-29T08:15:00".to_owned();
        assert_eq!(at([0xEA, 0x07, 11, 29, 8, 15, 0]), Ok(Some(text)));
        assert_eq!(at([0, 0, 11, 29, 8, 15, 0]), Ok(None));
        assert!(at([0xEA, 0x07, 13, 29, 8, 15, 0]).is_err());
        assert!(at([0xEA, 0x07, 11, 29, 24, 15, 0]).is_err());
        for (number, text) in [
            (1, "1970-01-02"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_786, "2026-11-29"),
        ] {
            assert_eq!(days(number).as_deref(), Some(text));
        }
        assert_eq!(days(0), None);
        assert_eq!(days(0xFF_FFFF).as_deref(), Some("47904-06-16"));
    }
}
