//! The limits of sessions, as `pam_limits` reads them (limits.conf(5)): the main file, then limits.d by name. The last
//! line counts for one domain, and a user's or group's own line counts more than that of all.

use std::collections::BTreeMap;

use hardtack_guest::Stage;
use hardtack_report::Place;

use crate::Error;
use crate::merged::{files, text};

const MAIN: &str = "/etc/security/limits.conf";
const DROP_INS: &str = "/etc/security/limits.d";

/// Who may leave a core; `ours` is where nobody would be told so.
pub(super) fn faults(stage: &Stage<'_>, ours: &str) -> Result<Vec<(Place, String)>, Error> {
    let mut paths = vec![MAIN.to_owned()];
    paths.extend(files(stage, &[DROP_INS], ".conf")?);
    let mut hard: BTreeMap<String, (String, Place)> = BTreeMap::new();
    for path in paths {
        let text = text(stage, &path).unwrap_or_default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [domain, kind, "core", value] = fields[..]
                && matches!(kind, "hard" | "-")
            {
                let place = Place { path: path.clone(), line: Some(index + 1) };
                hard.insert(domain.to_owned(), (value.to_owned(), place));
            }
        }
    }
    let mut faults = Vec::new();
    for (domain, who) in [("*", "everybody"), ("root", "root")] {
        if !hard.contains_key(domain) {
            faults.push((
                Place::file(ours),
                format!("cores of {who} are not limited: no line \"{domain} hard core 0\""),
            ));
        }
    }
    for (domain, (value, place)) in hard {
        if value != "0" {
            faults.push((place, format!("the hard limit for cores of {domain} is {value}, not 0")));
        }
    }
    Ok(faults)
}
