//! The key `profile` of a recipe: which hardening profile, and what is different about it here.

use hardtack_profile::{
    Exception, Kind, OpenPort, Packages, Profile, Protocol, Settings, TAILORINGS, Tailoring, rules,
};
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
        "open-ports",
        Shape::Several(&Shape::OneOf(&[Shape::Whole(1, 65535), Shape::Keys(OPEN_PORT)])),
        "Ports that the firewall opens besides SSH's.",
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

pub(super) const OPEN_PORT: &[Key] = &[
    Key::must("port", Shape::Whole(1, 65535), "Its number."),
    Key::may("protocol", Shape::Words(&["tcp", "udp"]), "Of which protocol (tcp)."),
    Key::may("from", Shape::Several(&Shape::Text), "Networks that it is open to. Without it, all."),
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
            for id in controls(reader, item, "enforce") {
                if profile.exceptions.iter().any(|exception| exception.rule == id) {
                    reader.error(item.span, format!("`{id}` is among the exceptions, too"));
                }
                if id == "boot-password" && fields.get("boot-password").is_none() {
                    let hint = "give its hash: `boot-password: {env: NAME}`";
                    reader.error_hint(
                        item.span,
                        "`boot-password` cannot be enforced without a password",
                        hint,
                    );
                }
                profile.enforce.push(id);
            }
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

fn exception(reader: &mut Reader<'_>, node: &Node) -> Vec<Exception> {
    let Some(fields) = reader.keyed(node, "an exception", EXCEPTION) else { return Vec::new() };
    let name = reader.required(&fields, "control", node.span);
    let reason = reader.required(&fields, "reason", node.span);
    let rules = name.map(|name| controls(reader, name, "control")).unwrap_or_default();
    let Some(reason) = reason.and_then(|reason| reader.line(reason, "reason")) else { return Vec::new() };
    if reason.trim().is_empty() {
        reader.error(node.span, "an exception needs a reason");
        return Vec::new();
    }
    rules.into_iter().map(|rule| Exception { rule, reason: reason.trim().to_owned() }).collect()
}

/// A control by its name, or all that a number of the benchmark stands for.
fn controls(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<&'static str> {
    let Some(text) = reader.line(node, what) else { return Vec::new() };
    let found: Vec<&str> = rules().iter().filter(|rule| rule.is_called(text)).map(|rule| rule.id).collect();
    if !found.is_empty() {
        return found;
    }
    let message = format!("no control of a profile is called {text:?}");
    let hint = match did_you_mean(text, rules().iter().map(|rule| rule.id)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`hardtack profiles all` lists them".to_owned(),
    };
    reader.error_hint(node.span, message, hint);
    Vec::new()
}

fn settings(reader: &mut Reader<'_>, fields: &super::reader::Fields<'_>) -> Settings {
    let mut settings = Settings::default();
    if let Some(value) = fields.get("ssh-from") {
        settings.ssh_from = networks(reader, value, "ssh-from", "leave the key out to open SSH to all");
    }
    if let Some(value) = fields.get("open-ports") {
        for item in reader.items(value, "open-ports") {
            if let Some(open) = open_port(reader, item) {
                let name = format!("{}/{}", open.port, open.protocol.word());
                let is_it = |one: &OpenPort| (one.port, one.protocol) == (open.port, open.protocol);
                if settings.open_ports.iter().any(is_it) {
                    let hint = "name its networks together: `from: [10.0.0.0/8, fd00::/8]`";
                    reader.error_hint(item.span, format!("port {name} is opened twice"), hint);
                }
                settings.open_ports.push(open);
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
        if settings.ssh_group.as_deref().is_some_and(|name| !is_name(name, "_-")) {
            reader.error(value.span, "`ssh-group` takes the name of a group");
        }
    }
    if let Some(value) = fields.get("time-servers") {
        settings.time_servers = texts(reader, value, "time-servers");
        if settings.time_servers.iter().any(|name| !is_name(name, ".-:")) {
            reader.error(value.span, "`time-servers` takes names or addresses of servers");
        }
    }
    if let Some(value) = fields.get("log-host") {
        settings.log_host = reader.line(value, "log-host").map(str::to_owned);
        let is_host = |text: &str| {
            text.rsplit_once(':').is_some_and(|(host, port)| {
                is_name(host.trim_matches(['[', ']']), ".-:")
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        };
        if settings.log_host.as_deref().is_some_and(|text| !is_host(text)) {
            reader.error_hint(
                value.span,
                "`log-host` takes a host and a port",
                "write logs.example.org:6514",
            );
        }
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

/// `443`, or a mapping.
fn open_port(reader: &mut Reader<'_>, node: &Node) -> Option<OpenPort> {
    let number = |reader: &mut Reader<'_>, node: &Node| {
        let port = reader.number(node, "port", 1..=65535)?;
        u16::try_from(port).ok()
    };
    if let NodeKind::Scalar(_) = node.kind {
        return Some(OpenPort { port: number(reader, node)?, ..OpenPort::default() });
    }
    let fields = reader.keyed(node, "an open port", OPEN_PORT)?;
    let port = reader.required(&fields, "port", node.span).and_then(|port| number(reader, port));
    let protocol = fields.get("protocol").map(|node| reader.word(node, "protocol", Protocol::WORDS));
    let from =
        fields.get("from").map(|node| networks(reader, node, "from", "leave the key out to open it to all"));
    Some(OpenPort {
        port: port?,
        protocol: protocol.unwrap_or_default().unwrap_or_default(),
        from: from.unwrap_or_default(),
    })
}

/// Networks, each of which is looked at.
fn networks(reader: &mut Reader<'_>, node: &Node, what: &str, none: &str) -> Vec<String> {
    let all = texts(reader, node, what);
    for (text, item) in all.iter().zip(reader.items(node, what)) {
        if !is_network(text) {
            let hint =
                "write an address and the number of bits that count, the rest zero: 10.0.0.0/8, fd00::/8";
            reader.error_hint(item.span, format!("{text:?} is no network"), hint);
        }
    }
    if all.is_empty() {
        reader.error_hint(node.span, format!("`{what}` names no network"), none);
    }
    all
}

fn texts(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let items = reader.items(node, what);
    items.iter().filter_map(|item| reader.line(item, what).map(str::to_owned)).collect()
}

/// An address of either family, with or without the number of bits that count.
fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let (most, number) = match address {
        std::net::IpAddr::V4(address) => (32, u128::from(u32::from(address))),
        std::net::IpAddr::V6(address) => (128, u128::from(address)),
    };
    let is_start = |bits: u32| number.trailing_zeros() >= most - bits || number == 0;
    bits.is_none_or(|bits| {
        !bits.is_empty()
            && bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u32>().is_ok_and(|bits| bits <= most && is_start(bits))
    })
}

/// Letters, digits and these characters, none of which stands first.
fn is_name(text: &str, others: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' && others.contains('_'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}
