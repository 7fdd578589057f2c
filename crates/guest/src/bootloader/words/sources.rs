//! What boot entries are generated of, and command lines that are files of their own.

use std::collections::BTreeSet;

use super::{OPTIONS_VARIABLE, Wanted, Why, Work};
use crate::{Error, FileType, Set, Stage};

/// GRUB's environment block (`grub-core/lib/envblk.c`) is this long, always.
const BLOCK: usize = 1024;
const BLOCK_HEAD: &str = "# GRUB Environment Block\n";
const ENVIRONMENTS: [&str; 3] = ["/boot/grub/grubenv", "/boot/grub2/grubenv", "/boot/efi/EFI/redhat/grubenv"];
/// Sorts behind everything that distributions and packages put there, letters too.
const DROP_IN: &str = "/etc/default/grub.d/zz-hardtack.cfg";
const DEFAULTS: &str = "/etc/default/grub";
const GENERATORS: [&str; 4] =
    ["/usr/sbin/grub-mkconfig", "/usr/sbin/grub2-mkconfig", "/usr/bin/grub-mkconfig", "/sbin/grub-mkconfig"];
/// Where our part of a file that is not ours begins and ends.
const BEGIN: &str = "# Begin of what hardtack wrote: the kernel's command line.\n";
const END: &str = "# End of what hardtack wrote.\n";
/// The firmware of a Raspberry Pi reads one line.
const LINES: [&str; 4] = [
    "/boot/firmware/cmdline.txt",
    "/boot/firmware/current/cmdline.txt",
    "/boot/cmdline.txt",
    "/etc/kernel/cmdline",
];

impl Work<'_, '_> {
    /// The names of GRUB's environment blocks' variables that hold options, edited.
    pub(super) fn environment(&mut self) -> Result<BTreeSet<String>, Error> {
        let mut names = BTreeSet::new();
        for path in ENVIRONMENTS {
            let Some(old) = self.text(path)? else { continue };
            let key = format!("{OPTIONS_VARIABLE}=");
            let Some(line) = old.lines().find(|line| line.starts_with(&key)) else { continue };
            names.insert(OPTIONS_VARIABLE.to_owned());
            // A backslash stands before a backslash and a line break.
            let value = line[key.len()..].replace("\\\\", "\\");
            let new = self.wanted.line(&value, true);
            if new == value {
                continue;
            }
            let line_new = format!("{key}{}", new.replace('\\', "\\\\"));
            let mut block: String = old
                .lines()
                .filter(|line| !line.starts_with('#'))
                .map(|known| if known == line { format!("{line_new}\n") } else { format!("{known}\n") })
                .collect();
            block.insert_str(0, BLOCK_HEAD);
            if block.len() > BLOCK {
                self.refuse(path, Why::NoRoom);
                continue;
            }
            block.extend(std::iter::repeat_n('#', BLOCK - block.len()));
            let resolved = self.stage.resolve(path)?.as_str().to_owned();
            self.files.insert(resolved, block.into_bytes());
        }
        Ok(names)
    }

    /// Files that are one command line each.
    pub(super) fn plain(&mut self) -> Result<(), Error> {
        for path in LINES {
            let Some(old) = self.text(path)? else { continue };
            let text = old.trim_end();
            // kernel-install takes lines together, the firmware reads the first.
            let joined = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ");
            let new = self.wanted.line(&joined, true);
            if new != joined {
                self.put(path, &old, format!("{new}\n"));
            }
            if path.ends_with(".txt") {
                self.edited.entries.push(format!("{path}:1"));
            }
        }
        // The distribution's own is read where there is none of the machine's.
        if self.text("/etc/kernel/cmdline")?.is_none()
            && let Some(old) = self.text("/usr/lib/kernel/cmdline")?
        {
            let new = self.wanted.line(old.trim(), true);
            self.put("/etc/kernel/cmdline", old.trim(), format!("{new}\n"));
        }
        Ok(())
    }

