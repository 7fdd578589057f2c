//! What the trigger `ldconfig` of libc-bin does: links named after the SONAME, and the cache.
//!
//! Only what has changed is looked at: the cache of the image gets the new libraries and loses
//! those that are gone, which gives what a full run gives when the cache was up to date. Rules of
//! `elf/ldconfig.c` (`search_dir`) and `elf/readelflib.c` of glibc.

use std::collections::BTreeMap;

use super::admin::glob;
use super::ldcache::{Cache, Entry, name_order};
use crate::{Error, FileType, GuestPath, Set, Stage};

const CACHE: &str = "/etc/ld.so.cache";
const CONFIGURATION: &str = "/etc/ld.so.conf";
/// The largest libraries (LLVM, browsers) have some 200 MiB.
const LIBRARY_LIMIT: u64 = 1 << 30;
/// `FLAG_ELF_LIBC6`.
const LIBC6: u32 = 3;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cache is as ldconfig would leave it.
    Done,
    /// It could not be done here; the reason in words. The trigger stays for the first boot.
    NotHere(String),
}

/// Brings the cache up to date after the files `changed` (as in packages) came or went.
pub fn update(stage: &mut Stage<'_>, changed: &[String]) -> Result<Outcome, Error> {
    let folders = folders(stage)?;
    let mut names: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for path in changed {
        let Some((folder, name)) = path.rsplit_once('/') else { continue };
        if folder.contains("/glibc-hwcaps/") && is_library(name) {
            return Ok(Outcome::NotHere(format!("{path} is for certain processors only")));
        }
        if !is_library(name) {
            continue;
        }
        let real = stage.resolve(folder)?;
        if let Some(index) = folders.iter().position(|known| known.real == real) {
            names.entry(index).or_default().push(name.to_owned());
        }
    }
    let Some(bytes) = stage.read(CACHE)? else {
        return Ok(Outcome::NotHere(format!("the image has no {CACHE}")));
    };
    let Some(mut cache) = Cache::parse(&bytes) else {
        return Ok(Outcome::NotHere(format!("{CACHE} has a format that is not known")));
    };

    let mut gone = Vec::new();
    for entry in cache.entries() {
        if stage.stat(&entry.path)?.is_none() {
            gone.push(entry.path.clone());
        }
    }
    cache.retain(|entry| !gone.contains(&entry.path));

    for (index, names) in names {
        let folder = &folders[index];
        for (name, flags) in libraries(stage, folder, &names)? {
            let entry = Entry::new(&name, &format!("{}/{name}", folder.path), flags);
            cache.add(entry, |known| {
                let above = known.path.rsplit_once('/').map_or("", |(above, _)| above);
                folders.iter().position(|folder| folder.path == above).is_some_and(|other| other <= index)
            });
        }
    }
    match cache.write() {
        Some(bytes) => stage.write(CACHE, bytes, Set::default())?,
        None => return Ok(Outcome::NotHere(format!("{CACHE} would be too large"))),
    }
    Ok(Outcome::Done)
}

/// A folder of the search path.
#[derive(Clone, Debug)]
struct Folder {
    /// As the cache names it: the first spelling wins.
    path: String,
    /// Links followed.
    real: GuestPath,
}

