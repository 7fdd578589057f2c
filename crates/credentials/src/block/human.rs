//! The human part of the block, in the order in which somebody in a hurry needs it.

use super::text::{COLUMNS, paragraph, plain};
use super::{Block, HostKey, Surroundings, UserCredentials, UserPart};
use crate::qr::{Polarity, QrCode};

/// Bytes of QR codes in one block. Clouds keep 64 KiB of a console, and the block must fit.
const QR_BUDGET: usize = 32 * 1024;

/// Writes everything between the first line and the JSON.
pub(super) fn write(block: &Block, surroundings: &Surroundings, lines: &mut Vec<String>) {
    if block.users.is_empty() {
        fingerprints_only(surroundings, lines);
    } else {
        how_to_log_in(block, surroundings, lines);
    }
    let mut budget = QR_BUDGET;
    for user in block.users.iter().filter_map(UserPart::plain) {
        lines.push(String::new());
        if block.users.len() > 1 {
            lines.push(format!("For {}:", plain(&user.name)));
        }
        lines.extend(user_lines(user));
        qr_codes(user, &mut budget, lines);
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

/// The lines that the JSON determines: each must have arrived, or the block is damaged.
pub(crate) fn verifiable_lines(block: &Block) -> Vec<String> {
    let mut lines: Vec<String> =
        block.users.iter().filter_map(UserPart::plain).flat_map(user_lines).collect();
    lines.extend(host_key_lines(&block.host_keys));
    lines
}

fn fingerprints_only(surroundings: &Surroundings, lines: &mut Vec<String>) {
    lines.push("Fingerprints only.".to_owned());
    if surroundings.accepted.is_empty() {
        lines.push("No user of this machine has a code to print.".to_owned());
    } else {
        let names = surroundings.accepted.join(", ");
        let text = format!("A code was accepted from {names}: the secret is not printed again.");
        paragraph("", &text, 0, lines);
        lines.push("A lost phone: docs/lost-and-found.md.".to_owned());
    }
}

/// At most six numbered lines, one for each thing to do or to type.
fn how_to_log_in(block: &Block, surroundings: &Surroundings, lines: &mut Vec<String>) {
    let has = |factor: &str| surroundings.factors.iter().any(|have| have == factor);
    let names: Vec<&str> = block.users.iter().map(UserPart::name).collect();
    let user = plain(names.first().copied().unwrap_or_default());
    if names.len() > 1 {
        paragraph("How to log in as ", &format!("{user} (or {})", names[1..].join(", ")), 2, lines);
    } else {
        paragraph("How to log in as ", &user, 2, lines);
    }
    let mut steps = Vec::new();
    let options =
        if has("publickey") { "-o IdentitiesOnly=yes -i KEY" } else { "-o PubkeyAuthentication=no" };
    let command = |address: &str| format!("ssh {options} {user}@{address}");
    let address = surroundings.address.as_deref().map(plain);
    let known = address.map(|address| command(&address)).filter(|command| command.len() + 5 <= COLUMNS);
    let placeholder = known.is_none();
    steps.push(known.unwrap_or_else(|| command("ADDRESS")));
    match (has("publickey"), placeholder) {
        (true, true) => {
            steps.push("KEY: file of your private key; ADDRESS: where this machine is reached".to_owned())
        }
        (true, false) => {
            steps.push("KEY: file of your private key; its public half is in this machine".to_owned())
        }
        (false, true) => steps.push("ADDRESS: where this machine is reached".to_owned()),
        (false, false) => {}
    }
    steps.push("\"authenticity ... can't be established\": compare the fingerprint below".to_owned());
    if has("password") {
        steps.push("\"Password:\" the one that the image's builder set for this user".to_owned());
    }
    if has("totp") {
        steps.push("\"Verification code:\" six digits from an app that scanned the QR code below".to_owned());
        steps.push("No camera: type the secret key into the app. No phone: use a scratch code".to_owned());
    }
    for (index, step) in steps.iter().enumerate() {
        lines.push(format!("  {}. {step}", index + 1));
    }
}

/// The classic lines of google-authenticator, and the URL.
fn user_lines(user: &UserCredentials) -> Vec<String> {
    let mut lines = vec![
        format!("Your new secret key is: {}", plain(&user.secret)),
        "Your emergency scratch codes are:".to_owned(),
    ];
    lines.extend(user.scratch_codes.iter().map(|code| format!("  {}", plain(code))));
    lines.push("URL for authenticator apps (one line, broken here):".to_owned());
    lines.extend(url_lines(&user.otpauth));
    lines
}

/// The URL in pieces of at most 78 columns, broken before its query if possible.
fn url_lines(url: &str) -> Vec<String> {
    let url = plain(url);
    let width = COLUMNS - 2;
    let (head, query) = url.find('?').map_or((url.as_str(), ""), |at| url.split_at(at));
    let mut lines = Vec::new();
    for part in [head, query] {
        // `plain` made the text ASCII: chunks of bytes are chunks of characters.
        for chunk in part.as_bytes().chunks(width) {
            lines.push(format!("  {}", String::from_utf8_lossy(chunk)));
        }
    }
    lines
}

/// The QR code twice: a terminal's colours are not known here, and readers want dark on light.
/// Nothing stands between the two, so that whoever cuts the code out of a log has both.
fn qr_codes(user: &UserCredentials, budget: &mut usize, lines: &mut Vec<String>) {
    let Some(code) = QrCode::new(&user.otpauth) else { return };
    let mut drawn = code.half_blocks(Polarity::LightOnDark);
    drawn.extend(code.framed_half_blocks());
    let size: usize = drawn.iter().map(|line| line.len() + 2).sum();
    if code.width() + 2 > COLUMNS || size > *budget {
        lines.push("`hardtack console` draws the QR code.".to_owned());
        return;
    }
    *budget -= size;
    lines.push("The QR code: scan the upper one on a dark screen, the lower one on a light one.".to_owned());
    lines.extend(drawn);
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
    let readers = if block.users.is_empty() {
        "everybody who can read this machine's console; it holds no secret."
    } else {
        "everybody who can read this machine's console, live or as a log (the cloud's \
         administrators, your project's members). Log in soon: after the first accepted code no \
         boot prints the secret again."
    };
    paragraph("Who can read this: ", readers, 2, lines);
}
