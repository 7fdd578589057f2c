//! `/etc/fstab`: what the guest mounts where (fstab(5), and getmntent(3) for the escapes).

use std::ops::Range;

use crate::GuestPath;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The first field as written, for messages.
    pub(crate) text: String,
    /// What it names.
    pub(crate) spec: Spec,
    /// Where it is mounted.
    pub(crate) mount: GuestPath,
    /// The file system's type.
    pub(crate) kind: String,
    /// The options.
    pub(crate) options: Vec<String>,
}

impl Entry {
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|given| given == option)
    }
}

/// What a line's first field names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spec {
    /// `LABEL=` or `/dev/disk/by-label/`.
    Label(String),
    /// `UUID=` or `/dev/disk/by-uuid/`.
    Uuid(String),
    /// `PARTLABEL=` or `/dev/disk/by-partlabel/`.
    PartLabel(String),
    /// `PARTUUID=` or `/dev/disk/by-partuuid/`.
    PartUuid(String),
    /// A partition of the first disk, by its number: `/dev/vda15`, `/dev/nvme0n1p2`.
    Partition(u32),
    /// The first disk as a whole: `/dev/sda`.
    Disk,
    /// Anything else: another disk, device mapper, the network.
    Elsewhere,
}

/// Parses the table. The second list has a sentence for each line that was not understood.
pub(crate) fn parse(text: &str) -> (Vec<Entry>, Vec<String>) {
    let mut entries = Vec::new();
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let fields: Vec<String> = fields(line);
        let [device, mount, rest @ ..] = fields.as_slice() else {
            complaints
                .push(format!("/etc/fstab:{number}: a line needs a device and a mount point; it is ignored"));
            continue;
        };
        let kind = rest.first().map_or("auto", String::as_str);
        let options: Vec<String> =
            rest.get(1).map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default();
        if options.iter().any(|option| option == "bind" || option == "rbind") {
            complaints.push(format!(
                "/etc/fstab:{number}: {mount} shows {device} there (a bind mount), which is not followed here: give \
                 paths below {device}"
            ));
            continue;
        }
        if is_pseudo(kind, mount) {
            continue;
        }
        if !mount.starts_with('/') {
            complaints
                .push(format!("/etc/fstab:{number}: the mount point {mount:?} is no path; it is ignored"));
            continue;
        }
        entries.push(Entry {
            line: number,
            text: device.clone(),
            spec: spec(device),
            mount: GuestPath::new(mount),
            kind: kind.to_owned(),
            options,
        });
    }
    (entries, complaints)
}

fn fields(line: &str) -> Vec<String> {
    spans(line).into_iter().filter_map(|span| line.get(span)).map(unescape).collect()
}

/// Where the fields of a line stand: blanks separate them, quotes around a tag's value keep blanks together, as libmount
/// does, and a `#` before a field ends the line.
#[must_use]
pub fn spans(line: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut begin = None;
    let mut quote = None;
    let mut last = ' ';
    for (at, character) in line.char_indices() {
        match character {
            // A quote opens after `=` only: elsewhere it is part of a name.
            '"' | '\'' if quote == Some(character) => quote = None,
            '"' | '\'' if quote.is_none() && begin.is_some() && last == '=' => quote = Some(character),
            ' ' | '\t' if quote.is_none() => spans.extend(begin.take().map(|begin| begin..at)),
            '#' if begin.is_none() => return spans,
            _ => {
                begin.get_or_insert(at);
            }
        }
        last = character;
    }
    spans.extend(begin.map(|begin| begin..line.len()));
    spans
}

/// `\040` and its like: three octal digits.
#[must_use]
pub fn unescape(field: &str) -> String {
    let bytes = field.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match (byte, octal) {
            (b'\\', Some(digits)) => {
                let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                text.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
                at += 4;
            }
            _ => {
                text.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// File systems that are on no partition.
fn is_pseudo(kind: &str, mount: &str) -> bool {
    const KINDS: &[&str] = &[
        "swap",
        "tmpfs",
        "proc",
        "sysfs",
        "devpts",
        "devtmpfs",
        "debugfs",
        "tracefs",
        "securityfs",
        "cgroup",
        "cgroup2",
        "hugetlbfs",
        "mqueue",
        "configfs",
        "efivarfs",
        "binfmt_misc",
        "fusectl",
        "ramfs",
        "overlay",
        "none",
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "sshfs",
        "ceph",
        "9p",
        "virtiofs",
        "glusterfs",
        "lustre",
        "squashfs",
        "iso9660",
        "udf",
    ];
    KINDS.contains(&kind) || kind.starts_with("fuse") || matches!(mount, "none" | "swap")
}

fn spec(device: &str) -> Spec {
    let unquoted = |value: &str| {
        let inner = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        inner.unwrap_or(value).to_owned()
    };
    if let Some((tag, value)) = device.split_once('=') {
        return match tag {
            "LABEL" => Spec::Label(unquoted(value)),
            "UUID" => Spec::Uuid(unquoted(value)),
            "PARTLABEL" => Spec::PartLabel(unquoted(value)),
            "PARTUUID" => Spec::PartUuid(unquoted(value)),
            _ => Spec::Elsewhere,
        };
    }
    if let Some(rest) = device.strip_prefix("/dev/disk/by-") {
        return match rest.split_once('/') {
            Some(("label", name)) => Spec::Label(udev_name(name)),
            Some(("uuid", name)) => Spec::Uuid(udev_name(name)),
            Some(("partlabel", name)) => Spec::PartLabel(udev_name(name)),
            Some(("partuuid", name)) => Spec::PartUuid(udev_name(name)),
            _ => Spec::Elsewhere,
        };
    }
    match device.strip_prefix("/dev/") {
        Some(name) => kernel_name(name),
        None => Spec::Elsewhere,
    }
}

/// `\x20`: how udev writes a character that its file names avoid.
fn udev_name(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        text.push_str(before);
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                rest = &after[2..];
            }
            None => {
                text.push_str("\\x");
                rest = after;
            }
        }
    }
    text + rest
}

