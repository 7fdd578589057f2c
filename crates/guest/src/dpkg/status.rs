//! The status database `/var/lib/dpkg/status`.
//!
//! Stanzas that are not changed stay byte for byte as they are. The order of fields in those we
//! write is that of `fieldinfos` in dpkg's `lib/dpkg/parse.c`, and the way values are written that
//! of `dump.c`; the order of stanzas is by name, as dpkg has written it since 1.16.

use super::control::{Stanza, split};
use super::depends::{parse_field, write_field};
use super::package::Package;
use super::version::Version;
use crate::{Error, Stage};

/// Where the database is.
pub const STATUS_FILE: &str = "/var/lib/dpkg/status";

/// Large installations have some 10 MiB.
const STATUS_LIMIT: u64 = 256 << 20;

/// How far a package's installation has come; the order is that of dpkg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing of it is there.
    NotInstalled,
    /// Removed, but its configuration files are still there.
    ConfigFiles,
    /// Unpacking stopped halfway.
    HalfInstalled,
    /// Unpacked, not configured.
    Unpacked,
    /// Configuring stopped halfway.
    HalfConfigured,
    /// Waits for another package's triggers.
    TriggersAwaited,
    /// Has triggers to process.
    TriggersPending,
    /// Installed.
    Installed,
}

impl State {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::NotInstalled, "not-installed"),
        (Self::ConfigFiles, "config-files"),
        (Self::HalfInstalled, "half-installed"),
        (Self::Unpacked, "unpacked"),
        (Self::HalfConfigured, "half-configured"),
        (Self::TriggersAwaited, "triggers-awaited"),
        (Self::TriggersPending, "triggers-pending"),
        (Self::Installed, "installed"),
    ];

    /// The word in the `Status` field.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// Configured: a dependency on it is fulfilled now.
    #[must_use]
    pub fn is_configured(self) -> bool {
        self >= Self::TriggersAwaited
    }

    /// Its files are there.
    #[must_use]
    pub fn is_unpacked(self) -> bool {
        self >= Self::Unpacked
    }
}

/// A line of `Conffiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conffile {
    /// The path.
    pub path: String,
    /// The MD5 sum of the distributed file, or `newconffile`.
    pub hash: String,
    /// No longer part of the package.
    pub obsolete: bool,
    /// To be removed at the next upgrade.
    pub remove_on_upgrade: bool,
}

/// One package in the database.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The stanza as bytes, without the line that ends it.
    raw: Vec<u8>,
    /// The package; `None` for stanzas without a version (not installed).
    pub package: Option<Package>,
    /// The name, also where `package` is `None`.
    pub name: String,
    /// The first word of `Status`: `install`, `hold`, `deinstall`…
    pub want: String,
    /// The second word of `Status` is `reinstreq`.
    pub reinstall_required: bool,
    /// The third word of `Status`.
    pub state: State,
    /// The version that was configured last, where that is not `package`'s.
    pub config_version: Option<String>,
    /// `Conffiles`.
    pub conffiles: Vec<Conffile>,
    /// `Triggers-Pending`.
    pub triggers_pending: Vec<String>,
    /// `Essential` or `Protected`: a machine may not do without it.
    pub is_vital: bool,
    /// `Priority` and `Section`: these two outlive an upgrade to a version that has none.
    classification: [Option<String>; 2],
}

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    entries: Vec<Entry>,
    sorted: bool,
}

impl Database {
    /// Reads the image's database; `None` when there is none.
    pub fn read(stage: &Stage<'_>) -> Result<Option<Self>, Error> {
        match stage.read_limited(STATUS_FILE, STATUS_LIMIT)? {
            Some(content) => Self::parse(&content).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a database from the bytes of its file.
    pub fn parse(content: &[u8]) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for (line, raw) in split(content) {
            entries.push(Entry::parse(raw, line)?);
        }
        let sorted = entries.windows(2).all(|pair| pair[0].sort_key() <= pair[1].sort_key());
        Ok(Self { entries, sorted })
    }

    /// The file's bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut content = Vec::new();
        for entry in &self.entries {
            content.extend_from_slice(&entry.raw);
            content.push(b'\n');
        }
        content
    }

