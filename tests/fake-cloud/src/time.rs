//! Dates of signatures and of answers.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or_default()
}

/// Year, month, day and seconds of the day (days_from_civil of Howard Hinnant's "chrono-compatible algorithms").
fn civil(seconds: i64) -> (i64, i64, i64, i64) {
    let days = seconds.div_euclid(86400) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, date, seconds.rem_euclid(86400))
}

/// `2026-01-02T03:04:05.000Z`.
pub(crate) fn iso(seconds: i64) -> String {
    let (year, month, day, rest) = civil(seconds);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// `20260102T030405Z`.
pub(crate) fn basic(seconds: i64) -> String {
    iso(seconds).replace(".000", "").replace(['-', ':'], "")
}

/// Seconds of `20260102T030405Z` and of `2026-01-02T03:04:05(.000)Z`.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z').unwrap_or(text).split_once('T')?;
    let (date, time) = (date.replace('-', ""), time.split('.').next()?.replace(':', ""));
    let part = |text: &str, range| text.get::<std::ops::Range<usize>>(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(&date, 0..4)?, part(&date, 4..6)?, part(&date, 6..8)?);
    let (hour, minute, second) = (part(&time, 0..2)?, part(&time, 2..4)?, part(&time, 4..6)?);
    if date.len() != 8 || time.len() != 6 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86400 + hour * 3600 + minute * 60 + second)
}

/// Seconds of `Fri, 02 Jan 2026 03:04:05 GMT` (RFC 9110, IMF-fixdate).
pub(crate) fn parse_http(text: &str) -> Option<i64> {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: u32 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = months.iter().position(|month| *month == name)? + 1;
    let year = words.next()?;
    let time = words.next()?;
    parse(&format!("{year}-{month:02}-{day:02}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_440_938_160, "2015-08-30T12:36:00.000Z"),
        ] {
            assert_eq!(iso(seconds), text);
            assert_eq!(parse(text), Some(seconds));
            assert_eq!(parse(&basic(seconds)), Some(seconds));
        }
        assert_eq!(parse_http("Sun, 30 Aug 2015 12:36:00 GMT"), Some(1_440_938_160));
        assert_eq!(parse("today"), None);
    }
}
