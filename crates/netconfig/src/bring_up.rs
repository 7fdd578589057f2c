//! What is done once the files are written, before the network's own services start. Nothing is brought up:
//! in the local stage cloud-init leaves that to the services, which are ordered behind it.
//! (`cloudinit/cmd/main.py`, `main_init`; `cloudinit/net/netplan.py`; `cloudinit/net/__init__.py`,
//! `_rename_interfaces`)

use hardtack_userdata::equal::same;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Map, Value};

use crate::config::Card;
use crate::py::{IGNORED, at, filled};
use crate::state::version;

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The device `from` is called `to`; it has to be down for that.
    Rename {
        /// Its name now.
        from: String,
        /// Its name then.
        to: String,
    },
    /// A program of the image, without a shell.
    Run(Vec<String>),
}

/// What netplan is told. `before`: the text that was in its file. `line`: the kernel command line.
#[must_use]
pub fn netplan(before: Option<&str>, now: &str, line: &str, names: &[String]) -> Vec<After> {
    let run = |words: &[&str]| After::Run(words.iter().map(|word| (*word).to_owned()).collect());
    let mut after = Vec::new();
    let loaded = |text: &str| Value::load(text, 0).ok();
    let unchanged = match (before.and_then(loaded), loaded(now)) {
        (Some(before), Some(now)) => same(&before, &now),
        _ => false,
    };
    if !unchanged {
        after.push(run(&["netplan", "generate"]));
    }
    if !line.contains("net.ifnames=0") {
        for name in names {
            after.push(run(&[
                "udevadm",
                "test-builtin",
                "net_setup_link",
                &format!("/sys/class/net/{name}"),
            ]));
        }
    }
    after
}

/// Names that the configuration gives to cards by their MAC address (`extract_physdevs`).
fn wanted(config: &Value) -> Vec<(String, String)> {
    let Some(top) = config.as_map() else { return Vec::new() };
    let pair = |mac: Option<&Value>, name: Option<&Value>| {
        Some((mac?.as_text()?.to_lowercase(), name?.as_text().filter(|name| !name.is_empty())?.to_owned()))
    };
    let empty = Map::new();
    match version(top) {
        Some(1) => {
            let entries = at(top, "config").and_then(Value::as_list).unwrap_or_default();
            let physical = entries.iter().filter_map(Value::as_map);
            physical
                .filter(|entry| at(entry, "type").and_then(Value::as_text) == Some("physical"))
                .filter_map(|entry| pair(filled(entry, "mac_address"), at(entry, "name")))
                .collect()
        }
        Some(2) => {
            let ethernets = at(top, "ethernets").and_then(Value::as_map).unwrap_or(&empty);
            ethernets
                .values()
                .filter_map(Value::as_map)
                .filter_map(|entry| {
                    let rules = at(entry, "match").filter(|rules| truthy(rules))?;
                    pair(rules.get("macaddress"), filled(entry, "set-name"))
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Renames that give every card its name. One that is in the way is put aside first.
#[must_use]
pub fn renames(config: &Value, cards: &[Card]) -> (Vec<After>, Vec<Finding>) {
    let mut names: Vec<String> = cards.iter().map(|card| card.name.clone()).collect();
    let (mut after, mut findings) = (Vec::new(), Vec::new());
    for (mac, to) in wanted(config) {
        let Some(at) = cards.iter().position(|card| card.mac.to_lowercase() == mac) else {
            let message =
                format!("no card has the MAC address {}: `{}` stays without", shorten(&mac), shorten(&to));
            findings.push(Finding::warning(IGNORED, config.place, message));
            continue;
        };
        if names.get(at) == Some(&to) {
            continue;
        }
        if to.len() > 15 || to.contains(['/', ' ', '\n', '\0']) || to == "." || to == ".." {
            let message = format!("`{}` is no name that a network device may have", shorten(&to));
            findings.push(Finding::warning(IGNORED, config.place, message));
            continue;
        }
        if let Some(other) = names.iter().position(|name| *name == to) {
            let aside = (0..).map(|number| format!("cirename{number}")).find(|name| !names.contains(name));
            let aside = aside.unwrap_or_default();
            after.push(After::Rename { from: to.clone(), to: aside.clone() });
            if let Some(name) = names.get_mut(other) {
                *name = aside;
            }
        }
        if let Some(name) = names.get_mut(at) {
            after.push(After::Rename { from: name.clone(), to: to.clone() });
            *name = to;
        }
    }
    (after, findings)
}

fn shorten(text: &str) -> String {
    hardtack_yaml::shorten(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hardtack_userdata::Value;

    use super::{After, netplan, renames};
    use crate::config::Card;

    #[test]
    fn two_cards_change_names() {
        let card = |name: &str, mac: &str| Card { name: name.to_owned(), mac: mac.to_owned(), driver: None };
        let cards = [card("eth0", "02:00:00:00:00:00"), card("eth1", "02:00:00:00:00:01")];
        let config = "version: 2\nethernets:\n  a: {match: {macaddress: '02:00:00:00:00:00'}, set-name: eth1}\n  \
                      b: {match: {macaddress: '02:00:00:00:00:01'}, set-name: eth0}\n  \
                      c: {match: {macaddress: '02:00:00:00:00:02'}, set-name: eth2}\n";
        let (after, findings) = renames(&Value::load(config, 0).unwrap(), &cards);
        let rename = |from: &str, to: &str| After::Rename { from: from.to_owned(), to: to.to_owned() };
        assert_eq!(after, [rename("eth1", "cirename0"), rename("eth0", "eth1"), rename("cirename0", "eth0")]);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn netplan_generates_only_what_changed() {
        let names = ["eth0".to_owned()];
        assert_eq!(netplan(None, "network: {version: 2}", "", &names).len(), 2);
        assert_eq!(
            netplan(Some("# a\nnetwork: {version: 2}"), "network: {version: 2}", "net.ifnames=0", &names),
            []
        );
    }
}
