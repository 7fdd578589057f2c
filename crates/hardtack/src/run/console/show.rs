//! The credentials as text.

use std::io::{Result, Write};

use hardtack_credentials::qr::{Polarity, QrCode};
use hardtack_credentials::{Block, SealedCredentials, UserCredentials, UserPart};

use super::words::word;
use super::{Surroundings, open, words};
use crate::terminal::Terminal;

/// Everything that a block says, for the chosen users. `keys`: files that log in, as far as they are known.
pub(super) fn block(
    block: &Block,
    users: &[&UserPart],
    around: &Surroundings,
    keys: &[open::LoginKey],
    out: &mut dyn Write,
) -> Result<()> {
    let instance =
        block.instance_id.as_deref().map_or(String::new(), |id| format!(", instance {}", plain(id)));
    writeln!(out, "Machine: {}{instance}", plain(&block.hostname))?;
    writeln!(out, "Printed: {} by the machine's clock, boot {}", plain(&block.time), plain(&block.boot_id))?;
    let device =
        block.root.device.as_deref().map_or(String::new(), |device| format!(" on {}", plain(device)));
    match block.root.overlay.as_deref() {
        Some(overlay) => writeln!(out, "Root:    overlay ({}){device}", plain(overlay))?,
        None => writeln!(out, "Root:    the disk itself, without an overlay")?,
    }
    if !block.drift.is_empty() {
        writeln!(out, "\n!!! THIS MACHINE ASKS FOR LESS THAN ITS RECIPE PROMISED:")?;
        for drift in &block.drift {
            writeln!(out, "!!!   - {}", plain(drift))?;
        }
    }
    if block.users.is_empty() {
        writeln!(
            out,
            "\nFingerprints only: a code was accepted (or no user has one), and no secret is printed again."
        )?;
    }
    for one in users {
        writeln!(out)?;
        match one {
            UserPart::Plain(credentials) => user(credentials, around.terminal, out)?,
            UserPart::Sealed(part) => sealed(block, part, around, out)?,
            UserPart::Withheld(part) => {
                writeln!(out, "User {}", plain(&part.name))?;
                writeln!(out, "Not printed: {}", plain(&part.withheld))?;
            }
        }
    }
    writeln!(out, "\nSSH host keys:")?;
    for key in &block.host_keys {
        writeln!(out, "  {}", plain(&key.fingerprint_line()))?;
    }
    if !block.doors.is_empty() {
        writeln!(out, "\nDoors that ask for less:")?;
        for door in &block.doors {
            writeln!(out, "  - {}", plain(door))?;
        }
    }
    if let Some(place) = &around.host {
        let users: Vec<_> = users.iter().filter(|part| !matches!(part, UserPart::Withheld(_))).collect();
        for part in &users {
            let key = keys.iter().find(|(user, _)| user == part.name()).map(|(_, file)| file.as_path());
            writeln!(out, "\nLog in: {}", words::ssh(place, Some(&plain(part.name())), key))?;
        }
        if users.is_empty() {
            writeln!(out, "\nLog in: {}", words::ssh(place, None, None))?;
        }
    }
    Ok(())
}

/// A part that nobody has opened: for whom it is, and the command that opens it.
fn sealed(block: &Block, part: &SealedCredentials, around: &Surroundings, out: &mut dyn Write) -> Result<()> {
    let recipients = open::recipients(part);
    // A recovery account has recipients of its own, whatever `seal` says; no login key is one of age's.
    let named = block.seal == "recipients" || recipients.iter().any(|recipient| recipient.contains("age1"));
    let keys = if named { "the recipe's recipient(s)" } else { "the login key(s)" };
    // Only for somebody who is there: a script's output does not depend on the home it runs in.
    let own = around.ssh_directory.as_deref().filter(|_| around.terminal.width.is_some());
    let own = own.and_then(|directory| open::likely_key(part, directory));
    let key = own.map_or("KEY".to_owned(), |key| word(&key));
    writeln!(out, "User {}", plain(&part.name))?;
    writeln!(out, "Sealed to {keys}: open with `hardtack console {} --identity {key}`", around.again)?;
    for recipient in recipients {
        writeln!(out, "  {}", plain(&recipient))?;
    }
    match part.left_out {
        0 => Ok(()),
        count => writeln!(out, "  and not to {count} more key(s) of the user, for which there was no room"),
    }
}

/// One user's second factor and password, as far as they are printed.
pub(crate) fn user(user: &UserCredentials, terminal: Terminal, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "User {}", plain(&user.name))?;
    if !user.password.is_empty() {
        writeln!(out, "Password: {}", plain(&user.password))?;
    }
    if user.secret.is_empty() {
        return Ok(());
    }
    writeln!(out, "Your new secret key is: {}", plain(&user.secret))?;
    if !user.scratch_codes.is_empty() {
        writeln!(out, "Your emergency scratch codes are:")?;
    }
    for code in &user.scratch_codes {
        writeln!(out, "  {}", plain(code))?;
    }
    writeln!(out, "{}", plain(&user.otpauth))?;
    qr(&user.otpauth, terminal, out)
}

/// The QR code as large and as certain as the terminal allows.
fn qr(url: &str, terminal: Terminal, out: &mut dyn Write) -> Result<()> {
    let Some(code) = QrCode::new(url) else { return Ok(()) };
    let width = terminal.width.map(usize::from);
    let lines = match width {
        // A file or a pipe: nothing is known about its colours or width.
        None => code.half_blocks(Polarity::LightOnDark),
        Some(width) if width < code.width() => {
            return writeln!(
                out,
                "(The QR code needs {} columns; --qr FILE.png writes a picture.)",
                code.width()
            );
        }
        Some(_) if !terminal.color => code.half_blocks(Polarity::LightOnDark),
        Some(width) if width >= 2 * code.width() => code.coloured_full_size(),
        Some(_) => code.coloured_half_blocks(),
    };
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Nothing from a log reaches the terminal as a control character.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}
