//! The human part of the block, in the order in which somebody in a hurry needs it.

use super::part::{self, Extra};
use super::text::{COLUMNS, paragraph, plain, wrap};
use super::{Block, HostKey, Surroundings, login};

/// Writes everything between the first line and the JSON; `extras` has one entry for each user.
pub(super) fn write(block: &Block, surroundings: &Surroundings, extras: &[Extra], lines: &mut Vec<String>) {
    root(block, lines);
    drift(block, lines);
    if block.users.is_empty() {
        fingerprints_only(surroundings, lines);
    }
    if !block.users.is_empty() || !surroundings.operator.is_empty() {
        login::write(block, surroundings, lines);
    }
    for (user, extra) in block.users.iter().zip(extras) {
        part::write(user, block, surroundings, *extra, lines);
    }
    if !surroundings.operator.is_empty() {
        lines.push(String::new());
    }
    for name in &surroundings.operator {
        paragraph(&format!("{}: ", plain(name)), "the code comes from the operator's enrolment.", 2, lines);
    }
    if !block.users.is_empty() && !surroundings.accepted.is_empty() {
        let names = surroundings.accepted.join(", ");
        paragraph("", &format!("Not printed again, because a code was accepted: {names}."), 2, lines);
    }
    lines.push(String::new());
    lines.extend(host_key_lines(&block.host_keys));
    lines.push(String::new());
    facts(block, surroundings, lines);
}

/// What the JSON says and the human part repeats: it must have arrived, or the block is damaged.
pub(crate) enum Repeated {
    /// A line.
    Line {
        /// What it is, for people, without a secret.
        what: &'static str,
        /// Its text.
        text: String,
    },
    /// The lines of a sealed part, or the sentence that says that they are in the JSON alone.
    Armor {
        /// From BEGIN to END.
        armor: Vec<String>,
        /// The sentence; it begins with [`Repeated::INSTEAD`].
        instead: String,
    },
}

impl Repeated {
    /// How the sentence begins that stands instead of armor.
    pub(crate) const INSTEAD: &str = "The JSON below has the sealed part of ";
}

/// Everything that is repeated, in the order of the human part.
pub(crate) fn repeated(block: &Block) -> Vec<Repeated> {
    let mut all: Vec<Repeated> = block.users.iter().flat_map(part::repeated).collect();
    let line = |text| Repeated::Line { what: "the host keys", text };
    all.extend(host_key_lines(&block.host_keys).into_iter().map(line));
    all
}

/// The overlay is missing and the machine goes on: nobody may overlook it.
fn root(block: &Block, lines: &mut Vec<String>) {
    let Some(wrong) = &block.root.wrong else { return };
    let rule = block.root.on_failure.as_deref().unwrap_or_default();
    let goes_on = match rule {
        "login-only" => "for logins only: tasks and the last stage of user-data are left out",
        _ => "as if nothing had happened",
    };
    let rule = format!("The recipe says on_failure: {rule}. The machine goes on {goes_on}.");
    let what = ["What is written is not kept as the recipe promised: it may lie unencrypted.", &rule];
    let heading = "THE OVERLAY IS NOT IN FORCE";
    let mut texts = vec![wrong.as_str()];
    texts.extend(what);
    loud(heading, texts, "The overlay failed", lines);
}

/// Logins ask for less than promised: nobody may overlook it.
fn drift(block: &Block, lines: &mut Vec<String>) {
    if !block.drift.is_empty() {
        let heading = "LOGINS ASK FOR LESS THAN THE RECIPE PROMISED";
        loud(heading, block.drift.iter().map(String::as_str), "Logins ask for less", lines);
    }
}

/// A bar of `!` with texts in it, and where the documentation says what to do.
fn loud<'a>(heading: &str, texts: impl IntoIterator<Item = &'a str>, chapter: &str, lines: &mut Vec<String>) {
    let bar = "!".repeat(60);
    lines.push(bar.clone());
    let mut loud = |text: &str, first: &str| {
        for (index, line) in wrap(text, COLUMNS - 6).into_iter().enumerate() {
            lines.push(format!("!!! {}{line}", if index == 0 { first } else { "  " }));
        }
    };
    loud(heading, "");
    texts.into_iter().for_each(|text| loud(text, "- "));
    loud(&format!("What to do: docs/lost-and-found.md, \"{chapter}\"."), "");
    lines.push(bar);
}

