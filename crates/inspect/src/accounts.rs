//! Who is in passwd(5), and what each can do.

use std::collections::{BTreeMap, BTreeSet};

use hardtack_guest::accounts::{self, is_crypt_hash};
use hardtack_guest::sshd::{Config, Connection};
use hardtack_guest::{Error, FileType, Stage};

use crate::Options;
use crate::model::User;
use crate::system::{names, text};

/// Users that are told; a hostile image could have any number.
const MOST: usize = 5000;
/// Lines of sudoers(5) that are read.
const MOST_RULES: usize = 2000;

pub(crate) fn users(stage: &Stage<'_>, sshd: Option<&Config>, options: Options) -> Result<Vec<User>, Error> {
    let passwd = text(stage, "/etc/passwd")?.unwrap_or_default();
    let shadow = text(stage, "/etc/shadow")?.unwrap_or_default();
    let groups = text(stage, "/etc/group")?.unwrap_or_default();
    let (passwd, shadow, groups) = (by_name(&passwd), by_name(&shadow), Groups::of(&groups));
    let rules = rules(stage)?;
    let mut users = Vec::new();
    for user in accounts::users(stage)?.into_iter().take(MOST) {
        let line = |lines: &BTreeMap<&str, &str>| -> Option<Vec<String>> {
            Some(lines.get(&*user.name)?.split(':').map(str::to_owned).collect())
        };
        let old = line(&passwd).and_then(|fields| fields.get(1).cloned()).unwrap_or_default();
        let aged = line(&shadow);
        let field = match (&aged, old.as_str()) {
            (Some(fields), "x") => fields.get(1).cloned(),
            (None, "x") => None,
            _ => Some(old),
        };
        let number = |index: usize| aged.as_ref()?.get(index)?.parse::<i64>().ok();
        let today = options.today.unwrap_or(1);
        // shadow(5): an end of the account; 0 as the day of the last change, and a change that is overdue.
        let ended = number(7).is_some_and(|day| day <= today);
        let overdue = match (number(2), number(4)) {
            (Some(0), _) => true,
            (Some(changed), Some(most)) if options.today.is_some() && most >= 0 => {
                changed.saturating_add(most) < today
            }
            _ => false,
        };
        let own = groups.with(&user.name, user.gid);
        let shell = if user.shell.is_empty() { "/bin/sh" } else { &user.shell };
        let works = !["nologin", "false", "sync", "shutdown", "halt"]
            .contains(&shell.rsplit('/').next().unwrap_or_default());
        let home = user.home.trim_end_matches('/');
        users.push(User {
            can_log_in: works && shell.starts_with('/') && is_file(stage, shell),
            password: match field.as_deref() {
                Some("") => "none",
                Some(field) if field.starts_with(['!', '*']) => "locked",
                Some(field) if is_crypt_hash(field) => "set",
                // Too short for a hash of anything: nothing matches it.
                Some(_) => "locked",
                None => "locked",
            },
            expired: ended || overdue,
            ended,
            keys: keys(stage, &user.name, home, &own, sshd)?,
            sudo: sudo(&rules, &user.name, user.uid, &own),
            code_secret: home.starts_with('/') && is_file(stage, &format!("{home}/.google_authenticator")),
            groups: own,
            name: user.name,
            uid: user.uid,
            home: user.home,
            shell: user.shell,
        });
    }
    Ok(users)
}

/// The first line of each name: with thousands of users none is looked for from the beginning.
fn by_name(text: &str) -> BTreeMap<&str, &str> {
    let mut lines = BTreeMap::new();
    for line in text.lines() {
        lines.entry(line.split(':').next().unwrap_or_default()).or_insert(line);
    }
    lines
}

/// group(5), by what is asked of it.
#[derive(Default)]
struct Groups<'t> {
    names: Vec<&'t str>,
    by_id: BTreeMap<u32, Vec<usize>>,
    by_member: BTreeMap<&'t str, Vec<usize>>,
}

impl<'t> Groups<'t> {
    fn of(text: &'t str) -> Self {
        let mut groups = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, id, members] = fields[..] else { continue };
            let index = groups.names.len();
            groups.names.push(name);
            if let Ok(id) = id.parse() {
                groups.by_id.entry(id).or_default().push(index);
            }
            for member in members.split(',') {
                groups.by_member.entry(member).or_default().push(index);
            }
        }
        groups
    }

    /// Those of a user, in the order of the file.
    fn with(&self, name: &str, gid: u32) -> Vec<String> {
        let own = [self.by_id.get(&gid), self.by_member.get(name)];
        let own: BTreeSet<usize> = own.into_iter().flatten().flatten().copied().collect();
        own.into_iter().map(|index| self.names[index].to_owned()).collect()
    }
}

