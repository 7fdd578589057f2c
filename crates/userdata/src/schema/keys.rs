//! What is said about keys that cloud-init does not know: the one that was meant, those there are, or
//! where it belongs.

use std::fmt::Write;

use hardtack_yaml::did_you_mean;

use super::shape::{Keys, Others, Pattern, Shape};
use super::words::{LISTED, key_shown, plain};
use crate::finding::Finding;
use crate::operator;
use crate::value::Key;

/// The keys to choose from, if they are few.
pub(super) fn list_of(fields: Keys) -> Option<String> {
    let current = || fields.iter().filter(|(_, shape)| !matches!(shape, Shape::Old(_)));
    if current().count() > LISTED || fields.is_empty() {
        return None;
    }
    let mut out = String::new();
    for (name, _) in current() {
        let _ = write!(out, "{}`{name}`", if out.is_empty() { "" } else { ", " });
    }
    Some(out)
}

/// The key is of no form that the mapping takes.
pub(super) fn bad_key(parent: &str, pattern: &Pattern, key: &Key) -> Finding {
    let message = format!("the key `{}` in `{parent}` is not {}", key_shown(parent, key), pattern.wanted);
    Finding::error("unknown-key", key.place, message)
}

/// The key is a number, a boolean or the like, where cloud-init handles names.
pub(super) fn key_not_text(parent: &str, key: &Key) -> Finding {
    let message = format!("the key `{}` in `{parent}` is no text for YAML", plain(&key.kind));
    Finding::error("wrong-type", key.place, message).with_hint("put the key in quotes")
}

/// Keys of the top level whose names are usual elsewhere, too.
const COMMON: &[&str] = &["fqdn", "groups", "hostname", "output", "password", "user", "users", "version"];

