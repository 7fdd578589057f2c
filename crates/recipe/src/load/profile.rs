//! The key `profile` of a recipe: which hardening profile, and what is different about it here.

use hardtack_profile::{Exception, Kind, Packages, Profile, Settings, TAILORINGS, Tailoring, rules};
use hardtack_yaml::{Kind as NodeKind, Node, did_you_mean};

use super::keys::{Key, Shape};
use super::reader::Reader;

/// What `name` takes.
const NAMES: &[&str] = &["baseline", "cis-1", "cis-2"];

/// The value of the key: a name, or a mapping.
pub(super) const SHAPE: Shape = Shape::OneOf(&[Shape::Words(NAMES), Shape::Keys(KEYS)]);

pub(super) const KEYS: &[Key] = &[
    Key::must("name", Shape::Words(NAMES), "Which one."),
    Key::may(
        "exceptions",
        Shape::List(&Shape::Keys(EXCEPTION)),
        "Controls that are left out, each with its reason.",
    ),
    Key::may(
        "enforce",
        Shape::Several(&Shape::Text),
        "Controls, by name or number, that are wanted besides, or although the profile excepts them.",
    ),
    Key::may(
        "tailoring",
        Shape::Several(&Shape::Text),
        "Lists of exceptions that ship with the profiles, by name: `hardtack profiles` has them.",
    ),
    Key::may(
        "ssh-from",
        Shape::Several(&Shape::Text),
        "Networks that SSH is open to: 10.0.0.0/8, fd00::/8. Without it, all.",
    ),
    Key::may(
        "firewall-rollback",
        Shape::OneOf(&[Shape::Whole(1, 1440), Shape::Words(&["confirmed"])]),
        "Minutes until the firewall reopens unless somebody confirms it (10); `confirmed` confirms it here.",
    ),
    Key::may("banner", Shape::Text, "What people read before they log in. Without it, a text of ours."),
    Key::may(
        "post-quantum-only",
        Shape::Bool,
        "SSH takes only key exchanges that quantum computers do not break.",
    ),
    Key::may(
        "checker-friendly",
        Shape::Bool,
        "Values also go into main files, for checkers that read no drop-ins.",
    ),
    Key::may(
        "packages",
        Shape::Words(&["first-boot", "repository", "none"]),
        "Where packages come from that controls want: installed at first boot, by this build, or not at all.",
    ),
    Key::may("ssh-group", Shape::Text, "Only members of this group log in over SSH."),
    Key::may("time-servers", Shape::Several(&Shape::Text), "Time servers. Without it, the cloud's own."),
    Key::may("log-host", Shape::Text, "Where rsyslog sends what it gets: host:port."),
    Key::may(
        "tmp-size",
        Shape::Text,
        "How large /tmp may become: 25%, 512m. Without it, half of the memory.",
    ),
    Key::may(
        "boot-password",
        Shape::Content,
        "The boot menu's password as grub-mkpasswd-pbkdf2 hashes it: grub.pbkdf2.sha512.….",
    ),
];

