//! Where a value stands that a module names by its path alone.

use hardtack_userdata::{Finding, Kind, Map, Place, Value};

/// Gives findings that have no place the one of the value at their path; where that is not there, of
/// what is around it, or else of the first of `keys`.
pub(crate) fn fill(findings: &mut [Finding], config: &Map, keys: &[&str]) {
    for finding in findings.iter_mut().filter(|finding| is_nowhere(finding.place)) {
        let found = at(config, &finding.path).or_else(|| keys.iter().find_map(|key| at(config, key)));
        if let Some(place) = found {
            finding.place = place;
        }
    }
}

/// Lines count from 1.
pub(crate) fn is_nowhere(place: Place) -> bool {
    place.span.line == 0
}

/// The place of the deepest value on the way that is there.
fn at(config: &Map, path: &str) -> Option<Place> {
    let mut map = Some(config);
    let mut list: Option<&[Value]> = None;
    let mut found = None;
    for step in path.split('.') {
        let value = if let Some(members) = map {
            let named = |name: &str| name == step || name.replace('-', "_") == step;
            let Some((key, value)) = members.iter().find(|(key, _)| key.as_text().is_some_and(named)) else {
                break;
            };
            // A collection is known by its key.
            let own = matches!(value.kind, Kind::Map(_) | Kind::List(_)) || is_nowhere(value.place);
            found = Some(if own { key.place } else { value.place });
            value
        } else {
            let Some(value) = list.and_then(|items| items.get(step.parse::<usize>().ok()?)) else { break };
            found = Some(value.place);
            value
        };
        map = value.as_map();
        list = value.as_list();
    }
    found.filter(|place| !is_nowhere(*place))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn paths_lead_to_places() {
        let text = "a:\n  b-c:\n  - x: 1\n  - {x: 2}\nd: 3\n";
        let Kind::Map(config) = Value::load(text, 0).unwrap().kind else { panic!("no mapping") };
        for (path, line, column) in [
            ("a.b_c.1.x", 4, 9),
            ("a.b_c.1.nothing", 4, 5),
            ("a.b_c.7", 2, 3),
            ("a", 1, 1),
            ("d", 5, 4),
            ("nothing", 5, 4),
        ] {
            let mut findings = [Finding::warning("x", Place::default(), "y").at(path)];
            fill(&mut findings, &config, &["e", "d"]);
            let [Finding { place, .. }] = &findings;
            assert_eq!((place.span.line, place.span.column), (line, column), "{path}");
        }
    }
}
