//! The tables of addresses and routes that the init stage prints. (`cloudinit/netinfo.py`: `debug_info`;
//! `cloudinit/simpletable.py`)

/// An address of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// IPv4: `10.0.0.5`. IPv6 with its prefix: `fe80::5054:ff:fe12:3456/64`; without where it has a peer.
    pub address: String,
    /// IPv4: `255.255.255.0`. Not shown of IPv6.
    pub mask: String,
    /// `global`, `link`, `host`.
    pub scope: String,
}

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// It is up, and so is its link (`IFF_UP` and `IFF_LOWER_UP`).
    pub up: bool,
    /// The MAC address, if it is an Ethernet device.
    pub hardware: String,
    /// Its IPv4 addresses.
    pub ipv4: Vec<Address>,
    /// Its IPv6 addresses.
    pub ipv6: Vec<Address>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// IPv4: `10.0.0.0`. IPv6 with its prefix; `::/0` is the default.
    pub destination: String,
    /// The gateway; `0.0.0.0` or `::` where there is none.
    pub gateway: String,
    /// IPv4 only.
    pub mask: String,
    /// The device.
    pub interface: String,
    /// `U`, `UG`, `UH`.
    pub flags: String,
}

/// What stands in an empty field.
const EMPTY: &str = ".";
/// How wide a field is at most: what is longer comes from no kernel.
const WIDEST: usize = 200;

struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(fields: &[&str]) -> Self {
        Self { rows: vec![fields.iter().map(|field| (*field).to_owned()).collect()] }
    }

    fn row(&mut self, fields: &[&str]) {
        self.rows.push(fields.iter().map(|field| field.chars().take(WIDEST).collect()).collect());
    }

    /// The lines, with `title` above.
    fn lines(&self, title: &str) -> Vec<String> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + 2
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let rule = format!("+{}+", rule.join("+"));
        let mut lines = vec![title_line(title, rule.chars().count()), rule.clone()];
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| center(cell, *width)).collect();
            lines.push(format!("|{}|", cells.join("|")));
            if number == 0 {
                lines.push(rule.clone());
            }
        }
        lines.push(rule);
        lines
    }
}

/// `str.center`: the odd blank is on the left where the width is odd.
fn center(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}

/// `format(title, "+^width")`: the odd sign is on the right.
fn title_line(title: &str, width: usize) -> String {
    let missing = width.saturating_sub(title.chars().count());
    let left = missing / 2;
    format!("{}{title}{}", "+".repeat(left), "+".repeat(missing - left))
}

fn or_empty(text: &str) -> &str {
    if text.is_empty() { EMPTY } else { text }
}

/// The tables, each line behind `ci-info: `, without a line break at the end (`debug_info`).
#[must_use]
pub fn tables(interfaces: &[Interface], ipv4: &[Route], ipv6: &[Route]) -> String {
    let mut lines = Vec::new();
    if interfaces.is_empty() {
        lines.push(String::new());
    } else {
        lines.extend(devices(interfaces));
    }
    if !ipv4.is_empty() {
        let mut table = Table::new(&["Route", "Destination", "Gateway", "Genmask", "Interface", "Flags"]);
        for (number, route) in ipv4.iter().enumerate() {
            let Route { destination, gateway, mask, interface, flags } = route;
            table.row(&[&number.to_string(), destination, gateway, mask, interface, flags]);
        }
        lines.extend(table.lines("Route IPv4 info"));
    }
    if !ipv6.is_empty() {
        let mut table = Table::new(&["Route", "Destination", "Gateway", "Interface", "Flags"]);
        for (number, route) in ipv6.iter().enumerate().filter(|(_, route)| route.interface != "lo") {
            let Route { destination, gateway, interface, flags, .. } = route;
            table.row(&[&number.to_string(), destination, gateway, interface, flags]);
        }
        lines.extend(table.lines("Route IPv6 info"));
    }
    if ipv4.is_empty() && ipv6.is_empty() {
        lines.push(String::new());
    }
    let lines: Vec<String> = lines.into_iter().map(|line| format!("ci-info: {line}")).collect();
    lines.join("\n")
}

fn devices(interfaces: &[Interface]) -> Vec<String> {
    let mut sorted: Vec<&Interface> = interfaces.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut table = Table::new(&["Device", "Up", "Address", "Mask", "Scope", "Hw-Address"]);
    for interface in sorted {
        let (name, hardware) = (interface.name.as_str(), or_empty(&interface.hardware));
        let up = if interface.up { "True" } else { "False" };
        for Address { address, mask, scope } in &interface.ipv4 {
            table.row(&[name, up, or_empty(address), or_empty(mask), or_empty(scope), hardware]);
        }
        for Address { address, scope, .. } in &interface.ipv6 {
            table.row(&[name, up, or_empty(address), EMPTY, or_empty(scope), hardware]);
        }
        if interface.ipv4.is_empty() && interface.ipv6.is_empty() {
            table.row(&[name, up, EMPTY, EMPTY, EMPTY, hardware]);
        }
    }
    table.lines("Net device info")
}
