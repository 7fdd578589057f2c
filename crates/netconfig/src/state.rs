//! What both versions of the configuration are turned into, and what every renderer but netplan's starts
//! from. (`cloudinit/net/network_state.py`: `NetworkStateInterpreter`)

use hardtack_userdata::truth::{is_true, truthy};
use hardtack_userdata::{Finding, Key, Kind, Map, Place, Value};
use indexmap::IndexMap;

use crate::address::is_ipv6;
use crate::config::Card;
use crate::normalize;
use crate::py::{
    self, IGNORED, Outcome, at, boolean, equal, from_key, given, int, iterate, list, mapping, null, refuse,
    set, shown, string, text,
};

/// The state of the network that a configuration asks for.
#[derive(Clone, Debug)]
pub struct State {
    /// 1 or 2; 0 for any other, which asks for nothing.
    pub(crate) version: u8,
    /// What it was made of: the list of version 1, all of version 2.
    pub(crate) config: Value,
    /// Interfaces. Two names may mean the same one.
    pub(crate) arena: Vec<Map>,
    pub(crate) interfaces: IndexMap<Key, usize>,
    pub(crate) routes: Vec<Map>,
    pub(crate) nameservers: Vec<Value>,
    pub(crate) search: Vec<Value>,
    pub(crate) use_ipv6: bool,
    pub(crate) findings: Vec<Finding>,
}

/// Why a command is not carried out.
pub(crate) enum Stop {
    /// The whole configuration is refused.
    Refused(Box<Finding>),
    /// This command is passed over (`InvalidCommand`).
    Skipped(String),
}

impl From<Box<Finding>> for Stop {
    fn from(finding: Box<Finding>) -> Self {
        Self::Refused(finding)
    }
}

/// `diff_keys`.
fn needs(command: &Map, keys: &[&str]) -> Result<(), Stop> {
    match keys.iter().find(|key| at(command, key).is_none()) {
        Some(key) => Err(Stop::Skipped(format!("`{key}`"))),
        None => Ok(()),
    }
}

