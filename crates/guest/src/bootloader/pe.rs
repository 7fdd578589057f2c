//! Unified kernel images: PE programs with the sections `.linux` and `.initrd` (or one of them).
//!
//! Facts: PE/COFF specification, "File Headers"; UAPI group, "Unified Kernel Image".

/// PE files have a handful of sections; the format allows 96.
const SECTIONS: usize = 96;

/// True for a PE file with a Linux kernel in it.
pub(crate) fn is_unified(bytes: &[u8]) -> bool {
    sections(bytes).is_some_and(|names| names.iter().any(|name| name == b".linux\0\0"))
}

fn sections(bytes: &[u8]) -> Option<Vec<[u8; 8]>> {
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
    (0..count).map(|index| bytes.get(table.checked_add(index * 40)?..)?.first_chunk::<8>().copied()).collect()
}
