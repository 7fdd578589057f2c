//! `/etc/ld.so.cache`: reading, and writing as ldconfig does.
//!
//! Layout: glibc's `sysdeps/generic/dl-cache.h` (`struct cache_file_new`, `file_entry_new`, the
//! extension directory of 2.33 and later); order and string table: `elf/cache.c` and
//! `elf/stringtable.c`. Only the little-endian "new" format is read; the compatible format of
//! glibc before 2.32, which hides the new one behind an old one, is read and written as the new
//! one alone, which those linkers take too. All numbers are little-endian.

use std::cmp::Ordering;
use std::collections::HashMap;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const HEADER: usize = 48;
const ENTRY: usize = 24;
const LITTLE_ENDIAN: u8 = 2;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const TAG_GENERATOR: u32 = 0;
const TAG_HWCAPS: u32 = 1;

/// One library of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name that programs ask for.
    pub name: String,
    /// The path of the library.
    pub path: String,
    /// Library type and architecture (`FLAG_*`).
    pub flags: u32,
    os_version: u32,
    hwcap: u64,
}

/// A cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    entries: Vec<Entry>,
    extensions: Option<Extensions>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Extensions {
    generator: Option<Vec<u8>>,
    hwcaps: Vec<String>,
}

impl Entry {
    /// An entry for the default search, without conditions on the processor.
    #[must_use]
    pub fn new(name: &str, path: &str, flags: u32) -> Self {
        Self { name: name.to_owned(), path: path.to_owned(), flags, os_version: 0, hwcap: 0 }
    }
}