fn is_file(stage: &Stage<'_>, path: &str) -> bool {
    matches!(stage.stat(path), Ok(Some(found)) if found.kind == FileType::Regular)
}

/// Lines in the files in which sshd looks for keys of a user.
fn keys(
    stage: &Stage<'_>,
    name: &str,
    home: &str,
    groups: &[String],
    sshd: Option<&Config>,
) -> Result<usize, Error> {
    let connection =
        Connection { user: Some(name.to_owned()), groups: groups.to_vec(), ..Connection::default() };
    let lines = sshd.map(|sshd| sshd.for_connection("AuthorizedKeysFile", &connection)).unwrap_or_default();
    let usual = || [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned).to_vec();
    let patterns = lines.first().map_or_else(usual, |line| line.words.clone());
    let mut count = 0;
    for pattern in patterns.iter().filter(|pattern| *pattern != "none") {
        let path = pattern.replace("%h", home).replace("%u", name).replace("%%", "%");
        let path = if path.starts_with('/') { path } else { format!("{home}/{path}") };
        let text = text(stage, &path)?.unwrap_or_default();
        count +=
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    }
    Ok(count)
}

/// A rule of sudoers(5): who, and whether a password is asked for.
struct Rule {
    who: String,
    free: bool,
}

fn rules(stage: &Stage<'_>) -> Result<Vec<Rule>, Error> {
    let mut files = vec!["/etc/sudoers".to_owned()];
    // Names with a dot or a tilde at the end are not read (sudoers(5), "@includedir").
    let is_read = |name: &String| !name.contains('.') && !name.ends_with('~');
    files.extend(
        names(stage, "/etc/sudoers.d")?
            .into_iter()
            .filter(is_read)
            .map(|name| format!("/etc/sudoers.d/{name}")),
    );
    let mut rules = Vec::new();
    for file in files {
        let text = text(stage, &file)?.unwrap_or_default().replace("\\\n", " ");
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(first) = words.first() else { continue };
            let is_other = ["#", "@", "Defaults", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias"];
            if is_other.iter().any(|word| first.starts_with(word))
                || !line.contains('=')
                || rules.len() >= MOST_RULES
            {
                continue;
            }
            rules.push(Rule { who: (*first).to_owned(), free: line.contains("NOPASSWD:") });
        }
    }
    Ok(rules)
}

fn sudo(rules: &[Rule], name: &str, uid: u32, groups: &[String]) -> &'static str {
    let mut matching = rules.iter().filter(|rule| {
        rule.who.split(',').any(|who| {
            who == "ALL"
                || who == name
                || who.strip_prefix('#').is_some_and(|id| id.parse() == Ok(uid))
                || who.strip_prefix('%').is_some_and(|group| groups.iter().any(|own| own == group))
        })
    });
    // The last that matches counts.
    match matching.next_back() {
        None => "no",
        Some(rule) if rule.free => "without password",
        Some(_) => "yes",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::MemoryTree;

    use super::*;

    #[test]
    fn states_of_passwords_keys_and_sudo() {
        let hash = "$6$abcdefgh$0123456789";
        let tree = MemoryTree::new()
            .file("/bin/bash", "")
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\na:x:1:1::/home/a:/bin/bash\nb::2:2::/b:/usr/sbin/nologin\nc:x:3:3::/c:/bin/bash\n")
            .file("/etc/shadow", format!("root:*:1::::::\na:{hash}:19000:0:99999:7:::\nc:!{hash}:1:::::1:\n"))
            .file("/etc/group", "wheel:x:9:a\na:x:1:\n")
            .file("/etc/sudoers", "Defaults env_reset\nroot ALL=(ALL) ALL\n%wheel ALL=(ALL) ALL\n")
            .file("/etc/sudoers.d/90-x", "a ALL=(ALL) NOPASSWD:ALL\n")
            .file("/etc/sudoers.d/no.conf", "c ALL=(ALL) ALL\n")
            .file("/home/a/.ssh/authorized_keys", "# x\nssh-ed25519 AAAA\n\nssh-rsa AAAA\n")
            .file("/home/a/.google_authenticator", "SECRET");
        let users = users(&Stage::new(&tree), None, Options::default()).unwrap();
        let told: Vec<_> = users
            .iter()
            .map(|user| (&*user.name, user.password, user.can_log_in, user.expired, user.keys, user.sudo))
            .collect();
        assert_eq!(
            told,
            [
                ("root", "locked", true, false, 0, "yes"),
                ("a", "set", true, false, 2, "without password"),
                ("b", "none", false, false, 0, "no"),
                ("c", "locked", true, true, 0, "no"),
            ]
        );
        assert_eq!(users[1].groups, ["wheel", "a"]);
        assert!(users[1].code_secret && !users[0].code_secret);
    }
}