    /// All packages.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of the instance that `package` would install or replace.
    #[must_use]
    pub fn instance(&self, package: &Package) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.package.as_ref().is_some_and(|known| known.same_instance(package)))
    }

    /// The entry with this name as [`Package::full_name`] gives it, or the plain name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| {
            entry.package.as_ref().is_some_and(|package| package.full_name() == name || package.name == name)
        })
    }

    /// Puts a new entry in the place of the old instance, or where the order wants it.
    pub fn put(&mut self, entry: Entry) {
        let Some(package) = &entry.package else { return };
        let old = self.entries.iter().position(|known| match &known.package {
            Some(known) => known.same_instance(package),
            None => known.name == package.name,
        });
        match old {
            Some(index) => self.entries[index] = entry,
            None if self.sorted => {
                let index = self.entries.partition_point(|known| known.sort_key() <= entry.sort_key());
                self.entries.insert(index, entry);
            }
            None => self.entries.push(entry),
        }
    }

    /// Takes an entry out, as for a package of which nothing is left.
    pub fn forget(&mut self, package: &Package) {
        self.entries.retain(|entry| entry.package.as_ref().is_none_or(|known| !known.same_instance(package)));
    }

    /// Makes the first word of a package's `Status` this one (`hold`, `install`), as
    /// `dpkg --set-selections` does. False when it was so already, or there is no such package.
    ///
    /// # Errors
    /// None that a database which was read can give.
    pub fn set_want(&mut self, name: &str, want: &str) -> Result<bool, Error> {
        let Some(entry) = self.entry_mut(name).filter(|entry| entry.want != want) else { return Ok(false) };
        let flag = if entry.reinstall_required { "reinstreq" } else { "ok" };
        let status = format!("{want} {flag} {}", entry.state.name());
        let raw = entry.rewritten(&[("Status", Some(status))]);
        *entry = Entry::parse(&raw, 1)?;
        Ok(true)
    }

    /// Leaves of a package what `dpkg --remove` leaves where there are configuration files.
    ///
    /// # Errors
    /// None that a database which was read can give.
    pub fn leave_configuration(&mut self, package: &Package) -> Result<(), Error> {
        let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.package.as_ref().is_some_and(|known| known.same_instance(package)))
        else {
            return Ok(());
        };
        let configured = match &entry.package {
            Some(package) if entry.state.is_configured() => Some(package.version.to_string()),
            _ => entry.config_version.clone(),
        };
        let raw = entry.rewritten(&[
            ("Status", Some(format!("deinstall ok {}", State::ConfigFiles.name()))),
            ("Essential", None),
            ("Protected", None),
            ("Triggers-Pending", None),
            ("Triggers-Awaited", None),
            ("Config-Version", configured),
        ]);
        *entry = Entry::parse(&raw, 1)?;
        Ok(())
    }

    fn entry_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| {
            entry.package.as_ref().is_some_and(|package| package.full_name() == name || package.name == name)
        })
    }

    /// Notes that the installed package `name` has these triggers to process.
    pub fn add_pending(&mut self, name: &str, triggers: &[String]) -> Result<(), Error> {
        let Some(index) = self.entries.iter().position(|entry| {
            entry.package.as_ref().is_some_and(|package| package.full_name() == name || package.name == name)
        }) else {
            return Ok(());
        };
        let entry = &mut self.entries[index];
        let mut pending = entry.triggers_pending.clone();
        for trigger in triggers {
            if !pending.contains(trigger) {
                pending.push(trigger.clone());
            }
        }
        let state = if entry.state == State::TriggersAwaited { entry.state } else { State::TriggersPending };
        let raw = entry.with_pending(state, &pending);
        *entry = Entry::parse(&raw, 1)?;
        Ok(())
    }
}

