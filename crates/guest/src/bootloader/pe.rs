//! What boot loaders' and kernels' programs for EFI have in them, by the sections of the PE file.
//!
//! A unified kernel image has the sections `.linux` and `.initrd` (or one of them); GRUB has its modules, and
//! perhaps a configuration or a small archive of files, in `mods`.
//!
//! Facts: PE/COFF specification, "File Headers"; UAPI group, "Unified Kernel Image"; GRUB's
//! `include/grub/kernel.h`.

use super::grub;

/// PE files have a handful of sections; the format allows 96.
const SECTIONS: usize = 96;
/// "mimg", the head of GRUB's modules.
const MODULES: u32 = 0x676d_696d;
/// Kinds of what is among them.
const ARCHIVE: u32 = 1;
const CONFIGURATION: u32 = 2;

/// True for a PE file with a Linux kernel in it.
pub(crate) fn is_unified(bytes: &[u8]) -> bool {
    sections(bytes).is_some_and(|all| all.iter().any(|section| &section.name == b".linux\0\0"))
}

/// True for a GRUB whose program has boot entries in it.
pub(crate) fn has_menu(bytes: &[u8]) -> bool {
    let Some(all) = sections(bytes) else { return false };
    all.iter().filter(|section| &section.name == b"mods\0\0\0\0").any(|section| {
        let content = section.place.and_then(|(start, end)| bytes.get(start..end.min(bytes.len())));
        content
            .is_some_and(|content| objects(content).is_some_and(|objects| objects.into_iter().any(is_menu)))
    })
}

fn is_menu((kind, content): (u32, &[u8])) -> bool {
    match kind {
        CONFIGURATION => {
            let end = content.iter().position(|byte| *byte == 0).unwrap_or(content.len());
            let text = String::from_utf8_lossy(&content[..end]);
            grub::parse(&text, "").is_ok_and(|found| !found.raw.is_empty())
        }
        // A tar archive: its configuration stands in it as it is.
        ARCHIVE => content.split(|byte| *byte == b'\n').any(|line| {
            let line = line.trim_ascii_start();
            [&b"linux"[..], b"linuxefi", b"linux16"].iter().any(|command| {
                let rest = line.strip_prefix(*command);
                rest.is_some_and(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
            })
        }),
        _ => false,
    }
}

/// What stands among GRUB's modules: each its kind and its content.
fn objects(content: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let number = |at: usize| Some(u32::from_le_bytes(*content.get(at..)?.first_chunk::<4>()?));
    if number(0)? != MODULES {
        return None;
    }
    // Programs of 64 bits have a word of padding, and numbers of 8 bytes.
    let long = number(4)? == 0;
    let (offset, size) = if long { (number(8)?, number(16)?) } else { (number(4)?, number(8)?) };
    let end = usize::try_from(size).ok()?.min(content.len());
    let mut at = usize::try_from(offset).ok()?;
    let mut found = Vec::new();
    while at < end {
        let length = usize::try_from(number(at + 4)?).ok()?;
        // The length counts the head of 8 bytes; less would never come to an end.
        if length < 8 {
            return None;
        }
        let next = at.checked_add(length)?;
        found.push((number(at)?, content.get(at + 8..next.min(content.len()))?));
        at = next;
    }
    Some(found)
}

struct Section {
    name: [u8; 8],
    place: Option<(usize, usize)>,
}

fn sections(bytes: &[u8]) -> Option<Vec<Section>> {
    let word = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk::<2>()?));
    if !bytes.starts_with(b"MZ") {
        return None;
    }
    let header = usize::try_from(u32::from_le_bytes(*bytes.get(0x3c..)?.first_chunk::<4>()?)).ok()?;
    if bytes.get(header..)?.first_chunk::<4>()? != b"PE\0\0" {
        return None;
    }
    let count = usize::from(word(header.checked_add(6)?)?).min(SECTIONS);
    let optional = usize::from(word(header.checked_add(20)?)?);
    let table = header.checked_add(24)?.checked_add(optional)?;
    let number = |at: usize| {
        let number = u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?);
        usize::try_from(number).ok()
    };
    let section = |index: usize| {
        let at = table.checked_add(index * 40)?;
        let name = *bytes.get(at..)?.first_chunk::<8>()?;
        let place = number(at + 20).and_then(|start| Some((start, start.checked_add(number(at + 16)?)?)));
        Some(Section { name, place })
    };
    (0..count).map(section).collect()
}
