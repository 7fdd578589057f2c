//! As much of ELF as it takes to find the libraries of a program: machine, interpreter, needed
//! libraries and search paths. Hostile files give `None` or less, never an error: they are then
//! no programs.
//!
//! Facts: `elf(5)`; System V gABI, chapter 5.

/// Program headers and dynamic entries that are looked at; real files have about 15 and 40.
const ENTRIES: u64 = 1024;
/// Longest string taken, `PATH_MAX`.
const STRING: usize = 4096;
/// Text of all needed libraries together; real programs have less than 2 KiB. Entries of a small
/// file can all name the same long string.
const TEXT: usize = 16 << 10;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// What an ELF file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// 64-bit, or 32-bit.
    pub wide: bool,
    /// Little-endian, or big-endian.
    pub little: bool,
    /// `e_machine`: 62 is x86-64, 183 AArch64.
    pub machine: u16,
    /// The dynamic linker, as a path.
    pub interpreter: Option<String>,
    /// Names of the libraries it needs, in order.
    pub needed: Vec<String>,
    /// Its own name as a library.
    pub soname: Option<String>,
    /// Directories to search first (`DT_RUNPATH`, or else `DT_RPATH`), split at colons, `$ORIGIN`
    /// unresolved.
    pub search: Vec<String>,
}

impl Elf {
    /// Reads the headers; `None` when `bytes` are no ELF file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let file = Reader::new(bytes)?;
        let mut elf = Self {
            wide: file.wide,
            little: file.little,
            machine: u16::try_from(file.number(18, 2)?).ok()?,
            ..Self::default()
        };
        let (table, size, count) = if file.wide {
            (file.number(32, 8)?, file.number(54, 2)?, file.number(56, 2)?)
        } else {
            (file.number(28, 4)?, file.number(42, 2)?, file.number(44, 2)?)
        };
        let mut loads = Vec::new();
        let mut dynamic = None;
        for index in 0..count.min(ENTRIES) {
            let Some(segment) = file.segment(table.checked_add(index.checked_mul(size)?)?) else { break };
            match segment.kind {
                PT_LOAD => loads.push(segment),
                PT_DYNAMIC => dynamic = Some(segment),
                PT_INTERP => elf.interpreter = file.string(segment.offset),
                _ => {}
            }
        }
        if let Some(dynamic) = dynamic {
            elf.read_dynamic(&file, &loads, dynamic);
        }
        Some(elf)
    }

    fn read_dynamic(&mut self, file: &Reader<'_>, loads: &[Segment], dynamic: Segment) {
        let word = if file.wide { 8 } else { 4 };
        let entries: Vec<(u64, u64)> = (0..(dynamic.size / (2 * word)).min(ENTRIES))
            .map_while(|index| {
                let at = dynamic.offset.checked_add(index * 2 * word)?;
                Some((file.number(at, word)?, file.number(at.checked_add(word)?, word)?))
            })
            .take_while(|(tag, _)| *tag != DT_NULL)
            .collect();
        let Some(strings) = entries
            .iter()
            .find(|(tag, _)| *tag == DT_STRTAB)
            .and_then(|(_, address)| loads.iter().find_map(|load| load.file_offset(*address)))
        else {
            return;
        };
        let text = |value: u64| file.string(strings.checked_add(value)?);
        let mut rpath = None;
        let mut runpath = None;
        let mut room = TEXT;
        for (tag, value) in &entries {
            match *tag {
                DT_NEEDED => {
                    if let Some(name) = text(*value).filter(|name| name.len() < room) {
                        room -= name.len();
                        self.needed.push(name);
                    }
                }
                DT_SONAME => self.soname = text(*value),
                DT_RPATH => rpath = text(*value),
                DT_RUNPATH => runpath = text(*value),
                _ => {}
            }
        }
        self.search = runpath
            .or(rpath)
            .map(|path| path.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default();
    }

    /// True when both can be linked together.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        (self.wide, self.little, self.machine) == (other.wide, other.little, other.machine)
    }
}

#[derive(Clone, Copy)]
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

impl Segment {
    fn file_offset(&self, address: u64) -> Option<u64> {
        let inner = address.checked_sub(self.address)?;
        if inner >= self.size {
            return None;
        }
        self.offset.checked_add(inner)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    little: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let [0x7f, b'E', b'L', b'F', class, data, ..] = bytes else { return None };
        let wide = match class {
            1 => false,
            2 => true,
            _ => return None,
        };
        let little = match data {
            1 => true,
            2 => false,
            _ => return None,
        };
        Some(Self { bytes, wide, little })
    }

    fn number(&self, offset: u64, width: u64) -> Option<u64> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(width).ok()?)?;
        let digits = self.bytes.get(start..end)?;
        let fold = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(if self.little { digits.iter().rev().fold(0, fold) } else { digits.iter().fold(0, fold) })
    }

    fn string(&self, offset: u64) -> Option<String> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let end = rest.iter().take(STRING).position(|byte| *byte == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn segment(&self, at: u64) -> Option<Segment> {
        let field = |wide: u64, narrow: u64| {
            if self.wide {
                self.number(at.checked_add(wide)?, 8)
            } else {
                self.number(at.checked_add(narrow)?, 4)
            }
        };
        Some(Segment {
            kind: self.number(at, 4)?,
            offset: field(8, 4)?,
            address: field(16, 8)?,
            size: field(32, 16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A missing tool is no failure on a developer's machine, and one in CI.
    #[allow(clippy::print_stderr)]
    fn skip(why: &str) {
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}");
    }

    #[test]
    fn reads_this_test_program() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let elf = Elf::parse(&bytes).unwrap();
        if elf.interpreter.is_some() {
            assert!(elf.needed.iter().any(|name| name.starts_with("libc.so")), "{elf:?}");
        }
        assert_eq!(elf.wide, cfg!(target_pointer_width = "64"));
    }

    #[test]
    fn says_what_readelf_says() {
        let program =
            ["/sbin/mke2fs", "/usr/bin/true"].into_iter().find(|path| std::path::Path::new(path).exists());
        let Some(program) = program else { return skip("no ELF program to look at") };
        let output = std::process::Command::new("readelf")
            .args(["-d", "-l", "-W", program])
            .env("LC_ALL", "C")
            .output();
        let Ok(output) = output else { return skip("readelf is not installed") };
        let text = String::from_utf8(output.stdout).unwrap();
        let needed: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(name, _)| name))
            .collect();
        let elf = Elf::parse(&std::fs::read(program).unwrap()).unwrap();
        assert_eq!(elf.needed, needed);
        let interpreter =
            text.lines().find_map(|line| line.split_once("program interpreter: ")?.1.strip_suffix(']'));
        assert_eq!(elf.interpreter.as_deref(), interpreter);
    }

    #[test]
    fn damaged_files_never_panic() {
        let good = std::fs::read("/proc/self/exe").unwrap();
        let good = &good[..good.len().min(64 << 10)];
        let mut state = 0x9e37_79b9_u64;
        for _ in 0..3000 {
            let mut bytes = good.to_vec();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % 1024.min(bytes.len());
                bytes[at] = (state >> 17) as u8;
            }
            bytes[..4].copy_from_slice(b"\x7fELF");
            if let Some(elf) = Elf::parse(&bytes) {
                assert!(elf.needed.iter().map(String::len).sum::<usize>() < TEXT);
            }
        }
        for length in 0..128 {
            let _ = Elf::parse(&good[..length]);
        }
    }
}
