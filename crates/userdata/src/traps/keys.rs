//! SSH keys (`cloudinit/ssh_util.py`, `cloudinit/config/cc_ssh.py`; the blob's form is that of
//! RFC 4253, section 6.6).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::accounts::Users;
use super::{Report, shown, top, trap};
use crate::finding::Place;
use crate::truth::{is_false, truthy};
use crate::value::{Kind, Map, Value};

/// Types that today's sshd takes, and cloud-init knows.
const TYPES: &[&str] = &[
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com",
    "ssh-rsa",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-xmss-cert-v01@openssh.com",
    "ssh-xmss@openssh.com",
];

pub(super) fn look(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    if let Some(value) = top(config, "ssh_authorized_keys") {
        if value.as_text().is_some() {
            report.tell(trap(
                "keys-not-a-list",
                value.place,
                "ssh_authorized_keys",
                "one text where a list of keys belongs: each of its letters would be taken for a key",
                "write it as a list: `- ssh-ed25519 …` in a line of its own",
            ));
        }
        keys(value, "ssh_authorized_keys", report);
    }
    for account in &users.accounts {
        let Some(value) = account.get("ssh_authorized_keys") else { continue };
        let path = account.at("ssh_authorized_keys");
        if let Some(text) = value.as_text() {
            report.tell(trap(
                "keys-not-a-list",
                value.place,
                &*path,
                "one text where a list of keys belongs: the schema refuses it, and older cloud-init (22.4 of Debian 12) takes no key from it",
                "write it as a list: `- ssh-ed25519 …` in a line of its own",
            ));
            if text.trim().lines().count() > 1 {
                continue;
            }
        }
        keys(value, &path, report);
    }
    private_host_keys(config, report);
    nobody_gets_them(config, users, report);
    only_root(config, users, report);
}

fn keys(value: &Value, path: &str, report: &mut Report<'_>) {
    let Kind::List(items) = &value.kind else { return };
    for (index, item) in items.iter().enumerate() {
        if let Some(text) = item.as_text() {
            key(text, item.place, &format!("{path}.{index}"), report);
        }
    }
}

fn key(text: &str, place: Place, path: &str, report: &mut Report<'_>) {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') || report.is_told(place) {
        return;
    }
    if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
        report.tell(trap(
            "private-key",
            place,
            path,
            "this is a private key: it opens nothing here, and everybody who reads this user-data has it now",
            "put in the public half, the line of the `.pub` file, and make a new pair",
        ));
        return;
    }
    if text.starts_with("---- BEGIN") || text.starts_with("-----BEGIN") {
        report.tell(trap(
            "key-in-another-format",
            place,
            path,
            "this is not the one-line form of OpenSSH: sshd skips it",
            "convert it with `ssh-keygen -i -f FILE` (add `-m PKCS8` for PEM)",
        ));
        return;
    }
    if text.lines().count() > 1 {
        report.tell(trap(
            "key-on-several-lines",
            place,
            path,
            "a key is one line, and this item has more: sshd reads each line on its own",
            "one item for each key, each in one line",
        ));
        return;
    }
    // A second line that is indented deeper, and folded into the first.
    let mut words = text.split_ascii_whitespace().skip(2);
    if words.any(is_type) && text.matches(" AAAA").count() > 1 {
        report.tell(trap(
            "key-on-several-lines",
            place,
            path,
            "this item holds two keys: sshd reads the second one as a comment of the first",
            "one item for each key: `- ` before each, and all indented alike",
        ));
        return;
    }
    let problem = match split(text) {
        None => Some(format!("{} is no type of SSH key", shown(text.split(' ').next().unwrap_or_default()))),
        Some(("ssh-dss" | "ssh-dss-cert-v01@openssh.com", _)) => {
            report.tell(trap(
                "key-type-refused",
                place,
                path,
                "today's sshd and cloud-init take no DSA keys (`ssh-dss`) any more",
                "make a new one: `ssh-keygen -t ed25519`",
            ));
            return;
        }
        Some((kind, blob)) => blob_problem(kind, blob),
    };
    if let Some(problem) = problem {
        report.tell(trap(
            "key-is-damaged",
            place,
            path,
            format!("{problem}: sshd skips this key"),
            "put in the whole line of the `.pub` file",
        ));
    }
}