impl Entry {
    /// The stanza's text, for fields that this type does not know; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.raw)
    }

    fn sort_key(&self) -> (&str, &str) {
        (&self.name, self.package.as_ref().map_or("", |package| &package.architecture))
    }

    fn parse(raw: &[u8], line: usize) -> Result<Self, Error> {
        // Some old maintainers' names are Latin-1; the bytes themselves are kept in `raw`.
        let text = String::from_utf8_lossy(raw);
        let stanza = Stanza::parse(&text, STATUS_FILE, line)?;
        let wrong = |what: String| Error::Refused(format!("{STATUS_FILE}:{line}: {what}"));
        let name =
            stanza.get("Package").ok_or_else(|| wrong("a stanza without Package".to_owned()))?.to_owned();
        let status = stanza.get("Status").ok_or_else(|| wrong(format!("package {name} has no Status")))?;
        let words: Vec<&str> = status.split_ascii_whitespace().collect();
        let [want, flag, state] = words[..] else {
            return Err(wrong(format!("package {name} has the Status {status:?}, not three words")));
        };
        let state = State::NAMES
            .iter()
            .find(|(_, known)| *known == state)
            .map(|(state, _)| *state)
            .ok_or_else(|| wrong(format!("package {name} has the Status {status:?}")))?;
        let package = match stanza.get("Version") {
            Some(_) => Some(Package::from_stanza(&stanza, STATUS_FILE)?),
            // dpkg takes none of it, either; as one that is not there it would be overlooked.
            None if state.is_unpacked() => return Err(wrong(format!("package {name} has no Version"))),
            None => None,
        };
        let mut raw = raw.to_vec();
        if raw.last() != Some(&b'\n') {
            raw.push(b'\n');
        }
        Ok(Self {
            raw,
            package,
            name,
            want: want.to_owned(),
            reinstall_required: matches!(flag, "reinstreq" | "hold-reinstreq"),
            state,
            config_version: stanza.get("Config-Version").map(str::to_owned),
            conffiles: stanza.get("Conffiles").map(parse_conffiles).unwrap_or_default(),
            triggers_pending: stanza
                .get("Triggers-Pending")
                .map(|text| text.split_ascii_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            is_vital: ["Essential", "Protected"]
                .iter()
                .any(|name| stanza.get(name).is_some_and(|value| value.eq_ignore_ascii_case("yes"))),
            classification: ["Priority", "Section"].map(|name| stanza.get(name).map(str::to_owned)),
        })
    }

    /// The stanza with these fields changed or taken out, each where dpkg writes it, and nothing else.
    fn rewritten(&self, changes: &[(&str, Option<String>)]) -> Vec<u8> {
        // Each field with the lines that go on with it.
        let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
        for line in self.raw.split_inclusive(|byte| *byte == b'\n') {
            let goes_on = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
            match fields.last_mut().filter(|_| goes_on) {
                Some((_, text)) => text.extend_from_slice(line),
                None => {
                    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                    fields.push((String::from_utf8_lossy(name).into_owned(), line.to_vec()));
                }
            }
        }
        let place = |name: &str| KNOWN_FIELDS.iter().position(|known| known.eq_ignore_ascii_case(name));
        for (name, value) in changes {
            let old = fields.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
            let line = value.as_ref().map(|value| format!("{name}: {value}\n").into_bytes());
            match (old, line) {
                (Some(index), Some(line)) => fields[index].1 = line,
                (Some(index), None) => drop(fields.remove(index)),
                (None, Some(line)) => {
                    let before = |known: &str| place(known).is_some_and(|known| Some(known) < place(name));
                    let index =
                        fields.iter().rposition(|(known, _)| before(known)).map_or(0, |index| index + 1);
                    fields.insert(index, ((*name).to_owned(), line));
                }
                (None, None) => {}
            }
        }
        fields.into_iter().flat_map(|(_, text)| text).collect()
    }

    /// The stanza, changed in its two fields and nowhere else.
    fn with_pending(&self, state: State, pending: &[String]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut last_known = 0;
        let starts = |line: &[u8], name: &str| {
            line.len() > name.len()
                && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                && line[name.len()] == b':'
        };
        let mut in_known = false;
        for line in self.raw.split_inclusive(|byte| *byte == b'\n') {
            let goes_on = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
            if starts(line, "Triggers-Pending") {
                continue;
            }
            if !goes_on {
                in_known = KNOWN_FIELDS.iter().any(|name| *name != "Triggers-Awaited" && starts(line, name));
            }
            if starts(line, "Status") {
                lines.push(format!("Status: {} ok {}\n", self.want, state.name()).into_bytes());
            } else {
                lines.push(line.to_vec());
            }
            if in_known {
                last_known = lines.len();
            }
        }
        lines.insert(last_known, format!("Triggers-Pending: {}\n", pending.join(" ")).into_bytes());
        lines.concat()
    }

    /// A new entry for a package unpacked from a `.deb` with this control stanza, in the place of
    /// `old`.
    pub fn new(
        stanza: &Stanza,
        origin: &str,
        old: Option<&Self>,
        state: State,
        conffiles: &[Conffile],
    ) -> Result<Self, Error> {
        let raw = write_stanza(stanza, origin, old, state, conffiles)?;
        Entry::parse(raw.as_bytes(), 1)
    }
}

