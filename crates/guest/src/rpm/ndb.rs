//! ndb: slots of 16 bytes that say where each package's header lies (rpm, lib/backend/ndb/rpmpkg.c).

use super::{File, HEADER_LIMIT, Take, u32_at};
use crate::Error;

/// Slots are allocated in pages of this size, and headers in blocks of 16 bytes.
const PAGE: u64 = 4096;
const BLOCK: u64 = 16;
/// Pages of slots that are read: 16 million packages.
const PAGE_LIMIT: u32 = 1 << 16;

pub(super) fn read(file: &File<'_>, take: &mut Take<'_>) -> Result<(), Error> {
    let head = file.bytes(0, 32)?;
    let (version, pages) = (u32_at(&head, 4, false), u32_at(&head, 12, false));
    if version != 0 {
        return Err(file.wrong(format!("ndb of version {version} is not known")));
    }
    if pages == 0 || pages > PAGE_LIMIT {
        return Err(file.wrong(format!("{pages} pages of slots")));
    }
    for page in 0..u64::from(pages) {
        let slots = file.bytes(page * PAGE, PAGE as usize)?;
        // The first two are the database's own head.
        let skip = if page == 0 { 32 } else { 0 };
        for slot in slots[skip..].chunks_exact(16) {
            let (index, offset, count) =
                (u32_at(slot, 4, false), u32_at(slot, 8, false), u32_at(slot, 12, false));
            if !slot.starts_with(b"Slot") {
                return Err(file.wrong(format!("page {page} of slots is damaged")));
            }
            if offset == 0 {
                continue;
            }
            let start = u64::from(offset) * BLOCK;
            let head = file.bytes(start, 16)?;
            let length = u32_at(&head, 12, false) as usize;
            let fits = length as u64 + 28 <= u64::from(count) * BLOCK && length <= HEADER_LIMIT;
            if !head.starts_with(b"BlbS") || u32_at(&head, 4, false) != index || !fits {
                return Err(file.wrong(format!("package {index} at byte {start:#x} is damaged")));
            }
            take(&file.bytes(start + 16, length)?)?;
        }
    }
    Ok(())
}
