//! Time zone and locale (`cloudinit/config/cc_timezone.py`, `cc_locale.py`).
//!
//! `timezones.txt` holds the names of the time zone database (IANA tzdata, public domain), links
//! among them.

use hardtack_yaml::did_you_mean;

use super::{Report, shown, top, trap};
use crate::truth::is_false;
use crate::value::Map;

/// The names below /usr/share/zoneinfo, old ones too.
const ZONES: &str = include_str!("timezones.txt");

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    timezone(config, report);
    locale(config, report);
}

fn timezone(config: &Map, report: &mut Report<'_>) {
    let Some(value) = top(config, "timezone") else { return };
    let Some(text) = value.as_text().filter(|text| !text.is_empty()) else { return };
    if report.is_told(value.place) {
        return;
    }
    let Some(hint) = hint(text) else { return };
    report.tell(trap(
        "timezone-unknown",
        value.place,
        "timezone",
        format!("{} is no file below /usr/share/zoneinfo: the module fails", shown(text)),
        hint,
    ));
}

/// What to write instead of a name that the database does not have.
fn hint(text: &str) -> Option<String> {
    // The database's folders of other readings hold the same names.
    let name = ["posix/", "right/"].iter().find_map(|folder| text.strip_prefix(folder)).unwrap_or(text);
    let zones = || ZONES.split_ascii_whitespace();
    if zones().any(|zone| zone == name) {
        return None;
    }
    let shifted = ["UTC", "GMT"]
        .iter()
        .any(|zone| text.strip_prefix(zone).is_some_and(|rest| rest.starts_with(['+', '-'])));
    if shifted {
        return Some(
            "write the name of a place, such as `Europe/Berlin`; `Etc/GMT-2` is two hours east of Greenwich"
                .to_owned(),
        );
    }
    if text.starts_with('/') || text.contains("..") {
        return Some("write the name below /usr/share/zoneinfo, such as `Europe/Berlin`".to_owned());
    }
    let spelled = name.trim().replace(char::is_whitespace, "_");
    if let Some(zone) = zones().find(|zone| zone.eq_ignore_ascii_case(&spelled)) {
        return Some(format!("write `{zone}`"));
    }
    // The area that is written, or else all of them.
    let area = spelled.split_once('/').map(|(area, _)| area);
    let near = area
        .and_then(|area| {
            let here =
                |zone: &&str| zone.split_once('/').is_some_and(|(known, _)| known.eq_ignore_ascii_case(area));
            let city = |name: &'static str| name.split_once('/').map(|(_, city)| city);
            let wanted = spelled.split_once('/').map_or("", |(_, city)| city);
            let city = did_you_mean(wanted, zones().filter(here).filter_map(city))?;
            zones()
                .filter(here)
                .find(|zone| zone.ends_with(city) && zone.len() == area.len() + 1 + city.len())
        })
        .or_else(|| did_you_mean(&spelled, zones()))
        .or_else(|| {
            let mut places = zones().filter(|zone| {
                zone.rsplit('/').next().is_some_and(|place| place.eq_ignore_ascii_case(&spelled))
            });
            places.next()
        });
    Some(match near {
        Some(zone) => format!("did you mean `{zone}`?"),
        None => "names are like `Europe/Berlin`; `timedatectl list-timezones` lists them".to_owned(),
    })
}

/// The module writes the name into files and gives it to programs as it is.
fn locale(config: &Map, report: &mut Report<'_>) {
    let Some(value) = top(config, "locale") else { return };
    let Some(text) = value.as_text().filter(|text| !text.is_empty() && !is_false(value)) else { return };
    let fits = |character: char| character.is_ascii_alphanumeric() || "_-.@".contains(character);
    if text.chars().all(fits) || report.is_told(value.place) {
        return;
    }
    report.tell(trap(
        "locale-invalid",
        value.place,
        "locale",
        format!("{} is no name of a locale: it has a character in it that names may not have", shown(text)),
        "write a name such as `de_DE.UTF-8`",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_or_meant() {
        for name in
            ["UTC", "Europe/Zurich", "America/Argentina/Ushuaia", "posix/Europe/Berlin", "GMT+0", "Etc/GMT-2"]
        {
            assert_eq!(hint(name), None, "{name}");
        }
        for (name, wanted) in [
            ("Europe/Zurch", "did you mean `Europe/Zurich`?"),
            ("europe/zurich", "write `Europe/Zurich`"),
            ("America/New York", "write `America/New_York`"),
            ("Eurpoe/Berlin", "did you mean `Europe/Berlin`?"),
            ("berlin", "did you mean `Europe/Berlin`?"),
            ("Mars/Olympus", "names are like"),
            ("UTC+2", "`Etc/GMT-2`"),
            ("../x", "below /usr/share/zoneinfo"),
        ] {
            assert!(hint(name).is_some_and(|hint| hint.contains(wanted)), "{name}: {:?}", hint(name));
        }
    }
}