/// The fields that dpkg knows, in the order in which it writes them.
const KNOWN_FIELDS: [&str; 30] = [
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Config-Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Filename",
    "Size",
    "Description",
    "Triggers-Pending",
    "Triggers-Awaited",
];

const RELATION_FIELDS: [&str; 9] = [
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
];

/// Fields that dpkg reads and does not write again.
const DROPPED_FIELDS: [&str; 7] =
    ["MD5sum", "MSDOS-Filename", "Revision", "Package-Revision", "Package_Revision", "Recommended", "Class"];

fn put(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push('\n');
    }
}

fn write_stanza(
    stanza: &Stanza,
    origin: &str,
    old: Option<&Entry>,
    state: State,
    conffiles: &[Conffile],
) -> Result<String, Error> {
    let want = match old {
        Some(old) if old.want == "hold" => "hold",
        _ => "install",
    };
    let config_version = old.and_then(|old| match &old.package {
        Some(package) if old.state.is_configured() => Some(package.version.to_string()),
        _ => old.config_version.clone(),
    });
    let inherited = |index: usize| old.and_then(|old| old.classification[index].as_deref());
    let mut text = String::new();
    for name in KNOWN_FIELDS {
        let value = match name {
            "Priority" => stanza.get(name).or(inherited(0)),
            "Section" => stanza.get(name).or(inherited(1)),
            name => stanza.get(name),
        };
        let value = value.unwrap_or_default();
        match name {
            "Status" => put(&mut text, name, &format!("{want} ok {}", state.name())),
            "Essential" | "Protected" => {
                put(&mut text, name, if value.eq_ignore_ascii_case("yes") { "yes" } else { "" })
            }
            "Priority" | "Multi-Arch" => {
                let lower = value.to_ascii_lowercase();
                let silent =
                    name == "Multi-Arch" && lower == "no" || name == "Priority" && lower == "unknown";
                put(&mut text, name, if silent { "" } else { &lower });
            }
            "Version" => {
                let version =
                    Version::parse(value).map_err(|what| Error::Refused(format!("{origin}: {what}")))?;
                put(&mut text, name, &version.to_string());
            }
            "Config-Version" => {
                if !state.is_configured() {
                    put(&mut text, name, config_version.as_deref().unwrap_or_default());
                }
            }
            "Conffiles" => {
                let lines = conffiles.iter().map(|conffile| {
                    let flags = match (conffile.obsolete, conffile.remove_on_upgrade) {
                        (false, false) => "",
                        (true, false) => " obsolete",
                        (false, true) => " remove-on-upgrade",
                        (true, true) => " obsolete remove-on-upgrade",
                    };
                    format!("\n {} {}{flags}", conffile.path, conffile.hash)
                });
                let lines: String = lines.collect();
                if !lines.is_empty() {
                    text.push_str(&format!("Conffiles:{lines}\n"));
                }
            }
            "Filename" | "Size" | "Triggers-Pending" | "Triggers-Awaited" => {}
            name if RELATION_FIELDS.contains(&name) => {
                let groups = parse_field(value)
                    .map_err(|what| Error::Refused(format!("{origin}: field {name}: {what}")))?;
                put(&mut text, name, &write_field(&groups));
            }
            name => put(&mut text, name, value),
        }
    }
    // Fields that dpkg does not know come last, in the order of the package.
    for (name, value) in stanza.fields() {
        if !KNOWN_FIELDS.iter().chain(&DROPPED_FIELDS).any(|known| known.eq_ignore_ascii_case(name)) {
            put(&mut text, name, value);
        }
    }
    Ok(text)
}

