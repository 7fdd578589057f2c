//! Boot entries: which kernel with which initramfs the boot loader can start.
//!
//! All configurations that are found count (GRUB, GRUB legacy, extlinux, boot loader
//! specification), since an image does not say which loader the machine will use. Unified kernel
//! images are found by their PE sections.

mod bls;
mod default;
mod extlinux;
mod grub;
mod initrds;
mod legacy;
mod pe;
mod terminal;
mod words;

pub use initrds::give_initrds;
pub use terminal::{serial_consoles, set_serial_terminal};
pub use words::{Edited, Refused, Why, Word, check_words, set_words};

use crate::{Error, FileType, GuestPath, Stage};

/// Boot loader configurations are read up to this many bytes; a menu of 100 kernels has 200 KiB.
const CONFIG_LIMIT: u64 = 4 << 20;
/// Programs for EFI are looked into up to this many bytes.
const EFI_LIMIT: u64 = 512 << 20;
/// Where an EFI system partition is mounted.
const ESP: [&str; 3] = ["/boot/efi", "/efi", "/boot"];

/// One way to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootEntry {
    /// Where it stands: "/boot/grub/grub.cfg:120".
    pub origin: String,
    /// Its title in the menu.
    pub title: String,
    /// The kernel's path in the guest, links followed; `None` when the image does not have it.
    pub kernel: Option<String>,
    /// The kernel as the configuration names it.
    pub kernel_name: String,
    /// The initramfs files in order, as guest paths with links followed.
    pub initrds: Vec<String>,
    /// Initramfs files that the configuration names and the image does not have.
    pub missing: Vec<String>,
    /// The kernel command line; where variables have several values, all of them.
    pub options: String,
    /// Its place in the menus.
    pub(crate) menu: Vec<Level>,
}

/// All that can be booted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// The configurations that were found.
    pub configurations: Vec<String>,
    /// Entries with a Linux kernel, in the order found.
    pub entries: Vec<BootEntry>,
    /// Unified kernel images.
    pub unified: Vec<String>,
    /// Boot loaders whose program has a menu in it.
    pub embedded: Vec<String>,
    /// Files to boot from that a program of the guest's writes, and its name.
    pub generated: Vec<(String, &'static str)>,
    /// Which of the entries start when nobody chooses, of each boot loader that is found: those of GRUB
    /// first. An entry with branches is several of them.
    pub defaults: Vec<usize>,
    /// The language of each of the configurations, and what it says of the default.
    pub(crate) languages: Vec<Language>,
    pub(crate) choices: Vec<Choice>,
}

/// What a configuration says of the entry that starts when nobody chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    default: Option<String>,
    reads_entries: bool,
}

/// What a configuration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `grub.cfg`.
    Grub,
    /// GRUB legacy's `menu.lst`.
    Legacy,
    /// extlinux, syslinux.
    Extlinux,
    /// An entry of the boot loader specification.
    Entry,
}

/// An entry as a configuration names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    line: usize,
    title: String,
    kernel: String,
    initrds: Vec<String>,
    options: String,
    menu: Vec<Level>,
}

/// A menu's entry among its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    index: usize,
    title: String,
    id: String,
}

/// What one configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    raw: Vec<Raw>,
    /// EFI programs started by it.
    chained: Vec<String>,
    /// Further files of the same language that it reads.
    includes: Vec<String>,
    /// What it says of the entry that starts when nobody chooses.
    default: Option<String>,
    /// It shows the entries of the boot loader specification.
    reads_entries: bool,
    /// Where in the menus the reader is, and how many entries each of these menus has by now.
    menu: Vec<Level>,
    counts: Vec<usize>,
}

