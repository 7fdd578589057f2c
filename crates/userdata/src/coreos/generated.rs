//! What coreos-cloudinit writes beside `write_files` (`system/*.go`): drop-ins with environment
//! variables, `/etc/oem-release`, `/etc/coreos/update.conf`, `/etc/hosts`, flannel's options,
//! `/etc/environment`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::model::{CoreOs, DropIn, Oem, Section, Unit, Update};
use super::substitution::Addresses;

/// `/etc/oem-release`.
pub const OEM_RELEASE: &str = "/etc/oem-release";
/// `/etc/coreos/update.conf`.
pub const UPDATE_CONF: &str = "/etc/coreos/update.conf";
/// What [`UPDATE_CONF`] starts from where it is not there yet.
pub const UPDATE_CONF_DEFAULT: &str = "/usr/share/coreos/update.conf";
/// `/etc/hosts`.
pub const HOSTS: &str = "/etc/hosts";
/// `/run/flannel/options.env`.
pub const FLANNEL: &str = "/run/flannel/options.env";
/// `/etc/environment`.
pub const ENVIRONMENT: &str = "/etc/environment";

/// Name of the drop-ins with environment variables.
const DROP_IN: &str = "20-cloudinit.conf";

impl Section {
    /// `VARIABLE=value`, one for each option that is set.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|setting| format!("{}={}", setting.variable, setting.value))
    }

    /// True when a value is not to be shown.
    #[must_use]
    pub fn secret(&self) -> bool {
        self.0.iter().any(|setting| setting.secret)
    }

    /// The drop-in with all variables; empty when there are none.
    #[must_use]
    pub fn drop_in(&self) -> String {
        let lines: String =
            self.variables().map(|variable| format!("Environment=\"{variable}\"\n")).collect();
        if lines.is_empty() { lines } else { format!("[Service]\n{lines}") }
    }
}

/// The units that the sections bring. Those of etcd, etcd2, fleet and locksmith are there even when
/// nothing is set: they unmask the service.
#[must_use]
pub fn units(coreos: &CoreOs) -> Vec<Unit> {
    let service = |name: &str, section: &Section| Unit {
        name: name.to_owned(),
        runtime: true,
        drop_ins: vec![DropIn {
            name: DROP_IN.to_owned(),
            content: section.drop_in(),
            secret: section.secret(),
        }],
        ..Unit::default()
    };
    let mut units = vec![
        service("etcd.service", &coreos.etcd),
        service("etcd2.service", &coreos.etcd2),
        service("fleet.service", &coreos.fleet),
        service("locksmithd.service", &coreos.locksmith),
    ];
    units.extend(coreos.update.units());
    units
}

impl Update {
    /// The units whose state depends on it.
    #[must_use]
    pub fn units(&self) -> Vec<Unit> {
        let mut units = Vec::new();
        if !self.reboot_strategy.is_empty() {
            let off = self.reboot_strategy == "off";
            units.push(Unit {
                name: "locksmithd.service".to_owned(),
                command: if off { "stop" } else { "restart" }.to_owned(),
                mask: off,
                runtime: true,
                ..Unit::default()
            });
        }
        if !self.group.is_empty() || !self.server.is_empty() {
            units.push(Unit {
                name: "update-engine.service".to_owned(),
                command: "restart".to_owned(),
                ..Unit::default()
            });
        }
        units
    }

    /// [`UPDATE_CONF`], edited: `old` is that file, or [`UPDATE_CONF_DEFAULT`]. `None` when nothing is
    /// set.
    ///
    /// The first line that begins with a variable's name gives way to it; what finds no line comes at
    /// the end, by name.
    #[must_use]
    pub fn conf(&self, old: &str) -> Option<String> {
        let mut pending: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in
            [("GROUP", &self.group), ("REBOOT_STRATEGY", &self.reboot_strategy), ("SERVER", &self.server)]
        {
            if !value.is_empty() {
                pending.insert(name, value);
            }
        }
        if pending.is_empty() {
            return None;
        }
        let mut out = String::new();
        for line in lines(old.as_bytes()) {
            let line = String::from_utf8_lossy(line);
            let name = pending.keys().copied().find(|name| line.starts_with(name));
            match name.and_then(|name| Some((name, pending.remove(name)?))) {
                Some((name, value)) => _ = writeln!(out, "{name}={value}"),
                None => _ = writeln!(out, "{line}"),
            }
        }
        for (name, value) in pending {
            _ = writeln!(out, "{name}={value}");
        }
        Some(out)
    }
}

impl Oem {
    /// [`OEM_RELEASE`]; `None` without an `id`.
    #[must_use]
    pub fn release(&self) -> Option<String> {
        (!self.id.is_empty()).then(|| {
            format!(
                "ID={}\nVERSION_ID={}\nNAME={}\nHOME_URL={}\nBUG_REPORT_URL={}\n",
                self.id,
                self.version_id,
                quote(&self.name),
                quote(&self.home_url),
                quote(&self.bug_report_url)
            )
        })
    }
}

/// [`FLANNEL`]; `None` when nothing is set. It does not end with a line's end.
#[must_use]
pub fn flannel(section: &Section) -> Option<String> {
    let text = section.variables().collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}