impl Cache {
    /// Reads a cache; `None` when it is none that is known, or damaged.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = if bytes.starts_with(OLD_MAGIC) {
            // nlibs old entries of 12 bytes follow; the new cache starts at the next multiple of 8.
            let count = usize::try_from(number(bytes, OLD_MAGIC.len())?).ok()?;
            let end = count.checked_mul(12)?.checked_add(16)?;
            bytes.get(end.checked_next_multiple_of(8)?..)?
        } else {
            bytes
        };
        let rest = bytes.strip_prefix(MAGIC)?;
        let count = usize::try_from(number(rest, 0)?).ok()?;
        if !matches!(rest.get(8), Some(0 | &LITTLE_ENDIAN)) || count > bytes.len() / ENTRY {
            return None;
        }
        let string = |at: u32| {
            let tail = bytes.get(usize::try_from(at).ok()?..)?;
            let end = tail.iter().position(|byte| *byte == 0)?;
            Some(std::str::from_utf8(&tail[..end]).ok()?.to_owned())
        };
        let mut entries = Vec::new();
        for index in 0..count {
            let at = HEADER + index * ENTRY;
            entries.push(Entry {
                flags: number(bytes, at)?,
                name: string(number(bytes, at + 4)?)?,
                path: string(number(bytes, at + 8)?)?,
                os_version: number(bytes, at + 12)?,
                hwcap: u64::from(number(bytes, at + 16)?) | u64::from(number(bytes, at + 20)?) << 32,
            });
        }
        let extensions = match number(rest, 12)? {
            0 => None,
            at => {
                let at = usize::try_from(at).ok()?;
                if number(bytes, at)? != EXTENSION_MAGIC {
                    return None;
                }
                let mut extensions = Extensions { generator: None, hwcaps: Vec::new() };
                let sections = usize::try_from(number(bytes, at + 4)?).ok()?.min(64);
                for index in 0..sections {
                    let at = at + 8 + index * 16;
                    let start = usize::try_from(number(bytes, at + 8)?).ok()?;
                    let size = usize::try_from(number(bytes, at + 12)?).ok()?;
                    let content = bytes.get(start..start.checked_add(size)?)?;
                    match number(bytes, at)? {
                        TAG_GENERATOR => extensions.generator = Some(content.to_vec()),
                        TAG_HWCAPS => {
                            for name in content.chunks_exact(4) {
                                extensions.hwcaps.push(string(number(name, 0)?)?);
                            }
                        }
                        _ => return None,
                    }
                }
                Some(extensions)
            }
        };
        Some(Self { entries, extensions })
    }

    /// The libraries, in the cache's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keeps only the entries that `keep` says yes to.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
    }

    /// Adds an entry where ldconfig would have it. Among entries for the same name those of
    /// earlier directories come first; `earlier` tells whether a known entry is of one.
    pub fn add(&mut self, entry: Entry, earlier: impl Fn(&Entry) -> bool) {
        if self.entries.contains(&entry) {
            return;
        }
        let index = self
            .entries
            .iter()
            .position(|known| match order(known, &entry) {
                Ordering::Less => false,
                Ordering::Equal => !earlier(known),
                Ordering::Greater => true,
            })
            .unwrap_or(self.entries.len());
        self.entries.insert(index, entry);
    }

    /// The cache's bytes; `None` when it has outgrown the format.
    #[must_use]
    pub fn write(&self) -> Option<Vec<u8>> {
        let start = HEADER + self.entries.len() * ENTRY;
        let hwcaps =
            self.extensions.as_ref().map(|extensions| extensions.hwcaps.as_slice()).unwrap_or_default();
        let (strings, places) = self.strings(hwcaps);
        let place = |text: &str| u32::try_from(start + places[text]).ok();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(strings.len()).ok()?.to_le_bytes());
        let end = start + strings.len();
        let extension_at = end.next_multiple_of(4);
        let (flags, extension_field) = match &self.extensions {
            Some(_) => (LITTLE_ENDIAN, u32::try_from(extension_at).ok()?),
            None => (0, 0),
        };
        bytes.extend_from_slice(&[flags, 0, 0, 0]);
        bytes.extend_from_slice(&extension_field.to_le_bytes());
        bytes.resize(HEADER, 0);
        for entry in &self.entries {
            for number in [entry.flags, place(&entry.name)?, place(&entry.path)?, entry.os_version] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&entry.hwcap.to_le_bytes());
        }
        bytes.extend_from_slice(&strings);
        if let Some(extensions) = &self.extensions {
            bytes.resize(extension_at, 0);
            let names: Option<Vec<u8>> = hwcaps
                .iter()
                .map(|name| place(name).map(u32::to_le_bytes))
                .collect::<Option<Vec<_>>>()
                .map(|all| all.concat());
            let names = names?;
            let generator = extensions.generator.as_deref().unwrap_or_default();
            let sections = usize::from(extensions.generator.is_some()) + usize::from(!names.is_empty());
            let names_at = extension_at + 8 + sections * 16;
            let generator_at = names_at + names.len();
            let mut put = |number: usize| {
                u32::try_from(number).map(|number| bytes.extend_from_slice(&number.to_le_bytes())).ok()
            };
            put(usize::try_from(EXTENSION_MAGIC).ok()?)?;
            put(sections)?;
            if extensions.generator.is_some() {
                [0, 0, generator_at, generator.len()].into_iter().try_for_each(&mut put)?;
            }
            if !names.is_empty() {
                [1, 0, names_at, names.len()].into_iter().try_for_each(&mut put)?;
            }
            bytes.extend_from_slice(&names);
            bytes.extend_from_slice(generator);
        }
        Some(bytes)
    }

    /// All strings, and where each is. Since glibc 2.33 a string that ends another one shares its
    /// bytes; before, name and path of each entry follow one another.
    fn strings<'a>(&'a self, hwcaps: &'a [String]) -> (Vec<u8>, HashMap<&'a str, usize>) {
        let mut all: Vec<&str> =
            self.entries.iter().flat_map(|entry| [entry.name.as_str(), entry.path.as_str()]).collect();
        all.extend(hwcaps.iter().map(String::as_str));
        if self.extensions.is_some() {
            // Backwards, in falling order, so that the longest of a family comes first.
            all.sort_by(|a, b| b.bytes().rev().cmp(a.bytes().rev()));
        }
        let mut bytes: Vec<u8> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut previous: Option<(&str, usize)> = None;
        for text in all {
            if places.contains_key(text) {
                continue;
            }
            let at = match previous {
                Some((longer, at)) if self.extensions.is_some() && longer.ends_with(text) => {
                    at + longer.len() - text.len()
                }
                _ => {
                    let at = bytes.len();
                    bytes.extend_from_slice(text.as_bytes());
                    bytes.push(0);
                    at
                }
            };
            previous = Some((text, at));
            places.insert(text, at);
        }
        (bytes, places)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// ldconfig's order: names from high to low, then flags from high to low; entries with conditions
/// on the processor before those without.
fn order(a: &Entry, b: &Entry) -> Ordering {
    name_order(&b.name, &a.name)
        .then_with(|| b.flags.cmp(&a.flags))
        .then_with(|| b.hwcap.count_ones().cmp(&a.hwcap.count_ones()))
        .then_with(|| b.hwcap.cmp(&a.hwcap))
        .then_with(|| b.os_version.cmp(&a.os_version))
}

/// `_dl_cache_libcmp`: runs of digits as numbers, and digits after everything else.
pub(crate) fn name_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    while let Some(first) = a.first() {
        match (digits(a), digits(b)) {
            (0, 0) => {
                let order = first.cmp(b.first().unwrap_or(&0));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (&a[1..], &b[1..]);
            }
            (0, _) => return Ordering::Less,
            (_, 0) => return Ordering::Greater,
            (left, right) => {
                let value = |text: &[u8]| {
                    text.iter().fold(0_u64, |value, byte| {
                        value.saturating_mul(10).saturating_add(u64::from(byte - b'0'))
                    })
                };
                let order = value(&a[..left]).cmp(&value(&b[..right]));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (&a[left..], &b[right..]);
            }
        }
    }
    if b.is_empty() { Ordering::Equal } else { Ordering::Less }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use super::*;

    fn cache(extensions: Option<Extensions>) -> Cache {
        let mut cache = Cache { entries: Vec::new(), extensions };
        for name in ["libb.so.2", "liba.so.10", "liba.so.9", "libb.so.2.1"] {
            cache.add(Entry::new(name, &format!("/lib/{name}"), 0x303), |_| false);
        }
        cache
    }

    #[test]
    fn orders_numbers_as_numbers_and_downwards() {
        let names: Vec<String> = cache(None).entries.into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["libb.so.2.1", "libb.so.2", "liba.so.10", "liba.so.9"]);
        assert_eq!(name_order("libc.so.6", "libc.so.6"), Ordering::Equal);
        assert_eq!(name_order("libc.so", "libc.so.6"), Ordering::Less);
        assert_eq!(name_order("lib1", "liba"), Ordering::Greater);
    }

    #[test]
    fn what_is_written_is_read() {
        for extensions in [
            None,
            Some(Extensions { generator: Some(b"ldconfig 2.41".to_vec()), hwcaps: Vec::new() }),
            Some(Extensions { generator: Some(b"x".to_vec()), hwcaps: vec!["x86-64-v3".to_owned()] }),
        ] {
            let cache = cache(extensions);
            let bytes = cache.write().unwrap();
            assert_eq!(Cache::parse(&bytes).unwrap(), cache);
            for length in 0..bytes.len() {
                // Never a panic; and a cut cache is none, or one with a shorter tail.
                let _ = Cache::parse(&bytes[..length]);
            }
        }
        assert_eq!(Cache::parse(b""), None);
    }

    /// The machine's own cache, written again, is the same file.
    #[test]
    fn writes_the_bytes_that_ldconfig_writes() {
        let Ok(real) = std::fs::read("/etc/ld.so.cache") else {
            eprintln!("SKIPPED: no /etc/ld.so.cache here");
            return;
        };
        if real.starts_with(OLD_MAGIC) {
            eprintln!("SKIPPED: /etc/ld.so.cache has the format of before glibc 2.32");
            return;
        }
        let mut cache = Cache::parse(&real).unwrap();
        assert_eq!(cache.write().unwrap(), real);
        let last = cache.entries.len() - 1;
        for index in [0, last / 2, last] {
            let entry = cache.entries[index].clone();
            let folder = entry.path.rsplit_once('/').unwrap().0.to_owned();
            if entry.hwcap != 0 || cache.entries.iter().filter(|known| known.name == entry.name).count() > 1 {
                continue;
            }
            cache.retain(|known| *known != entry);
            assert!(cache.write().unwrap() != real, "{folder}");
            cache.add(entry, |_| true);
            assert_eq!(cache.write().unwrap(), real);
        }
    }
}