/// What is found under `name` in a nameserver: one or several.
fn several(command: &Map, name: &str) -> Vec<Value> {
    match at(command, name) {
        None => Vec::new(),
        Some(Value { kind: Kind::List(items), .. }) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}

/// The number of the version, as Python compares it.
pub(crate) fn version(config: &Map) -> Option<u8> {
    let found = at(config, "version")?;
    [1_u8, 2].into_iter().find(|version| equal(found, &int(i128::from(*version))))
}

impl State {
    /// The state that `config` asks for (`parse_net_config_data`). `passthrough` for netplan, which reads
    /// version 2 itself.
    ///
    /// # Errors
    /// What the real program would stumble over.
    pub(crate) fn parse(config: &Value, cards: &[Card], passthrough: bool) -> Outcome<Self> {
        let top = mapping(config, "the network configuration")?;
        let version = version(top);
        let inner = if version == Some(2) { Some(config) } else { given(top, "config") };
        let (Some(_), Some(inner)) = (py::filled(top, "version"), inner) else {
            return refuse(
                config.place,
                "the network configuration has no `version` 1 with a `config`, and no 2",
            );
        };
        let mut state = Self {
            version: version.unwrap_or(0),
            config: inner.clone(),
            arena: Vec::new(),
            interfaces: IndexMap::new(),
            routes: Vec::new(),
            nameservers: Vec::new(),
            search: Vec::new(),
            use_ipv6: false,
            findings: Vec::new(),
        };
        match version {
            Some(1) => state.parse_v1(inner)?,
            Some(_) if !passthrough => state.parse_v2(top, cards)?,
            _ => {}
        }
        Ok(state)
    }

    /// The interfaces in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Map> {
        self.interfaces.values().filter_map(|slot| self.arena.get(*slot))
    }

    /// The interfaces of one type.
    pub(crate) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Map> {
        self.iter().filter(move |iface| at(iface, "type").and_then(Value::as_text) == Some(kind))
    }

    pub(crate) fn slot(&self, name: &Value) -> Outcome<Option<usize>> {
        Ok(self.interfaces.get(&py::key(name)?).copied())
    }

    fn interface(&mut self, slot: usize) -> &mut Map {
        if slot >= self.arena.len() {
            self.arena.resize_with(slot + 1, Map::new);
        }
        &mut self.arena[slot]
    }

    fn parse_v1(&mut self, config: &Value) -> Outcome<()> {
        let mut dns: IndexMap<Key, (Vec<Value>, Vec<Value>)> = IndexMap::new();
        for command in iterate(config, "`config`")? {
            let command = mapping(&command, "an entry of `config`")?;
            let Some(kind) = at(command, "type") else {
                let place = command.values().next().map_or_else(Place::default, |value| value.place);
                return refuse(place, "an entry of `config` has no `type`");
            };
            let name = py::key(kind)?;
            if let Err(stop) = self.command(&name, command, &[], &mut dns) {
                self.passed_over(stop, kind.place, &shown(kind))?;
            }
        }
        self.name_servers(dns)
    }

    fn passed_over(&mut self, stop: Stop, place: Place, what: &str) -> Outcome<()> {
        match stop {
            Stop::Refused(finding) => Err(finding),
            Stop::Skipped(missing) => {
                let message = format!("an entry of type `{what}` is ignored: it has no {missing}");
                self.findings.push(Finding::warning(IGNORED, place, message));
                Ok(())
            }
        }
    }

    fn name_servers(&mut self, dns: IndexMap<Key, (Vec<Value>, Vec<Value>)>) -> Outcome<()> {
        for (name, (nameservers, search)) in dns {
            let Some(slot) = self.interfaces.get(&name).copied() else {
                let shown = shown(&from_key(&name));
                return refuse(
                    name.place,
                    format!("name servers are given for `{shown}`, which is not configured"),
                );
            };
            self.set_dns(slot, nameservers, search);
        }
        Ok(())
    }

    fn set_dns(&mut self, slot: usize, nameservers: Vec<Value>, search: Vec<Value>) {
        let mut dns = Map::new();
        set(&mut dns, "nameservers", list(nameservers));
        set(&mut dns, "search", list(search));
        set(self.interface(slot), "dns", py::map(dns));
    }

    fn parse_v2(&mut self, config: &Map, cards: &[Card]) -> Outcome<()> {
        let mut dns = IndexMap::new();
        for (name, command) in config {
            if matches!(name.as_text(), Some("version" | "renderer")) {
                continue;
            }
            let done = match mapping(command, &format!("`{}`", shown(&from_key(name)))) {
                Ok(command) => {
                    self.command(name, command, cards, &mut dns).and_then(|()| self.v2_common(command))
                }
                Err(finding) => Err(finding.into()),
            };
            if let Err(stop) = done {
                self.passed_over(stop, name.place, &shown(&from_key(name)))?;
            }
        }
        Ok(())
    }

    /// `command_handlers`.
    fn command(
        &mut self,
        name: &Key,
        command: &Map,
        cards: &[Card],
        dns: &mut IndexMap<Key, (Vec<Value>, Vec<Value>)>,
    ) -> Result<(), Stop> {
        match name.as_text().unwrap_or_default() {
            "bond" => self.bond(command),
            "bonds" => self.bonds_or_bridges(command, "bond"),
            "bridge" => self.bridge(command),
            "bridges" => self.bonds_or_bridges(command, "bridge"),
            "ethernets" => self.ethernets(command, cards),
            "infiniband" | "loopback" | "physical" => self.physical(command),
            "nameserver" => {
                needs(command, &["address"])?;
                let (nameservers, search) = (several(command, "address"), several(command, "search"));
                match at(command, "interface") {
                    Some(interface) => {
                        dns.insert(py::key(interface)?, (nameservers, search));
                    }
                    None => {
                        self.nameservers.extend(nameservers);
                        self.search.extend(search);
                    }
                }
                Ok(())
            }
            "route" => {
                needs(command, &["destination"])?;
                let route = normalize::route(command, &mut self.findings)?;
                self.routes.push(route);
                Ok(())
            }
            "vlan" => self.vlan(command),
            "vlans" => self.vlans(command),
            "wifis" => {
                let message = "`wifis` is ignored: only netplan knows wireless networks";
                self.findings.push(Finding::warning(IGNORED, name.place, message));
                Ok(())
            }
            _ => {
                let found = shown(&from_key(name));
                Ok(refuse(
                    name.place,
                    format!("`{found}` is no type of network device that cloud-init knows"),
                )?)
            }
        }
    }

    /// `handle_physical`.
    pub(crate) fn physical(&mut self, command: &Map) -> Result<(), Stop> {
        needs(command, &["name"])?;
        let name = at(command, "name").cloned().unwrap_or_else(null);
        let slot = self.slot(&name)?.unwrap_or(self.arena.len());
        let mut iface = self.arena.get(slot).cloned().unwrap_or_default();
        if let Some(params) = at(command, "params") {
            py::update(&mut iface, mapping(params, "`params`")?);
        }
        let subnets = normalize::subnets(at(command, "subnets"), &mut self.findings)?;
        if !self.use_ipv6 {
            for subnet in &subnets {
                let kind = crate::address::subnet_type(subnet)?;
                if kind.ends_with('6') || at(subnet, "address").is_some_and(is_ipv6) {
                    self.use_ipv6 = true;
                    break;
                }
            }
        }
        let flag = |key| given(command, key).map_or_else(null, |value| boolean(is_true(value)));
        let copied = |key| at(command, key).cloned().unwrap_or_else(null);
        for (key, value) in [
            ("config_id", copied("config_id")),
            ("name", name.clone()),
            ("type", copied("type")),
            ("mac_address", copied("mac_address")),
            ("inet", text("inet")),
            ("mode", text("manual")),
            ("mtu", copied("mtu")),
            ("address", null()),
            ("gateway", null()),
            ("subnets", list(subnets.into_iter().map(py::map).collect())),
            ("accept-ra", flag("accept-ra")),
            ("wakeonlan", flag("wakeonlan")),
            ("optional", flag("optional")),
            ("keep_configuration", copied("keep_configuration")),
        ] {
            set(&mut iface, key, value);
        }
        if let Some(mac) = at(command, "mac_address").filter(|mac| truthy(mac)) {
            let lower = string(mac, "`mac_address`")?.to_lowercase();
            set(&mut iface, "mac_address", text(lower));
        }
        let key = py::key(at(command, "config_id").unwrap_or(&name))?;
        *self.interface(slot) = iface;
        self.interfaces.insert(key, slot);
        Ok(())
    }

    /// The interface that a command has just made, under its name.
    fn made(&self, command: &Map) -> Outcome<usize> {
        let name = at(command, "name").cloned().unwrap_or_else(null);
        match self.slot(&name)? {
            Some(slot) => Ok(slot),
            None => refuse(name.place, format!("`{}` has a `config_id` other than its name", shown(&name))),
        }
    }

    /// `handle_vlan`.
    pub(crate) fn vlan(&mut self, command: &Map) -> Result<(), Stop> {
        needs(command, &["name", "vlan_id", "vlan_link"])?;
        self.physical(command)?;
        let slot = self.made(command)?;
        for (key, from) in [("vlan-raw-device", "vlan_link"), ("vlan_id", "vlan_id")] {
            let value = at(command, from).cloned().unwrap_or_else(null);
            set(self.interface(slot), key, value);
        }
        Ok(())
    }

    /// `handle_bond`.
    pub(crate) fn bond(&mut self, command: &Map) -> Result<(), Stop> {
        needs(command, &["name", "bond_interfaces", "params"])?;
        self.physical(command)?;
        let slot = self.made(command)?;
        let params = match at(command, "params") {
            Some(params) => mapping(params, "`params`")?.clone(),
            None => Map::new(),
        };
        py::update(self.interface(slot), &params);
        set(self.interface(slot), "bond-slaves", text("none"));
        let slaves = at(command, "bond_interfaces").cloned().unwrap_or_else(null);
        for slave in iterate(&slaves, "`bond_interfaces`")? {
            if self.slot(&slave)?.is_none() {
                let mut placeholder = Map::new();
                set(&mut placeholder, "name", slave.clone());
                set(&mut placeholder, "type", text("bond"));
                self.physical(&placeholder)?;
            }
            let slot = self.slot(&slave)?.unwrap_or_default();
            let master = at(command, "name").cloned().unwrap_or_else(null);
            set(self.interface(slot), "bond-master", master);
            py::update(self.interface(slot), &params);
        }
        Ok(())
    }

    /// `handle_bridge`.
    pub(crate) fn bridge(&mut self, command: &Map) -> Result<(), Stop> {
        needs(command, &["name", "bridge_interfaces"])?;
        let ports = at(command, "bridge_interfaces").cloned().unwrap_or_else(null);
        for port in iterate(&ports, "`bridge_interfaces`")? {
            if self.slot(&port)?.is_none() {
                let mut placeholder = Map::new();
                set(&mut placeholder, "name", port.clone());
                self.physical(&placeholder)?;
            }
        }
        self.physical(command)?;
        let slot = self.made(command)?;
        set(self.interface(slot), "bridge_ports", ports);
        if let Some(params) = at(command, "params") {
            let params = mapping(params, "`params`")?;
            py::update(self.interface(slot), params);
        }
        let stp = given(self.interface(slot), "bridge_stp").cloned();
        if let Some(stp) = stp.filter(|stp| !matches!(stp.kind, Kind::Bool(_))) {
            let is = |word: &str, number| equal(&stp, &text(word)) || equal(&stp, &int(number));
            let value = if is("on", 1) || equal(&stp, &text("1")) {
                true
            } else if is("off", 0) || equal(&stp, &text("0")) {
                false
            } else {
                return Ok(refuse(
                    stp.place,
                    format!("`bridge_stp` is `{}`, neither on nor off", shown(&stp)),
                )?);
            };
            set(self.interface(slot), "bridge_stp", boolean(value));
        }
        Ok(())
    }

    /// `_v2_common`: the name servers of an interface.
    fn v2_common(&mut self, command: &Map) -> Result<(), Stop> {
        for (name, config) in command {
            if !py::contains(config, "nameservers", "a device")? {
                continue;
            }
            let servers = mapping(py::item(config, "nameservers", "a device")?, "`nameservers`")?;
            let (search, dns) = (py::filled(servers, "search"), py::filled(servers, "addresses"));
            let mut found = Map::new();
            if let Some(search) = search {
                set(&mut found, "search", search.clone());
            }
            if let Some(dns) = dns {
                set(&mut found, "address", dns.clone());
            }
            needs(&found, &["address"])
                .map_err(|_| Stop::Skipped("`addresses` in its `nameservers`".to_owned()))?;
            let Some(slot) = self.interfaces.get(name).copied() else {
                let name_shown = shown(&from_key(name));
                return Ok(refuse(
                    name.place,
                    format!("name servers are given for `{name_shown}`, which is no device"),
                )?);
            };
            self.set_dns(slot, several(&found, "address"), several(&found, "search"));
        }
        Ok(())
    }

    /// What a handler of version 2 gives on.
    pub(crate) fn each(command: &Map) -> impl Iterator<Item = Outcome<(&Key, &Map)>> {
        command.iter().map(|(name, config)| {
            let what = format!("`{}`", shown(&from_key(name)));
            Ok((name, mapping(config, &what)?))
        })
    }

    /// `handle_ethernets`.
    fn ethernets(&mut self, command: &Map, cards: &[Card]) -> Result<(), Stop> {
        for entry in Self::each(command) {
            let (name, config) = entry?;
            let physical = self.ethernet(name, config, cards)?;
            self.physical(&physical)?;
        }
        Ok(())
    }

    /// `handle_vlans`.
    fn vlans(&mut self, command: &Map) -> Result<(), Stop> {
        for entry in Self::each(command) {
            let (name, config) = entry?;
            let vlan = self.vlan_of_v2(name, config)?;
            self.vlan(&vlan)?;
        }
        Ok(())
    }

    /// `_handle_bond_bridge`.
    fn bonds_or_bridges(&mut self, command: &Map, kind: &str) -> Result<(), Stop> {
        for entry in Self::each(command) {
            let (name, config) = entry?;
            let made = self.bond_or_bridge(name, config, kind)?;
            if kind == "bond" { self.bond(&made)? } else { self.bridge(&made)? }
        }
        Ok(())
    }
}