/// [`HOSTS`] for `manage_etc_hosts: localhost`.
#[must_use]
pub fn hosts(hostname: &str) -> String {
    format!("127.0.0.1 {hostname}\n")
}

/// [`ENVIRONMENT`] with the machine's addresses in it; `None` when none is known.
#[must_use]
pub fn environment(old: &[u8], addresses: &Addresses) -> Option<Vec<u8>> {
    let variables: BTreeMap<&str, &str> = addresses
        .words()
        .into_iter()
        .filter_map(|(_, variable, address)| Some((variable, address.filter(|address| !address.is_empty())?)))
        .collect();
    (!variables.is_empty()).then(|| merge_environment(old, variables))
}

/// The addresses in a file of `NAME=value` lines; coreos-cloudinit takes them from its environment
/// where the metadata has none, and that is [`ENVIRONMENT`].
#[must_use]
pub fn addresses(environment: &str) -> Addresses {
    let value = |name: &str| {
        let of_line = |line: &str| {
            let value = line.trim().strip_prefix(name)?.strip_prefix('=')?.trim();
            Some(value.trim_matches(['"', '\'']).to_owned())
        };
        environment.lines().filter_map(of_line).next_back().filter(|value| !value.is_empty())
    };
    Addresses {
        public_ipv4: value("COREOS_PUBLIC_IPV4"),
        private_ipv4: value("COREOS_PRIVATE_IPV4"),
        public_ipv6: value("COREOS_PUBLIC_IPV6"),
        private_ipv6: value("COREOS_PRIVATE_IPV6"),
    }
}

/// A file of `NAME=value` lines with `variables` set in it: in place where the name stands already
/// (the first time only), the others at the end by name. Everything else stays, but lines end as on
/// Unix.
#[must_use]
pub fn merge_environment(old: &[u8], mut variables: BTreeMap<&str, &str>) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines(old) {
        let name = line.iter().position(|byte| *byte == b'=').and_then(|at| line.get(..at));
        let value = name.and_then(|name| std::str::from_utf8(name).ok()).and_then(|name| {
            let (name, _) = variables.get_key_value(name)?;
            let name = *name;
            Some((name, variables.remove(name)?))
        });
        match value {
            Some((name, value)) => out.extend_from_slice(format!("{name}={value}").as_bytes()),
            None => out.extend_from_slice(line),
        }
        out.push(b'\n');
    }
    for (name, value) in variables {
        out.extend_from_slice(format!("{name}={value}\n").as_bytes());
    }
    out
}

/// Lines without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = (!text.is_empty()).then_some(text.strip_suffix(b"\n").unwrap_or(text));
    let lines = whole.into_iter().flat_map(|text| text.split(|byte| *byte == b'\n'));
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Go's `%q`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            letter if (letter as u32) < 0x20 || letter == '\u{7f}' => {
                _ = write!(out, "\\x{:02x}", letter as u32);
            }
            letter
                if letter.is_control() || letter == '\u{feff}' || letter.is_whitespace() && letter != ' ' =>
            {
                _ = write!(out, "\\u{:04x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn update_conf_is_edited_in_place() {
        let update =
            Update { reboot_strategy: "off".to_owned(), group: "beta".to_owned(), ..Update::default() };
        assert_eq!(
            update.conf("# channel\nGROUP=stable\nGROUP=alpha\nSERVER=x").as_deref(),
            Some("# channel\nGROUP=beta\nGROUP=alpha\nSERVER=x\nREBOOT_STRATEGY=off\n")
        );
        assert_eq!(Update::default().conf("GROUP=stable"), None);
        let masked = update.units();
        assert_eq!(masked.len(), 2);
        assert!(masked[0].mask && masked[0].runtime && masked[0].command == "stop");
    }

    #[test]
    fn the_environment_keeps_what_it_has() {
        let variables = || BTreeMap::from([("A", "1"), ("Z", "26")]);
        for (old, wanted) in [
            ("", "A=1\nZ=26\n"),
            ("# c\n\nZ=0\nB = 2", "# c\n\nZ=26\nB = 2\nA=1\n"),
            ("A=0\r\nx\r\n", "A=1\nx\nZ=26\n"),
            ("A=0\nA=0\n", "A=1\nA=0\nZ=26\n"),
            (" A=0\n", " A=0\nA=1\nZ=26\n"),
        ] {
            let merged = merge_environment(old.as_bytes(), variables());
            assert_eq!(String::from_utf8_lossy(&merged), wanted, "{old:?}");
        }
        assert_eq!(environment(b"x\n", &Addresses::default()), None);
    }

    #[test]
    fn oem_release_quotes_as_go_does() {
        let oem = Oem { id: "hw".to_owned(), name: "a \"b\"\té".to_owned(), ..Oem::default() };
        assert_eq!(
            oem.release().as_deref(),
            Some("ID=hw\nVERSION_ID=\nNAME=\"a \\\"b\\\"\\té\"\nHOME_URL=\"\"\nBUG_REPORT_URL=\"\"\n")
        );
        assert_eq!(Oem::default().release(), None);
    }
}
