//! Fields of `/etc/shadow` that busybox has no programs for: the agent rewrites the file with these on
//! Alpine (`cloudinit/distros/alpine.py`, `add_user`, `expire_passwd`).

/// The text with the ages that busybox's `adduser` writes made empty for `user`, and with the days of
/// inactivity and of expiry that were asked for. `None` when the user is not in it.
#[must_use]
pub fn with_ages(text: &str, user: &str, inactive: Option<&str>, expires: Option<u32>) -> Option<String> {
    change(text, user, |fields| {
        for index in 3..=5 {
            set(fields, index, "");
        }
        if let Some(days) = inactive {
            set(fields, 6, days);
        }
        if let Some(days) = expires {
            set(fields, 7, &days.to_string());
        }
    })
}

/// The text with the password of `user` expired, so that the next login asks for a new one. `None` when
/// the user is not in it.
#[must_use]
pub fn with_expired_password(text: &str, user: &str) -> Option<String> {
    change(text, user, |fields| set(fields, 2, "0"))
}

fn set(fields: &mut [String], index: usize, value: &str) {
    if let Some(field) = fields.get_mut(index) {
        value.clone_into(field);
    }
}

fn change(text: &str, user: &str, change: impl Fn(&mut [String])) -> Option<String> {
    let mut found = false;
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        let mut fields: Vec<String> = body.split(':').map(str::to_owned).collect();
        if !found && fields.first().is_some_and(|name| name == user) {
            found = true;
            change(&mut fields);
        }
        out.push_str(&fields.join(":"));
        out.push_str(end);
    }
    found.then_some(out)
}

/// Days since 1970 of a date `YYYY-MM-DD`.
#[must_use]
pub fn days(date: &str) -> Option<u32> {
    let mut parts = date.split('-');
    let mut number = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || day == 0 || day > length || year < 1970 {
        return None;
    }
    // Howard Hinnant's days_from_civil.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_shadow_are_changed() {
        let text = "root:*:1::::::\njoe:!:19000:0:99999:7:::\n";
        assert_eq!(
            with_ages(text, "joe", Some("5"), days("2032-09-01")).as_deref(),
            Some("root:*:1::::::\njoe:!:19000::::5:22889:\n")
        );
        assert_eq!(
            with_expired_password(text, "joe").as_deref(),
            Some("root:*:1::::::\njoe:!:0:0:99999:7:::\n")
        );
        assert_eq!(with_expired_password(text, "jo"), None);
        assert_eq!(with_expired_password("joe:!:5", "joe").as_deref(), Some("joe:!:0"));
    }

    #[test]
    fn dates_are_days() {
        for (date, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11016)),
            ("2032-09-01", Some(22889)),
            ("2100-02-29", None),
            ("1969-12-31", None),
            ("2032-9-1", None),
            ("2032-09-01-", None),
            ("never", None),
        ] {
            assert_eq!(days(date), expected, "{date}");
        }
    }
}
