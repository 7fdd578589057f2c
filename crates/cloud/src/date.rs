//! Times: as HTTP and the signatures write them, and as answers and caches of credentials have them.
//!
//! Between days and dates: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment in UTC, with its parts.
struct Civil {
    seconds: u64,
    year: u64,
    month: u64,
    day: u64,
}

impl Civil {
    /// A clock before 1970 counts as 1970: the service says that it is wrong.
    fn new(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // `civil_from_days`.
        let shifted = seconds / 86_400 + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let index = (5 * of_year + 2) / 153;
        let month = if index < 10 { index + 3 } else { index - 9 };
        let day = of_year - (153 * index + 2) / 5 + 1;
        Self { seconds, year: year + era * 400 + u64::from(month <= 2), month, day }
    }

    fn clock(&self) -> (u64, u64, u64) {
        (self.seconds / 3_600 % 24, self.seconds / 60 % 60, self.seconds % 60)
    }
}

/// `2011-10-03T15:19:30Z`.
pub fn iso(time: SystemTime) -> String {
    let civil = Civil::new(time);
    let (hour, minute, second) = civil.clock();
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", civil.year, civil.month, civil.day)
}

/// `Tue, 27 Mar 2007 19:36:42 GMT` (RFC 9110, section 5.6.7).
pub(crate) fn http(time: SystemTime) -> String {
    let civil = Civil::new(time);
    let (hour, minute, second) = civil.clock();
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let week_day = name(&DAYS, civil.seconds / 86_400 % 7);
    let month = name(&MONTHS, civil.month - 1);
    format!("{week_day}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} GMT", civil.day, civil.year)
}

/// The time that [`http`] writes; nothing else is read.
pub(crate) fn parse_http(text: &str) -> Option<SystemTime> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|number| number.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next() != Some("GMT")
        || !(1970..=9999).contains(&year)
        || !(1..=31).contains(&day)
        || !(0..24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0..=60).contains(&second)
    {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Reads RFC 3339 (`2026-01-31T23:59:59Z`), with a fraction (cut off), an offset, or `UTC` (the SSO cache of AWS CLI before
/// 2.0.30) at its end. `None` for anything else, and before 1970.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(|part| number(part, 4));
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let end = rest.find(|char: char| !char.is_ascii_digit() && !matches!(char, ':' | '.'))?;
    let (clock, zone) = rest.split_at_checked(end)?;
    let mut clock = clock.split('.').next()?.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let whole = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && date.next().is_none()
        && clock.next().is_none();
    if !whole {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Seconds that a zone is ahead.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z" | "UTC") {
        return Some(0);
    }
    let sign = if zone.starts_with('+') { 1 } else { -1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    Some(sign * (number(hours, 2)? * 3600 + number(minutes, 2)? * 60))
}

fn number(text: &str, most: usize) -> Option<i64> {
    let good = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok())?
}

/// Days since 1970-01-01 (`days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_documentation_of_s3_shows_them() {
        let time = UNIX_EPOCH + Duration::from_secs(1_175_024_202);
        assert_eq!(http(time), "Tue, 27 Mar 2007 19:36:42 GMT");
        assert_eq!(iso(time), "2007-03-27T19:36:42Z");
    }

    #[test]
    fn a_written_time_is_read_back() {
        for seconds in [0, 951_782_400, 1_175_024_202, 4_102_444_799, 68_169_599] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse_http(&http(time)), Some(time), "{seconds}");
        }
    }

    #[test]
    fn times_of_answers_are_read() {
        let seconds = |text: &str| {
            parse(text).and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs())
        };
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", Some(1_767_225_600)),
            ("2026-01-01T00:00:00.123Z", Some(1_767_225_600)),
            ("2026-01-01T02:30:00+02:30", Some(1_767_225_600)),
            ("2025-12-31T19:00:00-05:00", Some(1_767_225_600)),
            ("2024-02-29T12:00:00UTC", Some(1_709_208_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:00+01:00", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01", None),
            ("99999999999-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+é1:00", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Tue, 27 Mar 2007 19:36:42",
            "Tue, 27 Foo 2007 19:36:42 GMT",
            "x, 1 Jan 99999999999999999999 0:0:0 GMT",
        ] {
            assert_eq!(parse_http(text), None, "{text}");
        }
    }
}