/// The folders of `/etc/ld.so.conf`, then those that are built in.
fn folders(stage: &Stage<'_>) -> Result<Vec<Folder>, Error> {
    let mut paths = Vec::new();
    let mut pending = vec![CONFIGURATION.to_owned()];
    // More files than anybody has, and an end for those that include themselves.
    let mut left = 1000_u32;
    while let Some(file) = pending.pop() {
        let Some(rest) = left.checked_sub(1) else { break };
        left = rest;
        if stage.stat(&file)?.is_none_or(|found| found.kind != FileType::Regular) {
            continue;
        }
        let content = stage.read(&file)?.unwrap_or_default();
        let mut included = Vec::new();
        for line in String::from_utf8_lossy(&content).lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(patterns) = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']))
            {
                for pattern in patterns.split_ascii_whitespace() {
                    let pattern =
                        if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/{pattern}") };
                    let (folder, last) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
                    for entry in stage.list(if folder.is_empty() { "/" } else { folder })? {
                        if glob(last.as_bytes(), entry.name.as_bytes()) {
                            included.push(format!("{folder}/{}", entry.name));
                        }
                    }
                }
            } else if !line.starts_with("hwcap") {
                let folders = line.split([' ', '\t', ':', ',']).filter(|folder| folder.starts_with('/'));
                paths.extend(folders.map(|folder| folder.trim_end_matches('/').to_owned()));
            }
        }
        // Debian's file has nothing but one include; the order of several stays that of the file.
        pending.extend(included.into_iter().rev());
    }
    paths.extend(["/lib", "/usr/lib", "/lib64", "/usr/lib64"].map(str::to_owned));
    let mut folders: Vec<Folder> = Vec::new();
    for path in paths {
        let real = stage.resolve(&path)?;
        if !folders.iter().any(|known| known.real == real) {
            folders.push(Folder { path, real });
        }
    }
    Ok(folders)
}

fn is_library(name: &str) -> bool {
    (name.starts_with("lib") || name.starts_with("ld-") || name.starts_with("ld.so"))
        && name.contains(".so")
        && ![".dpkg-new", ".dpkg-tmp", "~"].iter().any(|end| name.ends_with(end))
        && !name.contains(".#")
        && !name.ends_with("-gdb.py")
}

/// The names that the cache needs for these changed files of a folder, with their flags.
fn libraries(stage: &mut Stage<'_>, folder: &Folder, names: &[String]) -> Result<Vec<(String, u32)>, Error> {
    // By the name to ask for: the file behind it, whether that is a link, and the flags.
    let mut best: BTreeMap<String, (String, bool, u32)> = BTreeMap::new();
    for name in names {
        let path = folder.real.join(name);
        let Some(metadata) = stage.lstat(path.as_str())? else { continue };
        let mut is_link = metadata.kind == FileType::Symlink;
        let Some(target) = stage.stat(path.as_str())? else { continue };
        if target.kind != FileType::Regular || target.size > LIBRARY_LIMIT {
            continue;
        }
        let content = stage.read_limited(path.as_str(), LIBRARY_LIMIT)?.unwrap_or_default();
        let Some(elf) = shared_object(&content) else { continue };
        let soname = elf.soname.unwrap_or_else(|| name.clone());
        // A link named otherwise counts as a file, unless it is the one that ld(1) uses.
        if is_link && *name != soname && !(name.ends_with(".so") && soname.starts_with(name.as_str())) {
            is_link = false;
        }
        let key = if is_link { name.clone() } else { soname };
        let better = match best.get(&key) {
            None => true,
            Some((_, true, _)) => !is_link,
            Some((other, false, _)) => !is_link && name_order(other, name).is_lt(),
        };
        if better {
            best.insert(key, (name.clone(), is_link, elf.flags));
        }
    }
    let mut found = Vec::new();
    for (soname, (file, is_link, flags)) in best {
        if soname.contains('/') {
            continue;
        }
        if !is_link && file != soname {
            let link = folder.real.join(&soname);
            // A link of the package, or of an older library, is not taken over blindly.
            let present = stage.lstat(link.as_str())?;
            let points_lower = match stage.read_link(link.as_str())? {
                Some(target) => name_order(&target, &file).is_lt(),
                None => false,
            };
            if present.is_none() || points_lower {
                stage.symlink(link.as_str(), &file)?;
            }
        }
        found.push((soname, flags));
    }
    Ok(found)
}

struct SharedObject {
    soname: Option<String>,
    flags: u32,
}