fn fingerprints_only(surroundings: &Surroundings, lines: &mut Vec<String>) {
    lines.push("Fingerprints only.".to_owned());
    if surroundings.accepted.is_empty() {
        if surroundings.operator.is_empty() {
            lines.push("No user of this machine has a code to print.".to_owned());
        }
    } else {
        let names = surroundings.accepted.join(", ");
        let text = format!("A code was accepted from {names}: the secret is not printed again.");
        paragraph("", &text, 0, lines);
        lines.push("A lost phone: docs/lost-and-found.md.".to_owned());
    }
}

/// Fingerprints and keys between the lines that cloud-init prints, for readers that know those.
fn host_key_lines(keys: &[HostKey]) -> Vec<String> {
    let mut lines = vec!["-----BEGIN SSH HOST KEY FINGERPRINTS-----".to_owned()];
    lines.extend(keys.iter().map(|key| plain(&key.fingerprint_line())));
    lines.push("-----END SSH HOST KEY FINGERPRINTS-----".to_owned());
    lines.push("-----BEGIN SSH HOST KEY KEYS-----".to_owned());
    lines.extend(keys.iter().map(|key| plain(&key.public_line())));
    lines.push("-----END SSH HOST KEY KEYS-----".to_owned());
    lines
}

fn facts(block: &Block, surroundings: &Surroundings, lines: &mut Vec<String>) {
    let instance = block.instance_id.as_deref().unwrap_or("unknown");
    paragraph(
        "Machine: ",
        &format!("{}, instance {instance}, boot {}", block.hostname, block.boot_id),
        2,
        lines,
    );
    let device = block.root.device.as_deref().unwrap_or("an unknown disk");
    let root = match block.root.overlay.as_deref() {
        Some("crypt") => format!("encrypted overlay on {device}"),
        Some("tmpfs") => "overlay in memory: what is written is gone after the next boot".to_owned(),
        Some("device") => format!("overlay on {device}, not encrypted"),
        Some(other) => format!("overlay ({other}) on {device}"),
        None => "the disk itself, without an overlay".to_owned(),
    };
    paragraph("Root: ", &root, 2, lines);
    if surroundings.random_key {
        let text =
            "The key is random: all above the image is new at each boot, the secrets and host keys too.";
        paragraph("  ", text, 2, lines);
    }
    let clock = match surroundings.synchronised {
        Some(true) => "synchronised",
        Some(false) => "NOT SYNCHRONISED: codes fail when it is off by more than a minute",
        None => "not known whether it is synchronised",
    };
    paragraph(
        "Time: ",
        &format!("{} UTC, {clock}", block.time.replace('T', " ").trim_end_matches('Z')),
        2,
        lines,
    );
    if let Some(packages) = &surroundings.packages {
        let verdict = if packages.ok { "installed at first boot" } else { "NOT ALL INSTALLED at first boot" };
        let detail =
            if packages.detail.is_empty() { String::new() } else { format!(": {}", packages.detail) };
        paragraph("Packages: ", &format!("{verdict}{detail}"), 2, lines);
    }
    if !block.doors.is_empty() {
        lines.push("Doors that ask for less:".to_owned());
        for door in &block.doors {
            paragraph("  - ", door, 4, lines);
        }
    }
    paragraph("Who can read this: ", readers(block), 2, lines);
}

fn readers(block: &Block) -> &'static str {
    if block.users.is_empty() {
        "everybody who can read this machine's console; it holds no secret."
    } else if block.users.iter().all(|user| user.plain().is_none()) {
        "everybody who can read this machine's console; what is sealed, the owners of the keys alone. A \
         stolen key and an old log are two factors: after the first login, root can renew the \
         secret with `hardtack-agent enroll --user USER`."
    } else {
        "everybody who can read this machine's console, live or as a log (the cloud's \
         administrators, your project's members). Log in soon: after the first accepted code no \
         boot prints the secret again."
    }
}
