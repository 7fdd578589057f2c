//! Berkeley DB's hashes, as far as rpm makes them: the whole file page by page, for all that is wanted is every
//! value (rpm, lib/backend/bdb_ro.c; Berkeley DB, dbinc/db_page.h).

use super::{File, HEADER_LIMIT, Take, u16_at, u32_at};
use crate::Error;

const MAGIC: u32 = 0x0006_1561;
/// Length of a page's head.
const HEAD: usize = 26;
const UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const SORTED: u8 = 13;
/// Types of items: their bytes, or where they lie.
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;

/// Whether the file begins as a hash of Berkeley DB, of either byte order.
pub(super) fn is_hash(head: &[u8]) -> bool {
    head.len() >= 26 && (u32_at(head, 12, false) == MAGIC || u32_at(head, 12, true) == MAGIC)
}

pub(super) fn read(file: &File<'_>, take: &mut Take<'_>) -> Result<(), Error> {
    let head = file.bytes(0, 64)?;
    let big = u32_at(&head, 12, true) == MAGIC;
    let (size, last) = (u32_at(&head, 20, big) as usize, u32_at(&head, 32, big));
    if !(512..=65536).contains(&size) || !size.is_power_of_two() {
        return Err(file.wrong(format!("pages of {size} bytes")));
    }
    if head[24] != 0 {
        return Err(file.wrong("is encrypted"));
    }
    for number in 1..=u64::from(last) {
        // The last pages may be allocated and not written.
        if (number + 1) * size as u64 > file.size {
            break;
        }
        let page = file.bytes(number * size as u64, size)?;
        if !matches!(page[25], UNSORTED | SORTED) {
            continue;
        }
        let count = u16_at(&page, 20, big);
        if HEAD + count * 2 > size {
            return Err(file.wrong(format!("page {number} has {count} entries")));
        }
        // Keys and values take turns; each ends where the one before it begins.
        for index in (1..count).step_by(2) {
            let offset = |index: usize| u16_at(&page, HEAD + index * 2, big);
            let item = page.get(offset(index)..offset(index - 1)).unwrap_or_default();
            let key = page.get(offset(index - 1)..).unwrap_or_default();
            // Key 0 is rpm's own count of headers.
            if key.first() == Some(&KEY_DATA) && u32_at(key, 1, big) == 0 {
                continue;
            }
            match item.split_first() {
                Some((&KEY_DATA, blob)) => take(blob)?,
                Some((&OFF_PAGE, rest)) if rest.len() >= 11 => {
                    let (first, length) = (u32_at(rest, 3, big), u32_at(rest, 7, big) as usize);
                    take(&overflow(file, (first, length), size, big)?)?;
                }
                _ => return Err(file.wrong(format!("page {number}: entry {index} is damaged"))),
            }
        }
    }
    Ok(())
}

/// What lies on a chain of pages of its own.
fn overflow(
    file: &File<'_>,
    (mut number, length): (u32, usize),
    size: usize,
    big: bool,
) -> Result<Vec<u8>, Error> {
    if length > HEADER_LIMIT {
        return Err(file.wrong(format!("a header of {length} bytes")));
    }
    let mut blob = Vec::new();
    while blob.len() < length {
        let page = match number {
            0 => return Err(file.wrong(format!("a header ends after {} of {length} bytes", blob.len()))),
            number => file.bytes(u64::from(number) * size as u64, size)?,
        };
        let filled = u16_at(&page, 22, big);
        // A page without bytes would let a circle go on for ever.
        match page.get(HEAD..HEAD + filled) {
            Some(bytes) if page[25] == OVERFLOW && filled > 0 => blob.extend_from_slice(bytes),
            _ => return Err(file.wrong(format!("page {number} is none of a header's"))),
        }
        number = u32_at(&page, 16, big);
    }
    blob.truncate(length);
    Ok(blob)
}
