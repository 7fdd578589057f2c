//! Times in answers and caches: RFC 3339, and what old versions of AWS' tools wrote.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads `2026-01-31T23:59:59Z`, with a fraction (cut off), an offset, or `UTC` (the SSO cache of AWS CLI before
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

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
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
    fn times_are_read() {
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
}