/// The first disk under the names that the kernel gives it: an image is the guest's first disk.
fn kernel_name(name: &str) -> Spec {
    // "nvme0n1p" before "nvme0n1": the longer prefix is a partition.
    for disk in ["nvme0n1", "mmcblk0", "nbd0", "loop0"] {
        if let Some(rest) = name.strip_prefix(disk) {
            return match rest.strip_prefix('p') {
                Some(digits) => number(digits),
                None if rest.is_empty() => Spec::Disk,
                None => Spec::Elsewhere,
            };
        }
    }
    for disk in ["xvda", "vda", "sda", "hda", "ubda"] {
        if let Some(rest) = name.strip_prefix(disk) {
            return if rest.is_empty() { Spec::Disk } else { number(rest) };
        }
    }
    Spec::Elsewhere
}

fn number(digits: &str) -> Spec {
    match digits.parse() {
        Ok(number) if number > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Spec::Partition(number)
        }
        _ => Spec::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn devices_are_named_in_many_ways() {
        for (device, wanted) in [
            ("LABEL=BOOT", Spec::Label("BOOT".to_owned())),
            ("LABEL=\"my boot\"", Spec::Label("my boot".to_owned())),
            ("LABEL='my boot'", Spec::Label("my boot".to_owned())),
            ("LABEL=it's", Spec::Label("it's".to_owned())),
            ("LABEL=my\\040boot", Spec::Label("my boot".to_owned())),
            ("UUID=\"AB-CD\"", Spec::Uuid("AB-CD".to_owned())),
            ("PARTUUID=x", Spec::PartUuid("x".to_owned())),
            ("PARTLABEL=esp", Spec::PartLabel("esp".to_owned())),
            ("/dev/disk/by-uuid/1234-ABCD", Spec::Uuid("1234-ABCD".to_owned())),
            ("/dev/disk/by-label/a\\x20b\\x2fc", Spec::Label("a b/c".to_owned())),
            ("/dev/disk/by-label/a\\x", Spec::Label("a\\x".to_owned())),
            ("/dev/disk/by-path/pci-0000", Spec::Elsewhere),
            ("/dev/vda15", Spec::Partition(15)),
            ("/dev/sda1", Spec::Partition(1)),
            ("/dev/xvda1", Spec::Partition(1)),
            ("/dev/nvme0n1p2", Spec::Partition(2)),
            ("/dev/nvme0n1", Spec::Disk),
            ("/dev/nvme1n1p2", Spec::Elsewhere),
            ("/dev/sda", Spec::Disk),
            ("/dev/sda0", Spec::Elsewhere),
            ("/dev/sda+1", Spec::Elsewhere),
            ("/dev/vdb1", Spec::Elsewhere),
            ("/dev/mapper/vg-usr", Spec::Elsewhere),
            ("server:/export", Spec::Elsewhere),
            ("ZONE=1", Spec::Elsewhere),
        ] {
            let (entries, complaints) = parse(&format!("{device} /boot ext4 defaults 0 2\n"));
            assert_eq!(entries.len(), 1, "{device}: {complaints:?}");
            assert_eq!(entries[0].spec, wanted, "{device}");
        }
    }

    #[test]
    fn lines_without_a_partition_are_passed_over() {
        let text = "# comment\n\n  proc /proc proc\ntmpfs /tmp tmpfs\n/x /y none bind\n/x /y ext4 rw,bind\nLABEL=s none swap\n\
                    nas:/x /x nfs\nUUID=1 / ext4 rw 0 1 # root\n\t/dev/vda15\t/boot/efi\tvfat\tumask=0077,nofail 0 1\n";
        let (entries, complaints) = parse(text);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints.iter().all(|told| told.contains("/y shows /x there")), "{complaints:?}");
        let found: Vec<_> = entries.iter().map(|entry| (entry.line, entry.mount.as_str())).collect();
        assert_eq!(found, [(9, "/"), (10, "/boot/efi")]);
        assert!(entries[1].has("nofail") && !entries[0].has("nofail"));
    }

    #[test]
    fn bad_lines_are_told_and_never_fatal() {
        let (entries, complaints) =
            parse("alone\nUUID=1 relative ext4\nUUID=1 /a\\040b/ ext4\nLABEL=\"open /x ext4\n");
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(complaints[0].starts_with("/etc/fstab:1:"));
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].mount.as_str(), "/a b");
        for garbage in
            ["\\", "\\9 \\04", "= = =", "\u{0}\u{fffd} /", "\"\"\" /x", "LABEL= / ext4", "\\777 /\\777"]
        {
            let _ = parse(garbage);
        }
    }
}