/// Finds all boot entries of the image.
///
/// # Errors
/// A configuration that cannot be read or understood.
pub fn read(stage: &Stage<'_>) -> Result<Boot, Error> {
    let mut boot = Boot::default();
    for directory in ["/boot/grub", "/boot/grub2"] {
        for name in ["grub.cfg", "custom.cfg", "user.cfg"] {
            let path = format!("{directory}/{name}");
            if let Some(text) = text(stage, &path)? {
                let found =
                    grub::parse(&text, directory).map_err(|(line, what)| content(&path, line, what))?;
                boot.add(stage, (&path, Language::Grub), &["", "/boot"], found)?;
            }
        }
        for name in ["menu.lst", "grub.conf"] {
            let path = format!("{directory}/{name}");
            if let Some(text) = text(stage, &path)? {
                boot.add(stage, (&path, Language::Legacy), &["", "/boot"], legacy::parse(&text))?;
            }
        }
    }
    extlinux_files(stage, &mut boot)?;
    for esp in ESP {
        let directory = format!("{esp}/loader/entries");
        for entry in stage.list(&directory)? {
            if !entry.name.ends_with(".conf") {
                continue;
            }
            let path = format!("{directory}/{}", entry.name);
            if let Some(text) = text(stage, &path)? {
                boot.add(stage, (&path, Language::Entry), &[esp, "", "/boot"], bls::parse(&text))?;
            }
        }
    }
    efi_programs(stage, &mut boot)?;
    for (path, by) in GENERATED {
        if stage.stat(path)?.is_some() {
            boot.generated.push((path.to_owned(), by));
        }
    }
    // Entries may have their words from GRUB's environment.
    for entry in boot.entries.iter_mut().filter(|entry| entry.options.contains("$kernelopts")) {
        if let Some(words) = default::saved(stage, "kernelopts")? {
            entry.options = entry.options.replace("$kernelopts", &words);
        }
    }
    boot.defaults = default::find(stage, &boot)?;
    Ok(boot)
}

/// Files that a loader reads and only a program of the guest's can write.
const GENERATED: [(&str, &str); 3] = [
    ("/boot/boot.scr", "flash-kernel from /etc/default/flash-kernel"),
    ("/boot/firmware/boot.scr", "flash-kernel from /etc/default/flash-kernel"),
    ("/etc/zipl.conf", "zipl, into the boot map"),
];

/// The word of a command line that says that the root, or /usr, is verified.
fn verity_word(options: &str) -> Option<String> {
    let hash = options.split_whitespace().find(|word| {
        ["roothash=", "usrhash=", "verity.usrhash=", "systemd.verity_root_hash="]
            .iter()
            .any(|key| word.starts_with(key))
    });
    let table = options.contains("dm-mod.create=") || options.contains("dm=");
    let table = (table && options.contains(" verity ")).then_some("dm-mod.create=");
    hash.or(table).map(|word| word.split_inclusive('=').next().unwrap_or(word).to_owned() + "…")
}

impl Boot {
    /// Entries whose root is verified, each with the word that says so.
    pub fn verified(&self) -> impl Iterator<Item = (&str, String)> {
        self.entries.iter().filter_map(|entry| Some((entry.origin.as_str(), verity_word(&entry.options)?)))
    }

    fn add(
        &mut self,
        stage: &Stage<'_>,
        (path, language): (&str, Language),
        bases: &[&str],
        found: Found,
    ) -> Result<(), Error> {
        if !self.configurations.iter().any(|known| known == path) {
            self.configurations.push(path.to_owned());
            self.languages.push(language);
            self.choices.push(Choice { default: found.default, reads_entries: found.reads_entries });
        }
        for raw in found.raw {
            if is_no_linux(&raw.kernel) {
                continue;
            }
            let mut entry = BootEntry {
                origin: format!("{path}:{}", raw.line),
                title: raw.title,
                kernel: locate(stage, bases, &raw.kernel)?,
                kernel_name: raw.kernel,
                initrds: Vec::new(),
                missing: Vec::new(),
                options: raw.options,
                menu: raw.menu,
            };
            for initrd in raw.initrds {
                match locate(stage, bases, &initrd)? {
                    Some(place) => entry.initrds.push(place),
                    None => entry.missing.push(initrd),
                }
            }
            self.entries.push(entry);
        }
        for program in found.chained {
            let place = locate(stage, &[bases, &ESP[..]].concat(), &program)?;
            if let Some(place) = place {
                self.look_at_program(stage, &place)?;
            }
        }
        Ok(())
    }

    fn look_at_program(&mut self, stage: &Stage<'_>, path: &str) -> Result<(), Error> {
        let bytes = stage.read_limited(path, EFI_LIMIT)?.unwrap_or_default();
        if pe::is_unified(&bytes) && !self.unified.iter().any(|known| known == path) {
            self.unified.push(path.to_owned());
        }
        if pe::has_menu(&bytes) && !self.embedded.iter().any(|known| known == path) {
            self.embedded.push(path.to_owned());
        }
        Ok(())
    }
}

