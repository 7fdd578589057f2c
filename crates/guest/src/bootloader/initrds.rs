//! Entries that boot without an initramfs although there is one for their kernel.
//!
//! Ubuntu's cloud images do so (`GRUB_FORCE_PARTUUID`): a kernel with all drivers in it mounts the root
//! by itself, and the entry with the initramfs is for the boot after a panic. Whatever an initramfs has
//! to do, an overlay or an encrypted disk, is then not done.

use std::collections::BTreeMap;

use super::words::script::commands;
use super::words::{Wanted, Word, edits, grub_settings, patch};
use super::{Boot, BootEntry, Language, grub, read, text};
use crate::{Error, Set, Stage};

/// Gives each entry that can boot without an initramfs the one of its kernel, and has those of the
/// next `update-grub` made with one. With `root`, the root is named so there (`UUID=…`): a kernel alone
/// knows partitions only. Tells the entries that were changed.
///
/// # Errors
/// A configuration that cannot be read or understood.
pub fn give_initrds(stage: &mut Stage<'_>, root: Option<&str>) -> Result<Vec<String>, Error> {
    let boot = read(stage)?;
    let mut lines: BTreeMap<(String, usize), String> = BTreeMap::new();
    for entry in boot.entries.iter().filter(|entry| entry.initrds.is_empty() && entry.missing.is_empty()) {
        let Some(names) = names(stage, &boot, entry)? else { continue };
        if let Some((path, line)) = entry.origin.rsplit_once(':')
            && let Ok(line) = line.parse()
        {
            lines.insert((path.to_owned(), line), names);
        }
    }
    for (path, language) in boot.configurations.iter().zip(&boot.languages) {
        let mine: BTreeMap<usize, &str> = lines
            .iter()
            .filter(|((of, _), _)| of == path)
            .map(|((_, line), names)| (*line, names.as_str()))
            .collect();
        if mine.is_empty() {
            continue;
        }
        let Some(old) = text(stage, path)? else { continue };
        let new = if *language == Language::Grub { script(&old, &mine, root) } else { menu(&old, &mine) };
        if new != old {
            stage.write(path, new, Set::default())?;
        }
    }
    if forced(stage)? {
        let settings = [("GRUB_FORCE_PARTUUID", ""), ("GRUB_DISABLE_INITRDLESS_BOOT", "true")];
        grub_settings(stage, "initrd", &settings)?;
    }
    let mut given: Vec<String> = lines.into_keys().map(|(path, line)| format!("{path}:{line}")).collect();
    given.dedup();
    Ok(given)
}

/// The initramfs of an entry's kernel, as its configuration would name it.
fn names(stage: &Stage<'_>, boot: &Boot, entry: &BootEntry) -> Result<Option<String>, Error> {
    let Some(kernel) = &entry.kernel else { return Ok(None) };
    // "($root)/vmlinuz-1" is /boot/vmlinuz-1: what stands before the same ending is the loader's root.
    let plain = entry.kernel_name.split_once(')').map_or(entry.kernel_name.as_str(), |(_, path)| path);
    let device = entry.kernel_name.strip_suffix(plain).unwrap_or_default();
    let Some(base) = kernel.strip_suffix(plain) else { return Ok(None) };
    let other = boot.entries.iter().find(|other| {
        other.kernel.as_ref() == Some(kernel) && !other.initrds.is_empty() && other.missing.is_empty()
    });
    let files = match other {
        Some(other) => other.initrds.clone(),
        None => {
            let Some((directory, name)) = kernel.rsplit_once('/') else { return Ok(None) };
            let Some(version) = name.split_once('-').map(|(_, version)| version) else { return Ok(None) };
            let mut found = Vec::new();
            for name in [format!("initrd.img-{version}"), format!("initramfs-{version}.img")] {
                let path = format!("{directory}/{name}");
                if found.is_empty() && stage.stat(&path)?.is_some() {
                    found.push(path);
                }
            }
            found
        }
    };
    let named: Option<Vec<String>> =
        files.iter().map(|file| Some(format!("{device}{}", file.strip_prefix(base)?))).collect();
    Ok(named.filter(|named| !named.is_empty()).map(|named| named.join(" ")))
}

fn script(old: &str, lines: &BTreeMap<usize, &str>, root: Option<&str>) -> String {
    let Ok(tokens) = grub::tokens(old) else { return old.to_owned() };
    let mut all = Vec::new();
    for command in commands(&tokens) {
        let Some(names) = lines.get(&command.line) else { continue };
        let words: Vec<String> = command.words.iter().map(|(_, word)| grub::show(word)).collect();
        let (Some(load), Some((last, _))) = (words.first(), command.words.last()) else { continue };
        let Some(kind) = load.strip_prefix("linux") else { continue };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let spans: Vec<_> = command.words.iter().map(|(span, _)| span.clone()).collect();
        let by_partition = words.iter().any(|word| word.starts_with("root=PARTUUID="));
        let root: Vec<Word> = match root.filter(|_| by_partition) {
            Some(root) => vec![Word::only("root", &[root])],
            None => Vec::new(),
        };
        // With it a kernel that does not find its root restarts, to try the other entry.
        let wanted = Wanted { add: &root, remove: &[Word::from("panic=-1")] };
        all.extend(edits(old, last.end, &spans, &words, wanted.changes(&words, false)));
        let start = spans.first().map_or(0, |span| span.start);
        let line = &old[old[..start].rfind('\n').map_or(0, |at| at + 1)..start];
        let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        all.push((last.end..last.end, format!("\n{indent}initrd{kind}\t{names}")));
    }
    patch(old, all)
}

