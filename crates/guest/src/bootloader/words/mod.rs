//! Words of the kernel's command line, in every boot entry that can be picked and in what the next
//! entries are generated of.
//!
//! What cannot be edited without breaking it is refused by name ([`Why`]): the rest is done all the
//! same, since the sources and other entries do not depend on it.

mod line;
mod menus;
pub(super) mod script;
mod sources;

use std::collections::BTreeMap;
use std::fmt;

pub use line::Word;
pub(super) use line::{Wanted, edits, patch};
pub(super) use sources::grub_settings;

use super::{Boot, Language};
use crate::{Error, Set, Stage};

/// Linux's `COMMAND_LINE_SIZE` on x86 and arm64, with the zero byte at the end.
const LONGEST: usize = 2048;

/// What became of the boot entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// The entries that now have the words, by their place: "/boot/grub/grub.cfg:120".
    pub entries: Vec<String>,
    /// Those that cannot be edited.
    pub refused: Vec<Refused>,
    /// Files, entries' and generators', in which something had to change.
    pub changed: Vec<String>,
}

/// A boot entry that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place, or its file.
    pub origin: String,
    /// Why.
    pub why: Why,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.why)
    }
}

/// Why a boot entry cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The command line is a section of a signed program.
    Unified,
    /// The root is verified by the hash that this word gives.
    Verity(String),
    /// The menu is part of the boot loader's own program.
    Embedded,
    /// The kernel that it names is not in the image: it cannot boot as it is.
    NoKernel(String),
    /// The line would become longer than the kernel reads.
    TooLong(usize),
    /// A generated file that this program does not write, and what writes it.
    Generated(&'static str),
    /// GRUB's environment block has no room.
    NoRoom,
}

impl Why {
    /// Whether the machine could start this entry.
    #[must_use]
    pub fn can_boot(&self) -> bool {
        !matches!(self, Self::NoKernel(_))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unified => {
                write!(
                    f,
                    "a unified kernel image, whose command line is part of a program that may be signed"
                )
            }
            Self::Verity(word) => {
                write!(f, "its root is verified by dm-verity ({word}): with any change it does not start")
            }
            Self::Embedded => {
                write!(f, "a boot loader with its menu in its own program, which may be signed")
            }
            Self::NoKernel(kernel) => write!(f, "its kernel {kernel} is not in the image"),
            Self::TooLong(length) => {
                write!(f, "the command line would have {length} bytes; a kernel reads {}", LONGEST - 1)
            }
            Self::Generated(by) => write!(f, "made by {by}, which has to run for it"),
            Self::NoRoom => write!(f, "GRUB's environment block of 1024 bytes has no room for it"),
        }
    }
}

/// Gives the command line of every entry that can be picked the words of `add`, takes those of
/// `remove` away, and has later entries made the same. A word of `remove` without a value stands
/// for its key with any value. What stands there already stays where it is.
///
/// # Errors
/// A configuration that cannot be read or understood; a word that cannot be written.
pub fn set_words(stage: &mut Stage<'_>, add: &[Word], remove: &[Word]) -> Result<Edited, Error> {
    let (files, edited) = staged(stage, add, remove)?;
    for (path, text) in files {
        let set = Set::default();
        stage.write(&path, text, set)?;
    }
    Ok(edited)
}

/// What [`set_words`] would do: nothing has to change where `changed` is empty.
///
/// # Errors
/// As [`set_words`].
pub fn check_words(stage: &Stage<'_>, add: &[Word], remove: &[Word]) -> Result<Edited, Error> {
    Ok(staged(stage, add, remove)?.1)
}

type Files = BTreeMap<String, Vec<u8>>;

fn staged(stage: &Stage<'_>, add: &[Word], remove: &[Word]) -> Result<(Files, Edited), Error> {
    let wanted = Wanted { add, remove };
    wanted.check()?;
    let boot = super::read(stage)?;
    let mut work = Work { stage, wanted, boot: &boot, files: Files::new(), edited: Edited::default() };
    let environment = work.environment()?;
    for (path, language) in boot.configurations.iter().zip(&boot.languages) {
        let Some(text) = work.text(path)? else { continue };
        let new = match language {
            Language::Grub => work.script(path, &text, &environment, 0),
            Language::Legacy => work.legacy(path, &text),
            Language::Extlinux => work.extlinux(path, &text),
            Language::Entry => work.entry(path, &text, &environment),
        };
        work.put(path, &text, new);
    }
    work.refuse_whole();
    work.plain()?;
    work.sources(&environment)?;
    let Work { files, mut edited, .. } = work;
    edited.changed = files.keys().cloned().collect();
    Ok((files, edited))
}

/// Names of GRUB variables that hold words of the command line.
const OPTIONS_VARIABLE: &str = "kernelopts";

struct Work<'a, 't> {
    stage: &'a Stage<'t>,
    wanted: Wanted<'a>,
    boot: &'a Boot,
    files: Files,
    edited: Edited,
}

impl Work<'_, '_> {
    /// The text of a configuration as it is by now.
    fn text(&self, path: &str) -> Result<Option<String>, Error> {
        match self.files.get(path) {
            Some(bytes) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
            // What is not UTF-8 would not come back as it was.
            None => match super::text(self.stage, path)? {
                Some(_) => self.stage.read_text(path),
                None => Ok(None),
            },
        }
    }

    fn put(&mut self, path: &str, old: &str, new: String) {
        if new != old {
            self.files.insert(path.to_owned(), new.into_bytes());
        }
    }

    fn refuse(&mut self, origin: &str, why: Why) {
        let refused = Refused { origin: origin.to_owned(), why };
        if !self.edited.refused.contains(&refused) {
            self.edited.refused.push(refused);
        }
    }

    /// Whether the entry at `path:line` may be edited; tells of those that may not.
    fn may_edit(&mut self, path: &str, line: usize) -> bool {
        let origin = format!("{path}:{line}");
        let entries: Vec<_> = self.boot.entries.iter().filter(|entry| entry.origin == origin).collect();
        if let Some(word) = entries.iter().find_map(|entry| super::verity_word(&entry.options)) {
            self.refuse(&origin, Why::Verity(word));
            return false;
        }
        match entries.first() {
            // Nothing leads there; a later entry may.
            None => true,
            Some(first) if entries.iter().all(|entry| entry.kernel.is_none()) => {
                self.refuse(&origin, Why::NoKernel(first.kernel_name.clone()));
                false
            }
            Some(_) => {
                if !self.edited.entries.contains(&origin) {
                    self.edited.entries.push(origin);
                }
                true
            }
        }
    }

    /// Takes an entry back whose line became too long.
    fn check_length(&mut self, path: &str, line: usize, text: &str) -> bool {
        if text.len() < LONGEST {
            return true;
        }
        let origin = format!("{path}:{line}");
        self.edited.entries.retain(|entry| *entry != origin);
        self.refuse(&origin, Why::TooLong(text.len()));
        false
    }

    fn refuse_whole(&mut self) {
        let boot = self.boot;
        for image in &boot.unified {
            self.refuse(image, Why::Unified);
        }
        for program in &boot.embedded {
            self.refuse(program, Why::Embedded);
        }
        for (path, by) in &boot.generated {
            self.refuse(path, Why::Generated(by));
        }
    }
}

#[cfg(test)]
mod tests;
