//! rpm's header: an index of tags, and the values behind it. All numbers are big endian.

use super::{Digests, Package, u32_at};

/// Entries of an index (rpm's own limit, `hdrchkTags`).
const ENTRY_LIMIT: usize = 0xffff;
/// A text of a tag that is shown; descriptions are not read.
const TEXT_LIMIT: usize = 64 << 10;

const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const BIN: u32 = 7;
const STRING_ARRAY: u32 = 8;
const I18N: u32 = 9;

struct Header<'b> {
    index: &'b [u8],
    data: &'b [u8],
}

impl<'b> Header<'b> {
    fn parse(blob: &'b [u8]) -> Result<Self, String> {
        let (entries, length) = (u32_at(blob, 0, true) as usize, u32_at(blob, 4, true) as usize);
        if blob.len() < 8 || entries == 0 || entries > ENTRY_LIMIT {
            return Err(format!("a header of {} bytes with {entries} entries", blob.len()));
        }
        let end = 8 + entries * 16;
        let all = end.checked_add(length);
        match (blob.get(8..end), all.and_then(|all| blob.get(end..all))) {
            (Some(index), Some(data)) => Ok(Self { index, data }),
            _ => Err(format!(
                "a header of {} bytes says it has {entries} entries and {length} bytes",
                blob.len()
            )),
        }
    }

    /// Type, number of values, and the bytes from the first value on.
    fn find(&self, tag: u32) -> Option<(u32, u32, &'b [u8])> {
        let entry = self.index.chunks_exact(16).find(|entry| u32_at(entry, 0, true) == tag)?;
        let offset = u32_at(entry, 8, true) as usize;
        Some((u32_at(entry, 4, true), u32_at(entry, 12, true), self.data.get(offset..)?))
    }

    fn text(&self, tag: u32) -> String {
        match self.find(tag) {
            Some((STRING | STRING_ARRAY | I18N, 1.., bytes)) => {
                let end = bytes.iter().take(TEXT_LIMIT).position(|byte| *byte == 0);
                let text = &bytes[..end.unwrap_or(bytes.len().min(TEXT_LIMIT))];
                String::from_utf8_lossy(text).into_owned()
            }
            _ => String::new(),
        }
    }

    fn number(&self, tag: u32) -> Option<u32> {
        match self.find(tag)? {
            (INT32, 1.., bytes) if bytes.len() >= 4 => Some(u32_at(bytes, 0, true)),
            _ => None,
        }
    }

    fn long(&self, tag: u32) -> Option<u64> {
        match self.find(tag)? {
            (INT64, 1.., bytes) => bytes.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)),
            _ => None,
        }
    }

    fn hexadecimal(&self, tag: u32) -> String {
        match self.find(tag) {
            Some((BIN, count, bytes)) if count <= 64 => {
                let bytes = bytes.get(..count as usize).unwrap_or_default();
                bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            _ => String::new(),
        }
    }
}

/// The package that a header describes.
pub(super) fn package(blob: &[u8]) -> Result<Package, String> {
    let header = Header::parse(blob)?;
    let name = header.text(1000);
    if name.is_empty() {
        return Err("a package without a name".to_owned());
    }
    let mut payload = header.text(5092);
    // Beside it is which algorithm: 8 is SHA-256 (RFC 4880).
    if header.number(5093).is_some_and(|algorithm| algorithm != 8) {
        payload.clear();
    }
    Ok(Package {
        name,
        epoch: header.number(1003),
        version: header.text(1001),
        release: header.text(1002),
        arch: header.text(1022),
        license: header.text(1014),
        vendor: header.text(1011),
        summary: header.text(1004),
        source_rpm: header.text(1044),
        url: header.text(1020),
        packager: header.text(1015),
        modularity: header.text(5096),
        install_time: header.number(1008),
        size: header.long(5009).or(header.number(1009).map(u64::from)).unwrap_or(0),
        digests: Digests {
            md5: header.hexadecimal(261),
            header_sha1: header.text(269),
            header_sha256: header.text(273),
            payload_sha256: payload,
        },
    })
}