/// Memory tests and syslinux modules are started with the commands for kernels.
fn is_no_linux(kernel: &str) -> bool {
    let name = kernel.rsplit('/').next().unwrap_or(kernel).to_ascii_lowercase();
    name.starts_with("memtest") || name.starts_with("mt86") || name.ends_with(".c32")
}

fn extlinux_files(stage: &Stage<'_>, boot: &mut Boot) -> Result<(), Error> {
    const FILES: [&str; 10] = [
        "/boot/extlinux/extlinux.conf",
        "/extlinux/extlinux.conf",
        "/boot/extlinux.conf",
        "/extlinux.conf",
        "/boot/syslinux/syslinux.cfg",
        "/boot/syslinux.cfg",
        "/boot/syslinux/extlinux.conf",
        "/boot/extlinux/syslinux.cfg",
        "/boot/efi/extlinux/extlinux.conf",
        "/boot/efi/syslinux.cfg",
    ];
    // An included file may include; more than this many is a circle.
    const INCLUDED: usize = 32;
    let mut pending: Vec<String> = FILES.iter().rev().map(|path| (*path).to_owned()).collect();
    while let Some(path) = pending.pop() {
        if boot.configurations.contains(&path) {
            continue;
        }
        let Some(text) = text(stage, &path)? else { continue };
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut found = extlinux::parse(&text);
        let includes = std::mem::take(&mut found.includes);
        boot.add(stage, (&path, Language::Extlinux), &[directory, "", "/boot"], found)?;
        if boot.configurations.len() < INCLUDED {
            for include in includes {
                pending.extend(locate(stage, &[directory, "", "/boot"], &include)?);
            }
        }
    }
    Ok(())
}

fn efi_programs(stage: &Stage<'_>, boot: &mut Boot) -> Result<(), Error> {
    for esp in ESP {
        // FAT does not tell case apart, the tree does.
        for top in stage.list(esp)? {
            if !top.name.eq_ignore_ascii_case("EFI") || top.kind != FileType::Directory {
                continue;
            }
            let vendors = format!("{esp}/{}", top.name);
            for vendor in stage.list(&vendors)? {
                if vendor.kind != FileType::Directory {
                    continue;
                }
                let directory = format!("{vendors}/{}", vendor.name);
                for program in stage.list(&directory)? {
                    let name = program.name.to_ascii_lowercase();
                    let path = format!("{directory}/{}", program.name);
                    if program.kind == FileType::Regular && name.ends_with(".efi") {
                        boot.look_at_program(stage, &path)?;
                    }
                    // Mostly three lines that go on to /boot/grub/grub.cfg, sometimes the menu.
                    if name == "grub.cfg"
                        && let Some(text) = text(stage, &path)?
                    {
                        let found = grub::parse(&text, &directory)
                            .map_err(|(line, what)| content(&path, line, what))?;
                        boot.add(stage, (&path, Language::Grub), &["", "/boot", esp], found)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn text(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    // A directory or device of that name is no configuration.
    if stage.stat(path)?.is_none_or(|metadata| metadata.kind != FileType::Regular) {
        return Ok(None);
    }
    let bytes = stage.read_limited(path, CONFIG_LIMIT)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn content(path: &str, line: usize, what: String) -> Error {
    Error::Content { path: GuestPath::new(path), line: Some(line), what }
}

/// The regular file that `name` is for a boot loader whose own root is one of `bases`.
fn locate(stage: &Stage<'_>, bases: &[&str], name: &str) -> Result<Option<String>, Error> {
    // `(hd0,gpt1)/boot/x`, `($root)/x`.
    let name = match name.strip_prefix('(') {
        Some(rest) => rest.split_once(')').map_or(rest, |(_, path)| path),
        None => name,
    };
    for base in bases {
        let path = format!("{base}/{}", name.trim_start_matches('/'));
        if stage.stat(&path)?.is_some_and(|metadata| metadata.kind == FileType::Regular) {
            return Ok(Some(stage.resolve(&path)?.as_str().to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
