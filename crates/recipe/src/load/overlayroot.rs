//! The `overlayroot` step's settings.
//!
//! The grammar is that of overlayroot.conf (cloud-initramfs-tools): `MODE:KEY=VALUE,KEY=VALUE`
//! inside double quotes in a file that a shell reads, so no value may hold a comma, a quote or
//! anything else that means something to a shell.

use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::{Fields, Reader, list};
use crate::Secret;
use crate::model::{FOUND, FindDisk, OnFailure, OverlayMode, OverlayrootStep};

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[
    Key::must("mode", Shape::Words(&["crypt", "tmpfs", "device"]), "Where what is written is kept."),
    Key::may(
        "dev",
        Shape::OneOf(&[Shape::Text, Shape::Keys(FIND)]),
        "The disk: /dev/NAME, LABEL=NAME, UUID=ID, or what it is known by. Not with `tmpfs`.",
    ),
    Key::may("wipe", Shape::Bool, "Whatever is on the disk may be erased (`crypt`)."),
    Key::may(
        "on_failure",
        Shape::Words(&["halt", "plain", "login-only"]),
        "What becomes of a boot without the overlay; nobody is enrolled if left out.",
    ),
    Key::may("timeout", Shape::Whole(0, 3600), "Seconds to wait for the disk; 20 if left out."),
    Key::may("mapname", Shape::Text, "The name of the mapping (`crypt`)."),
    Key::may("pass", Shape::Content, "The passphrase (`crypt`); a random key at each boot if left out."),
    Key::may("allow_clear_pass", Shape::Bool, "The passphrase may lie in clear on the lower disk."),
    Key::may("fstype", Shape::Text, "The file system made on the disk (`crypt`)."),
    Key::may(
        "mkfs",
        Shape::Whole(0, 2),
        "0 never, 1 when opening fails, 2 fail when opening fails (`crypt`).",
    ),
    Key::may("swap", SWITCH, "Swap is left alone (true) or switched off."),
    Key::may("recurse", SWITCH, "What is mounted below the root is overlaid too."),
    Key::may("debug", SWITCH, "A verbose log."),
    Key::may("dir", Shape::Text, "The directory of the upper layer on the disk."),
    Key::may("driver", Shape::Words(&["auto", "overlay", "overlayfs", "aufs"]), "The driver of the union."),
];

/// What a disk is known by whatever the kernel calls it: one of these.
const FIND: &[Key] = &[
    Key::may("ephemeral", Shape::Whole(0, MOST_EPHEMERAL), "The instance store of this number, from 0."),
    Key::may("ebs", Shape::Text, "The volume of EBS attached under this name: /dev/sdf."),
    Key::may("serial", Shape::Text, "The disk with this serial number."),
];
/// /dev/sdb to /dev/sdy.
const MOST_EPHEMERAL: u32 = 23;

const RULES: &[(&str, OnFailure)] =
    &[("halt", OnFailure::Halt), ("plain", OnFailure::Plain), ("login-only", OnFailure::LoginOnly)];

/// overlayroot itself writes them 0 and 1.
const SWITCH: Shape = Shape::OneOf(&[Shape::Bool, Shape::Whole(0, 1)]);

const MODES: &[(&str, OverlayMode)] =
    &[("crypt", OverlayMode::Crypt), ("tmpfs", OverlayMode::Tmpfs), ("device", OverlayMode::Device)];
