//! What is done once the files are written, before the network's own services start. Nothing is brought up:
//! in the local stage cloud-init leaves that to the services, which are ordered behind it. Cards that are known only
//! when the services have started are theirs to bring up by [`commands`].
//! (`cloudinit/cmd/main.py`, `main_init`; `cloudinit/net/netplan.py`; `cloudinit/net/__init__.py`,
//! `_rename_interfaces`)

use hardtack_userdata::equal::same;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Map, Value};

use crate::config::Card;
use crate::py::{IGNORED, at, filled};
use crate::render::Renderer;
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

/// Those of `cards` that the configuration gives an address to, one after another as they are called now.
#[must_use]
pub fn addressed(config: &Value, cards: &[Card]) -> Vec<String> {
    let Some(top) = config.as_map() else { return Vec::new() };
    let text = |value: Option<&Value>| value.and_then(Value::as_text).map(str::to_owned);
    let mut wanted: Vec<(Option<String>, Option<String>)> = Vec::new();
    match version(top) {
        Some(1) => {
            for entry in at(top, "config").and_then(Value::as_list).unwrap_or_default() {
                let Some(entry) = entry.as_map() else { continue };
                let subnets = at(entry, "subnets").and_then(Value::as_list).unwrap_or_default();
                let gives =
                    |subnet: &Value| !matches!(text(subnet.get("type")).as_deref(), None | Some("manual"));
                if text(at(entry, "type")).as_deref() == Some("physical") && subnets.iter().any(gives) {
                    wanted.push((text(filled(entry, "mac_address")), text(at(entry, "name"))));
                }
            }
        }
        Some(2) => {
            for (key, entry) in at(top, "ethernets").and_then(Value::as_map).into_iter().flat_map(Map::iter) {
                let Some(entry) = entry.as_map() else { continue };
                if ["dhcp4", "dhcp6", "addresses"].iter().any(|key| filled(entry, key).is_some_and(truthy)) {
                    let mac = at(entry, "match").and_then(|rules| text(rules.get("macaddress")));
                    let name = text(filled(entry, "set-name")).or_else(|| key.as_text().map(str::to_owned));
                    wanted.push((mac, name));
                }
            }
        }
        _ => {}
    }
    // The address is the card's own; its name may not have been given yet.
    let is = |card: &Card, (mac, name): &(Option<String>, Option<String>)| match mac {
        Some(mac) => card.mac.eq_ignore_ascii_case(mac),
        None => name.as_ref() == Some(&card.name),
    };
    let named = |card: &&Card| wanted.iter().any(|wanted| is(card, wanted));
    cards.iter().filter(named).map(|card| card.name.clone()).collect()
}

/// The programs that bring `cards` up by the files that are there now, while the renderer's service runs.
#[must_use]
pub fn commands(renderer: Renderer, cards: &[String]) -> Vec<Vec<String>> {
    let run = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (first, each): (Option<&[&str]>, Option<&[&str]>) = match renderer {
        Renderer::Eni | Renderer::Sysconfig => (None, Some(&["ifup"])),
        // What netplan makes of its file was made when it was written. networkd then configures the cards that new files
        // are for; told once more to do so (`reconfigure`) it would begin anew, and give the address back.
        Renderer::Netplan | Renderer::Networkd => (Some(&["networkctl", "reload"]), None),
        Renderer::NetworkManager => {
            (Some(&["nmcli", "connection", "reload"]), Some(&["nmcli", "--wait", "25", "device", "connect"]))
        }
    };
    let mut commands: Vec<Vec<String>> = first.map(run).into_iter().collect();
    if let Some(words) = each {
        commands.extend(cards.iter().map(|card| [run(words), vec![card.clone()]].concat()));
    }
    commands
}

fn shorten(text: &str) -> String {
    hardtack_yaml::shorten(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hardtack_userdata::Value;

    use super::{After, addressed, commands, netplan, renames};
    use crate::config::Card;
    use crate::render::Renderer;

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

    #[test]
    fn cards_with_an_address_are_known_by_theirs() {
        let card = |name: &str, mac: &str| Card { name: name.to_owned(), mac: mac.to_owned(), driver: None };
        let cards = [
            card("lo", "00:00:00:00:00:00"),
            card("ens3", "d0:0d:00:00:00:01"),
            card("ens4", "d0:0d:00:00:00:02"),
            card("ens5", "d0:0d:00:00:00:03"),
        ];
        let named = |text: &str| addressed(&Value::load(text, 0).unwrap(), &cards);
        let two = "version: 2\nethernets:\n  eth0: {dhcp4: true, match: {macaddress: 'D0:0D:00:00:00:02'}}\n  \
                   ens3: {addresses: [10.0.0.2/24]}\n  ens5: {dhcp4: false, addresses: []}\n  eth9: {dhcp4: true}\n";
        assert_eq!(named(two), ["ens3", "ens4"]);
        let one = "version: 1\nconfig:\n- {type: physical, name: eth1, mac_address: 'd0:0d:00:00:00:02', \
                   subnets: [{type: dhcp}]}\n- {type: physical, name: ens5, subnets: [{type: manual}]}\n\
                   - {type: physical, name: ens3}\n- {type: nameserver, address: 10.0.0.1}\n";
        assert_eq!(named(one), ["ens4"]);
        for nothing in
            ["null", "{version: 2}", "{version: 2, ethernets: [a]}", "{version: 1, config: {a: b}}"]
        {
            assert_eq!(named(nothing), [""; 0], "{nothing}");
        }
    }

    #[test]
    fn each_renderer_has_its_own_way_up() {
        let cards = ["ens4".to_owned(), "ens5".to_owned()];
        let lines = |renderer| {
            let commands = commands(renderer, &cards);
            commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(lines(Renderer::Eni), ["ifup ens4", "ifup ens5"]);
        assert_eq!(lines(Renderer::Sysconfig), lines(Renderer::Eni));
        assert_eq!(lines(Renderer::Netplan), ["networkctl reload"]);
        assert_eq!(lines(Renderer::Networkd), ["networkctl reload"]);
        let manager = lines(Renderer::NetworkManager);
        assert_eq!(manager[..2], ["nmcli connection reload", "nmcli --wait 25 device connect ens4"]);
    }
}
