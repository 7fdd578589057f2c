//! One user's section of the human part: in plain text, sealed, or withheld.

use super::human::Repeated;
use super::text::{COLUMNS, paragraph, plain};
use super::{Block, SealedCredentials, Surroundings, UserCredentials, UserPart, WithheldCredentials};
use crate::qr::{Polarity, QrCode};

/// What a section repeats from the JSON, or draws from it, where there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// Nothing: `hardtack console` has it.
    Nothing,
    /// The armor of a sealed part.
    Armor,
    /// The QR code for light text on a dark screen.
    UpperCode,
    /// The same, and a framed one for dark text on a light screen.
    BothCodes,
}

/// Writes a section; a block of one user has no heading.
pub(super) fn write(
    user: &UserPart,
    block: &Block,
    surroundings: &Surroundings,
    extra: Extra,
    lines: &mut Vec<String>,
) {
    lines.push(String::new());
    let recovery = surroundings.recovery.as_deref() == Some(user.name());
    let note = if recovery { " (break-glass account: for the day on which nobody else gets in)" } else { "" };
    if block.users.len() > 1 || recovery {
        paragraph("For ", &format!("{}{note}:", plain(user.name())), 2, lines);
    }
    match user {
        UserPart::Plain(user) => {
            not_sealed(user, block, surroundings, lines);
            lines.extend(plain_lines(user).into_iter().map(|(_, line)| line));
            if !user.otpauth.is_empty() {
                codes(user, extra, lines);
            }
        }
        UserPart::Sealed(part) => sealed(part, block, recovery, extra, lines),
        UserPart::Withheld(part) => withheld(part, lines),
    }
}

/// What a reader finds again, see [`super::repeated`].
pub(super) fn repeated(user: &UserPart) -> Vec<Repeated> {
    match user {
        UserPart::Plain(user) => {
            plain_lines(user).into_iter().map(|(what, text)| Repeated::Line { what, text }).collect()
        }
        UserPart::Sealed(part) => {
            let armor = part.sealed.lines().map(str::to_owned).collect();
            vec![Repeated::Armor { armor, instead: instead(&part.name) }]
        }
        UserPart::Withheld(_) => Vec::new(),
    }
}

/// A part in plain text where the recipe asks to seal it.
fn not_sealed(user: &UserCredentials, block: &Block, surroundings: &Surroundings, lines: &mut Vec<String>) {
    let reason = surroundings.unsealed.iter().find(|(name, _)| *name == user.name).map(|(_, reason)| reason);
    if block.seal == "none" && reason.is_none() {
        return;
    }
    let reason = reason.map_or_else(String::new, |reason| format!(" The reason: {reason}."));
    let text = format!("whoever reads this console can log in with the other factors.{reason}");
    paragraph("NOT SEALED: ", &text, 2, lines);
}

/// The classic lines of google-authenticator, the URL, and the password; each with what it is.
fn plain_lines(user: &UserCredentials) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !user.secret.is_empty() {
        lines.push(("the secret key", format!("Your new secret key is: {}", plain(&user.secret))));
    }
    if !user.scratch_codes.is_empty() {
        lines.push(("the scratch codes", "Your emergency scratch codes are:".to_owned()));
        lines.extend(
            user.scratch_codes.iter().map(|code| ("the scratch codes", format!("  {}", plain(code)))),
        );
    }
    if !user.otpauth.is_empty() {
        lines.push(("the URL", "URL for authenticator apps (one line, broken here):".to_owned()));
        lines.extend(url_lines(&user.otpauth).into_iter().map(|line| ("the URL", line)));
    }
    // Not through `plain`: it may hold five dashes.
    let password: String = user.password.chars().filter(|c| matches!(c, ' '..='~')).collect();
    if password.len() + "Password: ".len() <= COLUMNS && !password.is_empty() {
        lines.push(("the password", format!("Password: {password}")));
    } else if !password.is_empty() {
        lines.push(("the password", "Password (one line, broken here):".to_owned()));
        lines.extend(pieces(&password).map(|piece| ("the password", piece)));
    }
    lines
}

/// The URL in pieces of at most 78 columns, broken before its query if possible.
fn url_lines(url: &str) -> Vec<String> {
    let url = plain(url);
    let (head, query) = url.find('?').map_or((url.as_str(), ""), |at| url.split_at(at));
    pieces(head).chain(pieces(query)).collect()
}

