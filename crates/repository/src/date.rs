//! Times as `Release` files write them, and as messages show them.
//!
//! Between days and dates: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 of `Sat, 10 May 2025 09:30:19 UTC`. apt's own repositories write UTC; others mean it with
/// `GMT`, `Z` and `+0000`, and everything else is refused by apt too.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let rest = text.split_once(',').map_or(text, |(_, rest)| rest);
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let [day, month, year, clock, zone] = words[..] else { return None };
    let day: i64 = day.parse().ok()?;
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let year: i64 = year.parse().ok()?;
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some()
        || !matches!(zone, "UTC" | "GMT" | "Z" | "+0000")
        || !(1970..=9999).contains(&year)
        || !(1..=31).contains(&day)
        || !(0..24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0..=60).contains(&second)
    {
        return None;
    }
    // `days_from_civil`.
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        shifted.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    u64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()
}

/// `2025-05-10T09:30:19Z`.
pub(crate) fn iso(seconds: u64) -> String {
    // `civil_from_days`.
    let shifted = seconds / 86_400 + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let index = (5 * of_year + 2) / 153;
    let month = if index < 10 { index + 3 } else { index - 9 };
    let day = of_year - (153 * index + 2) / 5 + 1;
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads what [`iso`] writes.
pub(crate) fn from_iso(text: &str) -> Option<u64> {
    let (day, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    parse(&format!("{day} {month} {year} {clock} UTC"))
}

/// Seconds since 1970; a clock before that counts as 1970.
pub(crate) fn seconds(time: std::time::SystemTime) -> u64 {
    time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with `date -u -d … +%s`.
    #[test]
    fn reads_and_writes() {
        for (text, seconds, shown) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0, "1970-01-01T00:00:00Z"),
            ("Sat, 10 May 2025 09:30:19 UTC", 1_746_869_419, "2025-05-10T09:30:19Z"),
            ("Thu, 29 Feb 2024 23:59:59 +0000", 1_709_251_199, "2024-02-29T23:59:59Z"),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(iso(seconds), shown);
            assert_eq!(from_iso(shown), Some(seconds));
        }
        for text in [
            "",
            "Sat, 10 May 2025",
            "Sat, 10 May 2025 09:30:19 CEST",
            "Sat, 10 Foo 2025 09:30:19 UTC",
            "Sat, 10 May 99999 09:30:19 UTC",
            "Sat, 10 May 2025 25:30:19 UTC",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
