//! Files with several names: what is edited is one name, as plan and confirmation have it.

use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite};
use hardtack_guest::{FileSystem, Guest, GuestPath, Location, Set, Stage, Tree, apply, confirm};

use crate::disk::{Bench, EPOCH, overlay, save, succeed, tools};

#[test]
fn an_edit_of_one_name_leaves_the_others() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let files = [
        ("/etc/os-release", "ID=debian\n"),
        ("/etc/hosts", "127.0.0.1\n"),
        ("/etc/motd", "hi\n"),
        ("/tmp/", ""),
    ];
    let disk: Arc<dyn BlockWrite> = overlay(&bench.ext4("root", 32, &[], &files));
    let mut guest = Guest::open(disk.clone(), EPOCH).unwrap();
    let at = GuestPath::new;
    for name in ["/tmp/appended", "/tmp/changed", "/tmp/empty", "/tmp/gone", "/tmp/kept"] {
        guest.hard_link(&at("/etc/hosts"), &at(name)).unwrap();
    }
    guest.hard_link(&at("/etc/motd"), &at("/etc/motd.too")).unwrap();
    guest.set_xattr(&at("/etc/hosts"), "user.kept", b"yes").unwrap();
    guest.set_mtime(&at("/etc/hosts"), 1_000_000_000).unwrap();
    let edits = {
        let mut stage = Stage::new(&guest);
        assert_eq!(stage.original_names(&at("/tmp/kept")).unwrap(), 6);
        stage.append_bytes("/tmp/appended", b"evil\n".to_vec()).unwrap();
        stage.set_mode("/tmp/changed", 0o4777).unwrap();
        stage.write("/tmp/empty", "", Set::default()).unwrap();
        stage.remove("/tmp/gone").unwrap();
        // Both names, and not the same.
        stage.write("/etc/motd", "one\n", Set::default()).unwrap();
        stage.write("/etc/motd.too", "two\n", Set::mode(0o600)).unwrap();
        stage.edits().unwrap()
    };
    assert_eq!(edits.len(), 6);
    apply(&edits, &mut guest).unwrap();
    guest.finish_all().unwrap();
    let read = |path: &str| String::from_utf8(guest.read_file(&at(path), 100).unwrap()).unwrap();
    for name in ["/etc/hosts", "/tmp/kept"] {
        let found = guest.lstat(&at(name)).unwrap().unwrap();
        assert_eq!((read(name).as_str(), found.mode, found.mtime), ("127.0.0.1\n", 0o644, 1_000_000_000));
        assert_eq!(guest.identity(&at(name)).unwrap().unwrap().links, 2);
    }
    let found = guest.lstat(&at("/tmp/changed")).unwrap().unwrap();
    assert_eq!(
        (read("/tmp/changed").as_str(), found.mode, found.mtime),
        ("127.0.0.1\n", 0o4777, 1_000_000_000)
    );
    assert_eq!(guest.xattrs(&at("/tmp/changed")).unwrap(), [("user.kept".to_owned(), b"yes".to_vec())]);
    assert_eq!((read("/tmp/appended").as_str(), read("/tmp/empty").as_str()), ("127.0.0.1\nevil\n", ""));
    assert_eq!((read("/etc/motd").as_str(), read("/etc/motd.too").as_str()), ("one\n", "two\n"));

    let finished: Arc<dyn BlockSource> = Arc::new(disk.clone());
    let locate = |path: &GuestPath| {
        let (volume, inside) = guest.locate(path);
        Location { range: volume.range.clone(), file_system: volume.describe(), inside }
    };
    let confirmation = confirm(&edits, EPOCH, &finished, &locate).unwrap();
    assert_eq!((confirmation.confirmed, confirmation.unread.len()), (edits.len(), 0));
    let out = bench.path("out");
    save(&disk, guest.volumes()[0].range.clone(), &out);
    succeed("e2fsck", &["-fn", out.to_str().unwrap()]);
}
