//! Times as HTTP and the signatures write them.

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
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
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
pub(crate) fn iso(time: SystemTime) -> String {
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
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = u64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|number| number.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next() != Some("GMT")
        || !(1970..=9999).contains(&year)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // The same source, `days_from_civil`.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let seconds = days.checked_sub(719_468)? * 86_400 + hour * 3_600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
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
