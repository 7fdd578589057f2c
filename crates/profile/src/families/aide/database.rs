//! The database as aide 0.18 and 0.19 write it: one line for each path, in the order of paths, after `@@db_spec`.

use std::fmt::Write as _;

use hardtack_guest::{FileType, READ_LIMIT, Set, Stage};
use sha2::{Digest, Sha256};

use super::DATABASE;
use crate::Error;
use crate::bench::root;
use crate::merged::names;

/// What is looked at; where one is a link, what it points to is another one.
const TOPS: [&str; 5] = ["/etc", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
/// Deeper and longer trees than any system has are not followed.
const MOST_DEPTH: usize = 32;
const MOST_PATHS: usize = 200_000;

/// Attributes as bits (aide's src/attributes.h): name, link, permissions, user, group, size, SHA-256, type of file.
const NAME: u64 = 1;
const LINK: u64 = 1 << 1;
const OWNER: u64 = 1 << 2 | 1 << 3 | 1 << 4;
const SIZE: u64 = 1 << 5;
const SHA256: u64 = 1 << 30;
const FTYPE: u64 = 1 << 35;

/// Writes it; false where there are more paths, or deeper ones, than it takes.
pub(super) fn write(stage: &mut Stage<'_>) -> Result<bool, Error> {
    write_within(stage, MOST_PATHS)
}

fn write_within(stage: &mut Stage<'_>, most: usize) -> Result<bool, Error> {
    let mut walk = Walk { paths: Vec::new(), most, is_whole: true };
    for top in TOPS {
        if stage.lstat(top)?.is_some() {
            walk.go(stage, top, 0)?;
        }
    }
    let Walk { mut paths, is_whole, .. } = walk;
    paths.sort_unstable();
    let mut text = String::from("@@begin_db\n@@db_spec name lname perm uid gid size inode attr sha256 \n");
    for path in &paths {
        line(stage, path, &mut text)?;
    }
    text.push_str("@@end_db\n");
    if stage.stat("/var/lib/aide")?.is_none() {
        stage.mkdir("/var/lib/aide", root(0o700))?;
    }
    // The daemon of the daily check is not root, and reads by a capability.
    stage.write(DATABASE, text, Set::all(0o600, 0, 0))?;
    Ok(is_whole)
}

struct Walk {
    paths: Vec<String>,
    most: usize,
    is_whole: bool,
}

impl Walk {
    fn go(&mut self, stage: &Stage<'_>, path: &str, depth: usize) -> Result<(), Error> {
        if is_left_out(path) {
            return Ok(());
        }
        if depth > MOST_DEPTH || self.paths.len() >= self.most {
            self.is_whole = false;
            return Ok(());
        }
        let Some(there) = stage.lstat(path)? else { return Ok(()) };
        self.paths.push(path.to_owned());
        if there.kind == FileType::Directory {
            for name in names(stage, path)? {
                self.go(stage, &format!("{path}/{name}"), depth + 1)?;
            }
        }
        Ok(())
    }
}

/// The lines of aide.conf that begin with `!`: a path that begins with one of these.
fn is_left_out(path: &str) -> bool {
    const STARTS: [&str; 34] = [
        "/etc/machine-id",
        "/etc/hostname",
        "/etc/mailname",
        "/etc/mtab",
        "/etc/adjtime",
        "/etc/resolv.conf",
        "/etc/hostid",
        "/etc/machine-info",
        "/etc/ld.so.cache",
        "/etc/.updated",
        "/etc/.pwd.lock",
        "/etc/ssh/ssh_host_",
        "/etc/ssh/sshd_config.d/50-cloud-init.conf",
        "/etc/sudoers.d/90-cloud-init-users",
        "/etc/netplan/",
        "/etc/network/interfaces.d/",
        "/etc/systemd/network/",
        "/etc/udev/rules.d/",
        "/etc/apt/sources.list",
        "/etc/audit/audit.rules",
        "/etc/apparmor.d/cache",
        "/etc/timezone",
        "/etc/localtime",
        "/etc/locale.gen",
        "/etc/default/locale",
        "/etc/default/keyboard",
        "/etc/cloud/",
        "/etc/hardtack/agent",
        "/etc/hardtack/state",
        "/etc/passwd-",
        "/etc/group-",
        "/etc/shadow-",
        "/etc/gshadow-",
        "/etc/sub",
    ];
    STARTS.iter().any(|start| match *start {
        "/etc/sub" => path == "/etc/subuid-" || path == "/etc/subgid-",
        backup if backup.ends_with('-') => path == backup,
        start => path.starts_with(start),
    })
}

fn is_grown(path: &str) -> bool {
    ["passwd", "group", "shadow", "gshadow", "subuid", "subgid", "hosts", "fstab"]
        .iter()
        .any(|name| path.strip_prefix("/etc/") == Some(name))
}

fn line(stage: &Stage<'_>, path: &str, text: &mut String) -> Result<(), Error> {
    let Some(there) = stage.lstat(path)? else { return Ok(()) };
    let (kind, link, mut attributes) = match there.kind {
        FileType::Directory => (0o040_000, None, NAME | OWNER | FTYPE),
        FileType::Regular => (0o100_000, None, NAME | OWNER | FTYPE),
        FileType::Symlink => (0o120_000, stage.read_link(path)?, NAME | LINK | OWNER | FTYPE),
        FileType::Special => return Ok(()),
    };
    if !is_grown(path) && there.kind != FileType::Directory {
        attributes |= SIZE;
    }
    let mut hash = "0".to_owned();
    if there.kind == FileType::Regular && !is_grown(path) {
        attributes |= SHA256;
        let content = stage.read_limited(path, READ_LIMIT)?.unwrap_or_default();
        hash = base64(&Sha256::digest(content));
    }
    let size = match (attributes & SIZE != 0, &link) {
        (false, _) => 0,
        (true, Some(link)) => link.len() as u64,
        (true, None) => there.size,
    };
    let link = link.map_or_else(|| "0".to_owned(), |link| encoded(&link));
    // Writing to a string cannot fail. No inode: 0.
    let _ = writeln!(
        text,
        "{} {link} {:o} {} {} {size} 0 {attributes} {hash}",
        encoded(path),
        kind | there.mode & 0o7777,
        there.uid,
        there.gid
    );
    Ok(())
}

/// As in addresses, what is no letter of ASCII, and blanks.
fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'%' | b'"' | b'\'' | b'@' | b'#') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hardtack_guest::MemoryTree;

    use super::*;

    fn written(tree: &MemoryTree, most: usize) -> (bool, Vec<String>) {
        let mut stage = Stage::new(tree);
        let is_whole = write_within(&mut stage, most).unwrap();
        let there = stage.stat(DATABASE).unwrap().unwrap();
        assert_eq!((there.mode, there.uid), (0o600, 0));
        let text = stage.read_text(DATABASE).unwrap().unwrap();
        (is_whole, text.lines().map(str::to_owned).collect())
    }

    /// aide itself reads such lines in `tests/chroot.rs`.
    #[test]
    fn each_kind_of_file_has_its_line() {
        let tree = MemoryTree::new()
            .file_as("/etc/motd", "", 0o640, 0, 4)
            .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
            .file("/etc/a b@c%", "")
            .file("/etc/machine-id", "x")
            .file("/etc/shadow-", "x")
            .file("/etc/shadow-old", "")
            .file("/home/kept/out", "x")
            .link("/usr/bin/vi", "/etc/alternatives/vi");
        let (is_whole, lines) = written(&tree, 100);
        assert!(is_whole);
        let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(
            lines,
            [
                "@@begin_db",
                "@@db_spec name lname perm uid gid size inode attr sha256 ",
                "/etc 0 40755 0 0 0 0 34359738397 0",
                &format!("/etc/a%20b%40c%25 0 100644 0 0 0 0 35433480253 {empty}"),
                &format!("/etc/motd 0 100640 0 4 0 0 35433480253 {empty}"),
                "/etc/passwd 0 100644 0 0 0 0 34359738397 0",
                &format!("/etc/shadow-old 0 100644 0 0 0 0 35433480253 {empty}"),
                "/usr/bin 0 40755 0 0 0 0 34359738397 0",
                "/usr/bin/vi /etc/alternatives/vi 120777 0 0 20 0 34359738431 0",
                "@@end_db",
            ]
        );
    }

    #[test]
    fn what_is_too_much_is_said() {
        let tree = MemoryTree::new().file("/etc/a", "").file("/etc/b", "");
        assert!(written(&tree, 3).0);
        let (is_whole, lines) = written(&tree, 2);
        assert!(!is_whole && lines.len() == 5, "{lines:?}");
        let deep = format!("/etc{}", "/d".repeat(MOST_DEPTH + 1));
        assert!(!written(&MemoryTree::new().file(&deep, ""), 100).0);
    }

    #[test]
    fn base64_pads_as_everybody_does() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!((of("f"), of("fo"), of("foo")), ("Zg==".into(), "Zm8=".into(), "Zm9v".into()));
    }
}
