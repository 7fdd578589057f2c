//! The credentials as text.

use std::io::{Result, Write};

use hardtack_credentials::qr::{Polarity, QrCode};
use hardtack_credentials::{Block, UserCredentials};

use crate::terminal::Terminal;

/// Everything that a block says, for the chosen users.
pub(super) fn block(
    block: &Block,
    users: &[&UserCredentials],
    terminal: Terminal,
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
    if block.users.is_empty() {
        writeln!(
            out,
            "\nFingerprints only: a code was accepted (or no user has one), and no secret is printed again."
        )?;
    }
    for one in users {
        writeln!(out)?;
        user(one, terminal, out)?;
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
    Ok(())
}

/// One user's second factor.
pub(crate) fn user(user: &UserCredentials, terminal: Terminal, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "User {}", plain(&user.name))?;
    writeln!(out, "Your new secret key is: {}", user.secret)?;
    if !user.scratch_codes.is_empty() {
        writeln!(out, "Your emergency scratch codes are:")?;
    }
    for code in &user.scratch_codes {
        writeln!(out, "  {code}")?;
    }
    writeln!(out, "{}", user.otpauth)?;
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
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}
