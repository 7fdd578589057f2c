//! A header of 512 bytes, and the extended header of pax.

use super::sparse::{MOST_RANGES, Map};

/// Archives are made of blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// Where the checksum is; it is computed as if there were spaces.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// What a header says of its member.
pub(super) struct Header {
    pub(super) name: String,
    /// The type flag.
    pub(super) kind: u8,
    /// Bytes that are stored.
    pub(super) size: u64,
}

/// No path is longer on Linux.
pub(super) const LONGEST_NAME: usize = 4096;

/// True when a file begins like an archive.
pub(crate) fn is_tar_header(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<BLOCK>() else { return false };
    // The oldest form has no magic, but a checksum, and that of a file of zeros does not fit.
    block[257..].starts_with(b"ustar") || (block[0] != 0 && has_checksum(block))
}

fn has_checksum(block: &[u8; BLOCK]) -> bool {
    let Ok(stored) = number(&block[CHECKSUM]) else { return false };
    let sum = |signed: bool| -> i64 {
        let bytes = block.iter().enumerate();
        bytes
            .map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte })
            .map(|byte| if signed { i64::from(byte as i8) } else { i64::from(byte) })
            .sum()
    };
    // Some old programs added signed bytes.
    i64::try_from(stored).is_ok_and(|stored| stored == sum(false) || stored == sum(true))
}

impl Header {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, String> {
        if !has_checksum(block) {
            return Err("its checksum is wrong".to_owned());
        }
        let size = number(&block[124..136]).map_err(|field| format!("its size is {field}"))?;
        let mut name = text(&block[..100]);
        // GNU uses the place of the prefix for something else, and another magic.
        if block[257..].starts_with(b"ustar\0") && block[345] != 0 {
            name = format!("{}/{name}", text(&block[345..500]));
        }
        Ok(Self { name, kind: block[156], size })
    }

    /// The oldest form has no type for directories, but a slash.
    pub(super) fn is_directory(&self) -> bool {
        self.kind != b'S' && self.name.ends_with('/')
    }
}

/// The text before the first zero byte.
pub(super) fn text(field: &[u8]) -> String {
    let length = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..length]).into_owned()
}

/// A number: octal digits, or with the highest bit set, bytes. The error is the field in words.
pub(super) fn number(field: &[u8]) -> Result<u64, String> {
    let strange = || format!("{:?}", text(field));
    match field.first() {
        Some(first) if first & 0x80 != 0 => {
            let mut bytes = std::iter::once(first & 0x7f).chain(field[1..].iter().copied());
            bytes
                .try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(byte.into()))
                .ok_or_else(|| "larger than any disk".to_owned())
        }
        _ => {
            let text = text(field);
            let digits = text.trim_matches(' ');
            match digits {
                "" => Ok(0),
                _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    u64::from_str_radix(digits, 8).map_err(|_| strange())
                }
                _ => Err(strange()),
            }
        }
    }
}

/// What the extended header of pax says of the next member.
#[derive(Default)]
pub(super) struct Pax {
    pub(super) name: Option<String>,
    pub(super) size: Option<u64>,
    /// The size of a sparse file, holes included.
    pub(super) sparse_size: Option<u64>,
    /// Forms 0.0 and 0.1: offset and length in turn.
    numbers: Vec<u64>,
    is_sparse: bool,
    /// Form 1.0: the map is in the content.
    in_content: bool,
}

impl Pax {
    /// Reads records of the form "length key=value\n".
    pub(super) fn read(&mut self, mut records: &[u8]) -> Result<(), String> {
        while !records.is_empty() {
            let bad = || "a record of its pax header is damaged".to_owned();
            let space = records.iter().take(20).position(|byte| *byte == b' ').ok_or_else(bad)?;
            let length: usize = std::str::from_utf8(&records[..space])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(bad)?;
            let record = records.get(space + 1..length).ok_or_else(bad)?;
            let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            self.set(&record[..equals], &String::from_utf8_lossy(&record[equals + 1..]))?;
            records = &records[length..];
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &str) -> Result<(), String> {
        let number = || {
            let bad = || format!("{} in its pax header is {value:?}", String::from_utf8_lossy(key));
            value.parse::<u64>().map_err(|_| bad())
        };
        if key.ends_with(b"path") | key.ends_with(b"name") && value.len() > LONGEST_NAME {
            return Err(format!("its name has more than {LONGEST_NAME} bytes"));
        }
        if self.numbers.len() > 2 * MOST_RANGES {
            return Err(format!("its sparse map has more than {MOST_RANGES} ranges"));
        }
        match key {
            // The name of a sparse file; the path is one that old programs make of it.
            b"GNU.sparse.name" => self.name = Some(value.to_owned()),
            b"path" => {
                self.name.get_or_insert_with(|| value.to_owned());
            }
            b"size" => self.size = Some(number()?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.is_sparse = true;
                self.sparse_size = Some(number()?);
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.numbers.push(number()?),
            b"GNU.sparse.map" => {
                for part in value.split(',').filter(|part| !part.is_empty()) {
                    let bad = || format!("GNU.sparse.map in its pax header holds {part:?}");
                    self.numbers.push(part.parse().map_err(|_| bad())?);
                }
            }
            b"GNU.sparse.major" => self.in_content = number()? == 1,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn has_map_in_content(&self) -> bool {
        self.in_content
    }

    /// The sparse map of forms 0.0 and 0.1; none for a member with all its bytes.
    pub(super) fn map(&self, stored: u64) -> Result<Option<Map>, String> {
        if self.in_content || !self.is_sparse {
            return Ok(None);
        }
        Map::of_numbers(self.sparse_size.unwrap_or(stored), &self.numbers).map(Some)
    }
}
