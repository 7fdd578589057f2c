//! Types of instances of this machine: EC2's names, with processors and memory as there; each has an ephemeral disk,
//! which costs nothing until something is written to it.

use std::path::Path;

use crate::Error;
use crate::machine::Size;

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// `t3.small`.
    pub name: &'static str,
    /// Processors.
    pub processors: u32,
    /// MiB.
    pub memory: u64,
    /// GiB of the ephemeral disk.
    pub ephemeral: u64,
}

/// The type of an instance where none is named.
pub const DEFAULT: &str = "t3.micro";

const TYPES: &[Type] = &[
    of("t3.nano", 2, 512, 4),
    of("t3.micro", 2, 1024, 4),
    of("t3.small", 2, 2048, 4),
    of("t3.medium", 2, 4096, 4),
    of("t3.large", 2, 8192, 4),
    of("t3.xlarge", 4, 16384, 4),
    of("t3.2xlarge", 8, 32768, 4),
    of("m1.small", 1, 1740, 4),
    of("m1.medium", 1, 3840, 4),
    of("m1.large", 2, 7680, 8),
    of("m3.medium", 1, 3840, 4),
    of("m3.large", 2, 7680, 32),
    of("m3.xlarge", 4, 15360, 40),
    of("c5.large", 2, 4096, 4),
    of("c5.xlarge", 4, 8192, 4),
    of("m5.large", 2, 8192, 4),
    of("m5.xlarge", 4, 16384, 4),
];

/// Processors that may be given away for each that there is: most instances wait most of the time.
const SHARES: u64 = 4;

const fn of(name: &'static str, processors: u32, memory: u64, ephemeral: u64) -> Type {
    Type { name, processors, memory, ephemeral }
}

/// The type of that name; the default one where there is no name.
///
/// # Errors
/// There is no such type; the message lists them.
pub fn find(name: Option<&str>) -> Result<Type, Error> {
    let name = name.unwrap_or(DEFAULT);
    TYPES.iter().copied().find(|one| one.name == name).ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|one| one.name).collect();
        Error::Refused(format!("{name}: this machine has no such type; there are {}", names.join(", ")))
    })
}

/// Refuses `count` instances of a type that need more memory than is free now.
///
/// # Errors
/// They do; the message has what is free, and types that fit.
pub fn fits(kind: &Type, count: u32) -> Result<(), Error> {
    Host::read().fits(kind, count)
}

/// Types, with what this host has room for; `busy` are the processors and MiB of instances that run.
pub(crate) fn sizes(names: &[String], busy: (u64, u64)) -> Result<Vec<Size>, Error> {
    let chosen: Vec<Type> = match names {
        [] => TYPES.to_vec(),
        names => names.iter().map(|name| find(Some(name))).collect::<Result<_, _>>()?,
    };
    let host = Host::read();
    let mut sizes: Vec<Size> = chosen.iter().map(|one| host.size(one, busy)).collect();
    sizes.sort_by(|one, other| {
        let key = |size: &Size| (size.memory, size.processors, size.name.clone());
        key(one).cmp(&key(other))
    });
    sizes.dedup();
    Ok(sizes)
}

/// What this host has.
struct Host {
    processors: u64,
    memory: Option<(u64, u64)>,
}

impl Host {
    /// Memory in MiB, available and in all (`proc_meminfo(5)`).
    fn read() -> Self {
        let text = std::fs::read_to_string(Path::new("/proc/meminfo")).unwrap_or_default();
        Self {
            processors: std::thread::available_parallelism().map_or(1, |number| number.get() as u64),
            memory: field(&text, "MemAvailable:").zip(field(&text, "MemTotal:")),
        }
    }