/// The mapping has no such key; `bare` when nothing stands behind it.
pub(super) fn unknown_key(parent: &str, key: &Key, bare: bool, fields: Keys, tables: &[Keys]) -> Finding {
    let name = key_shown(parent, key);
    let finding = Finding::error("unknown-key", key.place, format!("unknown key `{name}` in `{parent}`"));
    let top_level = || {
        let known = tables.iter().any(|table| table.iter().any(|(known, _)| *known == name));
        let told = known && !COMMON.contains(&name.as_str());
        told.then(|| format!("`{name}` is a key of the top level: mind the indentation"))
    };
    let package = || {
        let alone = bare && parent.starts_with("packages.");
        alone.then(|| format!("write the name alone, with no colon behind it: `- {name}`"))
    };
    let hint = near_key(&name, fields).or_else(package).or_else(top_level);
    match hint.or_else(|| list_of(fields).map(|keys| format!("keys here: {keys}"))) {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// Words that people write for a key: what they write, the key that has to be there, and the hint.
const SYNONYMS: &[(&str, &str, &str)] = &[
    ("authorized_keys", "ssh_authorized_keys", "cloud-init calls it `ssh_authorized_keys`"),
    ("body", "content", "cloud-init calls it `content`"),
    ("dest", "path", "cloud-init calls it `path`"),
    ("file", "path", "cloud-init calls it `path`"),
    ("filename", "path", "cloud-init calls it `path`"),
    ("home", "homedir", "cloud-init calls it `homedir`"),
    ("mode", "permissions", "cloud-init calls it `permissions`"),
    ("passwd", "password", "here it is `password`: a hash, unless `type: text` stands beside it"),
    ("password", "passwd", "write `passwd` for a hash, `plain_text_passwd` for the word itself"),
    ("src", "source", "cloud-init calls it `source`"),
    ("ssh_key", "ssh_authorized_keys", "cloud-init calls it `ssh_authorized_keys`, with a list"),
    ("ssh_keys", "ssh_authorized_keys", "cloud-init calls it `ssh_authorized_keys`"),
    ("user", "name", "cloud-init calls it `name`"),
    ("username", "name", "cloud-init calls it `name`"),
];

/// The known key that was meant: another spelling of it first, then the nearest.
fn near_key(name: &str, fields: &[(&'static str, Shape)]) -> Option<String> {
    let current = || {
        let current = fields.iter().filter(|(_, shape)| !matches!(shape, Shape::Old(_)));
        current.map(|(known, _)| *known)
    };
    let spelled = |word: &str| word.to_ascii_lowercase().replace(['-', ' '], "_");
    let wanted = spelled(name);
    if let Some(same) = current().find(|known| spelled(known) == wanted) {
        let why = if name.contains('-') && !same.contains('-') {
            ": hyphens in keys are coreos-cloudinit's"
        } else {
            ""
        };
        return Some(format!("cloud-init spells it `{same}`{why}"));
    }
    let synonym =
        SYNONYMS.iter().find(|(word, key, _)| *word == wanted && current().any(|known| known == *key));
    if let Some((_, _, hint)) = synonym {
        return Some((*hint).to_owned());
    }
    // `server` for `server_url`, `power_state_change` for `power_state`.
    let longer = |known: &&str| {
        let (long, short) = if known.len() > name.len() { (*known, name) } else { (name, *known) };
        short.len() > 2 && long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'))
    };
    let near = did_you_mean(name, current()).or_else(|| {
        let mut longer = current().filter(longer);
        longer.next().filter(|_| longer.next().is_none())
    });
    near.map(|near| format!("did you mean `{near}`?"))
}

/// Keys that people write into user-data and that cloud-init reads elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("coreos", "`coreos` is read by coreos-cloudinit alone: cloud-init ignores everything under it"),
    (
        "network",
        "cloud-init takes no network configuration from user-data: give it as the data source's network-config",
    ),
    (
        "datasource",
        "the data source is chosen before user-data is read: set it in /etc/cloud/cloud.cfg.d of the image",
    ),
    (
        "datasource_list",
        "the data source is chosen before user-data is read: set it in /etc/cloud/cloud.cfg.d of the image",
    ),
    ("name", "`name` belongs to an entry of `users`: write `users:`, and below it `- name: …`"),
    ("instance-id", "that is meta-data, not user-data"),
    ("local-hostname", "that is meta-data: in user-data write `hostname`"),
    (
        "apt_mirror",
        "that form is no more: write `apt:`, below it `primary:`, and there `- arches: [default]` with `uri`",
    ),
    ("apt_proxy", "that form is no more: write `apt:`, and below it `proxy`"),
    ("apt_sources", "that form is no more: write `apt:`, and below it `sources` with a name for each"),
    ("public-keys", "that is meta-data: in user-data write `ssh_authorized_keys`"),
];

/// Names of modules that people take for keys, and what the module reads (`cloudinit/config/cc_*.py`).
const MODULES: &[(&str, &str)] = &[
    ("apk_configure", "`apk_repos`"),
    ("apt_configure", "`apt`"),
    ("install_hotplug", "`updates`"),
    ("keys_to_console", "`ssh_key_console_blacklist` and `ssh`"),
    ("package_update_upgrade_install", "`packages`, `package_update` and `package_upgrade`"),
    ("power_state_change", "`power_state`"),
    ("resizefs", "`resize_rootfs`"),
    ("seed_random", "`random_seed`"),
    ("set_hostname", "`hostname` and `fqdn`"),
    ("set_passwords", "`chpasswd`, `password` and `ssh_pwauth`"),
    ("scripts_vendor", "`vendor_data`"),
    ("ssh_authkey_fingerprints", "`no_ssh_fingerprints` and `authkey_hash`"),
    ("ubuntu_autoinstall", "`autoinstall`"),
    ("ubuntu_drivers", "`drivers`"),
    ("update_etc_hosts", "`manage_etc_hosts`"),
    ("update_hostname", "`hostname` and `preserve_hostname`"),
    ("users_groups", "`users` and `groups`"),
    ("write_files_deferred", "`write_files`, with `defer: true` in a file's entry"),
    ("yum_add_repo", "`yum_repos`"),
    ("zypper_add_repo", "`zypper`"),
];

fn module(name: &str) -> Option<String> {
    let name = name.strip_prefix("cc_").unwrap_or(name).replace('-', "_");
    let (_, keys) = MODULES.iter().find(|(module, _)| *module == name)?;
    Some(format!("that is the name of a module: write {keys}"))
}

/// Cloud-init has no such top-level key.
pub(super) fn unknown_top_level(key: &Key, tables: &[Keys]) -> Finding {
    let name = plain(&key.kind);
    let finding = Finding::error("unknown-key", key.place, format!("unknown key `{name}`"));
    if key.as_text().is_none() {
        return finding.with_hint("keys are text: put it in quotes if that is one");
    }
    let hint = ELSEWHERE
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, hint)| (*hint).to_owned())
        .or_else(|| module(&name))
        .or_else(|| owner(&name, tables))
        .or_else(|| {
            let all: Vec<(&'static str, Shape)> =
                tables.iter().flat_map(|table| table.iter().copied()).collect();
            near_key(&name, &all)
        })
        .or_else(|| {
            let near = did_you_mean(&name, [operator::KEY]);
            near.map(|near| {
                format!("did you mean `{near}`? that is the agent's key; cloud-init ignores both")
            })
        })
        .unwrap_or_else(|| "cloud-init ignores it".to_owned());
    finding.with_hint(hint)
}

/// The only top-level key that has a key of this name directly below it.
fn owner(name: &str, tables: &[Keys]) -> Option<String> {
    let mut owners = tables.iter().flat_map(|table| table.iter()).filter(|(_, shape)| holds(shape, name));
    let (owner, shape) = owners.next()?;
    if owners.next().is_some() || matches!(shape, Shape::Old(_)) {
        return None;
    }
    Some(format!("`{name}` belongs below `{owner}`: mind the indentation"))
}

fn holds(shape: &Shape, name: &str) -> bool {
    match shape {
        Shape::Map(map) => {
            !matches!(map.others, Others::Any) && map.fields.iter().any(|(known, _)| *known == name)
        }
        _ => false,
    }
}
