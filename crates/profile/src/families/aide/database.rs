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

/// Writes it.
pub(super) fn write(stage: &mut Stage<'_>) -> Result<(), Error> {
    let mut paths = Vec::new();
    for top in TOPS {
        if stage.lstat(top)?.is_some() {
            walk(stage, top, 0, &mut paths)?;
        }
    }
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
    Ok(())
}

fn walk(stage: &Stage<'_>, path: &str, depth: usize, paths: &mut Vec<String>) -> Result<(), Error> {
    if is_left_out(path) || depth > MOST_DEPTH || paths.len() >= MOST_PATHS {
        return Ok(());
    }
    let Some(there) = stage.lstat(path)? else { return Ok(()) };
    paths.push(path.to_owned());
    if there.kind == FileType::Directory {
        for name in names(stage, path)? {
            walk(stage, &format!("{path}/{name}"), depth + 1, paths)?;
        }
    }
    Ok(())
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