/// Indented chunks of ASCII: chunks of bytes are chunks of characters.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    text.as_bytes().chunks(COLUMNS - 2).map(|chunk| format!("  {}", String::from_utf8_lossy(chunk)))
}

/// The QR code twice where there is room: a terminal's colours are not known here, and readers want
/// dark on light. Nothing stands between the two, so that whoever cuts the code out of a log has
/// both. Where there is room for one, it is the upper one: consoles are light on dark, and whoever
/// has a log has a tool.
fn codes(user: &UserCredentials, extra: Extra, lines: &mut Vec<String>) {
    let code = QrCode::new(&user.otpauth).filter(|code| code.width() + 2 <= COLUMNS);
    match (code, extra) {
        (Some(code), Extra::BothCodes) => {
            lines.push(
                "The QR code: scan the upper one on a dark screen, the lower one on a light one.".to_owned(),
            );
            lines.extend(code.half_blocks(Polarity::LightOnDark));
            lines.extend(code.framed_half_blocks());
        }
        (Some(code), Extra::UpperCode) => {
            lines.push(
                "The QR code, for dark screens; `hardtack console` draws it for any screen:".to_owned(),
            );
            lines.extend(code.half_blocks(Polarity::LightOnDark));
        }
        _ => lines.push("`hardtack console` draws the QR code.".to_owned()),
    }
}

/// To whom, how to open it, and the armor or where it stands.
fn sealed(part: &SealedCredentials, block: &Block, recovery: bool, extra: Extra, lines: &mut Vec<String>) {
    let owner = match (block.seal.as_str(), recovery) {
        ("ssh" | "auto", false) => "the private half of a login key (ed25519 or RSA) of this user",
        ("ssh" | "auto", true) => "a key of its recipients, or a login key (ed25519 or RSA) of this user",
        _ => "a private key of the recipients that the recipe names",
    };
    paragraph("Sealed; it opens with ", &format!("{owner}, KEY:"), 2, lines);
    let several = block.users.len() > 1;
    let user = if several { format!(" --user {}", quoted(&part.name)) } else { String::new() };
    paragraph("  ", &format!("hardtack console LOG --identity KEY{user}"), 4, lines);
    lines.push("Or, without hardtack, with age (LOG is the console, saved):".to_owned());
    lines.extend(command(&part.name, several));
    if part.left_out > 0 {
        let text = format!("{} of its keys cannot open it: there was no room for more.", part.left_out);
        paragraph("", &text, 2, lines);
    }
    if extra == Extra::Armor {
        lines.extend(part.sealed.lines().map(str::to_owned));
    } else {
        paragraph("", &instead(&part.name), 2, lines);
    }
}

/// Stands where the armor does not.
fn instead(name: &str) -> String {
    format!("{}{}.", Repeated::INSTEAD, plain(name))
}

/// What cuts the newest sealed part out of a log, whatever its line ends and whatever stands
/// between its blocks: the JSON has it on one line, with line ends in letters. POSIX awk is enough.
fn command(name: &str, several: bool) -> Vec<String> {
    if !several {
        // Records end at quotes: the only one that begins as armor is the last block's.
        let program = r#"'/^-----B/{s=$0}END{gsub(/\\n/,"\n",s);print s}'"#;
        return vec![format!(r#"  awk -vRS=\" {program} LOG|age -d -i KEY"#)];
    }
    // A regular expression: what is not a letter or digit matches any character.
    let json = super::text::escape_json(&serde_json::to_string(name).unwrap_or_default());
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '"') { c } else { '.' };
    let pattern: String = json.chars().map(safe).collect();
    let tail = pattern.get(pattern.len().saturating_sub(40)..).unwrap_or_default();
    vec![
        format!(r#"  awk -F'{tail},"sealed":"' 'NF>1{{s=$2}}"#),
        r#"  END{sub(/".*/,"",s);gsub(/\\n/,"\n",s);print s}' LOG | age -d -i KEY"#.to_owned(),
    ]
}

/// A name as one word of a shell, when it is one without help.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.chars().all(plain) { name.to_owned() } else { "USER".to_owned() }
}

/// The reason has what to do in it: only who has made it knows.
fn withheld(part: &WithheldCredentials, lines: &mut Vec<String>) {
    paragraph("NOT PRINTED: ", &format!("{}.", part.withheld.trim_end_matches('.')), 2, lines);
}
