//! The `serial-console` step: kernel, boot loader and a login on a serial line.
//!
//! Clouds hand out what a machine writes to its first serial port, and nothing of its screen: without
//! it nobody reads the credentials block, nor why a machine does not come up.

use hardtack_guest::bootloader::{self, Word, serial_consoles};
use hardtack_guest::{Set, Stage};
use hardtack_inspect::facts::{Facts, Init};

use crate::model::SerialConsoleStep;
use crate::{Context, StepError};

const STEP: &str = "serial-console";
/// What clouds, QEMU and firmware expect.
const SPEED: u32 = 115_200;

/// Has the kernel of every boot entry, the boot loader and a login on the line.
///
/// # Errors
/// An image without a boot entry, or with one that cannot be edited.
pub fn apply(settings: &SerialConsoleStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let (architecture, init) = {
        let facts = Facts::read(cx.stage)?;
        (facts.architecture, facts.init)
    };
    let device = match &settings.device {
        Some(device) => device.clone(),
        None => usual(architecture)?.to_owned(),
    };
    let speed = settings.speed.unwrap_or(SPEED);
    let value = if has_speed(&device) { format!("{device},{speed}n8") } else { device.clone() };
    let boot = bootloader::read(cx.stage)?;
    // A machine of another kind may have another line: what the image had stays, before ours.
    let mut values = vec!["tty0".to_owned()];
    for entry in &boot.entries {
        for word in entry.options.split_whitespace() {
            let Some(other) = word.strip_prefix("console=") else { continue };
            let named = |text: &str| text.split(',').next().map(str::to_owned);
            let known = values.iter().any(|value| named(value) == named(other));
            if !serial_consoles(word).is_empty() && named(other).as_deref() != Some(&device) && !known {
                values.push(other.to_owned());
            }
        }
    }
    values.push(value);
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let edited = bootloader::set_words(cx.stage, &[Word::only("console", &values)], &[])?;
    let refused: Vec<String> =
        edited.refused.iter().filter(|refused| refused.why.can_boot()).map(ToString::to_string).collect();
    if !refused.is_empty() {
        return Err(StepError::refused(STEP, refused.join("; "))
            .hint("use an image that boots a kernel by an entry of GRUB, systemd-boot or extlinux"));
    }
    if edited.entries.is_empty() {
        return Err(StepError::refused(STEP, "the image has no boot entry that could be given a console"));
    }
    if let Some(unit) = device.strip_prefix("ttyS").and_then(|unit| unit.parse().ok()) {
        bootloader::set_serial_terminal(cx.stage, unit, speed)?;
    }
    login(&device, speed, init, cx)
}

/// The line that machines of this architecture have.
fn usual(architecture: Option<&str>) -> Result<&'static str, StepError> {
    match architecture {
        Some("arm64" | "armhf") => Ok("ttyAMA0"),
        Some("ppc64el") => Ok("hvc0"),
        Some("s390x") => Ok("ttysclp0"),
        Some(_) => Ok("ttyS0"),
        None => Err(StepError::refused(STEP, "no program in the image tells its architecture")
            .hint("name the line: `serial-console: {device: ttyS0}`")),
    }
}

/// Consoles of hypervisors are no lines with a speed.
fn has_speed(device: &str) -> bool {
    !["hvc", "hvsi", "xvc", "ttysclp"].iter().any(|kind| device.starts_with(kind))
}

/// systemd's getty generator starts a login on every console of the kernel; older inits are told.
fn login(device: &str, speed: u32, init: Option<Init>, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    match init {
        Some(Init::Systemd) => {
            let unit = format!("serial-getty@{device}.service");
            let target = cx.stage.read_link(&format!("/etc/systemd/system/{unit}"))?;
            if target.as_deref() == Some("/dev/null") {
                cx.warn(
                    STEP,
                    format!("{unit} is masked in the image, and stays so: nobody can log in there"),
                );
            }
            Ok(())
        }
        Some(Init::Upstart) => upstart(device, speed, cx.stage),
        Some(Init::Sysv) => inittab(device, speed, cx.stage),
        None => Ok(()),
    }
}

fn upstart(device: &str, speed: u32, stage: &mut Stage<'_>) -> Result<(), StepError> {
    let path = format!("/etc/init/{device}.conf");
    // One that is there is the administrator's.
    let known = stage.read_text(&path)?.is_some_and(|text| !text.starts_with("# Written by hardtack"));
    if !known {
        let text = format!(
            "# Written by hardtack (step serial-console).\nstart on stopped rc RUNLEVEL=[2345]\nstop on runlevel [!2345]\nrespawn\nexec /sbin/getty -L {speed} {device} vt102\n"
        );
        stage.write(&path, text, Set::default())?;
    }
    Ok(())
}

fn inittab(device: &str, speed: u32, stage: &mut Stage<'_>) -> Result<(), StepError> {
    const PATH: &str = "/etc/inittab";
    let Some(old) = stage.read_text(PATH)? else { return Ok(()) };
    let mut lines = old.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    if lines
        .any(|line| line.contains("getty") && line.split([' ', ':', '\t', '/']).any(|word| word == device))
    {
        return Ok(());
    }
    // busybox has no run levels, and the terminal in the first field.
    let busybox = old.lines().any(|line| line.starts_with("::") || line.starts_with("tty1::"));
    let id = device.strip_prefix("tty").unwrap_or(device);
    let line = if busybox {
        format!("{device}::respawn:/sbin/getty -L {speed} {device} vt100\n")
    } else {
        // System V's ids have four characters.
        let id = &id[id.len().saturating_sub(4)..];
        format!("{id}:23:respawn:/sbin/getty -L {speed} {device} vt100\n")
    };
    let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    stage.write(PATH, format!("{old}{gap}{line}"), Set::default())?;
    Ok(())
}

#[cfg(test)]
mod tests;