    fn fits(&self, kind: &Type, count: u32) -> Result<(), Error> {
        let Some((free, _)) = self.memory else { return Ok(()) };
        let count = u64::from(count.max(1));
        if kind.memory.saturating_mul(count) <= free {
            return Ok(());
        }
        let mut fit: Vec<&Type> =
            TYPES.iter().filter(|one| one.memory.saturating_mul(count) <= free).collect();
        fit.sort_by_key(|one| std::cmp::Reverse(one.memory));
        let names: Vec<&str> = fit.iter().take(4).map(|one| one.name).collect();
        let instead = match names.is_empty() {
            true => "no type fits now".to_owned(),
            false => format!("there is room for -t {}", names.join(", ")),
        };
        let (name, memory) = (kind.name, kind.memory);
        let each = if count > 1 {
            format!("{count} instances with {memory} MiB each")
        } else {
            format!("{memory} MiB")
        };
        Err(Error::Refused(format!(
            "{name}: it needs {each}, and {free} MiB of this machine are free; {instead}"
        )))
    }

    fn size(&self, one: &Type, (busy, _): (u64, u64)) -> Size {
        let processors = u64::from(one.processors).max(1);
        let all = self.processors.saturating_mul(SHARES);
        let room = |processors_there: u64, memory_there: u64| {
            u32::try_from((processors_there / processors).min(memory_there / one.memory.max(1)))
                .unwrap_or(u32::MAX)
        };
        let free = self.memory.map(|(available, total)| {
            ("local".to_owned(), room(all.saturating_sub(busy), available), room(all, total))
        });
        Size {
            name: one.name.to_owned(),
            processors: one.processors,
            memory: one.memory,
            disk: Some(one.ephemeral),
            architectures: vec!["x86_64".to_owned()],
            free: free.into_iter().collect(),
            // QEMU's user network, and a private one.
            interfaces: Some(2),
        }
    }
}

/// A field of `/proc/meminfo`, MiB.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_there_and_others_are_listed() {
        assert_eq!(find(None).unwrap(), of("t3.micro", 2, 1024, 4));
        let text = find(Some("m5.metal")).unwrap_err().to_string();
        assert!(text.starts_with("m5.metal: ") && text.contains("m5.large, m5.xlarge"), "{text}");
    }

    #[test]
    fn room_is_what_both_memory_and_processors_leave() {
        let meminfo = "MemTotal:        8388608 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB\n";
        let memory = field(meminfo, "MemAvailable:").zip(field(meminfo, "MemTotal:"));
        assert_eq!(memory, Some((4096, 8192)));
        let host = Host { processors: 2, memory };
        let free = |name: &str, busy| host.size(&find(Some(name)).unwrap(), (busy, 0)).free[0].clone();
        assert_eq!(free("t3.small", 0), ("local".to_owned(), 2, 4));
        assert_eq!(free("t3.nano", 6), ("local".to_owned(), 1, 4));
        assert_eq!(free("m5.xlarge", 0), ("local".to_owned(), 0, 0));
        assert!(host.size(&find(None).unwrap(), (99, 0)).free[0].1 == 0);
        assert!(Host { processors: 1, memory: None }.size(&find(None).unwrap(), (0, 0)).free.is_empty());
    }

    #[test]
    fn more_memory_than_is_free_is_refused() {
        let host = Host { processors: 2, memory: Some((4096, 8192)) };
        let fits = |name: &str, count| host.fits(&find(Some(name)).unwrap(), count);
        assert!(fits("t3.medium", 1).is_ok() && fits("t3.small", 2).is_ok() && fits("t3.nano", 0).is_ok());
        let text = fits("t3.2xlarge", 1).unwrap_err().to_string();
        assert!(text.contains("needs 32768 MiB, and 4096 MiB of this machine are free"), "{text}");
        assert!(text.contains("room for -t t3.medium, "), "{text}");
        let text = fits("t3.micro", 9).unwrap_err().to_string();
        assert!(text.contains("9 instances with 1024 MiB each") && text.contains("no type fits"), "{text}");
        assert!(Host { processors: 1, memory: None }.fits(&find(Some("t3.2xlarge")).unwrap(), 1).is_ok());
    }

    #[test]
    fn sizes_come_in_order() {
        let names: Vec<String> = ["m5.large", "t3.nano", "t3.nano"].map(str::to_owned).to_vec();
        let sizes = sizes(&names, (0, 0)).unwrap();
        assert_eq!(sizes.iter().map(|size| size.name.as_str()).collect::<Vec<_>>(), ["t3.nano", "m5.large"]);
        assert!(super::sizes(&["x".to_owned()], (0, 0)).is_err());
    }
}