    pub(super) fn sources(&mut self, environment: &BTreeSet<String>) -> Result<(), Error> {
        self.grub_defaults()?;
        self.custom_scripts(environment)?;
        for (path, name, usual) in [
            ("/etc/default/u-boot", "U_BOOT_PARAMETERS", "ro quiet"),
            ("/etc/default/extlinux", "EXTLINUX_PARAMETERS", "ro quiet"),
            ("/etc/default/flash-kernel", "LINUX_KERNEL_CMDLINE", "quiet"),
        ] {
            if let Some(old) = self.text(path)? {
                let new = assign(&old, name, usual, self.wanted);
                self.put(path, &old, new);
            }
        }
        Ok(())
    }

    /// The settings of grub-mkconfig.
    fn grub_defaults(&mut self) -> Result<(), Error> {
        let main = self.text(DEFAULTS)?;
        let Some(place) = place(self.stage)? else { return Ok(()) };
        if place == Place::Directory {
            let old = self.text(DROP_IN)?.unwrap_or_default();
            let new = merged(&old, self.wanted);
            // Nothing to say needs no file.
            if !old.is_empty() || new.is_some() {
                let new = new.unwrap_or_default();
                self.put(DROP_IN, &old, new);
            }
            return Ok(());
        }
        let old = main.unwrap_or_default();
        let (before, ours, after) = match old.split_once(BEGIN) {
            Some((before, rest)) => match rest.split_once(END) {
                Some((ours, after)) => (before, ours, after),
                None => (before, rest, ""),
            },
            None => (&old[..], "", ""),
        };
        if let Some(block) = merged(ours, self.wanted) {
            let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            self.put(DEFAULTS, &old, format!("{before}{gap}{BEGIN}{block}{END}{after}"));
        }
        Ok(())
    }

    /// Entries of the user's own in /etc/grub.d, which grub-mkconfig copies.
    fn custom_scripts(&mut self, environment: &BTreeSet<String>) -> Result<(), Error> {
        for entry in self.stage.list("/etc/grub.d")? {
            if entry.kind != FileType::Regular {
                continue;
            }
            let path = format!("/etc/grub.d/{}", entry.name);
            let Some(text) = self.text(&path)? else { continue };
            // "exec tail -n +3 $0": from line 3 on the file is not shell but GRUB's language.
            let Some(from) = text.lines().find_map(|line| {
                let rest = line.trim().strip_prefix("exec tail -n +")?;
                rest.split_whitespace().next()?.parse::<usize>().ok()
            }) else {
                continue;
            };
            let begin: usize = text.split_inclusive('\n').take(from.saturating_sub(1)).map(str::len).sum();
            let new = self.script(&path, &text, environment, begin);
            self.put(&path, &text, new);
        }
        Ok(())
    }
}

/// Where the settings of grub-mkconfig can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A file of our own is read.
    Directory,
    /// There is one file for all of them.
    File,
}

fn place(stage: &Stage<'_>) -> Result<Option<Place>, Error> {
    let mut generator = None;
    for path in GENERATORS {
        generator = match generator {
            Some(found) => Some(found),
            None => super::super::text(stage, path)?,
        };
    }
    let is_directory = |metadata: crate::Metadata| metadata.kind == FileType::Directory;
    let directory = stage.stat("/etc/default/grub.d")?.is_some_and(is_directory);
    if generator.is_none() && !directory && super::super::text(stage, DEFAULTS)?.is_none() {
        return Ok(None);
    }
    let reads = generator.as_deref().map_or(directory, |text| text.contains("default/grub.d"));
    Ok(Some(if reads { Place::Directory } else { Place::File }))
}