/// The other languages have a line for it, below that of the kernel.
fn menu(old: &str, lines: &BTreeMap<usize, &str>) -> String {
    let mut out = String::with_capacity(old.len() + 256);
    for (index, line) in old.split_inclusive('\n').enumerate() {
        out.push_str(line);
        if let Some(names) = lines.get(&(index + 1)) {
            if !line.ends_with('\n') {
                out.push('\n');
            }
            let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
            out.push_str(&format!("{indent}initrd {names}\n"));
        }
    }
    out
}

/// Whether the generator's settings ask for entries without one.
fn forced(stage: &Stage<'_>) -> Result<bool, Error> {
    let mut paths = vec!["/etc/default/grub".to_owned()];
    paths.extend(
        stage
            .list("/etc/default/grub.d")?
            .into_iter()
            .map(|entry| format!("/etc/default/grub.d/{}", entry.name)),
    );
    for path in paths {
        let text = text(stage, &path)?.unwrap_or_default();
        let sets = |line: &str| {
            let value = line.trim().trim_start_matches("export ").strip_prefix("GRUB_FORCE_PARTUUID=");
            value.is_some_and(|value| !value.trim_matches(['"', '\'', ' ']).is_empty())
        };
        if text.lines().any(sets) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::MemoryTree;

    /// An entry as Ubuntu 24.04's 10_linux writes it with GRUB_FORCE_PARTUUID, /boot being a partition.
    const UBUNTU: &str = "\
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple' {
	search --no-floppy --fs-uuid --set=root b993fcf5
	if [ \"${initrdfail}\" = 1 ]; then
	  echo	'GRUB_FORCE_PARTUUID set, initrdless boot failed. Attempting with initrd.'
	  linux	/vmlinuz-6.8.0 root=PARTUUID=26f2 ro  console=tty1 console=ttyS0
	  initrd	/microcode.cpio /initrd.img-6.8.0
	else
	  echo	'GRUB_FORCE_PARTUUID set, attempting initrdless boot.'
	  linux	/vmlinuz-6.8.0 root=PARTUUID=26f2 ro  console=tty1 console=ttyS0 panic=-1
	fi
	initrdfail
}
";

    #[test]
    fn ubuntus_forced_partition() {
        let tree = MemoryTree::new()
            .file("/boot/grub/grub.cfg", UBUNTU)
            .file("/boot/vmlinuz-6.8.0", "k")
            .file("/boot/initrd.img-6.8.0", "i")
            .file("/boot/microcode.cpio", "m")
            .file("/usr/sbin/grub-mkconfig", ". /etc/default/grub.d/*.cfg")
            .file("/etc/default/grub.d/40-force-partuuid.cfg", "GRUB_FORCE_PARTUUID=26f2\n");
        let mut stage = Stage::new(&tree);
        let given = give_initrds(&mut stage, Some("UUID=1-2")).unwrap();
        assert_eq!(given, ["/boot/grub/grub.cfg:9"]);
        let new = stage.read_text("/boot/grub/grub.cfg").unwrap().unwrap();
        let expected = UBUNTU.replace(
            "root=PARTUUID=26f2 ro  console=tty1 console=ttyS0 panic=-1\n",
            "root=UUID=1-2 ro  console=tty1 console=ttyS0\n	  initrd	/microcode.cpio /initrd.img-6.8.0\n",
        );
        assert_eq!(new, expected);
        let boot = read(&stage).unwrap();
        assert!(boot.entries.iter().all(|entry| entry.initrds.len() == 2), "{:?}", boot.entries);
        assert_eq!(
            stage.read_text("/etc/default/grub.d/zz-hardtack-initrd.cfg").unwrap().unwrap(),
            "# Written by hardtack.\nGRUB_FORCE_PARTUUID=\"\"\nGRUB_DISABLE_INITRDLESS_BOOT=\"true\"\n"
        );
        let before = stage.edits().unwrap().len();
        assert_eq!(give_initrds(&mut stage, Some("UUID=1-2")).unwrap(), Vec::<String>::new());
        assert_eq!(stage.edits().unwrap().len(), before);
    }

    #[test]
    fn other_menus_and_kernels_without_one() {
        let tree = MemoryTree::new()
            .file("/boot/loader/entries/a.conf", "title a\nlinux /vmlinuz-1\noptions ro\n")
            .file("/boot/extlinux/extlinux.conf", "label l\n\tkernel /boot/vmlinuz-2\n\tappend ro")
            .file("/boot/grub/grub.cfg", "menuentry a {\n linuxefi ($root)/boot/vmlinuz-1 ro # x\n}\n")
            .file("/boot/vmlinuz-1", "k")
            .file("/boot/vmlinuz-2", "k")
            .file("/boot/initramfs-1.img", "i");
        let mut stage = Stage::new(&tree);
        let given = give_initrds(&mut stage, None).unwrap();
        assert_eq!(given, ["/boot/grub/grub.cfg:2", "/boot/loader/entries/a.conf:2"]);
        let text = |path| stage.read_text(path).unwrap().unwrap();
        assert_eq!(
            text("/boot/loader/entries/a.conf"),
            "title a\nlinux /vmlinuz-1\ninitrd /initramfs-1.img\noptions ro\n"
        );
        assert_eq!(
            text("/boot/grub/grub.cfg"),
            "menuentry a {\n linuxefi ($root)/boot/vmlinuz-1 ro\n initrdefi\t($root)/boot/initramfs-1.img # x\n}\n"
        );
        assert!(!text("/boot/extlinux/extlinux.conf").contains("initrd"));
        assert!(stage.lstat("/etc/default").unwrap().is_none());
    }
}