/// Type and blob of a line, options before them skipped.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if is_type(first) {
        return Some((first, words.next().unwrap_or_default()));
    }
    let mut quoted = false;
    let mut escaped = false;
    let end = line.char_indices().find(|(_, character)| {
        let ends = !quoted && matches!(character, ' ' | '\t');
        if escaped {
            escaped = false;
        } else if *character == '\\' {
            escaped = true;
        } else if *character == '"' {
            quoted = !quoted;
        }
        ends
    });
    let (at, _) = end?;
    let mut words = line.get(at..)?.split_ascii_whitespace();
    let kind = words.next().filter(|kind| is_type(kind))?;
    Some((kind, words.next().unwrap_or_default()))
}

fn is_type(word: &str) -> bool {
    TYPES.contains(&word) || matches!(word, "ssh-dss" | "ssh-dss-cert-v01@openssh.com")
}

/// What is wrong with the base64 behind the type.
fn blob_problem(kind: &str, blob: &str) -> Option<String> {
    if blob.is_empty() {
        return Some(format!("nothing follows `{kind}`"));
    }
    if blob.contains(['…', '<', '>', '[']) || blob.ends_with("...") {
        return Some("this is a placeholder for a key".to_owned());
    }
    let decoded = STANDARD.decode(blob).or_else(|_| STANDARD_NO_PAD.decode(blob));
    let Ok(bytes) = decoded else { return Some("the base64 of the key is damaged or cut off".to_owned()) };
    let mut rest = bytes.as_slice();
    let mut first = None;
    let mut fields = 0;
    while !rest.is_empty() {
        // A certificate holds numbers between its texts.
        if kind.contains("-cert-") && fields > 1 {
            break;
        }
        let Some((length, tail)) = rest.split_first_chunk::<4>() else { return Some(cut()) };
        // XMSS keys end with a signature's parameters.
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((field, tail)) = tail.split_at_checked(length) else { return Some(cut()) };
        first.get_or_insert(field);
        fields += 1;
        rest = tail;
    }
    let inside = String::from_utf8_lossy(first.unwrap_or_default()).into_owned();
    if inside != kind {
        return Some(format!("the line says `{kind}`, and the key in it is {}", shown(&inside)));
    }
    let wanted = match kind {
        "ssh-rsa" => 3,
        "ssh-ed25519" => 2,
        _ if kind.starts_with("ecdsa-sha2-") && !kind.contains("-cert-") => 3,
        _ => return None,
    };
    (fields != wanted).then(cut)
}

fn cut() -> String {
    "the key is cut off".to_owned()
}

/// `ssh_keys` holds the machine's own keys.
fn private_host_keys(config: &Map, report: &mut Report<'_>) {
    let Some(Kind::Map(host_keys)) = top(config, "ssh_keys").map(|value| &value.kind) else { return };
    for (name, value) in host_keys {
        let (Some(name), Some(text)) = (name.as_text(), value.as_text()) else { continue };
        let is_private = text.contains("PRIVATE KEY-----");
        let path = format!("ssh_keys.{name}");
        if name.ends_with("_private") && !is_private {
            report.tell(trap(
                "host-key-is-damaged",
                value.place,
                path,
                format!("`{name}` holds no private key (`-----BEGIN … PRIVATE KEY-----`): sshd could not start with it"),
                "put in the whole file, as a block: `|`",
            ));
        } else if name.ends_with("_public") && is_private {
            report.tell(trap(
                "host-key-is-damaged",
                value.place,
                path,
                format!("`{name}` holds a private key, which everybody could read"),
                format!("write `{}_private`", name.trim_end_matches("_public")),
            ));
        }
    }
}

/// Without a default user, keys of the top level only go to root, where a command stands before them.
fn nobody_gets_them(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    let Some(value) = top(config, "ssh_authorized_keys").filter(|value| truthy(value)) else { return };
    if users.has_default || top(config, "disable_root").is_some_and(is_false) {
        return;
    }
    report.tell(trap(
        "keys-for-nobody",
        value.place,
        "ssh_authorized_keys",
        "there is no default user: these keys go to root alone, and logins as root are turned away (`disable_root`)",
        "add `default` to `users`, or give a user of its own the keys",
    ));
}

/// Root's own keys are overwritten by the same key of the metadata.
fn only_root(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    if users.has_default || !users.has_keys("root") || top(config, "disable_root").is_some_and(is_false) {
        return;
    }
    let others = users.accounts.iter().any(|account| account.name != Some("root") && account.has_keys());
    let Some(root) = users.accounts.iter().find(|account| account.name == Some("root") && account.has_keys())
    else {
        return;
    };
    if others {
        return;
    }
    report.tell(trap(
        "only-root-has-keys",
        root.place,
        &root.path,
        "root alone has keys, and `disable_root` is true unless it is said: a key that the cloud knows, too, is turned away",
        "add `disable_root: false`, or make a user for logins",
    ));
}