/// Gives grub-mkconfig these settings, whatever else is set: in a file of our own with `topic` in
/// its name, or among the others where only one file is read.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn grub_settings(
    stage: &mut Stage<'_>,
    topic: &str,
    settings: &[(&str, &str)],
) -> Result<(), Error> {
    match place(stage)? {
        None => Ok(()),
        Some(Place::Directory) => {
            let lines: String =
                settings.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
            let path = DROP_IN.replace(".cfg", &format!("-{topic}.cfg"));
            stage.write(&path, format!("# Written by hardtack.\n{lines}"), Set::default())
        }
        Some(Place::File) => {
            let mut text = stage.read_text(DEFAULTS)?.unwrap_or_default();
            for (name, value) in settings {
                let line = format!("{name}=\"{value}\"");
                let is =
                    |line: &str| line.trim().strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
                if text.lines().rfind(|line| is(line)) == Some(line.as_str()) {
                    continue;
                }
                let kept: String = text.split_inclusive('\n').filter(|line| !is(line)).collect();
                let gap = if kept.is_empty() || kept.ends_with('\n') { "" } else { "\n" };
                text = format!("{kept}{gap}{line}\n");
            }
            stage.write(DEFAULTS, text, Set::default())
        }
    }
}

/// The drop-in's text with the words of `wanted` beside those that it has; `None` without any.
fn merged(old: &str, wanted: Wanted<'_>) -> Option<String> {
    let value = |name: &str| -> String {
        let line = old.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("='"));
        line.map(|line| line.trim_end_matches('\'').to_owned()).unwrap_or_default()
    };
    let words = wanted.line(&value("hardtack_words"), true);
    let mut gone: BTreeSet<String> = value("hardtack_gone").split_whitespace().map(str::to_owned).collect();
    for word in wanted.add {
        gone.extend(word.patterns());
    }
    for word in wanted.remove {
        gone.extend(word.patterns());
    }
    if words.is_empty() && gone.is_empty() {
        return None;
    }
    let gone: Vec<String> = gone.into_iter().collect();
    Some(TEMPLATE.replace("@WORDS@", &words).replace("@GONE@", &gone.join(" ")))
}

/// Read by grub-mkconfig's shell (`sh -e`) after everything else. Words are added to
/// `GRUB_CMDLINE_LINUX` because recovery entries have only that one.
const TEMPLATE: &str = r#"# Written by hardtack: words of the kernel's command line that the image was made with.
# It is read after all other files of this kind: these words come, and those like the patterns go.
hardtack_words='@WORDS@'
hardtack_gone='@GONE@'
hardtack_keep() {
    hardtack_kept=
    set -f
    for hardtack_word in $1; do
        for hardtack_pattern in $hardtack_gone; do
            case $hardtack_word in
                $hardtack_pattern) continue 2 ;;
            esac
        done
        hardtack_kept="$hardtack_kept${hardtack_kept:+ }$hardtack_word"
    done
    set +f
}
hardtack_keep "$GRUB_CMDLINE_LINUX_DEFAULT"
GRUB_CMDLINE_LINUX_DEFAULT=$hardtack_kept
hardtack_keep "$GRUB_CMDLINE_LINUX"
GRUB_CMDLINE_LINUX="$hardtack_kept${hardtack_kept:+${hardtack_words:+ }}$hardtack_words"
"#;

/// A file of shell assignments in which the variable `name` has the words.
fn assign(old: &str, name: &str, usual: &str, wanted: Wanted<'_>) -> String {
    let value = |line: &str| -> Option<String> {
        let value = line.trim().strip_prefix(name)?.strip_prefix('=')?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let at = old.lines().enumerate().filter(|(_, line)| value(line).is_some()).map(|(at, _)| at).last();
    let known = match at {
        Some(at) => old.lines().nth(at).and_then(value),
        None => old.lines().find_map(|line| value(line.trim_start_matches(['#', ' ']))),
    };
    let known = known.unwrap_or_else(|| usual.to_owned());
    let new = wanted.line(&known, true);
    if new == known {
        return old.to_owned();
    }
    let line_new = format!("{name}=\"{new}\"");
    let mut out = String::new();
    for (index, line) in old.lines().enumerate() {
        out.push_str(if Some(index) == at { &line_new } else { line });
        out.push('\n');
    }
    if at.is_none() {
        out.push_str(&line_new);
        out.push('\n');
    }
    out
}
