//! The kernel as judge and as another writer, through a loop mount.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::testing::mounted;
use crate::xattr::entry::Value;

fn setfattr(root: &Path, file: &str, name: &str, value: &[u8]) {
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    let done = Command::new("setfattr")
        .args(["-h", "-n", name, "-v", &format!("0x{hex}")])
        .arg(root.join(file))
        .output()
        .unwrap();
    assert!(done.status.success(), "{file}: {}", String::from_utf8_lossy(&done.stderr));
}

/// What the kernel sees of the files, by getfattr; `None` where it cannot be asked.
pub(super) fn kernel_sees(path: &Path) -> Option<BTreeMap<String, BTreeMap<String, Vec<u8>>>> {
    let mut said = None;
    mounted(path, "ro", |root| said = Some(listing(root)));
    said
}

fn listing(root: &Path) -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let files: Vec<_> = FILES.iter().map(|name| root.join(name)).collect();
    let said = Command::new("getfattr")
        .args(["-h", "-d", "-m", "-", "-e", "hex", "--absolute-names"])
        .args(&files)
        .output()
        .unwrap();
    assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    let mut seen: BTreeMap<String, BTreeMap<String, Vec<u8>>> =
        FILES.iter().map(|name| ((*name).to_owned(), BTreeMap::new())).collect();
    let mut file = String::new();
    for line in String::from_utf8(said.stdout).unwrap().lines() {
        if let Some(path) = line.strip_prefix("# file: ") {
            file = path.rsplit('/').next().unwrap().to_owned();
        } else if let Some((name, value)) = line.split_once('=') {
            let digits = value.strip_prefix("0x").unwrap();
            let bytes = (0..digits.len() / 2)
                .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
                .collect();
            seen.get_mut(&file).unwrap().insert(unquoted(name), bytes);
        } else if !line.is_empty() {
            seen.get_mut(&file).unwrap().insert(unquoted(line), Vec::new());
        }
    }
    seen
}

/// getfattr writes unusual bytes of names as \ooo.
fn unquoted(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'\\' {
            let octal = std::str::from_utf8(&after[..3]).unwrap();
            bytes.push(u8::from_str_radix(octal, 8).unwrap());
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// What the kernel wrote, blocks and values that it shares included, is read and changed by us, and then
/// changed by the kernel again.
#[test]
fn taking_turns_with_the_kernel() {
    for (what, args, long) in [
        ("1k, 128", &["-t", "ext4", "-b", "1024", "-I", "128"][..], 500),
        ("4k, 256", &["-t", "ext4", "-b", "4096", "-I", "256"], 2000),
        ("ext3, 128", &["-t", "ext3", "-b", "1024", "-I", "128"], 500),
        ("ea_inode, inline", &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "ea_inode,inline_data"], 5000),
    ] {
        let image = image(args);
        let value = vec![0x5a; long];
        let set_all = |root: &Path| {
            for file in ["f0", "f1", "f2", "f3", "d0"] {
                // Different blocks with ea_inode: Linux 6.18 does not count the references to a value right
                // when a second file gets the same block.
                if long > 4096 {
                    setfattr(root, file, "user.own", format!("{file}{}", "x".repeat(90)).as_bytes());
                }
                setfattr(root, file, "security.selinux", b"system_u:object_r:etc_t:s0");
                setfattr(root, file, "user.gr\u{fc}n", &value);
            }
            setfattr(root, "l0", "trusted.l", b"link");
            let done = Command::new("setfacl").args(["-m", "u:1000:rwx"]).arg(root.join("d0")).status();
            assert!(done.unwrap().success());
        };
        if !mounted(&image.path(), "rw", set_all) {
            return;
        }
        assert_clean(&image.path(), what);
        let mut volume = image.volume();
        let seen = kernel_sees(&image.path()).unwrap();
        for (file, name) in FILES.iter().enumerate() {
            assert_eq!(get(&volume, number_of(file)), seen[*name], "{what}: {name}");
        }
        let inode = volume.inode(FIRST).unwrap();
        let block = volume.attribute_block(&inode).unwrap().unwrap();
        let shared =
            block.is_shared() || block.entries.iter().any(|entry| matches!(entry.value, Value::Inode { .. }));
        assert!(shared, "{what}: the kernel shares neither a block nor a value here");

        // One changes what it shared, one loses a part, one loses all, one gets more.
        set(&mut volume, FIRST, "security.selinux", Some(b"system_u:object_r:usr_t:s0")).unwrap();
        set(&mut volume, FIRST + 1, "user.gr\u{fc}n", None).unwrap();
        set(&mut volume, FIRST + 2, "user.gr\u{fc}n", None).unwrap();
        set(&mut volume, FIRST + 2, "security.selinux", None).unwrap();
        set(&mut volume, FIRST + 4, "trusted.more", Some(b"more")).unwrap();
        let path = image.save(&volume);
        assert_clean(&path, what);
        let seen = kernel_sees(&path).unwrap();
        for (file, name) in FILES.iter().enumerate() {
            assert_eq!(get(&volume, number_of(file)), seen[*name], "{what}: {name}");
        }
        assert_eq!(seen["f3"]["user.gr\u{fc}n"], value, "{what}");
        let own = usize::from(long > 4096);
        let counts = (seen["f1"].len(), seen["f2"].len(), seen["d0"].len());
        assert_eq!(counts, (1 + own, own, 4 + own), "{what}");

        mounted(&path, "rw", |root| {
            set_all(root);
            setfattr(root, "f2", "user.back", b"again");
            std::fs::remove_file(root.join("f0")).unwrap();
            std::fs::remove_file(root.join("f3")).unwrap();
        });
        assert_clean(&path, &format!("{what}: after the kernel"));
    }
}