const CRYPT_ONLY: &[&str] = &["mapname", "pass", "allow_clear_pass", "fstype", "mkfs", "wipe"];
const DISK_ONLY: &[&str] = &["dev", "timeout"];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<OverlayrootStep> {
    if let Some(value) = node.get("pass").filter(|value| value.as_mapping().is_none()) {
        reader.mask(value);
    }
    let fields = reader.keyed(node, "step `overlayroot`", KEYS)?;
    let mode = reader.required(&fields, "mode", at)?;
    let mode = reader.word(mode, "mode", MODES)?;
    let mut step = OverlayrootStep { mode, ..OverlayrootStep::default() };
    misplaced(reader, &fields, mode);
    if mode != OverlayMode::Tmpfs
        && let Some(value) = reader.required(&fields, "dev", at)
    {
        if value.as_mapping().is_some() {
            step.find = find(reader, value);
            step.dev = step.find.as_ref().map(|_| FOUND.to_owned());
        } else {
            step.dev = device(reader, value);
        }
    }
    if let Some(value) = fields.get("wipe") {
        step.wipe = reader.boolean(value, "wipe").unwrap_or_default();
    }
    if let Some(value) = fields.get("on_failure") {
        step.on_failure = reader.word(value, "on_failure", RULES);
    }
    if let Some(value) = fields.get("timeout") {
        step.timeout = reader.number(value, "timeout", 0..=3600).unwrap_or(step.timeout);
    }
    if let Some(value) = fields.get("allow_clear_pass") {
        step.allow_clear_pass = reader.boolean(value, "allow_clear_pass").unwrap_or_default();
    }
    if let Some(value) = fields.get("pass").filter(|_| mode == OverlayMode::Crypt) {
        step.pass = pass(reader, value);
        if !step.allow_clear_pass {
            reader.error_hint(
                fields.key_span("pass").unwrap_or(value.span),
                "`pass` would lie in clear on the lower disk, which is not encrypted",
                "leave it out for a random key at each boot, or accept it with `allow_clear_pass: true`",
            );
        }
    }
    let by_content =
        step.dev.as_deref().is_some_and(|dev| dev.starts_with("LABEL=") || dev.starts_with("UUID="));
    if by_content && mode == OverlayMode::Crypt && fields.get("pass").is_none() && !step.wipe {
        reader.error_hint(
            fields.get("dev").map_or(at, |value| value.span),
            "a disk that is found by its file system holds one, and is not erased",
            "give it by `serial`, or accept it with `wipe: true`: the label is gone then after the first boot",
        );
    }
    step.mapname = word(reader, &fields, "mapname", |text| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    });
    step.fstype = word(reader, &fields, "fstype", |text| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    step.dir = word(reader, &fields, "dir", |text| text.starts_with('/') && safe(text));
    if let Some(value) = fields.get("driver") {
        let words = [("auto", "auto"), ("overlay", "overlay"), ("overlayfs", "overlayfs"), ("aufs", "aufs")];
        step.driver = reader.word(value, "driver", &words).map(str::to_owned);
    }
    if let Some(value) = fields.get("mkfs") {
        step.mkfs = reader.number(value, "mkfs", 0..=2);
        if mode == OverlayMode::Crypt && step.mkfs == Some(0) && fields.get("pass").is_none() {
            reader.error_hint(
                value.span,
                "`mkfs: 0` needs `pass`: a random key can never open what is on the disk",
                "leave `mkfs` out",
            );
        }
    }
    for (key, place) in [("swap", &mut step.swap), ("recurse", &mut step.recurse), ("debug", &mut step.debug)]
    {
        if let Some(value) = fields.get(key) {
            *place = switch(reader, value, key);
        }
    }
    Some(step)
}

/// A boolean; overlayroot itself writes them 0 and 1.
fn switch(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<bool> {
    match node.text() {
        Some("0") => Some(false),
        Some("1") => Some(true),
        _ => reader.boolean(node, key),
    }
}

fn misplaced(reader: &mut Reader<'_>, fields: &Fields<'_>, mode: OverlayMode) {
    for (name, key, _) in fields.pairs() {
        if mode != OverlayMode::Crypt && CRYPT_ONLY.contains(name) {
            reader.error(
                key.span,
                format!("`{name}` belongs to mode `crypt`, and the mode here is `{}`", mode.as_str()),
            );
        } else if mode == OverlayMode::Tmpfs && DISK_ONLY.contains(name) {
            reader.error_hint(
                key.span,
                format!("`{name}` is about a disk, and mode `tmpfs` uses none"),
                format!("modes with a disk are {}", list(&["crypt", "device"])),
            );
        }
    }
}

fn word(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    fits: impl Fn(&str) -> bool,
) -> Option<String> {
    let value = fields.get(key)?;
    let text = reader.line(value, key)?;
    if !fits(text) {
        reader.error(value.span, format!("`{key}` cannot be `{text}`"));
        return None;
    }
    Some(text.to_owned())
}

/// True when `text` means itself in overlayroot's file and on its parameter list.
fn safe(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b",\"'`$\\;&|<>(){}[]*?!#~".contains(&byte))
}

