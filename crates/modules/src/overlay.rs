//! A machine as it will be once some actions are carried out. A module that writes the same file
//! twice, or a user and then the user's keys, looks through it at what it has planned so far; and so
//! does a plan from module to module.
//!
//! Only what modules ask for is kept: files, directories, accounts and groups. What programs do beside
//! making accounts, groups and host keys is not known here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::action::Action;
use crate::machine::{Account, Machine};

/// A machine, and what is to change on it.
pub struct Overlay<'a> {
    below: &'a dyn Machine,
    /// Content of changed files; `None` for removed ones.
    files: BTreeMap<String, Option<Vec<u8>>>,
    directories: BTreeSet<String>,
    /// What `/etc/passwd`, `/etc/shadow` and `/etc/group` say, once somebody has asked: thousands of users
    /// are asked for one by one.
    names: RefCell<Option<Names>>,
}

#[derive(Default)]
struct Names {
    accounts: HashMap<String, Account>,
    groups: HashMap<String, u32>,
}

/// Files that [`Names`] are read from.
const NAME_FILES: [&str; 3] = ["/etc/passwd", "/etc/shadow", "/etc/group"];

impl<'a> Overlay<'a> {
    /// The machine `below` without changes.
    #[must_use]
    pub fn new(below: &'a dyn Machine) -> Self {
        Self { below, files: BTreeMap::new(), directories: BTreeSet::new(), names: RefCell::new(None) }
    }