/// What of an ELF shared object the cache needs; `None` when it is none, or of a kind that is not
/// known here (32-bit ones of other architectures, big-endian ones).
fn shared_object(bytes: &[u8]) -> Option<SharedObject> {
    const DYNAMIC_OBJECT: u16 = 3;
    const LITTLE_ENDIAN: u8 = 1;
    if !bytes.starts_with(b"\x7fELF") || bytes.get(5) != Some(&LITTLE_ENDIAN) {
        return None;
    }
    let wide = bytes.get(4) == Some(&2);
    let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?));
    let word = |at: usize| -> Option<usize> {
        let length = if wide { 8 } else { 4 };
        let mut value = [0; 8];
        value[..length].copy_from_slice(bytes.get(at..at.checked_add(length)?)?);
        usize::try_from(u64::from_le_bytes(value)).ok()
    };
    let four = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let flags = match (half(18)?, wide) {
        (62, true) => 0x0300 | LIBC6,
        (62, false) => 0x0800 | LIBC6,
        (3, false) => LIBC6,
        (183, true) => 0x0a00 | LIBC6,
        _ => return None,
    };
    if half(16)? != DYNAMIC_OBJECT {
        return None;
    }
    let (headers, size, count) =
        if wide { (word(32)?, half(54)?, half(56)?) } else { (word(28)?, half(42)?, half(44)?) };
    let mut loads = Vec::new();
    let mut dynamic = None;
    for index in 0..usize::from(count) {
        let at = headers.checked_add(index.checked_mul(usize::from(size))?)?;
        let (offset, address, length) = if wide {
            (word(at + 8)?, word(at + 16)?, word(at + 32)?)
        } else {
            (word(at + 4)?, word(at + 8)?, word(at + 16)?)
        };
        match four(at)? {
            1 => loads.push((address, offset, length)),
            2 => dynamic = Some((offset, length)),
            _ => {}
        }
    }
    let (start, length) = dynamic?;
    let step = if wide { 16 } else { 8 };
    let (mut strings, mut soname) = (None, None);
    for index in 0..length / step {
        let at = start.checked_add(index * step)?;
        match word(at)? {
            0 => break,
            5 => strings = Some(word(at + step / 2)?),
            14 => soname = Some(word(at + step / 2)?),
            _ => {}
        }
    }
    let strings = strings?;
    let soname = match soname {
        None => None,
        Some(offset) => {
            let (address, file, _) = loads
                .into_iter()
                .find(|(address, _, length)| strings >= *address && strings - address < *length)?;
            let at = (strings - address).checked_add(file)?.checked_add(offset)?;
            let tail = bytes.get(at..)?;
            let end = tail.iter().take(4096).position(|byte| *byte == 0)?;
            Some(std::str::from_utf8(&tail[..end]).ok()?.to_owned())
        }
    };
    Some(SharedObject { soname, flags })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn reads_the_soname_of_a_real_library() {
        let mut seen = 0;
        for folder in ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/lib"] {
            if let Ok(bytes) = std::fs::read(format!("{folder}/libc.so.6")) {
                let elf = shared_object(&bytes).unwrap();
                assert_eq!(elf.soname.as_deref(), Some("libc.so.6"));
                assert!(shared_object(&bytes[..1000]).is_none());
                seen += 1;
            }
        }
        if seen == 0 {
            eprintln!("SKIPPED: no libc.so.6 here");
        }
        assert!(shared_object(b"\x7fELF\x02\x01").is_none());
        assert!(shared_object(b"GROUP ( libc.so.6 )").is_none());
    }

    #[test]
    fn finds_folders_as_ldconfig_does() {
        let tree = MemoryTree::new()
            .file("/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n\n")
            .file("/etc/ld.so.conf.d/libc.conf", "# libc default configuration\n/usr/local/lib\n")
            .file("/etc/ld.so.conf.d/x.conf", "/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu # twice\n")
            .file("/etc/ld.so.conf.d/off", "/nowhere\n")
            .dir("/usr/lib/x86_64-linux-gnu")
            .link("/lib", "usr/lib");
        let found: Vec<String> =
            folders(&Stage::new(&tree)).unwrap().into_iter().map(|folder| folder.path).collect();
        assert_eq!(found, ["/usr/local/lib", "/lib/x86_64-linux-gnu", "/lib", "/lib64", "/usr/lib64"]);
    }

    #[test]
    fn an_image_without_a_cache_is_left_alone() {
        let tree = MemoryTree::new();
        let mut stage = Stage::new(&tree);
        assert!(matches!(update(&mut stage, &[]).unwrap(), Outcome::NotHere(_)));
        assert!(stage.changes().unwrap().is_empty());
    }
}
