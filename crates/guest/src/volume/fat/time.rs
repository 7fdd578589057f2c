//! DOS times: two seconds fine, from 1980 to 2107, without a zone. They are taken as UTC, as the
//! kernel does in a guest whose clock runs in UTC.

/// Days since 1970 of a civil date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The civil date of days since 1970, by the same source.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Seconds since 1970 of a stored date and time.
pub(super) fn seconds(date: u16, time: u16) -> i64 {
    let (date, time) = (i64::from(date), i64::from(time));
    let days = days(1980 + (date >> 9), (date >> 5 & 0xf).max(1), (date & 0x1f).max(1));
    days * 86_400 + (time >> 11) * 3600 + (time >> 5 & 0x3f) * 60 + (time & 0x1f) * 2
}

/// Date and time as stored: the nearest that can be, downwards.
pub(super) fn stored(seconds: i64) -> (u16, u16) {
    let least = days(1980, 1, 1) * 86_400;
    let most = days(2108, 1, 1) * 86_400 - 2;
    let seconds = seconds.clamp(least, most);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let date = ((year - 1980) << 9) | (month << 5) | day;
    let time = ((of_day / 3600) << 11) | ((of_day / 60 % 60) << 5) | (of_day % 60 / 2);
    (u16::try_from(date).unwrap_or(0x21), u16::try_from(time).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_two_seconds() {
        for (given, back) in [
            (1_700_000_001, 1_700_000_000),
            (951_782_400, 951_782_400), // 2000-02-29
            (0, 315_532_800),           // clamped to 1980
            (i64::MAX, 4_354_819_198),  // clamped to 2107-12-31 23:59:58
        ] {
            let (date, time) = stored(given);
            assert_eq!(seconds(date, time), back, "{given}");
        }
        assert_eq!(stored(315_532_800), (0x21, 0));
        for day in 0..128 * 365 {
            let at = 315_532_800 + day * 86_400 + 86_398;
            let (date, time) = stored(at);
            assert_eq!(seconds(date, time), at);
        }
    }
}