fn parse_conffiles(text: &str) -> Vec<Conffile> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line.trim();
        let (mut obsolete, mut remove_on_upgrade) = (false, false);
        loop {
            if let Some(head) = rest.strip_suffix(" obsolete") {
                (rest, obsolete) = (head, true);
            } else if let Some(head) = rest.strip_suffix(" remove-on-upgrade") {
                (rest, remove_on_upgrade) = (head, true);
            } else {
                break;
            }
        }
        if let Some((path, hash)) = rest.rsplit_once(' ') {
            found.push(Conffile {
                path: path.to_owned(),
                hash: hash.to_owned(),
                obsolete,
                remove_on_upgrade,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TWO: &str = "Package: adduser\nStatus: install ok installed\nArchitecture: all\nVersion: 3.1\n\
        Conffiles:\n /etc/adduser.conf cc34\n /etc/with space aa obsolete\nDescription: short\n long\n\n\
        Package: zlib1g\nStatus: hold ok triggers-pending\nArchitecture: amd64\nMulti-Arch: same\n\
        Version: 1:1.2\nDescription: z\nTriggers-Pending: x\nHomepage: h\n\n";

    #[test]
    fn keeps_what_is_not_touched() {
        let database = Database::parse(TWO.as_bytes()).unwrap();
        assert_eq!(database.write(), TWO.as_bytes());
        let first = &database.entries()[0];
        assert_eq!(first.conffiles[1].path, "/etc/with space");
        assert!(first.conffiles[1].obsolete && !first.conffiles[0].obsolete);
        let second = database.by_name("zlib1g:amd64").unwrap();
        assert_eq!((second.want.as_str(), second.state), ("hold", State::TriggersPending));
        assert_eq!(second.triggers_pending, ["x"]);
    }

    #[test]
    fn writes_fields_in_dpkgs_order_and_sorts() {
        let mut database = Database::parse(TWO.as_bytes()).unwrap();
        let control = "Homepage: https://example.org/\nDescription: a thing\n text\nPackage: libthing\n\
            Depends: libc6(>=2.14),a|b\nVersion: 0:1.0-1\nPriority: Optional\nArchitecture: amd64\n\
            Multi-Arch: same\nEssential: no\nX-More: 1\n";
        let stanza = Stanza::parse(control, "libthing.deb", 1).unwrap();
        let conffile = Conffile {
            path: "/etc/t".to_owned(),
            hash: "00".to_owned(),
            obsolete: false,
            remove_on_upgrade: false,
        };
        let old = Database::parse(
            b"Package: libthing\nStatus: deinstall ok config-files\nSection: libs\nVersion: 0.9\nConfig-Version: 0.9\n",
        )
        .unwrap();
        let old = old.entries().first();
        let entry = Entry::new(&stanza, "libthing.deb", old, State::Unpacked, &[conffile]).unwrap();
        database.put(entry);
        let names: Vec<&str> = database.entries().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["adduser", "libthing", "zlib1g"]);
        let text = String::from_utf8(database.write()).unwrap();
        let wanted = "Package: libthing\nStatus: install ok unpacked\nPriority: optional\nSection: libs\nArchitecture: amd64\n\
            Multi-Arch: same\nVersion: 1.0-1\nConfig-Version: 0.9\nDepends: libc6 (>= 2.14), a | b\n\
            Conffiles:\n /etc/t 00\nDescription: a thing\n text\nHomepage: https://example.org/\nX-More: 1\n\n";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn notes_pending_triggers() {
        let mut database = Database::parse(TWO.as_bytes()).unwrap();
        database.add_pending("adduser", &["/usr/lib/x".to_owned()]).unwrap();
        database.add_pending("zlib1g", &["x".to_owned(), "y".to_owned()]).unwrap();
        let text = String::from_utf8(database.write()).unwrap();
        assert!(text.contains("Status: install ok triggers-pending\nArchitecture: all"), "{text}");
        assert!(text.contains("Description: short\n long\nTriggers-Pending: /usr/lib/x\n\n"), "{text}");
        assert!(text.contains("Status: hold ok triggers-pending\n"), "{text}");
        assert!(text.contains("Description: z\nTriggers-Pending: x y\nHomepage: h\n"), "{text}");
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let error = Database::parse(b"Package: a\nStatus: install ok\n").unwrap_err().to_string();
        assert!(error.contains("/var/lib/dpkg/status:1: package a"), "{error}");
    }
}
