//! SELinux labels of what is new.

use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_guest::{FileSystem, Guest, GuestPath, Set, Stage, Tree, apply};

use crate::disk::{Bench, EPOCH, overlay, save, succeed, tools};

const BASE: &str = "/etc/selinux/targeted/contexts/files/file_contexts";
const RULES: &str = "/.*\tsystem_u:object_r:default_t:s0\n/etc(/.*)?\tsystem_u:object_r:etc_t:s0\n\
    /etc/shadow\t--\tsystem_u:object_r:shadow_t:s0\n/opt(/.*)?\tsystem_u:object_r:usr_t:s0\n\
    /etc/l\t-l\tsystem_u:object_r:link_t:s0\n/none/.*\t<<none>>\n";

fn guest(bench: &Bench, files: &[(&str, &str)]) -> Arc<dyn BlockWrite> {
    let mut all = vec![("/etc/os-release", "ID=fedora\n"), ("/opt/", ""), ("/none/", "")];
    all.extend(files);
    overlay(&bench.ext4("root", 32, &[], &all))
}

fn label(guest: &Guest, path: &str) -> Option<String> {
    let attributes = guest.xattrs(&GuestPath::new(path)).unwrap();
    let value = attributes.into_iter().find(|(name, _)| name == "security.selinux")?.1;
    assert_eq!(value.last(), Some(&0), "as the kernel keeps it");
    Some(String::from_utf8(value[..value.len() - 1].to_vec()).unwrap())
}

fn edit(guest: &mut Guest) -> Vec<String> {
    let edits = {
        let mut stage = Stage::new(&*guest);
        stage.write("/etc/shadow", "x", Set::mode(0o600)).unwrap();
        stage.write("/opt/new/tool", "x", Set::default()).unwrap();
        stage.symlink("/etc/l", "os-release").unwrap();
        stage.write("/none/x", "x", Set::default()).unwrap();
        stage.write("/etc/os-release", "ID=other\n", Set::default()).unwrap();
        stage.edits().unwrap()
    };
    apply(&edits, guest).unwrap()
}

#[test]
fn new_files_get_what_the_images_policy_says() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let disk =
        guest(&bench, &[("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n"), (BASE, RULES)]);
    let mut guest = Guest::open(disk.clone(), EPOCH).unwrap();
    guest.set_xattr(&GuestPath::new("/none"), "security.selinux", b"a:b:own_t:s0\0").unwrap();
    guest.set_xattr(&GuestPath::new("/etc/os-release"), "security.selinux", b"a:b:kept_t:s0\0").unwrap();
    assert_eq!(edit(&mut guest), [] as [&str; 0]);
    for (path, wanted) in [
        ("/etc/shadow", Some("system_u:object_r:shadow_t:s0")),
        ("/opt/new", Some("system_u:object_r:usr_t:s0")),
        ("/opt/new/tool", Some("system_u:object_r:usr_t:s0")),
        ("/etc/l", Some("system_u:object_r:link_t:s0")),
        ("/none/x", Some("a:b:own_t:s0")),
        ("/etc/os-release", Some("a:b:kept_t:s0")),
        ("/opt", None),
    ] {
        assert_eq!(label(&guest, path).as_deref(), wanted, "{path}");
    }
    assert_eq!(guest.lstat(&GuestPath::new("/.autorelabel")).unwrap(), None);
    // A link that points elsewhere keeps its label.
    guest.set_xattr(&GuestPath::new("/etc/l"), "security.selinux", b"a:b:mine_t:s0\0").unwrap();
    let edits = {
        let mut stage = Stage::new(&guest);
        stage.symlink("/etc/l", "elsewhere").unwrap();
        stage.edits().unwrap()
    };
    apply(&edits, &mut guest).unwrap();
    guest.finish_all().unwrap();
    assert_eq!(label(&guest, "/etc/l").as_deref(), Some("a:b:mine_t:s0"));
    let out = bench.path("out");
    save(&disk, guest.volumes()[0].range.clone(), &out);
    succeed("e2fsck", &["-fn", out.to_str().unwrap()]);
    let told = succeed("debugfs", &["-R", "ea_get -V /etc/shadow security.selinux", out.to_str().unwrap()]);
    assert!(told.contains("shadow_t"), "{told}");
}

#[test]
fn without_a_readable_policy_the_guest_relabels() {
    if !tools() {
        return;
    }
    for (files, labelled, relabel, inherits) in [
        (&[("/etc/selinux/config", "SELINUX=enforcing\n")][..], true, true, true),
        (&[("/etc/selinux/config", "SELINUX=enforcing\n")], false, false, false),
        (&[("/etc/selinux/config", "SELINUX=disabled\n")], true, false, true),
        (&[], true, false, true),
        (&[], false, false, false),
        (&[("/etc/selinux/config", "SELINUX=disabled\n"), (BASE, RULES)], false, false, false),
    ] {
        let bench = Bench::new();
        let disk = guest(&bench, files);
        let mut guest = Guest::open(disk, EPOCH).unwrap();
        if labelled {
            guest.set_xattr(&GuestPath::new("/etc"), "security.selinux", b"a:b:etc_t:s0\0").unwrap();
        }
        let notes = edit(&mut guest);
        let found = guest.lstat(&GuestPath::new("/.autorelabel")).unwrap().is_some();
        assert_eq!(found, relabel, "{files:?} {labelled}");
        assert_eq!(notes.iter().any(|note| note.contains(".autorelabel")), relabel, "{notes:?}");
        assert_eq!(label(&guest, "/etc/shadow").as_deref(), inherits.then_some("a:b:etc_t:s0"), "{files:?}");
    }
}