    /// Takes `action` as done.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::Write { path, content, .. } => self.put(path, content.bytes.clone()),
            Action::Append { path, content, .. } => self.append(path, &content.bytes),
            Action::Fetch { path, fallback, .. } => {
                self.put(path, fallback.as_ref().map(|content| content.bytes.clone()).unwrap_or_default());
            }
            Action::Directory { path, .. } => {
                self.directories.insert(path.trim_end_matches('/').to_owned());
            }
            Action::Link { path, target } => {
                let content = self.read(target).unwrap_or_default();
                self.put(path, content);
            }
            Action::Remove { path } => {
                self.forget_names(path);
                self.files.insert(path.clone(), None);
            }
            Action::Run { argv, .. } => self.run(argv),
            Action::Post { .. } | Action::Console { .. } | Action::Live { .. } => {}
        }
    }

    fn put(&mut self, path: &str, content: Vec<u8>) {
        self.forget_names(path);
        self.files.insert(path.to_owned(), Some(content));
    }

    fn append(&mut self, path: &str, content: &[u8]) {
        self.forget_names(path);
        let below = self.below;
        let bytes = self.files.entry(path.to_owned()).or_insert_with(|| below.read(path));
        bytes.get_or_insert_default().extend_from_slice(content);
    }

    fn forget_names(&mut self, path: &str) {
        if NAME_FILES.contains(&path) {
            self.names.replace(None);
        }
    }

    /// Asks what the files of accounts and groups say.
    fn with_names<T>(&self, ask: impl FnOnce(&mut Names) -> T) -> T {
        let mut names = self.names.borrow_mut();
        let names = names.get_or_insert_with(|| {
            let text = |path| self.read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
            Names::read(&NAME_FILES.map(|path| text(path).unwrap_or_default()))
        });
        ask(names)
    }

    fn run(&mut self, argv: &[String]) {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["useradd", name, options @ ..] => self.add_account(name, options),
            ["adduser", options @ .., name] => self.add_account(name, options),
            ["groupadd" | "addgroup", name] | ["groupadd", name, "--extrausers"] => {
                self.add_group(name, None);
            }
            ["ssh-keygen", .., "-f", file] => {
                self.put(file, Vec::new());
                self.put(&format!("{file}.pub"), Vec::new());
            }
            _ => {}
        }
    }

    fn add_account(&mut self, name: &str, options: &[&str]) {
        if self.account(name).is_some() {
            return;
        }
        let option = |names: &[&str]| {
            options.windows(2).find_map(|pair| match pair {
                [option, value] if names.contains(option) => Some((*value).to_owned()),
                _ => None,
            })
        };
        let uid = option(&["--uid", "-u"]).and_then(|uid| uid.parse().ok()).unwrap_or_else(|| {
            let system = options.contains(&"--system") || options.contains(&"-S");
            self.free_uid(system)
        });
        let group = option(&["--gid", "-G"]);
        let gid = match group {
            Some(group) => group.parse().ok().or_else(|| self.group(&group)).unwrap_or(uid),
            None if options.contains(&"--no-user-group") => 100,
            None => self.add_group(name, Some(uid)),
        };
        let home = option(&["--home", "-h"]).unwrap_or_else(|| format!("/home/{name}"));
        let shell = option(&["--shell", "-s"]).unwrap_or_else(|| "/bin/sh".to_owned());
        let comment = option(&["--comment", "-g"]).unwrap_or_default();
        if !options.contains(&"-M") && !options.contains(&"-H") {
            self.directories.insert(home.trim_end_matches('/').to_owned());
        }
        self.add_line("/etc/passwd", &format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}"));
        self.add_line("/etc/shadow", &format!("{name}:!:::::::"));
        let hash = Some("!".to_owned());
        let account = Account { name: name.to_owned(), uid, gid, home, shell, hash };
        self.with_names(|names| names.accounts.insert(name.to_owned(), account));
    }

    fn add_group(&mut self, name: &str, wanted: Option<u32>) -> u32 {
        if let Some(gid) = self.group(name) {
            return gid;
        }
        let gid = wanted.unwrap_or_else(|| self.free_gid());
        self.add_line("/etc/group", &format!("{name}:x:{gid}:"));
        self.with_names(|names| names.groups.insert(name.to_owned(), gid));
        gid
    }

    fn free_uid(&self, system: bool) -> u32 {
        let range = if system { 100..=999 } else { 1000..=60_000 };
        self.with_names(|names| {
            let highest =
                names.accounts.values().map(|account| account.uid).filter(|uid| range.contains(uid)).max();
            highest.map_or(*range.start(), |number| number.saturating_add(1))
        })
    }

    fn free_gid(&self) -> u32 {
        let range = 1000..=60_000;
        self.with_names(|names| {
            let highest = names.groups.values().copied().filter(|gid| range.contains(gid)).max();
            highest.map_or(*range.start(), |number| number.saturating_add(1))
        })
    }

    /// Adds a line to a file of accounts, whose names are kept up by the caller.
    fn add_line(&mut self, path: &str, line: &str) {
        let names = self.with_names(std::mem::take);
        let ends = self.files.get(path).and_then(Option::as_ref).map(|text| text.ends_with(b"\n"));
        let ends = ends.unwrap_or_else(|| self.read(path).is_none_or(|text| text.ends_with(b"\n")));
        let line = format!("{}{line}\n", if ends { "" } else { "\n" });
        self.append(path, line.as_bytes());
        self.names.replace(Some(names));
    }
}

impl Names {
    fn read([passwd, shadow, group]: &[String; 3]) -> Self {
        let mut names = Self::default();
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        // The first line of a name counts.
        let mut hashes = HashMap::new();
        for line in shadow.lines().map(fields) {
            if let [name, hash, ..] = line.as_slice() {
                hashes.entry(name.clone()).or_insert_with(|| hash.clone());
            }
        }
        for line in passwd.lines().map(fields) {
            let [name, _, uid, gid, rest @ ..] = line.as_slice() else { continue };
            let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) else { continue };
            let get = |index: usize| rest.get(index).cloned().unwrap_or_default();
            names.accounts.entry(name.clone()).or_insert_with(|| Account {
                name: name.clone(),
                uid,
                gid,
                home: get(1),
                shell: get(2),
                hash: hashes.get(name).cloned(),
            });
        }
        for line in group.lines().map(fields) {
            if let [name, _, gid, ..] = line.as_slice()
                && let Ok(gid) = gid.parse()
            {
                names.groups.entry(name.clone()).or_insert(gid);
            }
        }
        names
    }
}

