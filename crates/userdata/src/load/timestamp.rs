//! Dates and times (`construct_yaml_timestamp`), written as Python's `str` writes them.

use super::scalar::{Trouble, misfit};
use crate::value::Kind;

/// The date or time in `text`: `2001-01-23` or `2001-12-14 21:59:43.100000-05:00`.
pub(super) fn construct(text: &str) -> Result<Kind, Trouble> {
    let Some(written) = Written::parse(text) else {
        return Err(Trouble::Breaks(misfit("date", text)));
    };
    written.normal().ok_or_else(|| Trouble::Refused(misfit("date that there is", text)))
}

/// The numbers of a text of the right shape.
struct Written {
    date: [u32; 3],
    /// Hour, minute, second, microsecond.
    time: Option<[u32; 4]>,
    /// Minutes east of Greenwich.
    zone: Option<i32>,
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// A number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count).filter(|_| count >= least)?;
        self.0 = rest;
        digits.parse().ok()
    }

    fn take(&mut self, wanted: &[char]) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }
}

impl Written {
    /// PyYAML's `timestamp_regexp`.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let year = rest.number(4, 4)?;
        rest.take(&['-'])?;
        let month = rest.number(1, 2)?;
        rest.take(&['-'])?;
        let date = [year, month, rest.number(1, 2)?];
        if rest.0.is_empty() {
            return Some(Self { date, time: None, zone: None });
        }
        if rest.take(&['T', 't']).is_none() && !rest.blanks() {
            return None;
        }
        let hour = rest.number(1, 2)?;
        rest.take(&[':'])?;
        let minute = rest.number(2, 2)?;
        rest.take(&[':'])?;
        let second = rest.number(2, 2)?;
        let mut micros = 0;
        if rest.take(&['.']).is_some() {
            let digits = rest.0.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, after) = rest.0.split_at_checked(digits)?;
            rest.0 = after;
            let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
            micros = six.parse().ok()?;
        }
        let mut zone = None;
        if !rest.0.is_empty() {
            rest.blanks();
            if rest.take(&['Z']).is_some() {
                zone = Some(0);
            } else {
                let east = rest.take(&['+']).is_some();
                if !east {
                    rest.take(&['-'])?;
                }
                let hours = rest.number(1, 2)?;
                let minutes = if rest.take(&[':']).is_some() { rest.number(2, 2)? } else { 0 };
                let offset = i32::try_from(hours * 60 + minutes).ok()?;
                zone = Some(if east { offset } else { -offset });
            }
        }
        rest.0.is_empty().then_some(Self { date, time: Some([hour, minute, second, micros]), zone })
    }

    /// As Python writes it, if there is such a moment.
    fn normal(&self) -> Option<Kind> {
        let [year, month, day] = self.date;
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        if year == 0 || day == 0 || day > days {
            return None;
        }
        let date = format!("{year:04}-{month:02}-{day:02}");
        let Some([hour, minute, second, micros]) = self.time else { return Some(Kind::Date(date)) };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut text = format!("{date} {hour:02}:{minute:02}:{second:02}");
        if micros > 0 {
            text.push_str(&format!(".{micros:06}"));
        }
        if let Some(zone) = self.zone {
            let minutes = zone.unsigned_abs();
            if minutes >= 24 * 60 {
                return None;
            }
            let sign = if zone < 0 { '-' } else { '+' };
            text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
        Some(Kind::DateTime(text))
    }
}