pub(super) const EXCEPTION: &[Key] = &[
    Key::must("control", Shape::Text, "Its name or its number: sshd-banner, 5.1.5."),
    Key::must("reason", Shape::Text, "Why. It stands in every verdict."),
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Profile> {
    if let NodeKind::Scalar(_) = node.kind
        && !node.is_null()
    {
        return Some(Profile::new(reader.word(node, "profile", Kind::WORDS)?));
    }
    let fields = reader.keyed(node, "`profile`", KEYS)?;
    let name = reader.required(&fields, "name", node.span);
    let kind = name.and_then(|name| reader.word(name, "name", Kind::WORDS));
    let mut profile = Profile::new(kind.unwrap_or_default());
    if let Some(value) = fields.get("exceptions") {
        for item in reader.items(value, "exceptions") {
            profile.exceptions.extend(exception(reader, item));
        }
    }
    if let Some(value) = fields.get("enforce") {
        for item in reader.items(value, "enforce") {
            let Some(id) = control(reader, item, "enforce") else { continue };
            if profile.exceptions.iter().any(|exception| exception.rule == id) {
                reader.error(item.span, format!("`{id}` is among the exceptions, too"));
            }
            profile.enforce.push(id);
        }
    }
    if let Some(value) = fields.get("tailoring") {
        for item in reader.items(value, "tailoring") {
            let words: Vec<(&str, &'static Tailoring)> =
                TAILORINGS.iter().map(|one| (one.name, one)).collect();
            profile.tailorings.extend(reader.word(item, "tailoring", &words));
        }
    }
    profile.settings = settings(reader, &fields);
    Some(profile)
}

fn exception(reader: &mut Reader<'_>, node: &Node) -> Option<Exception> {
    let fields = reader.keyed(node, "an exception", EXCEPTION)?;
    let name = reader.required(&fields, "control", node.span);
    let reason = reader.required(&fields, "reason", node.span);
    let rule = control(reader, name?, "control")?;
    let reason = reader.line(reason?, "reason")?;
    if reason.trim().is_empty() {
        reader.error(node.span, "an exception needs a reason");
        return None;
    }
    Some(Exception { rule, reason: reason.trim().to_owned() })
}

/// A control by its name or number. A number in quotes or without: `5.1` is a number for YAML, and none of ours.
fn control(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<&'static str> {
    let text = reader.line(node, what)?;
    if let Some(rule) = rules().iter().find(|rule| rule.is_called(text)) {
        return Some(rule.id);
    }
    let message = format!("no control of a profile is called {text:?}");
    let hint = match did_you_mean(text, rules().iter().map(|rule| rule.id)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`hardtack profiles` lists them".to_owned(),
    };
    reader.error_hint(node.span, message, hint);
    None
}

fn settings(reader: &mut Reader<'_>, fields: &super::reader::Fields<'_>) -> Settings {
    let mut settings = Settings::default();
    if let Some(value) = fields.get("ssh-from") {
        settings.ssh_from = texts(reader, value, "ssh-from");
        for (text, item) in settings.ssh_from.iter().zip(reader.items(value, "ssh-from")) {
            if !is_network(text) {
                let hint = "write an address and the number of bits that count: 10.0.0.0/8, fd00::/8";
                reader.error_hint(item.span, format!("{text:?} is no network"), hint);
            }
        }
    }
    if let Some(value) = fields.get("firewall-rollback") {
        settings.firewall_confirmed = value.text() == Some("confirmed");
        if !settings.firewall_confirmed {
            settings.firewall_rollback = reader.number(value, "firewall-rollback", 1..=1440);
        }
    }
    if let Some(value) = fields.get("banner") {
        settings.banner = reader.text(value, "banner").map(str::to_owned);
    }
    if let Some(value) = fields.get("post-quantum-only") {
        settings.post_quantum_only = reader.boolean(value, "post-quantum-only").unwrap_or_default();
    }
    if let Some(value) = fields.get("checker-friendly") {
        settings.checker_friendly = reader.boolean(value, "checker-friendly").unwrap_or_default();
    }
    if let Some(value) = fields.get("packages") {
        let words = [
            ("first-boot", Packages::FirstBoot),
            ("repository", Packages::Repository),
            ("none", Packages::None),
        ];
        settings.packages = reader.word(value, "packages", &words).unwrap_or_default();
    }
    if let Some(value) = fields.get("ssh-group") {
        settings.ssh_group = reader.line(value, "ssh-group").map(str::to_owned);
    }
    if let Some(value) = fields.get("time-servers") {
        settings.time_servers = texts(reader, value, "time-servers");
    }
    if let Some(value) = fields.get("log-host") {
        settings.log_host = reader.line(value, "log-host").map(str::to_owned);
    }
    if let Some(value) = fields.get("tmp-size")
        && let Some(size) = reader.line(value, "tmp-size")
    {
        // As tmpfs(5) has it.
        let digits = size.trim_end_matches(['%', 'k', 'm', 'g', 'K', 'M', 'G']);
        if !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && size.len() - digits.len() <= 1
        {
            settings.tmp_size = Some(size.to_owned());
        } else {
            reader.error_hint(value.span, format!("{size:?} is no size"), "write 25%, 512m or 1g");
        }
    }
    if let Some(value) = fields.get("boot-password")
        && let Some(content) = reader.content(value, "boot-password", true)
    {
        let hash = content.text;
        let is_hash = hash.starts_with("grub.pbkdf2.sha512.")
            && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        if is_hash {
            settings.boot_password = Some(hash);
        } else {
            let hint = "make one with grub-mkpasswd-pbkdf2; the password itself stands nowhere";
            reader.error_hint(value.span, "`boot-password` takes a hash, grub.pbkdf2.sha512.…", hint);
        }
    }
    settings
}

fn texts(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let items = reader.items(node, what);
    items.iter().filter_map(|item| reader.line(item, what).map(str::to_owned)).collect()
}

/// An address of either family, with or without the number of bits that count.
fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| {
        !bits.is_empty()
            && bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u32>().is_ok_and(|n| n <= most)
    })
}