impl Machine for Overlay<'_> {
    fn account(&self, name: &str) -> Option<Account> {
        self.with_names(|names| names.accounts.get(name).cloned())
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.with_names(|names| names.groups.get(name).copied())
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.files.get(path) {
            Some(content) => content.clone(),
            None => self.below.read(path),
        }
    }

    fn exists(&self, path: &str) -> bool {
        if let Some(content) = self.files.get(path) {
            return content.is_some();
        }
        let path = path.trim_end_matches('/');
        self.directories.contains(path) || self.has_children(path) || self.below.exists(path)
    }

    fn list(&self, path: &str) -> Vec<String> {
        let above = format!("{}/", path.trim_end_matches('/'));
        let mut names: BTreeSet<String> = self.below.list(path).into_iter().collect();
        for (path, content) in self.files.range(above.clone()..) {
            let Some(rest) = path.strip_prefix(&above) else { break };
            let (name, deeper) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
            if content.is_some() {
                names.insert(name.to_owned());
            } else if !deeper {
                names.remove(name);
            }
        }
        for path in self.directories.range(above.clone()..) {
            let Some(rest) = path.strip_prefix(&above) else { break };
            names.extend(rest.split('/').next().map(str::to_owned));
        }
        names.into_iter().collect()
    }
}

impl Overlay<'_> {
    fn has_children(&self, path: &str) -> bool {
        let above = format!("{path}/");
        self.files
            .range(above.clone()..)
            .take_while(|(path, _)| path.starts_with(&above))
            .any(|(_, content)| content.is_some())
            || self.directories.range(above.clone()..).next().is_some_and(|path| path.starts_with(&above))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::action::Content;
    use crate::testing::Tree;

    fn run(words: &[&str]) -> Action {
        Action::Run {
            argv: words.iter().map(|word| (*word).to_owned()).collect(),
            stdin: None,
            environment: Vec::new(),
            optional: false,
        }
    }

    #[test]
    fn what_was_done_is_seen() {
        let tree = Tree::debian().with("/etc/a/b", "b");
        let mut overlay = Overlay::new(&tree);
        let write = |path: &str, text: &str| Action::Append {
            path: path.to_owned(),
            content: Content::open(text),
            mode: None,
            owner: None,
        };
        overlay.apply(&write("/etc/a/b", "c"));
        overlay.apply(&write("/etc/a/d/e", "e"));
        assert_eq!(overlay.read("/etc/a/b").unwrap(), b"bc");
        assert_eq!(overlay.list("/etc/a"), ["b", "d"]);
        assert!(overlay.exists("/etc/a/d"));
        overlay.apply(&Action::Remove { path: "/etc/a/b".to_owned() });
        assert!(!overlay.exists("/etc/a/b") && overlay.read("/etc/a/b").is_none());
        assert_eq!(overlay.list("/etc/a"), ["d"]);
    }

    #[test]
    fn accounts_and_groups_come_to_be() {
        let tree = Tree::debian();
        let mut overlay = Overlay::new(&tree);
        for argv in [
            &["groupadd", "docker"][..],
            &["useradd", "joe", "--groups", "docker", "--home", "/srv/joe", "-m"],
            &["useradd", "ann", "-m"],
        ] {
            overlay.apply(&run(argv));
        }
        assert_eq!(overlay.group("docker"), Some(1000));
        let joe = overlay.account("joe").unwrap();
        assert_eq!((joe.uid, joe.home.as_str()), (1000, "/srv/joe"));
        assert_eq!(overlay.account("ann").unwrap().uid, 1001);
        assert!(overlay.exists("/home/ann"));
    }
}
