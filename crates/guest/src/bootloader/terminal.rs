//! What the boot loader itself shows on a serial line, and the settings that its menu is made of.
//!
//! Facts: GRUB manual, "Serial terminal"; `util/grub.d/00_header.in`; `syslinux.txt`, "SERIAL".

use super::words::script::commands;
use super::{Language, grub, read, text};
use crate::{Error, Set, Stage};

/// Has the boot loaders' menus on the serial port `unit` (0 is COM1) as well as on the screen.
/// EFI's own console, Xen's and U-Boot's are what the firmware makes them.
///
/// # Errors
/// A configuration that cannot be read or understood.
pub fn set_serial_terminal(stage: &mut Stage<'_>, unit: u32, speed: u32) -> Result<(), Error> {
    let boot = read(stage)?;
    let serial = format!("serial --unit={unit} --speed={speed} --word=8 --parity=no --stop=1");
    for (path, language) in boot.configurations.iter().zip(&boot.languages) {
        let Some(old) = text(stage, path)? else { continue };
        let new = match language {
            Language::Grub if path.ends_with("/grub.cfg") && path.starts_with("/boot/grub") => {
                grub_terminal(&old, &serial)
            }
            Language::Extlinux if path.contains("syslinux") || has_syslinux(stage)? => {
                extlinux_terminal(&old, &format!("serial {unit} {speed}"))
            }
            _ => continue,
        };
        if new != old {
            stage.write(path, new, Set::default())?;
        }
    }
    if boot.languages.contains(&Language::Grub) {
        let settings = [("GRUB_TERMINAL", "console serial"), ("GRUB_SERIAL_COMMAND", serial.as_str())];
        super::words::grub_settings(stage, "terminal", &settings)?;
    }
    Ok(())
}

/// U-Boot reads the same files, and has no such directive.
fn has_syslinux(stage: &Stage<'_>) -> Result<bool, Error> {
    for path in ["/boot/extlinux/ldlinux.sys", "/boot/syslinux/ldlinux.sys", "/usr/bin/extlinux"] {
        if stage.lstat(path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

const OURS: [&str; 2] = ["terminal_input console serial", "terminal_output console serial"];

/// What sets the terminal goes; ours comes where the first of it was.
fn grub_terminal(old: &str, serial: &str) -> String {
    let Ok(tokens) = grub::tokens(old) else { return old.to_owned() };
    let mut lines: Vec<usize> = commands(&tokens)
        .iter()
        .filter(|command| {
            let name = command.words.first().and_then(|(_, word)| grub::plain(word));
            matches!(name, Some("serial" | "terminal_input" | "terminal_output" | "terminal"))
        })
        .map(|command| command.line)
        .collect();
    lines.dedup();
    // Statements beside others on one line are nobody's that we know.
    let alone = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("serial") || line.starts_with("terminal")
    };
    let all: Vec<&str> = old.split_inclusive('\n').collect();
    lines.retain(|line| all.get(line - 1).is_some_and(alone));
    // Without any, in front of the first entry.
    let first = lines.first().copied().or_else(|| {
        let entry = |line: &&str| line.starts_with("menuentry ") || line.starts_with("submenu ");
        all.iter().position(entry).map(|index| index + 1)
    });
    let Some(first) = first else { return old.to_owned() };
    let mut out = String::with_capacity(old.len() + 256);
    for (index, line) in all.iter().enumerate() {
        if index + 1 == first {
            out.push_str(&format!("{serial}\n{}\n{}\n", OURS[0], OURS[1]));
        }
        if !lines.contains(&(index + 1)) {
            out.push_str(line);
        }
    }
    out
}

/// The directive has to be the first of the file.
fn extlinux_terminal(old: &str, serial: &str) -> String {
    let rest: String = old
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().to_ascii_lowercase().starts_with("serial "))
        .collect();
    format!("{serial}\n{rest}")
}

/// The serial lines among the consoles of a command line, without their speeds, the last one last.
#[must_use]
pub fn serial_consoles(options: &str) -> Vec<&str> {
    let consoles = options.split_whitespace().filter_map(|word| word.strip_prefix("console="));
    consoles.map(|value| value.split(',').next().unwrap_or(value)).filter(|name| is_serial(name)).collect()
}

/// Whether a console's name is that of a line, and not of a screen or of what swallows everything.
fn is_serial(name: &str) -> bool {
    let screen = name.strip_prefix("tty").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    !screen && !name.is_empty() && !matches!(name, "null" | "ttynull")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::MemoryTree;

    #[test]
    fn grubs_menu_is_on_both() {
        let sample = include_str!("samples/debian12.cfg");
        let custom =
            "serial --unit=1\nterminal_input serial\nterminal_output serial\nmenuentry a {\n linux /k\n}\n";
        let none = "set default=0\nmenuentry a {\n linux /k\n}\n";
        for old in [sample, custom, none] {
            let tree = MemoryTree::new().file("/boot/grub/grub.cfg", old).file("/etc/default/grub", "X=1\n");
            let mut stage = Stage::new(&tree);
            set_serial_terminal(&mut stage, 0, 115_200).unwrap();
            let new = stage.read_text("/boot/grub/grub.cfg").unwrap().unwrap();
            let ours = "serial --unit=0 --speed=115200 --word=8 --parity=no --stop=1\nterminal_input console serial\nterminal_output console serial\n";
            assert_eq!(new.matches(ours).count(), 1, "{new}");
            assert_eq!(new.matches("terminal_output").count(), 1, "{new}");
            let defaults = stage.read_text("/etc/default/grub").unwrap().unwrap();
            assert!(defaults.contains("GRUB_TERMINAL=\"console serial\"\n"), "{defaults}");
            set_serial_terminal(&mut stage, 0, 115_200).unwrap();
            assert_eq!(stage.read_text("/boot/grub/grub.cfg").unwrap().unwrap(), new);
            assert_eq!(stage.read_text("/etc/default/grub").unwrap().unwrap(), defaults);
        }
    }

    #[test]
    fn syslinux_has_it_first() {
        let tree = MemoryTree::new()
            .file("/boot/syslinux/syslinux.cfg", "default l\nSERIAL 1 9600\nlabel l\nkernel /k\n")
            .file("/boot/extlinux/extlinux.conf", "label l\nkernel /k\n");
        let mut stage = Stage::new(&tree);
        for _ in 0..2 {
            set_serial_terminal(&mut stage, 0, 9600).unwrap();
            let text = |path| stage.read_text(path).unwrap().unwrap();
            assert_eq!(text("/boot/syslinux/syslinux.cfg"), "serial 0 9600\ndefault l\nlabel l\nkernel /k\n");
            assert_eq!(text("/boot/extlinux/extlinux.conf"), "label l\nkernel /k\n");
        }
    }

    #[test]
    fn consoles() {
        for (options, expected) in [
            ("ro console=tty0 console=ttyS0,115200n8", vec!["ttyS0"]),
            ("console=tty1 console=ttynull console=null", vec![]),
            ("console=hvc0 console=tty console=ttyAMA0", vec!["hvc0", "ttyAMA0"]),
            ("quiet", vec![]),
        ] {
            assert_eq!(serial_consoles(options), expected, "{options}");
        }
    }
}