/// `{ephemeral: 0}`, `{ebs: /dev/sdf}` or `{serial: S}`.
fn find(reader: &mut Reader<'_>, node: &Node) -> Option<FindDisk> {
    const WHAT: &str = "`dev`";
    let fields = reader.keyed(node, WHAT, FIND)?;
    let [(name, _, value)] = fields.pairs() else {
        reader.error_hint(
            node.span,
            "`dev` takes one thing that the disk is known by",
            "write `ephemeral: 0`, `ebs: /dev/sdf` or `serial: S`",
        );
        return None;
    };
    match *name {
        "ephemeral" => reader.number(value, "ephemeral", 0..=MOST_EPHEMERAL).map(FindDisk::Ephemeral),
        "ebs" => {
            let text = reader.line(value, "ebs")?;
            // EC2's user guide, "Device names on Linux instances": sdf, sdf1, xvdf, xvdba.
            let short = text.strip_prefix("/dev/").unwrap_or(text);
            let rest = short.strip_prefix("xvd").or_else(|| short.strip_prefix("sd")).unwrap_or_default();
            let letters = rest.trim_end_matches(|c: char| c.is_ascii_digit());
            let fits = matches!(letters.len(), 1 | 2)
                && letters.bytes().all(|byte| byte.is_ascii_lowercase())
                && rest.len() - letters.len() <= 2;
            if !fits {
                reader.error_hint(
                    value.span,
                    format!("`ebs` cannot be `{text}`"),
                    "write the name that the volume is attached under: /dev/sdf",
                );
                return None;
            }
            Some(FindDisk::Ebs(format!("/dev/{short}")))
        }
        "serial" => {
            let text = reader.line(value, "serial")?.trim();
            let fits =
                !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits || !safe(text) {
                reader.error(value.span, format!("`serial` cannot be `{text}`"));
                return None;
            }
            Some(FindDisk::Serial(text.to_owned()))
        }
        _ => None,
    }
}

fn device(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.line(node, "dev")?;
    let labelled =
        ["LABEL=", "UUID="].iter().any(|start| text.strip_prefix(start).is_some_and(|rest| !rest.is_empty()));
    let path = text.strip_prefix("/dev/").is_some_and(|rest| !rest.is_empty());
    let bare = !text.contains(['/', '=']);
    if !safe(text) || !(labelled || path || bare) {
        reader.error_hint(
            node.span,
            format!("`dev` cannot be `{text}`"),
            "write /dev/NAME, /dev/disk/by-partuuid/ID, LABEL=NAME or UUID=ID",
        );
        return None;
    }
    Some(if bare { format!("/dev/{text}") } else { text.to_owned() })
}

fn pass(reader: &mut Reader<'_>, node: &Node) -> Option<Secret> {
    let text = if node.as_mapping().is_some() {
        reader.elsewhere(node, "pass", true)?
    } else {
        reader.hidden(node, "pass")?
    };
    if text.is_empty() {
        reader.error_hint(node.span, "`pass` is empty", "leave it out for a random key at each boot");
        return None;
    }
    if !safe(&text) {
        reader.error_hint(
            node.span,
            "`pass` holds a character that overlayroot's configuration cannot carry",
            "use letters, digits and any of - _ . : / + = @ % ^",
        );
        return None;
    }
    Some(Secret::new(text))
}
